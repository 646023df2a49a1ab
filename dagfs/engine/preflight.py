"""Looks, before anything starts, whether steps can run where a profile or an edit puts them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dagfs.engine.bootstrap import Engine
from dagfs.engine.request import failed
from dagfs.engine.valuation import Values
from dagfs.engine.workplace import executor_settings
from dagfs.errors import Refused
from dagfs.hooks.executor import Executor
from dagfs.model.dag import Dag, Step
from dagfs.model.profile import Profile
from dagfs.model.run import StepRun
from dagfs.model.site import Site, Unreached
from dagfs.model.value import field, frozen
from dagfs.planning.profile import placed, placement, unreached
from dagfs.store.layout import RunPaths


@frozen
class Terrain:
    """What is to run, and with what."""

    engine: Engine
    dag: Dag
    profile: Profile
    values: Values
    paths: RunPaths
    attempt: int
    """The attempt that is to be made."""
    runs: Mapping[str, StepRun] = field(default_factory=dict)
    """How the steps stand by now."""
    before: tuple[Dag, Profile] | None = None
    """What the newest attempt ran with; None where there is none yet."""


def sites(terrain: Terrain) -> dict[str, Site]:
    """Each step that a profile places, or that goes to another executor than before; handlers too.

    A handler's name has `handler_on.` before it.
    """
    handlers = {f"handler_on.{event}": step for event, step in terrain.dag.handler_on.items()}
    steps = {**terrain.dag.by_name, **handlers}
    found = ((name, _site(terrain, name, step)) for name, step in steps.items())
    return {name: site for name, site in found if site is not None}


def _site(terrain: Terrain, name: str, step: Step) -> Site | None:
    then = _then(terrain, name)
    now, said = placed(step, terrain.profile), placement(step, terrain.profile)
    if step.is_engine_work or not (said or then != now.executor.type or _was_placed(terrain, name)):
        return None
    executor = terrain.engine.plugins.executors.get(now.executor.type)
    # Of an executor that a spec names and nobody brings, validation has warned.
    wrong = _wrong(executor, now, terrain.dag) if said or executor else ()
    sees = said.sees_files if said else None
    lacks = () if executor is None or sees else _unreached(terrain, executor, now, hides=sees is False)
    return Site(now.executor.type, then, terrain.profile.name if said else "", tuple(wrong), lacks)


def _then(terrain: Terrain, name: str) -> str:
    """The executor that the step ran with, or would have; its own for one that is new."""
    run = terrain.runs.get(name)
    if run is not None and run.executor:
        return run.executor
    before = _step_before(terrain, name)
    return before.executor.type if before else _own(terrain, name).executor.type


def _was_placed(terrain: Terrain, name: str) -> bool:
    before = _step_before(terrain, name)
    return before is not None and bool(placement(before, terrain.before[1] if terrain.before else Profile()))


def _step_before(terrain: Terrain, name: str) -> Step | None:
    """The step as the newest attempt executed it."""
    if terrain.before is None:
        return None
    dag, profile = terrain.before
    step = _named(dag, name)
    return placed(step, profile) if step else None


def _own(terrain: Terrain, name: str) -> Step:
    step = _named(terrain.dag, name)
    assert step is not None
    return step


def _named(dag: Dag, name: str) -> Step | None:
    return dag.by_name.get(name) or dag.handler_on.get(name.removeprefix("handler_on."))


def _wrong(executor: Executor | None, step: Step, dag: Dag) -> Sequence[str]:
    """What speaks against the step in that place, before it is tried."""
    if executor is None:
        return [f"no plugin brings the executor {step.executor.type!r}"]
    missing = missing_for(executor, step.executor.config)
    return [*check_settings(executor, step, dag), *([missing] if missing else [])]


def missing_for(executor: Executor, config: Mapping[str, Any]) -> str:
    """What of this machine is not there that an executor needs, or `""`."""
    try:
        return str(getattr(executor, "missing", _nothing)(config))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin's, named and passed on as a problem
        return failed(executor, error)


def _nothing(_config: Mapping[str, Any]) -> str:
    return ""


def _no_problems(_step: Step, _dag_settings: Mapping[str, Any]) -> Sequence[str]:
    return ()


def check_settings(executor: Executor, step: Step, dag: Dag) -> Sequence[str]:
    """What an executor has against a step; where it fails at that, this is what there is to say."""
    within = getattr(executor, "check_within", _no_problems)
    try:
        return [*executor.check(step), *within(step, executor_settings(dag))]
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin's, named and passed on as a problem
        return [failed(executor, error)]


def _unreached(terrain: Terrain, executor: Executor, step: Step, *, hides: bool) -> tuple[Unreached, ...]:
    mounts = () if hides else _mounts(executor, step, executor_settings(terrain.dag))
    if mounts is None:
        return ()
    values = {**terrain.values.consts, **terrain.values.env, **terrain.values.params}
    return unreached(step, terrain.dag, mounts, _paths(terrain), values)


def _mounts(executor: Executor, step: Step, dag_settings: Mapping[str, Any]) -> Sequence[str] | None:
    """Paths that are the same there as here, as settings spell them; None for all, or where not known."""
    if getattr(executor, "sees_local_files", True):
        return None
    try:
        found: Sequence[str] | None = getattr(executor, "mounted", _no_mounts)(
            step.executor.config, dag_settings
        )
    except (Exception, SystemExit):  # noqa: BLE001 - a plugin's; what is wrong with the settings is said elsewhere
        return None
    return found


def _no_mounts(_config: Mapping[str, Any], _dag_settings: Mapping[str, Any]) -> Sequence[str]:
    return ()


def _paths(terrain: Terrain) -> Callable[[str, str], str]:
    def path(kind: str, step: str) -> str:
        if not step:
            home = terrain.engine.home.paths.root
            return str({"work": terrain.paths.work, "run": terrain.paths.root, "home": home}[kind])
        run = terrain.runs.get(step) or StepRun(step)
        n = (run.attempt if kind == "artifacts" else run.log_attempt) or terrain.attempt
        left = terrain.paths.attempt(n).step(step)
        return str({"artifacts": left.artifacts, "stdout": left.stdout, "stderr": left.stderr}[kind])

    return path


def require_reachable(found: Mapping[str, Site]) -> None:
    """Raise Refused with the first thing that keeps a step from running where it is put."""
    for name, site in found.items():
        for message in site.wrong:
            raise Refused(f"profile {site.profile!r} puts {name!r} in {site.executor}: {message}")
        if site.unreached:
            files = ", ".join(f"{each.reference} ({each.words})" for each in site.unreached)
            raise Refused(
                f"profile {site.profile!r} puts {name!r} in {site.executor}, where it cannot reach {files}",
                hint="mount it at the same path, or say `sees_files: true` where it is there",
            )


def idle_profile(dag: Dag, profile: Profile) -> list[str]:
    """A word where a profile says nothing of any step: its names may be misspelt."""
    calls = any(step.calls for step in dag.steps)
    steps = (*dag.steps, *dag.handler_on.values())
    if not profile or calls or any(placement(step, profile) for step in steps):
        return []
    return [f"profile {profile.name!r} places no step of this DAG"]
