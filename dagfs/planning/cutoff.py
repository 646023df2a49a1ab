"""Where running again comes to nothing: finished steps stay if what lies before them turns out the same.

A step is deferred: whether it runs is decided when all before it has ended, by digests of what those steps
had made when its work was done. Whatever cannot be compared counts as changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from dagfs.model.edit import Edit
from dagfs.model.graph import topological
from dagfs.model.run import StepRun
from dagfs.model.value import field, frozen
from dagfs.planning.gone import Needs, producers_of, used_work

_VARIABLES = "variables "
"""Before the digest of a step of which only the variables count that it hands on."""
_COMPARED = ("outputs", "artifacts", "exit_code", "exitCode")


@frozen
class Sifted:
    """What becomes of the steps that would run without a cutoff."""

    running: Mapping[str, str]
    """Those that run, with their reasons."""
    deferred: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Those about which is decided later: steps before them, to digests of what they had made."""
    spared: Mapping[str, str] = field(default_factory=dict)
    """Those that were deferred before, and are kept by now; with a reason, or none."""

    def reason(self, name: str) -> str:
        """Why a step is deferred."""
        names = [each for each in self.deferred[name] if each in self.running or each in self.deferred]
        return f"run unless the outputs of {_some(names or list(self.deferred[name]))} stay the same"


def _some(names: Sequence[str]) -> str:
    if len(names) > 2:
        return f"{', '.join(names[:2])} and {len(names) - 2} more"
    return " and ".join(names)


def sift(
    edit: Edit, running: Mapping[str, str], adopted: Collection[str], firm: Collection[str], needs: Needs
) -> Sifted:
    """Take out of the steps that would run those that need not, unless they are `firm`."""
    sieve = _Sieve(edit, dict(running), adopted)
    for name in topological(edit.new.depends):
        if name in running:
            sieve.take(name, may_stay=name not in firm and name not in needs)
    return Sifted(sieve.running, sieve.deferred, sieve.spared)


class _Sieve:
    """Looks at each step after all before it."""

    def __init__(self, edit: Edit, running: dict[str, str], adopted: Collection[str]) -> None:
        self.running = running
        self.deferred: dict[str, dict[str, str]] = {}
        self.spared: dict[str, str] = {}
        self._edit, self._adopted = edit, adopted
        self._producers = producers_of(edit)
        self._above: dict[str, set[str]] = {}

    def take(self, name: str, *, may_stay: bool) -> None:
        parents = self._edit.new.by_name[name].depends
        moving = [each for each in parents if self._moves(each)]
        self._above[name] = set(moving).union(*(self._above.get(each, ()) for each in parents))
        against = self._against(name, moving) if may_stay and self._is_finished(name) else None
        if against is None:
            self._run(name, moving)
        elif any(self._moves(each) or self._is_open(each) for each in against):
            self.deferred[name] = against
            del self.running[name]
        else:
            self.spared[name] = f"the outputs of {_some(sorted(against))} stayed the same" if against else ""
            del self.running[name]

    def _run(self, name: str, moving: list[str]) -> None:
        """It runs; where that is only because something before it may, say so."""
        because = {f"upstream {each} runs": f"upstream {each} may run" for each in moving}
        if all(each in self.deferred for each in moving):
            self.running[name] = because.get(self.running[name], self.running[name])

    def _moves(self, name: str) -> bool:
        return name in self.running or name in self.deferred or name in self._adopted

    def _is_open(self, name: str) -> bool:
        """It ended after its engine had died, so nobody has looked yet at what it made."""
        return self._edit.state(name).unrecorded and self._edit.state(name).state.is_success

    def _is_finished(self, name: str) -> bool:
        """It has work that nothing speaks against."""
        step, evidence = self._edit.work(name), self._edit.evidence.get(name)
        there = evidence is not None and evidence.outputs == "ok" and not evidence.artifacts_missing
        return step.state.is_success and not step.stale and not step.unrecorded and there

    def _against(self, name: str, parents: list[str]) -> dict[str, str] | None:
        """What the steps before it had made when its work was done; None where that cannot be compared."""
        found = dict(self._edit.state(name).against)
        for each, whole in self._wanted(name, parents):
            if whole is None:
                return None
            if each not in found:
                found[each] = self._made(each, whole=whole)
            if not found[each] and each not in self.deferred:
                return None
        other = [each for each, digest in found.items() if not self._may_agree(each, digest)]
        if other:
            self.running[name] = f"the outputs of {_some(other)} changed"
        return None if other else found

    def _may_agree(self, name: str, digest: str) -> bool:
        """What a step has made, where that is known by now, is what it had made."""
        if self._moves(name) or self._is_open(name):
            return True
        return bool(digest) and self._made(name, whole=not _is_weak(digest)) == digest

    def _wanted(self, name: str, parents: list[str]) -> Iterator[tuple[str, bool | None]]:
        """The steps that may run and that its work rests on: wholly, by variables alone; None: by its log."""
        edit, above = self._edit, self._above[name]
        whole = set(parents)
        for each, kind in used_work(edit.new.by_name[name], edit, self._producers):
            if each in above and kind not in _COMPARED:
                yield each, None
            elif each in above:
                whole.add(each)
        for each in sorted(whole):
            yield each, True
        if name in edit.opaque:
            for each in sorted(above - whole):
                yield each, False

    def _made(self, name: str, *, whole: bool) -> str:
        step = self._edit.work(name)
        if not whole:
            return variables(step)
        evidence = self._edit.evidence.get(name)
        return evidence.made if evidence and not step.unrecorded else ""


def changed(deferred: StepRun, runs: Mapping[str, StepRun], made: Callable[[StepRun], str]) -> str:
    """The first step before a deferred one that did not make what it had made; `""` where all did."""
    for name, digest in deferred.against.items():
        step = runs.get(name) or StepRun(name)
        same = step.kept if not digest else digest == (variables(step) if _is_weak(digest) else made(step))
        if not same:
            return name
    return ""


def _is_weak(digest: str) -> bool:
    return digest.startswith(_VARIABLES)


def variables(step: StepRun) -> str:
    """A digest of the variables that a step hands on; empty where it did not succeed."""
    return f"{_VARIABLES}{step.outputs_sha256}" if step.state.is_success and not step.unrecorded else ""
