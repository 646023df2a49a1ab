"""What the completion scripts are made from."""

from __future__ import annotations

import importlib

import pytest

from dagfs.cli.completion import DAG, RUN, SHELLS, STEP, VERB, Option, Place, Verb, common, verbs
from dagfs.cli.main import VERBS

TRICKY = [
    Verb(
        "odd",
        'it\'s [this]: `$HOME` \\ "that"',
        (Option(("-x", "--ex"), "a 'quoted' [one]: \\ $(rm)", Place("text", ("a", "b"))),),
        (Place(RUN), Place(STEP, many=True)),
    )
]


def test_every_verb_is_there_with_its_places() -> None:
    found = {verb.name: verb for verb in verbs()}
    assert list(found) == list(VERBS)
    assert [place.kind for place in found["logs"].places] == [RUN, STEP]
    assert found["run"].places[0].kind == DAG
    assert found["wait"].places == (Place(RUN, (), True),)
    assert {"cron", "schedule.start.at", "settings.grace_sec", "75"} <= set(
        found["explain"].places[0].choices
    )
    assert found["help"].places[0].kind == VERB
    assert found["mark"].places[2].choices == ("succeeded", "failed", "skipped")
    assert any(option.names == ("-C",) for option in common())


def test_an_option_knows_whether_a_value_follows() -> None:
    run = next(verb for verb in verbs() if verb.name == "run")
    values = {option.names[-1]: option.value for option in run.options}
    assert values["--detach"] is None
    assert values["--dialect"] == Place("text", ("auto", "dagu1", "dagu2"))


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_hold_every_verb(shell: str) -> None:
    text = importlib.import_module(f"dagfs.cli.shells.{shell}").script(verbs(), common())
    assert all(verb in text for verb in VERBS)


def test_odd_words_are_quoted() -> None:
    zsh = importlib.import_module("dagfs.cli.shells.zsh").script(TRICKY, [])
    assert r"""'*--ex[a '\''quoted'\'' \[one\]\: \ $(rm)]:text:(a b)'""" in zsh
    fish = importlib.import_module("dagfs.cli.shells.fish").script(TRICKY, [])
    assert r"""-d 'a \'quoted\' [one]: \\ $(rm)'""" in fish
