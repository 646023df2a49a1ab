"""A profile: where steps run in place of what their spec says, and with what settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagfs.model.dag import Plain, Variable
from dagfs.model.value import field, frozen


@frozen
class Placement(Plain):
    """What a profile says of the steps that a pattern fits."""

    steps: str = ""
    """A step's name or id, or a pattern with `*`, `?` or `[…]`."""
    executor: str = ""
    """The executor; empty for the step's own."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Its settings; those of the step's own executor are put over what the spec says."""
    env: tuple[Variable, ...] = ()
    """More variables of the step, in place of its own of that name."""
    shell: tuple[str, ...] = ()
    working_dir: str = ""
    sees_files: bool | None = None
    """The files of this machine are there too, at the same paths; None: the executor says."""

    @classmethod
    def _field(cls, key: str, value: Any) -> Any:
        if key == "env":
            return tuple(Variable.from_data(each) for each in value)
        return tuple(value) if isinstance(value, list) else value


@frozen
class Profile(Plain):
    """Which steps run elsewhere. It is applied when a step is executed; the spec stays as it is."""

    name: str = ""
    source: str = ""
    """The file that it stands in."""
    placements: tuple[Placement, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.name)

    @classmethod
    def _field(cls, key: str, value: Any) -> Any:
        return tuple(Placement.from_data(each) for each in value) if key == "placements" else value
