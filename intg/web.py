"""The web page as its users know it: a running `dagfs serve`, a program's requests, and a real browser."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from intg.home import Engine, Home
from tests.patience import eventually

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")

# A page is live: on a busy machine what it shows may take longer than five seconds to come.
expect.set_options(timeout=30_000)


class Serving:
    """A server of a home, on a port of its own."""

    def __init__(self, home: Home, *options: str) -> None:
        self.home = home
        self.engine: Engine = home.start("serve", "--port", "0", "--json", *options)
        said = json.loads(self.engine.line())
        self.url: str = said["url"]
        self.link: str | None = said["link"]

    @property
    def token(self) -> str:
        """The token of the link that it has printed."""
        assert self.link is not None
        return self.link.partition("#token=")[2]

    def client(self, token: str | None = None) -> httpx.Client:
        """A program that shows the token; `""` for one that has none."""
        given = self.token if token is None else token
        headers = {"Authorization": f"Bearer {given}"} if given else {}
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=30)

    def get(self, path: str) -> httpx.Response:
        with self.client() as client:
            return client.get(path)

    def post(self, path: str, data: Any = None) -> httpx.Response:
        """A JSON request of the API."""
        with self.client() as client:
            return client.post(path, json=data if data is not None else {})


@contextmanager
def serving(home: Home, *options: str) -> Iterator[Serving]:
    """A server that is there for the length of a block, and ends cleanly."""
    server = Serving(home, *options)
    try:
        yield server
    finally:
        server.engine.signal(15)
        outcome = server.engine.wait()
    outcome.never_says("Traceback")


@dataclass
class Visitor:
    """Somebody in front of a browser; what the browser complains of fails the story."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    assert path is not None, "these stories need chromium: `bash .ci/setup` installs it"
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@contextmanager
def visiting(browser: Browser, server: Serving, **options: Any) -> Iterator[Visitor]:
    """A visitor who has followed the link that signs in; `java_script_enabled=False` and such as options.

    Without JavaScript the token is pasted into the form.
    """
    context: BrowserContext = browser.new_context(base_url=server.url, **options)
    context.set_default_timeout(20_000)
    try:
        visitor = Visitor(context.new_page())
        assert server.link is not None
        visitor.page.goto(server.link)
        if options.get("java_script_enabled") is False:
            visitor.page.get_by_label("Token").fill(server.token)
            visitor.page.get_by_role("button", name="Sign in").click()
        visitor.page.wait_for_url(f"{server.url}/")
        yield visitor
        assert not visitor.complaints, visitor.complaints
    finally:
        context.close()


__all__ = ["Serving", "Visitor", "chromium", "eventually", "serving", "visiting"]
