"""The ssh step's own process: reaches the machine, follows the job there, and ends as the job ended."""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from dagfs.executors.child.remote import Follower, Job, Patience, Refused, Unreachable, end
from dagfs.executors.child.task import fail, take, told

TRANSPORT, REFUSED = 255, 254
"""Exit codes: the machine could not be reached, or its job's end not be learnt; it or its key was refused."""
_ALWAYS = (
    "-T", "-oControlMaster=auto", "-oControlPersist=no", "-oForwardAgent=no", "-oForwardX11=no",
    "-oClearAllForwardings=yes", "-oPermitLocalCommand=no", "-oRequestTTY=no", "-oRemoteCommand=none",
    "-oLogLevel=ERROR", "-oStdinNull=no",
)  # fmt: skip
_REFUSALS = {
    "REMOTE HOST IDENTIFICATION HAS CHANGED": "the key of the host has changed: somebody may be in between, "
    "or it was set up anew; then remove the old key with `ssh-keygen -R`",
    "Host key verification failed": "the key of the host is not known: log in once by hand, or set "
    "strict_host_key: accept-new",
    "host key is known for": "the key of the host is not known: log in once by hand, or set "
    "strict_host_key: accept-new",
    "Permission denied": "the login was refused",
    "Too many authentication failures": "the login was refused",
    "no such identity": "the key file is not there",
    "Bad owner or permissions": "ssh does not trust its configuration's file mode",
    "Bad configuration option": "the ssh configuration is wrong",
    "bad permissions": "ssh does not trust the key's file mode",
    "not found": "there is no POSIX shell at /bin/sh, or ssh itself is not there",
}


class Machine:
    """A machine behind ssh, all connections of this process over one."""

    def __init__(self, link: Mapping[str, Any], sockets: Path) -> None:
        self.name = str(link["host"])
        self._link, self._sockets = link, sockets

    def shell(self) -> Sequence[str]:
        batch = [] if "SSH_ASKPASS" in os.environ else ["-oBatchMode=yes"]
        path = f"-oControlPath={self._sockets}/s"
        # What the link says comes first, for the first of two options of a name counts.
        words = [*self._link["words"], *batch, *_ALWAYS, path]
        return [self._link["binary"], *words, "--", self.name, "exec /bin/sh -s"]

    def refusal(self, said: str) -> str:
        why = next((text for mark, text in _REFUSALS.items() if mark in said), "")
        return f"{self.name}: {why} ({_last_line(said)})" if why else ""


def _last_line(said: str) -> str:
    return said.splitlines()[-1].strip() if said else ""


def sockets(key: str) -> Path:
    """A folder of this user alone, with a short name: a socket's path has no room for long ones."""
    path = Path(tempfile.gettempdir() if len(tempfile.gettempdir()) < 50 else "/tmp", f"dagfs-{key[:16]}")
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise Refused(f"{path} is not a folder of this user alone: remove it")
    return path


def main(words: Sequence[str]) -> None:
    task = take()
    link = json.loads(words[1]) if words[:1] == ["end"] else task["link"]
    if task.get("password"):
        os.environ |= {
            "DAGFS_SSH_PASSWORD": task["password"],
            "SSH_ASKPASS": task["askpass"],
            "SSH_ASKPASS_REQUIRE": "force",
        }
    patience = Patience(link["silence"], link["connect"], link["reconnect"])
    key = link["key"] if words[:1] == ["end"] else task["job"]["key"]
    try:
        folder = sockets(key)
        try:
            machine = Machine(link, folder)
            if words[:1] == ["end"]:
                end(machine, key, link["folder"], patience)
                return
            follower = Follower(machine, Job(**task["job"]), patience, task["output"])
            follower.listen()
            code = follower.run()
        finally:
            _clear(folder)
    except Refused as refused:
        fail(f"ssh: {refused}", REFUSED)
    except (Unreachable, OSError) as error:
        fail(f"ssh: {told(error)}", TRANSPORT)
    sys.exit(code)


def _clear(folder: Path) -> None:
    with suppress(OSError):
        for left in folder.iterdir():
            left.unlink()
        folder.rmdir()


if __name__ == "__main__":
    main(sys.argv[1:])
