"""What can be done with runs. The command line, the web page and the Python API call only these."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from dagfs import __version__
from dagfs.engine.bootstrap import Engine
from dagfs.engine.chronicle import Chronicle, Observer
from dagfs.engine.environment import Values, evaluate, inherited, value_digests
from dagfs.engine.execution import utc_text
from dagfs.engine.location import current_actor, new_token, now
from dagfs.engine.proposal import Proposal, propose_retry
from dagfs.engine.recovery import close_attempt, end_orphans
from dagfs.engine.runner import Limits, Runner
from dagfs.engine.view import view_run
from dagfs.engine.workplace import Setting
from dagfs.engine.zygote import Zygote
from dagfs.errors import NothingToDo, PlanMoved, Problem, Refused, SpecError, UsageError
from dagfs.hooks.executor import Executor
from dagfs.model import event as ev
from dagfs.model.dag import Dag, Step
from dagfs.model.edit import Action
from dagfs.model.event import Event
from dagfs.model.run import Actor, Attempt, AttemptHeader, Fold, RunHeader
from dagfs.model.state import RunState
from dagfs.planning.plan import Plan, Verdict
from dagfs.spec.parse import Options, Reading, parse
from dagfs.spec.values import is_posix_shell
from dagfs.store import dags
from dagfs.store.journal import read as read_journal
from dagfs.store.layout import new_run_id, valid_run_id
from dagfs.store.owner import Owner
from dagfs.store.process import identity
from dagfs.store.record import Record
from dagfs.store.runs import Claim

__all__ = [
    "Captured",
    "Proposal",
    "Result",
    "RunRequest",
    "carry_out",
    "propose_retry",
    "read_dag",
    "start_run",
]


@dataclass(frozen=True, slots=True)
class Captured:
    """A spec that a run was made with, and what was decided beside it."""

    text: bytes
    source: str
    """The path it was first read from."""
    folder: str
    """Where its relative paths start."""
    options: Options
    shell: tuple[str, ...]
    working_dir: str


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run to make."""

    dag: str
    """The name of a DAG in the home, or the path of a file."""
    params: tuple[tuple[str, str], ...] = ()
    id: str = ""
    """Empty for a new id."""
    name: str = ""
    """The DAG's name, in place of the spec's own."""
    trigger: str = "manual"
    reason: str = ""
    dialect: str = ""
    captured: Captured | None = None
    """The spec to run, in place of the DAG's file."""
    root: str = ""
    """The first run of the family that this one belongs to."""
    parent: str = ""
    """The run that this one was made from."""


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt ended."""

    run: str
    attempt: int
    state: RunState
    reason: str
    signal: int = 0
    """The signal that asked it to stop, or 0."""


def read_dag(engine: Engine, name: str, dialect: str = "") -> tuple[Path, bytes, Reading]:
    """A DAG file by name or path: where it is, its bytes, and what came of reading it."""
    path = dags.find(engine.home.paths, name)
    data = dags.read(path)
    return path, data, parse(data, str(path), options=_options(engine, dialect))


def _options(engine: Engine, dialect: str) -> Options:
    return Options(dialect=dialect or engine.home.settings.dialect, executors=engine.plugins.executors)


def _from_file(engine: Engine, request: RunRequest) -> Captured:
    """A DAG file as it is now, with this home's settings."""
    path = dags.find(engine.home.paths, request.dag)
    return Captured(
        dags.read(path),
        str(path),
        str(path.resolve().parent),
        _options(engine, request.dialect),
        _default_shell(engine),
        engine.home.settings.working_dir,
    )


def start_run(
    engine: Engine,
    request: RunRequest,
    *,
    actor: Actor | None = None,
    observers: Sequence[Observer] = (),
    on_created: Callable[[str], None] = lambda _: None,
) -> Result:
    """Make a run and carry out its first attempt. Raises SpecError, NotFound, Refused, StoreError."""
    if request.id and not valid_run_id(request.id):
        raise UsageError(
            f"{request.id!r} cannot name a run",
            hint="use 1 to 64 of a-z, 0-9, `.`, `_`, `-`, and begin with a letter or digit",
        )
    spec = request.captured or _from_file(engine, request)
    reading = parse(spec.text, spec.source, options=spec.options)
    if reading.dag is None:
        raise SpecError(reading.errors)
    dag = reading.dag
    if problems := executor_problems(engine, dag, spec.source):
        raise SpecError(problems)
    values = evaluate(dag, Path(spec.folder), os.environ, request.params)
    store_id = engine.home.store.ensure()
    who = actor or current_actor()
    moment = now()
    run_id = request.id or new_run_id(moment, request.name or dag.name, new_token()[:4])
    header = RunHeader(
        id=run_id,
        dag=request.name or dag.name,
        store=store_id,
        created=utc_text(moment),
        source=spec.source,
        trigger=request.trigger,
        actor=who,
        root=request.root,
        parent=request.parent,
        engine=__version__,
    )
    attempt = AttemptHeader(
        n=1,
        spec="spec.v1.yaml",
        spec_sha256=hashlib.sha256(spec.text).hexdigest(),
        created=utc_text(moment),
        actor=who,
        reason=request.reason,
        token=new_token(),
        dag_dir=spec.folder,
        shell=spec.shell,
        working_dir=spec.working_dir,
        params=values.params,
        overrides=request.params,
        env_sha256=value_digests(values.env, run_id),
        plugins=engine.plugins.versions,
        engine=__version__,
    )
    with Zygote.start() as zygote:
        owner = own(1, attempt.token)
        with engine.home.store.create(header, spec.text, attempt, dag, owner) as claim:
            on_created(run_id)
            notices = _undeclared(dag, request.params)
            work = _Work(engine, claim, zygote, header, attempt, dag, values, None, {}, notices)
            return _carry(work, observers)


def executor_problems(engine: Engine, dag: Dag | None, file: str) -> list[Problem]:
    """What the executors say against the settings of the steps they would run."""
    problems = []
    executors = engine.plugins.executors
    for step in (*dag.steps, *dag.handler_on.values()) if dag else ():
        executor = executors.get(step.executor.type)
        for message in check_settings(executor, step) if executor else ():
            mark = step.mark("executor")
            problems.append(Problem(file, mark.line, mark.column, f"step {step.name!r}: {message}"))
    return problems


def check_settings(executor: Executor, step: Step) -> Sequence[str]:
    """What an executor has against a step; where it fails at that, this is what there is to say."""
    try:
        return list(executor.check(step))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin's, named and passed on as a problem
        what = " ".join(f"{type(error).__name__}: {error}".split())
        return [f"executor {executor.name!r} failed: {what}"]


def _undeclared(dag: Dag, given: Iterable[tuple[str, str]]) -> list[str]:
    """A word for each parameter that the spec does not declare: it may be a slip of the pen."""
    known = [param.name for param in dag.params if not param.name.isdigit()]
    odd = [name for name, _ in given if known and name not in known and not name.isdigit()]
    near = {name: get_close_matches(name, known, 1) for name in odd}
    return [
        f"the DAG declares no param {name!r}" + (f"; did you mean {near[name][0]!r}?" if near[name] else "")
        for name in odd
    ]


def _default_shell(engine: Engine) -> tuple[str, ...]:
    """The shell of steps whose spec names none: the home's, the user's if it is a POSIX one, else sh."""
    own = os.environ.get("SHELL", "")
    return engine.home.settings.shell or ((own,) if own and is_posix_shell(own) else ("/bin/sh",))


def own(attempt: int, token: str) -> Owner:
    """This process as the owner of a run."""
    who = identity(os.getpid())
    assert who is not None
    return Owner(who, os.uname().nodename, token, attempt, utc_text(now()), "dagfs")


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
    with Zygote.start() as zygote, engine.home.store.claim(header.id, own(plan.attempt, token)) as claim:
        current = propose_retry(engine, header.id, plan.answers, spec=spec, held=True)
        if current.plan.id != plan.id:
            raise PlanMoved(
                f"run {header.id} is not what plan {plan.id} was made for; it is {current.plan.id} now",
                hint=f"look again with `dagfs plan {header.id}`",
            )
        end_orphans(claim.paths, current.view, kill=plan.answers.kill_orphans)
        base = close_attempt(engine, claim, view_run(engine.home.store, header.id, held=True))
        attempt = _commit(engine, claim, current, base, actor or current_actor(), token)
        on_committed(attempt.n)
        adopted = {
            name: record
            for name, record in current.view.orphans.items()
            if plan.actions[name] is Action.ADOPT
        }
        dag, values = plan.edit.new, current.values
        return _carry(_Work(engine, claim, zygote, header, attempt, dag, values, base, adopted), observers)


def require_compatible(plan: Plan) -> None:
    """Raise what a plan's verdict says, unless it can be carried out."""
    if plan.verdict is Verdict.NOTHING_TO_DO:
        raise NothingToDo(
            f"nothing to do: every step of run {plan.run} is kept",
            hint=f"change something first with `dagfs edit {plan.run}`, or start a new run",
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


def _commit(
    engine: Engine, claim: Claim, proposal: Proposal, base: Attempt, actor: Actor, token: str
) -> AttemptHeader:
    """Publish the spec and make the attempt: afterwards the retry has happened."""
    name, sha256 = claim.publish_spec(proposal.text)
    plan, before = proposal.plan, base.header
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
        overrides=before.overrides,
        env_sha256=value_digests(proposal.values.env, plan.run),
        allowed=tuple(finding.rule for finding in plan.findings if plan.lifts(finding)),
        plugins=engine.plugins.versions,
        engine=__version__,
    )
    claim.commit_attempt(header, plan.edit.new, list(_first_events(plan)))
    if proposal.pending:
        claim.consume_next(header.n, sha256)
    return header


def _first_events(plan: Plan) -> Iterable[tuple[str, Mapping[str, object]]]:
    for decision in plan.decisions:
        data: dict[str, object] = {
            "step": decision.step,
            "attempt": decision.attempt,
            "reason": decision.reason,
        }
        if decision.action is Action.ADOPT:
            yield ev.STEP_ADOPTED, data
        elif decision.action.is_keep:
            yield ev.STEP_KEPT, data | ({"stale": True} if decision.action is Action.KEEP_STALE else {})


@dataclass(frozen=True, slots=True)
class _Work:
    """An attempt that is committed and owned, ready to be carried out."""

    engine: Engine
    claim: Claim
    zygote: Zygote
    run: RunHeader
    attempt: AttemptHeader
    dag: Dag
    values: Values
    base: Attempt | None
    adopted: Mapping[str, Record]
    notices: Sequence[str] = ()
    """What the operator should know before anything runs."""


def _carry(work: _Work, observers: Sequence[Observer]) -> Result:
    """Run an attempt from its journal's first lines to its end."""
    fold = Fold(work.attempt, work.dag.by_name, work.base)
    journal = work.claim.paths.attempt(work.attempt.n).journal
    first = read_journal(journal, token=work.attempt.token).events
    for event in first:
        fold.apply(event)
    chronicle = Chronicle(work.claim, work.run, fold, work.attempt.n)
    active_steps = work.dag.max_active_steps or work.engine.home.settings.active_steps
    runner = Runner(
        setting_of(work.engine, work.claim, work.run, work.attempt, work.dag, work.values),
        chronicle,
        work.zygote,
        Limits(active_steps, work.dag.timeout_sec, work.dag.delay_sec),
        now=now,
        adopted=work.adopted,
    )
    state = runner.run(lambda: _tell_first(work, chronicle, observers, first))
    attempt = fold.attempt()
    return Result(work.run.id, attempt.n, state, attempt.reason, runner.stopped_by)


def _tell_first(
    work: _Work, chronicle: Chronicle, observers: Sequence[Observer], first: Sequence[Event]
) -> None:
    """Tell everybody how the attempt began."""
    chronicle.tell(observers, first)
    if work.engine.plugins.has_observers:
        chronicle.tell([_PluginObserver(work.engine, work.run, chronicle)], first)
    for message in work.notices:
        chronicle.note(ev.NOTICE, message=message)


class _PluginObserver:
    """Passes events on to plugins. What one of them raises becomes a notice in the journal, once."""

    def __init__(self, engine: Engine, run: RunHeader, chronicle: Chronicle) -> None:
        self._plugins, self._run, self._chronicle = engine.plugins, run, chronicle
        self._complained: set[str] = set()

    def __call__(self, event: Event) -> None:
        for complaint in self._plugins.observe(self._run, event):
            if complaint not in self._complained:
                self._complained.add(complaint)
                self._chronicle.note(ev.NOTICE, message=complaint)


def setting_of(
    engine: Engine, claim: Claim, run: RunHeader, attempt: AttemptHeader, dag: Dag, values: Values
) -> Setting:
    """What the executions of one attempt share."""
    settings = engine.home.settings
    return Setting(
        run=run,
        attempt=attempt,
        dag=dag,
        home=engine.home.paths,
        paths=claim.paths,
        values=values,
        machine=inherited(os.environ),
        executors=engine.plugins.executors,
        disk=engine.home.disk,
        grace_sec=settings.grace_sec,
        strict=settings.durability == "strict",
    )
