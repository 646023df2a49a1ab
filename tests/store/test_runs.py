from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from dagfs.errors import (
    Busy,
    DagfsError,
    Damaged,
    LostOwnership,
    NewerFormat,
    NotFound,
    Refused,
    SpecError,
    StoreError,
    UsageError,
)
from dagfs.model.run import RunHeader
from dagfs.model.state import StepState
from dagfs.store.claim import Claim
from dagfs.store.locks import RunLock
from dagfs.store.owner import LockTable, holder, read_owner
from dagfs.store.runs import RunStore
from dagfs.store.status import status_document

from .scenarios import (
    DAG,
    RUN,
    SPEC_1,
    SPEC_2,
    failed,
    first_attempt,
    new_run,
    open_store,
    owner,
    running,
    second_attempt,
    sha,
)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    running(tmp_path / "home")
    return open_store(tmp_path / "home")


@pytest.fixture
def broken(tmp_path: Path) -> RunStore:
    """A store whose run has failed and has an edit pending."""
    failed(tmp_path / "home")
    return open_store(tmp_path / "home")


def race(n: int, act: Callable[[], None]) -> list[int]:
    """Exit codes of n processes that act at the same moment: 0 for success, 1 for an error of dagfs."""
    reader, gate = os.pipe()
    children = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(n):
            child = os.fork()
            if child == 0:
                code = 2
                try:
                    os.close(gate)
                    os.read(reader, 1)
                    act()
                    code = 0
                except DagfsError:
                    code = 1
                finally:
                    os._exit(code)
            children.append(child)
    os.close(reader)
    os.close(gate)
    return sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


# -- creating --------------------------------------------------------------------------------------


def test_a_new_run_holds_everything_and_is_held(store: RunStore) -> None:
    claim = new_run(store, "other")
    paths = claim.paths
    assert sorted(os.listdir(paths.root)) == [
        ".lock",
        "attempts",
        "owner.json",
        "run.json",
        "spec.v1.yaml",
        "work",
    ]
    assert sorted(os.listdir(paths.attempt(1).root)) == ["attempt.json", "journal.jsonl", "resolved.json"]
    assert (paths.root / "spec.v1.yaml").stat().st_mode & 0o777 == 0o400
    assert store.spec("other", 1) == SPEC_1
    assert store.dag("other", 1) == DAG
    assert store.header("other").dag == "etl"
    run = store.load("other")
    assert run.last.steps["a"].state is StepState.NOT_STARTED
    assert run.last.events == 1
    with pytest.raises(Busy, match=str(os.getpid())):
        store.claim("other", owner())
    claim.check()
    claim.release()
    store.claim("other", owner()).release()
    assert not [name for name in os.listdir(store.home.runs) if name.startswith(".stage")]


@pytest.mark.parametrize("run_id", ["..", "-rf", "A", "a/b/c", "x" * 65, "", "a\nb", "con/../x"])
def test_ids_that_are_no_ids_are_refused(run_id: str, store: RunStore) -> None:
    with pytest.raises(Refused):
        new_run(store, run_id)
    with pytest.raises(NotFound):
        store.load(run_id)


def test_a_taken_id_is_refused(store: RunStore) -> None:
    with pytest.raises(Refused, match="exists already"):
        new_run(store)


def test_one_of_many_that_create_the_same_run_wins(store: RunStore) -> None:
    assert race(8, lambda: new_run(store, "same").check()) == [0] + [1] * 7
    assert store.load("same").state
    store.ensure()
    assert [name for name in os.listdir(store.home.runs) if name.startswith(".stage")] == []


def test_one_of_many_that_claim_a_run_gets_it(store: RunStore) -> None:
    lost, tell = os.pipe()

    def act() -> None:
        # Two winners would wait for each other for ever.
        signal.alarm(60)
        try:
            with store.claim(RUN, owner()):
                for _ in range(7):
                    os.read(lost, 1)
        except Busy:
            os.write(tell, b"x")
            raise

    assert race(8, act) == [0] + [1] * 7
    os.close(lost)
    os.close(tell)


class _NoLock:
    def check(self) -> None:
        pass


def test_one_of_many_that_commit_the_same_attempt_wins_even_without_a_lock(store: RunStore) -> None:
    def act() -> None:
        claim = Claim(store._disk, store.home.run(RUN), _NoLock(), "t", store._now)  # type: ignore[arg-type]
        claim.commit_attempt(second_attempt("spec.v1.yaml", sha(SPEC_1)), DAG)

    assert race(8, act) == [0] + [1] * 7
    assert store.load(RUN).last.n == 2


def test_children_live_in_their_root(store: RunStore) -> None:
    header, spec, attempt, dag, _ = first_attempt(f"{RUN}/item-1")
    with store.claim(RUN, owner()) as claim:
        child = claim.create_child("item-1", header, spec, attempt, dag)
        assert child.paths == claim.paths.child("item-1") == store.home.run(f"{RUN}/item-1")
        assert child.paths.lock == claim.paths.lock
        with pytest.raises(LostOwnership):
            claim.create_child("item-1", header, spec, attempt, dag)
    assert store.ids() == [RUN]
    assert store.children(RUN) == [f"{RUN}/item-1"]
    assert store.find(f"{RUN}/item-1") == f"{RUN}/item-1"
    assert store.load(f"{RUN}/item-1").id == f"{RUN}/item-1"
    with pytest.raises(Refused):
        new_run(store, "none/item-1")


# -- the store -------------------------------------------------------------------------------------


def test_a_store_is_made_once(tmp_path: Path) -> None:
    first = open_store(tmp_path).ensure()
    assert open_store(tmp_path).ensure() == first
    assert open_store(tmp_path, store_id=first).ensure() == first


def test_an_unmounted_disk_is_no_new_store(tmp_path: Path) -> None:
    store = open_store(tmp_path, store_id="abc")
    for _ in range(2):
        with pytest.raises(StoreError) as caught:
            store.ensure()
        assert "mounted" in (caught.value.hint or "")
        assert not (tmp_path / "runs/.dagfs-store").exists()
        (tmp_path / "runs").mkdir(exist_ok=True)
    open_store(tmp_path).ensure()
    with pytest.raises(StoreError, match="abc"):
        store.ensure()


def test_a_folder_that_is_no_store_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "runs/mine").mkdir(parents=True)
    with pytest.raises(StoreError):
        open_store(tmp_path).ensure()


def test_what_dead_engines_were_building_is_cleared_away_and_what_living_ones_build_is_not(
    store: RunStore,
) -> None:
    living, dead, fresh, young = (store.home.stage(name) for name in ("living", "dead", "fresh", "young"))
    for stage in (living, dead, fresh, young):
        stage.root.mkdir()
    dead.lock.touch()
    # Made, and to be taken the next moment.
    young.lock.touch()
    lock = RunLock.acquire(living, store._disk, owner())
    before = time.time() - 60
    for stage in (living, dead, fresh):
        os.utime(stage.root, (before, before))
    store.ensure()
    assert [stage.root.exists() for stage in (living, dead, fresh, young)] == [True, False, True, True]
    lock.release()
    store.ensure()
    assert not living.root.exists()


# -- damage ----------------------------------------------------------------------------------------


def _rewrite(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert old in data
    path.chmod(0o600)
    path.write_bytes(data.replace(old, new))


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("run.json", b'"etl"', b'"elt"', "checksum"),
        ("spec.v1.yaml", b"true", b"trve", "changed after it was captured"),
        ("attempts/1/attempt.json", b"spec.v1", b"spec.v2", "checksum"),
        ("attempts/1/resolved.json", b"false", b"truer", "checksum"),
        ("attempts/1/journal.jsonl", b'"attempt":1', b'"attempt":2', "line 1"),
    ],
)
def test_a_changed_record_is_never_used(
    name: str, old: bytes, new: bytes, says: str, store: RunStore
) -> None:
    _rewrite(store.home.run(RUN).root / name, old, new)
    with pytest.raises(Damaged, match=says) as caught:
        store.load(RUN)
    assert name in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("name", ["run.json", "spec.v1.yaml", "attempts/1", "attempts/1/journal.jsonl"])
def test_a_missing_record_is_named(name: str, store: RunStore) -> None:
    path = store.home.run(RUN).root / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(Damaged):
        store.load(RUN)


def test_a_copied_or_renamed_run_is_not_taken_for_another(store: RunStore) -> None:
    shutil.copytree(store.home.run(RUN).root, store.home.run("copy").root, symlinks=True)
    with pytest.raises(Damaged, match="says it is run"):
        store.load("copy")


def test_a_newer_format_is_refused_with_a_hint(store: RunStore) -> None:
    _rewrite(store.home.run(RUN).run_json, b'"format": 1', b'"format": 2')
    with pytest.raises(NewerFormat) as caught:
        store.load(RUN)
    assert "newer dagfs" in (caught.value.hint or "")


def test_a_journal_that_breaks_the_rules_is_damage(store: RunStore) -> None:
    with store.claim(RUN, owner()) as claim:
        journal = claim.journal(1)
        for _ in range(2):
            journal.append("step_finished", {"step": "a", "state": "succeeded"})
        journal.close()
    with pytest.raises(Damaged, match="cannot go from"):
        store.load(RUN)


# -- ownership -------------------------------------------------------------------------------------


def test_who_holds_a_run_is_read_without_trying_the_lock(store: RunStore) -> None:
    paths = store.home.run(RUN)
    assert holder(paths) is None
    assert read_owner(paths) == owner()
    with store.claim(RUN, owner("tok9", 1)):
        assert holder(paths) == owner("tok9", 1)
        paths.owner.write_text("garbage")
        found = holder(paths)
        assert found is not None
        assert found.identity.pid == os.getpid()
    assert holder(paths) is None


def test_the_lock_table_keeps_devices_apart(store: RunStore) -> None:
    paths = store.home.run(RUN)
    inode = paths.lock.stat().st_ino
    elsewhere = f"1: FLOCK  ADVISORY  WRITE 1 ff:ff:{inode} 0 EOF"
    waiting = f"1: -> FLOCK  ADVISORY  WRITE 2 00:00:{inode} 0 EOF"
    assert LockTable.parse(f"{elsewhere}\n{waiting}\nx\n").holder(paths) is None
    assert LockTable({}, known=False).holder(paths) == owner(), "without a table, a living owner counts"


@pytest.mark.parametrize("how", ["lock removed", "run removed", "run moved", "run replaced"])
def test_an_owner_notices_that_it_owns_no_more(how: str, store: RunStore) -> None:
    claim = store.claim(RUN, owner())
    root = claim.paths.root
    if how == "lock removed":
        claim.paths.lock.unlink()
        claim.paths.lock.touch()
    elif how == "run removed":
        shutil.rmtree(root)
    else:
        root.rename(root.parent / "elsewhere")
        if how == "run replaced":
            shutil.copytree(root.parent / "elsewhere", root)
    with pytest.raises(LostOwnership):
        claim.check()
    with pytest.raises(LostOwnership):
        claim.commit_attempt(second_attempt("spec.v1.yaml", sha(SPEC_1)), DAG)
    claim.release()
    claim.release()


def test_status_of_a_removed_run_is_an_error_of_ours(store: RunStore) -> None:
    claim = store.claim(RUN, owner())
    shutil.rmtree(claim.paths.root)
    with pytest.raises(LostOwnership):
        claim.write_status(1, {})
    with pytest.raises(LostOwnership):
        claim.publish_spec(SPEC_2)
    claim.release()


# -- edits and retries -----------------------------------------------------------------------------


def test_a_retry_keeps_every_version(broken: RunStore) -> None:
    with broken.claim(RUN, owner("tok2", 2)) as claim:
        assert claim.publish_spec(SPEC_1) == ("spec.v1.yaml", sha(SPEC_1))
        assert claim.publish_spec(SPEC_2) == ("spec.v2.yaml", sha(SPEC_2))
        assert claim.publish_spec(SPEC_2) == ("spec.v2.yaml", sha(SPEC_2))
        assert claim.publish_spec(b"third")[0] == "spec.v3.yaml"
        claim.commit_attempt(second_attempt(), DAG)
        claim.consume_next(2, sha(SPEC_2))
        assert claim.publish_spec(SPEC_1)[0] == "spec.v4.yaml", "the current spec is another one now"
        claim.journal(2).close()
    assert broken.read_next(RUN) is None
    assert [broken.spec(RUN, n) for n in (1, 2)] == [SPEC_1, SPEC_2]
    assert [attempt.n for attempt in broken.load(RUN).attempts] == [1, 2]


def test_an_attempt_whose_spec_is_not_there_is_not_committed(broken: RunStore) -> None:
    with broken.claim(RUN, owner()) as claim:
        with pytest.raises(Damaged):
            claim.commit_attempt(second_attempt(), DAG)
        with pytest.raises(Damaged):
            claim.commit_attempt(second_attempt("spec.v1.yaml"), DAG)
    assert os.listdir(broken.home.run(RUN).attempts) == ["1"]


def test_an_edit_saved_after_the_capture_stays_pending(broken: RunStore) -> None:
    path = broken.home.run(RUN).next_spec
    with broken.claim(RUN, owner()) as claim:
        claim.publish_spec(SPEC_2)
        claim.commit_attempt(second_attempt(), DAG)
        path.write_bytes(b"newer")
        claim.consume_next(2, sha(SPEC_2))
    assert broken.read_next(RUN) == b"newer"


def test_an_edit_saved_into_the_filed_one_is_given_back(broken: RunStore) -> None:
    paths = broken.home.run(RUN)
    with broken.claim(RUN, owner()) as claim:
        claim.publish_spec(SPEC_2)
        claim.commit_attempt(second_attempt(), DAG)
        editor = paths.next_spec.open("r+b")
        claim.consume_next(2, sha(SPEC_2))
    editor.write(b"saved late")
    editor.truncate()
    editor.close()
    broken.claim(RUN, owner()).release()
    assert broken.read_next(RUN) == b"saved late"
    assert not paths.attempt(2).consumed.exists()


def test_an_edit_is_begun_once(store: RunStore) -> None:
    path = store.write_next(RUN, SPEC_2)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Refused, match="exists already"):
        store.write_next(RUN, SPEC_1)
    assert store.read_next(RUN) == SPEC_2
    with pytest.raises(NotFound):
        store.write_next("none", SPEC_1)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda path: path.symlink_to("spec.v1.yaml"), "symbolic link"),
        (lambda path: os.mkfifo(path), "FIFO"),
        (lambda path: path.mkdir(), "folder"),
        (lambda path: path.write_text(" \n"), "empty"),
        (lambda path: path.write_bytes(b"x" * (4 * 1024 * 1024 + 1)), "larger than 4 MB"),
    ],
)
def test_only_a_file_can_be_an_edit(make: Callable[[Path], None], word: str, store: RunStore) -> None:
    make(store.home.run(RUN).next_spec)
    with pytest.raises((Refused, SpecError), match=word):
        store.read_next(RUN)


def test_an_edit_is_taken_up_once_it_is_at_rest(store: RunStore) -> None:
    path = store.home.run(RUN).next_spec
    path.write_bytes(b"0" * 1000)
    stop = threading.Event()

    def save() -> None:
        for i in range(200):
            path.write_bytes(b"%d" % (i % 10) * (1000 + i))
        stop.set()

    thread = threading.Thread(target=save)
    thread.start()
    seen = []
    while not stop.is_set():
        try:
            seen.append(store.read_next(RUN))
        except (Refused, SpecError):
            pass
    thread.join()
    assert store.read_next(RUN) == b"9" * 1199


# -- finding and listing ---------------------------------------------------------------------------


@pytest.fixture
def several(tmp_path: Path) -> RunStore:
    root = tmp_path / "home"
    root.mkdir()
    store = open_store(root)
    store.ensure()
    for run_id, dag in (
        ("20261119-000000-etl-aaaa", "etl"),
        ("20261120-000000-etl-bbbb", "etl"),
        ("20261121-000000-mail-cccc", "mail"),
        ("20261121-000000-mail-aaaa", "mail"),
    ):
        header, spec, attempt, value, who = first_attempt(run_id)
        store.create(
            RunHeader(id=header.id, dag=dag, created=run_id[:8]), spec, attempt, value, who
        ).release()
        stamp = 1_800_000_000 if run_id.endswith("mail-cccc") else 1_800_000_001
        os.utime(store.home.run(run_id).run_json, (stamp, stamp))
    return store


def test_runs_are_listed_newest_first(several: RunStore) -> None:
    assert several.ids() == [
        "20261121-000000-mail-aaaa",
        "20261121-000000-mail-cccc",
        "20261120-000000-etl-bbbb",
        "20261119-000000-etl-aaaa",
    ]
    (several.home.runs / "Not-A-Run").mkdir()
    (several.home.runs / "file").touch()
    assert len(several.ids()) == 4


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("20261120-000000-etl-bbbb", "20261120-000000-etl-bbbb"),
        ("20261120", "20261120-000000-etl-bbbb"),
        ("etl", "20261120-000000-etl-bbbb"),
        ("@", "20261121-000000-mail-aaaa"),
        ("@-0", "20261121-000000-mail-aaaa"),
        ("@-2", "20261120-000000-etl-bbbb"),
        ("etl@", "20261120-000000-etl-bbbb"),
        ("etl@-1", "20261119-000000-etl-aaaa"),
        ("runs/20261120-000000-etl-bbbb", "20261120-000000-etl-bbbb"),
        ("runs/20261120-000000-etl-bbbb/attempts/1/", "20261120-000000-etl-bbbb"),
    ],
)
def test_a_run_is_found_by_what_people_type(reference: str, found: str, several: RunStore) -> None:
    assert several.find(reference) == found


def test_a_run_is_found_from_within_its_folder(several: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(several.home.run("20261120-000000-etl-bbbb").attempts)
    assert several.find(".") == "20261120-000000-etl-bbbb"
    assert several.find("..") == "20261120-000000-etl-bbbb"
    assert several.find(str(Path.cwd())) == "20261120-000000-etl-bbbb"


def test_what_could_be_several_lists_them(several: RunStore) -> None:
    with pytest.raises(UsageError, match=r"mail-aaaa, .*mail-cccc"):
        several.find("20261121")


@pytest.mark.parametrize(
    "reference", ["", "nope", "@-9", "mail@-5", "../../etc/passwd", "/etc", "no/such", "x@-1"]
)
def test_what_is_not_there_is_not_found(reference: str, several: RunStore) -> None:
    with pytest.raises(NotFound):
        several.find(reference)


def test_a_slip_of_the_finger_is_met_with_a_guess(several: RunStore) -> None:
    with pytest.raises(NotFound) as caught:
        several.find("mial")
    assert caught.value.hint == "did you mean mail?"


def test_summaries_come_from_status_and_fall_back_to_the_records(broken: RunStore) -> None:
    (summary,) = broken.summaries()
    assert (summary["state"], summary["dag"]) == ("failed", "etl")
    path = broken.home.run(RUN).attempt(1).status
    for garbage in (b"", b"{", b"[]", b'{"format": 1}', b'{"format": 1, "run": "x", "state": "succeeded"}'):
        path.write_bytes(garbage)
        assert broken.summaries() == [broken.document(RUN, complete=False)]
    _rewrite(broken.home.run(RUN).attempt(1).journal, b'"failed"', b'"succeeded"')
    (summary,) = broken.summaries()
    assert summary["state"] == "damaged"
    assert "journal" in summary["error"]


def test_a_run_without_an_engine_shows_as_interrupted(store: RunStore) -> None:
    assert store.summaries()[0]["state"] == "interrupted"
    with store.claim(RUN, owner()):
        assert store.summaries()[0]["state"] == "running"


def test_the_newest_run_of_each_dag_is_found_by_what_ids_say(several: RunStore) -> None:
    found = several.newest_of(["etl", "mail", "never"])
    assert {dag: each["run"][-4:] for dag, each in found.items()} == {"etl": "bbbb", "mail": "aaaa"}
    assert several.newest_of([]) == {}


def test_summaries_are_chosen(several: RunStore) -> None:
    assert len(several.summaries(limit=2)) == 2
    assert [each["run"][-4:] for each in several.summaries(dag="etl")] == ["bbbb", "aaaa"]
    assert several.summaries(states={"succeeded"}) == []
    assert len(several.summaries(since="20261120")) == 3


def test_a_list_of_runs_goes_on_behind_one_of_them(several: RunStore) -> None:
    every = [each["run"] for each in several.summaries()]
    assert len(every) > 2
    for place, run in enumerate(every):
        assert [each["run"] for each in several.summaries(after=run)] == every[place + 1 :]
    assert [each["run"] for each in several.summaries(1, after=every[0])] == every[1:2]
    # One that is gone still has its place in time.
    assert [each["run"] for each in several.summaries(after="20991231-000000-etl-gone")] == every
    assert several.summaries(after="19991231-000000-etl-gone") == []


def test_status_is_what_jq_reads_through_the_link(store: RunStore) -> None:
    with store.claim(RUN, owner()) as claim:
        journal = claim.journal(1)
        journal.append("step_started", {"step": "a", "try": 1}, durable=True)
        journal.commit()
        claim.write_status(1, status_document(store.load(RUN), as_of=journal.position))
        journal.close()
    paths = store.home.run(RUN)
    assert os.readlink(paths.status) == "attempts/1/status.json"
    document = json.loads(paths.status.read_text())
    assert document["format"] == 1
    assert document["as_of"] == {"n": 2, "offset": paths.attempt(1).journal.stat().st_size}
    assert document["counts"] == {"running": 1, "not_started": 1}
    assert document["steps"]["a"]["stdout"] == "attempts/1/steps/a/stdout.log"
    assert document["steps"]["b"]["stdout"] is None


def test_a_spec_that_the_attempt_does_not_name_is_a_bug(store: RunStore) -> None:
    header, _, attempt, dag, who = first_attempt("new")
    with pytest.raises(ValueError, match="another text"):
        store.create(header, SPEC_2, attempt, dag, who)
