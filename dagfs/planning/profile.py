"""What a profile makes of a step, and which of this machine's files a step's text names. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from dagfs.model.dag import Dag, Executor, Step
from dagfs.model.profile import Placement, Profile
from dagfs.model.reference import Reference, references
from dagfs.model.site import Unreached
from dagfs.model.value import replace
from dagfs.planning.usage import names_in

_WILD = re.compile(r"[*?\[]")
_OF_STEP = ("artifacts", "stdout", "stderr")
_FOLDERS = {
    "DAGFS_WORK_DIR": "work",
    "DAG_RUN_WORK_DIR": "work",
    "DAGFS_RUN_DIR": "run",
    "DAGFS_HOME": "home",
    "DAGFS_ARTIFACTS_DIR": "artifacts",
}
_CONTEXT = {"run.work_dir": "work", "step.artifacts_dir": "artifacts"}


def placement(step: Step, profile: Profile) -> Placement | None:
    """What the profile says of a step: its name goes before patterns, of those the one that says most.

    Nothing is said of what the engine itself does, such as sub-DAGs and routers.
    """
    if not profile or step.is_engine_work:
        return None
    fitting = [each for each in profile.placements if _fits(each.steps, step)]
    return max(fitting, key=lambda each: _weight(each.steps), default=None)


def _fits(pattern: str, step: Step) -> bool:
    return any(name == pattern or fnmatchcase(name, pattern) for name in (step.name, step.id) if name)


def _weight(pattern: str) -> tuple[bool, int]:
    return not _WILD.search(pattern), len(_WILD.sub("", pattern))


def placed(step: Step, profile: Profile) -> Step:
    """The step as it is executed with the profile."""
    found = placement(step, profile)
    if found is None:
        return step
    same = not found.executor or found.executor == step.executor.type
    config = {**step.executor.config, **found.config} if same else dict(found.config)
    names = {each.name for each in found.env}
    return replace(
        step,
        executor=Executor(found.executor or step.executor.type, config),
        env=(*(each for each in step.env if each.name not in names), *found.env),
        shell=found.shell or step.shell,
        working_dir=found.working_dir or step.working_dir,
    )


# -- files ---------------------------------------------------------------------------------------

Paths = Callable[[str, str], str]
"""The path of `work`, `run`, `home`, or of a step's `artifacts`, `stdout`, `stderr`; second, the step."""


def unreached(
    step: Step, dag: Dag, mounts: Sequence[str], paths: Paths, values: Mapping[str, str]
) -> tuple[Unreached, ...]:
    """What the step's text names and none of `mounts` holds: paths that are the same in both places.

    `values` are those of params and variables. A mount of which something is not known holds everything.
    """
    known = [_expanded(each, step, dag, paths, values) for each in mounts]
    if None in known:
        return ()
    folders = [posixpath.normpath(each) for each in known if each]
    found: dict[str, Unreached] = {}
    for reference, maker, path in _files(step, dag, paths):
        if not any(path == each or path.startswith(each.rstrip("/") + "/") for each in folders):
            found.setdefault(reference, Unreached(reference, path, maker))
    return tuple(found.values())


def _files(step: Step, dag: Dag, paths: Paths) -> Iterator[tuple[str, str, str]]:
    """Each reference to a file: as it is written, whose it is, and its path."""
    for text in _texts(step, dag):
        for reference in references(text):
            found = _path(reference, step, dag, paths)
            if found:
                yield text[reference.start : reference.end], *found


def _texts(step: Step, dag: Dag) -> Iterator[str]:
    """The texts that are read where the step runs, and the variables that these name, and so on."""
    variables = {each.name: each.value for each in (*dag.env, *step.env)}
    work = [*step.command, step.script, *(each.value for each in step.env)]
    seen: set[str] = set()
    while work:
        text = work.pop(0)
        yield text
        new = (names_in(text) & variables.keys()) - seen
        seen |= new
        work += [variables[name] for name in sorted(new)]


def _path(reference: Reference, step: Step, dag: Dag, paths: Paths) -> tuple[str, str] | None:
    """Whose file a reference names, and its path; None for one that names no file."""
    name, path = reference.name, reference.path
    if name in _FOLDERS and not path:
        return _folder(_FOLDERS[name], step, paths)
    if name == "context" and path in _CONTEXT:
        return _folder(_CONTEXT[path], step, paths)
    if name == "steps":
        name, _, path = path.partition(".")
    kind = path.partition(".")[0].partition("[")[0]
    maker = dag.names.get(name)
    return (maker, paths(kind, maker)) if maker and kind in _OF_STEP else None


def _folder(kind: str, step: Step, paths: Paths) -> tuple[str, str]:
    return "", paths(kind, step.name if kind == "artifacts" else "")


def _expanded(text: str, step: Step, dag: Dag, paths: Paths, values: Mapping[str, str]) -> str | None:
    """A text with its references replaced, or None where one of them is not known."""
    made, place = "", 0
    for reference in references(text):
        found = _path(reference, step, dag, paths)
        name = reference.path if reference.name in ("params", "env") else reference.name
        value = found[1] if found else values.get(name)
        if value is None:
            return None
        made += text[place : reference.start] + value
        place = reference.end
    return made + text[place:]
