"""What steps get from the DAG around them: `defaults`, `container`, `ssh`, `smtp`, logins, own actions."""

from __future__ import annotations

from typing import Any

from dagfs.model.dag import Executor
from dagfs.model.value import field, frozen
from dagfs.spec import blocks, config, keys, policies, variables
from dagfs.spec.node import Entry
from dagfs.spec.reader import Fields, Reader
from dagfs.spec.templates import Templates, templates

_BLOCKS = ("container", "ssh", "smtp", "registry_auths")
"""They are given to executors beside a step's own settings, as `dag_settings`."""


@frozen
class Inherited:
    """Settings of the DAG, as far as its steps are read by them."""

    defaults: dict[str, Any] = field(default_factory=dict)
    """Fields of `Step` for those that do not say otherwise; `env` and `preconditions` come first."""
    blocks: dict[str, dict[str, Any]] = field(default_factory=dict)
    """`container`, `ssh`, `smtp` and `registry_auths`, as far as there are any."""
    templates: Templates = field(default_factory=Templates)

    def over(self, base: Inherited) -> Inherited:
        """These settings, and those of `base` where there are none."""
        return Inherited(
            {**base.defaults, **self.defaults},
            {**base.blocks, **self.blocks},
            Templates({**base.templates.defined, **self.templates.defined}),
        )

    def executor(self) -> Executor | None:
        """Where steps run that do not say it; None for the plain shell."""
        if "container" in self.blocks:
            return Executor("docker")
        return Executor("ssh") if "ssh" in self.blocks else None

    def complete(self, values: dict[str, Any]) -> None:
        """Add the defaults to the fields of a step."""
        for name, value in self.defaults.items():
            if name in ("env", "preconditions"):
                values[name] = (*value, *values.get(name, ()))
            else:
                values.setdefault(name, value)


def inherited(reader: Reader, fields: Fields) -> Inherited:
    """What the root of a document says for its steps."""
    blocks: dict[str, dict[str, Any]] = {}
    for name in _BLOCKS:
        if name in fields:
            found = _block(reader, fields[name])
            blocks |= {name: found} if found else {}
    defaults = _defaults(reader, fields["defaults"]) if "defaults" in fields else {}
    return Inherited(defaults, blocks, templates(reader, fields.get("step_types"), fields.get("actions")))


def _block(reader: Reader, entry: Entry) -> dict[str, Any]:
    key = config.snake(entry.key)
    if key == "container":
        return config.container(reader, entry)
    if key == "registry_auths":
        return blocks.logins(reader, entry)
    return config.settings(reader, entry, {"ssh": "ssh", "smtp": "mail"}[key])


def _defaults(reader: Reader, entry: Entry) -> dict[str, Any]:
    node = reader.mapping(entry.value, entry.key)
    if node is None:
        return {}
    fields = reader.fields(node, keys.DEFAULTS, entry.key)
    values = {name: read(reader, fields[name]) for name, read in policies.COMMON.items() if name in fields}
    if "env" in fields:
        values["env"] = variables.env(reader, fields["env"])[0]
    return values
