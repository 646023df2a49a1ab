"""A page that a plugin adds: made in a process of its own, shown by a server that loads no plugin."""

from __future__ import annotations

import shutil

from playwright.sync_api import Browser, expect

from intg.home import REPOSITORY, Home
from intg.web import serving, visiting

HOSTILE = """
import os, time
from pathlib import Path

from dagfs.hooks import hookimpl
from dagfs.hooks.page import PageAnswer, PageSpec

def show(request):
    if request.path == "end":
        os._exit(3)
    if request.path == "raise":
        raise ValueError("no way")
    if request.path == "odd":
        return PageAnswer("page.html", {"path": Path("/")})
    if request.path == "escape":
        return PageAnswer("escape.html", {"text": "x"})
    if request.path == "role":
        return PageAnswer(json={"role": request.role, "query": dict(request.query), "pid": os.getpid()})
    return PageAnswer("page.html", {"text": "<script>document.title = 'taken'</script>"}, status=203)

HERE = Path(__file__).parent

@hookimpl
def pages(): return [PageSpec("mine", "My <b>page</b>", show, str(HERE), str(HERE / "static"))]
"""


def folder(home: Home, name: str) -> None:
    """Put one of this repository's drop-ins that are folders into the home."""
    target = home.path / "plugins" / name
    shutil.copytree(REPOSITORY / "plugins" / name, target, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (home.path / "plugins", target, *target.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)


def test_how_long_runs_take_is_a_page_in_the_menu(home: Home, browser: Browser) -> None:
    folder(home, "durations")
    home.dag("quick", "steps: [{name: a, run: 'true'}]")
    home.dag("other", "steps: [{name: a, run: 'false'}]")
    for _ in range(3):
        home.dagfs("run", "quick").exits(0)
    home.dagfs("run", "other").exits(1)
    home.dagfs("plugins").says("page durations")
    with serving(home) as server, visiting(browser, server) as visitor:
        visitor.page.goto("/plugins/durations/durations")
        link = visitor.page.get_by_role("navigation").get_by_role("link", name="Durations")
        expect(link).to_have_attribute("aria-current", "page")
        row = visitor.page.get_by_role("row").filter(has_text="quick")
        expect(row.get_by_role("cell").nth(1)).to_have_text("3")
        expect(visitor.page.get_by_role("row")).to_have_count(2)
        expect(row.get_by_role("cell").nth(1)).to_have_css("text-align", "right")
        (found,) = server.get("/plugins/durations/durations/data").json()
        assert (found["dag"], found["runs"]) == ("quick", 3)
        assert server.get("/plugins/durations/durations/data?dag=other").json() == []


def test_a_page_harms_nobody(home: Home, browser: Browser) -> None:
    place = home.path / "plugins" / "mine"
    (place / "static").mkdir(parents=True, mode=0o700)
    (home.path / "plugins").chmod(0o700)
    place.chmod(0o700)
    files = {
        "__init__.py": HOSTILE,
        "page.html": "{% extends 'base.html' %}{% block main %}<p id=text>{{ data.text }}</p>{% endblock %}",
        "escape.html": "{{ data.text.__class__.__mro__[1].__subclasses__() }}",
        "static/page.js": "1",
    }
    for name, text in files.items():
        (place / name).write_text(text)
        (place / name).chmod(0o600)
    (place / "static" / "link").symlink_to(place / "__init__.py")
    with serving(home) as server, visiting(browser, server) as visitor:
        visitor.page.goto("/plugins/mine/mine")
        expect(visitor.page.locator("#text")).to_have_text("<script>document.title = 'taken'</script>")
        expect(visitor.page.get_by_role("link", name="My <b>page</b>")).to_be_visible()
        where = "/plugins/mine/mine"
        for path, message in (
            ("end", "plugin mine failed in page mine"),
            ("raise", "ValueError: no way"),
            ("odd", "JSON"),
            ("escape", "plugin mine failed in the template escape.html"),
        ):
            answer = server.get(f"{where}/{path}")
            assert answer.status_code == 500
            assert message in answer.text
        said = server.get(f"{where}/role?a=1&a=2").json()
        assert (said["role"], said["query"]) == ("edit", {"a": "2"})
        assert said["pid"] != server.engine.pid
        assert server.get(f"{where}/static/page.js").headers["content-type"].startswith("text/javascript")
        for odd in ("link", "..%2f__init__.py", "%2fetc%2fpasswd", "", "nope"):
            assert server.get(f"{where}/static/{odd}").status_code == 404
        assert server.get("/plugins/mine/nope").status_code == 404
        assert server.get("/plugins/nope/mine").status_code == 404
        with server.client("") as client:
            assert client.get(where).status_code == 303
            assert client.get(f"{where}/static/page.js").status_code == 303
    with serving(home, "--no-plugins") as server:
        assert server.get("/plugins/mine/mine").status_code == 404
