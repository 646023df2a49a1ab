"""The store in runs_example/ was written by dagfs itself and stays readable for ever."""

import shutil
from pathlib import Path

import pytest

from dagfs.engine.bootstrap import Engine, open_home
from dagfs.engine.proposal import propose_retry
from dagfs.model.state import RunState, StepState
from dagfs.planning.plan import Verdict
from dagfs.store.fsck import check_store

EXAMPLE = Path(__file__).parent.parent / "runs_example"
RUN = "20261121-021500-nightly-import-k3f9"


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    shutil.copytree(EXAMPLE, tmp_path / "runs", symlinks=True)
    return open_home(tmp_path, plugins=False)


def test_it_tells_its_story(engine: Engine) -> None:
    run = engine.home.store.load(RUN)
    assert [attempt.state for attempt in run.attempts] == [RunState.FAILED, RunState.SUCCEEDED]
    assert [attempt.header.spec for attempt in run.attempts] == ["spec.v1.yaml", "spec.v2.yaml"]
    first, second = run.attempts
    assert first.steps["transform"].state is StepState.FAILED
    assert second.steps["extract"].kept
    assert second.steps["extract"].outputs == {"ORDERS": "40"}
    assert second.header.reason == "sort's flag was misspelt"


def test_it_is_sound(engine: Engine) -> None:
    assert [damage for damage in check_store(engine.home.store) if damage.fatal] == []


def test_it_can_be_found_and_planned(engine: Engine) -> None:
    assert engine.home.store.find("nightly-import") == RUN
    assert propose_retry(engine, RUN).plan.verdict is Verdict.NOTHING_TO_DO
