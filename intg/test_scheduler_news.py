"""What no run can tell of, the scheduler has notifiers tell."""

from __future__ import annotations

import json
import os
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

from intg.home import Engine, Home
from tests.patience import eventually

NOTIFIER = '''
"""Appends each trouble to a file, as one line."""
import json
from dagfs.hooks import hookimpl
from dagfs.hooks.executor import Process

@hookimpl
def notify(news):
    if news.what != "trouble":
        return []
    said = [news.kind, news.subject, news.reason, news.run and news.run.id, news.dag and news.dag.name]
    env = {**news.env, "NEWS": json.dumps(said)}
    return [Process(["sh", "-c", 'printf "%s\\\\n" "$NEWS" >> $DAG_DESK/news'], env, news.cwd)]
'''


def plugin(home: Home, text: str) -> None:
    folder = home.path / "plugins"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / "tell.py"
    path.write_text(text)
    path.chmod(0o600)


def at_work(home: Home) -> Engine:
    scheduler = home.start("scheduler")
    pid = scheduler.pid

    def alive() -> bool:
        found = home.dagfs("scheduler", "--status", "--json").json
        return bool(found["alive"] and found["pid"] == pid)

    scheduler.until(alive, "a sign of life")
    return scheduler


def finish(scheduler: Engine) -> None:
    scheduler.signal(signal.SIGTERM)
    scheduler.wait().exits(0)


def news(home: Home) -> dict[str, list[Any]]:
    """What was told, by its kind; nothing is told twice."""
    lines = [json.loads(line) for line in home.lines("news")]
    assert len({(line[0], line[1]) for line in lines}) == len(lines), lines
    return {line[0]: line[1:] for line in lines}


def told(home: Home, *kinds: str) -> dict[str, list[Any]]:
    return (
        eventually(lambda: found if (found := news(home)).keys() >= set(kinds) else None, ", ".join(kinds))
        or {}
    )


def test_what_goes_wrong_without_a_run_is_told_once(home: Home) -> None:
    plugin(home, NOTIFIER)
    path = home.dag("hourly", "schedule: '0 * * * *'\ncatchup: none\nsteps: [{run: 'true'}]\n")
    # So that it is taken as soon as a scheduler begins.
    os.utime(path, (1e9, 1e9))
    finish(at_work(home))
    # Three hours pass without a scheduler, a file turns bad, and what waits is damaged or cannot be started.
    (mark,) = (home.path / "runs/.scheduler/watermarks").iterdir()
    past = (datetime.now(UTC) - timedelta(hours=3)).isoformat()
    mark.write_text(json.dumps({**json.loads(mark.read_text()), "until": past}))
    home.dag("bad", "schedule: [\nsteps: x")
    home.dag("needy", "params: [{name: day, eval: $(exit 3)}]\nsteps: [{run: 'true'}]\n")
    home.dagfs("enqueue", "hourly", "--id", "poison").exits(0)
    (home.path / "runs/.scheduler/queue/poison/request.json").write_text("{")
    home.dagfs("enqueue", "needy", "--id", "refused").exits(0)
    scheduler = at_work(home)
    found = told(home, "missed", "bad_file", "set_aside", "not_started")
    assert (found["missed"][0], found["missed"][3]) == ("hourly", "hourly")
    assert "is not made up for" in found["missed"][1]
    assert found["bad_file"][0] == "bad.yaml"
    assert "bad.yaml:" in found["bad_file"][1]
    assert found["set_aside"][:2] == ["poison", "the queued run poison was set aside: its record is damaged"]
    assert found["not_started"][0] == "needy"
    assert all(each[2] is None for each in found.values())
    # Another scheduler of the same store finds all of that too.
    other = at_work(home)
    finish(other)
    finish(scheduler)
    news(home)


def test_a_run_whose_engine_was_killed_is_told_of(home: Home) -> None:
    plugin(home, NOTIFIER)
    home.dag("long", "steps: [{name: work, run: sleep 600}]\n")
    home.dagfs("run", "-d", "long", "--id", "r1").exits(0)
    scheduler = at_work(home)
    owner = home.path / "runs/r1/owner.json"
    eventually(lambda: home.pids("sleep") and owner.exists(), "the run")
    os.kill(json.loads(owner.read_text())["identity"]["pid"], signal.SIGKILL)
    found = told(home, "engine_died")["engine_died"]
    assert found == ["r1", "the engine of run r1 died; `dagfs retry r1` goes on with it", "r1", "long"]
    finish(scheduler)
    home.dagfs("stop", "r1")
    eventually(lambda: not home.pids("sleep"), "the end of what was left")


def test_a_notifier_that_fails_is_named_in_the_log_and_keeps_nothing_up(home: Home) -> None:
    plugin(home, NOTIFIER.replace("    said =", "    raise RuntimeError('no way')\n    said ="))
    home.dag("bad", "schedule: [\nsteps: x")
    scheduler = at_work(home)
    log = eventually(lambda: _failed(home), "the complaint")
    assert log["reason"] == "plugin tell: notify: RuntimeError: no way"
    finish(scheduler)


def _failed(home: Home) -> dict[str, Any]:
    lines = home.dagfs("scheduler", "--log", "50", "--json").events
    return next((line for line in lines if line["event"] == "command_failed"), {})
