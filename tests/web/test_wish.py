"""What a form asks for, in the words of the command line."""

from __future__ import annotations

import argparse
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagfs.cli.asking import add_answers, add_changes, add_selection, answers
from dagfs.cli.parser import new_parser, parse_words
from dagfs.planning.plan import Answers
from dagfs.planning.selection import Selection
from dagfs.web.views.again import Again, again_from
from dagfs.web.views.wish import Wish, shown, wish_from

NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)


def heard(words: tuple[str, ...]) -> Answers:
    """What the command line makes of words."""
    parser = new_parser("plan", "", "")
    for add in (add_answers, add_selection, add_changes):
        add(parser)
    return answers(parse_words(parser, list(words), argparse.Namespace()))


def test_nothing_asked_for_is_no_option() -> None:
    assert wish_from({}, {}).all_options() == ()
    assert wish_from({"mode": ["unfinished"], "reason": [" "], "stale": [""]}, {}).all_options() == ()


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"mode": ["from"], "steps": ["load, report"]}, "--from 'load, report'"),
        ({"mode": ["only"], "steps": ["-load"]}, "--only=-load"),
        ({"mode": ["to"], "steps": ["load"]}, "--to load"),
        ({"mode": ["all"], "steps": ["load"]}, "--all"),
        ({"mode": ["all"], "steps": [], "param.x": []}, "--all"),
        ({"stale": ["rerun=a", "keep=b=c"], "stale_all": ["keep"]}, None),
        ({"allow": ["structure.add"], "ack": ["send"]}, "--allow structure.add --ack send"),
        ({"kill_orphans": ["yes"], "cutoff": ["no"]}, "--kill-orphans --no-cutoff"),
        (
            {"sets": ["a.x=1\r\n\r\nb.y=2"], "tags": ["one, two"]},
            "--set a.x=1 --set b.y=2 --tag one --tag two",
        ),
        ({"with": ["strace -f"], "with_steps": ["load"]}, "--with 'strace -f' --with-steps load"),
        ({"with_steps": ["load"]}, ""),
        ({"profile": ["local"], "timeout": ["90"]}, "--timeout 90 --profile local"),
        ({"reason": [" a\r\n b "]}, "--reason 'a b'"),
    ],
)
def test_a_form_is_a_command_line(form: dict[str, list[str]], words: str | None) -> None:
    said = wish_from(form, {}).all_options()
    if words is not None:
        assert shlex.join(said) == words
    heard(said)


def test_all_comes_before_each_so_that_each_counts() -> None:
    wish = wish_from({"stale": ["rerun=a", "keep=b=c", "nonsense=d", "keep="], "stale_all": ["keep"]}, {})
    found = heard(wish.options())
    assert found.on_stale == (("*", "keep"), ("a", "rerun"), ("b=c", "keep"))


def test_only_a_parameter_with_another_value_is_given() -> None:
    form = {"param.date": ["2026"], "param.text": ["a\r\nb"], "param.new": ["x"], "param.gone": [""]}
    wish = wish_from(form, {"date": "2026", "text": "a\nb", "other": "1"})
    assert wish.params == {"new": "x"}
    assert wish.options() == ("--param", "new=x")


def test_whoever_may_only_run_is_known_by_what_he_changes() -> None:
    assert not Wish(params={"a": "b"}, profile="local", stale={"*": "rerun"}).changes_text
    for wish in (Wish(sets=("a.b=1",)), Wish(wrapper="id"), Wish(profile="/etc/x"), Wish(profile="x.yml")):
        assert wish.changes_text


@given(step=NAMES, value=NAMES)
def test_any_name_and_value_arrives_as_it_was(step: str, value: str) -> None:
    wish = Wish(stale={step: "rerun"}, acknowledged=(step,), params={"p": value}, reason=value)
    found = heard(wish.all_options())
    assert found.on_stale == ((step, "rerun"),)
    assert found.acknowledged == (step,)
    assert found.params == (("p", value),)
    assert found.reason == value
    assert shlex.split(shown("plan", *wish.all_options())) == ["dagfs", "plan", *wish.all_options()]


def test_a_new_run_begins_anew_or_keeps_what_has_finished() -> None:
    assert Again(is_new=True).options(Wish(mode="all")) == ()
    assert Again().options(Wish()) == ("--from", "state:unfinished")
    wish = Wish(mode="only", steps="load", sets=("a.b=1",), wrapper="x", tags=("t",), timeout="1")
    again = again_from({"latest": ["yes"], "new_id": ["again-1"], "target": ["new"]})
    assert again.options(wish) == ("--latest", "--id", "again-1", "--only", "load")
    assert again.command("r", wish) == "dagfs rerun r --latest --id again-1 --only load"
    assert Selection() == heard(()).selection
