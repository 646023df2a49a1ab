"""dagfs from Python: the page's example as it stands, errors as values, and threads."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dagfs import api
from dagfs.errors import (
    Busy,
    NotFound,
    NothingToDo,
    PlanMoved,
    Refused,
    SpecError,
    StoreError,
    UsageError,
)
from dagfs.model.edit import Action
from dagfs.model.state import RunState
from dagfs.planning.plan import Verdict
from intg.home import REPOSITORY, Home
from tests.patience import eventually

DAG = """
    name: job
    type: graph
    params:
      - date: today
    steps:
      - name: extract
        run: echo 3
        output: ROWS
      - name: load
        depends: extract
        run: echo "$ROWS of $date"; 'false'
"""


SHIP = """
    steps:
      - name: check
        run: "true"
        approval: {prompt: "ship it?", input: [WHO], required: [WHO]}
      - name: ship
        depends: check
        run: echo "$WHO ships"
"""


@pytest.fixture
def python(home: Home, monkeypatch: pytest.MonkeyPatch) -> api.Home:
    """The home as a Python program sees it; what it starts is found by the story's mark."""
    for name, value in home._environment(None).items():
        monkeypatch.setenv(name, value)
    home.dag("job", DAG)
    return api.open_home(home.path)


def test_the_example_on_the_page_works(home: Home) -> None:
    home.example("nightly-import")
    text = (REPOSITORY / "docs/api.md").read_text()
    home.example("release")
    first, second, third, fourth = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = shown_by(home, first).splitlines()
    assert lines[0].startswith("failed failed at transform")
    assert lines[1].startswith("keep extract succeeded in attempt 1")
    assert "succeeded 40 loaded 6 customers, 40 orders of 2026-11-20" in lines
    assert "step_finished extract" in shown_by(home, second)
    assert shown_by(home, third).splitlines() == ["compatible", "succeeded", "succeeded True True"]
    asked, end = shown_by(home, fourth).splitlines()
    assert (asked[:5], end) == ("check", "succeeded")


def shown_by(home: Home, program: str) -> str:
    """What a Python program prints in the home."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=home.path,
        env=home._environment(None),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_run_is_made_read_mended_and_continued(python: api.Home) -> None:
    run = python.run("job", {"date": 'a "b"; $(c)'}, reason="-x")
    assert (run.state, run.dag, run.params) == ("failed", "job", {"date": 'a "b"; $(c)'})
    assert run.outputs == {"extract": {"ROWS": "3"}}
    assert run.log("load") == '3 of a "b"; $(c)\n'
    assert run.attempts[0].header.reason == "-x"
    assert run.attempts[0].header.actor.source == "api"
    assert (run.root, run.parent, run.next_spec) == (run.id, "", None)
    old = run.plan()
    run.edit(run.spec.replace("'false'", "'true'"))
    assert "'true'" in (run.next_spec or "")
    with pytest.raises(PlanMoved):
        run.retry(old)
    plan = run.plan()
    assert plan.actions == {"extract": Action.KEEP, "load": Action.RUN}
    assert run.retry(plan, reason="mended") is run
    assert run.state == "succeeded"
    assert run.attempts[1].header.reason == "mended"
    assert [event.name for event in run.events()].count("attempt_started") == 2
    with pytest.raises(NothingToDo):
        run.retry()


def test_answers_and_a_text_are_passed_on(python: api.Home) -> None:
    run = python.run("job")
    text = run.spec.replace("echo 3", "echo 4").replace("'false'", "'true'")
    assert run.plan(spec=text).verdict is Verdict.NEEDS_ANSWER
    with pytest.raises(Refused, match=r"stale\.semantic"):
        run.retry(spec=text)
    with pytest.raises(UsageError, match="reason"):
        run.retry(spec=text, on_stale="keep")
    plan = run.plan(spec=text, on_stale={"extract": "rerun"})
    run.retry(plan, spec=text)
    assert (run.state, run.log("load")) == ("succeeded", "4 of today\n")


def test_events_come_as_they_happen(python: api.Home, home: Home) -> None:
    home.dag("slow", "steps: [{name: a, run: 'while test ! -e \"$DAG_DESK/go\"; do sleep 0.02; done'}]\n")
    with python.start("slow") as live:
        names = []
        for event in live:
            names.append(event.name)
            if event.name == "step_started":
                assert live.run.state == "running"
                with pytest.raises(Busy):
                    live.run.plan()
                home.file("go").touch()
    assert names == ["attempt_started", "step_started", "step_finished", "attempt_finished"]
    assert live.run.state == "succeeded"


def test_a_block_that_raises_stops_its_run(python: api.Home, home: Home) -> None:
    home.dag("slow", "steps: [{name: a, run: sleep 600}]\n")
    with pytest.raises(ZeroDivisionError), python.start("slow"):
        raise ZeroDivisionError
    assert python.find().state == "aborted"
    live = python.start("slow")
    live.stop(kill=True)
    assert live.finish().state == "aborted"


def test_a_question_is_answered(python: api.Home, home: Home) -> None:
    home.dag("ship", SHIP)
    run = python.run("ship")
    assert run.state is api.RunState.WAITING
    assert [event.name for event in run.events()][-1] == "attempt_waiting"
    assert run.questions() == [api.Question(run.id, "check", "ship it?", ("WHO",), ("WHO",))]
    with pytest.raises(UsageError, match="needs WHO"):
        run.approve()
    assert run.approve("check", {"WHO": "-x 'ann'"}, reason="looks good") is run
    assert (run.state, run.log("ship"), run.questions()) == ("succeeded", "-x 'ann' ships\n", [])
    answered = next(event for event in run.events() if event.name == "step_answered")
    assert (answered.data["reason"], answered.data["actor"]["source"]) == ("looks good", "api")
    with pytest.raises(NotFound, match="nothing waits"):
        run.approve()
    other = python.run("ship")
    assert other.reject(reason="no").state is api.RunState.REJECTED


def test_children_are_runs_too(python: api.Home, home: Home) -> None:
    home.dag("ship", SHIP)
    home.dag("all", "steps: [{name: each, call: ship, parallel: [one, two]}]\n")
    run = python.run("all")
    assert run.state is api.RunState.WAITING
    first, second = run.children()
    assert (first.dag, first.state, python.find(first.id).id) == ("ship", "waiting", first.id)
    assert [question.run for question in run.questions()] == [first.id, second.id]
    assert {"child_started", "attempt_waiting"} <= {event.name for event in run.events()}
    first.approve(inputs={"WHO": "ann"})
    assert [child.refresh().state for child in (first, second)] == ["succeeded", "waiting"]
    second.approve(inputs={"WHO": "bob"})
    assert (run.refresh().state, second.log("ship")) == ("succeeded", "bob ships\n")


def test_steps_are_chosen(python: api.Home) -> None:
    run = python.run("job")
    assert run.plan(all=True).actions == {"extract": Action.RUN, "load": Action.RUN}
    with pytest.raises(UsageError):
        run.plan(all=True, select="load")
    assert run.retry(select="extract").attempts[1].steps["extract"].kept is False


def test_options_are_values(python: api.Home) -> None:
    run = python.run("job")
    options = api.RetryOptions.from_failure(run)
    assert options == api.RetryOptions()
    assert run.plan(options).id == run.plan().id
    chosen = api.RetryOptions.from_selected(["extract"])
    assert run.plan(chosen).actions == run.plan(select="extract").actions
    assert run.plan(api.RetryOptions.only_selected("load")).actions["extract"] is Action.KEEP
    assert run.plan(api.RetryOptions.up_to(["extract"])).verdict is Verdict.NOTHING_TO_DO
    assert run.plan(api.RetryOptions.everything()).id == run.plan(all=True).id
    run.retry(chosen, reason="-more", sets=["load.run=true"])
    assert (run.state, run.attempts[1].header.reason) == ("succeeded", "-more")
    assert run.attempts[1].header.asked == ("--select extract", "--set load.run=true")
    with pytest.raises(NothingToDo, match="has succeeded"):
        api.RetryOptions.from_failure(run)
    for wrong in ({"all": True, "to": "load"}, {"on_stale": "kep"}, {"allow": "structure.add"}):
        with pytest.raises(UsageError):
            run.plan(**wrong)
    with pytest.raises(UsageError, match="empty"):
        api.RetryOptions.from_selected([])
    with pytest.raises(TypeError):
        run.retry(on_stael="keep")


def test_a_list_of_steps_may_hold_any_name(python: api.Home, home: Home) -> None:
    names = ["a, b", "it's", 'say "x"', "c"]
    steps = "".join(f"  - {{name: {json.dumps(name)}, run: 'true'}}\n" for name in names)
    home.dag("odd", f"type: graph\nsteps:\n{steps}")
    run = python.run("odd")
    for name in names:
        plan = run.plan(api.RetryOptions.from_selected([name]))
        assert [step for step, action in plan.actions.items() if action is Action.RUN] == [name]
    assert run.retry(api.RetryOptions.only_selected(names)).state == "succeeded"
    assert not any(step.kept for step in run.steps.values())


def test_a_rerun_keeps_what_is_not_selected(python: api.Home, home: Home) -> None:
    home.settings("profiles:\n  there: {load: {env: {date: elsewhere}}}\n")
    run = python.run("job")
    live = run.start_rerun(api.RetryOptions.from_failure(run), id="whole", profile="there")
    with live:
        assert next(live).name == "attempt_started"
    assert live.run.log("load") == "3 of elsewhere\n"
    assert not live.run.steps["extract"].kept
    some = run.rerun(api.RetryOptions.from_selected("load"), id="some", reason="why", params={"date": "x"})
    assert (some.parent, some.steps["extract"].kept, some.log("load")) == (run.id, True, "3 of x\n")
    assert len(run.refresh().attempts) == 1
    for wrong in ("sets", "tags"):
        with pytest.raises(UsageError, match="a rerun takes no"):
            run.rerun(**{wrong: ["load.timeout_sec=3"]})
    home.dag("job", DAG.replace("echo 3", "echo 4").replace("'false'", "'true'"))
    with pytest.raises(Refused, match=r"stale\.semantic"):
        run.rerun(select="load", latest=True)
    newest = run.rerun(select="load", latest=True, on_stale="rerun")
    assert (newest.state, newest.log("load")) == ("succeeded", "4 of today\n")


def test_a_run_begins_where_its_profile_says(python: api.Home, home: Home) -> None:
    home.settings("profiles:\n  there: {load: {env: {date: elsewhere}}}\n")
    run = python.run("job", profile="there")
    assert (run.log("load"), run.attempts[0].header.profile.name) == ("3 of elsewhere\n", "there")
    with pytest.raises(NotFound, match="'thre'"):
        python.run("job", profile="thre")


def test_an_engine_that_is_killed_leaves_an_interrupted_run(python: api.Home, home: Home) -> None:
    home.dag("slow", "steps: [{name: a, run: 'touch \"$DAG_DESK/on\"; sleep 600'}]\n")
    live = python.start("slow")
    eventually(lambda: home.file("on").exists(), "the step")
    os.kill(live._child._process.pid, signal.SIGKILL)
    run = live.finish()
    assert run.state == "interrupted"
    with pytest.raises(Busy, match="still running"):
        run.mark("a", "failed", "x")
    assert run.stop().state == "interrupted"
    assert run.mark("a", "succeeded", "enough").reason == "enough"
    assert run.retry().state == "succeeded"


def test_what_goes_wrong_is_the_error_it_was(python: api.Home, home: Home, tmp_path: Path) -> None:
    home.dag("bad", "steps:\n  - {nme: a}\n  - {name: b, depends: c, run: x}\n")
    with pytest.raises(SpecError) as caught:
        python.run("bad")
    problems = caught.value.problems
    assert len(problems) > 1
    assert (problems[0].line, problems[0].hint) == (2, "did you mean 'name'?")
    with pytest.raises(NotFound, match="'jbo'") as missing:
        python.run("jbo")
    assert missing.value.hint == "did you mean job?"
    python.run("job", id="taken")
    with pytest.raises(Refused, match="exists already"):
        python.run("job", id="taken")
    with pytest.raises(UsageError):
        python.run("job", id="../x")
    with pytest.raises(NotFound):
        python.find("none")
    with pytest.raises(NotFound):
        python.find().log("none")
    with pytest.raises(UsageError):
        python.find().mark("load", "happy", "x")
    with pytest.raises(NotFound):
        api.open_home(tmp_path / "none")
    (home.path / "runs/.dagfs-store").unlink()
    with pytest.raises(StoreError):
        python.run("job")


def test_runs_are_listed_marked_and_made_again(python: api.Home, home: Home) -> None:
    first = python.run("job", id="first")
    assert [path.name for path in python.dags()] == ["job.yaml"]
    marking = first.mark("load", "succeeded", "by hand", outputs={"N": "1"})
    assert (marking.actor.source, first.steps["load"].state) == ("api", "succeeded")
    assert str(first.steps["load"].marking) == str(marking)
    second = first.rerun({"date": "monday"}, id="second", reason="again")
    assert (second.parent, second.root, second.log("load")) == ("first", "first", "3 of monday\n")
    home.dag("job", "name: job\nsteps: [{name: new, run: 'true'}]\n")
    assert list(second.rerun(latest=True, id="third").steps) == ["new"]
    assert [run.id for run in python.runs()] == ["third", "second", "first"]
    assert [run.id for run in python.runs(states=["failed"], limit=1)] == ["second"]
    assert python.runs(dag="other") == []
    assert first.retry().state == "succeeded"


def test_a_list_of_runs_that_cannot_be_meant_is_refused(python: api.Home) -> None:
    with pytest.raises(UsageError, match="limit=-1"):
        python.runs(limit=-1)
    with pytest.raises(UsageError, match="not a text"):
        python.runs(states="failed")
    with pytest.raises(UsageError, match="'nope' is no state"):
        python.runs(states=("nope",))
    assert python.runs(states=("failed",)) == python.runs(states=[RunState.FAILED]) == []


def test_threads_share_a_home(python: api.Home) -> None:
    run, found, wrong = python.run("job", id="shared"), [], []

    def read() -> None:
        try:
            found.extend(
                (python.find("shared").state, run.refresh().plan().id, run.log("load")) for _ in range(5)
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the story fails by it
            wrong.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    threads.append(threading.Thread(target=lambda: python.run("job", id="meanwhile")))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(set(found)) == 1
    assert python.find("meanwhile").state == "failed"
