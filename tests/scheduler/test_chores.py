"""What the scheduler does beside the clock: retries by themselves, and whom they wait for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dagfs.model.dag import RetryPolicy
from dagfs.scheduler.admission import Limits
from dagfs.scheduler.census import Counted
from dagfs.scheduler.chores import Chores
from dagfs.scheduler.loop import Scheduler
from tests.scheduler.world import Memory, World, cron, dag, utc

_RETRIED = dag("a", cron("0 0 1 1 *"), retry_policy=RetryPolicy(limit=3), queue="heavy")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    found = World(tmp_path)
    found.lasting = True
    monkeypatch.setattr("dagfs.scheduler.chores.clock_now", lambda: found.now)
    finished = found.now.isoformat()
    found.runs["r1"] = Counted("r1", "a", "failed", finished, finished, "schedule", queue="heavy")
    return found


def retried(world: World, scheduler: Scheduler, shelved: Any = _RETRIED) -> bool:
    """Whether `r1` is on its way after one more look."""
    census = SimpleNamespace(
        wounded=[run for run in world.runs.values() if run.state == "failed"],
        active={},
        refresh=lambda: None,
        died=list,
        forget=lambda _: None,
        look_again=world.look_again,
    )
    shelf: Any = SimpleNamespace(dags={shelved.key: shelved})
    any_census: Any = census
    launcher: Any = None
    Chores(world.home, Memory(world), shelf, any_census, scheduler, launcher).look_at_runs()
    return "r1" in scheduler.starting


def test_what_failed_is_retried(world: World) -> None:
    assert retried(world, world.scheduler(_RETRIED))


def test_a_paused_dag_is_retried_when_it_is_resumed(world: World) -> None:
    scheduler = world.scheduler(_RETRIED)
    world.paused = {"a"}
    assert not retried(world, scheduler)
    world.paused = set()
    assert retried(world, scheduler)


def test_a_suspended_dag_is_not_retried(world: World) -> None:
    asleep = dag("a", cron("0 0 1 1 *", suspend=True), retry_policy=RetryPolicy(limit=3))
    assert not retried(world, world.scheduler(asleep), asleep)


@pytest.mark.parametrize(
    ("limits", "queue"), [(Limits(runs=1), ""), (Limits(queues={"heavy": 1}), "heavy"), (Limits(), "heavy")]
)
def test_a_retry_waits_for_room(world: World, limits: Limits, queue: str) -> None:
    world.runs["r2"] = Counted("r2", "b", "running", utc("2026-01-01").isoformat(), queue=queue)
    scheduler = world.scheduler(_RETRIED, limits=limits)
    assert not retried(world, scheduler)
    world.end("r2")
    assert retried(world, scheduler)


def test_a_retry_heeds_the_limit_of_its_dag(world: World) -> None:
    few = dag("a", cron("0 0 1 1 *"), retry_policy=RetryPolicy(limit=3), max_active_runs=1)
    world.runs["r2"] = Counted("r2", "a", "running", utc("2026-01-01").isoformat())
    scheduler = world.scheduler(few)
    assert not retried(world, scheduler, few)
    world.end("r2")
    assert retried(world, scheduler, few)
