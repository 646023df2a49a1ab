"""Looks up the secrets of an attempt, when it begins. They live in memory alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dagfs.engine.bootstrap import Engine
from dagfs.engine.environment import StepUnready
from dagfs.engine.valuation import Values
from dagfs.errors import NotFound
from dagfs.hooks.secret import SecretProvider, SecretRequest, SecretUnavailable
from dagfs.model.dag import Dag, Secret
from dagfs.model.spelling import get_close_matches
from dagfs.model.value import replace


def with_secrets(
    values: Values,
    dag: Dag,
    folder: Path,
    providers: Mapping[str, SecretProvider],
    machine: Mapping[str, str],
) -> Values:
    """The values with the DAG's secrets. NotFound names the first that cannot be had; nothing has begun."""
    if not dag.secrets:
        return values
    found = {secret.name: _resolved(secret, folder, providers, machine) for secret in dag.secrets}
    return replace(values, secrets=found)


def unlocked(engine: Engine, dag: Dag, folder: str, values: Values) -> Values:
    """The values with the DAG's secrets, for an attempt that is about to begin."""
    return with_secrets(values, dag, Path(folder), engine.plugins.secret_providers, os.environ)


def refuse_to_write(values: Values, texts: Iterable[str], what: str) -> None:
    """StepUnready where one of the texts, which will be on disk, holds a secret."""
    if values.secrets and any(secret in text for text in texts for secret in values.masked):
        raise StepUnready(
            f"a secret would be written down with {what}",
            hint="let the sub-DAG name the secret under secrets: itself",
        )


def _resolved(
    secret: Secret, folder: Path, providers: Mapping[str, SecretProvider], machine: Mapping[str, str]
) -> str:
    provider = providers.get(secret.provider)
    if provider is None:
        near = get_close_matches(secret.provider, providers, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(providers))}"
        raise NotFound(f"secret {secret.name}: no plugin brings the provider {secret.provider!r}", hint=hint)
    request = SecretRequest(secret.name, secret.key, secret.options, str(folder), machine)
    try:
        value: Any = provider.resolve(request)
    except SecretUnavailable as error:
        raise NotFound(f"secret {secret.name}: {error.message}", hint=error.hint) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin's, and whatever it says stays unsaid
        # Its words are left out: they may hold what it had got hold of.
        what = type(error).__name__
        raise NotFound(f"secret {secret.name}: provider {provider.name!r} failed with {what}") from None
    if not isinstance(value, str):
        what = type(value).__name__
        raise NotFound(f"secret {secret.name}: provider {provider.name!r} gave {what} instead of text")
    if "\0" in value:
        raise NotFound(f"secret {secret.name}: its value holds a NUL byte, which no environment can")
    return value
