"""A bench to run real steps on: launches them, waits with a deadline, and lets none outlive the test."""

from __future__ import annotations

import os
import select
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dagfs.engine.launch import Launch
from dagfs.engine.pool import Child, Pool
from dagfs.engine.tree import kill_by_token
from dagfs.store.record import Exit, Record, read
from tests.patience import PATIENCE_SEC


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = uuid.uuid4().hex
        self.tokens: list[str] = []
        self.children: list[Child] = []
        self._pool: Pool | None = None

    @property
    def pool(self) -> Pool:
        if self._pool is None:
            self._pool = Pool.start()
        return self._pool

    @property
    def stdout(self) -> Path:
        return self.folder / "stdout.log"

    @property
    def stderr(self) -> Path:
        return self.folder / "stderr.log"

    def order(self, *argv: str, env: dict[str, str] | None = None, **settings: object) -> Launch:
        """A launch of `argv`, or of a shell text where only one is given."""
        token = f"{self.mark}.{len(self.tokens) + 1}"
        self.tokens.append(token)
        known: dict[str, object] = {
            "argv": argv if len(argv) > 1 else ("/bin/sh", "-c", *argv),
            "env": {"PATH": os.environ["PATH"], "DAGFS_TRY_TOKEN": token, **(env or {})},
            "cwd": str(self.folder),
            "stdout": str(self.stdout),
            "stderr": str(self.stderr),
            "record": str(self.folder / f"record.{len(self.tokens)}"),
            "token": token,
            "grace_sec": 30,
        }
        return Launch(**{**known, **settings})  # type: ignore[arg-type]

    def start(self, *argv: str, **settings: object) -> tuple[Launch, Child]:
        order = self.order(*argv, **settings)  # type: ignore[arg-type]
        return order, self.launch(order)

    def launch(self, order: Launch) -> Child:
        child = self.pool.launch(order)
        self.children.append(child)
        return child

    def release(self, child: Child) -> None:
        """Give a shim back whose step has ended."""
        self.children.remove(child)
        self.pool.take_back(child)

    def run(self, *argv: str, **settings: object) -> Exit:
        """Run to the end."""
        order, child = self.start(*argv, **settings)
        left = self.end(order, child)
        self.release(child)
        return left

    def end(self, order: Launch, child: Child) -> Exit:
        """Wait for the end of the step, and see that nothing its shim was to own is left."""
        self.wait(child)
        record = self.record(order)
        assert record is not None
        assert record.exit is not None, record
        assert not record.damage
        assert not record.is_running
        return record.exit

    def wait(self, child: Child) -> None:
        poller = select.poll()
        poller.register(child, select.POLLIN)
        assert poller.poll(PATIENCE_SEC * 1000), "the step does not end"

    def record(self, order: Launch) -> Record | None:
        return read(order.record)

    def signal(self, child: Child, number: int) -> None:
        signal.pidfd_send_signal(child.pidfd, number)

    def from_killed_engine(self, work: Callable[[], Iterator[list[int]]]) -> list[int]:
        """What `work` yields in a process of its own, which is killed at that point."""
        read_end, write_end = os.pipe()
        engine = os.fork()
        if engine == 0:
            try:
                # While it is suspended it keeps what it opened.
                suspended = work()
                os.write(write_end, b" ".join(b"%d" % number for number in next(suspended)))
                os.kill(os.getpid(), signal.SIGKILL)
            finally:
                os._exit(1)
        os.waitpid(engine, 0)
        os.close(write_end)
        with open(read_end) as file:
            return [int(number) for number in file.read().split()]

    def printed(self, text: str) -> Callable[[], bool]:
        return lambda: self.stdout.exists() and text in self.stdout.read_text()

    def survivors(self) -> list[str]:
        """What runs with one of this bench's tokens."""
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    if self.mark.encode() in Path("/proc", name, "environ").read_bytes():
                        found.append(Path("/proc", name, "cmdline").read_text())
                except OSError:
                    continue
        return found

    def close(self) -> None:
        for child in self.children:
            child.close()
        if self._pool is not None:
            self._pool.close()
        while self.survivors():
            for token in self.tokens:
                kill_by_token(token)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()
