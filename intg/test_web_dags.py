"""The list of DAGs and a DAG's page: running one, pausing one, and files that are broken or odd."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Browser, Locator, Page, expect

from intg.home import Home
from intg.web import Visitor, serving, visiting
from tests.patience import eventually

TYPED = """
    name: typed
    description: takes <b>typed</b> values
    tags: [prod, "<i>odd</i>"]
    schedule: "30 2 * * *"
    params:
      - {name: count, type: integer, default: 3, minimum: 1, maximum: 9, description: how often}
      - {name: mode, type: string, enum: [fast, careful], default: fast}
      - {name: dry, type: boolean, default: true}
      - {name: ticket, type: string, required: true, pattern: "^OPS-[0-9]+$"}
      - {name: day, eval: "$(date +%Y)"}
    steps:
      - name: say
        command: 'echo "count=$count mode=$mode dry=$dry ticket=$ticket day=$day"'
    """
HELLO = """
    description: says hello
    steps:
      - name: hello
        command: echo hello
    """
BROKEN = """
    description: says hello
    steps:
      - name: hello
        comand: echo hello
    """
HOSTILE = """
    description: "</title><script>alert(2)</script>"
    tags: ['"><img src=x onerror=alert(1)>']
    params:
      - {name: it, default: "<svg onload=alert(4)>", description: "'> <b>"}
    steps:
      - name: "<script>alert(3)<script> é"
        command: echo it
    """


def row(page: Page, name: str) -> Locator:
    """A DAG in the list."""
    return page.locator("tr").filter(has=page.get_by_role("link", name=name, exact=True))


def complaint(page: Page, label: str) -> Locator:
    """What is said at a field."""
    return page.locator(".field").filter(has=page.get_by_label(label)).get_by_role("alert")


def forgive(visitor: Visitor, status: int) -> None:
    """A form that comes back with what is wrong in it has such a status, which browsers mention."""
    assert all(f"status of {status}" in each for each in visitor.complaints), visitor.complaints
    visitor.complaints.clear()


def test_a_run_is_started_from_a_form_of_typed_parameters(home: Home, browser: Browser) -> None:
    home.dag("typed", TYPED)
    with serving(home) as server, visiting(browser, server) as visitor:
        fill_in(visitor)
        expect_run(home)


def test_the_form_works_without_a_script(home: Home, browser: Browser) -> None:
    home.dag("typed", TYPED)
    with serving(home) as server, visiting(browser, server, java_script_enabled=False) as visitor:
        fill_in(visitor)
        expect_run(home)


def fill_in(visitor: Visitor) -> None:
    """With two wrong values at first."""
    page = visitor.page
    page.get_by_role("link", name="Run typed").click()
    expect(page.get_by_label("count")).to_have_value("3")
    expect(page.get_by_label("dry")).to_be_checked()
    page.get_by_label("count").fill("12")
    page.get_by_label("mode").select_option("careful")
    page.get_by_label("dry").uncheck()
    page.get_by_label("ticket").fill("none")
    page.get_by_label("Reason").fill('to "see"')
    page.get_by_role("button", name="Run").click()
    expect(complaint(page, "count")).to_contain_text("maximum of 9")
    expect(complaint(page, "ticket")).to_contain_text("pattern")
    # Nothing that was typed is lost.
    expect(page.get_by_label("count")).to_have_value("12")
    expect(page.get_by_label("mode")).to_have_value("careful")
    expect(page.get_by_label("dry")).not_to_be_checked()
    expect(page.get_by_label("Reason")).to_have_value('to "see"')
    forgive(visitor, 422)
    page.get_by_label("count").fill("7")
    page.get_by_label("ticket").fill("OPS-12")
    page.get_by_role("button", name="Run").click()
    page.wait_for_url(re.compile(r"/runs/[^/]+$"))


def expect_run(home: Home) -> None:
    eventually(lambda: home.status()["state"] == "succeeded", "the run")
    said = home.log("say")
    assert re.fullmatch(r"count=7 mode=careful dry=false ticket=OPS-12 day=20\d\d\n", said), said
    assert json.loads((home.run / "attempts/1/attempt.json").read_text())["reason"] == 'to "see"'


def test_what_the_command_line_refuses_is_told_on_the_form(home: Home, browser: Browser) -> None:
    home.dag("hello", HELLO)
    home.dagfs("run", "hello", "--id", "taken").exits(0)
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        page.goto("/start?dag=hello&reason=again")
        page.get_by_text("More: own id").click()
        page.get_by_label("Id of the new run").fill("taken")
        page.get_by_label("Further parameters").fill("no equals sign")
        page.get_by_role("button", name="Run").click()
        expect(complaint(page, "Further parameters")).to_contain_text("expected NAME=value")
        forgive(visitor, 422)
        page.get_by_label("Further parameters").fill("COLOUR=red")
        page.get_by_role("button", name="Run").click()
        expect(page.get_by_role("alert")).to_contain_text("run taken exists already")
        expect(page.get_by_label("Further parameters")).to_have_value("COLOUR=red")
        expect(page.get_by_label("Reason")).to_have_value("again")
        forgive(visitor, 409)


def test_a_broken_file_is_shown_with_its_place_and_its_last_good_version_stays(
    home: Home, browser: Browser
) -> None:
    home.dag("hello", HELLO)
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        expect(row(page, "hello")).to_contain_text("says hello")
        home.dag("hello", BROKEN)
        broken = page.get_by_role("region", name="Broken files")
        expect(broken).to_contain_text("hello.yaml:4:5")
        expect(broken).to_contain_text("did you mean 'command'?")
        expect(broken).to_contain_text("its last good version stays")
        expect(row(page, "hello")).to_contain_text("says hello")
        broken.get_by_role("link", name="hello.yaml").click()
        expect(page.locator("#L4")).to_contain_text("unknown key 'comand'")
        expect(page.get_by_role("button", name="Run or enqueue")).to_be_disabled()
        home.dag("hello", HELLO)
        page.goto("/")
        expect(broken).to_have_count(0)


def test_a_dag_is_paused_and_resumed(home: Home, browser: Browser) -> None:
    home.dag("typed", TYPED)
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        expect(row(page, "typed")).to_contain_text("at 02:30")
        page.get_by_role("switch", name="Start typed by itself").click()
        expect(page.get_by_role("switch", name="Start typed by itself")).to_have_attribute(
            "aria-checked", "false"
        )
        expect(row(page, "typed")).to_contain_text("paused")
        assert "typed" in home.dagfs("scheduler", "--status", "--json").json["paused"]
        page.get_by_role("link", name="typed", exact=True).click()
        page.get_by_role("button", name="Resume").click()
        page.locator("summary", has_text="Pause").click()
        page.get_by_label("Reason").fill("the <warehouse> is down")
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_role("region", name="Schedule")).to_contain_text("the <warehouse> is down")


def test_the_list_follows_its_filter(home: Home, browser: Browser) -> None:
    home.dag("typed", TYPED)
    home.dag("hello", HELLO)
    home.dagfs("run", "hello").exits(0)
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        page.get_by_role("searchbox").fill("says")
        expect(row(page, "typed")).to_have_count(0)
        expect(row(page, "hello")).to_be_visible()
        assert page.url.endswith("?q=says&sort=name")
        page.get_by_role("searchbox").fill("nobody")
        expect(page.get_by_text("No DAG like that.")).to_be_visible()
        page.get_by_role("searchbox").fill("")
        page.get_by_label("Status").select_option("never_ran")
        expect(row(page, "hello")).to_have_count(0)
        expect(row(page, "typed")).to_be_visible()


def test_the_filter_works_without_a_script(home: Home, browser: Browser) -> None:
    home.dag("typed", TYPED)
    home.dag("hello", HELLO)
    with serving(home) as server, visiting(browser, server, java_script_enabled=False) as visitor:
        page = visitor.page
        page.get_by_label("Tag", exact=True).select_option("prod")
        page.get_by_role("button", name="Filter").click()
        expect(row(page, "hello")).to_have_count(0)
        expect(row(page, "typed")).to_be_visible()


def test_names_of_any_kind_are_shown_and_not_executed(home: Home, browser: Browser) -> None:
    home.dag("hostile", HOSTILE)
    home.dag("odd name é #1?", HELLO)
    (home.path / "dags/team").mkdir()
    home.dag("team/hello", HELLO)
    home.dagfs("run", "hostile").exits(0)
    home.dagfs("run", "team/hello.yaml").exits(0)
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        expect(row(page, "hostile")).to_contain_text("</title><script>alert(2)</script>")
        row(page, "hostile").get_by_role("link", name='"><img src=x onerror=alert(1)>').click()
        expect(row(page, "hello")).to_have_count(0)
        page.get_by_role("link", name="hostile", exact=True).click()
        expect(page.get_by_role("region", name="History")).to_contain_text("<script>alert(3)<script> é")
        expect(page.get_by_role("region", name="Parameters")).to_contain_text("<svg onload=alert(4)>")
        page.goto("/")
        page.get_by_role("link", name="odd name é #1?", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("odd name é #1?")
        page.goto("/dags/team/hello")
        expect(page.get_by_role("region", name="About")).to_contain_text("team/hello.yaml")
        page.get_by_role("link", name="Run or enqueue").click()
        page.get_by_role("button", name="Enqueue").click()
        expect(page.get_by_role("heading", name="hello")).to_be_visible()


def test_a_home_without_dags_says_how_to_write_one(home: Home, browser: Browser) -> None:
    with serving(home) as server, visiting(browser, server) as visitor:
        expect(visitor.page.get_by_text("There are no DAGs yet.")).to_be_visible()
        home.dag("hello", HELLO)
        expect(row(visitor.page, "hello")).to_be_visible()
        visitor.page.get_by_role("link", name="Runs", exact=True).click()
        expect(visitor.page.get_by_text("Nothing has run yet.")).to_be_visible()


def test_the_file_of_a_dag_has_gone_but_not_its_runs(home: Home, browser: Browser) -> None:
    file = home.dag("hello", HELLO)
    home.dagfs("run", "hello", "--id", "once").exits(0)
    file.unlink()
    with serving(home) as server, visiting(browser, server) as visitor:
        visitor.page.goto("/dags/hello")
        expect(visitor.page.get_by_role("link", name="once")).to_be_visible()
