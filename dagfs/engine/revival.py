"""Goes on with a child that has been there before, as `dagfs retry` does with a run."""

from __future__ import annotations

from dagfs.engine.bootstrap import Engine
from dagfs.engine.call import REPEATED, Order
from dagfs.engine.doubling import careful_steps
from dagfs.engine.location import new_token
from dagfs.engine.proposal import propose_retry
from dagfs.engine.takeover import take_over
from dagfs.engine.work import Work
from dagfs.errors import Refused
from dagfs.model.run import Run
from dagfs.model.value import replace
from dagfs.planning.answers import Answers
from dagfs.planning.plan import Verdict


def go_on(engine: Engine, parent: Work, order: Order, run: Run, over: str) -> Work | None:
    """Another attempt of a child; None where nothing of it is to run. `over` is why nothing is kept."""
    answers = parent.answers.of_child(order.child)
    if over and over != REPEATED:
        _require_acknowledged(engine, run, order, answers)
    proposal = propose_retry(
        engine,
        run.id,
        replace(answers, kill_orphans=answers.kill_orphans or bool(over)),
        spec=parent.texts.get(order.child),
        held=True,
        overrides=order.params,
        given=order.given,
        everything=over,
        profile=parent.attempt.profile,
    )
    if proposal.plan.verdict is Verdict.NOTHING_TO_DO:
        return None
    if not over and (proposal.plan.rejections or proposal.plan.questions):
        first = (*proposal.plan.rejections, *proposal.plan.questions)[0]
        raise Refused(f"{first.rule}: {first.message}", hint=first.hint)
    claim = parent.claim.child(order.child)
    return take_over(engine, claim, proposal, parent.attempt.actor, new_token(), under=parent.attempt.n)


def _require_acknowledged(engine: Engine, run: Run, order: Order, answers: Answers) -> None:
    """What a child is given is known only now, so that no plan could ask."""
    root = run.id.partition("/")[0]
    for path in careful_steps(engine, root, order.child, answers):
        raise Refused(
            f"step {order.child}/{path} is not idempotent, was started before, and would run again",
            hint=f"look what it has done; then `dagfs retry {root} --ack {order.child}/{path}`",
        )
