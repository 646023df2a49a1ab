"""Words explained at the desk: keys, settings, rules, exit codes, states, events; the schema for editors."""

from __future__ import annotations

import pytest

from dagfs.errors import ExitCode
from dagfs.model import event
from dagfs.model.state import RunState, StepState
from intg.home import Home


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("steps.retry_policy", "How often a failed try is repeated within an attempt"),
        ("steps.retryPolicy", "also written: retryPolicy"),
        ("steps[0].retryPolicy.maxIntervalSec", "The longest wait"),
        ("retryPolicy.backoff", "takes: true, false, or a number above 1"),
        ("params", "Values that may differ from run to run"),
        ("schedule.at", "schedule.start.at"),
        ("schedule.cron", "schedule.start.expression"),
        ("schedule.stop.at", "One instant"),
        ("schedule", "When runs start by themselves"),
        ("labels", "tags"),
        ("steps.container", "the name of a container, or a map"),
        ("otel", "without effect in this version"),
        ("stale.semantic", "lifted by: --on-stale rerun"),
        ("75", "another engine owns the run"),
        ("BUSY", "75 (exit code)"),
        ("upstream_failed", "(state of a step)"),
        ("UPSTREAM_FAILED", "(state of a step)"),
        ("step_kept", "(event)"),
        ("settings.grace_sec", "environment: DAGFS_GRACE_SEC"),
        ("DAGFS_STORE_GROUP", "settings.store.group (setting of dagfs.yaml)"),
        ("settings", "settings.dialect"),
    ],
)
def test_a_word_is_explained(home: Home, topic: str, expected: str) -> None:
    home.dagfs("explain", topic).exits(0).says(expected)


def test_every_code_state_and_event_can_be_explained(home: Home) -> None:
    names = {topic["name"] for topic in home.dagfs("explain", "--json").exits(0).json}
    events = {value for key, value in vars(event).items() if key.isupper() and isinstance(value, str)}
    codes = {str(code.value) for code in ExitCode}
    assert {*RunState, *StepState, *events, *codes} <= names


def test_a_rule_of_a_drop_in_is_explained_too(home: Home) -> None:
    folder = home.path / "plugins"
    folder.mkdir(mode=0o755)
    plugin = folder / "frozen.py"
    plugin.write_text(
        "from dagfs.hooks import hookimpl\nfrom dagfs.model.rule import Rule\n\n\n@hookimpl\ndef rules():\n"
        "    return [Rule('frozen.all', 'Nothing changes.', refused='everything')]\n"
    )
    plugin.chmod(0o644)
    home.dagfs("explain", "frozen.all").exits(0).says("Nothing changes.", "stops: everything")


def test_a_mistyped_word_is_guessed(home: Home) -> None:
    home.dagfs("explain", "steps.retry_polcy").exits(4).in_one_line().says("did you mean steps.retry_policy")
    home.dagfs("explain", "upstream_faild").exits(4).in_one_line().says("did you mean upstream_failed")
    home.dagfs("explain", "zzzzzz").exits(4).in_one_line().says("lists all topics")


def test_words_are_explained_without_a_home_and_in_a_broken_one(home: Home) -> None:
    elsewhere = home.file("elsewhere")
    elsewhere.mkdir()
    home.dagfs("explain", "stale.semantic", cwd=elsewhere).exits(0)
    home.settings("dialekt: auto\n")
    home.dagfs("explain", "settings.dialect").exits(0).says("DAGFS_DIALECT")


def test_the_list_has_every_kind(home: Home) -> None:
    home.dagfs("explain").exits(0).says(
        "key of a DAG file:", "rule:", "exit code:", "state of a step:", "event:", "setting of dagfs.yaml:"
    )


def test_schemas_are_printed_for_editors(home: Home) -> None:
    every = home.dagfs("schema").exits(0).json
    assert every["$schema"].endswith("2020-12/schema")
    assert {"working_dir", "workingDir"} <= set(every["properties"])
    one = home.dagfs("schema", "--dialect", "dagu1").exits(0).json
    assert "workingDir" in one["properties"]
    assert "working_dir" not in one["properties"]
    assert "store" in home.dagfs("schema", "--settings").exits(0).json["properties"]
    home.dagfs("schema", "--settings", "--dialect", "dagu1").exits(2).in_one_line()
