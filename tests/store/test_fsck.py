from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagfs.model.run import AttemptHeader
from dagfs.store.fsck import Damage, check_run, check_store
from dagfs.store.runs import RunStore

from .scenarios import RUN, failed, open_store, owner, sha


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    failed(tmp_path / "home")
    return open_store(tmp_path / "home")


def step_with_outputs(store: RunStore) -> Path:
    """A run with a step that has outputs and an artifact; the step's folder."""
    failed_run = store.home.run(RUN)
    with store.claim(RUN, owner()) as claim:
        claim.commit_attempt(_next(store), store.dag(RUN, 1))
        step = failed_run.attempt(2).step("b")
        step.artifacts.mkdir(parents=True)
        step.outputs.write_text('{"X": "1"}')
        (step.artifacts / "f").write_text("data")
        entry = {"size": 4, "sha256": sha(b"data")}
        step.manifest.write_text(json.dumps({"format": 1, "artifacts": {"f": entry}}))
        journal = claim.journal(2)
        journal.append("step_started", {"step": "b", "try": 1})
        digest = sha(step.outputs.read_bytes())
        journal.append("step_finished", {"step": "b", "state": "succeeded", "outputs_sha256": digest})
        journal.close()
    return step.root


def _next(store: RunStore) -> AttemptHeader:
    return replace(store.load(RUN).last.header, n=2, base=1, token="tok2")


def found(store: RunStore) -> list[Damage]:
    return check_store(store)


def test_a_sound_store_has_nothing_to_report(store: RunStore) -> None:
    step_with_outputs(store)
    assert found(store) == []


@pytest.mark.parametrize(
    ("path", "fatal", "says"),
    [
        ("outputs.json", True, "recorded"),
        ("artifacts/f", True, "changed"),
        ("manifest.json", True, "list of artifacts"),
    ],
)
def test_what_a_step_left_is_checked(path: str, fatal: bool, says: str, store: RunStore) -> None:
    (step_with_outputs(store) / path).write_text("x")
    (damage,) = found(store)
    assert damage.fatal is fatal
    assert says in damage.message


def test_a_removed_artifact_is_only_noted(store: RunStore) -> None:
    (step_with_outputs(store) / "artifacts/f").unlink()
    (damage,) = found(store)
    assert not damage.fatal


def test_a_manifest_cannot_lead_elsewhere(store: RunStore) -> None:
    step = step_with_outputs(store)
    entry = {"size": 1, "sha256": "x"}
    (step / "manifest.json").write_text(json.dumps({"format": 1, "artifacts": {"../../x": entry}}))
    assert "leads out" in found(store)[0].message


def test_damage_in_a_journal_names_every_line(store: RunStore) -> None:
    path = store.home.run(RUN).attempt(1).journal
    lines = path.read_bytes().split(b"\n")
    lines[1], lines[3] = lines[1][:-1], lines[3].replace(b"step", b"stop", 1)
    path.write_bytes(b"\n".join(lines))
    damage = [each for each in found(store) if each.path == path]
    assert {2, 4} <= {each.line for each in damage}
    assert all(each.fatal for each in damage)
    assert str(damage[0]).startswith(f"{path}:2: damaged: ")


def _edit_status(store: RunStore, **changes: object) -> None:
    path = store.home.run(RUN).attempt(1).status
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"state": "succeeded"}, "does not say"),
        ({"as_of": {"n": 3, "offset": 10}}, "stale"),
        ({"as_of": {"n": 99, "offset": 10}}, "rolled back"),
        ({"as_of": None}, "not a status document"),
    ],
)
def test_a_status_that_differs_is_noted_and_decides_nothing(
    changes: dict[str, object], says: str, store: RunStore
) -> None:
    _edit_status(store, **changes)
    (damage,) = found(store)
    assert says in damage.message
    assert not damage.fatal
    assert store.load(RUN).state == "failed"


def test_names_that_do_not_belong_are_noted(store: RunStore) -> None:
    run = store.home.run(RUN)
    for path in (
        run.root / "notes.txt",
        run.attempts / "old",
        run.root / ".new-abc",
        store.home.runs / ".stage-x",
    ):
        path.mkdir()
    damage = found(store)
    assert len(damage) == 4
    assert not any(each.fatal for each in damage)


def test_a_missing_attempt_is_noted(store: RunStore) -> None:
    step_with_outputs(store)
    os.rename(store.home.run(RUN).attempt(2).root, store.home.run(RUN).attempt(3).root)
    assert any("attempts are missing" in each.message for each in found(store))


RECORDS = [
    "run.json",
    "spec.v1.yaml",
    "attempts/1/attempt.json",
    "attempts/1/resolved.json",
    "attempts/1/journal.jsonl",
]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), name=st.sampled_from(RECORDS), bit=st.integers(0, 7))
def test_a_flipped_bit_in_any_record_is_named(
    data: st.DataObject, name: str, bit: int, store: RunStore
) -> None:
    path = store.home.run(RUN).root / name
    sound = path.read_bytes()
    position = data.draw(st.integers(0, len(sound) - 1))
    flipped = bytearray(sound)
    flipped[position] ^= 1 << bit
    path.chmod(0o600)
    path.write_bytes(bytes(flipped))
    try:
        damage = check_run(store, RUN)
        assert any(each.fatal and each.path == path for each in damage) or name.endswith("journal.jsonl")
        if not any(each.fatal for each in damage):
            assert store.load(RUN).state == "failed"
    finally:
        path.write_bytes(sound)
