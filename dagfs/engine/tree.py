"""Signals for processes that are known by number, without ever hitting another that got the number later."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterable, Iterator

from dagfs.engine.launch import TOKEN_VARIABLE
from dagfs.errors import Refused
from dagfs.store.process import Identity, identity

_PATIENCE_SEC = 10.0


def open_process(who: Identity) -> int | None:
    """A pidfd of that very process, to be closed by the caller, or None where it is gone."""
    if who.pid <= 0:
        return None
    try:
        pidfd = os.pidfd_open(who.pid)
    except OSError:
        return None
    # Only now, with the process held, does the number mean the same one before and after.
    if identity(who.pid) == who:
        return pidfd
    os.close(pidfd)
    return None


def stop_shim(who: Identity, kill: bool) -> bool:
    """Ask a shim to stop its step, or to `kill` it at once. False where it is gone; Refused, see `tell`."""
    return tell(who, signal.SIGUSR1 if kill else signal.SIGTERM)


def tell(who: Identity, number: int) -> bool:
    """Signal exactly that process, never one that has its number now; False where it is gone.

    Refused where it belongs to another user.
    """
    pidfd = open_process(who)
    if pidfd is None:
        return False
    try:
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        raise Refused(
            f"process {who.pid} belongs to another user and cannot be signalled",
            hint="only the user it runs as, or root, can stop it",
        ) from None
    finally:
        os.close(pidfd)
    return True


def kill_by_token(token: str) -> int:
    """Kill every process with `token` in its environment, and its descendants.

    Gives how many, once none is left. What cleared its environment and lost its parent is not found.
    Raises Refused when one is still there after 10 s.
    """
    entry = f"{TOKEN_VARIABLE}={token}".encode()
    deadline = time.monotonic() + _PATIENCE_SEC
    killed: set[Identity] = set()
    while found := _open_all(_family(entry)):
        try:
            killed |= {who for who, pidfd in found.items() if _kill(pidfd)}
            _await_all(found, deadline)
        finally:
            for pidfd in found.values():
                os.close(pidfd)
    return len(killed)


def holds_token(token: str) -> bool:
    """Whether any process has `token` in its environment, or is below one that has."""
    return any(True for _ in _family(f"{TOKEN_VARIABLE}={token}".encode()))


def _family(entry: bytes) -> Iterator[Identity]:
    """Everyone that holds `entry`, and all below them; not this process."""
    own = os.getpid()
    parents = dict(_parents())
    holders = {pid for pid in parents if pid != own and _holds(pid, entry)}
    for pid in parents:
        if pid != own and not holders.isdisjoint(_lineage(pid, parents)):
            who = identity(pid)
            if who is not None:
                yield who


def _lineage(pid: int, parents: dict[int, int]) -> Iterator[int]:
    seen: set[int] = set()
    while pid > 1 and pid not in seen:
        yield pid
        seen.add(pid)
        pid = parents.get(pid, 0)


def _parents() -> Iterator[tuple[int, int]]:
    """Each process there is, and its parent."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                yield int(name), _parent(int(name))
            except OSError:
                continue


def _parent(pid: int) -> int:
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[1])


def _holds(pid: int, entry: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return entry in file.read().split(b"\0")
    except OSError:
        return False


def _open_all(family: Iterable[Identity]) -> dict[Identity, int]:
    pidfds = ((who, open_process(who)) for who in family)
    return {who: pidfd for who, pidfd in pidfds if pidfd is not None}


def _kill(pidfd: int) -> bool:
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _await_all(found: dict[Identity, int], deadline: float) -> None:
    for who, pidfd in found.items():
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise Refused(
                f"process {who.pid} of a step that lost its shim cannot be killed",
                hint="it may hang in the kernel; look at it with `ps`",
            )


def children() -> list[int]:
    """The direct children of this single-threaded process, zombies included."""
    own = os.getpid()
    try:
        with open(f"/proc/self/task/{own}/children", "rb") as file:
            return [int(pid) for pid in file.read().split()]
    except FileNotFoundError:
        # A kernel without this file.
        return [pid for pid, above in _parents() if above == own]
