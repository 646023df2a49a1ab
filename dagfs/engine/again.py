"""A new run like an earlier one: its spec as captured, or its DAG file as it is now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dagfs import __version__
from dagfs.engine.bootstrap import Engine
from dagfs.engine.finding import find_dag
from dagfs.engine.location import current_actor, new_token, now
from dagfs.engine.moment import utc_text
from dagfs.engine.operations import Captured, RunRequest, own, require_compatible, require_dag
from dagfs.engine.proposal import Proposal, propose_retry
from dagfs.engine.reading import reading_options
from dagfs.errors import NotFound, Refused, UsageError
from dagfs.model.dag import Dag
from dagfs.model.run import Run
from dagfs.model.value import replace
from dagfs.planning.answers import Answers
from dagfs.spec.parse import read
from dagfs.store.forking import fork
from dagfs.store.layout import new_run_id, valid_run_id

TRIGGER = "rerun"


def request_again(
    engine: Engine,
    run_id: str,
    params: Sequence[tuple[str, str]] = (),
    *,
    latest: bool = False,
    id_: str = "",
    reason: str = "",
    profile: str = "",
) -> RunRequest:
    """What `start_run` needs for a new run of the same family; `params` stand above those given then.

    Raises NotFound where there is no such run, or with `latest` no such file any more; Damaged.
    """
    _require_root(run_id)
    run = engine.home.store.load(run_id)
    old = engine.home.store.dag(run_id, run.last.n)
    request = RunRequest(
        dag=run.header.source,
        params=(*run.last.header.overrides, *params),
        id=id_,
        name=run.header.dag,
        trigger=TRIGGER,
        reason=reason,
        root=run.header.root or run.id,
        parent=run.id,
        profile=profile,
    )
    if latest:
        # The file may call the DAG otherwise by now; a name given from outside stays.
        name = "" if old.name == run.header.dag else run.header.dag
        return replace(request, dag=_file(run), name=name)
    header = run.last.header
    options = reading_options(
        engine.home,
        old.dialect,
        old.type,
        name=old.name,
        executors=engine.plugins.executors,
        run=run_id,
    )
    text = engine.home.store.spec(run_id, run.last.n)
    captured = Captured(text, run.header.source, header.dag_dir, options, header.shell, header.working_dir)
    return replace(request, captured=captured)


def foresee(engine: Engine, run_id: str, answers: Answers, *, latest: bool = False) -> Proposal:
    """What `reuse` would have the new run do; nothing is made."""
    _require_root(run_id)
    run = engine.home.store.load(run_id)
    text = Path(_file(run)).read_bytes() if latest else None
    return propose_retry(engine, run_id, answers, spec=text or _captured(engine, run))


def planned(engine: Engine, request: RunRequest) -> Dag:
    """The DAG that a request would run. SpecError."""
    spec = request.captured
    if spec is None:
        path = find_dag(engine.home, request.dag)
        return require_dag(engine, str(path))[2]
    return read(spec.text, spec.source, options=spec.options)


def reuse(engine: Engine, run_id: str, new_id: str, answers: Answers, *, latest: bool = False) -> Proposal:
    """Make a run that has all of an earlier one behind it, and say what going on with it would do.

    The earlier run stays as it is. Raises what stands in the way of a retry with these answers, before
    anything is made; Refused while steps of it are still running.
    """
    _require_root(run_id)
    store = engine.home.store
    run = store.load(run_id)
    text = Path(_file(run)).read_bytes() if latest else None
    first = foresee(engine, run_id, answers, latest=latest)
    require_compatible(first.plan)
    if first.view.orphans or first.view.handlers or first.view.below:
        raise Refused(
            f"something of run {run_id} is still running", hint=f"stop it first: `dagfs stop {run_id}`"
        )
    header = replace(
        run.header,
        id=new_id or new_run_id(now(), run.header.dag, new_token()[:4]),
        created=utc_text(now()),
        trigger=TRIGGER,
        actor=current_actor(),
        root=run.header.root or run.id,
        parent=run.id,
        engine=__version__,
    )
    if not valid_run_id(header.id):
        raise UsageError(f"{header.id!r} cannot name a run")
    with store.claim(run_id, own(0, new_token())) as claim:
        fork(engine.home.disk, engine.home.paths, claim.paths, header)
    return propose_retry(engine, header.id, answers, spec=text)


def _require_root(run_id: str) -> None:
    """What a child was given comes from its parent, which a new run of its own would not have."""
    root, slash, child = run_id.partition("/")
    if slash:
        raise Refused(
            f"{child} is a child of run {root}, and no run by itself",
            hint=f"`dagfs retry {root} --from '{child}/*'`, or with `rerun` in a new run, has it run again",
        )


def _captured(engine: Engine, run: Run) -> bytes:
    """The newest captured spec: a pending edit is for a retry of that run, and stays with it."""
    return engine.home.store.spec(run.id, run.last.n)


def _file(run: Run) -> str:
    """Where the DAG's file is; a path given relative to some folder is looked for in the spec's own."""
    source = Path(run.header.source)
    path = source if source.is_absolute() else Path(run.last.header.dag_dir, source.name)
    if not path.is_file():
        raise NotFound(
            f"{path}, the file of run {run.id}, is not there any more",
            hint=f"without --latest the captured spec is run: `dagfs rerun {run.id}`",
        )
    return str(path)
