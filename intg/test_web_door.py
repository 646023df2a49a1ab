"""Signing in to the web page, and being kept out of it."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from intg.home import Home
from intg.web import serving, visiting


def test_the_link_of_the_first_start_signs_in_and_leaves_no_token_in_the_address(
    home: Home, browser: Browser
) -> None:
    with serving(home) as server, visiting(browser, server) as visitor:
        expect(visitor.page.get_by_role("button", name="Sign out")).to_be_visible()
        assert server.token not in visitor.page.url


def test_without_a_script_the_token_is_pasted(home: Home, browser: Browser) -> None:
    with serving(home) as server, visiting(browser, server, java_script_enabled=False) as visitor:
        visitor.page.get_by_role("button", name="Sign out").click()
        expect(visitor.page.get_by_label("Token")).to_be_visible()


def test_the_link_is_that_of_the_server_that_runs(home: Home) -> None:
    with serving(home) as server:
        link = home.dagfs("serve", "--link").exits(0).out
        assert link.startswith(f"{server.url}/login#token=")
        said = home.dagfs("serve", "--link", "view", "--json").exits(0).json
        assert (said["url"], said["role"]) == (server.url, "view")
    assert ":8090/" in home.dagfs("serve", "--link").exits(0).out
    home.dagfs("serve", "--port", "99999").exits(2).in_one_line().says("no port")
