"""Two texts set against each other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dagfs.web.views.textdiff import TextDiff, text_diff

LINES = st.lists(st.sampled_from(["a", "b", "run: x", "run: y", ""]), max_size=30)


def test_equal_texts_differ_nowhere() -> None:
    assert text_diff(b"a\n", b"a\n") == TextDiff()


def test_of_a_changed_line_the_changed_words_are_marked() -> None:
    found = text_diff(b"a\nrun: sort --seperator=x\nb\n", b"a\nrun: sort --separator=x\nb\n")
    assert [line.kind for line in found.lines] == ["same", "gone", "come", "same"]
    assert [text for text, differs in found.lines[1].pieces if differs] == ["seperator"]
    assert [text for text, differs in found.lines[2].pieces if differs] == ["separator"]
    assert (found.gone, found.come) == (1, 1)
    assert [(line.old, line.new) for line in found.lines] == [(1, 1), (2, 0), (0, 2), (3, 3)]


def test_lines_that_have_little_in_common_are_not_marked() -> None:
    found = text_diff(b"command: one\n", b"- entirely different (text)\n")
    assert all(len(line.pieces) == 1 for line in found.lines)


def test_what_is_left_out_is_a_gap() -> None:
    old = b"".join(b"%d\n" % n for n in range(30))
    found = text_diff(old, old.replace(b"20\n", b"twenty\n"))
    assert [line.kind for line in found.lines] == ["gap", *["same"] * 3, "gone", "come", *["same"] * 3]


def test_only_the_ends_of_lines_may_differ() -> None:
    assert text_diff(b"a\nb\n", b"a\r\nb\r\n").only_ends


def test_texts_of_many_lines_are_left_to_the_command_line() -> None:
    assert text_diff(b"a\n" * 30_000, b"b\n").is_too_long


@given(old=LINES, new=LINES)
def test_both_texts_can_be_read_out_of_it(old: list[str], new: list[str]) -> None:
    found = text_diff("\n".join(old).encode(), "\n".join(new).encode()).lines
    for texts, number in ((old, "old"), (new, "new")):
        said = {getattr(line, number): "".join(text for text, _ in line.pieces) for line in found}
        said.pop(0, None)
        shown = {n: text for n, text in said.items() if text or n <= len(texts)}
        gaps = {getattr(line, number) for line in found if line.kind == "gap"}
        assert all(texts[n - 1] == text for n, text in shown.items() if n not in gaps)
