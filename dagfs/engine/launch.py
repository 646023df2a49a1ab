"""What a shim is told: one try of one step, as plain data that fits through a socket."""

from __future__ import annotations

import json
from collections.abc import Mapping

from dagfs.model.value import fields, frozen

TOKEN_VARIABLE = "DAGFS_TRY_TOKEN"
"""What the environment of every process of a try holds, so that it can be found without its shim."""


@frozen
class Launch:
    """One process to run and to own. Paths are absolute."""

    argv: tuple[str, ...]
    """Program and arguments; the program is looked up in the `PATH` of `env`."""
    env: Mapping[str, str]
    """The whole environment; its `DAGFS_TRY_TOKEN` is to be `token`."""
    cwd: str
    stdout: str
    stderr: str
    """Log files, appended to; the same path twice merges both streams into one."""
    record: str
    """The new file that `store.record` describes."""
    token: str
    tee_stdout: str = ""
    tee_stderr: str = ""
    """Files that get the stream as well, appended to; empty for none."""
    timeout_sec: float = 0
    """The step is stopped after this long; 0 for never."""
    grace_sec: float = 10
    """How long it has between the stop signal and being killed."""
    stop_signal: int = 15
    keep_leftovers: bool = False
    """Leave alive what the main process leaves behind when it ends by itself."""
    umask: int = 0o022
    secrets: tuple[str, ...] = ()
    """Texts that are masked in what the process prints, before it reaches any file."""
    output_file: str = ""
    """The file of outputs, out of which secrets are taken once the process has ended."""
    group: bool = False
    """Logs and record are for the group of their folder too."""
    cleanup: tuple[str, ...] = ()
    """A command to run, in `env`, once nothing is left of a step that was stopped, timed out or killed."""

    def as_bytes(self) -> bytes:
        """Texts may hold any byte of a path or variable (surrogateescape)."""
        data = {name: getattr(self, name) for name in _NAMES}
        return json.dumps({**data, "env": dict(self.env)}).encode("ascii")

    @classmethod
    def from_bytes(cls, raw: bytes) -> Launch:
        """Read back what `as_bytes` wrote."""
        data = json.loads(raw)
        lists = {name: tuple(value) for name, value in data.items() if isinstance(value, list)}
        return cls(**{**data, **lists})


_NAMES = tuple(each.name for each in fields(Launch))
