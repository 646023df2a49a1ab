"""Containers through a docker command line (docker, podman, nerdctl): asked, made, followed, removed."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

_AWAY = (
    "Cannot connect to the Docker daemon",
    "error during connect",
    "connection refused",
    "connection reset by peer",
    "Is the docker daemon running",
    "unexpected EOF",
    "i/o timeout",
    "transport is closing",
    "context deadline exceeded",
)
"""What command lines say when nobody answers them."""
_COMPLAINT = re.compile(rb"(?im)^(error|cannot connect|unexpected eof|eof|read |time=|fata)")
_LONGEST_PAUSE_SEC = 5.0


class Failed(Exception):
    """The command line refused, in its own words."""


class Away(Failed):
    """Nobody answers: it is not known what became of anything."""


@dataclass(frozen=True, slots=True)
class Container:
    """One container as it is."""

    id: str
    name: str
    state: str
    """`created`, `running`, `exited`, …"""
    exit_code: int
    labels: Mapping[str, str]
    error: str
    health: str
    made: str

    @property
    def is_over(self) -> bool:
        return self.state in ("exited", "dead", "stopped")


class Containers:
    """One engine's containers."""

    def __init__(self, binary: str, host: str = "", first: float = 20, later: float = 3600) -> None:
        """`first` and `later`: for how many seconds the first answer is waited for, and any later one."""
        self._command = [binary, *(["--host", host] if host else [])]
        self._patience, self._later = first, later

    def words(self, *words: str) -> list[str]:
        return [*self._command, *words]

    def call(
        self, *words: str, given: bytes = b"", env: Mapping[str, str] | None = None, fds: Sequence[int] = ()
    ) -> bytes:
        """What a command prints; it gets `env` beside our own, and keeps `fds`. Raises Failed and Away."""
        try:
            done = subprocess.run(
                self.words(*words),
                input=given,
                capture_output=True,
                check=False,
                env={**os.environ, **env} if env else None,
                pass_fds=fds,
                # A signal to this program's group is for it to act upon, not for its helpers.
                start_new_session=True,
            )
        except OSError as error:
            raise Failed(f"cannot start {self._command[0]}: {error.strerror}") from None
        if done.returncode:
            raise _failure(done.stderr, done.returncode)
        return done.stdout

    def patiently(self, *words: str) -> bytes:
        """The same, again and again while nobody answers."""
        pause, deadline = 0.1, time.monotonic() + self._patience
        while True:
            try:
                answer = self.call(*words)
            except Away as error:
                if time.monotonic() > deadline:
                    raise
                if pause == 0.1:
                    say(f"no answer, asking again ({error})")
            else:
                self._patience = self._later
                return answer
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SEC)

    def found(self, labels: Mapping[str, str]) -> list[Container]:
        """All containers with these labels, the newest first."""
        wanted = [f"--filter=label={name}={value}" for name, value in labels.items()]
        ids = self.patiently("ps", "--all", "--no-trunc", "--format", "{{.ID}}", *wanted).decode().split()
        return sorted(
            (each for id_ in ids if (each := self.look(id_))), key=lambda each: each.made, reverse=True
        )

    def look(self, name: str) -> Container | None:
        """A container by id or name; None where there is none."""
        try:
            text = self.patiently("container", "inspect", name)
        except Failed as error:
            if "no such" in str(error).lower():
                return None
            raise
        data = json.loads(text)[0]
        state = data["State"]
        return Container(
            id=data["Id"],
            name=data["Name"].removeprefix("/"),
            state=str(state.get("Status", "")).lower(),
            exit_code=int(state.get("ExitCode", 0)),
            labels=data["Config"].get("Labels") or {},
            error=str(state.get("Error", "")),
            health=str((state.get("Health") or state.get("Healthcheck") or {}).get("Status", "")),
            made=str(data.get("Created", "")),
        )

    def image(self, name: str) -> dict[str, Any] | None:
        """An image's own settings; None where it is not here."""
        try:
            text = self.patiently("image", "inspect", name)
        except Failed as error:
            if (
                "no such" in str(error).lower()
                or "not found" in str(error).lower()
                or "not known" in str(error)
            ):
                return None
            raise
        found = json.loads(text)[0].get("Config")
        return found if isinstance(found, dict) else {}

    def put(self, container: str, name: str, text: str, mode: int = 0o755) -> None:
        """Make a file in the root folder of a container."""
        data, made = text.encode("utf-8", "surrogateescape"), io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as archive:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), mode
            archive.addfile(entry, io.BytesIO(data))
        self.call("cp", "-", f"{container}:/", given=made.getvalue())

    def take(self, container: str, path: str, most: int) -> bytes:
        """A regular file of a container; empty where it is not there."""
        try:
            data = self.call("cp", f"{container}:{path}", "-")
        except Away:
            raise
        except Failed:
            return b""
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for entry in archive:
                file = archive.extractfile(entry) if entry.isreg() else None
                if file is not None:
                    return file.read(most)
        return b""

    def log(self, name: str) -> str:
        """All that a container printed up to now, both streams."""
        done = subprocess.run(
            self.words("logs", name), capture_output=True, check=False, start_new_session=True
        )
        return (done.stdout + done.stderr).decode("utf-8", "replace")

    def remove(self, name: str) -> None:
        """Kill and remove a container, and wait until it is gone."""
        try:
            self.patiently("rm", "--force", "--volumes", name)
        except Failed as error:
            if "no such" not in str(error).lower() and "already in progress" not in str(error):
                raise
        while self.look(name) is not None:
            time.sleep(0.05)


class Log:
    """A container's whole log, handed on once, however often it is read from its beginning."""

    def __init__(self, containers: Containers, container: str) -> None:
        self._containers, self._container = containers, container
        self._sent = {"out": 0, "err": 0}

    def follow(self) -> None:
        """Hand on what is new until the container ends or nobody answers any more. OSError: a full disk."""
        process = subprocess.Popen(
            self._containers.words("logs", "--follow", self._container),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        trouble: list[OSError] = []
        doubtful: list[bytes] = []

        def copy(name: str, source: IO[bytes]) -> None:
            try:
                doubtful.append(self._copy(name, source))
            except OSError as error:
                # A full disk: whoever writes to nobody would wait for ever.
                trouble.append(error)
                process.kill()

        other = threading.Thread(target=copy, args=("out", process.stdout), daemon=True)
        other.start()
        copy("err", process.stderr)
        other.join()
        process.stdout.close()
        process.stderr.close()
        code = process.wait()
        if trouble:
            raise trouble[0]
        if code == 0:
            self._hand_on("err", b"".join(doubtful))

    def _copy(self, name: str, source: IO[bytes]) -> bytes:
        """Copy to the end; gives what came last if it may be the command line's own complaint.

        If that was the container's after all, the next reading finds it again.
        """
        skip, held = self._sent[name], b""
        while data := os.read(source.fileno(), 1 << 16):
            fresh = data[skip:]
            skip = max(0, skip - len(data))
            self._hand_on(name, held)
            held = fresh if name == "err" and _COMPLAINT.search(fresh) else b""
            if not held:
                self._hand_on(name, fresh)
        return held

    def _hand_on(self, name: str, data: bytes) -> None:
        target = sys.stdout.buffer if name == "out" else sys.stderr.buffer
        self._sent[name] += len(data)
        target.write(data)
        target.flush()


def _failure(stderr: bytes, code: int) -> Failed:
    said = " ".join(stderr.decode("utf-8", "replace").split()) or f"it ended with {code}"
    return (Away if any(mark in said for mark in _AWAY) else Failed)(said)


def say(text: str) -> None:
    """One line of our own among what the container prints on standard error."""
    sys.stderr.write(f"dagfs: {text}\n")
    sys.stderr.flush()
