"""A new run like an earlier one: its spec as captured, or its DAG file as it is now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dagfs.engine.bootstrap import Engine
from dagfs.engine.operations import Captured, RunRequest
from dagfs.engine.reading import reading_options
from dagfs.errors import NotFound
from dagfs.model.run import Run

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
