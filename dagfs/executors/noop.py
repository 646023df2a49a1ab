"""Does nothing and succeeds: a place for steps to meet, or a step whose outputs are written in the spec."""

from __future__ import annotations

from collections.abc import Sequence

from dagfs.hooks import hookimpl
from dagfs.hooks.executor import Executor, Process, StepRequest
from dagfs.hooks.options import Options, refused
from dagfs.model.dag import Step

OPTIONS = Options("noop")


class Noop:
    """`type: noop`. It has no settings."""

    name = "noop"
    options = OPTIONS

    def check(self, step: Step) -> Sequence[str]:
        return [
            *OPTIONS.wrong(step.executor.config),
            *refused(self.name, command=step.command, script=step.script),
        ]

    def prepare(self, request: StepRequest) -> Process:
        return Process(["true"], request.env, request.cwd)


@hookimpl
def executors() -> Sequence[Executor]:
    return [Noop()]
