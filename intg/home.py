"""A dagfs home as its user knows it: the installed command, files, and processes."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from intg import warm
from tests.patience import PATIENCE_SEC, eventually

DAGFS = str(Path(sys.executable).with_name("dagfs"))
REPOSITORY = Path(__file__).parent.parent
_WARM = warm.Server()
atexit.register(_WARM.close)

T = TypeVar("T")


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit code, standard output, standard error."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"$ dagfs {' '.join(self.words)}\n{self.out}{self.err}[exit {self.code}]"

    def exits(self, code: int) -> Outcome:
        """Check the exit code."""
        assert self.code == code, f"expected exit {code}\n{self}"
        return self

    def says(self, *texts: str) -> Outcome:
        """Check that each text was printed, wherever; runs of blanks count as one."""
        said = " ".join(f"{self.out}\n{self.err}".split())
        for text in texts:
            assert text in said, f"expected {text!r}\n{self}"
        return self

    def never_says(self, *texts: str) -> Outcome:
        """Check that none of the texts was printed."""
        for text in texts:
            assert text not in self.out + self.err, f"did not expect {text!r}\n{self}"
        return self

    def in_one_line(self) -> Outcome:
        """Check that the error is one line, with at most one hint."""
        lines = [line for line in self.err.splitlines() if not line.startswith("  hint: ")]
        assert len(lines) == 1, f"expected one line\n{self}"
        return self

    @property
    def json(self) -> Any:
        """Standard output as one JSON value."""
        try:
            return json.loads(self.out)
        except ValueError:
            raise AssertionError(f"not JSON\n{self}") from None

    @property
    def events(self) -> list[dict[str, Any]]:
        """Standard output as a stream of JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


class Engine:
    """A dagfs command that goes on while the story does."""

    def __init__(self, words: tuple[str, ...], process: subprocess.Popen[str]) -> None:
        self.words, self._process = words, process

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def kill(self) -> Outcome:
        """`kill -9`, and wait until it is gone."""
        self._process.kill()
        return self.wait()

    def until(self, look: Callable[[], T], what: str) -> T:
        """The first true answer of `look`, which must come while the command goes on."""

        def found_or_over() -> T | bool:
            return look() or self._process.poll() is not None

        eventually(found_or_over, what)
        found = look()
        assert found, f"{what} did not come about before the end\n{self.wait()}"
        return found

    def line(self) -> str:
        """The next line that it prints; it must print one."""
        assert self._process.stdout is not None
        found = self._process.stdout.readline()
        assert found, f"it printed nothing\n{self.wait()}"
        return found

    def wait(self) -> Outcome:
        """Wait for its end."""
        out, err = self._process.communicate(timeout=PATIENCE_SEC)
        return checked(Outcome(self.words, self._process.returncode, out, err))


def checked(outcome: Outcome) -> Outcome:
    """No story ever shows a traceback, or a message that a bug was met."""
    outcome.never_says("Traceback", "this is a bug in dagfs")
    return outcome


class Home:
    """A folder with a dagfs.yaml, and the command line in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mark = secrets.token_hex(warm.MARK_LENGTH // 2)
        self._engines: list[Engine] = []

    # --- commands

    def dagfs(
        self,
        *words: str,
        env: Mapping[str, str] | None = None,
        stdin: str | bytes = "",
        cwd: Path | None = None,
        cold: bool = False,
    ) -> Outcome:
        """Call `dagfs` in the home and wait for its end; with `cold` as a program started afresh."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        environment = self._environment(env)
        if not cold and _WARM.takes(environment):
            code, out, err = _WARM.run(
                DAGFS, words, cwd or self.path, environment, data, within=2 * PATIENCE_SEC
            )
            return checked(Outcome(words, code, out.decode(errors="replace"), err.decode(errors="replace")))
        done = subprocess.run(
            [DAGFS, *words],
            cwd=cwd or self.path,
            env=environment,
            input=data,
            capture_output=True,
            timeout=2 * PATIENCE_SEC,
            check=False,
        )
        texts = (done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
        return checked(Outcome(words, done.returncode, *texts))

    def start(self, *words: str, env: Mapping[str, str] | None = None) -> Engine:
        """Call `dagfs` and let it go on."""
        process = subprocess.Popen(
            [DAGFS, *words],
            cwd=self.path,
            env=self._environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        engine = Engine(words, process)
        self._engines.append(engine)
        return engine

    def shell(self, script: str) -> str:
        """What a shell command prints that an operator types in the home; it must succeed."""
        done = subprocess.run(
            ["sh", "-euc", script],
            cwd=self.path,
            env=self._environment(None),
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE_SEC,
            check=False,
        )
        assert done.returncode == 0, f"$ {script}\n{done.stdout}{done.stderr}[exit {done.returncode}]"
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout

    def _environment(self, more: Mapping[str, str] | None) -> dict[str, str]:
        return {
            "PATH": f"{Path(DAGFS).parent}:{os.environ.get('PATH', os.defpath)}",
            "HOME": str(self.path),
            "LANG": "C.UTF-8",
            "TMPDIR": str(self.path.parent),
            "DAG_DESK": str(self.path.parent),
            warm.MARK: self._mark,
            **(more or {}),
        }

    # --- files

    def dag(self, name: str, text: str) -> Path:
        """Write dags/NAME.yaml."""
        path = self.path / "dags" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"))
        return path

    def example(self, name: str) -> Path:
        """One of this repository's own DAGs, with what lies beside it."""
        shutil.copytree(REPOSITORY / "dags", self.path / "dags", dirs_exist_ok=True)
        return self.path / "dags" / f"{name}.yaml"

    def settings(self, text: str) -> None:
        """Write dagfs.yaml."""
        (self.path / "dagfs.yaml").write_text(textwrap.dedent(text))

    def runs(self) -> list[Path]:
        """The folders of all runs, oldest first by name."""
        return sorted(path for path in (self.path / "runs").glob("[a-z0-9]*") if path.is_dir())

    @property
    def run(self) -> Path:
        """The folder of the only run there is."""
        found = self.runs()
        assert len(found) == 1, found
        return found[0]

    def edit(self, *replacements: tuple[str, str]) -> Path:
        """Copy the newest spec to spec.next.yaml with some texts replaced, as an operator would."""
        run = self.run
        newest = max(run.glob("spec.v*.yaml"), key=lambda path: int(path.name.split(".")[1][1:]))
        text = newest.read_text()
        for old, new in replacements:
            assert old in text, f"{old!r} is not in {newest}:\n{text}"
            text = text.replace(old, new)
        path = run / "spec.next.yaml"
        path.write_text(text)
        return path

    def status(self) -> dict[str, Any]:
        """`status.json` of the only run, as `jq` would read it."""
        found: dict[str, Any] = json.loads((self.run / "status.json").read_text())
        return found

    def states(self) -> dict[str, str]:
        """The state of each step of the only run."""
        return {name: step["state"] for name, step in self.dagfs("status", "--json").json["steps"].items()}

    def log(self, step: str, attempt: int = 1, stream: str = "stdout") -> str:
        """A log of the only run; empty where it is not there."""
        found = list((self.path / "runs").glob(f"*/attempts/{attempt}/steps/{step}/{stream}.log"))
        assert len(found) < 2, found
        return found[0].read_text() if found else ""

    def journal(self, attempt: int = 1) -> list[dict[str, Any]]:
        """The journal of one attempt of the only run."""
        found = list((self.path / "runs").glob(f"*/attempts/{attempt}/journal.jsonl"))
        assert len(found) < 2, found
        lines = found[0].read_text().splitlines(keepends=True) if found else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def has_event(self, name: str, attempt: int = 1) -> bool:
        """Whether the journal of one attempt has such an event."""
        return any(event["event"] == name for event in self.journal(attempt))

    def listing(self, *below: str) -> dict[str, tuple[object, ...]]:
        """Everything in a folder: kind, mode, size, time of change and digest by path."""
        top = Path(self.path, *below)
        return {str(path.relative_to(top)): _entry(path) for path in sorted(top.rglob("*"))}

    def file(self, name: str) -> Path:
        """A file beside the home, for a step to talk to the story: `$DAG_DESK/NAME`."""
        return self.path.parent / name

    def go(self, code: int = 0) -> None:
        """Tell a step that waits for `$DAG_DESK/go` how to end; the file comes with its content."""
        self.file("going").write_text(f"{code}")
        self.file("going").rename(self.file("go"))

    def lines(self, name: str) -> list[str]:
        """The lines of a file that steps write to; none where it is not there."""
        path = self.file(name)
        return path.read_text().splitlines() if path.exists() else []

    # --- processes

    def processes(self) -> dict[int, str]:
        """What this story started and is still alive: pids to names."""
        found = {}
        mark = f"{warm.MARK}={self._mark}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes():
                    found[int(folder.name)] = (folder / "comm").read_text().strip()
            except OSError:
                continue
        return found

    def pids(self, name: str) -> list[int]:
        """The processes of that name that this story started."""
        return [pid for pid, comm in self.processes().items() if comm == name]

    def clear(self) -> dict[int, str]:
        """Wait a little for all processes to end; kill and return those that did not."""
        for engine in self._engines:
            engine._process.stdout and engine._process.stdout.close()
            engine._process.stderr and engine._process.stderr.close()
            engine._process.poll()
        deadline = time.monotonic() + 5
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.01)
        survivors = left
        while left:
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.01)
            left = self.processes()
        for engine in self._engines:
            engine._process.wait(PATIENCE_SEC)
        return survivors


def _entry(path: Path) -> tuple[object, ...]:
    info = path.lstat()
    kind = stat.S_IFMT(info.st_mode)
    what: object = None
    if stat.S_ISREG(kind):
        what = hashlib.sha256(path.read_bytes()).hexdigest()
    elif stat.S_ISLNK(kind):
        what = os.readlink(path)
    return (stat.filemode(info.st_mode), info.st_size if what else 0, info.st_mtime_ns, what)
