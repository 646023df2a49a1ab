"""Takes a run over for another attempt: closes what a dead engine left open and commits the next one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dagfs import __version__
from dagfs.engine.bootstrap import Engine
from dagfs.engine.changing import wrapping
from dagfs.engine.confidential import unlocked
from dagfs.engine.environment import value_digests
from dagfs.engine.location import now
from dagfs.engine.moment import utc_text
from dagfs.engine.proposal import Proposal
from dagfs.engine.recovery import close_attempt, end_orphans
from dagfs.engine.remains import end_elsewhere, taken_up
from dagfs.engine.view import view_run
from dagfs.engine.work import Work
from dagfs.model import event as ev
from dagfs.model.edit import Action
from dagfs.model.run import Actor, Attempt, AttemptHeader
from dagfs.model.state import StepState
from dagfs.planning.plan import Plan
from dagfs.store.runs import Claim


def take_over(
    engine: Engine, claim: Claim, proposal: Proposal, actor: Actor, token: str, *, under: int = 0
) -> Work:
    """Make the attempt that a proposal is for: afterwards the retry has happened, and is to be carried out.

    `under` is the attempt of its parent that a child's belongs to.

    Raises Refused while what must end does not, StoreError.
    """
    run, dag = proposal.view.run.header, proposal.plan.edit.new
    values = unlocked(engine, dag, proposal.view.run.last.header.dag_dir, proposal.values)
    end_orphans(claim.paths, proposal.view, kill=proposal.plan.answers.kill_orphans)
    stays = (
        ()
        if proposal.plan.answers.kill_orphans
        else taken_up(proposal.plan.edit, proposal.view.run.last.header.profile, proposal.profile)
    )
    end_elsewhere(engine.home.disk, claim.paths, proposal.view.run, but=stays)
    base = close_attempt(engine, claim, view_run(engine.home.store, run.id, held=True))
    header = _commit(engine, claim, proposal, base, actor, token, under)
    actions = proposal.plan.actions
    return Work(
        engine,
        claim,
        run,
        header,
        dag,
        values,
        base,
        {name: each for name, each in proposal.view.orphans.items() if actions[name] is Action.ADOPT},
        notices=values.notices,
        texts={child: each.text for child, each in proposal.children.items() if each.pending},
        answers=proposal.plan.answers,
    )


def _commit(
    engine: Engine, claim: Claim, proposal: Proposal, base: Attempt, actor: Actor, token: str, under: int
) -> AttemptHeader:
    """Publish the spec and make the attempt."""
    name, sha256 = claim.publish_spec(proposal.text)
    plan, before = proposal.plan, base.header
    wrapper, wrapped = wrapping(plan)
    header = AttemptHeader(
        n=base.n + 1,
        spec=name,
        spec_sha256=sha256,
        base=base.n,
        created=utc_text(now()),
        actor=actor,
        reason=plan.answers.reason,
        token=token,
        plan=plan.id,
        dag_dir=before.dag_dir,
        shell=before.shell,
        working_dir=before.working_dir,
        params=proposal.values.params,
        overrides=proposal.overrides,
        env_sha256=value_digests(proposal.values.env, plan.run),
        given=proposal.given,
        profile=proposal.profile,
        under=under,
        afresh=_afresh(plan, base),
        asked=tuple(" ".join(filter(None, pair)) for pair in plan.answers.options() if pair[0] != "--reason"),
        wrapper=wrapper,
        wrapped=wrapped,
        allowed=tuple(finding.rule for finding in plan.findings if plan.lifts(finding)),
        plugins=engine.plugins.versions,
        engine=__version__,
    )
    claim.commit_attempt(header, plan.edit.new, list(_first_events(plan)))
    if proposal.pending:
        claim.consume_next(header.n, sha256)
    return header


def _afresh(plan: Plan, base: Attempt) -> dict[str, int]:
    """The steps whose children start over, with the attempt since which.

    What an attempt began to start over, and did not bring to an end, goes on so in the next.
    """
    running = {each.step for each in plan.decisions if each.action.may_run}
    begun = {
        name: since
        for name, since in base.header.afresh.items()
        if name in running and not plan.edit.state(name).state.is_success
    }
    return begun | dict.fromkeys(plan.afresh, base.n + 1)


def _first_events(plan: Plan) -> Iterable[tuple[str, Mapping[str, object]]]:
    for decision in plan.decisions:
        data: dict[str, object] = {
            "step": decision.step,
            "attempt": decision.attempt,
            "reason": decision.reason,
        }
        if decision.action is Action.ADOPT:
            waits = plan.edit.state(decision.step).state is StepState.WAITING
            yield ev.STEP_ADOPTED, data | ({"waiting": True} if waits else {})
        elif decision.action is Action.LEAVE:
            yield ev.STEP_LEFT, data
        elif decision.action is Action.DEFER:
            yield ev.STEP_DEFERRED, data | {"against": dict(decision.against)}
        elif decision.action.is_keep:
            yield ev.STEP_KEPT, data | ({"stale": True} if decision.action is Action.KEEP_STALE else {})
