"""The sweeps are worth their name: each mistake one could make in the protocol is found by one of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from dagfs.store import journal as journal_module
from dagfs.store.claim import Claim
from dagfs.store.files import Disk
from dagfs.store.journal import JournalWriter
from dagfs.store.runs import RunStore

from .scenarios import (
    DAG,
    RUN,
    SCENARIOS,
    SPEC_2,
    Ack,
    Scenario,
    create,
    failed,
    kill_sweep,
    nothing,
    owner,
    power_sweep,
    recover,
    second_attempt,
    sha,
    torn,
    unterminated,
)
from .test_faults import folder

__all__ = ["folder"]


@pytest.mark.parametrize("name", ["create", "retry", "edit", "rerun", "import of more"])
def test_files_not_synced_before_their_rename_are_found(name: str, folder: Path) -> None:
    assert power_sweep(SCENARIOS[name], folder, leave_out=("fsync",)).failures


@pytest.mark.parametrize("name", ["create", "retry", "edit"])
def test_folders_not_synced_are_found(name: str, folder: Path) -> None:
    assert power_sweep(SCENARIOS[name], folder, leave_out=("fsync_dir",)).failures


@pytest.mark.parametrize("name", ["run", "create", "recover torn"])
def test_events_acknowledged_without_a_sync_are_found(name: str, folder: Path) -> None:
    assert power_sweep(SCENARIOS[name], folder, leave_out=("fdatasync",)).failures


def test_building_on_facts_that_were_never_synced_is_found(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Claim, "_sync_base", lambda self, header: None)
    assert power_sweep(SCENARIOS["retry of killed"], folder).failures


def _publish_after_commit(store: RunStore, ack: Ack) -> None:
    with store.claim(RUN, owner("tok2", 2)) as claim:
        claim.commit_attempt(second_attempt(), DAG)
        claim._disk.put_new(claim.paths.spec(2), SPEC_2, immutable=True)
        claim.consume_next(2, sha(SPEC_2))


def test_a_spec_published_after_its_attempt_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Claim, "_check_spec", lambda self, header: None)
    assert kill_sweep(Scenario(failed, _publish_after_commit), folder).failures


def _consume_before_commit(store: RunStore, ack: Ack) -> None:
    ack(("edit", sha(SPEC_2)))
    with store.claim(RUN, owner("tok2", 2)) as claim:
        name, digest = claim.publish_spec(SPEC_2)
        claim._disk.move(claim.paths.next_spec, claim.paths.attempt(1).root / "old")
        claim.commit_attempt(second_attempt(name, digest), DAG)


def test_an_edit_taken_away_before_its_attempt_is_found(folder: Path) -> None:
    assert kill_sweep(Scenario(failed, _consume_before_commit), folder).failures


def _piece_by_piece(self: Disk, stage: Any, target: Any) -> None:
    self._do("mkdir", target, lambda: os.mkdir(target))
    for name in os.listdir(stage):
        source, place = os.path.join(stage, name), os.path.join(target, name)
        self._do("rename", source, lambda source=source, place=place: os.rename(source, place), place)
    self._do("rmdir", stage, lambda: os.rmdir(stage))


@pytest.mark.parametrize("name", ["create", "retry"])
def test_a_folder_that_appears_piece_by_piece_is_found(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Disk, "publish_dir", _piece_by_piece)
    assert kill_sweep(SCENARIOS[name], folder).failures


def _open_without_sealing(self: JournalWriter) -> int:
    return self._scan().last


@pytest.mark.parametrize("before", [torn, unterminated])
def test_a_tail_left_unsealed_is_found(before: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JournalWriter, "_open", _open_without_sealing)
    assert kill_sweep(Scenario(before, recover), folder).failures


def test_a_tail_sealed_with_a_bare_newline_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "TORN", b"\n")
    assert kill_sweep(SCENARIOS["recover torn"], folder).failures


def _open_without_counting_the_tail(self: JournalWriter) -> int:
    raw = self._path.read_bytes()
    if not raw.endswith(b"\n"):
        self._file.write(b"\n")
    return journal_module.parse(raw[: raw.rfind(b"\n") + 1], self._token).last


def test_a_tail_sealed_but_not_read_again_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JournalWriter, "_open", _open_without_counting_the_tail)
    assert kill_sweep(Scenario(unterminated, recover), folder).failures


def test_an_edit_overwritten_in_place_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def in_place(self: Disk, path: Any, data: bytes, *, immutable: bool = False) -> None:
        self._fill(path, data, sync=True, immutable=immutable)
        self.sync_dir(Path(path).parent)

    monkeypatch.setattr(Disk, "put_new", in_place)
    assert kill_sweep(SCENARIOS["retry"], folder).failures


def test_the_unchanged_protocol_passes_what_its_mutants_fail(folder: Path) -> None:
    assert not kill_sweep(Scenario(nothing, create), folder).failures
