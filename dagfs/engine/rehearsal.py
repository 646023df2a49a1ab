"""Does once, in a home that is nobody's, what every run begins with: modules are loaded then, and patterns
compiled, so that whatever is forked from this process begins at once."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from dagfs.engine.bootstrap import get_ready, open_home
from dagfs.engine.operations import RunRequest, captured_text, start_run
from dagfs.errors import DagfsError
from dagfs.hooks import installed

_SPEC = b"""\
params:
  - day: none
env:
  - A: b
schedule: "30 2 * * *"
steps:
  - name: first
    command: echo ${day}
  - name: second
    command: echo ${A}
    depends: first
"""


class _Made(Exception):
    """The run is there, which is enough."""


def rehearse() -> None:
    """Make a run, carry out nothing of it, and remove it. Does nothing where there is no room for that."""
    # Which distributions announce plugins is remembered; they are loaded by whoever opens a real home.
    list(installed.find(sys.path))
    with suppress(DagfsError, OSError, _Made), TemporaryDirectory(prefix="dagfs-rehearsal-") as folder:
        engine = open_home(Path(folder), plugins=False)
        text = captured_text(engine, Path(folder, "dags", "rehearsal.yaml"), _SPEC)
        start_run(engine, RunRequest("rehearsal", (("day", "x"),), captured=text), on_created=_enough)
    get_ready()


def _enough(_: str) -> None:
    raise _Made
