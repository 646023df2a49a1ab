"""What a compatibility rule is, for people: its id, what it says, and an example each way."""

from __future__ import annotations

from dagfs.model.value import frozen


@frozen
class Rule:
    """A compatibility rule as people read of it."""

    id: str
    """`group.name`, `structure.rename`."""
    summary: str
    """What it refuses, asks or remarks, in one sentence."""
    accepted: str = ""
    """An edit it lets pass, in words."""
    refused: str = ""
    """An edit it stops, in words."""
    loosened_by: str = ""
    """What lifts it, where something does."""
