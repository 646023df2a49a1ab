"""The contract of secret providers: where the values that a spec's `secrets:` names are looked up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from dagfs.errors import DagfsError
from dagfs.model.value import field, frozen


class SecretUnavailable(DagfsError):
    """A secret that cannot be had. The message says why, and never holds a value."""


@frozen
class SecretRequest:
    """One secret to look up, as the spec names it."""

    name: str
    """The variable that steps get."""
    key: str
    """What the provider knows it by."""
    options: Mapping[str, Any] = field(default_factory=dict)
    folder: str = ""
    """The DAG file's folder, where relative paths start."""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The environment of the engine."""


@runtime_checkable
class SecretProvider(Protocol):
    """A place that keeps secrets. `name` is what a spec's `provider:` says."""

    name: str

    def resolve(self, request: SecretRequest) -> str:
        """The secret's value. SecretUnavailable where there is none; called when an attempt begins."""
        ...
