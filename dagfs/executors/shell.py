"""Runs a step's commands or script through a shell on this machine."""

from __future__ import annotations

from collections.abc import Sequence

from dagfs.hooks import hookimpl
from dagfs.hooks.executor import Executor, Process, StepRequest
from dagfs.model.dag import Step

_LONGEST_ARGUMENT = 100_000
_SCRIPT = "script"

# Each line is one argument, so nothing is ever pasted into shell text.
_IN_TURN = 'run=$1; flags=$2; shift 2; for line; do "$run" $flags -c "$line" || exit; done'


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
        lines = request.command
        if sum(map(len, lines)) > _LONGEST_ARGUMENT:
            return _script(request, "\n".join(lines))
        if len(lines) == 1:
            return _process(request, [*request.shell, *_flags(request), "-c", lines[0]])
        flags = " ".join((*request.shell[1:], *_flags(request)))
        return _process(request, ["/bin/sh", "-c", _IN_TURN, "dagfs", request.shell[0], flags, *lines])


def _script(request: StepRequest, text: str = "") -> Process:
    text = text or request.script
    path = f"{request.folder}/{_SCRIPT}.{request.try_}"
    files = {f"{_SCRIPT}.{request.try_}": text}
    if request.command and request.script:
        return _process(request, [*request.command, path], files)
    if text.startswith("#!") and not request.own_shell:
        return _process(request, [path], files)
    return _process(request, [*request.shell, *_flags(request), path], files)


def _flags(request: StepRequest) -> list[str]:
    return ["-e"] if request.stop_on_error else []


def _process(request: StepRequest, argv: Sequence[str], files: dict[str, str] | None = None) -> Process:
    return Process(argv=list(argv), env=request.env, cwd=request.cwd, files=files or {})


@hookimpl
def executors() -> Sequence[Executor]:
    return [Shell("shell"), Shell("command")]
