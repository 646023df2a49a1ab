"""A container's image: provided by its pull policy, and how a step's words are run in it."""

from __future__ import annotations

import base64
import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagfs.executors.child.containers import Containers, Failed, say
from dagfs.executors.child.task import told

_OPERATORS = frozenset("|&;<>()\n`")
_SPECIAL = frozenset("$*?[]{}~#!=\\\"'")
_SCRIPT = "/dagfs-script"


def provide(containers: Containers, task: Mapping[str, Any]) -> None:
    """Pull the image where its policy wants it. Raises Failed."""
    name, policy = task["image"], task["pull"]
    if policy == "never" or (policy == "missing" and containers.image(name) is not None):
        return
    say(f"pulls {name}")
    platform = [f"--platform={task['platform']}"] if task["platform"] else []
    with _logins(task["auths"]) as env:
        containers.call("pull", "--quiet", *platform, "--", name, env=env)


@contextmanager
def _logins(auths: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """While entered, a client's folder with these logins beside its own, kept in memory where that can be."""
    if not auths:
        yield {}
        return
    own = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    place = Path(
        tempfile.mkdtemp(prefix="dagfs-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    )
    try:
        known: dict[str, Any] = {}
        for each in own.iterdir() if own.is_dir() else ():
            if each.name == "config.json":
                known = json.loads(each.read_text())
            else:
                (place / each.name).symlink_to(each)
        known["auths"] = {
            **known.get("auths", {}),
            **{name: _login(said) for name, said in auths.items()},
        }
        # A store of credentials would be asked instead.
        known.pop("credsStore", None)
        descriptor = os.open(place / "config.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(known, file)
        yield {"DOCKER_CONFIG": str(place)}
    except (OSError, ValueError) as error:
        raise Failed(f"cannot use the registry logins: {told(error)}") from error
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _login(said: Any) -> dict[str, str]:
    if isinstance(said, str):
        return {"auth": said}
    if "auth" in said:
        return {"auth": str(said["auth"])}
    pair = f"{said.get('username', '')}:{said.get('password', '')}"
    return {"auth": base64.b64encode(pair.encode()).decode()}


def command(containers: Containers, task: Mapping[str, Any]) -> tuple[list[str], dict[str, str]]:
    """What follows the options of `create`: image and words; and the files to put into the container.

    Plain words are run as they are, behind the image's entrypoint. What needs a shell gets one; where it is a
    single command, the entrypoint stands before it there too.
    """
    lines, name = task["lines"], task["image"]
    entry, given = task["entrypoint"], task["entrypoint"] is not None
    if task["argv"] or not lines:
        before = _entrypoint(entry)
        return [*before, name, *(entry or [])[1:], *task["argv"]], task["files"]
    if len(lines) == 1 and (words := plain_words(lines[0])):
        return [*_entrypoint(entry), name, *(entry or [])[1:], *words], {}
    if not given:
        entry = (containers.image(name) or {}).get("Entrypoint") or []
    text = lines[0]
    if len(lines) == 1 and entry and is_one_command(text):
        text = f"exec {shlex.join(entry)} {text}"
    shell = task["shell"]
    args = [*shell[1:], text] if len(lines) == 1 else _in_turn(shell, lines)
    return [f"--entrypoint={shell[0]}", name, *args], {}


def _entrypoint(entry: Sequence[str] | None) -> list[str]:
    if entry is None:
        return []
    return [f"--entrypoint={entry[0] if entry else ''}"]


def _in_turn(shell: Sequence[str], lines: Sequence[str]) -> list[str]:
    call = " ".join(shlex.quote(word) for word in shell)
    text = f'for line; do {call} "$line" || exit; done'
    return ["-c", text, "dagfs", *lines]


def plain_words(text: str) -> list[str]:
    """The words of a command that means the same with and without a shell; none where that is not so."""
    if _OPERATORS & set(text.strip()) or "$" in text:
        return []
    try:
        words = shlex.split(text)
    except ValueError:
        return []
    bare = shlex.split(text, posix=False)
    risky = any(word[:1] not in "\"'" and _SPECIAL & set(word) - {"=", "'", '"'} for word in bare)
    return [] if risky or "=" in words[0] else words


def is_one_command(text: str) -> bool:
    """Whether a shell text is a single command without operators, so that words may stand before it."""
    return not _OPERATORS & set(text.strip()) and "=" not in text.split(maxsplit=1)[0]
