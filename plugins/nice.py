"""An executor: runs a step's shell text at a lower priority of processor and disk.

    steps:
      - name: crunch
        type: nice
        with: {by: 15, io: idle}
        run: ./crunch

`by` is 0 to 19 (10 where it is left out); `io` is `idle` or `best-effort` and needs `ionice` of util-linux.
An executor starts nothing itself: it says what to run, and dagfs runs it, keeps its logs and its exit code,
stops it with all it started, and finds it again when the engine has died.
"""

from __future__ import annotations

from collections.abc import Sequence

from dagfs.hooks import hookimpl
from dagfs.hooks.executor import Executor, Process, StepRequest
from dagfs.model.dag import Step

__version__ = "1"
_IO = {"idle": "3", "best-effort": "2"}


class Nice:
    name = "nice"

    def check(self, step: Step) -> Sequence[str]:
        config = step.executor.config
        wrong = [f"nice has no setting {key!r}" for key in config if key not in ("by", "io")]
        by = config.get("by", 10)
        if isinstance(by, bool) or not isinstance(by, int) or not 0 <= by <= 19:
            wrong.append("`by` must be a whole number from 0 to 19")
        if str(config.get("io", "idle")) not in _IO:
            wrong.append("`io` must be idle or best-effort")
        return wrong

    def prepare(self, request: StepRequest) -> Process:
        by, io = request.config.get("by", 10), request.config.get("io")
        before = ["ionice", "-c", _IO[io]] if io else []
        before += ["nice", "-n", str(by)]
        if request.shell == ("direct",) and not request.script:
            return Process([*before, *request.command], request.env, request.cwd)
        # One file for all lines: they share variables, and no line is too long for an argument.
        text = request.script or "\n".join(request.command)
        name = f"nice.{request.try_}"
        shell = ["/bin/sh"] if request.shell == ("direct",) else list(request.shell)
        shell += ["-e"] if request.stop_on_error and not request.own_shell else []
        return Process([*before, *shell, f"{request.folder}/{name}"], request.env, request.cwd, {name: text})


@hookimpl
def executors() -> Sequence[Executor]:
    return [Nice()]
