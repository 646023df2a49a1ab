"""Brings a home of Dagu in: looks at every file, then copies or links what can be read.

Looking writes nothing, and what is already here is never written over.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dagfs.engine.bootstrap import Engine
from dagfs.engine.namesakes import HINT, namesakes
from dagfs.engine.operations import call_problems, executor_problems
from dagfs.engine.reading import reading_options
from dagfs.errors import DagfsError, Problem, Refused
from dagfs.model.dag import Dag
from dagfs.model.value import field, frozen, replace
from dagfs.spec.parse import Options, parse
from dagfs.store import dags
from dagfs.store.dagu import DaguHome
from dagfs.store.files import open_regular, read_bytes
from dagfs.store.ledger import Ledger

NEW, SAME, REFUSED, TAKEN = "new", "same", "refused", "taken"
"""What becomes of a file: it is brought in, is here already, cannot be read, or its place has another."""
_LARGEST_COMPANION = 64 << 20


@frozen
class Arrival:
    """One file, and what is to become of it."""

    source: Path
    target: Path
    fate: str
    dag: str = ""
    """The DAG's name; empty for other files."""
    dialect: str = ""
    problems: tuple[Problem, ...] = ()
    remarks: tuple[Problem, ...] = ()
    """Where the other dialect would have understood it in another way."""
    schedule: tuple[str, ...] = ()
    is_suspended: bool = False
    is_guess: bool = False
    """No key tells its dialect."""

    @property
    def word(self) -> str:
        """`read`, `warned` or `refused`, as the report has it; `taken` where something else is there."""
        if self.fate in (REFUSED, TAKEN):
            return self.fate
        return "warned" if self.problems else "read"


@frozen
class Survey:
    """All of a home of Dagu."""

    home: DaguHome
    dags: tuple[Arrival, ...]
    base: Arrival | None
    others: tuple[Arrival, ...] = field(default=())
    """Scripts and data beside the DAGs."""

    @property
    def is_clean(self) -> bool:
        """Everything can be brought in."""
        every = (*self.dags, *self.others, *((self.base,) if self.base else ()))
        return not any(each.fate in (REFUSED, TAKEN) for each in every)

    @property
    def certain_dialect(self) -> str:
        """The dialect of all files that tell it, where others do not tell; else empty."""
        told = {each.dialect for each in self.dags if each.fate != REFUSED and not each.is_guess}
        return told.pop() if len(told) == 1 and any(each.is_guess for each in self.dags) else ""


def survey(engine: Engine, home: DaguHome, dialect: str = "", *, linked: bool = False) -> Survey:
    """What is there, and what would become of it. With `linked` the folder stays where it is."""
    base = _base(engine, home)
    options = reading_options(engine.home, dialect, executors=engine.plugins.executors)
    if home.base is not None and base is not None and base.fate != REFUSED:
        options = _with_base(options, home.base)
    arrivals = tuple(_dag(engine, home, path, options, linked=linked) for path in home.files())
    arrivals = tuple(_with_namesakes(engine.home.paths.dags, arrivals))
    others = () if linked else tuple(_other(engine, home, path) for path in home.companions())
    return Survey(home, arrivals, base, others)


def _with_base(options: Options, path: Path) -> Options:
    return Options(options.dialect, options.type, options.name, options.executors, dags.read(path), str(path))


def _base(engine: Engine, home: DaguHome) -> Arrival | None:
    if home.base is None:
        return None
    if unread := _unreadable(home.base):
        return Arrival(home.base, engine.home.paths.base, REFUSED, problems=(unread,))
    options = reading_options(engine.home, executors=engine.plugins.executors)
    # A DAG that says nothing shows what is wrong with base.yaml alone.
    reading = parse(b"steps: [{name: a, command: a}]\n", "", options=_with_base(options, home.base))
    problems = tuple(each for each in reading.problems if each.file == str(home.base))
    bad = any(each.severity == "error" for each in problems)
    fate = REFUSED if bad else _fate(home.base, engine.home.paths.base)
    return Arrival(home.base, engine.home.paths.base, fate, problems=problems)


def _dag(engine: Engine, home: DaguHome, path: Path, options: Options, *, linked: bool) -> Arrival:
    target = engine.home.paths.dags / path.relative_to(home.dags)
    try:
        reading = parse(dags.read(path), str(path), options=options)
    except DagfsError as error:
        return Arrival(path, target, REFUSED, path.stem, problems=(_told(path, error),))
    dag = reading.dag
    own = tuple(each for each in reading.problems if each.file == str(path))
    problems = (*own, *executor_problems(engine, dag, str(path)), *_call_problems(engine, home, dag, path))
    bad = dag is None or any(each.severity == "error" for each in problems)
    fate = REFUSED if bad else NEW if linked else _fate(path, target)
    name = dag.name if dag else path.stem
    return Arrival(
        path,
        target,
        fate,
        name,
        reading.dialect,
        problems,
        reading.remarks,
        tuple(map(str, dag.schedule.entries)) if dag else (),
        home.is_suspended(path, name),
        reading.is_guess,
    )


def _with_namesakes(folder: Path, arrivals: Sequence[Arrival]) -> Iterator[Arrival]:
    """Each with a warning where another of them has its name."""
    come = [each for each in arrivals if each.fate in (NEW, SAME)]
    named, paths = [(each.dag, each.target) for each in come], [each.target for each in come]
    found = {target: each for each in namesakes(folder, named, paths) for target in each.files}
    for each in arrivals:
        same = found.get(each.target)
        said = same.says(lambda path: str(path.relative_to(folder.parent))) if same else ""
        more = (Problem(str(each.source), 0, 0, said, HINT, severity="warning"),) if said else ()
        yield replace(each, problems=(*each.problems, *more))


def _call_problems(engine: Engine, home: DaguHome, dag: Dag | None, path: Path) -> Iterator[Problem]:
    """Sub-DAGs that are in neither home."""
    known = {word for file in home.files() for word in (file.stem, file.name)}
    steps = (*dag.steps, *dag.handler_on.values()) if dag else ()
    missing = {step.call.dag for step in steps} - known
    return (each for each in call_problems(engine, dag, str(path)) if any(w in each.message for w in missing))


def _other(engine: Engine, home: DaguHome, path: Path) -> Arrival:
    target = engine.home.paths.dags / path.relative_to(home.dags)
    if path.stat().st_size > _LARGEST_COMPANION:
        problem = Problem(str(path), 0, 0, "it is too large to be copied", "copy it yourself")
        return Arrival(path, target, REFUSED, problems=(problem,))
    if unread := _unreadable(path):
        return Arrival(path, target, REFUSED, problems=(unread,))
    return Arrival(path, target, _fate(path, target))


def _unreadable(path: Path) -> Problem | None:
    """What keeps a file from being copied, before anything is."""
    try:
        fd = open_regular(path.resolve())
    except FileNotFoundError:
        return Problem(str(path), 0, 0, "it is not there any more")
    except DagfsError as error:
        return _told(path, error)
    os.close(fd)
    return None


def _told(path: Path, error: DagfsError) -> Problem:
    return Problem(str(path), 0, 0, error.message, error.hint)


def _bytes(path: Path) -> bytes:
    """A file of Dagu's home; its links are followed, for Kubernetes mounts files as links."""
    return read_bytes(path.resolve())


def _fate(source: Path, target: Path) -> str:
    if not os.path.lexists(target):
        return NEW
    try:
        return SAME if _bytes(source) == read_bytes(target) else TAKEN
    except (OSError, DagfsError):
        return TAKEN


# --- doing it -------------------------------------------------------------------------------------


def bring_in(engine: Engine, found: Survey, ledger: Ledger, by: str, *, linked: bool) -> None:
    """Copy, or link the folder of DAGs as a whole; then base.yaml and the pauses. Refused, StoreError."""
    if linked:
        link_dags(engine, found.home)
    else:
        for arrival in (*found.dags, *found.others):
            _copy(engine, arrival)
    if found.base is not None:
        _copy(engine, found.base)
    for arrival in found.dags:
        if arrival.is_suspended and arrival.fate in (NEW, SAME):
            ledger.pause(arrival.dag, by, "suspended in Dagu")


def link_dags(engine: Engine, home: DaguHome) -> None:
    """Make `dags/` a link, so that both programs see one folder. Refused where there is something in it."""
    place, target = engine.home.paths.dags, str(home.dags.resolve())
    if place.is_symlink() and os.readlink(place) == target:
        return
    if place.is_symlink() or (place.exists() and any(place.iterdir())):
        hint = "use --copy, or move what is there away"
        raise Refused(f"{place} cannot become a link: there is something in it", hint=hint)
    if place.exists():
        engine.home.disk.remove_tree(place)
    engine.home.disk.replace_link(place, target)


def _copy(engine: Engine, arrival: Arrival) -> None:
    if arrival.fate != NEW:
        return
    disk, target = engine.home.disk, arrival.target
    for folder in reversed(target.parents):
        if folder.is_relative_to(engine.home.paths.root):
            disk.make_dir(folder)
    data = _bytes(arrival.source)
    try:
        if os.access(arrival.source, os.X_OK):
            disk.write_program(target, data)
        else:
            disk.put_new(target, data)
    except FileExistsError:
        raise Refused(f"{target} was made by somebody else meanwhile") from None


def as_data(found: Survey) -> dict[str, Any]:
    """The report as plain data."""
    base = _arrival_data(found.base) if found.base else None
    return {
        "from": str(found.home.root),
        "base": base,
        "dags": [_arrival_data(each) for each in found.dags],
        "others": [_arrival_data(each) for each in found.others],
    }


def _arrival_data(each: Arrival) -> dict[str, Any]:
    return {
        "file": str(each.source),
        "target": str(each.target),
        "result": each.word,
        "here": each.fate == SAME,
        **({"dag": each.dag, "dialect": each.dialect} if each.dag else {}),
        **({"schedule": list(each.schedule)} if each.schedule else {}),
        **({"suspended": True} if each.is_suspended else {}),
        "problems": [_problem_data(problem) for problem in (*each.problems, *each.remarks)],
    }


def _problem_data(each: Problem) -> dict[str, Any]:
    place = {"file": each.file, "line": each.line, "column": each.column}
    return {**place, "severity": each.severity, "message": each.message, "hint": each.hint}


def totals(arrivals: Sequence[Arrival]) -> dict[str, int]:
    """How many files were read, warned about, refused, or found taken."""
    words = [each.word for each in arrivals]
    return {word: words.count(word) for word in ("read", "warned", "refused", "taken")}
