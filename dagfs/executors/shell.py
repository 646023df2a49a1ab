"""Runs a step's commands or script through a shell on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dagfs.hooks import hookimpl
from dagfs.hooks.executor import Executor, Process, StepRequest
from dagfs.model.dag import Step

_LONGEST_ARGUMENTS = 100_000
"""Bytes; Linux takes no single argument longer than 128 kB."""
_SCRIPT = "script"


class Shell:
    """`executor: shell`, the default. It has no settings."""

    def __init__(self, name: str) -> None:
        self.name = name

    def check(self, step: Step) -> Sequence[str]:
        unknown = sorted(step.executor.config)
        return [f"the {self.name} executor has no setting {key!r}" for key in unknown]

    def prepare(self, request: StepRequest) -> Process:
        if request.script:
            return _script(request)
        if request.shell == ("direct",):
            return _process(request, request.command)
        return _lines(request)


def _script(request: StepRequest) -> Process:
    text, name = request.script, f"{_SCRIPT}.{request.try_}"
    path, files = f"{request.folder}/{name}", {name: text}
    if request.command:
        return _process(request, [*request.command, path], files)
    if request.shell == ("direct",) or (text.startswith("#!") and not request.own_shell):
        return _process(request, [path] if text.startswith("#!") else ["/bin/sh", path], files)
    return _process(request, [*_shell(request), path], files)


def _lines(request: StepRequest) -> Process:
    """One shell for each line, in turn; lines too long for arguments are read from files."""
    lines, flags, files = request.command, ["-c"], {}
    if sum(len(line.encode(errors="surrogateescape")) for line in lines) > _LONGEST_ARGUMENTS:
        files = {f"{_SCRIPT}.{request.try_}.{number}": line for number, line in enumerate(lines, 1)}
        lines, flags = tuple(f"{request.folder}/{name}" for name in files), []
    shell = [*_shell(request), *flags]
    return _process(request, [*shell, *lines] if len(lines) == 1 else _in_turn(shell, lines), files)


def _in_turn(shell: Sequence[str], lines: Sequence[str]) -> list[str]:
    """A command that gives each line to a shell of its own, until one fails.

    Each word is one argument; the text that joins them holds nothing of theirs.
    """
    numbers = range(1, len(shell) + 1)
    take = "; ".join(f"w{n}=${{{n}}}" for n in numbers)
    call = " ".join(f'"$w{n}"' for n in numbers)
    text = f'{take}; shift {len(shell)}; for line; do {call} "$line" || exit; done'
    return ["/bin/sh", "-c", text, "dagfs", *shell, *lines]


def _shell(request: StepRequest) -> list[str]:
    # `shell: bash -c` means the same as `bash`; a script is a file all the same.
    words = request.shell[:-1] if request.shell[1:] and request.shell[-1] == "-c" else request.shell
    return [*words, "-e"] if request.stop_on_error else list(words)


def _process(request: StepRequest, argv: Sequence[str], files: Mapping[str, str] | None = None) -> Process:
    return Process(argv=list(argv), env=request.env, cwd=request.cwd, files=files or {})


@hookimpl
def executors() -> Sequence[Executor]:
    return [Shell("shell"), Shell("command")]
