"""Runs the commands that an author wrote into `env:` and `params:`, before an attempt begins.

They are shell text of the spec alone. What they use of other values is in their environment.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

from dagfs.model.excerpt import one_line
from dagfs.model.value import frozen
from dagfs.spec.evaluation import CommandFailed
from dagfs.spec.shelltext import fits, is_posix_shell

_LARGEST = 1 << 20
_LONGEST_TOLD = 200


@frozen
class LoadShell:
    """A shell for commands in values; calling it runs one."""

    shell: Sequence[str]
    """Program and arguments; anything but a POSIX shell gives way to `/bin/sh`."""
    cwd: str
    machine: Mapping[str, str]
    timeout_sec: float

    def __call__(self, text: str, variables: Mapping[str, str], extra: Mapping[str, str]) -> str:
        """What the text printed. CommandFailed where it does not end with 0, or not in time."""
        passed = {name: value for name, value in variables.items() if fits(name, value)}
        shell = self.shell if self.shell and is_posix_shell(" ".join(self.shell)) else ("/bin/sh",)
        try:
            process = subprocess.Popen(
                [*shell, "-c", text],
                cwd=self.cwd,
                env={**self.machine, **passed, **extra},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise CommandFailed(f"cannot run a command with {shell[0]}: {error}") from error
        return self._result(process, text)

    def _result(self, process: subprocess.Popen[bytes], text: str) -> str:
        try:
            out, err = process.communicate(timeout=self.timeout_sec)
        except subprocess.TimeoutExpired:
            why = f"did not end within {self.timeout_sec:g} s"
            hint = "load_timeout_sec in dagfs.yaml gives it more time"
            raise CommandFailed(f"the command {_told(text)} {why}", hint=hint, why=why) from None
        finally:
            # Whatever it left behind goes with it.
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.returncode:
            said = " ".join(err.decode("utf-8", "replace").split())[:_LONGEST_TOLD]
            why = f"failed with {process.returncode}" + (f": {said}" if said else "")
            raise CommandFailed(f"the command {_told(text)} {why}", why=why)
        if len(out) > _LARGEST:
            raise CommandFailed(f"the command {_told(text)} printed more than {_LARGEST} bytes")
        return out.decode("utf-8", "surrogateescape")


def _told(text: str) -> str:
    return repr(one_line(text, 60))
