"""The jq step's own process: filters with the `jq` package, or with the program of that name."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from dagfs.executors.child.task import fail, take, told


def main() -> None:
    task = take()
    if not task["filter"]:
        # Dagu 1.x says so and goes on.
        fail("there is no jq filter: give it `command:`", 0 if task["tolerate_missing"] else 1)
    try:
        for value in _filtered(task["filter"], _input(task)):
            _show(value, raw=task["raw"])
    except (ValueError, OSError) as error:
        fail(f"jq: {told(error)}")


def _input(task: dict[str, Any]) -> str:
    if task["path"]:
        with open(task["path"], encoding="utf-8") as file:
            return file.read()
    if "data" in task:
        return task["data"] if isinstance(task["data"], str) else json.dumps(task["data"])
    return str(task["text"]) or "null"


def _filtered(text: str, given: str) -> Iterator[Any]:
    try:
        library = importlib.import_module("jq")
    except ImportError:
        return _by_program(text, given)
    return iter(library.compile(text).input_text(given))


def _by_program(text: str, given: str) -> Iterator[Any]:
    if shutil.which("jq") is None:
        raise ValueError("neither the Python package jq nor the program jq is there: pip install 'dagfs[jq]'")
    # The blank keeps a filter such as `-1` from being an option; old versions know no `--`.
    done = subprocess.run(["jq", "-c", f" {text}"], input=given, capture_output=True, text=True, check=False)
    yield from map(json.loads, done.stdout.splitlines())
    if done.returncode:
        raise ValueError(done.stderr.strip().removeprefix("jq: ") or f"it ended with {done.returncode}")


def _show(value: Any, *, raw: bool) -> None:
    if not raw:
        text = json.dumps(value, indent=4, sort_keys=True, ensure_ascii=False)
    elif isinstance(value, str):
        text = value
    else:
        text = (
            ""
            if value is None
            else json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        )
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
