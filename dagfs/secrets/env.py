"""Secrets from the environment of the engine: `provider: env`, `key` names the variable."""

from __future__ import annotations

from collections.abc import Sequence

from dagfs.hooks import hookimpl
from dagfs.hooks.secret import SecretProvider, SecretRequest, SecretUnavailable


class EnvSecrets:
    """Variables of the process that runs dagfs."""

    name = "env"

    def resolve(self, request: SecretRequest) -> str:
        value = request.env.get(request.key)
        if value is None:
            raise SecretUnavailable(f"the environment variable {request.key} is not set")
        return value


@hookimpl
def secret_providers() -> Sequence[SecretProvider]:
    return [EnvSecrets()]
