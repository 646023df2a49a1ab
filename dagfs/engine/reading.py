"""How this home reads specs: its dialect, and its base.yaml."""

from __future__ import annotations

from collections.abc import Collection

from dagfs.engine.home import Home
from dagfs.spec.parse import Options
from dagfs.store import dags


def reading_options(
    home: Home,
    dialect: str = "",
    type_: str | None = None,
    *,
    name: str = "",
    executors: Collection[str] | None = None,
    child: bool = False,
    run: str = "",
) -> Options:
    """Options for a spec of this home; an empty dialect is the home's. `child`: the run of a sub-DAG.

    With `run` the spec is one of that run, or of a child of it, and base.yaml what it was when that began.

    Raises SpecError for a base.yaml that is too large, StoreError for one that is no file, Damaged.
    """
    path = home.store.paths(run).base if run else home.paths.base
    return Options(
        dialect=dialect or home.settings.dialect,
        type=type_,
        name=name,
        executors=executors,
        base=home.store.base(run) if run else base_now(home),
        base_file=str(path),
        base_handlers=not child,
    )


def base_now(home: Home) -> bytes:
    """The home's base.yaml; empty where there is none."""
    path = home.paths.base
    return dags.read(path) if dags.is_file(path) else b""
