"""Every address of the server, tried by somebody who may not."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from dagfs.web.app import routes
from dagfs.web.guard import FORM
from dagfs.web.role import Role
from dagfs.web.route import Route
from dagfs.web.site import COOKIE
from dagfs.web.tokens import Tokens
from tests.web.serving import TOKENS, Client, NoCommands, bearer, filled, server, session

ALL = routes()
ACTIONS = [route for route in ALL if route.method != "GET"]
PUBLIC = {"/login", "/healthz", "/favicon.ico"}
KNOWN = {"/login", "/logout"}
"""Who only looks may sign in and out."""


def named(route: Route) -> str:
    return f"{route.method} {route.path}"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server for those who get nowhere: nothing is ever asked of a command."""
    folder = tmp_path_factory.mktemp("home")
    commands = NoCommands(folder)
    found = server(folder, commands=commands)
    yield found
    found.close()
    assert commands.asked == []


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    found = server(tmp_path)
    yield found
    found.close()


def refused(client: Client, route: Route, code: int, **more: object) -> list[tuple[str, httpx.Response]]:
    """The answer for a route, where it is not the one it should be."""
    answer = client.request(route.method, filled(route.path), **more)
    return [] if answer.status_code == code else [(named(route), answer)]


def test_only_these_are_for_everybody() -> None:
    public = {route.path for route in ALL if route.role is Role.ANYONE}
    assert {path for path in public if not path.startswith("/static/")} == PUBLIC


def test_what_changes_something_is_not_for_those_who_only_look() -> None:
    assert [named(route) for route in ACTIONS if route.role < Role.RUN and route.path not in KNOWN] == []


def test_no_address_is_there_twice() -> None:
    assert len({named(route) for route in ALL}) == len(ALL)


def test_without_credentials_nothing_but_the_door_opens(shared: Client) -> None:
    for route in ALL:
        answer = shared.request(route.method, filled(route.path))
        if route.role is Role.ANYONE:
            assert answer.status_code != 401, named(route)
        elif route.method == "GET" and not route.path.startswith("/api/"):
            assert answer.status_code == 303, named(route)
            assert answer.headers["location"].startswith("/login?next=%2F")
        else:
            assert answer.status_code == 401, named(route)
            assert answer.headers["www-authenticate"] == "Bearer"


def test_what_is_not_there_is_not_told_to_strangers(shared: Client) -> None:
    for path in ("/api/v1/nowhere", "/api/v1/healthz", "/api/v1/openapi.json", "/api/v1/metrics"):
        assert shared.get(path).status_code == 401
    assert shared.post("/nowhere").status_code == 401
    for path in ("/nowhere", "/healthz/", "/healthz/..", "/metrics", "/runs/login", "/x/healthz"):
        assert shared.get(path).status_code == 303


@pytest.mark.parametrize("token", ["", "x", "view-token-xxxxxxxxxxxxxxx", "\u00e4" * 30, "Bearer"])
def test_a_token_that_is_none_opens_nothing(token: str, shared: Client) -> None:
    for headers in ({"Authorization": f"Bearer {token}"}, {"Cookie": f"{COOKIE}={token}"}):
        raw = {name: value.encode("latin-1") for name, value in headers.items()}
        assert shared.get("/api/v1/server", headers=raw).status_code == 401


def test_a_role_may_not_do_what_needs_more(shared: Client) -> None:
    for role in (Role.VIEW, Role.RUN):
        more = [route for route in ALL if route.role > role]
        assert more
        assert [each for route in more for each in refused(shared, route, 403, headers=bearer(role))] == []


def test_another_name_for_this_server_is_not_ours(shared: Client) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example:8090", "", "127.0.0.1, evil.example"):
        headers = {**bearer(Role.EDIT), "Host": host}
        assert [each for route in ALL for each in refused(shared, route, 421, headers=headers)] == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "http://["},
        {"Origin": "http://127.0.0.1:8090, http://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "same-origin, cross-site"},
    ],
    ids=str,
)
def test_pages_of_other_servers_change_nothing(headers: dict[str, str], shared: Client) -> None:
    said = {**bearer(Role.EDIT), **headers}
    assert [each for route in ACTIONS for each in refused(shared, route, 403, headers=said)] == []


def test_a_session_alone_changes_nothing(tmp_path: Path) -> None:
    """A browser sends the cookie with any page's request; only our own forms know their token."""
    mine, other = session(Role.EDIT, time.time()), session(Role.EDIT, time.time())
    others = TOKENS.form_token(other["Cookie"].partition("=")[2])
    kinds = ((FORM, f"form_token={others}".encode()), (FORM, b""), ("application/json", b"{}"), ("", b""))
    commands = NoCommands(tmp_path)
    for kind, body in kinds:
        # A new server each time: so many actions at once would be too many.
        for actions in (ACTIONS[:30], ACTIONS[30:60], ACTIONS[60:]):
            client = server(tmp_path, commands=commands)
            headers = {**mine, "Content-Type": kind, "X-Dagfs-Token": "" if kind == FORM else others}
            closed = [route for route in actions if route.role is not Role.ANYONE]
            found = [
                each
                for route in closed
                for each in refused(client, route, 403, headers=headers, content=body)
            ]
            client.close()
            assert found == []
    assert commands.asked == []


def test_a_read_only_server_changes_nothing(tmp_path: Path) -> None:
    client = server(tmp_path, read_only=True)
    for route in ACTIONS:
        if route.path not in KNOWN:
            answer = client.request(route.method, filled(route.path), headers=bearer(Role.EDIT))
            assert (answer.status_code, "read-only" in answer.text) == (403, True), named(route)
    assert client.get("/api/v1/server", headers=bearer(Role.EDIT)).json()["role"] == "view"
    client.close()


def test_looking_at_an_action_changes_nothing(shared: Client) -> None:
    pages = {filled(each.path) for each in ALL if each.method == "GET"}
    for route in ACTIONS:
        path = filled(route.path)
        for method in ("GET", "HEAD") if path not in pages else ():
            answer = shared.request(method, path, headers=bearer(Role.EDIT))
            assert answer.status_code in (404, 405), named(route)
            if answer.status_code == 405:
                assert route.method in answer.headers["allow"].split(", ")


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PATCH", "CONNECT", "PROPFIND"])
def test_methods_that_are_not_used_are_told_which_are(method: str, shared: Client) -> None:
    path = "/api/v1/runs/x/specs/next"
    answer = shared.request(method, path, headers=bearer(Role.EDIT))
    assert answer.status_code == 405
    assert answer.headers["allow"].split(", ") == ["GET", "HEAD", "PUT", "DELETE"]
    assert "access-control-allow-origin" not in answer.headers
    assert shared.request(method, path).status_code == 401


def test_what_is_too_large_is_not_read(client: Client) -> None:
    async def endless() -> AsyncIterator[bytes]:
        raise AssertionError("it was read")
        yield b""

    for path, largest in (
        ("/api/v1/validate", 1 << 20),
        ("/api/v1/runs/x/plan", 16 << 20),
        ("/login", 1 << 20),
    ):
        headers = {**bearer(Role.EDIT), "Content-Length": str(largest + 1)}
        assert client.post(path, headers=headers, content=endless()).status_code == 413


def test_a_form_of_many_fields_is_refused_and_no_bug(client: Client) -> None:
    headers = {**session(Role.EDIT, time.time()), "Content-Type": FORM}
    assert client.post("/logout", headers=headers, content=b"a=1&" * 6000).status_code == 400


def test_a_body_that_does_not_say_how_large_it_is_is_cut_off(client: Client) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b"x" * 65536

    answer = client.post("/api/v1/validate", headers=bearer(Role.EDIT), content=pieces())
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/api/v1/server", "/healthz", "/nowhere", "/static/style.css"])
def test_every_answer_says_what_may_be_done_with_it(path: str, shared: Client) -> None:
    for headers in ({}, bearer(Role.VIEW)):
        found = shared.get(path, headers=headers).headers
        assert found["content-security-policy"].startswith("default-src 'none'")
        assert "unsafe" not in found["content-security-policy"]
        assert (found["x-content-type-options"], found["x-frame-options"]) == ("nosniff", "DENY")
        assert not [name for name in found if name.startswith("access-control")]


def test_many_actions_at_once_are_too_many(client: Client) -> None:
    codes = [client.post("/api/v1/runs/x/stop", headers=bearer(Role.RUN)).status_code for _ in range(200)]
    assert codes[0] == 404
    assert 429 in codes
    assert client.get("/api/v1/server", headers=bearer(Role.RUN)).status_code == 200


def test_who_tries_out_tokens_is_slowed_down(client: Client) -> None:
    tried = [
        client.get("/api/v1/server", headers={"Authorization": f"Bearer guess-{n}"}).status_code
        for n in range(200)
    ]
    assert set(tried) == {401, 429}
    forms = [client.post("/login", data={"token": f"guess-{n}"}).status_code for n in range(200)]
    assert 429 in forms
    assert set(forms) <= {403, 429}
    assert client.get("/api/v1/server", headers=bearer(Role.VIEW)).status_code == 200


def test_sessions_end_with_the_tokens_they_were_opened_with(tmp_path: Path, shared: Client) -> None:
    headers = session(Role.EDIT, time.time())
    assert shared.get("/api/v1/server", headers=headers).json()["role"] == "edit"
    renewed = server(tmp_path, tokens=Tokens.new())
    assert renewed.get("/api/v1/server", headers=headers).status_code == 401
    renewed.close()


def test_sessions_end_by_themselves_and_cannot_be_made(shared: Client) -> None:
    old = session(Role.EDIT, 0.0)
    assert shared.get("/api/v1/server", headers=old).status_code == 401
    value = session(Role.VIEW, time.time())["Cookie"].partition("=")[2]
    raised = value.replace("view", "edit", 1)
    longer = value.replace(value.split(".")[1], "9" * 12, 1)
    for forged in (raised, longer, value[:-1], "edit.99999999999.x.", "....", "edit"):
        answer = shared.get("/api/v1/server", headers={"Cookie": f"{COOKIE}={forged}"})
        assert answer.status_code == 401


def test_without_tokens_pages_of_other_servers_are_kept_out_all_the_same(tmp_path: Path) -> None:
    client = server(tmp_path, tokens=None)
    assert client.get("/api/v1/server").json()["role"] == "edit"
    foreign = {"Origin": "http://evil.example", "Content-Type": "text/plain"}
    assert client.post("/api/v1/runs", headers=foreign, content=b"{}").status_code == 403
    plain = {"Content-Type": "text/plain"}
    assert client.post("/api/v1/runs", headers=plain, content=b"{}").status_code == 415
    client.close()


HOSTILE = ("%2e%2e", "%2e%2e%2f%2e%2e%2fsecret", "a%00b", "%2fetc%2fpasswd", "a%5c..%5cb", "~", "a" * 10_000)


@pytest.mark.parametrize("odd", HOSTILE, ids=lambda odd: odd[:20])
def test_names_lead_nowhere_else(odd: str, tmp_path: Path) -> None:
    client = server(tmp_path)
    (tmp_path / "secret.yaml").write_text("steps: [{name: seen, run: 'true'}]")
    names = ("run", "child", "dag", "queue", "plugin", "name", "version", "file", "rest", "rule")
    for route in ALL:
        if "{" in route.path and route.method == "GET":
            path = filled(route.path, dict.fromkeys(names, odd))
            answer = client.get(path, headers=bearer(Role.EDIT))
            assert 300 <= answer.status_code < 500, named(route)
            assert "seen" not in answer.text
    client.close()


def test_odd_names_change_nothing(tmp_path: Path) -> None:
    for odd in HOSTILE:
        client = server(tmp_path)
        for route in ACTIONS:
            if "{run" in route.path or "{dag" in route.path:
                path = filled(route.path, dict.fromkeys(("run", "child", "dag"), odd))
                answer = client.request(route.method, path, headers=bearer(Role.EDIT))
                assert 400 <= answer.status_code < 500, named(route)
        client.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dags"]
