"""Makes new runs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from dagfs import __version__
from dagfs.engine.bootstrap import Engine
from dagfs.engine.carriage import Result, carry, own
from dagfs.engine.chronicle import Observer
from dagfs.engine.confidential import unlocked
from dagfs.engine.environment import value_digests
from dagfs.engine.finding import find_dag
from dagfs.engine.fitness import executor_errors
from dagfs.engine.location import current_actor, new_token, now
from dagfs.engine.moment import utc_text
from dagfs.engine.pool import Pool
from dagfs.engine.preflight import Terrain, idle_profile, require_reachable, sites
from dagfs.engine.profiles import find_profile
from dagfs.engine.reading import reading_options
from dagfs.engine.signals import postponed
from dagfs.engine.valuation import Values, evaluate, source_of
from dagfs.engine.work import Work
from dagfs.errors import Refused, SpecError, UsageError
from dagfs.model.dag import Dag
from dagfs.model.run import Actor, AttemptHeader, RunHeader
from dagfs.model.spelling import get_close_matches
from dagfs.model.value import frozen, replace
from dagfs.spec.parse import Options, Reading, parse
from dagfs.spec.values import is_posix_shell
from dagfs.store import dags
from dagfs.store.layout import new_run_id, valid_run_id


@frozen
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


@frozen
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


@frozen
class Design:
    """A run that could be made."""

    spec: Captured
    dag: Dag
    values: Values
    run: RunHeader
    attempt: AttemptHeader
    notices: tuple[str, ...]


def read_dag(engine: Engine, name: str, dialect: str = "") -> tuple[Path, bytes, Reading]:
    """A DAG file by name or path: where it is, its bytes, and what came of reading it."""
    path = find_dag(engine.home, name)
    data = dags.read(path)
    return path, data, parse(data, str(path), options=_options(engine, dialect))


def _options(engine: Engine, dialect: str) -> Options:
    return reading_options(engine.home, dialect, executors=engine.plugins.executors)


def _from_file(engine: Engine, request: RunRequest) -> Captured:
    """A DAG file as it is now, with this home's settings."""
    path = find_dag(engine.home, request.dag)
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


def require_dag(engine: Engine, name: str) -> tuple[Path, bytes, Dag]:
    """As `read_dag`, for one that is to run: SpecError for all that would keep it from that."""
    path, data, reading = read_dag(engine, name)
    if reading.dag is None:
        raise SpecError(reading.errors)
    if problems := executor_errors(engine, reading.dag, str(path)):
        raise SpecError(problems)
    return path, data, reading.dag


def start_run(
    engine: Engine,
    request: RunRequest,
    *,
    actor: Actor | None = None,
    observers: Sequence[Observer] = (),
    on_created: Callable[[str], None] = lambda _: None,
) -> Result:
    """Make a run and carry out its first attempt. Raises SpecError, NotFound, Refused, StoreError."""
    made = designed(engine, request)
    who = actor or current_actor()
    run = replace(made.run, store=engine.home.store.ensure(), actor=who)
    attempt = replace(made.attempt, actor=who)
    with Pool.start() as pool, postponed():
        owner, base = own(1, attempt.token), made.spec.options.base
        with engine.home.store.create(run, made.spec.text, attempt, made.dag, owner, base) as claim:
            on_created(run.id)
            work = Work(engine, claim, run, attempt, made.dag, made.values, notices=made.notices)
            return carry(work, pool, observers)


def designed(engine: Engine, request: RunRequest) -> Design:
    """All of a run that can be said before anything of it is on disk. Raises SpecError, NotFound, Refused."""
    if request.id and not valid_run_id(request.id):
        raise UsageError(
            f"{request.id!r} cannot name a run",
            hint="use 1 to 64 of a-z, 0-9, `.`, `_`, `-`, and begin with a letter or digit",
        )
    if request.id and not request.captured and engine.home.paths.scheduler.is_waiting(request.id):
        raise Refused(
            f"run {request.id} waits in a queue",
            hint=f"choose another id, or take it out with `dagfs queue rm {request.id}`",
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
    run = RunHeader(
        id=run_id,
        dag=request.name or dag.name,
        created=utc_text(moment),
        source=spec.source,
        base_sha256=hashlib.sha256(spec.options.base).hexdigest() if spec.options.base else "",
        trigger=request.trigger,
        queue=dag.queue if request.queue is None else request.queue,
        root=request.root,
        parent=request.parent,
        engine=__version__,
    )
    attempt = AttemptHeader(
        n=1,
        spec="spec.v1.yaml",
        spec_sha256=hashlib.sha256(spec.text).hexdigest(),
        created=utc_text(moment),
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
    notices = (*values.notices, *undeclared(dag, request.params), *idle_profile(dag, profile))
    return Design(spec, dag, values, run, attempt, notices)


def undeclared(dag: Dag, given: Iterable[tuple[str, str]]) -> list[str]:
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
