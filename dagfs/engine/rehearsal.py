"""Does beforehand, in a home that is nobody's, what every run begins with; the real one is faster."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from dagfs.engine.bootstrap import Engine, get_ready, open_home
from dagfs.engine.starting import RunRequest, captured_text, designed, start_run
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
_NOWHERE = Path("/nonexistent")


class _Made(Exception):
    """The run is there, which is enough."""


def rehearse() -> None:
    """Make a run, carry out nothing of it, and remove it: modules are loaded then, and patterns compiled.

    Does nothing where there is no room for that.
    """
    # Which distributions announce plugins is remembered; they are loaded by whoever opens a real home.
    list(installed.find(sys.path))
    with suppress(DagfsError, OSError, _Made), TemporaryDirectory(prefix="dagfs-rehearsal-") as folder:
        engine = open_home(Path(folder), plugins=False)
        start_run(engine, _request(engine), on_created=_enough)
    get_ready()


def practise() -> None:
    """Design a run, and leave nothing of it: the memory is this process's own then, and not its parent's."""
    with suppress(DagfsError, OSError):
        engine = open_home(_NOWHERE, plugins=False)
        designed(engine, _request(engine))
    get_ready()


def _request(engine: Engine) -> RunRequest:
    text = captured_text(engine, engine.home.paths.dags / "rehearsal.yaml", _SPEC)
    return RunRequest("rehearsal", (("day", "x"),), captured=text)


def _enough(_: str) -> None:
    raise _Made
