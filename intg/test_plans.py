"""A plan binds: what was shown is what is done, or nothing is."""

from __future__ import annotations

import pytest

from intg.home import Home
from tests.patience import eventually

DAG = """
steps:
  - name: first
    run: echo first >> "$DAG_DESK/count"
  - name: second
    depends: first
    run: echo second >> "$DAG_DESK/count" && test -e "$DAG_DESK/go"
"""


@pytest.fixture
def failed(home: Home) -> Home:
    """A home with one run that failed at its second step, and an edit that mends it."""
    home.dag("job", DAG)
    home.dagfs("run", "job").exits(1)
    home.edit(('test -e "$DAG_DESK/go"', "true"))
    return home


def plan_id(home: Home, *words: str) -> str:
    """The id of the plan as it is now."""
    found: str = home.dagfs("plan", "--json", *words).json["plan"]
    return found


def test_a_plan_is_carried_out_by_its_id(failed: Home) -> None:
    failed.dagfs("retry", "@", "--plan", plan_id(failed)).exits(0)
    assert failed.dagfs("show", "--json").json["attempts"][1]["plan"]


def test_a_plan_is_carried_out_from_its_file_with_the_answers_it_was_made_with(failed: Home) -> None:
    failed.edit(("echo first >>", "echo one >>"), ('test -e "$DAG_DESK/go"', "true"))
    plan = failed.dagfs("plan", "--on-stale", "rerun", "--reason", "why not", "--json").exits(0)
    failed.file("plan.json").write_text(plan.out)
    failed.dagfs("retry", "--plan", str(failed.file("plan.json"))).exits(0)
    assert failed.lines("count") == ["first", "second", "one", "second"]
    assert failed.dagfs("show", "--json").json["attempts"][1]["why"] == "why not"


def test_a_plan_is_void_once_the_edit_was_saved_anew(failed: Home) -> None:
    plan = plan_id(failed)
    edit = failed.run / "spec.next.yaml"
    edit.write_text(edit.read_text() + "# one more thing\n")
    before = failed.listing()
    failed.dagfs("retry", "--plan", plan).exits(8).says("is not what plan", plan, "dagfs plan")
    assert failed.listing() == before


def test_a_plan_is_void_once_another_attempt_was_made(failed: Home) -> None:
    (failed.run / "spec.next.yaml").unlink()
    plan = plan_id(failed)
    failed.dagfs("retry").exits(1)
    failed.dagfs("retry", "--plan", plan).exits(8)
    assert len(failed.lines("count")) == 3


def test_a_plan_is_void_once_the_settings_changed(failed: Home) -> None:
    plan = plan_id(failed)
    failed.settings("grace_sec: 3\n")
    failed.dagfs("retry", "--plan", plan).exits(8)


def test_a_plan_is_void_once_a_plugin_came(failed: Home) -> None:
    plan = plan_id(failed)
    (failed.path / "plugins").mkdir(exist_ok=True)
    (failed.path / "plugins/mine.py").write_text('__version__ = "1"\n')
    failed.dagfs("retry", "--plan", plan).exits(8)


def test_what_is_no_plan_is_named(failed: Home) -> None:
    failed.dagfs("retry", "--plan", "nowhere.json").exits(4).in_one_line().says("no such file")
    failed.file("bad.json").write_text("{}")
    failed.dagfs("retry", "--plan", str(failed.file("bad.json"))).exits(2).in_one_line().says("is not a plan")
    failed.file("bad.json").write_bytes(b"\xff\x00")
    failed.dagfs("retry", "--plan", str(failed.file("bad.json"))).exits(2).in_one_line()
    failed.dagfs("retry", "--plan", str(failed.path)).exits(4).in_one_line()


def test_a_dry_run_shows_the_plan_and_does_nothing(failed: Home) -> None:
    before = failed.listing()
    assert failed.dagfs("retry", "--dry-run").exits(0).out == failed.dagfs("plan").exits(0).out
    assert failed.listing() == before


def test_a_spec_may_come_from_a_file_or_standard_input(failed: Home) -> None:
    text = (failed.run / "spec.next.yaml").read_text()
    (failed.run / "spec.next.yaml").unlink()
    failed.file("mended.yaml").write_text(text)
    failed.dagfs("plan", "--spec", str(failed.file("mended.yaml"))).exits(0).says("command changed")
    failed.dagfs("plan", "--spec", "nowhere.yaml").exits(4).in_one_line()
    failed.dagfs("retry", "--spec", "-", stdin=text).exits(0)
    assert (failed.run / "spec.v2.yaml").read_text() == text


def test_a_refused_plan_is_refused_as_json_too(failed: Home) -> None:
    failed.edit(("name: second", "name: zweiter"))
    plan = failed.dagfs("plan", "--json").exits(5).json
    assert plan["verdict"] == "refused"
    finding = next(each for each in plan["findings"] if each["blocks"])
    assert (finding["rule"], finding["step"], finding["line"]) == ("structure.rename", "zweiter", 4)
    assert finding["hint"]
    assert failed.dagfs("retry", "--json").exits(5).out == ""


def test_retry_in_the_background_prints_the_run_and_goes_on_alone(failed: Home) -> None:
    assert failed.dagfs("retry", "-d", "--reason", "later").exits(0).out.splitlines()[-1] == failed.run.name
    eventually(lambda: failed.dagfs("status", "--json").json["state"] == "succeeded", "its end")
    assert failed.lines("count") == ["first", "second", "second"]


def test_run_in_the_background_prints_the_run_and_goes_on_alone(home: Home) -> None:
    home.dag("job", 'steps: [{name: wait, run: "until test -e $DAG_DESK/go; do sleep 0.02; done"}]\n')
    run = home.dagfs("run", "job", "-d").exits(0).out.strip()
    assert run == home.run.name
    home.dagfs("status", run).exits(0).says("▶ running")
    home.file("go").touch()
    eventually(lambda: home.dagfs("status", run, "--json").json["state"] == "succeeded", "its end")


def test_what_cannot_start_in_the_background_says_so_at_once(home: Home) -> None:
    home.dagfs("run", "nothing", "-d").exits(4).says("nothing")
    home.dag("bad", "steps: [{name: a}]\n")
    home.dagfs("run", "bad", "-d").exits(3).says("bad.yaml:1")
