"""What can be done with runs. The command line, the web page and the Python API call only these."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dagfs.engine.bootstrap import Engine
from dagfs.engine.carriage import Result, carry, own
from dagfs.engine.chronicle import Observer
from dagfs.engine.fitness import call_problems, executor_errors, executor_problems
from dagfs.engine.location import current_actor, new_token
from dagfs.engine.nursery import resume
from dagfs.engine.pool import Pool
from dagfs.engine.proposal import Proposal, propose_retry
from dagfs.engine.recovery import end_orphans_of_children
from dagfs.engine.signals import postponed
from dagfs.engine.starting import (
    Captured,
    RunRequest,
    captured_text,
    read_dag,
    require_dag,
    start_run,
    undeclared,
)
from dagfs.engine.takeover import take_over
from dagfs.engine.view import view_run
from dagfs.errors import NothingToDo, PlanMoved, Refused, UsageError
from dagfs.model.run import Actor
from dagfs.model.state import RunState
from dagfs.planning.plan import Plan, Verdict

__all__ = [
    "Captured",
    "Proposal",
    "Result",
    "RunRequest",
    "call_problems",
    "captured_text",
    "carry_out",
    "executor_errors",
    "executor_problems",
    "needs_reason",
    "own",
    "propose_retry",
    "read_dag",
    "require_compatible",
    "require_dag",
    "resume_run",
    "start_run",
    "undeclared",
]


def carry_out(
    engine: Engine,
    proposal: Proposal,
    *,
    actor: Actor | None = None,
    observers: Sequence[Observer] = (),
    on_committed: Callable[[int], None] = lambda _: None,
    spec: bytes | None = None,
) -> Result:
    """Do what a plan says, or raise PlanMoved where it is no longer the plan.

    Raises Refused with what stands in the way, NothingToDo, Busy, StoreError.
    """
    require_compatible(proposal.plan)
    plan, header = proposal.plan, proposal.view.run.header
    token = new_token()
    owner = own(plan.attempt, token)
    with Pool.start() as pool, engine.home.store.claim(header.id, owner) as claim:
        current = propose_retry(engine, header.id, plan.answers, spec=spec, held=True)
        if current.plan.id != plan.id:
            raise PlanMoved(
                f"run {header.id} is not what plan {plan.id} was made for; it is {current.plan.id} now",
                hint=f"look again with `dagfs plan {header.id}`",
            )
        end_orphans_of_children(engine, current)
        with postponed():
            work = take_over(engine, claim, current, actor or current_actor(), token)
            on_committed(work.attempt.n)
            return carry(work, pool, observers)


def require_compatible(plan: Plan) -> None:
    """Raise what a plan's verdict says, unless it can be carried out."""
    if plan.verdict is Verdict.NOTHING_TO_DO:
        if plan.answers.selection:
            raise NothingToDo(
                f"nothing to do: nothing that was selected of run {plan.run} is to run",
                hint="`--select STEP` runs a step again that has finished",
            )
        raise NothingToDo(
            f"nothing to do: every step of run {plan.run} is kept",
            hint=f"change something with `dagfs edit {plan.run}`, or have steps run again with --from STEP",
        )
    if plan.verdict is Verdict.REFUSED:
        first = plan.rejections[0]
        raise Refused(f"refused by {first.rule}: {first.message}", hint=first.hint)
    if plan.verdict is Verdict.NEEDS_ANSWER:
        question = plan.questions[0]
        raise Refused(f"{question.rule} asks: {question.message}", hint=question.hint)
    if needs_reason(plan) and not plan.answers.reason:
        raise UsageError("keeping stale work or allowing a rule needs a reason", hint="add --reason '…'")


def needs_reason(plan: Plan) -> bool:
    """Somebody answers for stale work or for a rule that was lifted, and must say why."""
    keeps = any(answer == "keep" for _, answer in plan.answers.on_stale)
    return keeps or any(plan.lifts(finding) for finding in plan.findings)


def resume_run(
    engine: Engine, run_id: str, *, observers: Sequence[Observer] = (), stop: bool = False
) -> Result:
    """Go on with a run that waits; with `stop` only to bring it to its end as aborted.

    Raises Busy while an engine is at work, NothingToDo where it does not wait.
    """
    token = new_token()
    with Pool.start() as pool, engine.home.store.claim(run_id, own(0, token)) as claim:
        if view_run(engine.home.store, run_id, held=True).state is not RunState.WAITING:
            raise NothingToDo(
                f"run {run_id} does not wait now", hint=f"where its engine died, `dagfs retry {run_id}` first"
            )
        return carry(resume(engine, claim, run_id), pool, observers, stop=stop)
