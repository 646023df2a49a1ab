"""What children are given changes: the plan says that they start over, and the retry does just that."""

from __future__ import annotations

import pytest

from intg.home import Home

EACH = """
type: graph
params: [mode: bad, other: "1"]
steps:
  - name: each
    foreach:
      items: [1, 2]
      steps:
        - {name: slow, run: 'echo slow ${foreach.item} >> "$DAG_DESK/done"'}
        - {name: fin, depends: slow, run: 'test ${foreach.item} != 2 || test -e "$DAG_DESK/mended"'}
"""
CALL = """
type: graph
params: [mode: bad, other: "1"]
steps:
  - {name: kid, call: inner, params: 'MODE=${mode}'}
---
name: inner
type: graph
params: [MODE: x]
steps:
  - {name: fetch, run: 'echo fetch >> "$DAG_DESK/done"', idempotent: false}
  - {name: fin, depends: fetch, run: 'test "$MODE" = good'}
"""


def test_a_body_that_sees_another_parameter_starts_over(home: Home) -> None:
    home.dag("each", EACH)
    home.dagfs("run", "each").exits(1)
    home.file("mended").touch()
    home.dagfs("plan").says("goes on: compatible: 1 kept, 1 to run").never_says("start over")
    home.dagfs("plan", "@", "-p", "other=2").exits(0).says("its children start over").never_says("goes on:")
    home.dagfs("retry", "@", "-p", "other=2").exits(0)
    assert sorted(home.lines("done")) == ["slow 1", "slow 1", "slow 2", "slow 2"]


@pytest.mark.parametrize(
    "words", [("-p", "mode=good"), ("--set", "kid.params=MODE=good")], ids=["param", "text"]
)
def test_a_child_that_is_given_something_else_starts_over_and_effects_are_asked_for(
    home: Home, words: tuple[str, ...]
) -> None:
    home.dag("calls", CALL)
    home.dagfs("run", "calls").exits(1)
    home.dagfs("plan", "@", *words).exits(5).says("its children start over", "effects.ack", "fetch")
    home.dagfs("retry", "@", *words).exits(5)
    assert home.lines("done") == ["fetch"]


def test_a_parameter_that_a_child_is_not_given_changes_nothing_for_it(home: Home) -> None:
    home.dag("calls", CALL)
    home.dagfs("run", "calls").exits(1)
    home.dagfs("plan", "@", "-p", "other=2").exits(0).says("goes on: compatible: 1 kept, 1 to run")
    home.dagfs("retry", "@", "-p", "other=2").exits(1)
    assert home.lines("done") == ["fetch"]
