"""Cutoffs against a slow and obvious model: what every step would put out if all were run from the start.

Steps here compute: what one puts out is made of its text and of what it reads, and some put out the same
whatever they read. Runs fail, die and are edited; in the end everything must stand as if it had been made
anew, and nothing was done again that nobody needed.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from dagfs.model import event as ev
from dagfs.model.dag import Dag, Output, Step
from dagfs.model.edit import Action, Evidence
from dagfs.model.event import Event
from dagfs.model.fold import Fold
from dagfs.model.graph import ancestors
from dagfs.model.run import Attempt, AttemptHeader, StepRun
from dagfs.model.state import StepState
from dagfs.model.value import replace
from dagfs.planning.answers import Answers
from dagfs.planning.compat import Basis, compare
from dagfs.planning.cutoff import changed
from dagfs.planning.frontier import Frontier, Outcome, verdict
from dagfs.planning.plan import Plan
from dagfs.planning.retry import plan_retry
from dagfs.planning.selection import Selection
from tests.planning.scenes import PLUGINS, request

Values = Mapping[str, str]


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def some_dag(dice: random.Random) -> Dag:
    """Steps in a row, with some ways round."""
    found = []
    for n in range(dice.randint(3, 6)):
        parents = {n - 1, dice.randrange(max(1, n - 1))} if n > 1 and dice.random() < 0.3 else {n - 1}
        reads = dice.choice((f"echo $OUT{dice.randrange(max(1, n))}", "./program", "./program", "true"))
        found.append(
            Step(
                name=f"s{n}",
                command=(f"{reads} {dice.choice(('', '', 'lossy'))}",),
                depends=tuple(f"s{parent}" for parent in sorted(parents) if parent >= 0),
                output=Output(f"OUT{n}" if dice.random() < 0.85 else ""),
            )
        )
    return Dag(steps=tuple(found))


def computed(dag: Dag, step: Step, outputs: Values) -> str:
    """What the step puts out, by what it reads of the steps before it."""
    text = step.command[0]
    if "lossy" in text:
        return "always the same"
    seen = {name: outputs.get(name, "") for name in ancestors(step.name, dag.depends)}
    if "./" not in text:
        seen = {name: value for name, value in seen.items() if f"$OUT{name[1:]} " in f"{text} "}
    return sha(f"{text} {sorted(seen.items())}")


def all_anew(dag: Dag) -> dict[str, str]:
    """What the steps put out in a run from the start; a step without an output gives nothing."""
    found: dict[str, str] = {}
    for step in dag.steps:
        found[step.name] = computed(dag, step, found) if step.output.name else ""
    return found


@dataclass
class World:
    """The steps' work, attempt after attempt."""

    dag: Dag
    attempt: Attempt | None = None
    specs: dict[int, Dag] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)

    @property
    def last(self) -> Attempt:
        assert self.attempt is not None
        return self.attempt

    def outputs(self, fold: Fold) -> dict[str, str]:
        return {name: "".join(run.outputs.values()) for name, run in fold.steps.items()}

    def plan(self, answers: Answers) -> Plan:
        assert self.attempt is not None
        works = {name: run.prior or run for name, run in self.attempt.steps.items()}
        evidence = {name: Evidence(made=made(run)) for name, run in works.items() if run.state.is_success}
        bases = {n: Basis(dag) for n, dag in self.specs.items()}
        edit = compare(self.attempt, bases, Basis(self.dag), PLUGINS.classify, evidence)
        return plan_retry(
            edit, request(str([step.command for step in self.dag.steps]), answers), PLUGINS.check_edit
        )

    def carry_out(self, plan: Plan | None, failing: set[str], lives_for: int) -> None:
        """One attempt by its plan: to its end, or until its engine dies; nothing goes on alone here."""
        n = self.attempt.n + 1 if self.attempt else 1
        fold = Fold(AttemptHeader(n=n), self.dag.by_name, self.attempt)
        log = _Log(fold)
        log.note(ev.ATTEMPT_STARTED)
        for decision in plan.decisions if plan else ():
            data = {"step": decision.step, "attempt": decision.attempt}
            if decision.action is Action.DEFER:
                log.note(ev.STEP_DEFERRED, **data, against=dict(decision.against))
            elif decision.action is Action.LEAVE:
                log.note(ev.STEP_LEFT, **data)
            elif decision.action.is_keep:
                log.note(ev.STEP_KEPT, **data, stale=decision.action is Action.KEEP_STALE)
        self._work_off(log, failing, lives_for)
        self.attempt, self.specs[n] = fold.attempt(), self.dag

    def _work_off(self, log: _Log, failing: set[str], lives_for: int) -> None:
        runs = log.fold.steps
        done = {
            name: Outcome(run.state, run.tolerated)
            for name, run in runs.items()
            if run.state.is_settled or run.left
        }
        frontier = Frontier(self.dag, done)
        for _ in range(lives_for):
            for name, outcome in frontier.blocked():
                log.note(ev.STEP_FINISHED, step=name, state=outcome.state)
            name = frontier.take()
            if name is None:
                ends = [Outcome(run.state, run.tolerated) for run in runs.values()]
                log.note(ev.ATTEMPT_FINISHED, state=verdict(ends))
                return
            run = runs[name]
            if run.prior is not None and not changed(run, runs, made):
                log.note(ev.STEP_KEPT, step=name, attempt=run.prior.attempt)
                frontier.settle(name, Outcome(run.prior.state))
            else:
                frontier.settle(name, self._execute(log, name, name in failing))

    def _execute(self, log: _Log, name: str, fails: bool) -> Outcome:
        self.ran.append(name)
        log.note(ev.STEP_STARTED, step=name, **{"try": 1})
        step, state = self.dag.by_name[name], StepState.FAILED if fails else StepState.SUCCEEDED
        put_out = computed(self.dag, step, self.outputs(log.fold)) if step.output.name and not fails else ""
        data = {"outputs": {step.output.name: put_out}, "outputs_sha256": sha(put_out)} if put_out else {}
        log.note(ev.STEP_FINISHED, step=name, state=state, exit_code=int(fails), **data)
        return Outcome(state)


def made(run: StepRun) -> str:
    return run.outputs_sha256 if run.state.is_success else ""


@dataclass
class _Log:
    fold: Fold

    def note(self, name: str, **data: object) -> None:
        self.fold.apply(Event(self.fold.attempt().events + 1, "", name, data))


def edited(dice: random.Random, dag: Dag, most: int = 2) -> Dag:
    """Other text in some steps; now and then what a step had before."""
    for _ in range(dice.randint(0, most)):
        step = dice.choice(dag.steps)
        words = [word for word in step.command[0].split() if not word.startswith("#")]
        other = replace_step(step, f"{' '.join(words)} {dice.choice(('', '#1', '#2'))}")
        dag = Dag(steps=tuple(other if each is step else each for each in dag.steps))
    return dag


def selection(dice: random.Random, names: list[str]) -> Selection:
    name, kind = dice.choice(names), dice.random()
    if kind < 0.4:
        return Selection()
    if kind < 0.5:
        return Selection(to=name)
    return Selection(name, only=kind < 0.75)


def replace_step(step: Step, text: str) -> Step:
    return Step(name=step.name, command=(text,), depends=step.depends, output=step.output)


ASKED = (("*", "rerun"),)


def lives(dice: random.Random, seen: Counter[str]) -> None:
    """One world from its first run to the day on which all is well."""
    world = World(some_dag(dice))
    names = [step.name for step in world.dag.steps]
    world.carry_out(None, set(), 99)
    for _ in range(dice.randint(1, 3)):
        world.dag = edited(dice, world.dag)
        plan = world.plan(Answers(ASKED, selection=selection(dice, names), cutoff=dice.random() < 0.85))
        if plan.rejections:
            continue
        failing = {dice.choice(names)} if dice.random() < 0.3 else set()
        world.ran.clear()
        world.carry_out(plan, failing, dice.choice((99, 99, dice.randint(0, 4))))
        may = {each.step for each in plan.decisions if each.action.may_run}
        assert set(world.ran) <= may
        assert len(world.ran) == len(set(world.ran))
        seen["deferred"] += any(each.action is Action.DEFER for each in plan.decisions)
        seen["left open"] += any(run.prior is not None for run in world.last.steps.values())
    world.carry_out(world.plan(Answers(ASKED, cutoff=True)), set(), 99)
    assert {run.state for run in world.last.steps.values()} == {StepState.SUCCEEDED}
    if any(run.stale for run in world.last.steps.values()):
        seen["stale"] += 1
    else:
        found = {name: "".join(run.outputs.values()) for name, run in world.last.steps.items()}
        assert found == all_anew(world.dag), world.dag


@pytest.mark.parametrize("seed", range(6))
def test_in_the_end_all_stands_as_if_it_had_been_made_anew(seed: int) -> None:
    dice, seen = random.Random(seed), Counter[str]()
    for _ in range(100):
        lives(dice, seen)
    assert min(seen["deferred"], seen["left open"], 100 - seen["stale"]) > 10, seen


@pytest.mark.parametrize("seed", range(3))
def test_nothing_runs_that_would_read_the_same(seed: int) -> None:
    """Where every step puts something out, a finished one runs only if what it may read changed."""
    dice = random.Random(seed)
    for _ in range(60):
        plain = some_dag(dice)
        dag = Dag(steps=tuple(replace(each, output=Output(f"OUT{each.name[1:]}")) for each in plain.steps))
        world = World(dag)
        world.carry_out(None, set(), 99)
        world.dag = edited(dice, dag)
        own = {step.name for step in world.dag.steps if step.command != dag.by_name[step.name].command}
        first = dice.choice(dag.steps).name
        plan = world.plan(Answers(ASKED, selection=Selection() if own else Selection(first), cutoff=True))
        world.ran.clear()
        world.carry_out(plan, set(), 99)
        before, after = all_anew(dag), all_anew(world.dag)
        for name in set(world.ran) - (own or {first}):
            reads = may_read(world.dag, name)
            assert any(before[each] != after[each] for each in reads), f"{name} ran for nothing"


def may_read(dag: Dag, name: str) -> set[str]:
    step, above = dag.by_name[name], ancestors(name, dag.depends)
    named = {each for each in above if f"$OUT{each[1:]} " in f"{step.command[0]} "}
    return {*step.depends, *(above if "./" in step.command[0] else named)}
