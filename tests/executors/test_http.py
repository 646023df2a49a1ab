"""The http executor against a real server: what is sent, what is shown, and where it may not go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dagfs.executors.child import connection
from dagfs.executors.http import Http
from dagfs.hooks.executor import StepRequest
from dagfs.hooks.testing import ExecutorContract, Outcome, run
from dagfs.model.dag import Executor, Step
from tests.executors.servers import Web, certificate, tls, web


class TestHttp(ExecutorContract):
    executor = Http()
    accepted = (
        {"timeout": 5, "headers": {"Authorization": "Bearer x"}, "query": {"q": "1"}},
        {"skipTLSVerify": True, "silent": True, "json": True, "body": {"a": 1}},
        {"timeout": "${LIMIT}"},
    )
    refused = ({"timeout": "soon"}, {"headers": "X: 1"}, {"silnet": True}, {"format": "xml"})
    step = Step(name="get", command=("GET http://127.0.0.1:1/none",))
    code = 1

    def request(self, folder: Path, settings: Any = None, try_: int = 1) -> StepRequest:
        if settings and settings.get("timeout") == "${LIMIT}":
            settings = {"timeout": "5"}
        return super().request(folder, settings, try_)

    def after(self, outcome: Outcome) -> None:
        assert outcome.err == "http: Connection refused\n"

    @pytest.mark.parametrize("line", ["GET", "FETCH http://x", "http://x"])
    def test_a_line_that_is_no_request_is_refused(self, line: str) -> None:
        assert self.executor.check(Step(name="a", command=(line,)))

    def test_it_needs_one_address(self) -> None:
        assert self.executor.check(Step(name="a"))
        assert self.executor.check(Step(name="a", command=("GET http://a", "GET http://b")))

    @pytest.mark.parametrize("url", ["ftp://x", "example.org"])
    def test_it_must_be_one_of_http(self, url: str) -> None:
        said = [f"{url!r} is no http or https address"]
        assert self.executor.check(Step(name="a", executor=Executor("http", {"url": url}))) == said
        assert self.executor.check(Step(name="a", command=(f"GET {url}",))) == said
        assert not self.executor.check(Step(name="a", command=("GET $HOST/x",)))


@pytest.fixture(scope="module")
def site() -> Iterator[Web]:
    with web() as found:
        yield found


def send(
    folder: Path, line: str, policy: Any = None, script: str = "", env: Any = None, **config: Any
) -> Outcome:
    executor = Http()
    executor.policy = policy or {}
    made = TestHttp().request(folder, config)
    command = (line,) if line else ()
    made = replace(made, command=command, script=script, env={**made.env, **(env or {})})
    return run(executor.prepare(made), folder)


def test_silent_prints_the_body_alone(site: Web, tmp_path: Path) -> None:
    got = send(tmp_path, f"GET {site.url('/a')}", silent=True)
    assert got.code == 0, got
    assert json.loads(got.out)["path"] == "/a"
    told = send(tmp_path, f"GET {site.url('/a')}").out
    head, _, body = told.partition("\n\n")
    assert head.splitlines()[0] == "200 OK"
    assert "Content-Type: application/json" in head
    assert json.loads(body)["path"] == "/a"


def test_everything_is_sent(site: Web, tmp_path: Path) -> None:
    config = {"headers": {"X-A": "b", "Authorization": "Bearer t"}, "query": {"q": "a b&", "n": [1, 2]}}
    got = send(tmp_path, f"post {site.url('/x?z=1')}", body="text", silent=True, **config)
    heard = json.loads(got.out)
    assert (heard["method"], heard["path"], heard["body"]) == ("POST", "/x?z=1&q=a+b%26&n=1&n=2", "text")
    assert heard["headers"]["X-A"] == "b"
    assert heard["headers"]["Authorization"] == "Bearer t"


def test_values_forms_and_files_have_their_content_types(site: Web, tmp_path: Path) -> None:
    def heard(**config: Any) -> Any:
        return json.loads(send(tmp_path, f"PUT {site.url()}", silent=True, **config).out)

    value = heard(body={"a": [1]})
    assert (value["body"], value["headers"]["Content-Type"]) == ('{"a": [1]}', "application/json")
    assert heard(body="text")["headers"]["Content-Type"] == "text/plain; charset=utf-8"
    form = heard(form={"a": "x y", "b": [1, 2]})
    assert (form["body"], form["headers"]["Content-Type"]) == (
        "a=x+y&b=1&b=2",
        "application/x-www-form-urlencoded",
    )
    (tmp_path / "up.txt").write_text("file text")
    files = heard(form={"a": "1"}, files={"doc": "up.txt"})
    assert files["headers"]["Content-Type"].startswith("multipart/form-data; boundary=")
    assert 'name="doc"; filename="up.txt"\r\n\r\nfile text\r\n' in files["body"]


def test_settings_may_be_a_script_or_all_in_the_map(site: Web, tmp_path: Path) -> None:
    script = json.dumps({"silent": True, "body": "s", "headers": {"A": "1"}})
    assert json.loads(send(tmp_path, f"POST {site.url()}", script=script).out)["body"] == "s"
    assert (
        json.loads(send(tmp_path, "", method="delete", url=site.url(), silent=True).out)["method"] == "DELETE"
    )
    with pytest.raises(ValueError, match="JSON object"):
        send(tmp_path, f"GET {site.url()}", script="[1")


def test_json_shows_status_headers_and_body(site: Web, tmp_path: Path) -> None:
    shown = json.loads(send(tmp_path, f"GET {site.url('/p')}", json=True).out)
    assert shown["status_code"] == 200
    assert shown["headers"]["Content-Type"] == ["application/json"]
    assert shown["body"]["path"] == "/p"
    assert json.loads(send(tmp_path, f"GET {site.url()}", json=True, silent=True).out).keys() == {"body"}
    bad = send(tmp_path, f"GET {site.url('/status/503')}", format="json", silent=True)
    assert (bad.code, json.loads(bad.out)["status_code"]) == (1, 503)


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_any_other_status_fails_the_step(site: Web, tmp_path: Path, status: int) -> None:
    got = send(tmp_path, f"GET {site.url(f'/status/{status}?token=x')}", silent=True)
    assert got.code == 1
    assert json.loads(got.out) == {"why": "as asked"}
    assert got.err.startswith(f"http: GET {site.url(f'/status/{status}')} was answered with {status} ")
    assert "token" not in got.err


def test_a_file_takes_the_body_only_when_it_is_whole_and_good(site: Web, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("old")
    assert send(tmp_path, f"GET {site.url('/status/500')}", output="kept").code == 1
    cut = send(tmp_path, f"GET {site.url('/drop')}", output="kept")
    assert cut.code == 1
    assert "IncompleteRead" in cut.err
    assert (tmp_path / "kept").read_text() == "old"
    good = send(tmp_path, f"GET {site.url('/new')}", output="kept")
    assert (good.code, good.out) == (0, "")
    assert json.loads((tmp_path / "kept").read_text())["path"] == "/new"
    assert not (tmp_path / "kept.part").exists()


def test_an_answer_that_stops_half_way_fails(site: Web, tmp_path: Path) -> None:
    assert send(tmp_path, f"GET {site.url('/drop')}", silent=True).code == 1
    slow = send(tmp_path, f"GET {site.url('/slow')}", silent=True, timeout=0.3)
    assert (slow.code, slow.err) == (1, "http: no complete answer within 0.3 s\n")


def test_what_is_debugged_leaves_secrets_out(site: Web, tmp_path: Path) -> None:
    got = send(
        tmp_path, f"GET {site.url()}", debug=True, headers={"Authorization": "hush", "X-Api-Key": "hush"}
    )
    assert "> GET http://" in got.err
    assert "< 200 OK" in got.err
    assert "hush" not in got.err


# -- redirects and addresses -----------------------------------------------------------------------


def test_redirects_are_followed_and_counted(site: Web, tmp_path: Path) -> None:
    url = site.url(f"/redirect?302&to={site.url('/end')}")
    heard = json.loads(
        send(tmp_path, f"POST {url}", silent=True, body="x", headers={"Authorization": "t"}).out
    )
    assert (heard["method"], heard["path"], heard["body"]) == ("GET", "/end", "")
    assert heard["headers"]["Authorization"] == "t"
    kept = json.loads(send(tmp_path, f"POST {url.replace('302', '307')}", silent=True, body="x").out)
    assert (kept["method"], kept["body"]) == ("POST", "x")
    stopped = send(tmp_path, f"GET {url}", redirects=0)
    assert (stopped.code, "answered with 302" in stopped.err) == (1, True)
    loop = site.url("/redirect?302&to=/redirect?302%26to=/x")
    assert send(tmp_path, f"GET {loop}", {"max_redirects": 0}).code == 1
    loop = site.url("/redirect?302&to=/redirect?302&to=/x")
    assert send(tmp_path, f"GET {loop}", redirects=2, silent=True).code == 0
    assert send(tmp_path, f"GET {loop}", redirects=1).err.startswith("http: more than 1 redirects, the last")


def test_credentials_do_not_go_elsewhere(site: Web, tmp_path: Path) -> None:
    url = site.url(f"/redirect?302&to={site.url('/end', host='localhost')}")
    headers = {"Authorization": "t", "X-Api-Key": "k", "Cookie": "c", "X-Plain": "p"}
    heard = json.loads(send(tmp_path, f"GET {url}", silent=True, headers=headers).out)["headers"]
    assert heard["X-Plain"] == "p"
    assert not {"Authorization", "X-Api-Key", "Cookie"} & heard.keys()


def test_a_redirect_leads_to_no_file(site: Web, tmp_path: Path) -> None:
    got = send(tmp_path, f"GET {site.url('/redirect?302&to=file:///etc/passwd')}")
    assert (got.code, "no http or https address" in got.err) == (1, True)
    with pytest.raises(ValueError, match="no http or https"):
        send(tmp_path, "GET file:///etc/passwd")


def test_a_home_may_deny_private_addresses(site: Web, tmp_path: Path) -> None:
    got = send(tmp_path, f"GET {site.url()}", {"private_addresses": "deny"})
    assert (got.code, "which dagfs.yaml denies" in got.err) == (1, True)


def resolved(monkeypatch: pytest.MonkeyPatch, **names: str) -> connection.Opener:
    """An opener for which names stand for these addresses."""

    def look_up(host: str, port: int, **_: object) -> list[Any]:
        return [(2, 1, 6, "", (names.get(host, host), port))]

    monkeypatch.setattr(connection.socket, "getaddrinfo", look_up)
    return connection.Opener({"policy": {}}, None)


def test_what_is_connected_to_is_what_was_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    opener = resolved(monkeypatch, public="93.184.216.34", inside="10.0.0.1", meta="169.254.169.254")
    assert opener._address("public", 80) == ("93.184.216.34", 80)
    with pytest.raises(connection.Refused, match="clouds keep credentials"):
        opener._address("meta", 80)
    opener._sent = 1
    with pytest.raises(connection.Refused, match="redirect from outside"):
        opener._address("inside", 80)
    assert opener._address("public", 80) == ("93.184.216.34", 80)


def test_who_begins_inside_may_stay_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    opener = resolved(monkeypatch, inside="10.0.0.1", other="::ffff:192.168.0.1", meta="fe80::1%eth0")
    assert opener._address("inside", 80) == ("10.0.0.1", 80)
    opener._sent = 1
    assert opener._address("other", 80) == ("::ffff:192.168.0.1", 80)
    with pytest.raises(connection.Refused):
        opener._address("meta", 80)


# -- TLS -------------------------------------------------------------------------------------------


def test_certificates_are_checked_unless_told_not_to(tmp_path: Path) -> None:
    pem = certificate(tmp_path)
    with web(tls(pem)) as secure:
        line = f"GET {secure.url('/s')}"
        refused = send(tmp_path, line)
        assert refused.code == 1
        assert "CERTIFICATE_VERIFY_FAILED" in refused.err
        assert secure.heard == []
        assert send(tmp_path, line, skip_tls_verify=True).code == 0
        assert send(tmp_path, line, ca_file=str(tmp_path / "cert.pem")).code == 0


def test_a_proxy_of_the_environment_is_used(site: Web, tmp_path: Path) -> None:
    got = send(tmp_path, "GET http://nowhere.invalid/p?q=1", env={"http_proxy": site.url("")}, silent=True)
    heard = json.loads(got.out)
    assert (heard["path"], heard["headers"]["Host"]) == ("http://nowhere.invalid/p?q=1", "nowhere.invalid")


@pytest.mark.parametrize("value", ["a\nb", "a\r\nX: y"])
def test_a_header_cannot_become_two(site: Web, tmp_path: Path, value: str) -> None:
    got = send(tmp_path, f"GET {site.url()}", headers={"X": value})
    assert (got.code, got.err) == (1, "http: the header X holds a line break\n")
