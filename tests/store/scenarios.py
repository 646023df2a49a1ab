"""What engines do to a store, step by step, and what must hold however each of them ends."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from dagfs.engine.transfer import import_run
from dagfs.errors import DagfsError
from dagfs.model.dag import Dag, Step
from dagfs.model.run import AttemptHeader, RunHeader
from dagfs.store.claim import Claim
from dagfs.store.files import Disk
from dagfs.store.forking import fork
from dagfs.store.fsck import check_store
from dagfs.store.layout import HomePaths
from dagfs.store.owner import Owner
from dagfs.store.parcel import pack
from dagfs.store.process import identity
from dagfs.store.runs import RunStore
from dagfs.store.status import status_document

from .disks import CountingDisk, DyingDisk, RecordingDisk, RefusingDisk, Tree, materialize

RUN = "20261121-022842-etl-k3f9"
OTHER = "20261121-030000-etl-a1b2"
SPEC_1 = b"steps:\n  - name: a\n    command: 'true'\n  - name: b\n    command: 'false'\n"
SPEC_2 = SPEC_1.replace(b"'false'", b"'true' # repaired")
DAG = Dag(
    name="etl", steps=(Step(name="a", command=("true",)), Step(name="b", command=("false",), depends=("a",)))
)
Fact = tuple[Any, ...]
Ack = Callable[[Fact], None]


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def clock() -> Callable[[], datetime]:
    """A clock that ticks once a look."""
    ticks = count()
    return lambda: datetime(2026, 11, 21, 2, 28, 42, tzinfo=UTC) + timedelta(milliseconds=next(ticks))


def open_store(root: Path, disk: Disk | None = None, **options: Any) -> RunStore:
    tokens = count()
    return RunStore(disk or Disk(), HomePaths(root), now=clock(), token=lambda: f"t{next(tokens)}", **options)


def owner(token: str = "tok1", attempt: int = 1) -> Owner:
    who = identity(os.getpid())
    assert who is not None
    return Owner(who, "here", token, attempt, "2026-11-21T02:28:42Z", "dagfs run")


def first_attempt(run_id: str = RUN) -> tuple[RunHeader, bytes, AttemptHeader, Dag, Owner]:
    header = RunHeader(id=run_id, dag="etl", created="2026-11-21T02:28:42Z")
    return header, SPEC_1, AttemptHeader(n=1, spec_sha256=sha(SPEC_1), token="tok1"), DAG, owner()


def new_run(store: RunStore, run_id: str = RUN) -> Claim:
    return store.create(*first_attempt(run_id))


def second_attempt(spec: str = "spec.v2.yaml", digest: str = sha(SPEC_2), **more: Any) -> AttemptHeader:
    return AttemptHeader(n=2, spec=spec, spec_sha256=digest, base=1, token="tok2", **more)


# -- the scenarios ---------------------------------------------------------------------------------


def nothing(root: Path) -> None:
    root.mkdir()


def running(root: Path) -> None:
    """A run whose engine has just begun."""
    root.mkdir()
    store = open_store(root)
    store.ensure()
    new_run(store).release()


def failed(root: Path) -> None:
    """A run that failed at step b, with an edit that repairs it."""
    running(root)
    with open_store(root).claim(RUN, owner()) as claim:
        _run_steps(open_store(root), claim, lambda fact: None)
    open_store(root).write_next(RUN, SPEC_2)


def torn(root: Path) -> None:
    """A run whose engine died in the middle of a line."""
    running(root)
    journal = HomePaths(root).run(RUN).attempt(1).journal
    with journal.open("ab") as file:
        file.write(b'{"n":2,"t":"2026-11-21T02:28:42.000001Z","k":"to')


def unterminated(root: Path) -> None:
    """A run whose engine died just before the newline of a line."""
    running(root)
    with open_store(root).claim(RUN, owner()) as claim:
        journal = claim.journal(1)
        journal.append("step_started", {"step": "a", "try": 1}, durable=True)
        journal.close()
    path = HomePaths(root).run(RUN).attempt(1).journal
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))


def create(store: RunStore, ack: Ack) -> None:
    store.ensure()
    with new_run(store) as claim:
        ack(("run", RUN))
        journal = claim.journal(1)
        journal.append("step_started", {"step": "a", "try": 1}, durable=True)
        journal.commit()
        ack(("event", 1, 2, "step_started"))
        journal.close()


def run_steps(store: RunStore, ack: Ack) -> None:
    with store.claim(RUN, owner()) as claim:
        _run_steps(store, claim, ack)


def _run_steps(store: RunStore, claim: Claim, ack: Ack) -> None:
    journal = claim.journal(1)
    try:
        for step, state in (("a", "succeeded"), ("b", "failed")):
            started = journal.append("step_started", {"step": step, "try": 1}, durable=True)
            journal.commit()
            ack(("event", 1, started.n, started.name))
            journal.append("notice", {"message": "lazy"})
            event = journal.append(
                "step_finished", {"step": step, "state": state, "exit_code": 0}, durable=True
            )
            journal.commit()
            ack(("event", 1, event.n, event.name))
            claim.write_status(1, status_document(store.load(RUN), as_of=journal.position))
        event = journal.append("attempt_finished", {"state": "failed"}, durable=True)
        journal.commit()
        ack(("event", 1, event.n, event.name))
        ack(("state", "failed", 1))
        claim.write_status(1, status_document(store.load(RUN), as_of=journal.position))
    finally:
        journal.close()


def retry(store: RunStore, ack: Ack) -> None:
    """The commit of an attempt with an edited spec."""
    ack(("edit", sha(SPEC_2)))
    with store.claim(RUN, owner("tok2", 2)) as claim:
        data = store.read_next(RUN)
        if data is not None:
            _commit(claim, data, ack)
            claim.consume_next(2, sha(data))


def _commit(claim: Claim, data: bytes, ack: Ack) -> None:
    if claim.paths.attempt_numbers() == [1]:
        name, digest = claim.publish_spec(data)
        assert (name, digest) == ("spec.v2.yaml", sha(data)), "an orphaned version was not used again"
        claim.commit_attempt(second_attempt(name, digest), DAG)
    ack(("attempt", 2))
    ack(("spec", 2, sha(data)))


def retry_of_killed(store: RunStore, ack: Ack) -> None:
    """An attempt that builds on facts which the engine before wrote but never synced."""
    with store.claim(RUN, owner()) as claim:
        journal = claim.journal(1)
        journal.append("step_started", {"step": "a", "try": 1})
        journal.append("step_finished", {"step": "a", "state": "succeeded", "exit_code": 0})
        journal._file.close()
        header = second_attempt("spec.v1.yaml", sha(SPEC_1))
        claim.commit_attempt(header, DAG)
        ack(("attempt", 2))
        ack(("event", 1, 3, "step_finished"))
        journal = claim.journal(2)
        journal.append("step_kept", {"step": "a", "attempt": 1}, durable=True)
        journal.close()


def edit(store: RunStore, ack: Ack) -> None:
    store.write_next(RUN, SPEC_2)
    ack(("edit", sha(SPEC_2)))


def worked(root: Path) -> None:
    """The same, whose steps left outputs, artifacts, a link and files in `work/`; and a child."""
    failed(root)
    paths = HomePaths(root).run(RUN)
    step = paths.attempt(1).step("a")
    step.artifacts.mkdir(parents=True)
    (step.artifacts / "rows.csv").write_bytes(b"1,2\n" * 50)
    (step.artifacts / "latest").symlink_to("rows.csv")
    step.outputs.write_bytes(b"{}")
    (paths.work / "deep").mkdir()
    (paths.work / "deep/state").write_bytes(b"so far")
    with open_store(root).claim(RUN, owner()) as claim:
        header = RunHeader(id=f"{RUN}/each-1", dag="inner", root=RUN, parent=RUN, step="b")
        claim.create_child(
            "each-1", header, SPEC_1, AttemptHeader(n=1, spec_sha256=sha(SPEC_1)), DAG
        ).release()


def packed(root: Path, *, goes_on: bool = False) -> None:
    """An archive of such a run: of one that went on there, or of one that is not here."""
    there = root.with_name("there")
    worked(there)
    if goes_on:
        shutil.copytree(there, root, symlinks=True)
        retry(open_store(there), lambda fact: None)
    else:
        root.mkdir()
        open_store(root).ensure()
    with (root / "run.tar.gz").open("wb") as out:
        pack(HomePaths(there).run(RUN), out)
    shutil.rmtree(there)


def rerun(store: RunStore, ack: Ack) -> None:
    """A new run with all of the old one behind it."""
    done = work_of(store, RUN)
    ack(("work", RUN, done))
    with store.claim(RUN, owner()) as claim:
        header = RunHeader(id=OTHER, dag="etl", created="2026-11-21T02:28:42Z", root=RUN, parent=RUN)
        fork(store._disk, store.home, claim.paths, header)
    ack(("run", OTHER))
    ack(("work", OTHER, done))


def bring_in(store: RunStore, ack: Ack, new_id: str = "") -> None:
    """What `dagfs import` does."""
    if RUN in store.ids():
        ack(("work", RUN, work_of(store, RUN)))
        ack(("edit", sha(SPEC_2)))
    home = SimpleNamespace(paths=store.home, disk=store._disk, store=store)
    engine: Any = SimpleNamespace(home=home)
    with (store.home.root / "run.tar.gz").open("rb") as source:
        run_id = import_run(engine, source, new_id)
    ack(("run", run_id))
    ack(("work", run_id, work_of(store, run_id)))
    if new_id == "" and len(store.load(RUN).attempts) > 1:
        ack(("attempt", 2))


def work_of(store: RunStore, run_id: str) -> str:
    """A digest of what the steps of a run left, its child's folder included."""
    paths = store.home.run(run_id)
    folders = (paths.attempt(1).steps, paths.work, paths.children / "each-1" / "attempts" / "1")
    found = sorted(each for folder in folders for each in folder.rglob("*"))
    said = [
        [
            str(each.relative_to(paths.root)),
            os.readlink(each) if each.is_symlink() else sha(each.read_bytes()),
        ]
        for each in found
        if each.is_symlink() or each.is_file()
    ]
    return sha(json.dumps([each for each in said if "status.json" not in each[0]]).encode())


def recover(store: RunStore, ack: Ack) -> None:
    """What the next command does with a run whose engine died."""
    store.ensure()
    if RUN not in store.ids():
        return
    n = store.load(RUN).last.n
    with store.claim(RUN, owner()) as claim:
        journal = claim.journal(n)
        try:
            event = journal.append("notice", {"message": "taken over"}, durable=True)
            journal.commit()
            ack(("event", n, event.n, event.name))
            claim.write_status(n, status_document(store.load(RUN), as_of=journal.position))
        finally:
            journal.close()


@dataclass(frozen=True)
class Scenario:
    """A store to begin with, and what is done to it."""

    before: Callable[[Path], None]
    act: Callable[[RunStore, Ack], None]
    sparse: bool = False
    """It is long and even: strike where it turns, and now and then between."""

    def strikes(self, n: int, op: str) -> bool:
        """Whether the nth change is worth a strike."""
        return not self.sparse or op in _TURNS or n % 12 == 0


_MOST_STATES = 20
_TURNS = ("rename", "exchange", "copy", "symlink")
SCENARIOS = {
    "create": Scenario(nothing, create),
    "run": Scenario(running, run_steps),
    "edit": Scenario(running, edit),
    "retry": Scenario(failed, retry),
    "retry of killed": Scenario(running, retry_of_killed),
    "rerun": Scenario(worked, rerun, sparse=True),
    "import": Scenario(packed, bring_in, sparse=True),
    "import as another": Scenario(packed, partial(bring_in, new_id=OTHER), sparse=True),
    "import of more": Scenario(partial(packed, goes_on=True), bring_in, sparse=True),
    "recover torn": Scenario(torn, recover),
    "recover unterminated": Scenario(unterminated, recover),
}


# -- what must hold --------------------------------------------------------------------------------


def verify(root: Path, facts: list[Fact]) -> None:
    """Old or new, every fact there, nothing damaged; then recovery, twice, and all of it again."""
    _check(root, facts)
    for _ in range(2):
        more: list[Fact] = []
        recover(open_store(root), more.append)
        facts = [*facts, *more]
    _check(root, facts)
    store = open_store(root)
    if RUN in store.ids() and store.read_next(RUN) == SPEC_2:
        done: list[Fact] = []
        retry(store, done.append)
        _check(root, [*facts, *done])
        assert store.read_next(RUN) is None


def _check(root: Path, facts: list[Fact]) -> None:
    store = open_store(root)
    if (root / "runs").exists() and (root / "runs/.dagfs-store").exists():
        damage = [str(each) for each in check_store(store) if each.fatal]
        assert not damage, damage
    for run_id in store.ids():
        store.load(run_id)
    for fact in facts:
        assert _holds(store, fact), f"lost: {fact}"


def _holds(store: RunStore, fact: Fact) -> bool:
    kind, *rest = fact
    paths = store.home.run(RUN)
    if kind == "run":
        return rest[0] in store.ids() and store.spec(rest[0], 1) == SPEC_1
    if kind == "event":
        attempt, n, name = rest
        lines = paths.attempt(attempt).journal.read_text("ascii", "replace").splitlines()
        return any(f'"n":{n},' in line and f'"event":"{name}"' in line for line in lines)
    if kind == "attempt":
        return store.load(RUN).last.n >= rest[0]
    if kind == "spec":
        return sha(store.spec(RUN, rest[0])) == rest[1]
    if kind == "state":
        return str(store.load(RUN).attempts[rest[1] - 1].state) == rest[0]
    if kind == "work":
        return work_of(store, rest[0]) == rest[1]
    assert kind == "edit"
    pending = store.read_next(RUN)
    return (pending is not None and sha(pending) == rest[0]) or store.load(
        RUN
    ).last.header.spec_sha256 == rest[0]


# -- the sweeps: each returns how often it struck, and what then did not hold ------------------------


@dataclass
class Sweep:
    """What came of one sweep."""

    strikes: int
    failures: list[str]


def _copy(base: Path, target: Path) -> Path:
    shutil.copytree(base, target, symlinks=True)
    return target


def _judge(label: str, root: Path, facts: list[Fact], failures: list[str]) -> None:
    try:
        verify(root, facts)
    except (AssertionError, DagfsError, OSError, ValueError, KeyError) as error:
        failures.append(f"{label}: {type(error).__name__}: {error}")
    shutil.rmtree(root, ignore_errors=True)


def kill_sweep(scenario: Scenario, folder: Path) -> Sweep:
    """End the process at every change in turn; a write also in half, and with its last byte missing."""
    base = folder / "base"
    scenario.before(base)
    counting = CountingDisk()
    try:
        scenario.act(open_store(_copy(base, folder / "count"), counting), lambda fact: None)
    except DagfsError as error:
        return Sweep(0, [f"even when nothing fails: {error}"])
    parts = (0.5,) if scenario.sparse else (0.5, 1.0)
    strikes = [(n, 0.0) for n in range(len(counting.ops))]
    strikes += [(n, part) for n, (op, _) in enumerate(counting.ops) for part in parts if op == "write"]
    strikes = [(n, part) for n, part in strikes if scenario.strikes(n, counting.ops[n][0])]
    failures: list[str] = []
    for n, part in strikes:
        root = _copy(base, folder / "trial")
        code, facts = _in_child(root, DyingDisk(n, part), scenario.act)
        assert code == 9, f"the scenario itself ended at change {n}: {facts}"
        _judge(f"killed at {n} {counting.ops[n]} ({part:.0%})", root, facts, failures)
        if len(failures) > 3:
            break
    return Sweep(len(strikes), failures)


def _in_child(root: Path, disk: Disk, act: Callable[[RunStore, Ack], None]) -> tuple[int, list[Fact]]:
    """Act in a forked process; how it ended, and the facts it had acknowledged by then."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        child = os.fork()
    if child == 0:
        code = 1
        try:
            act(open_store(root, disk), lambda fact: _send(writer, fact))
            code = 0
        except DagfsError as error:
            _send(writer, ("error", error.message))
        finally:
            os._exit(code)
    os.close(writer)
    with open(reader, "rb") as file:
        lines = file.read().decode().splitlines()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), [tuple(json.loads(line)) for line in lines]


def _send(writer: int, fact: Fact) -> None:
    os.write(writer, json.dumps(fact).encode() + b"\n")


def refusal_sweep(
    scenario: Scenario, folder: Path, number: int, *, for_ever: bool, part: bool = False
) -> Sweep:
    """Fail every change in turn; the engine may end with an error of dagfs, and no other."""
    base = folder / "base"
    scenario.before(base)
    failures: list[str] = []
    counting = CountingDisk()
    with suppress(DagfsError):
        scenario.act(open_store(_copy(base, folder / "count"), counting), lambda fact: None)
    ops, strikes = counting.ops, 0
    for n in count():
        if n < len(ops) and not scenario.strikes(n, ops[n][0]):
            continue
        root = _copy(base, folder / "trial")
        disk = RefusingDisk(n, number, for_ever=for_ever, part=part)
        facts: list[Fact] = []
        try:
            scenario.act(open_store(root, disk), facts.append)
        except DagfsError as error:
            if str(root) not in error.message:
                failures.append(f"refused at {n}: {error.message!r} names no path")
        except Exception as error:  # noqa: BLE001
            failures.append(f"refused at {n}: {error!r}")
        _judge(f"errno {number} at {n} {disk.ops[n : n + 1]}", root, facts, failures)
        if not disk.refused:
            break
        strikes += 1
    return Sweep(strikes, failures)


def power_sweep(scenario: Scenario, folder: Path, leave_out: tuple[str, ...] = ()) -> Sweep:
    """Cut the power after every change, and try what the weakest file system may then hold."""
    root = folder / "live"
    scenario.before(root)
    disk = RecordingDisk(root, leave_out)
    found: dict[int, tuple[Tree, list[Fact]]] = {}

    def visit(disk: RecordingDisk) -> None:
        for tree in disk.states():
            found[hash((tuple(sorted(tree.items())), tuple(disk.facts)))] = (tree, list(disk.facts))

    disk.visit = visit if not scenario.sparse else lambda disk: visit(disk) if disk.last in _TURNS else None

    def ack(fact: Fact) -> None:
        disk.facts.append(fact)
        visit(disk)

    scenario.act(open_store(root, disk), ack)
    failures: list[str] = []
    states = list(_without_weaker(found.values()))
    step = max(1, len(states) // _MOST_STATES) if scenario.sparse else 1
    for tree, facts in states[::step]:
        trial = folder / "trial"
        materialize(tree, trial)
        _judge("after a power cut", trial, facts, failures)
        if len(failures) > 3:
            break
    return Sweep(len(found), failures)


def _without_weaker(states: Any) -> Iterator[tuple[Tree, list[Fact]]]:
    """Each tree once, with the most facts that it was seen with."""
    best: dict[tuple[Any, ...], tuple[Tree, list[Fact]]] = {}
    for tree, facts in states:
        key = tuple(sorted(tree.items()))
        if key not in best or len(facts) > len(best[key][1]):
            best[key] = (tree, facts)
    yield from best.values()
