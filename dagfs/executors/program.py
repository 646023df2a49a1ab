"""Starts our own child programs: what one is to do goes through its environment, never its arguments."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping
from typing import Any

from dagfs.hooks.executor import Process, StepRequest
from dagfs.hooks.notifier import News

_PIECE = 100_000
"""Bytes; Linux takes no single variable longer than 128 kB."""
_LARGEST = 1_000_000
"""Bytes; all of an environment has about 2 MB."""


def program(request: StepRequest | News, module: str, task: Mapping[str, Any]) -> Process:
    """Run `dagfs.executors.child.MODULE`, which finds `task` with `child.task.take`.

    An environment is seen by its user alone, as a file of mode 0600 would be, and is never on disk, so a
    task may hold secrets. Raises ValueError for one that is too large.
    """
    data = json.dumps(task, ensure_ascii=True)
    if len(data) > _LARGEST:
        raise ValueError(
            f"the step's settings and texts come to {len(data):,} bytes; at most {_LARGEST:,} can be passed: "
            "put what is large into a file and name that"
        )
    pieces = [data[place : place + _PIECE] for place in range(0, len(data), _PIECE)]
    named = {f"DAGFS_TASK_{number}": piece for number, piece in enumerate(pieces, 1)}
    # -E and -P: neither PYTHONPATH of a step nor its folder can put other modules in place of ours.
    argv = [sys.executable, "-E", "-P", "-m", f"dagfs.executors.child.{module}"]
    return Process(argv, {**request.env, **named}, request.cwd)


def in_path(name: str) -> str | None:
    """The file that a program's name stands for, None where there is none."""
    # By name: it loads three libraries of compression.
    found: str | None = importlib.import_module("shutil").which(name)
    return found
