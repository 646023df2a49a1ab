from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dagfs.errors import NotFound, Refused
from dagfs.store import ledger as module
from dagfs.store.files import Disk
from dagfs.store.layout import HomePaths
from dagfs.store.ledger import Ledger, Watermark
from dagfs.store.waiting import Queue, Waiting

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> HomePaths:
    (tmp_path / "runs").mkdir()
    return HomePaths(tmp_path)


@pytest.fixture
def ledger(home: HomePaths) -> Ledger:
    made = Ledger(Disk(), home.scheduler, lambda: NOW)
    made.prepare()
    made.prepare()
    return made


@pytest.mark.parametrize("key", ["a.yaml", "deep/ü b.yaml", "." * 300, "../../x"])
def test_a_watermark_is_kept_under_any_name(ledger: Ledger, key: str, home: HomePaths) -> None:
    assert ledger.watermark(key) is None
    ledger.set_watermark(key, Watermark(NOW, "d1", (NOW,), (NOW, NOW)))
    assert ledger.watermark(key) == Watermark(NOW, "d1", (NOW,), (NOW, NOW))
    assert home.scheduler.watermark(key).parent == home.scheduler.watermarks


def test_a_damaged_watermark_is_none(ledger: Ledger, home: HomePaths) -> None:
    ledger.set_watermark("a", Watermark(NOW))
    home.scheduler.watermark("a").write_text("{")
    assert ledger.watermark("a") is None


def test_pauses(ledger: Ledger) -> None:
    ledger.pause("a", "me", "tired")
    ledger.pause("queue:b", "me", "")
    assert set(ledger.paused()) == {"a", "queue:b"}
    assert ledger.paused()["a"]["reason"] == "tired"
    assert ledger.resume("a")
    assert not ledger.resume("a")
    assert set(ledger.paused()) == {"queue:b"}


def test_the_log_is_kept_within_bounds(
    ledger: Ledger, home: HomePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LARGEST_LOG", 200)
    for place in range(10):
        ledger.note("started", place=place)
    with home.scheduler.log.open("a") as log:
        log.write('{"torn')
    assert [line["place"] for line in ledger.notes()][-1] == 9
    assert home.scheduler.log.stat().st_size < 400


def entry(run_id: str, **more: object) -> Waiting:
    return Waiting(id=run_id, dag="a", created=NOW.isoformat(), params=(("k", "v"),), **more)  # type: ignore[arg-type]


def test_news_are_told_by_one_within_an_hour_of_the_clock(home: HomePaths) -> None:
    moment = datetime(2026, 3, 1, 12, 59, tzinfo=UTC)
    schedulers = [Ledger(Disk(), home.scheduler, lambda: moment) for _ in range(2)]
    schedulers[0].prepare()
    assert [each.claim_news("a " + "x" * 500) for each in schedulers] == [True, False]
    assert schedulers[1].claim_news("b")
    moment += timedelta(minutes=1)
    assert [each.claim_news("a " + "x" * 500) for each in schedulers] == [True, False]
    assert len(list(home.scheduler.told.iterdir())) == 1


def test_a_run_waits_until_it_is_removed(ledger: Ledger, home: HomePaths) -> None:
    queue = Queue(Disk(), home.scheduler)
    queue.put(entry("r1"), b"steps")
    assert queue.has("r1")
    assert queue.entries() == [entry("r1")]
    assert queue.spec("r1") == b"steps"
    with pytest.raises(Refused):
        queue.put(entry("r1"), b"other")
    assert queue.spec("r1") == b"steps"
    queue.remove("r1")
    queue.remove("r1")
    assert not queue.entries()
    with pytest.raises(NotFound):
        queue.spec("r1")
    with pytest.raises(NotFound):
        queue.remove("../..")


def test_what_is_set_aside_says_why(ledger: Ledger, home: HomePaths) -> None:
    queue = Queue(Disk(), home.scheduler)
    queue.put(entry("r1"), b"steps")
    queue.set_aside("r1", "no good")
    queue.set_aside("r2", "not there")
    assert [(run, why) for run, why, _ in queue.put_aside()] == [("r1", "no good")]
    assert queue.has("r1")
    (home.scheduler.queue / "half").mkdir()
    assert queue.survey()[1] == ["half"]
    queue.remove("r1")
    assert not queue.has("r1")
