"""What holds for every command, whatever it does: help, examples, JSON, a terminal and a pipe."""

from __future__ import annotations

import json
import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from dagfs.cli.main import VERBS, verb_parser
from dagfs.cli.topics import TOPICS
from intg.home import DAGFS, Home
from intg.screen import Terminal


@dataclass(frozen=True)
class Use:
    """How a verb is called here, and what is to come of it."""

    words: str = ""
    codes: tuple[int, ...] = (0,)
    json: str = ""
    """What `--json` prints: one `value`, `lines` of them, the `events` of a run, one line of a `service`
    once it is ready; empty without it."""
    live: str = ""
    """What the live table of a run ends with, for those that show one."""
    silent: bool = False
    """Whether it says nothing when all is well."""


USES = {
    "init": Use("new"),
    "run": Use("job --id r2", (1,), "events", live="✗ a failed"),
    "status": Use("r1", json="value"),
    "watch": Use("r1", (1,), "events", live="✗ a failed"),
    "wait": Use("r1", (1,), "value", silent=True),
    "logs": Use("r1 a"),
    "edit": Use("r1", (0,), "value"),
    "plan": Use("r1", json="value"),
    "diff": Use("r1", (1,), "value"),
    "spec": Use("log r1", json="value"),
    "retry": Use("r1", (1,), "events", live="✗ a failed"),
    "rerun": Use("r1 --id r2", (1,), "events", live="✗ a failed"),
    "export": Use("r1 -o r1.tar.gz"),
    "approve": Use("w1", json="events", live="✓ ask succeeded"),
    "reject": Use("w1", (1,), "events", live="✗ ask rejected"),
    "mark": Use("r1 a succeeded -m why", json="value"),
    "stop": Use("w1", json="value"),
    "show": Use("r1", json="value"),
    "graph": Use("r1", json="value"),
    "up": Use("--port 0", json="service"),
    "serve": Use("--port 0", json="service"),
    "scheduler": Use("--status", (0, 1), "value"),
    "next": Use("-n 3", json="value"),
    "pause": Use("job"),
    "resume": Use("nightly"),
    "enqueue": Use("job --id q1"),
    "backfill": Use("nightly --from 2026-11-01 --to 2026-11-03 -n", json="lines"),
    "clean": Use("-n --keep-last 1", json="value"),
    "systemd": Use(),
    "metrics": Use(),
    "queue": Use(json="value"),
    "runs": Use(json="value"),
    "ls": Use(json="value"),
    "import": Use("dagu old --dry-run", json="value"),
    "validate": Use("job", json="value"),
    "fsck": Use(json="value"),
    "plugins": Use(json="value"),
    "explain": Use("steps.run", json="value"),
    "schema": Use(json="value"),
    "config": Use(json="value"),
    "doctor": Use(codes=(0, 1), json="value"),
    "completion": Use("bash"),
    "version": Use(json="value"),
    "help": Use(),
}


def of(*kinds: str) -> list[str]:
    """The verbs whose `--json` is of a kind."""
    return [verb for verb, use in USES.items() if use.json in kinds]


def called(verb: str) -> list[str]:
    return [verb, *USES[verb].words.split()]


@pytest.fixture
def failed(home: Home) -> Home:
    """A home with a failed run `r1` and an edit that does not mend it, and a run `w1` that waits."""
    home.dag("job", "steps: [{name: a, run: 'echo hi; false'}]\n")
    home.dag("ask", "steps: [{name: ask, run: 'true', approval: {prompt: sure?}}]\n")
    home.dag("nightly", "schedule: '30 2 * * *'\nsteps: [{name: a, run: 'true'}]\n")
    home.dagfs("pause", "nightly").exits(0)
    home.shell("mkdir -p old/dags; echo 'steps: [{name: a, command: date}]' > old/dags/other.yaml")
    home.dagfs("run", "job", "--id", "r1").exits(1)
    home.edit(("echo hi", "echo ho"))
    home.dagfs("run", "ask", "--id", "w1").exits(6)
    return home


def test_every_verb_is_tried_and_says_whether_it_has_json() -> None:
    assert list(USES) == list(VERBS)
    options = {
        verb: {word for action in verb_parser(verb)[1]._actions for word in action.option_strings}
        for verb in VERBS
    }
    assert [verb for verb in VERBS if "--json" in options[verb]] == of("value", "lines", "events", "service")


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_a_usage_line_what_it_does_and_examples(home: Home, verb: str) -> None:
    told = home.dagfs(verb, "--help", cwd=home.path.parent, cold=True).exits(0)
    assert told.err == ""
    assert told.out.startswith(f"usage: dagfs {verb}")
    assert re.search(rf"^  .*dagfs {verb}\b", told.out.partition("examples:")[2], re.MULTILINE), told
    assert home.dagfs("help", verb).exits(0).out == told.out
    assert not list(home.path.glob("runs"))


@pytest.mark.parametrize("verb", VERBS)
def test_an_option_that_is_not_there_is_one_line(home: Home, verb: str) -> None:
    home.dagfs(verb, "--is-not-there").exits(2).in_one_line().says("--help")


@pytest.mark.parametrize("verb", of("value", "lines"))
def test_json_is_data_and_nothing_else(failed: Home, verb: str) -> None:
    told = failed.dagfs("--color=always", *called(verb), "--json", env={"EDITOR": "true"})
    assert told.code in USES[verb].codes, told
    assert "\x1b" not in told.out
    for text in told.out.splitlines() if USES[verb].json == "lines" else [told.out]:
        json.loads(text)


@pytest.mark.parametrize("verb", of("events"))
def test_json_is_an_event_a_line(failed: Home, verb: str) -> None:
    told = failed.dagfs(*called(verb), "--json")
    assert told.code in USES[verb].codes, told
    assert told.events[0]["event"] in ("attempt_started", "attempt_resumed")
    assert told.events[-1]["event"] == "attempt_finished"


@pytest.mark.parametrize("verb", of("service"))
def test_a_service_says_in_json_that_it_is_ready_and_ends_as_asked(home: Home, verb: str) -> None:
    service = home.start(*called(verb), "--json")
    assert json.loads(service.line())["url"].startswith("http://127.0.0.1:")
    service.signal(signal.SIGTERM)
    service.wait().exits(0)


@pytest.mark.parametrize("topic", [*TOPICS, "exit-codes"])
def test_a_topic_fits_a_screen_and_is_listed(home: Home, topic: str) -> None:
    told = home.dagfs("help", topic).exits(0)
    assert told.err == ""
    assert 5 < len(told.out.splitlines()) < 30
    assert topic not in VERBS
    home.dagfs("help").exits(0).says(f"{topic} ")


# --- on a terminal


IN_WORDS = [verb for verb, use in USES.items() if not use.live and not use.silent and use.json != "service"]


@pytest.mark.parametrize("verb", IN_WORDS)
def test_on_a_terminal_it_is_shown_in_words_and_the_terminal_is_given_back(failed: Home, verb: str) -> None:
    environment = {
        **failed._environment(None),
        "TERM": "xterm-256color",
        "DAGFS_PAGER": "cat",
        "EDITOR": "true",
    }
    terminal = Terminal([DAGFS, *called(verb)], failed.path, environment, columns=100, lines=60)
    try:
        assert terminal.wait() in USES[verb].codes, str(terminal)
        assert terminal.text
        assert terminal.is_as_before
        assert terminal.cursor_is_visible
    finally:
        terminal.close()


@pytest.mark.parametrize("verb", [verb for verb, use in USES.items() if use.live])
def test_on_a_terminal_a_run_is_a_live_table(failed: Home, verb: str) -> None:
    environment = {**failed._environment(None), "TERM": "xterm-256color"}
    terminal = Terminal([DAGFS, *called(verb)], failed.path, environment)
    try:
        assert terminal.wait() in USES[verb].codes, str(terminal)
        assert b"\x1b[?25l" in terminal.raw, "no table was drawn"
        assert terminal.is_as_before
        assert terminal.cursor_is_visible
        assert USES[verb].live in " ".join(terminal.everything.split())
    finally:
        terminal.close()


# --- in a pipe


@pytest.mark.parametrize("verb", [verb for verb, use in USES.items() if use.json != "service"])
def test_in_a_pipe_there_is_no_colour(failed: Home, verb: str) -> None:
    told = failed.dagfs(*called(verb), env={"EDITOR": "true"}, cold=True)
    assert told.code in USES[verb].codes, told
    assert "\x1b" not in told.out


@pytest.mark.parametrize("verb", USES)
def test_a_reader_may_leave(failed: Home, verb: str) -> None:
    words = " ".join(called(verb))
    code = failed.shell(f"export EDITOR=true; {{ set +e; dagfs {words}; echo $? >code; }} | true; cat code")
    assert int(code) in (*USES[verb].codes, 141)


def test_completion_is_read_by_each_shell(home: Home, tmp_path: Path) -> None:
    for shell in ("bash", "zsh", "fish"):
        script = home.dagfs("completion", shell).exits(0).out
        assert all(re.search(rf"\b{verb}\b", script) for verb in VERBS), shell
    path = tmp_path / "completion.bash"
    path.write_text(home.dagfs("completion", "bash").out)
    assert os.system(f"bash -n {path}") == 0
