"""What a difference of two specs means, in the words of the command line, made of its JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dagfs.model.edit import Change
from dagfs.model.fingerprint import FieldClass
from dagfs.model.run import Actor
from dagfs.planning.explain import change_line


def meaning(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each change that `dagfs diff --json` names; steps that come, go or are renamed first."""
    steps, fields = [], []
    for each in found:
        if "change" in each:
            new = f" to {each['to']}" if "to" in each else ""
            steps.append(f"step {each['step']}: {each['change']}{new}")
        else:
            fields.append(changed(each))
    return steps + fields


def changed(data: Mapping[str, Any]) -> str:
    """One changed field."""
    kind = FieldClass(data["kind"])
    return change_line(Change(data["step"], data["field"], data["old"], data["new"], kind, data["line"]))


def who(actor: Actor) -> str:
    """`ada@host`, and through what where that is not the command line."""
    through = ", ".join(word for word in (actor.source, actor.remote) if word not in ("", "cli"))
    return f"{actor} ({through})" if through else str(actor)
