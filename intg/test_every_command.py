"""What holds for every command, whatever it does: help, examples, JSON, a terminal and a pipe."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from dagfs.cli.main import VERBS
from dagfs.cli.topics import TOPICS
from intg.home import DAGFS, Home
from intg.screen import Terminal

DATA = {
    "status": ["r1"],
    "show": ["r1"],
    "runs": [],
    "ls": [],
    "validate": ["job"],
    "plan": ["r1"],
    "diff": ["r1"],
    "wait": ["r1"],
    "fsck": [],
    "plugins": [],
    "config": [],
    "doctor": [],
    "version": [],
    "explain": ["steps.run"],
}
"""Verbs whose `--json` is one value, with arguments that need no engine."""
STREAMS = {"run": ["job", "--id", "r2"], "rerun": ["r1", "--id", "r2"], "retry": ["r1"], "watch": ["r1"]}
"""Verbs whose `--json` is an event a line."""


@pytest.fixture
def failed(home: Home) -> Home:
    """A home with a failed run `r1`, and an edit that does not mend it."""
    home.dag("job", "steps: [{name: a, run: 'echo hi; false'}]\n")
    home.dagfs("run", "job", "--id", "r1").exits(1)
    home.edit(("echo hi", "echo ho"))
    return home


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_a_usage_line_what_it_does_and_examples(home: Home, verb: str) -> None:
    told = home.dagfs(verb, "--help", cwd=home.path.parent).exits(0)
    assert told.err == ""
    assert told.out.startswith(f"usage: dagfs {verb}")
    assert re.search(rf"^  .*dagfs {verb}\b", told.out.partition("examples:")[2], re.MULTILINE), told
    assert home.dagfs("help", verb).exits(0).out == told.out
    assert not list(home.path.glob("runs"))


@pytest.mark.parametrize("verb", VERBS)
def test_an_option_that_is_not_there_is_one_line(home: Home, verb: str) -> None:
    home.dagfs(verb, "--no-such-option").exits(2).in_one_line().says("--help")


@pytest.mark.parametrize("verb", DATA)
def test_json_is_one_value_and_nothing_else(failed: Home, verb: str) -> None:
    told = failed.dagfs(verb, *DATA[verb], "--json")
    assert told.code in (0, 1), told
    json.loads(told.out)
    coloured = failed.dagfs("--color=always", verb, *DATA[verb], "--json")
    assert "\x1b" not in coloured.out


@pytest.mark.parametrize("verb", STREAMS)
def test_json_is_an_event_a_line(failed: Home, verb: str) -> None:
    told = failed.dagfs(verb, *STREAMS[verb], "--json").exits(1)
    assert told.events[0]["event"] == "attempt_started"
    assert told.events[-1]["event"] == "attempt_finished"


@pytest.mark.parametrize("topic", [*TOPICS, "exit-codes"])
def test_a_topic_fits_a_screen_and_is_listed(home: Home, topic: str) -> None:
    told = home.dagfs("help", topic).exits(0)
    assert told.err == ""
    assert 5 < len(told.out.splitlines()) < 30
    assert topic not in VERBS
    home.dagfs("help").exits(0).says(f"{topic} ")


# --- on a terminal


@pytest.mark.parametrize("verb", [verb for verb in DATA if verb != "wait"])
def test_on_a_terminal_it_is_shown_in_words_and_the_terminal_is_given_back(failed: Home, verb: str) -> None:
    environment = {**failed._environment(None), "TERM": "xterm-256color", "DAGFS_PAGER": "cat"}
    terminal = Terminal([DAGFS, verb, *DATA[verb]], failed.path, environment, columns=100, lines=60)
    try:
        assert terminal.wait() in (0, 1), str(terminal)
        assert terminal.text
        assert terminal.is_as_before
        assert terminal.cursor_is_visible
    finally:
        terminal.close()


@pytest.mark.parametrize("verb", ["run", "rerun", "retry", "watch"])
def test_on_a_terminal_a_run_is_a_live_table(failed: Home, verb: str) -> None:
    environment = {**failed._environment(None), "TERM": "xterm-256color"}
    terminal = Terminal([DAGFS, verb, *STREAMS[verb]], failed.path, environment)
    try:
        assert terminal.wait() == 1, str(terminal)
        assert b"\x1b[?25l" in terminal.raw, "no table was drawn"
        assert terminal.is_as_before
        assert terminal.cursor_is_visible
        assert "✗ a failed" in " ".join(terminal.everything.split())
    finally:
        terminal.close()


@pytest.mark.parametrize("verb", [verb for verb in DATA if verb != "wait"])
def test_in_a_pipe_there_is_no_colour_and_a_reader_may_leave(failed: Home, verb: str) -> None:
    assert "\x1b" not in failed.dagfs(verb, *DATA[verb]).out
    words = " ".join([verb, *DATA[verb]])
    failed.shell(f"{{ dagfs {words}; test $? -le 1 -o $? -eq 141; }} | true")


def test_completion_is_read_by_each_shell(home: Home, tmp_path: Path) -> None:
    for shell in ("bash", "zsh", "fish"):
        script = home.dagfs("completion", shell).exits(0).out
        assert all(re.search(rf"\b{verb}\b", script) for verb in VERBS), shell
    path = tmp_path / "completion.bash"
    path.write_text(home.dagfs("completion", "bash").out)
    assert os.system(f"bash -n {path}") == 0
