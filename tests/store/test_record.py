from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagfs.errors import StoreError
from dagfs.model.event import Event
from dagfs.store.codec import encode_event
from dagfs.store.files import Disk
from dagfs.store.process import Identity, identity
from dagfs.store.record import EXITED, RESERVE, SHIM, STARTED, Exit, RecordWriter, parse, read

GONE = Identity(2**22 + 1, 7, "some boot")
MAIN = Identity(12, 34, "some boot")


def write(path: Path, *lines: tuple[str, dict[str, object]]) -> bytes:
    writer = RecordWriter(Disk(), path, "token")
    for name, data in lines:
        writer.note(name, data)
    writer.close()
    return path.read_bytes()


def whole(path: Path) -> bytes:
    exited = Exit(137, 9, "stop", None, 3, 0, 8).as_event_data()
    return write(path, (SHIM, GONE.as_data()), (STARTED, MAIN.as_data()), (EXITED, exited))


def test_a_whole_record_is_read_back(tmp_path: Path) -> None:
    whole(tmp_path / "record.1")
    record = read(tmp_path / "record.1")
    assert record is not None
    assert (record.shim, record.main) == (GONE, MAIN)
    assert record.exit is not None
    assert record.exit.as_event_data() == Exit(137, 9, "stop", None, 3, 0, 8).as_event_data()
    assert record.exit.time.endswith("Z")
    assert record.damage == ()
    assert not record.is_running


def test_a_missing_or_empty_record_means_that_nothing_began(tmp_path: Path) -> None:
    assert read(tmp_path / "record.1") is None
    write(tmp_path / "record.1")
    assert read(tmp_path / "record.1") is None


def test_a_record_of_a_living_shim_is_running_until_its_end_is_in(tmp_path: Path) -> None:
    path, me = tmp_path / "record.1", identity(os.getpid())
    assert me is not None
    writer = RecordWriter(Disk(), path, "token")
    writer.note(SHIM, me.as_data())
    record = read(path)
    assert record is not None
    assert record.is_running
    writer.note(EXITED, Exit(0).as_event_data())
    record = read(path)
    assert record is not None
    assert not record.is_running
    writer.close()


def test_an_end_that_comes_while_the_shim_goes_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "record.1"
    writer = RecordWriter(Disk(), path, "token")
    writer.note(SHIM, GONE.as_data())

    def dies(who: Identity) -> bool:
        writer.note(EXITED, Exit(5).as_event_data())
        return False

    monkeypatch.setattr("dagfs.store.record.is_alive", dies)
    record = read(path)
    assert record is not None
    assert record.exit is not None
    assert record.exit.exit_code == 5
    writer.close()


def test_a_second_record_of_one_try_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "record.1")
    with pytest.raises(FileExistsError):
        RecordWriter(Disk(), tmp_path / "record.1", "token")


def test_space_is_reserved_behind_the_end(tmp_path: Path) -> None:
    writer = RecordWriter(Disk(), tmp_path / "record.1", "token")
    status = os.stat(tmp_path / "record.1")
    assert status.st_size == 0
    assert status.st_blocks * 512 in (0, RESERVE) or status.st_blocks * 512 > RESERVE
    writer.close()


class Faulty(Disk):
    """Takes `part` bytes of the next write, then is full; after that it has room again."""

    part: int | None = None

    def _write(self, fd: int, path: str, data: bytes | memoryview) -> int:
        if self.part is None:
            return super()._write(fd, path, data)
        part, self.part = self.part, None
        if part:
            super()._write(fd, path, data[:part])
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("part", [0, 1, 20, 100])
def test_a_line_that_the_disk_refused_may_be_written_again(tmp_path: Path, part: int) -> None:
    path, disk = tmp_path / "record.1", Faulty()
    writer = RecordWriter(disk, path, "token")
    writer.note(SHIM, GONE.as_data())
    disk.part = part
    with pytest.raises(StoreError):
        writer.note(EXITED, Exit(6).as_event_data())
    record = read(path)
    assert record is not None
    assert record.exit is None
    writer.note(EXITED, Exit(6).as_event_data())
    writer.close()
    record = read(path)
    assert record is not None
    assert record.exit is not None
    assert record.exit.exit_code == 6
    assert record.damage == ()


def test_every_prefix_reads_as_what_it_had_by_then(tmp_path: Path) -> None:
    raw = whole(tmp_path / "record.1")
    starts = [n + 1 for n, byte in enumerate(raw) if byte == 10]
    for size in range(len(raw)):
        record = parse(raw[:size])
        assert record is None or record.damage == ()
        assert (record is not None) == (size >= starts[0] - 1)
        assert (record is not None and record.main is not None) == (size >= starts[1] - 1)
        assert (record is not None and record.exit is not None) == (size >= starts[2] - 1)


@given(place=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_flipped_bit_is_noticed_or_takes_the_line_away(place: int, flip: int) -> None:
    raw = RAW
    place %= len(raw)
    bad = raw[:place] + bytes([raw[place] ^ flip]) + raw[place + 1 :]
    good, record = parse(raw), parse(bad)
    assert good is not None
    if record is not None:
        for found, known in ((record.shim, good.shim), (record.main, good.main), (record.exit, good.exit)):
            assert found is None or found == known
        assert record.damage or record == good or place >= raw.rindex(b"\n", 0, -1)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_a_fault(raw: bytes) -> None:
    record = parse(raw)
    assert record is None or record.shim is None


def _sample() -> bytes:
    return b"".join(
        encode_event(Event(n, "2026-01-01T00:00:00.000000Z", name, dict(data)), "token")
        for n, (name, data) in enumerate(
            [
                (SHIM, GONE.as_data()),
                (STARTED, MAIN.as_data()),
                (EXITED, Exit(0).as_event_data()),
            ],
            1,
        )
    )


RAW = _sample()
