"""The pages of a run of two attempts, without a browser: what they say, what they cost, what they refuse."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from dagfs.scheduler.spawner import Ended
from dagfs.web.commands import Commands
from dagfs.web.role import Role
from tests.web.serving import Client, bearer, server

EXAMPLE = Path(__file__).parent.parent.parent / "runs_example"
RUN = "20261121-021500-nightly-import-k3f9"
VIEW = {"headers": bearer(Role.VIEW)}


class Asked(Commands):
    """Notes which verbs are called, and says that they went well."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.words: list[tuple[str, ...]] = []

    async def end_of(self, *words: str, text: bytes = b"", patience: float = 60) -> Any:
        self.words.append(words)
        return Ended(0, 0, b"{}", "")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    shutil.copytree(EXAMPLE, tmp_path / "runs", symlinks=True)
    return tmp_path


@pytest.fixture
def commands(home: Path) -> Asked:
    return Asked(home)


@pytest.fixture
def client(home: Path, commands: Asked) -> Iterator[Client]:
    found = server(home, commands=commands)
    yield found
    found.close()


def step_folder(home: Path, step: str, attempt: int = 1) -> Path:
    return home / "runs" / RUN / "attempts" / str(attempt) / "steps" / step


def test_the_newest_attempt_is_shown_with_what_it_kept(client: Client) -> None:
    html = client.get(f"/runs/{RUN}", **VIEW).text
    assert "Succeeded in" in html
    assert "kept from attempt 1" in html
    assert "sort&#39;s flag was misspelt" in html
    assert 'href="/runs/20261121-021500-nightly-import-k3f9/diff?from=1&amp;to=2"' in html.replace(
        "&to", "&amp;to"
    )


def test_an_older_attempt_says_so_and_offers_nothing(client: Client) -> None:
    html = client.get(f"/runs/{RUN}?attempt=1", headers=bearer(Role.EDIT)).text
    assert "You look at attempt 1 of 2" in html
    assert "Edit spec and retry" not in html
    assert "exit 2" in html


def test_who_may_only_look_gets_no_buttons(client: Client) -> None:
    for role, word in ((Role.VIEW, False), (Role.EDIT, True)):
        html = client.get(f"/runs/{RUN}?step=transform", headers=bearer(role)).text
        assert ("Mark it by hand" in html) is word
        assert ("Re-execute" in html) is word


@pytest.mark.parametrize("query", ["attempt=3", "attempt=999999999999999999"])
def test_an_attempt_that_is_not_there_is_not_found(client: Client, query: str) -> None:
    assert client.get(f"/runs/{RUN}?{query}", **VIEW).status_code == 404


@pytest.mark.parametrize(
    "query", ["step=gone", "view=x", "turn=%3Cb%3E", "show=%22", "attempt=x", "step=%ff%00", "handler=exit"]
)
def test_nonsense_in_an_address_is_passed_over(client: Client, query: str) -> None:
    assert client.get(f"/runs/{RUN}?{query}", **VIEW).status_code == 200


def test_a_page_that_has_not_changed_is_not_made_again(client: Client, home: Path) -> None:
    first = client.get(f"/runs/{RUN}", **VIEW)
    again = {"headers": {**bearer(Role.VIEW), "If-None-Match": first.headers["etag"]}}
    assert client.get(f"/runs/{RUN}", **again).status_code == 304
    assert client.get(f"/runs/{RUN}?attempt=1", **again).status_code == 200
    (home / "runs" / RUN / "spec.next.yaml").write_text("steps: []\n")
    changed = client.get(f"/runs/{RUN}", **again)
    assert changed.status_code == 200
    assert "edit pending" in changed.text


def test_the_timeline_has_both_attempts(client: Client) -> None:
    html = client.get(f"/runs/{RUN}?view=timeline", **VIEW).text
    assert ">attempt 1<" in html
    assert ">attempt 2<" in html
    assert "earlier" in html


def test_logs_are_text_whatever_is_in_them(client: Client, home: Path) -> None:
    log = step_folder(home, "transform") / "stdout.log"
    log.chmod(0o600)
    log.write_bytes(b"<script>\xff\x1b[31m\n" + b"line\n" * 100)
    raw = client.get(f"/runs/{RUN}/log/raw?step=transform&attempt=1&stream=stdout", **VIEW)
    assert raw.content == log.read_bytes()
    assert raw.headers["content-type"] == "text/plain; charset=utf-8"
    assert raw.headers["x-content-type-options"] == "nosniff"
    part = client.get(f"/runs/{RUN}/log/raw?step=transform&attempt=1&stream=stdout&start=20&end=40", **VIEW)
    assert part.content == log.read_bytes()[20:40]
    assert part.headers["x-log-size"] == str(log.stat().st_size)
    assert part.headers["x-log-open"] == "0"
    page = client.get(f"/runs/{RUN}/log?step=transform&attempt=1&stream=stdout", **VIEW).text
    assert "&lt;script&gt;\ufffd\n" in page
    assert "<script>\ufffd" not in page


def test_a_window_of_a_log_has_whole_lines(client: Client, home: Path) -> None:
    log = step_folder(home, "transform") / "stdout.log"
    log.chmod(0o600)
    log.write_bytes(b"".join(b"line %06d\n" % n for n in range(50_000)))
    base = f"/runs/{RUN}/log/raw?step=transform&attempt=1&stream=stdout"
    found = client.get(f"{base}&window=1000&end=12000", **VIEW)
    assert found.content.startswith(b"line ")
    assert found.headers["x-log-end"] == "12000"
    assert int(found.headers["x-log-start"]) + len(found.content) == 12000
    page = client.get(f"/runs/{RUN}/log?step=transform&attempt=1&stream=stdout", **VIEW).text
    assert len(page) < 300_000
    assert "Load what stands before" in page
    middle = client.get(f"/runs/{RUN}/log?step=transform&attempt=1&stream=stdout&from=12000", **VIEW).text
    assert "line 001000" in middle
    assert "Newer (" in middle


@pytest.mark.parametrize("query", ["", "step=gone", "step=transform&attempt=7", "handler=exit&attempt=1"])
def test_a_log_that_is_not_there_is_not_found(client: Client, query: str) -> None:
    for rest in ("log", "log/raw"):
        assert client.get(f"/runs/{RUN}/{rest}?{query}", **VIEW).status_code == 404


def test_a_log_that_is_gone_from_the_disk_is_empty(client: Client, home: Path) -> None:
    (step_folder(home, "transform") / "stdout.log").unlink()
    assert client.get(f"/runs/{RUN}/log?step=transform&attempt=1&stream=stdout", **VIEW).status_code == 200
    assert client.get(f"/runs/{RUN}/log/raw?step=transform&attempt=1&stream=stdout", **VIEW).content == b""
    assert client.get(f"/runs/{RUN}?attempt=1&step=transform", **VIEW).status_code == 200


def test_all_logs_of_an_attempt_are_one_text(client: Client) -> None:
    text = client.get(f"/runs/{RUN}/log.txt?attempt=1", **VIEW).text
    assert text.startswith(f"run {RUN}, attempt 1: failed")
    assert "==> transform: failed" in text
    assert "--> transform, stderr:" in text
    assert "of attempt 1" in client.get(f"/runs/{RUN}/log.txt", **VIEW).text
    saved = client.get(f"/runs/{RUN}/log.txt?download=1", **VIEW)
    assert saved.headers["content-disposition"].startswith("attachment;")


def test_artifacts_are_saved_and_never_shown(client: Client, home: Path) -> None:
    html = client.get(f"/runs/{RUN}?step=extract", **VIEW).text
    assert "orders.csv" in html
    base = f"/runs/{RUN}/artifact?step=extract&attempt=1&name="
    found = client.get(f"{base}orders.csv", **VIEW)
    assert found.content == (step_folder(home, "extract") / "artifacts" / "orders.csv").read_bytes()
    assert found.headers["content-type"] == "application/octet-stream"
    assert found.headers["content-security-policy"].startswith("sandbox")
    assert found.headers["content-disposition"].startswith('attachment; filename="orders.csv"')


def test_no_name_leads_out_of_the_folder_of_artifacts(client: Client, home: Path) -> None:
    folder = step_folder(home, "extract") / "artifacts"
    folder.chmod(0o700)
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "up").symlink_to("..")
    os.mkfifo(folder / "pipe")
    names = [
        "link",
        "up/stdout.log",
        "../stdout.log",
        "/etc/passwd",
        "pipe",
        ".",
        "..",
        "a//b",
        "x\0",
        "",
        "n" * 300,
    ]
    for name in names:
        found = client.get(f"/runs/{RUN}/artifact?step=extract&attempt=1&name={quote(name)}", **VIEW)
        assert found.status_code == 404, name


def test_events_are_paged_and_searched(client: Client) -> None:
    html = client.get(f"/runs/{RUN}/events?attempt=1", **VIEW).text
    assert "attempt started" in html
    found = client.get(f"/runs/{RUN}/events?attempt=1&q=transform", **VIEW).text
    assert "attempt started" not in found
    assert "transform" in found
    for query in ("page=999", "page=x", "q=%3Cscript%3E"):
        assert client.get(f"/runs/{RUN}/events?attempt=1&{query}", **VIEW).status_code == 200
    assert client.get(f"/runs/{RUN}/events?attempt=9", **VIEW).status_code == 404


# -- what is done --------------------------------------------------------------------------------


def act(client: Client, rest: str, role: Role = Role.EDIT, **form: str) -> Any:
    return client.post(f"/runs/{RUN}/{rest}", data=form, headers=bearer(role))


def test_buttons_call_the_verbs_and_lead_back(client: Client, commands: Asked) -> None:
    assert act(client, "stop").status_code == 303
    assert act(client, "stop", kill="yes").headers["location"] == f"/runs/{RUN}"
    act(client, "approve", step="check it", **{"input.WHO": "--ann", "reason": "fine", "input.NONE": ""})
    act(client, "reject", step="check it", reason="-x")
    act(client, "mark", step="load", state="succeeded", reason="by hand", outputs="A=1\nB=x=y\n")
    words = [[word for word in each if not word.startswith("--via")] for each in commands.words]
    assert words == [
        ["stop", "--", RUN],
        ["stop", "--kill", "--", RUN],
        ["approve", "--detach", "--input=WHO=--ann", "--reason=fine", "--", RUN, "check it"],
        ["reject", "--detach", "--reason=-x", "--", RUN, "check it"],
        [
            "mark",
            "--json",
            "--reason=by hand",
            "--output=A=1",
            "--output=B=x=y",
            "--",
            RUN,
            "load",
            "succeeded",
        ],
    ]


@pytest.mark.parametrize(
    ("rest", "form"),
    [
        ("approve", {}),
        ("reject", {}),
        ("mark", {"step": "a", "state": "running", "reason": "x"}),
        ("mark", {"step": "a", "state": "failed"}),
        ("mark", {"step": "a", "state": "failed", "reason": "x", "outputs": "nonsense"}),
    ],
)
def test_a_form_that_lacks_something_calls_nothing(
    client: Client, commands: Asked, rest: str, form: dict[str, str]
) -> None:
    assert act(client, rest, **form).status_code == 400
    assert commands.words == []


@pytest.mark.parametrize(("rest", "role"), [("stop", Role.VIEW), ("approve", Role.VIEW), ("mark", Role.RUN)])
def test_a_role_that_may_not_is_refused(client: Client, commands: Asked, rest: str, role: Role) -> None:
    assert act(client, rest, role, step="a", state="failed", reason="x").status_code == 403
    assert commands.words == []


def test_a_damaged_run_says_so(client: Client, home: Path) -> None:
    journal = home / "runs" / RUN / "attempts" / "1" / "journal.jsonl"
    journal.chmod(0o600)
    lines = journal.read_text().splitlines()
    lines[2] = json.dumps({"n": 3})
    journal.write_text("\n".join(lines) + "\n")
    found = client.get(f"/runs/{RUN}", **VIEW)
    assert found.status_code == 500
    assert "damaged" in found.text
    assert "dagfs fsck" in found.text


def test_a_word_is_found_in_what_is_not_shown(client: Client, home: Path) -> None:
    log = step_folder(home, "transform") / "stdout.log"
    log.chmod(0o600)
    log.write_bytes(b"first\nthe Needle is here\n" + b"hay\n" * 100_000)
    base = f"/runs/{RUN}/log/find?step=transform&attempt=1&stream=stdout"
    found = client.get(f"{base}&q=needle", **VIEW)
    assert found.status_code == 303
    assert "from=6" in found.headers["location"]
    page = client.get(found.headers["location"], **VIEW).text
    assert "<pre data-lines>the Needle is here\nhay\n" in page
    assert 'data-word="needle"' in page
    nothing = client.get(client.get(f"{base}&q=%3Cpin%3E", **VIEW).headers["location"], **VIEW)
    assert "Nothing before that has “&lt;pin&gt;” in it" in nothing.text


def test_a_log_that_a_step_has_replaced_spoils_no_page(client: Client, home: Path) -> None:
    for name in ("stdout.log", "stderr.log"):
        log = step_folder(home, "transform") / name
        log.unlink()
        log.symlink_to("/etc/passwd")
    page = client.get(f"/runs/{RUN}?attempt=1&step=transform", **VIEW)
    assert page.status_code == 200
    assert "root:" not in page.text
    assert "cannot read" in page.text
    assert (
        "root:" not in client.get(f"/runs/{RUN}/log/raw?step=transform&attempt=1&stream=stdout", **VIEW).text
    )


def test_what_was_kept_has_its_log_where_it_was_made(client: Client, home: Path) -> None:
    printed = step_folder(home, "extract", 1) / "stdout.log"
    printed.chmod(0o600)
    printed.write_bytes(b"extracted\n")
    for query in ("", "&attempt=1", "&attempt=2"):
        assert "extracted" in client.get(f"/runs/{RUN}/log?step=extract&stream=stdout{query}", **VIEW).text
