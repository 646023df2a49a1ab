"""What can be done with runs. The command line, the web page and the Python API call only these."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from dagfs import __version__
from dagfs.engine.bootstrap import Engine
from dagfs.engine.chronicle import Observer
from dagfs.engine.confidential import unlocked
from dagfs.engine.environment import value_digests
from dagfs.engine.location import current_actor, new_token, now
from dagfs.engine.loop import Loop
from dagfs.engine.moment import utc_text
from dagfs.engine.nursery import Nursery, resume
from dagfs.engine.preflight import Terrain, check_settings, idle_profile, require_reachable, sites
from dagfs.engine.profiles import find_profile
from dagfs.engine.proposal import Proposal, propose_retry
from dagfs.engine.reading import reading_options
from dagfs.engine.recovery import end_orphans_of_children
from dagfs.engine.remains import end_shared, note_left
from dagfs.engine.runner import Runner
from dagfs.engine.signals import WORD
from dagfs.engine.takeover import take_over
from dagfs.engine.valuation import evaluate, source_of
from dagfs.engine.view import view_run
from dagfs.engine.work import Work
from dagfs.engine.zygote import Zygote
from dagfs.errors import (
    LostOwnership,
    NotFound,
    NothingToDo,
    PlanMoved,
    Problem,
    Refused,
    SpecError,
    UsageError,
)
from dagfs.hooks.options import NoUse
from dagfs.model.dag import Dag
from dagfs.model.run import Actor, AttemptHeader, RunHeader
from dagfs.model.state import RunState
from dagfs.planning.plan import Plan, Verdict
from dagfs.spec.parse import Options, Reading, parse
from dagfs.spec.values import is_posix_shell
from dagfs.store import dags
from dagfs.store.layout import new_run_id, valid_run_id
from dagfs.store.owner import Owner
from dagfs.store.process import identity

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
    queue: str | None = None
    """The queue it counts for, in place of the DAG's own."""
    reason: str = ""
    dialect: str = ""
    captured: Captured | None = None
    """The spec to run, in place of the DAG's file."""
    root: str = ""
    """The first run of the family that this one belongs to."""
    parent: str = ""
    """The run that this one was made from."""
    profile: str = ""
    """Where steps run in place of what the spec says: a profile's name, or its file."""


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
    return reading_options(engine.home, dialect, executors=engine.plugins.executors)


def _from_file(engine: Engine, request: RunRequest) -> Captured:
    """A DAG file as it is now, with this home's settings."""
    path = dags.find(engine.home.paths, request.dag)
    return captured_text(engine, path, dags.read(path), request.dialect)


def captured_text(engine: Engine, path: Path, text: bytes, dialect: str = "") -> Captured:
    """A spec that was read from `path` at some time, with this home's settings."""
    return Captured(
        text,
        str(path),
        str(path.resolve().parent),
        _options(engine, dialect),
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
    if problems := executor_errors(engine, dag, spec.source):
        raise SpecError(problems)
    moment = now()
    run_id = request.id or new_run_id(moment, request.name or dag.name, new_token()[:4])
    source = source_of(engine, dag, run_id, spec.folder, spec.shell, spec.source)
    values = unlocked(engine, dag, spec.folder, evaluate(dag, source, os.environ, request.params))
    profile = find_profile(engine.home, request.profile)
    require_reachable(sites(Terrain(engine, dag, profile, values, engine.home.store.paths(run_id), 1)))
    store_id = engine.home.store.ensure()
    who = actor or current_actor()
    header = RunHeader(
        id=run_id,
        dag=request.name or dag.name,
        store=store_id,
        created=utc_text(moment),
        source=spec.source,
        base_sha256=hashlib.sha256(spec.options.base).hexdigest() if spec.options.base else "",
        trigger=request.trigger,
        queue=dag.queue if request.queue is None else request.queue,
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
        profile=profile,
    )
    with Zygote.start() as zygote:
        owner = own(1, attempt.token)
        with engine.home.store.create(header, spec.text, attempt, dag, owner, spec.options.base) as claim:
            on_created(run_id)
            notices = [*values.notices, *_undeclared(dag, request.params), *idle_profile(dag, profile)]
            return _carry(
                Work(engine, claim, header, attempt, dag, values, notices=notices), zygote, observers
            )


def executor_problems(engine: Engine, dag: Dag | None, file: str) -> list[Problem]:
    """What the executors say against the settings of the steps they would run."""
    problems = []
    executors = engine.plugins.executors
    for step in (*dag.steps, *dag.handler_on.values()) if dag else ():
        executor = executors.get(step.executor.type)
        for message in check_settings(executor, step) if executor else ():
            mark = step.mark("executor")
            passed_over = dag is not None and dag.dialect == "dagu1" and not isinstance(message, NoUse)
            severity = "warning" if passed_over else "error"
            text = f"step {step.name!r}: {message}"
            problems.append(Problem(file, mark.line, mark.column, text, severity=severity))
    return problems


def require_dag(engine: Engine, name: str) -> tuple[Path, bytes, Dag]:
    """As `read_dag`, for one that is to run: SpecError for all that would keep it from that."""
    path, data, reading = read_dag(engine, name)
    if reading.dag is None:
        raise SpecError(reading.errors)
    if problems := executor_errors(engine, reading.dag, str(path)):
        raise SpecError(problems)
    return path, data, reading.dag


def executor_errors(engine: Engine, dag: Dag, file: str) -> list[Problem]:
    """What keeps a DAG from being run."""
    return [each for each in executor_problems(engine, dag, file) if each.severity == "error"]


def call_problems(engine: Engine, dag: Dag | None, file: str) -> list[Problem]:
    """A warning for each sub-DAG that is not there now; it may be there when the step is run."""
    problems = []
    folder = Path(file).resolve().parent
    for step in (*dag.steps, *dag.handler_on.values()) if dag else ():
        name = step.call.dag
        if not name or "$" in name or name in (dag.locals if dag else ()):
            continue
        beside = any(dags.is_file(folder / f"{name}{ending}") for ending in ("", *dags.SUFFIXES))
        if not beside and not _is_there(engine, name):
            mark = step.mark("call")
            message = f"step {step.name!r}: there is no sub-DAG {name!r} yet"
            problems.append(Problem(file, mark.line, mark.column, message, severity="warning"))
    return problems


def _is_there(engine: Engine, name: str) -> bool:
    try:
        dags.find(engine.home.paths, name)
    except (NotFound, UsageError):
        return False
    return True


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
        end_orphans_of_children(engine, current)
        work = take_over(engine, claim, current, actor or current_actor(), token)
        on_committed(work.attempt.n)
        return _carry(work, zygote, observers)


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


def _places(work: Work) -> int:
    """How many processes may run at once. A DAG's own limit is none for its children's steps."""
    most, usual = work.dag.max_active_steps, work.engine.home.settings.active_steps
    steps = (*work.dag.steps, *work.dag.handler_on.values())
    has_children = any(step.calls for step in steps)
    return max(most, usual) if has_children else most or usual


def _carry(work: Work, zygote: Zygote, observers: Sequence[Observer], *, stop: bool = False) -> Result:
    """Run an attempt from its journal's first lines to its end; with `stop` to that alone."""
    places = _places(work)

    def heard(number: int) -> None:
        if number == WORD:
            runner.look()
        else:
            runner.interrupt(number)

    with Loop(zygote, places, heard) as loop:
        runner = Runner(work, loop, Nursery(work.engine))
        try:
            runner.begin(observers)
            if stop:
                runner.interrupt(signal.SIGTERM)
            loop.turn_until(lambda: runner.state is not None)
        except LostOwnership:
            runner.kill()
            raise
        finally:
            runner.close()
    assert runner.state is not None
    shares = work.dag.container or work.attempt.n > 1 or work.engine.plugins.has_strange_executors
    if runner.state is not RunState.WAITING and shares:
        left = end_shared(work.engine.home.disk, work.claim.paths)
        for event in note_left(work.claim, work.attempt.n, left):
            for observer in observers:
                observer(event)
    attempt = runner.chronicle.fold.attempt()
    return Result(work.run.id, attempt.n, runner.state, attempt.reason, runner.stopped_by)


def resume_run(
    engine: Engine, run_id: str, *, observers: Sequence[Observer] = (), stop: bool = False
) -> Result:
    """Go on with a run that waits; with `stop` only to bring it to its end as aborted.

    Raises Busy while an engine is at work, NothingToDo where it does not wait.
    """
    token = new_token()
    with Zygote.start() as zygote, engine.home.store.claim(run_id, own(0, token)) as claim:
        if view_run(engine.home.store, run_id, held=True).state is not RunState.WAITING:
            raise NothingToDo(
                f"run {run_id} does not wait now", hint=f"where its engine died, `dagfs retry {run_id}` first"
            )
        return _carry(resume(engine, claim, run_id), zygote, observers, stop=stop)
