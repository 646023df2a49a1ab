"""The versions of a run's spec: who made each, why, and what it means against the one before."""

from __future__ import annotations

import re
from typing import Any

from dagfs.engine.bootstrap import Engine
from dagfs.errors import NotFound
from dagfs.model.run import Actor, AttemptHeader
from dagfs.model.value import frozen
from dagfs.planning.compat import Basis, compare
from dagfs.planning.explain import edit_lines
from dagfs.store.runs import RunStore

_NO_MEANING = "comments and layout only"
_WORD = re.compile(r"(?:spec\.)?v?([1-9][0-9]*)(?:\.yaml)?")


@frozen
class Version:
    """One captured spec."""

    name: str
    sha256: str
    created: str
    actor: Actor
    reason: str
    """Why the attempt was made that brought it."""
    attempts: tuple[int, ...]
    """The attempts that were made with it."""
    changes: tuple[str, ...]
    """What changed in meaning since the version before, a line each."""

    def as_data(self) -> dict[str, Any]:
        return {
            "spec": self.name,
            "sha256": self.sha256,
            "created": self.created,
            "actor": self.actor.as_data(),
            "why": self.reason,
            "attempts": list(self.attempts),
            "changes": list(self.changes),
        }


def versions(engine: Engine, run_id: str) -> list[Version]:
    """All versions, oldest first. NotFound, Damaged."""
    run = engine.home.store.load(run_id)
    first: dict[str, AttemptHeader] = {}
    attempts: dict[str, list[int]] = {}
    for attempt in run.attempts:
        first.setdefault(attempt.header.spec, attempt.header)
        attempts.setdefault(attempt.header.spec, []).append(attempt.n)
    found: list[Version] = []
    for name, header in first.items():
        before = attempts[found[-1].name][0] if found else 0
        found.append(
            Version(
                name,
                header.spec_sha256,
                header.created,
                header.actor,
                header.reason,
                tuple(attempts[name]),
                _changes(engine, run_id, before, header.n) if before else (),
            )
        )
    return found


def _changes(engine: Engine, run_id: str, before: int, after: int) -> tuple[str, ...]:
    store = engine.home.store
    attempt = next(each for each in store.load(run_id).attempts if each.n == before)
    old, new = Basis(store.dag(run_id, before)), Basis(store.dag(run_id, after))
    lines = edit_lines(compare(attempt, {before: old}, new, engine.plugins.classify))
    return tuple(lines) or (_NO_MEANING,)


def version_text(store: RunStore, run_id: str, word: str) -> tuple[str, bytes]:
    """The name and the text of the captured spec that `v2`, `2` or `spec.v2.yaml` means. NotFound."""
    match = _WORD.fullmatch(word)
    name = f"spec.v{match[1]}.yaml" if match else word
    run = store.load(run_id)
    for attempt in run.attempts:
        if attempt.header.spec == name:
            return name, store.spec(run_id, attempt.n)
    known = dict.fromkeys(attempt.header.spec for attempt in run.attempts)
    raise NotFound(f"run {run_id} has no {name}", hint=f"it has {', '.join(known)}")
