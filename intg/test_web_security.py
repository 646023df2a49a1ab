"""What strangers try with a running server, byte by byte."""

from __future__ import annotations

import os
import socket
import stat
from urllib.parse import urlsplit

import httpx
import pytest

from intg.home import Home
from intg.web import Serving, serving
from tests.patience import eventually

SECRET = "nobody's business"


def said(server: Serving, *lines: str, body: bytes = b"") -> bytes:
    """Everything that the server answers to these bytes, until it closes the connection."""
    where = urlsplit(server.url)
    with socket.create_connection((where.hostname, where.port), timeout=20) as wire:
        wire.sendall("\r\n".join((*lines, "", "")).encode("latin-1") + body)
        found = b""
        while piece := wire.recv(65536):
            found += piece
    return found


def asked(server: Serving, method: str, target: str, *headers: str, body: bytes = b"") -> tuple[int, str]:
    """Status and answer of one request, spelt as it is given."""
    host = urlsplit(server.url).netloc
    lines = (f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close", *headers)
    answer = said(server, *lines, body=body)
    return int(answer.split(b" ", 2)[1]), answer.decode("latin-1")


@pytest.mark.parametrize(
    "target",
    [
        "/static/../../secret",
        "/static/..%2f..%2fsecret",
        "/static/%2e%2e/%2e%2e/secret",
        "//static//../secret",
        "/api/v1/runs/../../secret",
        "/api/v1/runs/..%2f..%2fsecret",
        "/api/v1/runs/%2e%2e",
        "/api/v1/runs/a%00b",
        "/api/v1/runs/..%5c..%5csecret",
        "/api/v1/dags/../secret/spec",
        "/api/v1/dags/..%2fsecret.yaml/spec",
        "/api/v1/dags/%2fetc%2fpasswd/spec",
        "/runs/../secret",
        "/runs/%2e%2e/log/raw?step=..%2f..%2fsecret",
        "/dags/..%2fsecret.yaml",
        "/plugins/../../secret/x",
        "http://127.0.0.1/../secret",
        "/" + "a" * 10_000,
        "/api/v1/runs/" + "%2e" * 3000,
    ],
    ids=lambda target: target[:40],
)
def test_no_spelling_of_a_path_leads_out(target: str, home: Home) -> None:
    for name in ("secret", "secret.yaml"):
        (home.path / name).write_text(f"description: {SECRET}\nsteps: [{{run: 'true'}}]")
    with serving(home) as server:
        code, answer = asked(server, "GET", target, f"Authorization: Bearer {server.token}")
        assert 300 <= code < 500, answer
        assert SECRET not in answer
        assert "root:" not in answer


def test_odd_requests_are_turned_away(home: Home) -> None:
    with serving(home) as server:
        host = urlsplit(server.url).netloc
        token = f"Authorization: Bearer {server.token}"
        twice = said(server, "GET / HTTP/1.1", f"Host: {host}", "Host: evil.example", "Connection: close")
        assert twice.split(b" ", 2)[1] in (b"400", b"421")
        none = said(server, "GET /healthz HTTP/1.0")
        assert none.split(b" ", 2)[1] == b"421"
        upgrade = ("Connection: Upgrade, close", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
        key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
        answer = said(server, "GET /api/v1/server HTTP/1.1", f"Host: {host}", *upgrade, key, token)
        assert b" 101 " not in answer.split(b"\r\n")[0]
        assert asked(server, "GET", "/", "X-Long: " + "x" * 100_000)[0] in (400, 431)
        assert asked(server, "POST", "/api/v1/validate", token, "Content-Length: " + "9" * 30)[0] in (
            400,
            413,
        )
        assert asked(server, "POST", "/api/v1/validate", token, "Transfer-Encoding: gzip")[0] >= 400
        assert asked(server, "OPTIONS", "/api/v1/runs", token, "Origin: http://evil.example")[0] == 403
        head = asked(server, "HEAD", "/api/v1/server", token)[1]
        assert head.startswith("HTTP/1.1 200")
        assert head.endswith("\r\n\r\n")
        both = (
            "Content-Type: application/json",
            f"Authorization: Bearer {server.token}",
            "Authorization: Bearer x",
        )
        assert asked(server, "GET", "/api/v1/server", *both)[0] == 401
        assert server.get("/healthz").text == "ok\n"


def test_an_address_that_somebody_claims_to_have_is_not_believed(home: Home) -> None:
    home.dag("quick", "steps: [{name: a, run: 'true'}]")
    with serving(home) as server, server.client() as client:
        claims = {
            "X-Forwarded-For": "10.9.9.9",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "evil.example",
        }
        run = client.post("/api/v1/runs", json={"dag": "quick"}, headers=claims).json()["run"]
        record = client.get(f"/api/v1/runs/{run}/record").json()
        assert record["actor"]["remote"] == "127.0.0.1"
        eventually(lambda: client.get(f"/api/v1/runs/{run}").json()["state"] == "succeeded", "its end")


def test_a_body_that_trickles_in_holds_up_nobody(home: Home) -> None:
    with serving(home) as server:
        where = urlsplit(server.url)
        wires = []
        for _ in range(20):
            wire = socket.create_connection((where.hostname, where.port), timeout=20)
            head = f"POST /api/v1/validate HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Length: 900000\r\n"
            wire.sendall(f"{head}Authorization: Bearer {server.token}\r\n\r\n{{".encode())
            wires.append(wire)
        wires += [socket.create_connection((where.hostname, where.port), timeout=20) for _ in range(20)]
        assert server.get("/api/v1/server").status_code == 200
        for wire in wires:
            wire.close()


def test_other_machines_are_served_only_by_token_and_tls(home: Home) -> None:
    for options in ((), ("--no-token",), ("--no-token", "--behind-proxy")):
        for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"):
            home.dagfs("serve", "--port", "0", "--host", host, *options).exits(2).says("other machines")
    home.dagfs("serve", "--port", "0", "--tls-cert", "x").exits(2).says("belong together")


def test_tokens_are_for_the_user_alone_and_new_ones_end_what_was(home: Home) -> None:
    with serving(home) as server:
        path = home.path / "runs" / ".web" / "tokens.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        old = server.token
        with server.client("") as client:
            client.post("/login", data={"token": old}, headers={"Origin": server.url})
            cookies = dict(client.cookies)
        assert cookies
    with serving(home) as server:
        assert server.token == old
        assert httpx.get(f"{server.url}/api/v1/server", cookies=cookies, trust_env=False).status_code == 200
    with serving(home, "--new-tokens") as server:
        assert server.token != old
        assert httpx.get(f"{server.url}/api/v1/server", cookies=cookies, trust_env=False).status_code == 401
        with server.client(old) as client:
            assert client.get("/api/v1/server").status_code == 401


def test_a_socket_of_the_file_system_is_for_the_user_alone(home: Home) -> None:
    path = home.path.parent / "web.sock"
    engine = home.start("serve", "--unix", str(path), "--json")
    engine.line()
    assert stat.S_ISSOCK(path.stat().st_mode)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    token = _token(home)
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://localhost") as client:
        assert client.get("/healthz").text == "ok\n"
        assert client.get("/api/v1/server").status_code == 401
        found = client.get("/api/v1/server", headers={"Authorization": f"Bearer {token}"}).json()
        assert found["role"] == "edit"
        assert client.get("/healthz", headers={"Host": "evil.example"}).status_code == 421
    engine.signal(15)
    engine.wait().exits(0)
    assert not os.path.lexists(path)


def _token(home: Home) -> str:
    return home.dagfs("serve", "--link").out.strip().partition("#token=")[2]


def test_who_may_only_look_changes_nothing(home: Home) -> None:
    home.dag("quick", "steps: [{name: a, run: 'true'}]")
    home.dagfs("run", "quick").exits(0)
    run = home.run.name
    for options, role in ((("--read-only",), "edit"), ((), "view")):
        with serving(home, *options) as server:
            link = home.dagfs("serve", "--link", role).out.strip()
            before = home.listing("runs")
            with server.client(link.partition("#token=")[2]) as client:
                for path in (f"runs/{run}/retry", f"runs/{run}/mark", "runs", "queue", "dags/quick/pause"):
                    answer = client.post(f"/api/v1/{path}", json={})
                    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
                edit = client.put(
                    f"/api/v1/runs/{run}/specs/next", content=b"x", headers={"Content-Type": "text/plain"}
                )
                assert edit.status_code == 403
                assert client.get(f"/api/v1/runs/{run}").status_code == 200
            assert home.listing("runs") == before


def test_an_address_that_is_opened_runs_nothing(home: Home) -> None:
    """Anybody can make somebody open an address: what it says never becomes a command."""
    home.dag("quick", "env: [A: 1]\nsteps: [{name: a, run: 'true'}]")
    home.dagfs("run", "quick").exits(0)
    mark = home.file("mark")
    with serving(home) as server, server.client() as client:
        query = {"all": "1", "sets": f".env.A=$(touch {mark})", "with": f"touch {mark}", "profile": str(mark)}
        for page in ("retry", "edit"):
            client.get(f"/runs/{home.run.name}/{page}", params=query)
        client.get("/start", params={"dag": "quick", "profile": str(mark), "param.x": f"$(touch {mark})"})
        form = {"dag": "quick", "params": {}, "profile": str(mark)}
        assert client.post("/api/v1/runs", json=form).status_code == 400
    assert not mark.exists()
