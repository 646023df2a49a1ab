"""Which runs there are, newest first, and which one a person means."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator
from heapq import merge, nlargest
from itertools import filterfalse, groupby, islice
from pathlib import Path
from typing import TypeVar

from dagfs.errors import DagfsError, NotFound, UsageError
from dagfs.model.spelling import get_close_matches
from dagfs.store.codec import decode_document
from dagfs.store.files import read_bytes
from dagfs.store.layout import HomePaths, valid_address, valid_run_id

_STAMP = re.compile(r"([0-9]{8})-([0-9]{6})-")
_SCHEDULED = re.compile(r".*-(\d{8})t(\d{4})(\d\d)?z(?:-[0-9a-f]{6})?")
_BACK = re.compile(r"(?P<dag>.*)@(?:-(?P<back>\d+))?")
_CANDIDATES = 8
_HEAD = 256


T = TypeVar("T", str, tuple[int, str])


def _descending(found: list[T]) -> Iterator[T]:
    """The greatest first. Mostly a few are wanted, which are had without sorting all."""
    yield from nlargest(_HEAD, found)
    if len(found) > _HEAD:
        yield from islice(sorted(found, reverse=True), _HEAD, None)


def _due(match: re.Match[str]) -> int:
    return int(match[1] + match[2] + (match[3] or "00"))


class Catalogue:
    """The runs of one store by name and age. It reads one folder, and run.json only where it must."""

    def __init__(self, home: HomePaths) -> None:
        self._home = home

    def newest_first(self, after: str = "") -> Iterator[str]:
        """Ids, newest first. The age is in the id, or else in run.json's time of writing (slower).

        With `after` those that come behind that one; behind its second, where it is gone.
        """
        ages: dict[str, int] = {}
        place = self._stamp(after, ages) if after else None
        for stamp, group in groupby(self._stamped(ages), key=lambda pair: pair[0]):
            if place is not None and stamp > place:
                continue
            ids = [run_id for _, run_id in group if self._is_run(run_id)]
            if len(ids) > 1:
                ids.sort(key=lambda each: self._order(each, ages), reverse=True)
            yield from ids[ids.index(after) + 1 :] if stamp == place and after in ids else ids

    def _stamped(self, ages: dict[str, int]) -> Iterator[tuple[int, str]]:
        """Every name with its stamp, newest first.

        A hundred thousand names are compared as they are; what else is to know of each, is asked on the way.
        """
        try:
            names = os.listdir(self._home.runs)
        except FileNotFoundError:
            return iter(())
        made = list(filter(_STAMP.match, names))
        others = filterfalse(_STAMP.match, names) if len(made) < len(names) else ()
        due: list[tuple[int, str]] = []
        named: list[tuple[int, str]] = []
        for name in others:
            if match := _SCHEDULED.fullmatch(name):
                due.append((_due(match), name))
            elif self._is_run(name):
                named.append((self._stamp(name, ages), name))
        stamped = ((self._stamp(name, ages), name) for name in _descending(made))
        return merge(stamped, _descending(due), sorted(named, reverse=True), reverse=True)

    def _is_run(self, name: str) -> bool:
        try:
            return valid_run_id(name) and stat.S_ISDIR(os.lstat(self._home.runs / name).st_mode)
        except OSError:
            return False

    def _stamp(self, run_id: str, ages: dict[str, int]) -> int:
        """When a run was made, or was due, to the second, as 20261121022842."""
        match = _STAMP.match(run_id)
        if match:
            return int(match[1] + match[2])
        match = _SCHEDULED.fullmatch(run_id)
        if match:
            return _due(match)
        year, month, day, hour, minute, second, *_ = time.gmtime(self._written(run_id, ages) // 10**9)
        return ((((year * 100 + month) * 100 + day) * 100 + hour) * 100 + minute) * 100 + second

    def _order(self, run_id: str, ages: dict[str, int]) -> tuple[int, str]:
        return self._written(run_id, ages), run_id

    def _written(self, run_id: str, ages: dict[str, int]) -> int:
        """When run.json was written, in nanoseconds; `ages` remembers it."""
        if run_id not in ages:
            try:
                ages[run_id] = os.stat(self._home.run_json(run_id)).st_mtime_ns
            except OSError:
                ages[run_id] = 0
        return ages[run_id]

    def dag_of(self, run_id: str) -> str:
        """The name of a run's DAG, empty where its record cannot be read."""
        path = self._home.run(run_id).run_json
        try:
            return str(decode_document(read_bytes(path), path).get("dag", ""))
        except (DagfsError, FileNotFoundError):
            return ""

    def children(self, root: str) -> list[str]:
        """The addresses `ROOT/CHILD` of a run's children, in the order of their names."""
        try:
            names = os.listdir(self._home.run(root).children)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [f"{root}/{name}" for name in sorted(names) if valid_run_id(name)]

    # -- what a person means ------------------------------------------------------------------

    def find(self, reference: str) -> str:
        """The run that `reference` names; NotFound, or UsageError where it could be several.

        It is an id, the beginning of one, a DAG's name (its newest run), `@` (the newest of all), `@-1`
        (the one before), `DAG@-1`, `ROOT/CHILD` with any of these as the root, or a path into a run's folder.
        """
        if valid_address(reference) and self._home.run(reference).root.is_dir():
            return reference
        back = _BACK.fullmatch(reference)
        if back:
            return self._back(back["dag"], int(back["back"] or 0))
        if "/" in reference or reference in (".", ".."):
            if found := self._by_path(reference) or self._child(reference):
                return found
            hint = f"runs of this home lie in {self._home.runs}"
            raise NotFound(f"there is no run at {reference!r}", hint=hint)
        ids = list(self.newest_first())
        beginning = [run_id for run_id in ids if reference and run_id.startswith(reference.lower())]
        if not (beginning and reference[:1].isdigit()):
            of_dag = next((run_id for run_id in ids if self.dag_of(run_id) == reference), None)
            if of_dag is not None:
                return of_dag
        if len(beginning) == 1:
            return beginning[0]
        raise self._several(reference, beginning) if beginning else self._none(reference, ids)

    def _back(self, dag: str, back: int) -> str:
        found = (run_id for run_id in self.newest_first() if not dag or self.dag_of(run_id) == dag)
        run_id = next(islice(found, back, None), None)
        if run_id is None:
            whose = f"DAG {dag!r}" if dag else "this store"
            hint = None if back else f"start one with `dagfs run {dag or 'NAME'}`"
            raise NotFound(
                f"{whose} has no {back + 1} runs" if back else f"{whose} has no runs yet", hint=hint
            )
        return run_id

    def _child(self, reference: str) -> str:
        """What `REF/CHILD` means, where REF is any reference; empty where there is none like that."""
        root, _, child = reference.rpartition("/")
        if not valid_run_id(child) or not root.strip("./"):
            return ""
        try:
            address = f"{self.find(root).partition('/')[0]}/{child}"
        except NotFound:
            return ""
        return address if self._home.run(address).root.is_dir() else ""

    def _by_path(self, reference: str) -> str:
        """The run whose folder a path leads into; empty where there is none."""
        runs = self._home.runs.resolve()
        for base in (Path(), self._home.root, self._home.runs):
            try:
                parts = (base / reference).resolve().relative_to(runs).parts
            except (ValueError, OSError, RuntimeError):
                continue
            address = (
                "/".join((parts[0], parts[2]))
                if parts[1:2] == ("children",) and parts[2:]
                else "".join(parts[:1])
            )
            if valid_address(address) and self._home.run(address).root.is_dir():
                return address
        return ""

    def _several(self, reference: str, found: list[str]) -> UsageError:
        shown = ", ".join(found[:_CANDIDATES])
        more = f" and {len(found) - _CANDIDATES} more" if len(found) > _CANDIDATES else ""
        return UsageError(
            f"{reference!r} could be {len(found)} runs: {shown}{more}", hint="type more of the id"
        )

    def _none(self, reference: str, ids: list[str]) -> NotFound:
        if self._home.scheduler.is_waiting(reference):
            return NotFound(
                f"run {reference} still waits in a queue",
                hint=f"`dagfs status {reference}` shows it, `dagfs queue rm {reference}` takes it out",
            )
        if self._home.scheduler.is_set_aside(reference):
            why = f"`dagfs queue` says why, `dagfs queue requeue {reference}` has it wait again"
            return NotFound(f"run {reference} was set aside: it could not be started", hint=why)
        names = {self.dag_of(run_id) for run_id in ids[:200]} | set(ids[:1000])
        close = get_close_matches(reference, names - {""}, n=3, cutoff=0.6)
        hint = f"did you mean {' or '.join(close)}?" if close else "`dagfs runs` lists what there is"
        return NotFound(f"there is no run {reference!r}", hint=hint)
