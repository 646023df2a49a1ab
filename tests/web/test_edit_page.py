"""What the pages for editing and re-executing write, refuse and call, without browser and engine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dagfs.errors import ExitCode
from dagfs.scheduler.spawner import Ended
from dagfs.web.commands import Commands
from dagfs.web.role import Role
from tests.store.scenarios import RUN, SPEC_1, SPEC_2, failed

from .serving import Client, bearer, server
from .test_planned import plan

PLAN = "0123456789abcdef"
EDIT, RETRY = f"/runs/{RUN}/edit", f"/runs/{RUN}/retry"
NONE = "none"


class Planner(Commands):
    """Answers every verb; `codes` says what a verb ends with."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.asked: list[tuple[str, ...]] = []
        self.codes: dict[str, int] = {}

    async def end_of(self, *words: str, text: bytes = b"", patience: float = 60) -> Ended:
        self.asked.append(words)
        code = self.codes.get(words[0], ExitCode.DONE)
        said = "" if code == ExitCode.DONE else f"dagfs: {words[0]} says no\n  hint: look again\n"
        return Ended(1, code, json.dumps(plan()).encode() if words[0] == "plan" else b"", said)

    def called(self, verb: str) -> list[tuple[str, ...]]:
        return [words for words in self.asked if words[0] == verb]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    failed(tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def planner(home: Path) -> Planner:
    return Planner(home)


@pytest.fixture
def client(home: Path, planner: Planner) -> Iterator[Client]:
    client = server(home, commands=planner)
    yield client
    client.close()


def draft(home: Path) -> Path:
    return home / "runs" / RUN / "spec.next.yaml"


def field(html: str, name: str) -> str:
    """The value of a hidden field of a page."""
    found = re.search(f'name="{name}" value="([^"]*)"', html)
    assert found, html
    return found[1]


def send(client: Client, what: str, form: Mapping[str, Any], path: str = EDIT, role: Role = Role.EDIT) -> str:
    answer = client.post(path, data={"do": what, **form}, headers=bearer(role))
    assert answer.status_code in (200, 303), answer.text
    return answer.headers.get("location") or answer.text


def opened(client: Client, path: str = EDIT) -> dict[str, str]:
    """The hidden fields of a page that was just opened."""
    html = client.get(path, headers=bearer(Role.EDIT)).text
    names = ("seen", "plan", "seal") if path == EDIT else ("plan", "seal")
    return {name: field(html, name) for name in names}


def test_what_is_sent_back_unchanged_changes_nothing(client: Client, home: Path) -> None:
    assert "There is nothing to save" in send(client, "save", {**opened(client), "spec": SPEC_2.decode()})
    assert draft(home).read_bytes() == SPEC_2


def test_a_form_without_a_text_is_no_empty_text(client: Client, home: Path) -> None:
    send(client, "save", opened(client))
    assert draft(home).read_bytes() == SPEC_2


def test_a_browser_does_not_change_the_ends_of_lines(client: Client, home: Path) -> None:
    form = opened(client)
    send(client, "save", {**form, "spec": "steps:\r\n  - name: é\r\n"})
    assert draft(home).read_bytes() == "steps:\n  - name: é\n".encode()
    draft(home).write_bytes(b"steps:\r\n  - name: a\r\n")
    send(client, "save", {**opened(client), "spec": "steps:\r\n  - name: b\r\n"})
    assert draft(home).read_bytes() == b"steps:\r\n  - name: b\r\n"


@pytest.mark.parametrize("what", ["save", "discard", "retry"])
def test_nothing_is_done_to_an_edit_that_was_not_seen(
    client: Client, home: Path, planner: Planner, what: str
) -> None:
    form = opened(client)
    draft(home).write_bytes(b"theirs")
    assert "changed by somebody else" in send(client, what, {**form, "spec": "mine"})
    assert draft(home).read_bytes() == b"theirs"
    assert not planner.called("retry")


def test_mine_stands_over_theirs_only_where_theirs_was_seen(client: Client, home: Path) -> None:
    form = opened(client)
    draft(home).write_bytes(b"theirs")
    seen = field(send(client, "save", {**form, "spec": "mine"}), "theirs")
    draft(home).write_bytes(b"once more")
    send(client, "over", {**form, "spec": "mine", "theirs": seen})
    assert draft(home).read_bytes() == b"once more"
    seen = field(send(client, "save", {**form, "spec": "mine"}), "theirs")
    assert "Saved" in send(client, "over", {**form, "spec": "mine", "theirs": seen})
    assert draft(home).read_bytes() == b"mine"


def test_a_discarded_text_stays_on_the_page(client: Client, home: Path) -> None:
    html = send(client, "discard", {**opened(client), "spec": "mine & yours"})
    assert not draft(home).exists()
    assert "mine &amp; yours" in html
    assert field(html, "seen") == NONE


def test_a_retry_carries_out_the_plan_that_was_shown(client: Client, planner: Planner) -> None:
    form = {**opened(client), "spec": SPEC_2.decode(), "reason": "mended"}
    assert send(client, "retry", form) == f"/runs/{RUN}"
    (words,) = planner.called("retry")
    assert f"--plan={PLAN}" in words
    assert words[-4:] == ("--reason", "mended", "--", RUN)


def test_a_retry_of_something_else_than_was_shown_is_none(client: Client, planner: Planner) -> None:
    form = {**opened(client), "spec": SPEC_2.decode(), "stale_all": "rerun"}
    assert "Nothing was started" in send(client, "retry", form)
    form = {**opened(client), "spec": SPEC_1.decode()}
    assert "Nothing was started" in send(client, "retry", form)
    assert not planner.called("retry")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (ExitCode.PLAN_MOVED, "is not what this plan was made for"),
        (ExitCode.REFUSED, "retry says no"),
        (ExitCode.BUSY, "retry says no"),
        (ExitCode.IO_ERROR, "retry says no"),
    ],
)
def test_what_stands_in_the_way_is_said_and_the_text_stays(
    client: Client, home: Path, planner: Planner, code: int, said: str
) -> None:
    planner.codes["retry"] = code
    html = send(client, "retry", {**opened(client), "spec": SPEC_2.decode()})
    assert said in html
    assert "repaired" in html
    assert draft(home).read_bytes() == SPEC_2
    html = send(client, "retry", opened(client, RETRY), RETRY)
    assert said in html


def test_a_plan_that_cannot_be_made_is_told_on_the_page(client: Client, planner: Planner) -> None:
    planner.codes["plan"] = ExitCode.BUSY
    for path in (EDIT, RETRY):
        html = client.get(path, headers=bearer(Role.RUN)).text
        assert "plan says no" in html
        assert "look again" in html


def test_who_may_only_look_has_no_text_evaluated(client: Client, planner: Planner) -> None:
    for path in (EDIT, RETRY):
        assert client.get(path, headers=bearer(Role.VIEW)).status_code == 200
    assert not planner.asked


@pytest.mark.parametrize(
    "more", [{"sets": "a.x=1"}, {"with": "id"}, {"tags": "t"}, {"timeout": "1"}, {"profile": "/etc/passwd"}]
)
def test_who_may_only_run_names_no_program_and_writes_no_spec(
    client: Client, planner: Planner, more: dict[str, str]
) -> None:
    for path in (RETRY, f"{RETRY}/plan"):
        assert client.post(path, data=more, headers=bearer(Role.RUN)).status_code == 403
    assert not planner.asked
    assert client.post(f"{RETRY}/plan", data=more, headers=bearer(Role.EDIT)).status_code == 200


def test_an_address_writes_nothing_and_names_no_program(client: Client, planner: Planner) -> None:
    words = "sets=a.x=1&with=id&tags=t&timeout=1&all=1"
    client.get(f"{RETRY}?{words}", headers=bearer(Role.EDIT))
    assert [each[2:-2] for each in planner.called("plan")] == [("--all",)]


def test_an_address_chooses_as_the_command_line_does(client: Client, planner: Planner) -> None:
    client.get(f"{RETRY}?from=a&from=b", headers=bearer(Role.RUN))
    client.get(f"{RETRY}?all=1", headers=bearer(Role.RUN))
    client.get(f"{RETRY}?only=a&reason=x", headers=bearer(Role.RUN))
    options = [words[2:-2] for words in planner.called("plan")]
    assert options == [("--from", "a,b"), ("--all",), ("--only", "a")]


def test_steps_are_asked_for_before_anything_is_planned(client: Client, planner: Planner) -> None:
    html = client.get(f"{RETRY}?mode=from", headers=bearer(Role.RUN)).text
    assert "Choose steps" in html
    assert not planner.asked


def test_versions_are_named_or_not_found(client: Client) -> None:
    assert client.get(f"/runs/{RUN}/spec/v1", headers=bearer(Role.VIEW)).content == SPEC_1
    answer = client.get(f"/runs/{RUN}/spec/next", headers=bearer(Role.VIEW))
    assert answer.content == SPEC_2
    assert answer.headers["content-disposition"] == f'attachment; filename="{RUN}.spec.next.yaml"'
    for name in ("v9", "run.json", "spec.v0.yaml"):
        assert client.get(f"/runs/{RUN}/spec/{name}", headers=bearer(Role.VIEW)).status_code == 404
