"""What executors share whose work runs in another place: what goes there, and what it is known by."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from dagfs.executors.child.trampoline import JOB
from dagfs.hooks.executor import StepRequest
from dagfs.model.value import field, frozen

_SCRIPT = "script"
_CLIENT = (
    "HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip
"""What a client of another place needs of this machine, whatever the step's own variables are."""
_CLIENT_PREFIXES = ("LC_", "XDG_", "DAG_")
_METADATA = ("DAGFS_", "DAG_RUN_", "DAGU_")
"""Variables that differ from one attempt to the next although the step is the same."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@frozen
class Texts:
    """A step's work as an argv, with the files it needs."""

    argv: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    """Names to texts; `argv` names them below `JOB`."""


def texts(request: StepRequest, shell: Sequence[str] = ()) -> Texts:
    """The step's script or commands for a POSIX system over there. `shell` stands before /bin/sh."""
    own = request.shell if request.own_shell else tuple(shell)
    if request.script:
        return _script(request, own)
    if own == ("direct",):
        return Texts(request.command)
    if not request.command:
        return Texts(())
    words = _with_c(own) if own else ("/bin/sh", "-e", "-c")
    if len(request.command) == 1:
        return Texts((*words, request.command[0]))
    return Texts((*_in_turn(words), *request.command))


def _script(request: StepRequest, own: tuple[str, ...]) -> Texts:
    path, files = f"{JOB}/{_SCRIPT}", {_SCRIPT: request.script}
    if request.command:
        return Texts((*request.command, path), files)
    if request.script.startswith("#!") and not own:
        return Texts((path,), files)
    if own and own != ("direct",):
        return Texts((*(own[:-1] if own[1:] and own[-1] == "-c" else own), path), files)
    return Texts(("/bin/sh", "-e", path), files)


def _with_c(shell: tuple[str, ...]) -> tuple[str, ...]:
    return shell if shell[1:] and shell[-1] == "-c" else (*shell, "-c")


def _in_turn(shell: tuple[str, ...]) -> tuple[str, ...]:
    """A command that gives each of its further words to a shell of its own, until one fails."""
    take = "; ".join(f"w{number}=${{{number}}}" for number in range(1, len(shell) + 1))
    call = " ".join(f'"$w{number}"' for number in range(1, len(shell) + 1))
    text = f'{take}; shift {len(shell)}; for line; do {call} "$line" || exit; done'
    return ("/bin/sh", "-c", text, "dagfs", *shell)


def passed(request: StepRequest) -> dict[str, str]:
    """The variables that go there: the step's own, and none that is only this machine's."""
    return {
        name: value
        for name, value in request.env.items()
        if _NAME.fullmatch(name)
        and name not in ("PWD", "DAGFS_OUTPUT")
        and (name.startswith(("DAG_", "DAGU_")) or os.environ.get(name) != value)
    }


def client_env(
    request: StepRequest, more: Sequence[str] = (), prefixes: Sequence[str] = ()
) -> dict[str, str]:
    """The environment of the client here. The step's own variables steer it only by the names in `more`."""
    wanted = (*_CLIENT, *more)
    begins = (*_CLIENT_PREFIXES, *prefixes)
    steering = {
        name: value
        for name, value in request.env.items()
        if name in more or (prefixes and name.startswith(tuple(prefixes)))
    }
    own = {name: value for name, value in os.environ.items() if name in wanted or name.startswith(begins)}
    return {**own, **steering}


def job_key(request: StepRequest) -> str:
    """Names a step of a run in the other place, the same for every attempt: there is never a second copy."""
    parts = request.folder.rstrip("/").split("/")
    text = "\0".join((request.run, *parts[-2:], request.env.get("DAGFS_HOME", "")))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def definition(work: Texts, values: Mapping[str, str], place: Any) -> str:
    """A digest of all that decides what the work does; another one means that it must be done anew."""
    own = {name: value for name, value in values.items() if not name.startswith(_METADATA)}
    data = json.dumps([work.argv, dict(work.files), own, place], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(data.encode()).hexdigest()[:32]
