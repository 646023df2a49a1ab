"""Every address of the server, tried by somebody who may not."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dagfs.web.app import routes
from dagfs.web.guard import FORM
from dagfs.web.role import Role
from dagfs.web.route import Route
from dagfs.web.site import COOKIE
from dagfs.web.tokens import Tokens
from tests.web.serving import TOKENS, Client, bearer, filled, server, session

ALL = routes()
ACTIONS = [route for route in ALL if route.method != "GET"]
PUBLIC = {"/login", "/static/{name}", "/healthz"}


def named(route: Route) -> str:
    return f"{route.method} {route.path}"


every = pytest.mark.parametrize("route", ALL, ids=named)
every_action = pytest.mark.parametrize("route", ACTIONS, ids=named)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    found = server(tmp_path)
    yield found
    found.close()


def test_only_these_are_for_everybody() -> None:
    assert {route.path for route in ALL if route.role is Role.ANYONE} == PUBLIC


def test_what_changes_something_is_not_for_those_who_only_look() -> None:
    harmless = {"/logout", "/login"}
    assert [named(route) for route in ACTIONS if route.role < Role.RUN and route.path not in harmless] == []


def test_no_address_is_there_twice() -> None:
    assert len({named(route) for route in ALL}) == len(ALL)


@every
def test_without_credentials_nothing_but_the_door_opens(route: Route, client: Client) -> None:
    answer = client.request(route.method, filled(route.path))
    if route.path in PUBLIC:
        assert answer.status_code not in (401, 403)
    elif route.method == "GET" and not route.path.startswith("/api/"):
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/login?next=%2F")
    else:
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


def test_what_is_not_there_is_not_told_to_strangers(client: Client) -> None:
    assert client.get("/api/v1/nowhere").status_code == 401
    assert client.post("/nowhere").status_code == 401
    assert client.get("/nowhere").status_code == 303
    assert client.get("/healthz/").status_code == 303
    assert client.get("/api/v1/healthz").status_code == 401


@pytest.mark.parametrize("token", ["", "x", "view-token-xxxxxxxxxxxxxxx", "ä" * 30, "Bearer"])
def test_a_token_that_is_none_opens_nothing(token: str, client: Client) -> None:
    headers = {"Authorization": f"Bearer {token}".encode("latin-1")}
    assert client.get("/api/v1/server", headers=headers).status_code == 401
    assert (
        client.get("/api/v1/server", headers={"Cookie": f"{COOKIE}={token}".encode("latin-1")}).status_code
        == 401
    )


@pytest.mark.parametrize("route", [each for each in ALL if each.role > Role.VIEW], ids=named)
def test_a_role_may_not_do_what_needs_more(route: Route, client: Client) -> None:
    for role in (Role.VIEW, Role.RUN):
        if role < route.role:
            answer = client.request(route.method, filled(route.path), headers=bearer(role))
            assert answer.status_code == 403
            assert route.role.word in answer.text


@every
def test_another_name_for_this_server_is_not_ours(route: Route, client: Client) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example:8090", "", "127.0.0.1, evil.example"):
        headers = {**bearer(Role.EDIT), "Host": host}
        assert client.request(route.method, filled(route.path), headers=headers).status_code == 421


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
@every_action
def test_pages_of_other_servers_change_nothing(route: Route, headers: dict[str, str], client: Client) -> None:
    answer = client.request(route.method, filled(route.path), headers={**bearer(Role.EDIT), **headers})
    assert answer.status_code == 403
    assert "another server" in answer.text


@every_action
def test_a_session_alone_changes_nothing(route: Route, client: Client) -> None:
    """A browser sends the cookie with any page's request; only our own forms know their token."""
    if route.role is Role.ANYONE:
        return
    mine, other = session(Role.EDIT, time.time()), session(Role.EDIT, time.time())
    others = TOKENS.form_token(other["Cookie"].partition("=")[2])
    form = {**mine, "Content-Type": FORM}
    for body in (b"", b"form_token=", b"form_token=x", f"form_token={others}".encode()):
        answer = client.request(route.method, filled(route.path), headers=form, content=body)
        assert answer.status_code == 403
        assert "form" in answer.text
    for kind in ("application/json", "text/plain", "multipart/form-data; boundary=x"):
        headers = {**mine, "Content-Type": kind, "X-Dagfs-Token": others}
        assert client.request(route.method, filled(route.path), headers=headers).status_code == 403


@every_action
def test_a_read_only_server_changes_nothing(route: Route, tmp_path: Path) -> None:
    client = server(tmp_path, read_only=True)
    answer = client.request(route.method, filled(route.path), headers=bearer(Role.EDIT))
    if route.role > Role.VIEW:
        assert answer.status_code == 403
        assert "read-only" in answer.text


@every_action
def test_looking_at_an_action_changes_nothing(route: Route, client: Client) -> None:
    path = filled(route.path)
    if any(each.method == "GET" and filled(each.path) == path for each in ALL):
        return
    for method in ("GET", "HEAD"):
        answer = client.request(method, path, headers=bearer(Role.EDIT))
        assert answer.status_code in (404, 405)
        if answer.status_code == 405:
            assert route.method in answer.headers["allow"].split(", ")


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PATCH", "CONNECT", "PROPFIND"])
def test_methods_that_are_not_used_are_told_which_are(method: str, client: Client) -> None:
    answer = client.request(method, "/api/v1/runs/x/specs/next", headers=bearer(Role.EDIT))
    assert answer.status_code == 405
    assert answer.headers["allow"].split(", ") == ["GET", "HEAD", "PUT", "DELETE"]
    assert "access-control-allow-origin" not in answer.headers
    assert client.request(method, "/api/v1/runs/x/specs/next").status_code == 401


@every_action
def test_what_is_too_large_is_not_read(route: Route, client: Client) -> None:
    async def endless() -> AsyncIterator[bytes]:
        raise AssertionError("it was read")
        yield b""

    headers = {**bearer(Role.EDIT), "Content-Length": str(route.largest + 1)}
    answer = client.request(route.method, filled(route.path), headers=headers, content=endless())
    assert answer.status_code == 413


def test_a_body_that_does_not_say_how_large_it_is_is_cut_off(client: Client) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b"x" * 65536

    answer = client.post("/api/v1/validate", headers=bearer(Role.EDIT), content=pieces())
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/", "/api/v1/server", "/healthz", "/nowhere", "/static/style.css"])
def test_every_answer_says_what_may_be_done_with_it(path: str, client: Client) -> None:
    for headers in ({}, bearer(Role.VIEW)):
        found = client.get(path, headers=headers).headers
        assert found["content-security-policy"].startswith("default-src 'none'")
        assert "unsafe" not in found["content-security-policy"]
        assert (found["x-content-type-options"], found["x-frame-options"]) == ("nosniff", "DENY")
        assert not [name for name in found if name.startswith("access-control")]


def test_many_actions_at_once_are_too_many(client: Client) -> None:
    codes = [client.post("/api/v1/runs/x/stop", headers=bearer(Role.RUN)).status_code for _ in range(60)]
    assert codes[0] == 404
    assert 429 in codes
    assert client.get("/api/v1/server", headers=bearer(Role.RUN)).status_code == 200


def test_who_tries_out_tokens_is_slowed_down(client: Client) -> None:
    tried = [
        client.get("/api/v1/server", headers={"Authorization": f"Bearer guess-{n}"}).status_code
        for n in range(60)
    ]
    assert set(tried) == {401, 429}
    forms = [client.post("/login", data={"token": f"guess-{n}"}).status_code for n in range(60)]
    assert set(forms) == {403, 429}
    assert client.get("/api/v1/server", headers=bearer(Role.VIEW)).status_code == 200


def test_sessions_end_with_the_tokens_they_were_opened_with(tmp_path: Path) -> None:
    headers = session(Role.EDIT, time.time())
    assert server(tmp_path).get("/api/v1/server", headers=headers).json()["role"] == "edit"
    renewed = server(tmp_path, tokens=Tokens.new())
    assert renewed.get("/api/v1/server", headers=headers).status_code == 401


def test_sessions_end_by_themselves_and_cannot_be_made(client: Client) -> None:
    old = session(Role.EDIT, 0.0)
    assert client.get("/api/v1/server", headers=old).status_code == 401
    value = session(Role.VIEW, time.time())["Cookie"].partition("=")[2]
    raised = value.replace("view", "edit", 1)
    longer = value.replace(value.split(".")[1], "9" * 12, 1)
    for forged in (raised, longer, value[:-1], "edit.99999999999.x.", "....", "edit"):
        answer = client.get("/api/v1/server", headers={"Cookie": f"{COOKIE}={forged}"})
        assert answer.status_code == 401


def test_without_tokens_pages_of_other_servers_are_kept_out_all_the_same(tmp_path: Path) -> None:
    client = server(tmp_path, tokens=None)
    assert client.get("/api/v1/server").json()["role"] == "edit"
    foreign = {"Origin": "http://evil.example", "Content-Type": "text/plain"}
    assert client.post("/api/v1/runs", headers=foreign, content=b"{}").status_code == 403
    plain = {"Content-Type": "text/plain"}
    assert client.post("/api/v1/runs", headers=plain, content=b"{}").status_code == 415


HOSTILE = [
    "..",
    "../..",
    "%2e%2e",
    "%2e%2e%2f%2e%2e",
    "a%00b",
    "%2fetc%2fpasswd",
    "a%5c..%5cb",
    "~",
    "a" * 10_000,
]


@pytest.mark.parametrize("odd", HOSTILE, ids=lambda odd: odd[:20])
@pytest.mark.parametrize("route", [each for each in ALL if "{" in each.path], ids=named)
def test_names_lead_nowhere_else(odd: str, route: Route, client: Client, tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text("steps: [{name: seen, run: 'true'}]")
    values = dict.fromkeys(("run", "child", "dag", "queue", "plugin", "name", "version", "file", "rest"), odd)
    if route.method != "GET" and "queue" in route.path:
        # The name of a queue is no name of a file.
        return
    headers = {**bearer(Role.EDIT), "Content-Type": "application/json"}
    answer = client.request(route.method, filled(route.path, values), headers=headers)
    assert 300 <= answer.status_code < 500
    assert "seen" not in answer.text
