"""A job in another place, from here: begun once, followed through lost connections, stopped, ended."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Protocol

from dagfs.executors.child import trampoline

_LARGEST_OUTPUT = (1 << 20) + 1
"""Bytes; one more than the engine takes, so that it sees that there was more."""
_LONGEST_PAUSE_SEC = 15.0
_STOP_AGAIN_SEC = 1.0


class Refused(Exception):
    """The other place does not take the job, and would not if it were asked again."""


class Unreachable(Exception):
    """The other place does not answer now."""


class Place(Protocol):
    """Somewhere with a POSIX shell. `name` is for messages."""

    name: str

    def shell(self) -> Sequence[str]:
        """The local command whose standard input is read by `/bin/sh -s` over there."""
        ...

    def refusal(self, said: str) -> str:
        """Why it will never answer, from what the command said on standard error; or `""`."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """What is to run there. Fields are those of `trampoline.begin`."""

    key: str
    definition: str = ""
    argv: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""
    cwd: str = ""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long silence and absence are borne, in seconds."""

    silence: float = 60
    """A connection over which nothing comes for this long is cut: it is half open."""
    connect: float = 20
    """How long a first connection is tried."""
    reconnect: float = 3600
    """How long one is tried to a place where the job may be going on."""


class Connection:
    """One shell over there that reads a program from us and answers in frames."""

    def __init__(self, place: Place, program: str, silence: float) -> None:
        self._silence = silence
        self._buffer = bytearray()
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the connection
        self._process = subprocess.Popen(
            list(place.shell()),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            # A signal to this program's group is for it to act upon, not for its connection.
            start_new_session=True,
        )
        self._place = place
        self.write(program)

    def write(self, text: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(text.encode("utf-8", "surrogateescape"))
            self._process.stdin.flush()
        except OSError:
            # What went wrong is told by how the command ends.
            return

    def frames(self) -> Iterator[tuple[str, bytes]]:
        """Each frame as its letter and its bytes, until the connection ends."""
        while (line := self._line()) is not None:
            letter, _, rest = line.partition(b" ")
            if letter in (b"o", b"e", b"v"):
                data = self._exactly(int(rest))
                if data is None:
                    return
                yield letter.decode(), data
            else:
                yield letter.decode("utf-8", "replace"), rest

    def _line(self) -> bytes | None:
        while b"\n" not in self._buffer:
            if not self._more():
                return None
        line, _, self._buffer = self._buffer.partition(b"\n")
        return bytes(line)

    def _exactly(self, count: int) -> bytes | None:
        while len(self._buffer) < count:
            if not self._more():
                return None
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def _more(self) -> bool:
        assert self._process.stdout is not None
        fd = self._process.stdout.fileno()
        if not select.select([fd], [], [], self._silence)[0]:
            return False
        data = os.read(fd, 1 << 16)
        self._buffer += data
        return bool(data)

    def close(self) -> str:
        """Cut it; gives why it ended. Raises Refused."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    pass
        try:
            code = self._process.wait(1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._said.seek(0)
        said = self._said.read().decode("utf-8", "replace").strip()
        self._said.close()
        if code and (why := self._place.refusal(said)):
            raise Refused(why)
        return " ".join(said.split()) or ("nothing came any more" if code < 0 else f"it ended with {code}")


class Follower:
    """Runs a job to its end and hands on what it prints."""

    def __init__(self, place: Place, job: Job, patience: Patience, output: str = "") -> None:
        """`output` is the local file that takes what the job wrote to $DAGFS_OUTPUT."""
        self._place, self._job, self._patience, self._output = place, job, patience, output
        self._offsets = {"o": 0, "e": 0}
        self._begun = False
        self._exit: int | None = None
        self._cleared = False
        self._found = b""
        self._stop = threading.Event()
        self._signal = ""

    def listen(self) -> None:
        """From now on pass on signals that ask to stop; all else goes on until the job has ended."""
        for number in (
            signal.SIGTERM,
            signal.SIGINT,
            signal.SIGHUP,
            signal.SIGQUIT,
            signal.SIGUSR1,
            signal.SIGUSR2,
        ):
            signal.signal(number, self._heard)
        threading.Thread(target=self._pass_on, daemon=True).start()

    def _heard(self, number: int, _frame: object) -> None:
        self._signal = signal.Signals(number).name.removeprefix("SIG")
        self._stop.set()

    def _pass_on(self) -> None:
        self._stop.wait()
        while not self._tell(trampoline.send_signal(self._job.key, self._signal, self._job.folder)):
            time.sleep(_STOP_AGAIN_SEC)

    def _tell(self, program: str) -> bool:
        """Whether a short program did over there what it is for."""
        try:
            connection = Connection(self._place, program, self._patience.silence)
            done = any(letter == "k" for letter, _ in connection.frames())
            connection.close()
        except (OSError, Refused):
            return False
        return done

    def run(self) -> int:
        """The job's exit code. Raises Refused, and Unreachable where nothing is known of the job's end."""
        pause, since = 0.2, time.monotonic()
        while True:
            if self._stop.is_set() and not self._begun:
                raise Refused("stopped before it began")
            before = self._begun, dict(self._offsets)
            if (why := self._once()) is None:
                break
            if before != (self._begun, self._offsets):
                pause, since = 0.2, time.monotonic()
                _note(f"the connection to {self._place.name} was lost ({why}); the job goes on there")
            patience = self._patience.reconnect if self._begun else self._patience.connect
            if time.monotonic() - since > patience:
                raise Unreachable(f"cannot reach {self._place.name}: {why}")
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SEC)
        if not self._cleared:
            # Otherwise a later try would take this end for its own.
            self._tell(trampoline.end(self._job.key, self._job.folder))
        assert self._exit is not None
        return self._exit

    def _once(self) -> str | None:
        """Follow over one connection as long as it holds; gives why it ended before the job did, or None."""
        job = self._job
        program = trampoline.begin(
            job.key, job.definition, job.argv, job.env, job.files,
            folder=job.folder, cwd=job.cwd, may_start=not self._begun,
            offsets=(self._offsets["o"], self._offsets["e"]),
        )  # fmt: skip
        connection = Connection(self._place, program, self._patience.silence)
        try:
            for letter, data in connection.frames():
                self._take(connection, letter, data)
        finally:
            why = connection.close()
        return why if self._exit is None else None

    def _take(self, connection: Connection, letter: str, data: bytes) -> None:
        if letter in self._offsets:
            self._offsets[letter] += len(data)
            stream = sys.stdout if letter == "o" else sys.stderr
            stream.buffer.write(data)
            stream.buffer.flush()
        elif letter == "v":
            self._found = data[:_LARGEST_OUTPUT]
        elif letter == "s":
            if self._begun:
                _note(f"connected to {self._place.name} again")
            self._begun = True
        elif letter == "x":
            self._keep_output()
            self._exit = int(data)
            connection.write("ok\n")
        elif letter == "k":
            self._cleared = True
        elif letter == "n":
            raise Unreachable(f"{self._place.name}: {data.decode('utf-8', 'replace')}")
        elif letter == "l":
            raise Unreachable(f"the job on {self._place.name} is gone without a trace of its end")

    def _keep_output(self) -> None:
        if self._output and self._found:
            with open(self._output, "wb") as file:
                file.write(self._found)


def end(place: Place, key: str, folder: str, patience: Patience) -> None:
    """End the job, whatever it takes. Raises Refused, and Unreachable where that could not be seen to."""
    deadline, pause = time.monotonic() + patience.connect, 0.2
    while True:
        connection = Connection(place, trampoline.end(key, folder), patience.silence)
        try:
            for letter, data in connection.frames():
                if letter == "k":
                    return
                if letter == "n":
                    raise Refused(f"{place.name}: {data.decode('utf-8', 'replace')}")
        finally:
            why = connection.close()
        if time.monotonic() > deadline:
            raise Unreachable(f"cannot reach {place.name}: {why}")
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SEC)


def _note(text: str) -> None:
    sys.stderr.write(f"dagfs: {text}\n")
    sys.stderr.flush()
