from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagfs.errors import Damaged, StoreError
from dagfs.model.event import Event
from dagfs.store import journal
from dagfs.store.codec import TORN, decode_event, encode_event
from dagfs.store.files import Disk
from dagfs.store.journal import JournalWriter

from .disks import CountingDisk
from .scenarios import clock

EVENTS = [
    Event(1, "2026-11-21T02:30:28.000001Z", "attempt_started", {"attempt": 1}),
    Event(2, "2026-11-21T02:30:28.000002Z", "step_started", {"step": "a", "try": 1}),
    Event(3, "2026-11-21T02:30:28.000003Z", "step_finished", {"step": "a", "state": "succeeded"}),
]
LINES = [encode_event(event, "tok") for event in EVENTS]
RAW = b"".join(LINES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(RAW)
    return path


def writer(path: Path, disk: Disk | None = None) -> JournalWriter:
    return JournalWriter(disk or Disk(), path, "tok", clock())


def names(raw: bytes) -> list[str]:
    return [event.name for event in journal.parse(raw, "tok").events]


def test_a_line_is_one_ascii_object_with_its_checksum_last() -> None:
    record = json.loads(LINES[1])
    assert list(record) == ["n", "t", "k", "event", "step", "try", "c"]
    assert LINES[1].isascii()
    assert LINES[1].count(b"\n") == 1


data = st.dictionaries(
    st.text(max_size=8).filter(lambda key: key not in {"n", "t", "k", "event", "c"}),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x, max_size=3), max_leaves=6
    ),
    max_size=4,
)


@given(data=data, n=st.integers(1, 10**9), token=st.text("abc123", min_size=1))
def test_what_is_written_is_read_back(data: dict[str, object], n: int, token: str) -> None:
    event = Event(n, "2026-11-21T02:30:28.000001Z", "notice", data)
    assert decode_event(encode_event(event, token)[:-1]) == (event, token)


def test_text_that_is_no_valid_unicode_is_kept() -> None:
    event = Event(1, "t", "step_finished", {"outputs": {"X": b"\xff\x00".decode("utf-8", "surrogateescape")}})
    assert decode_event(encode_event(event, "k")[:-1])[0] == event


def test_event_data_cannot_pass_itself_off_as_another_number() -> None:
    with pytest.raises(ValueError, match="may not use"):
        encode_event(Event(1, "t", "notice", {"n": 7}), "k")


@settings(max_examples=150)
@given(position=st.integers(0, len(RAW) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found_or_harmless(position: int, bit: int) -> None:
    flipped = bytearray(RAW)
    flipped[position] ^= 1 << bit
    reading = journal.parse(bytes(flipped), "tok")
    assert reading.damage or reading.events == tuple(EVENTS)


@pytest.mark.parametrize("order", [(0, 2), (1, 2), (0, 2, 1), (0, 1, 1, 2), (1, 0, 2), (0, 0, 1, 2)])
def test_lines_deleted_swapped_or_repeated_are_damage(order: tuple[int, ...]) -> None:
    assert journal.parse(b"".join(LINES[i] for i in order), "tok").damage


def test_damage_names_its_line() -> None:
    raw = LINES[0] + LINES[1].replace(b'"a"', b'"b"') + LINES[2]
    assert [text.partition(":")[0] for text in journal.parse(raw, "tok").damage] == ["line 2", "line 3"]


def test_a_line_of_another_engine_is_damage() -> None:
    raw = RAW + encode_event(Event(4, "t", "notice"), "other")
    assert "another engine" in journal.parse(raw, "tok").damage[0]
    assert journal.parse(raw.replace(b'"k":"tok"', b'"k":"tok"'), None).damage == ()


@pytest.mark.parametrize("cut", range(1, len(LINES[2])))
def test_a_torn_tail_is_never_damage(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(RAW[:-cut])
    reading = journal.read(path, token="tok")
    assert reading.damage == ()
    whole = cut == 1
    assert (reading.torn, reading.open_end, reading.last) == (not whole, whole, 3 if whole else 2)
    after = writer(path)
    assert after.append("notice", {}).n == reading.last + 1
    after.close()
    raw = path.read_bytes()
    assert raw.startswith(RAW[:-cut]), "a journal never shrinks"
    assert journal.parse(raw, "tok").damage == ()
    assert journal.parse(raw, "tok").last == reading.last + 1


@pytest.mark.parametrize("zeros", [1, 100, 5000])
@pytest.mark.parametrize("tail", [b"", LINES[2][:-1], LINES[2][:20]])
def test_zeros_that_a_power_cut_left_are_no_damage(zeros: int, tail: bytes, path: Path) -> None:
    path.write_bytes(LINES[0] + LINES[1] + tail + b"\0" * zeros)
    after = writer(path)
    event = after.append("notice", {})
    after.close()
    reading = journal.read(path, token="tok")
    assert reading.damage == ()
    assert reading.last == event.n


def test_a_long_line_goes_in_whole(path: Path) -> None:
    after = writer(path)
    after.append("step_finished", {"step": "b", "outputs": {"X": "x" * 300_000}}, durable=True)
    after.append("notice", {})
    after.close()
    reading = journal.read(path, token="tok")
    assert reading.last == 5
    assert len(reading.events[3].data["outputs"]["X"]) == 300_000


def test_events_of_one_turn_share_one_sync(path: Path) -> None:
    disk = CountingDisk()
    after = writer(path, disk)
    for _ in range(5):
        after.append("notice", {}, durable=True)
    after.commit()
    after.commit()
    after.append("notice", {})
    after.commit()
    assert [op for op, _ in disk.ops].count("fdatasync") == 1
    after.close()


def test_space_is_kept_ahead_without_changing_the_size(path: Path) -> None:
    after = writer(path)
    assert path.stat().st_size == len(RAW) == after.position[1]
    if path.stat().st_blocks * 512 < 64 * 1024:
        pytest.skip("this file system reserves no space")
    for _ in range(100):
        after.append("notice", {"message": "x" * 2000})
    assert path.stat().st_blocks * 512 > path.stat().st_size + 16 * 1024
    after.close()


class Stubborn(CountingDisk):
    """Takes only `room` more bytes, until it is given more."""

    room = 1 << 30

    def _write(self, fd: int, path: str, data: bytes | memoryview) -> int:
        if not self.room:
            raise OSError(28, "No space left on device")
        taken = super()._write(fd, path, data[: self.room])
        self.room -= taken
        return taken


@pytest.mark.parametrize("room", [0, 1, 30, -2, -1])
def test_an_event_that_was_refused_never_becomes_a_fact(room: int, path: Path) -> None:
    disk = Stubborn()
    after = writer(path, disk)
    length = len(encode_event(Event(4, "2026-11-21T02:28:42.000000Z", "notice", {"message": "lost"}), "tok"))
    disk.room = room if room >= 0 else length + room
    with pytest.raises(StoreError) as caught:
        after.append("notice", {"message": "lost"})
    assert "full" in (caught.value.hint or "")
    disk.room = 1 << 30
    event = after.append("notice", {"message": "kept"})
    after.close()
    reading = journal.read(path, token="tok")
    assert reading.damage == ()
    assert [each.data.get("message") for each in reading.events[3:]] == ["kept"]
    assert event.n == reading.last


def test_after_a_failed_sync_nothing_more_is_written(path: Path) -> None:
    class Sick(CountingDisk):
        def reached(self, op: str, path: str) -> bool:
            return op == "fdatasync"

        def refuse(self) -> None:
            raise OSError(5, "Input/output error")

    after = writer(path, Sick())
    after.append("notice", {}, durable=True)
    for call in (after.commit, after.commit, lambda: after.append("notice", {})):
        with pytest.raises(StoreError, match="Input/output"):
            call()


def test_a_writer_refuses_a_damaged_journal(path: Path) -> None:
    path.write_bytes(LINES[0] + LINES[2])
    with pytest.raises(Damaged, match="line 2"):
        writer(path)
    path.unlink()
    with pytest.raises(Damaged, match="missing"):
        writer(path)
    assert not path.exists()


def test_following_gives_whole_lines_only(path: Path) -> None:
    path.write_bytes(LINES[0] + LINES[1][:10])
    events, offset = journal.tail(path, 0)
    assert (len(events), offset) == (1, len(LINES[0]))
    path.write_bytes(RAW)
    events, offset = journal.tail(path, offset)
    assert ([event.n for event in events], offset) == ([2, 3], len(RAW))
    assert journal.tail(path, offset) == ((), offset)


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_jq_reads_it(path: Path) -> None:
    found = subprocess.run(["jq", "-r", ".event", str(path)], capture_output=True, text=True, check=True)
    assert found.stdout.split() == names(RAW)


def test_a_sealed_line_says_so(path: Path) -> None:
    path.write_bytes(RAW[:-30])
    writer(path).close()
    assert path.read_bytes() == RAW[:-30] + TORN
