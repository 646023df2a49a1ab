"""What the API takes and how it says no: without a run, and without a process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dagfs.errors import UsageError
from dagfs.web.api import openapi
from dagfs.web.api.keys import Keys
from dagfs.web.api.routes import OPERATIONS, description
from dagfs.web.api.shapes import SHAPES
from dagfs.web.api.words import params_of, words_of
from dagfs.web.app import routes
from dagfs.web.commands import Commands
from dagfs.web.guard import _CODES
from dagfs.web.problem import CODES
from dagfs.web.role import Role
from tests.web.serving import Client, bearer, server

EDIT = bearer(Role.EDIT)


class Said(Commands):
    """Writes down what would be run, and answers each with a new id."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.calls: list[tuple[str, ...]] = []
        self.error: Exception | None = None

    async def call(self, *words: str, text: bytes = b"", fine: Any = (), patience: float = 60) -> bytes:
        self.calls.append(words)
        if self.error is not None:
            raise self.error
        return f"run-{len(self.calls)}\n".encode()


@pytest.fixture
def said(tmp_path: Path) -> Said:
    return Said(tmp_path)


@pytest.fixture
def client(tmp_path: Path, said: Said) -> Iterator[Client]:
    found = server(tmp_path, commands=said)
    (tmp_path / "dags" / "ok.yaml").write_text("steps: [{name: a, run: 'true'}]")
    yield found
    found.close()


def error_of(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    found: dict[str, Any] = answer.json()["error"]
    assert found.keys() == {"code", "exit_code", "message", "hint", "problems"}
    assert found["code"] in CODES
    return found


# -- the description -------------------------------------------------------------------------------


def test_every_address_of_the_api_is_described() -> None:
    described = {
        (method.upper(), path) for path, methods in description()["paths"].items() for method in methods
    }
    served = {(each.method, openapi.address(op)) for op in OPERATIONS for each in [op.route()]}
    assert described == served
    assert {each.path for each in routes() if each.path.startswith("/api/")} == {
        each.route().path for each in OPERATIONS
    }


def test_operations_have_names_of_their_own() -> None:
    names = [each.name for each in OPERATIONS]
    assert len(set(names)) == len(names)


def test_all_that_is_referred_to_is_there() -> None:
    text = json.dumps(description())
    for name in SHAPES:
        assert f"#/components/schemas/{name}" in text
    assert text.count("#/components/schemas/") == sum(text.count(f'schemas/{name}"') for name in SHAPES)


def test_every_code_that_the_gate_tells_is_described() -> None:
    assert set(_CODES.values()) <= CODES.keys()
    assert {code for each in OPERATIONS for code in each.errors} <= CODES.keys()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_what_acts_needs_a_role_and_says_so(operation: Any) -> None:
    if operation.method != "GET":
        assert operation.role >= Role.RUN
        assert (
            f"`{operation.role.word}`"
            in openapi.document([operation])["paths"].popitem()[1].popitem()[1]["description"]
        )


# -- what is given ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("lmit=3", "there is no parameter 'lmit'"),
        ("limit=x", "limit: 'x' is no integer"),
        ("limit=0", "limit: 0 is less than the minimum of 1"),
        ("limit=99999999999999999999", "limit: "),
        ("limit=1&limit=2", "limit is given 2 times"),
        ("state=odd", "state.0: 'odd' is not one of"),
        ("cursor=../x", "cursor: "),
        ("since=yesterday", "since: "),
        ("since=2026-11-21T25:61:00Z", "since: "),
        ("since=2026-02-30", "since: "),
    ],
)
def test_a_query_that_does_not_fit_is_told_why(query: str, message: str, client: Client) -> None:
    found = error_of(client.get(f"/api/v1/runs?{query}", headers=EDIT), 400)
    assert found["code"] == "usage"
    assert found["message"].startswith(message)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is no JSON"),
        (b"{", "the body is no JSON"),
        (b"\xff\xfe", "the body is no JSON"),
        (b"[" * 100_000, "the body is"),
        (b"[]", "the body: "),
        (b"null", "the body: "),
        (b'{"dag": 3}', "dag: 3 is not of type 'string'"),
        (b'{"dag": ""}', "dag: "),
        (b'{"dag": "ok", "dagg": 1}', "the body: Additional properties are not allowed ('dagg'"),
        (b'{"dag": "ok", "params": {"a": NaN}}', "the body is no JSON: NaN is no number"),
        (b'{"dag": "ok", "params": {"a": "\\ud800"}}', "the body holds what is no text"),
        (b'{"dag": "ok", "params": {"a": "\\u0000"}}', "the body holds a NUL character"),
        (b'{"dag": "ok", "params": {"a=b": "c"}}', "params: "),
        (b'{"dag": "ok", "profile": "/tmp/p.yaml"}', "profile: "),
        (b'{"dag": "ok", "profile": "p.yaml"}', "profile: the API takes names alone"),
        (b'{"dag": "ok", "id": "../x"}', "id: "),
        (b'{"dag": "ok", "params": ' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}", ""),
    ],
    ids=lambda each: repr(each[:30]),
)
def test_a_body_that_does_not_fit_is_told_why(body: bytes, message: str, client: Client, said: Said) -> None:
    headers = {**EDIT, "Content-Type": "application/json"}
    found = error_of(client.post("/api/v1/runs", headers=headers, content=body), 400)
    assert found["message"].startswith(message)
    assert said.calls == []


@pytest.mark.parametrize("dag", ["nope", "/etc/passwd", "../outside", "ok.yml", "ok/../../outside"])
def test_only_files_of_the_home_are_dags(dag: str, client: Client, said: Said, tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_text("steps: [{name: a, run: 'true'}]")
    found = error_of(client.post("/api/v1/runs", headers=EDIT, json={"dag": dag}), 404)
    assert found["message"].startswith("there is no DAG")
    assert said.calls == []


def test_a_body_is_json(client: Client) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        headers = {**EDIT, "Content-Type": kind}
        found = error_of(client.post("/api/v1/runs", headers=headers, content=b'{"dag": "ok"}'), 415)
        assert found["code"] == "unsupported_media_type"


def test_words_are_options_that_no_value_can_leave() -> None:
    body = {
        "on_stale": {"a": "rerun", "*": "keep"},
        "from": ["--all", "x y"],
        "set": ["a.run=--evil"],
        "reason": "-n",
        "kill_orphans": True,
        "all": False,
        "cutoff": False,
        "params": {"n": 3, "flag": True, "text": "a b"},
    }
    assert words_of(body) == (
        "--on-stale=a=rerun",
        "--on-stale=keep",
        "--from=--all",
        "--from=x y",
        "--set=a.run=--evil",
        "--reason=-n",
        "--kill-orphans",
        "--no-cutoff",
        "--param=n=3",
        "--param=flag=true",
        "--param=text=a b",
    )
    assert words_of({"on_stale": "rerun", "with": "strace -f"}) == ("--on-stale=rerun", "--with=strace -f")
    assert params_of({}) == {}
    with pytest.raises(UsageError):
        words_of({"profile": "profiles/x.yaml"})


def test_a_spec_is_changed_only_by_who_may_edit(client: Client, said: Said, tmp_path: Path) -> None:
    (tmp_path / "runs" / "r1").mkdir(parents=True)
    for verb in ("plan", "retry"):
        for body in ({"spec": "steps: []"}, {"set": ["a.run=x"]}, {"with": "sh"}, {"tags": ["x"]}):
            answer = client.post(f"/api/v1/runs/r1/{verb}", headers=bearer(Role.RUN), json=body)
            assert error_of(answer, 403)["code"] == "forbidden"
    assert said.calls == []


# -- once, whatever happens ------------------------------------------------------------------------


def keyed(key: str) -> dict[str, str]:
    return {**EDIT, "Idempotency-Key": key}


def test_a_key_makes_one_run_however_often_it_comes(client: Client, said: Said) -> None:
    first = client.post("/api/v1/runs", headers=keyed("k1"), json={"dag": "ok"})
    again = client.post("/api/v1/runs", headers=keyed("k1"), json={"dag": "ok"})
    assert (first.status_code, first.json()) == (201, again.json())
    assert again.headers["idempotent-replay"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert len(said.calls) == 1
    client.post("/api/v1/runs", headers=keyed("k2"), json={"dag": "ok"})
    assert len(said.calls) == 2


def test_a_key_belongs_to_its_request(client: Client, said: Said) -> None:
    client.post("/api/v1/runs", headers=keyed("k1"), json={"dag": "ok"})
    other = client.post("/api/v1/runs", headers=keyed("k1"), json={"dag": "ok", "reason": "another"})
    assert error_of(other, 422)["code"] == "key_reused"
    elsewhere = client.post("/api/v1/queue", headers=keyed("k1"), json={"dag": "ok"})
    assert error_of(elsewhere, 422)["code"] == "key_reused"
    assert len(said.calls) == 1


def test_a_key_that_came_to_nothing_may_come_again(client: Client, said: Said) -> None:
    said.error = UsageError("no")
    error_of(client.post("/api/v1/runs", headers=keyed("k1"), json={"dag": "ok"}), 400)
    said.error = None
    assert client.post("/api/v1/runs", headers=keyed("k1"), json={"dag": "ok"}).status_code == 201


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 201, "ä"])
def test_a_key_is_a_word(key: str, client: Client, said: Said) -> None:
    headers = {**EDIT, "Idempotency-Key": key.encode("latin-1")}
    error_of(client.post("/api/v1/runs", headers=headers, json={"dag": "ok"}), 400)
    assert said.calls == []


def test_the_run_of_a_key_is_known_to_another_server(client: Client, said: Said, tmp_path: Path) -> None:
    client.post("/api/v1/runs", headers=keyed("k1"), json={"dag": "ok"})
    (run,) = [word.removeprefix("--id=") for word in said.calls[0] if word.startswith("--id=")]
    (tmp_path / "runs" / run).mkdir(parents=True)
    later = server(tmp_path, commands=said)
    answer = later.post("/api/v1/runs", headers=keyed("k1"), json={"dag": "ok"})
    assert (answer.status_code, answer.json()) == (201, {"run": run})
    other = later.post("/api/v1/runs", headers=keyed("k1"), json={"dag": "ok", "reason": "another"})
    assert error_of(other, 422)["code"] == "key_reused"
    assert len(said.calls) == 1
    later.close()


# -- what is told ----------------------------------------------------------------------------------


def test_what_is_not_there_is_told_as_json(client: Client) -> None:
    for path in ("/api/v1/nowhere", "/api/v1/runs/nope", "/api/v1/runs/Nope", "/api/v1/dags/nope"):
        assert error_of(client.get(path, headers=EDIT), 404)["code"] == "not_found"
    assert error_of(client.get("/api/v1/runs/x/stop", headers=EDIT), 405)["code"] == "method_not_allowed"


def test_an_answer_that_is_known_is_not_sent_again(client: Client) -> None:
    first = client.get("/api/v1/dags", headers=EDIT)
    etag = first.headers["etag"]
    same = client.get("/api/v1/dags", headers={**EDIT, "If-None-Match": f'"other", W/{etag}'})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)


def test_dags_are_listed_as_the_command_line_does(client: Client, tmp_path: Path) -> None:
    (tmp_path / "dags" / "bad.yaml").write_text("steps: 3")
    (tmp_path / "dags" / "team").mkdir()
    (tmp_path / "dags" / "team" / "deep.yaml").write_text("tags: [x]\nsteps: [{name: a, run: 'true'}]")
    rows = {row["name"]: row for row in client.get("/api/v1/dags", headers=EDIT).json()}
    assert set(rows) == {"ok", "bad", "deep"}
    assert rows["bad"]["error"].startswith("dags/bad.yaml:1:")
    assert [row["name"] for row in client.get("/api/v1/dags?tag=x", headers=EDIT).json()] == ["deep"]
    for name in ("team/deep", "team%2Fdeep", "deep", "team/deep.yaml"):
        assert client.get(f"/api/v1/dags/{name}", headers=EDIT).json()["dag"]["name"] == "deep"
    assert error_of(client.get("/api/v1/dags/bad/graph", headers=EDIT), 422)["problems"][0]["line"] == 1


def test_specs_are_searched(client: Client) -> None:
    found = client.get("/api/v1/search?q=TRUE&in=specs", headers=EDIT).json()
    ((hit,),) = [each["hits"] for each in found["found"]]
    assert [each for each in hit if each["is_hit"]] == [
        {"line": 1, "text": "steps: [{name: a, run: 'true'}]", "is_hit": True}
    ]
    for query in ("q=", "q=%20", "q=(&re=true", "in=specs", f"q={'x' * 501}"):
        error_of(client.get(f"/api/v1/search?{query}", headers=EDIT), 400)


def test_two_that_come_at_once_with_a_key_happen_once() -> None:
    done: list[str] = []

    async def do() -> Response:
        done.append("begun")
        await asyncio.sleep(0)
        return JSONResponse({"n": len(done)})

    async def both() -> list[Response]:
        keys, scope = (
            Keys(),
            {"type": "http", "method": "POST", "path": "/x", "headers": [], "query_string": b""},
        )
        asked = (keys.once("k", Request(scope | {"server": ("x", 1)}), {}, do) for _ in range(5))
        return list(await asyncio.gather(*asked))

    assert {bytes(each.body) for each in asyncio.run(both())} == {b'{"n":1}'}


def test_pictures_can_only_be_seen(client: Client) -> None:
    answer = client.get("/api/v1/dags/ok/graph.svg", headers=EDIT)
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
