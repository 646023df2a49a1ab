"""Calls a Python function, or runs a script, with the run's parameters; what it returns are outputs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from dagfs.executors.program import program
from dagfs.hooks import hookimpl
from dagfs.hooks.executor import Executor, Process, StepRequest
from dagfs.hooks.options import ANY, TABLE, TEXT, WORDS, Option, Options
from dagfs.model.dag import Step

_CALL = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_CHILD = Path(__file__).with_name("child") / "python.py"
OPTIONS = Options(
    "python",
    Option("call", TEXT, "`module:function`, or the path of a script, in place of `command`."),
    Option("args", TABLE, "Arguments by name; they go before parameters of the same name."),
    Option("params", ANY, "false passes no parameters of the run.", True),
    Option("path", WORDS, "Folders to import from, before all others; the step's directory is one anyway."),
    Option("interpreter", TEXT, "Another Python, such as that of a virtual environment (3.9 or later)."),
)


class Python:
    """`type: python`."""

    name = "python"
    options = OPTIONS
    command_is = "data"
    script_is = "code"

    def check(self, step: Step) -> Sequence[str]:
        config = step.executor.config
        wrong = OPTIONS.wrong(config)
        said = [each for each in (*step.command, config.get("call"), step.script) if each]
        if len(said) != 1:
            wrong.append("python needs one of: `command: module:function`, `command: script.py`, `script`")
        elif not step.script and "$" not in str(said[0]):
            wrong += _wrong_call(str(said[0]).strip())
        return wrong

    def prepare(self, request: StepRequest) -> Process:
        settings = OPTIONS.read(request.config)
        call = (settings["call"] or (request.command[0] if request.command else "")).strip()
        files = {}
        if request.script:
            name = f"script.{request.try_}.py"
            call, files = f"{request.folder}/{name}", {name: request.script}
        elif wrong := _wrong_call(call):
            raise ValueError(wrong[0])
        task = {
            "call": call,
            "args": settings["args"] or {},
            "params": json.loads(request.env.get("DAGU_PARAMS_JSON") or "{}") if settings["params"] else {},
            "path": settings["path"] or [],
        }
        # By its path and without -E: PYTHONPATH is the user's, and another Python may have no dagfs.
        argv = [settings["interpreter"] or sys.executable, str(_CHILD)]
        return Process(argv, program(request, "python", task).env, request.cwd, files)


def _wrong_call(text: str) -> list[str]:
    if _CALL.fullmatch(text) or (text.endswith(".py") and not text.startswith("-")):
        return []
    return [f"{text!r} is neither module:function nor a script that ends in .py"]


@hookimpl
def executors() -> Sequence[Executor]:
    return [Python()]
