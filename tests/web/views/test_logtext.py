"""Logs as text for a page."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagfs.web.views.logtext import plain, window


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain\n", "plain\n"),
        ("\x1b[1;31mred\x1b[0m \x1b[2J\x1b[38;5;12mx\x1b[m", "red x"),
        ("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "alink"),
        ("\x1bP+q\x1b\\b\x1bMc\x1b(Bd", "bcd"),
        ("10 %\r50 %\rdone\nnext\r\n", "done\nnext\n"),
        ("kept\r\n", "kept\n"),
        ("end\r", "end"),
        ("bell\x07 nul\x00 c1\x9b", "bell\\x07 nul\\x00 c1\\x9b"),
        ("a\u202eb", "a\\u202eb"),
        ("broken \x1b[", "broken \\x1b["),
        ("tab\tand ünïcode 数", "tab\tand ünïcode 数"),
    ],
)
def test_what_is_for_terminals_is_not_shown(raw: str, shown: str) -> None:
    assert plain(raw) == shown


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_nothing_that_drives_a_terminal_is_left(text: str) -> None:
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", plain(text))


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="a\nb", max_size=300), st.integers(0, 300))
def test_a_window_has_whole_lines_and_says_where_they_lie(text: str, start: int) -> None:
    data = text.encode()
    start = min(start, len(data))
    part = window(data[start:], start, len(data))
    assert data[part.start : part.end].decode() == part.text
    assert part.text + part.rest == text[part.start :]
    assert part.start == 0 or text[part.start - 1] == "\n" or not part.text


def test_one_endless_line_is_shown_as_far_as_the_window_reaches() -> None:
    part = window(b"x" * 100, 0, 1000)
    assert (part.text, part.rest, part.end) == ("x" * 100, "", 100)
