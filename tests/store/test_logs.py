from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagfs.errors import NotFound, StoreError
from dagfs.store import logs


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    data=st.lists(st.sampled_from([b"a", b"bcd", b"\n", b"\xff\0"]), max_size=40), lines=st.integers(0, 12)
)
def test_the_tail_is_the_last_lines(data: list[bytes], lines: int, tmp_path: Path) -> None:
    raw = b"".join(data)
    (tmp_path / "log").write_bytes(raw)
    whole = [line + b"\n" for line in raw.split(b"\n")[:-1]] + (
        [raw.rpartition(b"\n")[2]] if raw[-1:] != b"\n" else []
    )
    expected = b"".join([line for line in whole if line][-lines:]) if lines else b""
    assert logs.tail(tmp_path / "log", lines) == expected


def test_a_large_log_is_read_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * 3_000_000 + b"\nlast\n")
    assert logs.tail(path, 1) == b"last\n"
    assert len(logs.tail(path, 2)) == logs.PIECE
    assert logs.read_range(path, 2_999_999, 3_000_003) == b"x\nla"
    assert logs.read_range(path, -5, 1) == b"x"
    assert logs.read_range(path, 10**9, 10**9 + 5) == b""
    assert len(logs.follow(path, 0)) == logs.PIECE
    assert logs.size(path) == 3_000_006


def test_following_waits_for_a_log_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert logs.follow(path, 0) == b""
    assert logs.size(path) == 0
    path.write_bytes(b"one")
    assert logs.follow(path, 0) == b"one"
    assert logs.follow(path, 3) == b""
    with pytest.raises(NotFound):
        logs.tail(tmp_path / "none", 1)


def test_a_log_that_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("/etc/passwd")
    for name in ("fifo", "link"):
        with pytest.raises(StoreError):
            logs.read_range(tmp_path / name, 0, 1)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    lines=st.lists(st.text("abAB ", max_size=6), max_size=12),
    word=st.text("ab", min_size=1, max_size=3),
    before=st.integers(0, 80),
    piece=st.integers(4, 9),
)
def test_the_last_line_with_a_word_is_found_wherever_pieces_end(
    lines: list[str], word: str, before: int, piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "PIECE", piece)
    raw = "\n".join(lines).encode()
    (tmp_path / "log").write_bytes(raw)
    before = min(before, len(raw))
    at = raw[:before].lower().rfind(word.encode())
    found = logs.find_back(tmp_path / "log", word.encode().upper(), before, most=1000)
    if at < 0:
        assert found is None
    else:
        # In a piece without a line's beginning the place of the word itself is as near as it gets.
        assert found is not None
        assert raw.rfind(b"\n", 0, at) + 1 <= found <= at


def test_only_so_much_is_looked_through(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"needle\n" + b"hay\n" * 1000)
    assert logs.find_back(tmp_path / "log", b"needle", 4007) == 0
    assert logs.find_back(tmp_path / "log", b"needle", 4007, most=1000) is None
    assert logs.find_back(tmp_path / "log", b"", 4007) is None
