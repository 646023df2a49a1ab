"""Runs a jq filter over JSON: `command` is the filter, `script` the input."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

from dagfs.executors.program import in_path, program
from dagfs.hooks import hookimpl
from dagfs.hooks.executor import Executor, Process, StepRequest
from dagfs.hooks.options import ANY, FLAG, TEXT, Option, Options
from dagfs.model.dag import Step

OPTIONS = Options(
    "jq",
    Option(
        "raw",
        FLAG,
        "Texts are printed as they are, everything else in one line; null is an empty line.",
        False,
    ),
    Option("filter", TEXT, "The filter, in place of `command`."),
    Option("data", ANY, "The input, in place of `script`: a value, or a text of JSON."),
    Option("input", TEXT, "A file with the input, in place of `script`; relative to the step's directory."),
)


class Jq:
    """`type: jq`."""

    name = "jq"
    options = OPTIONS
    command_is = "code"
    script_is = "data"

    def missing(self, _config: Mapping[str, Any]) -> str:
        """What of the package and the program is not there."""
        if importlib.util.find_spec("jq") or in_path("jq"):
            return ""
        return "neither the Python package jq nor the program jq is there"

    def check(self, step: Step) -> Sequence[str]:
        config = step.executor.config
        wrong = OPTIONS.wrong(config)
        if len(step.command) > 1:
            wrong.append("jq takes one filter, not a list")
        if step.command and "filter" in config:
            wrong.append("the filter is there twice: `command` and `filter`")
        if sum((bool(step.script), "data" in config, "input" in config)) > 1:
            wrong.append("jq takes one input: `script`, `data` or `input`")
        return wrong

    def prepare(self, request: StepRequest) -> Process:
        settings = OPTIONS.read(request.config)
        if request.dialect == "dagu1":
            _as_dagu1(request, settings)
        text = settings["filter"] or (request.command[0] if request.command else "")
        task = {
            "filter": text.strip(),
            "raw": settings["raw"],
            "path": settings["input"] or "",
            "text": request.script,
            "tolerate_missing": request.dialect == "dagu1",
        }
        if settings["data"] is not None:
            task["data"] = settings["data"]
        return program(request, "jq", task)


def _as_dagu1(request: StepRequest, settings: dict[str, Any]) -> None:
    """Refuse what Dagu 1.x refuses too, with the way out."""
    said = next((name for name in ("filter", "data", "input") if settings[name] is not None), "")
    if said:
        raise ValueError(f"`{said}` belongs to Dagu 2.x: use `command` and `script`, or `dialect: dagu2`")
    if request.command and "\n" in request.command[0].strip() and request.script:
        raise ValueError(
            "in Dagu 1.x a command of several lines is a script, so there is no filter beside this one: "
            "write it in one line (`command: >-`), or use `dialect: dagu2`"
        )


@hookimpl
def executors() -> Sequence[Executor]:
    return [Jq()]
