"""Steps that were read but whose names and dependencies are still open, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dagfs.model.dag import Mark, Router, Step
from dagfs.model.value import field, mutable


@mutable
class Draft:
    """A step that was read, but whose name and dependencies may still be open."""

    mark: Mark
    values: dict[str, Any] = field(default_factory=dict)
    """Fields of `Step`, `depends` left out."""
    marks: dict[str, Mark] = field(default_factory=dict)
    words: list[tuple[str, Mark]] | None = None
    """What `depends` says, names and ids mixed; None where there is no such key."""
    before: range = range(0)
    """Places of the drafts it follows in a chain."""
    kind: str = "cmd"
    """What it is called where it has no name: `cmd`, `script`, `dag`, `parallel`, `docker`, …"""

    @property
    def name(self) -> str:
        return str(self.values.get("name", ""))

    @property
    def id(self) -> str:
        return str(self.values.get("id", ""))

    @property
    def router(self) -> Router | None:
        found: Router | None = self.values.get("router")
        return found


def name_drafts(drafts: list[Draft], dialect: str) -> None:
    """Give every draft a name: `cmd_1`, `script_2`, `docker_3`; in our own dialect an id is a name too."""
    taken = {draft.name for draft in drafts}
    for place, draft in enumerate(drafts, 1):
        if draft.name:
            continue
        name = draft.id if dialect != "dagu1" else ""
        number = place
        while not name or name in taken:
            name = f"{draft.kind}_{number}"
            number += len(drafts)
        taken.add(name)
        draft.values["name"] = name


def finish(drafts: list[Draft], depends: Iterable[tuple[str, ...]]) -> Iterator[Step]:
    """The steps, each with the names it waits for."""
    for draft, names in zip(drafts, depends, strict=True):
        yield Step(**draft.values, depends=names, marks=draft.marks)
