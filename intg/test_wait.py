"""`dagfs wait`: until runs are over, and how it says so."""

from __future__ import annotations

import pytest

from intg.home import Home
from tests.patience import eventually

HELD = """
    steps:
      - name: hold
        run: touch $DAG_DESK/NAME.up; while [ ! -e $DAG_DESK/NAME ]; do sleep 0.02; done; exit CODE
"""


def held(home: Home, name: str, code: int = 0) -> str:
    """A run in the background that ends when a file of its name appears; its id."""
    home.dag(name, HELD.replace("NAME", name).replace("CODE", str(code)))
    return home.dagfs("run", name, "-d").exits(0).out.strip()


def test_it_waits_for_the_end_and_says_how_it_was(home: Home) -> None:
    run = held(home, "one")
    waiting = home.start("wait", "one")
    assert home.dagfs("wait", run, "--timeout", "0").exits(124).out == ""
    home.file("one").touch()
    outcome = waiting.wait().exits(0)
    assert outcome.out == f"{run}  ✓ succeeded\n"
    home.dagfs("wait", "@").exits(0).says("✓ succeeded")


def test_several_runs_end_with_the_worst_code(home: Home) -> None:
    first, second = held(home, "one"), held(home, "two", 3)
    waiting = home.start("wait", first, second, first)
    home.file("two").touch()
    home.file("one").touch()
    outcome = waiting.wait().exits(1).says(f"{first} ✓ succeeded", f"{second} ✗ failed at hold (exit 3)")
    assert len(outcome.out.splitlines()) == 2


def test_json_is_one_array_in_the_order_asked_for(home: Home) -> None:
    first, second = held(home, "one"), held(home, "two")
    home.file("two").touch()
    home.dagfs("wait", second).exits(0)
    late = home.dagfs("wait", first, second, "--json", "--timeout", "0.2s").exits(124).json
    assert [(each["run"], each["state"], each["timed_out"]) for each in late] == [
        (first, "running", True),
        (second, "succeeded", False),
    ]
    home.file("one").touch()
    found = home.dagfs("wait", first, second, "--json").exits(0).json
    assert [each["state"] for each in found] == ["succeeded", "succeeded"]


def test_an_interrupted_run_ends_the_wait_with_that_word(home: Home) -> None:
    home.dag("one", HELD.replace("NAME", "one").replace("CODE", "0"))
    engine = home.start("run", "one")
    engine.until(home.file("one.up").exists, "the step")
    waiting = home.start("wait", "one")
    watching = home.start("watch", "one", "--json")
    engine.kill()
    waiting.wait().exits(1).says("■ interrupted")
    assert watching.wait().exits(1).events[-1]["event"] == "step_started"
    home.dagfs("watch", "one").exits(1).says("▶ hold started", "■ interrupted")
    home.file("one").touch()


def test_watching_goes_on_when_another_engine_takes_a_run_over(home: Home) -> None:
    home.dag("one", HELD.replace("NAME", "one").replace("CODE", "0"))
    engine = home.start("run", "one")
    engine.until(home.file("one.up").exists, "the step")
    engine.kill()
    retry = home.start("retry", "one")
    eventually(lambda: home.has_event("step_adopted", 2), "the adoption")
    watching = home.start("watch", "one")
    waiting = home.start("wait", "one")
    home.file("one").touch()
    retry.wait().exits(0)
    watching.wait().exits(0).says("attempt 2", "▶ hold adopted", "✓ hold succeeded")
    waiting.wait().exits(0)


def test_ctrl_c_ends_the_wait_and_not_the_run(home: Home) -> None:
    run = held(home, "one")
    waiting, watching = home.start("wait", "one"), home.start("watch", "one")
    eventually(lambda: home.has_event("step_started"), "the step")
    eventually(lambda: len(home.pids("dagfs")) >= 3, "both commands")
    watching.until(lambda: _has_handlers(watching.pid), "watch")
    waiting.until(lambda: _has_handlers(waiting.pid), "wait")
    watching.signal(2)
    waiting.signal(2)
    watching.wait().exits(130).says(f"dagfs stop {run}")
    waiting.wait().exits(130)
    home.file("one").touch()
    home.dagfs("wait", run).exits(0)


def _has_handlers(pid: int) -> bool:
    """It sleeps in its loop: all of Python is up."""
    with open(f"/proc/{pid}/wchan", encoding="utf-8") as file:
        return "nanosleep" in file.read()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["no-such"], 4, "there is no run 'no-such'"),
        ([], 2, "RUN"),
        (["@", "--timeout", "soon"], 2, "not a span of time"),
        (["@", "--timeout", "-1"], 2, "--timeout"),
    ],
)
def test_a_wrong_wait_is_one_line(home: Home, words: list[str], code: int, said: str) -> None:
    run = held(home, "one")
    home.file("one").touch()
    home.dagfs("wait", run).exits(0)
    home.dagfs("wait", *words).exits(code).says(said).in_one_line()
