"""Settings of executors, in one canonical form whatever the dialect: what plugins find in their config.

Keys of the executors that dagfs brings are snake_case at every level (`autoRemove` is `auto_remove`,
`skipTLSVerify` is `skip_tls_verify`); what is below `headers`, `query`, `env` and the like holds names
of the user's and stays as it is. Settings of other executors stay as they are written.

    docker   the settings of Dagu's executor, or the keys of a `container:` object; `exec` is the name of
             a container that is there, or Dagu's map. `env` of a `container:` object is a map.
    ssh      `ip` is `host`.
    http     method and url, or both in the step's command (`GET https://…`); a script holds settings.
    jq       the step's command is the filter, its script the input; in Dagu 2 `data` and `input` hold it.
    archive  the step's command is create, extract or list.
    python   the step's command is module:function or a script; or the step's script.
    hitl     nothing: what it says is in the step's `approval`.

What a DAG says for all of them (`container`, `ssh`, `smtp`, `registry_auths`) is in fields of `Dag`, in the
same spelling; it is given to executors beside a step's own settings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Dictionary
from typing import Any

from dagfs.spec.node import Entry, Mapping, Node, Scalar, Sequence, kind, plain
from dagfs.spec.reader import Reader

CANONICAL = frozenset(("docker", "ssh", "http", "mail", "jq", "archive", "python", "noop", "dag", "hitl"))
"""Executors whose settings are brought into our spelling."""
_FREE = frozenset(
    (
        "headers",
        "query",
        "form",
        "files",
        "args",
        "env",
        "environment",
        "labels",
        "params",
        "data",
        "body",
        "options",
        "values",
    )
)
"""Settings whose own keys are the user's."""
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_OTHER_NAMES = {"ssh": {"ip": "host"}, "container": {"work_dir": "working_dir"}}
_WITH_IMAGE = ("image", "pull_policy", "volumes", "ports", "network", "platform", "startup", "keep_container")
"""What makes no sense for a container that is there already."""
_PULL = ("always", "missing", "never")


def snake(word: str) -> str:
    """`skipTLSVerify` as `skip_tls_verify`."""
    return _HUMP.sub("_", word).lower()


def canonical(value: Any, executor: str = "") -> Any:
    """Plain settings with their keys in snake_case, those below `headers` and the like left alone."""
    if isinstance(value, list):
        return [canonical(item, executor) for item in value]
    if not isinstance(value, Dictionary):
        return value
    names = _OTHER_NAMES.get(executor, {})
    found: dict[str, Any] = {}
    for key, inner in value.items():
        name = names.get(snake(key), snake(key))
        found[name] = inner if name in _FREE else canonical(inner)
    return found


def settings(reader: Reader, entry: Entry, executor: str) -> dict[str, Any]:
    """A block of settings (`ssh:`, `smtp:`, `config:`) as plain data; nothing is an empty one."""
    if isinstance(entry.value, Scalar) and entry.value.value is None:
        return {}
    node = reader.mapping(entry.value, entry.key)
    if node is None:
        return {}
    found: dict[str, Any] = plain(node)
    return canonical(found, executor) if executor in CANONICAL or executor in _OTHER_NAMES else found


def container(reader: Reader, entry: Entry) -> dict[str, Any]:
    """A `container:` block: the name of a container to run in, or a map with an image or `exec`."""
    node = entry.value
    if isinstance(node, Scalar) and isinstance(node.value, str) and node.value.strip():
        return {"exec": node.value.strip()}
    if not isinstance(node, Mapping):
        reader.error(node.mark, f"{entry.key} must be the name of a container or a map, not {kind(node)}")
        return {}
    found = settings(reader, entry, "container")
    places = {snake(each.key): each for each in node.entries}
    if "env" in places:
        found["env"] = _env(reader, places["env"].value)
    if isinstance(found.get("name"), str):
        found["name"] = found["name"].strip()
    _check_container(reader, entry, found, places)
    return found


def _check_container(
    reader: Reader, entry: Entry, found: dict[str, Any], places: Dictionary[str, Entry]
) -> None:
    if not found.get("image") and not found.get("exec"):
        reader.error(entry.mark, f"{entry.key} needs an image, or exec: with the name of a container")
    for name in _WITH_IMAGE:
        if found.get("exec") and name in places:
            where = places[name]
            reader.error(
                where.mark, f"{entry.key} has '{where.key}' beside exec, which needs a new container"
            )
    policy = found.get("pull_policy")
    if policy is not None and not isinstance(policy, bool) and policy not in _PULL:
        place = places["pull_policy"]
        wrong = f"{place.key} must be {', '.join(_PULL)}, true or false, not {kind(place.value)}"
        reader.error(place.value.mark, wrong)


def _env(reader: Reader, node: Node) -> dict[str, str]:
    """A map, or a list of maps and NAME=value texts, as one map."""
    found: dict[str, str] = {}
    for item in node.items if isinstance(node, Sequence) else (node,):
        if isinstance(item, Mapping):
            found |= {each.key: reader.string(each.value, each.key) for each in item.entries}
        elif isinstance(item, Scalar) and item.value is not None:
            name, _, value = item.text.partition("=")
            found[name.strip()] = value
    return found
