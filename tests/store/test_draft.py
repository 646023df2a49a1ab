"""The edit that waits, changed only by who has seen it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagfs.errors import UsageError
from dagfs.store.draft import NONE, DraftMoved, discard_draft, read_draft, save_draft
from dagfs.store.files import Disk
from dagfs.store.runs import RunStore

from .scenarios import RUN, SPEC_1, open_store, running


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    running(tmp_path / "home")
    return open_store(tmp_path / "home")


def test_an_editor_begins_with_the_captured_spec(store: RunStore) -> None:
    draft = read_draft(store, RUN)
    assert (draft.text, draft.name, draft.pending, draft.version) == (SPEC_1, "spec.v1.yaml", False, NONE)


def test_what_was_saved_is_what_is_read_valid_or_not(store: RunStore) -> None:
    saved = save_draft(store, Disk(), RUN, b"not: [yaml", NONE)
    assert read_draft(store, RUN) == saved
    assert saved.pending
    again = save_draft(store, Disk(), RUN, b"", saved.version)
    assert read_draft(store, RUN) == again
    assert again.version not in (NONE, saved.version)


def test_of_two_who_begin_an_edit_the_second_is_told(store: RunStore) -> None:
    save_draft(store, Disk(), RUN, b"mine", NONE)
    with pytest.raises(DraftMoved):
        save_draft(store, Disk(), RUN, b"theirs", NONE)
    assert read_draft(store, RUN).text == b"mine"


def test_who_has_not_seen_the_newest_neither_overwrites_nor_removes_it(store: RunStore) -> None:
    first = save_draft(store, Disk(), RUN, b"first", NONE)
    store.paths(RUN).next_spec.write_bytes(b"by another program")
    for act in (
        lambda: save_draft(store, Disk(), RUN, b"second", first.version),
        lambda: _discard(store, first.version),
    ):
        with pytest.raises(DraftMoved):
            act()
    assert read_draft(store, RUN).text == b"by another program"


def _discard(store: RunStore, seen: str) -> None:
    discard_draft(store, Disk(), RUN, seen)


def test_a_discarded_edit_is_given_back(store: RunStore) -> None:
    saved = save_draft(store, Disk(), RUN, b"text", NONE)
    assert discard_draft(store, Disk(), RUN, saved.version) == b"text"
    assert not read_draft(store, RUN).pending
    with pytest.raises(DraftMoved):
        save_draft(store, Disk(), RUN, b"more", saved.version)


def test_a_text_that_is_no_spec_by_its_size_is_refused(store: RunStore) -> None:
    with pytest.raises(UsageError, match="larger than 4 MB"):
        save_draft(store, Disk(), RUN, b"#" * (4 << 20) + b"#", NONE)
    assert not read_draft(store, RUN).pending
