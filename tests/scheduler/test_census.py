"""Which runs there are: the newest at once, the others by and by, and what went on in any case."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, cast

import pytest

from dagfs.scheduler import census as module
from dagfs.scheduler.census import Census
from dagfs.store.layout import HomePaths
from dagfs.store.runs import RunStore


class Store:
    """Runs that are only their status."""

    def __init__(self, folder: Path, states: dict[str, str]) -> None:
        self.home, self.states, self.looked = HomePaths(folder), states, 0

    def ids(self) -> list[str]:
        return sorted(self.states, reverse=True)

    def names(self) -> list[str]:
        return list(self.states)

    def summaries_of(self, run_ids: Collection[str]) -> list[dict[str, Any]]:
        self.looked += len(run_ids)
        return [
            {"run": each, "dag": "a", "state": self.states[each], "created": f"2026-01-{each[1:]}T00:00:00Z"}
            for each in run_ids
            if each in self.states
        ]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(module, "_AT_FIRST", 3)
    monkeypatch.setattr(module, "_A_FEW", 4)
    states = {f"r{place}": "succeeded" for place in range(10, 24)} | {"r11": "waiting", "r12": "failed"}
    return Store(tmp_path, states)


def test_older_runs_are_looked_at_by_and_by(store: Store) -> None:
    census = Census(cast("RunStore", store))
    census.refresh()
    assert (store.looked, list(census.active)) == (3, [])
    looks = 1
    while census.look_at_older():
        looks += 1
    assert looks == 3
    assert list(census.active) == ["r11"]
    assert [run.id for run in census.wounded] == ["r12"]
    newest = census.last("a")
    assert newest is not None
    assert newest.id == "r23"


def test_what_went_on_is_known_at_once_whatever_its_age(store: Store) -> None:
    census = Census(cast("RunStore", store), ["r11", "gone"])
    census.refresh()
    assert list(census.active) == ["r11"]
    store.states["r11"] = "succeeded"
    census.refresh()
    assert not census.active


def test_runs_that_come_and_go_are_noticed(store: Store) -> None:
    census = Census(cast("RunStore", store))
    census.refresh()
    store.states["r30"] = "running"
    census.refresh()
    assert list(census.active) == ["r30"]
    del store.states["r30"]
    census.refresh()
    assert not census.active


def test_a_run_whose_engine_died_is_told_of_once(store: Store) -> None:
    store.states |= {"r21": "interrupted", "r22": "interrupted", "r23": "running"}
    census = Census(cast("RunStore", store), known=["r22", "r10"])
    census.refresh()
    # r21 lay there before; of r22 it is known that it went on a moment ago.
    assert [run.id for run in census.died()] == ["r22"]
    store.states |= {"r23": "interrupted", "r24": "interrupted"}
    census.refresh()
    assert [run.id for run in census.died()] == ["r24", "r23"]
    census.refresh()
    assert census.died() == []


def test_a_first_look_that_fails_is_made_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    census = Census(cast("RunStore", store))
    with monkeypatch.context() as broken:
        broken.setattr(Store, "summaries_of", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            census.refresh()
    census.refresh()
    newest = store.ids()[:3]
    assert set(census.active) == {each for each in newest if store.states[each] == "running"}
