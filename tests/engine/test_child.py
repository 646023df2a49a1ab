"""Errors of a command, read back from what it printed."""

from __future__ import annotations

import io

import pytest

from dagfs.cli.output import Output
from dagfs.engine.child import error_from
from dagfs.errors import (
    Busy,
    DagfsError,
    LostOwnership,
    NotFound,
    NothingToDo,
    PlanMoved,
    Problem,
    Refused,
    SpecError,
    StoreError,
    UsageError,
)

KINDS = (Busy, LostOwnership, NotFound, NothingToDo, PlanMoved, Refused, StoreError, UsageError)


def printed(error: DagfsError) -> str:
    err = io.StringIO()
    output = Output("never", io.StringIO(), err)
    output.say("plugin x was not loaded: dagfs has no such hook")
    output.error(error)
    return err.getvalue()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hint", [None, "do: this"])
def test_an_error_comes_back_as_what_it_was(kind: type[DagfsError], hint: str | None) -> None:
    error = error_from(kind.exit_code, printed(kind("what: it was", hint=hint)))
    assert (type(error), error.message, error.hint) == (kind, "what: it was", hint)


def test_every_problem_of_a_spec_comes_back() -> None:
    problems = [
        Problem("a: b.yaml", 2, 3, "unknown key: 'x'", "did you mean y?", "  x: 1"),
        Problem("a: b.yaml", 0, 0, "no steps"),
        Problem("a: b.yaml", 4, 1, "odd", None, "z", severity="warning"),
    ]
    error = error_from(3, printed(SpecError(problems)))
    assert isinstance(error, SpecError)
    assert [(p.line, p.column, p.message, p.hint, p.severity) for p in error.problems] == [
        (p.line, p.column, p.message, p.hint, p.severity) for p in problems
    ]


def test_what_is_no_error_of_ours_is_told_as_it_stands() -> None:
    assert error_from(1, "python: no such module\n").message == "python: no such module"
    assert error_from(99, "").message == "dagfs ended with 99"
    assert error_from(3, "nonsense").message == "nonsense"
