"""The graph while it runs: what may start, what no longer can, and how a run has ended."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagfs.model.dag import ContinueOn, Dag, Step
from dagfs.model.state import RunState, StepState
from dagfs.planning.frontier import Frontier, Outcome, verdict
from tests.planning.calls import calls_of

SUCCEEDED, FAILED, SKIPPED = (
    Outcome(StepState.SUCCEEDED),
    Outcome(StepState.FAILED),
    Outcome(StepState.SKIPPED),
)
TOLERATED = Outcome(StepState.FAILED, tolerated=True)
STOPPED = Outcome(StepState.ABORTED)


def dag(**depends: str) -> Dag:
    return Dag(steps=tuple(Step(name=name, depends=tuple(text.split())) for name, text in depends.items()))


def taken(frontier: Frontier) -> list[str]:
    found = []
    while (name := frontier.take()) is not None:
        found.append(name)
    return found


def test_steps_without_parents_start_in_the_order_of_the_spec() -> None:
    frontier = Frontier(dag(c="", a="", b="a c"))
    assert frontier.has_ready()
    assert taken(frontier) == ["c", "a"]
    assert not frontier.has_ready()


def test_a_step_starts_once_its_last_parent_is_done() -> None:
    frontier = Frontier(dag(a="", b="", c="a b"))
    taken(frontier)
    frontier.settle("b", SUCCEEDED)
    assert taken(frontier) == []
    frontier.settle("a", SUCCEEDED)
    assert taken(frontier) == ["c"]


def test_behind_a_failure_nothing_starts_and_other_branches_go_on() -> None:
    frontier = Frontier(dag(a="", b="a", c="b", other="", more="other"))
    taken(frontier)
    frontier.settle("a", FAILED)
    frontier.settle("other", SUCCEEDED)
    assert frontier.blocked() == [
        ("b", Outcome(StepState.UPSTREAM_FAILED, reason="upstream a: failed")),
        ("c", Outcome(StepState.UPSTREAM_FAILED, reason="upstream b: upstream_failed")),
    ]
    assert frontier.blocked() == []
    assert taken(frontier) == ["more"]


def test_behind_a_skipped_step_all_is_skipped_unless_it_says_otherwise() -> None:
    frontier = Frontier(dag(a="", b="a", c="b"))
    frontier.settle("a", SKIPPED)
    assert [(name, outcome.state) for name, outcome in frontier.blocked()] == [
        ("b", StepState.SKIPPED),
        ("c", StepState.SKIPPED),
    ]
    lenient = Dag(
        steps=(Step(name="a", continue_on=ContinueOn(skipped=True)), Step(name="b", depends=("a",)))
    )
    frontier = Frontier(lenient)
    taken(frontier)
    frontier.settle("a", SKIPPED)
    assert taken(frontier) == ["b"]


def test_behind_a_tolerated_failure_all_goes_on() -> None:
    frontier = Frontier(dag(a="", b="a"))
    taken(frontier)
    frontier.settle("a", TOLERATED)
    assert taken(frontier) == ["b"]


def test_a_failure_weighs_more_than_a_skip() -> None:
    frontier = Frontier(dag(a="", b="", c="a b"))
    frontier.settle("a", SKIPPED)
    frontier.settle("b", FAILED)
    assert [outcome.state for _, outcome in frontier.blocked()] == [StepState.UPSTREAM_FAILED]


@pytest.mark.parametrize("state", [StepState.LOST, StepState.REJECTED])
def test_behind_a_lost_or_rejected_step_nothing_starts(state: StepState) -> None:
    frontier = Frontier(dag(a="", b="a"))
    frontier.settle("a", Outcome(state))
    assert [outcome.state for _, outcome in frontier.blocked()] == [StepState.UPSTREAM_FAILED]


def test_what_stands_behind_a_stopped_step_has_not_started() -> None:
    frontier = Frontier(dag(a="", b="a", c="b"))
    taken(frontier)
    frontier.settle("a", STOPPED)
    assert frontier.blocked() == []
    assert taken(frontier) == []
    assert set(frontier.outcomes) == {"a"}


def test_a_stop_weighs_more_than_a_skip_and_less_than_a_failure() -> None:
    for second, blocked in ((SKIPPED, []), (FAILED, [StepState.UPSTREAM_FAILED])):
        for first in ("a", "b"):
            frontier = Frontier(dag(a="", b="", c="a b"))
            frontier.settle("a", STOPPED if first == "a" else second)
            frontier.settle("b", second if first == "a" else STOPPED)
            assert [outcome.state for _, outcome in frontier.blocked()] == blocked
            assert taken(frontier) == ["a", "b"]


def test_kept_steps_never_start_whatever_settles_before_them() -> None:
    frontier = Frontier(dag(a="", b="a", c="b"), {"b": SUCCEEDED})
    assert taken(frontier) == ["a", "c"]
    frontier.settle("a", SUCCEEDED)
    assert taken(frontier) == []
    frontier = Frontier(dag(a="", b="a", c="b"), {"b": SUCCEEDED})
    frontier.settle("a", FAILED)
    assert frontier.blocked() == []


def test_a_parent_named_twice_counts_once() -> None:
    frontier = Frontier(dag(a="", b="a a"))
    taken(frontier)
    frontier.settle("a", SUCCEEDED)
    assert taken(frontier) == ["b"]


# -- against a model that works everything out anew ------------------------------------------------

STATES = [
    StepState.SUCCEEDED,
    StepState.PARTIALLY_SUCCEEDED,
    StepState.FAILED,
    StepState.SKIPPED,
    StepState.ABORTED,
    StepState.LOST,
]


def expected(graph: Dag, settled: Mapping[str, Outcome]) -> tuple[set[str], dict[str, StepState]]:
    """Which steps may start and which cannot, from the settled ones alone."""
    states: dict[str, Outcome] = dict(settled)
    blocked: dict[str, StepState] = {}
    changed = True
    while changed:
        changed = False
        for step in graph.steps:
            if step.name in states or not all(parent in states for parent in step.depends):
                continue
            state = _barred(graph, step, states)
            if state is not None and state is not StepState.NOT_STARTED:
                states[step.name] = Outcome(state)
                blocked[step.name] = state
                changed = True
    ready = {
        step.name
        for step in graph.steps
        if step.name not in states
        and all(parent in states for parent in step.depends)
        and _barred(graph, step, states) is None
    }
    return ready, blocked


def _barred(graph: Dag, step: Step, states: Mapping[str, Outcome]) -> StepState | None:
    found = set()
    for parent in step.depends:
        outcome = states[parent]
        if outcome.tolerated or outcome.state in (StepState.SUCCEEDED, StepState.PARTIALLY_SUCCEEDED):
            continue
        if outcome.state is StepState.SKIPPED:
            if not graph.by_name[parent].continue_on.skipped:
                found.add(StepState.SKIPPED)
        elif outcome.state is StepState.ABORTED:
            found.add(StepState.NOT_STARTED)
        else:
            found.add(StepState.UPSTREAM_FAILED)
    order = (StepState.UPSTREAM_FAILED, StepState.NOT_STARTED, StepState.SKIPPED)
    return next((state for state in order if state in found), None)


@st.composite
def graphs(draw: st.DrawFn) -> Dag:
    count = draw(st.integers(1, 8))
    steps = []
    for n in range(count):
        parents = draw(st.lists(st.sampled_from(range(n)), unique=True, max_size=3)) if n else []
        skipped = draw(st.booleans())
        steps.append(
            Step(
                name=f"s{n}",
                depends=tuple(f"s{parent}" for parent in parents),
                continue_on=ContinueOn(skipped=skipped),
            )
        )
    return Dag(steps=tuple(draw(st.permutations(steps))))


@settings(max_examples=80, deadline=None)
@given(graphs(), st.data())
def test_the_frontier_agrees_with_a_model_that_works_everything_out_anew(
    graph: Dag, data: st.DataObject
) -> None:
    names = [step.name for step in graph.steps]
    kept = data.draw(st.lists(st.sampled_from(names), unique=True, max_size=3), label="kept")
    settled = dict.fromkeys(kept, SUCCEEDED)
    frontier = Frontier(graph, settled)
    started: set[str] = set()
    blocked: dict[str, StepState] = {}
    while True:
        while (name := frontier.take()) is not None:
            assert name not in started
            started.add(name)
        blocked |= {name: outcome.state for name, outcome in frontier.blocked()}
        ready, barred = expected(graph, settled)
        assert started == ready | (settled.keys() - kept)
        assert blocked == barred
        open_ = sorted(started - settled.keys())
        if not open_:
            break
        name = data.draw(st.sampled_from(open_), label="ends")
        outcome = Outcome(data.draw(st.sampled_from(STATES), label="as"), tolerated=data.draw(st.booleans()))
        if outcome.state is not StepState.FAILED:
            outcome = Outcome(outcome.state)
        settled[name] = outcome
        frontier.settle(name, outcome)


def test_following_a_graph_is_linear_in_its_edges() -> None:
    def follow(layers: int) -> None:
        names = [(f"l{n}a", f"l{n}b") for n in range(layers)]
        steps = [Step(name=each) for each in names[0]]
        for above, below in pairwise(names):
            steps += [Step(name=each, depends=above) for each in below]
        frontier = Frontier(Dag(steps=tuple(steps)))
        while (name := frontier.take()) is not None:
            frontier.settle(name, SUCCEEDED)
        assert len(frontier.outcomes) == 2 * layers

    assert calls_of(lambda: follow(80)) < 2.2 * calls_of(lambda: follow(40))


# -- how a run has ended ---------------------------------------------------------------------------

S, P, F, K = (StepState.SUCCEEDED, StepState.PARTIALLY_SUCCEEDED, StepState.FAILED, StepState.SKIPPED)


@pytest.mark.parametrize(
    ("ends", "stopped", "timed_out", "state"),
    [
        ([S, S], False, False, RunState.SUCCEEDED),
        ([], False, False, RunState.SUCCEEDED),
        ([K, K], False, False, RunState.SUCCEEDED),
        ([S, K], False, False, RunState.SUCCEEDED),
        ([S, F], False, False, RunState.FAILED),
        ([S, F, StepState.UPSTREAM_FAILED], False, False, RunState.FAILED),
        ([S, StepState.LOST], False, False, RunState.FAILED),
        ([S, StepState.ABORTED], False, False, RunState.FAILED),
        ([S, TOLERATED], False, False, RunState.PARTIALLY_SUCCEEDED),
        ([TOLERATED, P], False, False, RunState.PARTIALLY_SUCCEEDED),
        ([P, S], False, False, RunState.PARTIALLY_SUCCEEDED),
        ([TOLERATED, TOLERATED], False, False, RunState.FAILED),
        ([TOLERATED, K], False, False, RunState.FAILED),
        ([S, TOLERATED, F], False, False, RunState.FAILED),
        ([S, StepState.WAITING, StepState.NOT_STARTED], False, False, RunState.WAITING),
        ([S, StepState.WAITING, F], False, False, RunState.WAITING),
        ([S, StepState.WAITING, F], True, False, RunState.ABORTED),
        ([S, StepState.REJECTED, StepState.UPSTREAM_FAILED], False, False, RunState.REJECTED),
        ([S, StepState.REJECTED], True, False, RunState.REJECTED),
        ([S, StepState.ABORTED, StepState.NOT_STARTED], True, False, RunState.ABORTED),
        ([S, F, StepState.ABORTED], True, False, RunState.ABORTED),
        ([StepState.NOT_STARTED], True, False, RunState.ABORTED),
        ([S, StepState.ABORTED], False, True, RunState.FAILED),
        ([S, StepState.ABORTED], True, True, RunState.FAILED),
        ([S, StepState.NOT_STARTED], False, False, RunState.FAILED),
        ([S, StepState.RUNNING], False, False, RunState.FAILED),
        ([S, StepState.RETRYING], False, False, RunState.FAILED),
    ],
)
def test_a_run_ends_as_its_steps_did(
    ends: list[StepState | Outcome], stopped: bool, timed_out: bool, state: RunState
) -> None:
    outcomes = [end if isinstance(end, Outcome) else Outcome(end) for end in ends]
    assert verdict(outcomes, stopped=stopped, timed_out=timed_out) is state
    assert verdict(reversed(outcomes), stopped=stopped, timed_out=timed_out) is state
