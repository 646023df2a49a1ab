"""Pages of lists, without a browser: whatever is on disk and whatever is asked for, they answer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagfs.web.role import Role
from tests.web.serving import Client, NoCommands, bearer, server

VIEW, RUN = {"headers": bearer(Role.VIEW)}, {"headers": bearer(Role.RUN)}
ETL = "description: orders\ntags: [prod]\nschedule: '0 2 * * *'\nsteps:\n  - name: a\n    command: echo a\n"
TYPED = "params:\n  - {name: n, type: integer, minimum: 3}\n  - {name: who, required: true}\n" + ETL


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags/etl.yaml").write_text(ETL)
    (tmp_path / "dags/typed.yaml").write_text(TYPED)
    found = server(tmp_path)
    yield found
    found.close()


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/?q=%00&tag=%22&status=nonsense&sort=nonsense&start=999999999999999999999",
        "/runs",
        "/runs?status=nonsense&since=7d&dag=%2F&before=nonsense&tree=1",
        "/runs?since=99999999999999999999d",
        "/inbox",
        "/queues",
        "/health",
        "/search",
        "/search?q=%ff%00&in=nonsense&dag=..%2F..",
        "/dags/etl",
        "/dags/etl.yaml",
    ],
)
def test_a_page_answers_whatever_it_is_asked(client: Client, path: str) -> None:
    assert client.get(path, **VIEW).status_code == 200


@pytest.mark.parametrize(
    "path", ["/dags/nobody", "/dags/../../etc/passwd", "/dags/%2e%2e/%2e%2e/x", "/dags/"]
)
def test_what_is_no_dag_is_not_found(client: Client, path: str) -> None:
    answer = client.get(path, **VIEW)
    assert answer.status_code == 404
    assert "Traceback" not in answer.text


def test_a_page_that_did_not_change_is_not_sent_again(client: Client, tmp_path: Path) -> None:
    first = client.get("/", **VIEW)
    known = {**VIEW["headers"], "If-None-Match": first.headers["etag"]}
    assert client.get("/", headers=known).status_code == 304
    # Another role sees other buttons.
    assert (
        client.get("/", headers={**bearer(Role.RUN), "If-None-Match": first.headers["etag"]}).status_code
        == 200
    )


def test_names_that_are_no_text_and_files_that_are_no_files_do_no_harm(
    client: Client, tmp_path: Path
) -> None:
    dags = os.fsencode(tmp_path / "dags")
    os.mkdir(dags + b"/od\xffd")
    Path(os.fsdecode(dags + b"/od\xffd/b\xfe.yaml")).write_text(ETL)
    os.mkfifo(dags + b"/pipe.yaml")
    os.symlink("/etc/passwd", dags + b"/out.yaml")
    os.symlink(".", dags + b"/loop")
    (tmp_path / "dags/big.yaml").write_bytes(b"a" * (5 << 20))
    (tmp_path / "base.yaml").write_text("steps: [")
    answer = client.get("/", **VIEW)
    assert answer.status_code == 200
    assert "root:" not in answer.text
    assert client.get("/dags/big", **VIEW).status_code == 200


def test_a_status_that_somebody_forged_does_no_harm(client: Client, tmp_path: Path) -> None:
    attempt = tmp_path / "runs/forged/attempts/1"
    attempt.mkdir(parents=True)
    (attempt / "status.json").write_text(
        '{"format":1,"run":"forged","dag":"etl","state":"succeeded","attempt":1,"created":"yesterday",'
        '"started":"2026-11-21","steps":{"a":{"state":"failed","started":"x"},"b":3},"counts":[1],"params":4}'
    )
    for path in ("/", "/runs", "/runs?tree=1", "/dags/etl", "/inbox", "/search?q=forged"):
        answer = client.get(path, **VIEW)
        assert answer.status_code == 200, path
    assert "forged" in client.get("/runs", **VIEW).text


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"dag": "typed.yaml", "param.n": "1", "param.who": "x"}, "minimum of 3"),
        ({"dag": "typed.yaml", "param.n": "x", "param.who": "x"}, "integer"),
        ({"dag": "typed.yaml", "param.n": "5"}, "a value is needed"),
        ({"dag": "etl.yaml", "more": "nonsense"}, "expected NAME=value"),
    ],
)
def test_what_is_wrong_with_a_form_is_said_without_asking_a_command(
    tmp_path: Path, form: dict[str, str], says: str
) -> None:
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags/etl.yaml").write_text(ETL)
    (tmp_path / "dags/typed.yaml").write_text(TYPED)
    commands = NoCommands(tmp_path)
    client = server(tmp_path, commands=commands)
    answer = client.post("/start", data=form, **RUN)
    client.close()
    assert answer.status_code == 422
    assert says in answer.text
    assert commands.asked == []


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example/", "/\\evil.example", "x"])
def test_a_form_leads_nowhere_else(client: Client, target: str) -> None:
    answer = client.post("/inbox", data={"run": "x", "step": "y", "word": "approve", "next": target}, **RUN)
    assert "evil" not in answer.headers.get("location", "")


def test_a_page_of_two_searches_too_many_says_so(client: Client) -> None:
    assert client.get(f"/search?q={'x' * 501}", **VIEW).status_code == 422
    assert client.get("/search?q=(a&re=1", **VIEW).status_code == 422
