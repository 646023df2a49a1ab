"""The planner against a slow and obvious model, on random runs, edits and answers.

Runs are made by the frontier and told by events, attempt after attempt, so every state is one that a
real run can come to. The model knows nothing of the planner's ways: it compares whole fields, looks
for names as words in text, and repeats whole passes over the graph until nothing changes any more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from dagfs.model import event as ev
from dagfs.model.dag import Condition, ContinueOn, Dag, Output, Param, Step, Variable
from dagfs.model.edit import Action, Edit, Severity
from dagfs.model.event import Event
from dagfs.model.fold import Fold
from dagfs.model.run import Attempt, AttemptHeader
from dagfs.model.state import StepState
from dagfs.planning.answers import Answers
from dagfs.planning.compat import Basis, compare
from dagfs.planning.frontier import Frontier, Outcome, verdict
from dagfs.planning.plan import Plan, Verdict
from dagfs.planning.retry import plan_retry
from tests.planning.scenes import PLUGINS, request

COMMANDS = ("true", "echo $P", "echo ${E}", "./program", "./other $P $Q", "cat $OUT0", "echo $OUT1")
STRUCTURE = ("structure.add", "structure.remove", "structure.rename", "structure.depends")


# -- random specs ----------------------------------------------------------------------------------


@st.composite
def steps(draw: st.DrawFn, n: int) -> Step:
    parents = draw(st.lists(st.integers(0, n - 1), unique=True, max_size=3)) if n else []
    return Step(
        name=f"s{n}",
        command=(draw(st.sampled_from(COMMANDS)),),
        depends=tuple(f"s{parent}" for parent in parents),
        output=Output(f"OUT{n}" if draw(st.booleans()) else ""),
        continue_on=ContinueOn(failure=draw(st.booleans()), skipped=draw(st.booleans())),
        preconditions=(Condition("$Q", "x"),) if draw(st.integers(0, 3)) == 0 else (),
    )


@st.composite
def dags(draw: st.DrawFn) -> Dag:
    found = [draw(steps(n)) for n in range(draw(st.integers(1, 6)))]
    return Dag(params=(Param("P", "1"), Param("Q", "1")), env=(Variable("E", "e$P"),), steps=tuple(found))


@dataclass(frozen=True)
class Spec:
    """A DAG, its parameters, and its text, which also differs by comments."""

    dag: Dag
    params: Mapping[str, str]
    comment: str = ""

    @property
    def text(self) -> str:
        return f"{self.dag!r} # {self.comment}"


EDITS = (
    *("nothing", "comment", "command", "timeout", "step_env", "output", "condition", "description"),
    *("dag_env", "param", "depends", "rename", "add", "remove", "continue_on"),
)


@st.composite
def edits(draw: st.DrawFn, spec: Spec) -> Spec:
    for _ in range(draw(st.integers(0, 3))):
        spec = _edited(draw, spec, draw(st.sampled_from(EDITS)))
    return spec


def _edited(draw: st.DrawFn, spec: Spec, kind: str) -> Spec:
    dag = spec.dag
    step = dag.by_name[draw(st.sampled_from(list(dag.by_name)))]
    if kind == "comment":
        return replace(spec, comment=spec.comment + "!")
    if kind == "param":
        return replace(
            spec, params={**spec.params, draw(st.sampled_from("PQ")): draw(st.sampled_from("123"))}
        )
    if kind == "dag_env":
        return replace(spec, dag=replace(dag, env=(Variable("E", draw(st.sampled_from(("e$P", "f")))),)))
    if kind == "rename" and "new" not in dag.by_name:
        return replace(spec, dag=_renamed(dag, step.name))
    if kind == "remove" and len(dag.steps) > 1:
        return replace(spec, dag=_removed(dag, step.name))
    if kind == "add" and "extra" not in dag.by_name:
        return replace(spec, dag=_added(draw, dag, step))
    if kind == "depends":
        names = list(dag.by_name)
        before = names[: names.index(step.name)]
        parents = draw(st.lists(st.sampled_from(before), unique=True)) if before else []
        return replace(spec, dag=_with(dag, replace(step, depends=tuple(parents))))
    return replace(spec, dag=_with(dag, _changed(draw, step, kind)))


def _changed(draw: st.DrawFn, step: Step, kind: str) -> Step:
    if kind == "command":
        return replace(step, command=(draw(st.sampled_from(COMMANDS)),))
    if kind == "timeout":
        return replace(step, timeout_sec=draw(st.integers(1, 3)))
    if kind == "description":
        return replace(step, description=step.description + "words ")
    if kind == "step_env":
        return replace(step, env=(Variable("E", draw(st.sampled_from(("1", "$E")))),))
    if kind == "output":
        return replace(step, output=Output(draw(st.sampled_from(("", "OUT0", "OTHER")))))
    if kind == "condition":
        return replace(step, preconditions=() if step.preconditions else (Condition("$Q", "y"),))
    if kind == "continue_on":
        return replace(step, continue_on=ContinueOn(skipped=not step.continue_on.skipped))
    return step


def _with(dag: Dag, step: Step) -> Dag:
    return replace(dag, steps=tuple(step if each.name == step.name else each for each in dag.steps))


def _renamed(dag: Dag, name: str) -> Dag:
    return replace(
        dag,
        steps=tuple(
            replace(
                each,
                name="new" if each.name == name else each.name,
                depends=tuple("new" if parent == name else parent for parent in each.depends),
            )
            for each in dag.steps
        ),
    )


def _removed(dag: Dag, name: str) -> Dag:
    rest = [each for each in dag.steps if each.name != name]
    return replace(
        dag,
        steps=tuple(
            replace(each, depends=tuple(parent for parent in each.depends if parent != name)) for each in rest
        ),
    )


def _added(draw: st.DrawFn, dag: Dag, near: Step) -> Dag:
    """A new step behind another, or before it."""
    if draw(st.booleans()):
        return replace(dag, steps=(*dag.steps, Step(name="extra", command=("./x",), depends=(near.name,))))
    changed = _with(dag, replace(near, depends=(*near.depends, "extra")))
    return replace(changed, steps=(Step(name="extra", command=("./x",)), *changed.steps))


# -- random runs -----------------------------------------------------------------------------------


@st.composite
def attempts(
    draw: st.DrawFn, dag: Dag, n: int, base: Attempt | None = None, plan: Plan | None = None
) -> Attempt:
    """An attempt as its events tell it: to its end, or to where its engine died."""
    log = _Log(Fold(AttemptHeader(n=n), dag.by_name, base))
    log.note(ev.ATTEMPT_STARTED)
    under_way = set()
    for decision in plan.decisions if plan else ():
        data = {"step": decision.step, "attempt": decision.attempt}
        if decision.action.is_keep:
            log.note(ev.STEP_KEPT, **data, stale=decision.action is Action.KEEP_STALE)
        elif decision.action is Action.ADOPT:
            log.note(ev.STEP_ADOPTED, **data)
            under_way.add(decision.step)
    settled = {
        name: Outcome(run.state, run.tolerated)
        for name, run in log.fold.steps.items()
        if run.state.is_settled
    }
    frontier = Frontier(dag, settled)
    lives_for = draw(st.integers(0, 12) | st.just(99))
    for _ in range(lives_for):
        while (name := frontier.take()) is not None:
            if name not in under_way:
                under_way.add(name)
                _start(draw, log, dag.by_name[name])
        for name, outcome in frontier.blocked():
            log.note(ev.STEP_FINISHED, step=name, state=outcome.state)
        if not under_way:
            ends = [Outcome(run.state, run.tolerated) for run in log.fold.steps.values()]
            log.note(ev.ATTEMPT_FINISHED, state=verdict(ends))
            break
        name = draw(st.sampled_from(sorted(under_way)))
        under_way.remove(name)
        frontier.settle(name, _end(draw, log, dag.by_name[name]))
    return log.fold.attempt()


@dataclass
class _Log:
    fold: Fold

    def note(self, name: str, **data: object) -> None:
        self.fold.apply(Event(self.fold.attempt().events + 1, "", name, data))


def _start(draw: st.DrawFn, log: _Log, step: Step) -> None:
    if not (step.preconditions and draw(st.booleans())):
        log.note(ev.STEP_STARTED, step=step.name, **{"try": 1})


def _end(draw: st.DrawFn, log: _Log, step: Step) -> Outcome:
    if log.fold.step(step.name).state is StepState.NOT_STARTED:
        outcome = Outcome(StepState.SKIPPED)
    else:
        usual = [StepState.SUCCEEDED, StepState.SUCCEEDED, StepState.FAILED]
        state = draw(
            st.sampled_from([*usual, StepState.ABORTED, StepState.LOST, StepState.PARTIALLY_SUCCEEDED])
        )
        outcome = Outcome(state, tolerated=state is StepState.FAILED and step.continue_on.failure)
    outputs = {step.output.name: "v"} if step.output.name and outcome.state.is_success else {}
    log.note(
        ev.STEP_FINISHED, step=step.name, state=outcome.state, tolerated=outcome.tolerated, outputs=outputs
    )
    return outcome


@st.composite
def answers(draw: st.DrawFn) -> Answers:
    names = st.sampled_from(("*", "s0", "s1", "s2"))
    return Answers(
        on_stale=tuple(
            draw(st.lists(st.tuples(names, st.sampled_from(("rerun", "keep", "error"))), max_size=2))
        ),
        allow=tuple(draw(st.lists(st.sampled_from(STRUCTURE), unique=True, max_size=4))),
        reason="because",
        kill_orphans=draw(st.booleans()),
    )


# -- the model -------------------------------------------------------------------------------------


def is_unfinished(edit: Edit, name: str) -> bool:
    run = edit.attempt.steps.get(name)
    if run is None:
        return True
    hard = any(
        each.state not in (StepState.SUCCEEDED, StepState.PARTIALLY_SUCCEEDED, StepState.SKIPPED)
        and not each.tolerated
        for each in edit.attempt.steps.values()
    )
    if run.tolerated:
        return not hard
    if run.state is StepState.RUNNING:
        return edit.kill_orphans
    return run.state not in (StepState.SUCCEEDED, StepState.PARTIALLY_SUCCEEDED, StepState.SKIPPED)


def mentions(step: Step, name: str, dag: Dag) -> bool:
    """Whether a step's text has the name, or that of a variable whose text has it."""
    own = {variable.name: variable.value for variable in step.env}
    text = " ".join((*step.command, *(condition.condition for condition in step.preconditions)))
    words = set(re.findall(r"\w+", text))
    if "E" in words and "E" in own:
        words = (words - {"E"}) | set(re.findall(r"\w+", own["E"]))
    elif own:
        words |= set(re.findall(r"\w+", own["E"]))
    if "E" in words:
        words |= set(re.findall(r"\w+", next(each.value for each in dag.env).removeprefix("e")))
    return name in words


def is_stale(edit: Edit, step: Step, before: Spec, after: Spec) -> bool:
    """Whether a finished step's work might come out differently now, so that somebody must say so."""
    old = before.dag.by_name[step.name]
    if (old.command, old.env, old.output, old.preconditions) != (
        step.command,
        step.env,
        step.output,
        step.preconditions,
    ):
        return True
    runs_programs = "./" in step.command[0]
    for name in before.params.keys() | after.params.keys():
        differs = before.params.get(name) != after.params.get(name)
        if differs and (runs_programs or mentions(step, name, after.dag)):
            return True
    return before.dag.env != after.dag.env and mentions(step, "E", after.dag)


def expected(edit: Edit, bases: Mapping[int, Spec], after: Spec, given: Answers) -> tuple[set[str], set[str]]:
    """The steps that run, and those that are adopted, by passes over the whole graph."""
    running = {name for name in edit.new.by_name if is_unfinished(edit, name)}
    for step in edit.new.steps:
        run = edit.attempt.steps.get(step.name)
        if run is None or step.name in running:
            continue
        before = bases[run.basis or edit.attempt.n]
        if run.state is StepState.SKIPPED:
            if _judged_again(edit, step, before, after):
                running.add(step.name)
        elif run.state is not StepState.RUNNING:
            stale = is_stale(edit, step, before, after)
            running |= {step.name} if stale and given.stale_answer(step.name) == "rerun" else set()
    adopted = {
        name
        for name, run in edit.attempt.steps.items()
        if run.state is StepState.RUNNING and not edit.kill_orphans and name in edit.new.by_name
    }
    while True:
        behind = {step.name for step in edit.new.steps if {*step.depends} & (running | adopted)}
        if behind <= running:
            return running, adopted - running
        running |= behind


def _judged_again(edit: Edit, step: Step, before: Spec, after: Spec) -> bool:
    old = before.dag.by_name[step.name]
    if old.preconditions != step.preconditions:
        return True
    changed = {name for name in "PQ" if before.params[name] != after.params[name]}
    changed |= {"E"} if before.dag.env != after.dag.env else set()
    used = {"Q"} | ({"E"} if step.env and "$E" in step.env[0].value else set())
    used |= {"P"} if "E" in used and "$P" in after.dag.env[0].value else set()
    if step.preconditions and used & changed:
        return True
    return any(
        parent in before.dag.by_name
        and edit.state(parent).state is StepState.SKIPPED
        and before.dag.by_name[parent].continue_on != edit.new.by_name[parent].continue_on
        for parent in step.depends
    )


# -- what must hold --------------------------------------------------------------------------------


def propose(attempt: Attempt, bases: Mapping[int, Spec], after: Spec, given: Answers) -> Plan:
    edit = compare(
        attempt,
        {n: Basis(spec.dag, spec.params) for n, spec in bases.items()},
        Basis(after.dag, after.params),
        PLUGINS.classify,
    )
    return plan_retry(edit, request(after.text, given), PLUGINS.check_edit)


def check(plan: Plan, bases: Mapping[int, Spec], after: Spec, given: Answers) -> None:
    edit = plan.edit
    running, adopted = expected(edit, bases, after, given)
    by_action = {action: {each.step for each in plan.decisions if each.action is action} for action in Action}
    assert by_action[Action.RUN] == running
    assert by_action[Action.ADOPT] == adopted
    assert [each.step for each in plan.decisions] == list(edit.new.by_name)
    check_kept(plan, bases, after, given)
    check_verdict(plan, bases, after, given)


def check_kept(plan: Plan, bases: Mapping[int, Spec], after: Spec, given: Answers) -> None:
    """Nothing is kept that is not done, and nothing that may be stale is kept in silence."""
    edit = plan.edit
    for decision in plan.decisions:
        if not decision.action.is_keep:
            continue
        run, step = edit.attempt.steps[decision.step], edit.new.by_name[decision.step]
        assert run.state.is_success or run.state is StepState.SKIPPED or run.tolerated
        assert decision.attempt == run.attempt
        asked = any(each.step == step.name and each.severity is Severity.ASK for each in plan.findings)
        stale = run.state is not StepState.SKIPPED and is_stale(
            edit, step, bases[run.basis or edit.attempt.n], after
        )
        assert asked == stale
        answer = given.stale_answer(step.name)
        assert (decision.action is Action.KEEP_STALE) == ((stale and answer == "keep") or run.stale)
        if stale and answer == "error":
            assert plan.verdict in (Verdict.NEEDS_ANSWER, Verdict.REFUSED)


def check_verdict(plan: Plan, bases: Mapping[int, Spec], after: Spec, given: Answers) -> None:
    edit, old = plan.edit, bases[plan.edit.attempt.n].dag
    all_kept = all(each.action.is_keep for each in plan.decisions)
    whole = edit.attempt.state in ("succeeded", "partially_succeeded")
    stopped = bool(plan.rejections or plan.questions)
    assert (plan.verdict is Verdict.NOTHING_TO_DO) == (all_kept and whole and not stopped)
    assert (plan.verdict is Verdict.REFUSED) == bool(plan.rejections)
    shape = {step.name: {*step.depends} for step in old.steps}
    same_shape = shape == {step.name: {*step.depends} for step in after.dag.steps}
    broken = {each.rule for each in plan.findings if each.rule.startswith("structure.")}
    assert bool(broken) == (not same_shape)
    for each in plan.findings:
        if plan.lifts(each):
            assert each.allowable
            assert each.rule in given.allow
        elif each.severity is Severity.REJECT:
            assert plan.verdict is Verdict.REFUSED
    if not same_shape and plan.verdict is not Verdict.REFUSED:
        check_harmless(plan, bases, after, given)


def check_harmless(plan: Plan, bases: Mapping[int, Spec], after: Spec, given: Answers) -> None:
    """What an allowed change of shape does to finished work: nothing."""
    edit, old = plan.edit, bases[plan.edit.attempt.n].dag
    assert not edit.renamed
    assert all(not edit.attempt.steps[name].ever_started for name in edit.removed)
    steps = [
        replace(step, depends=old.by_name[step.name].depends if step.name in old.by_name else ())
        for step in after.dag.steps
    ]
    kept_shape = replace(edit, new=replace(after.dag, steps=tuple(steps)))
    running, _ = expected(kept_shape, bases, after, given)
    assert {each.step for each in plan.decisions if each.action is Action.RUN} - running <= {*edit.added}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_the_planner_agrees_with_a_slow_and_obvious_model(data: st.DataObject) -> None:
    spec = Spec(data.draw(dags()), {"P": "1", "Q": "1"})
    bases = {1: spec}
    attempt = data.draw(attempts(spec.dag, 1))
    for n in (2, 3, 4):
        after = data.draw(edits(bases[n - 1]))
        given_ = data.draw(answers())
        plan = propose(attempt, bases, after, given_)
        event(f"{plan.verdict}")
        check(plan, bases, after, given_)
        assert propose(attempt, bases, after, given_) == plan
        if plan.verdict is not Verdict.COMPATIBLE:
            break
        bases[n] = after
        attempt = data.draw(attempts(after.dag, n, attempt, plan))
        check_carried(attempt, plan)


def check_carried(attempt: Attempt, plan: Plan) -> None:
    """The attempt holds what the plan kept, as it was kept."""
    for decision in plan.decisions:
        run = attempt.steps[decision.step]
        if decision.action.is_keep:
            assert run.kept
            assert run.attempt == decision.attempt
            assert run.stale == (decision.action is Action.KEEP_STALE)
        else:
            assert not run.kept


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_plan_ids_are_equal_exactly_where_all_that_decides_is(data: st.DataObject) -> None:
    spec = Spec(data.draw(dags()), {"P": "1", "Q": "1"})
    states = [data.draw(attempts(spec.dag, 1)) for _ in range(2)]
    texts = [spec, data.draw(edits(spec)), data.draw(edits(spec))]
    said = [Answers(), data.draw(answers()), data.draw(answers())]
    seen: dict[str, object] = {}
    for state in states:
        for after in texts:
            for each in said:
                plan = propose(state, {1: spec}, after, each)
                facts = {name: (run.state, run.tolerated, run.outputs) for name, run in state.steps.items()}
                told = {name: each.stale_answer(name) for name in ("*", *(f"s{n}" for n in range(3)))}
                key = (after.text, after.params, state.state, facts, told, {*each.allow}, each.kill_orphans)
                assert seen.setdefault(plan.id, key) == key
        assert len(seen) == len({repr(key) for key in seen.values()})
