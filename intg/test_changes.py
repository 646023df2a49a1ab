"""What a retry changes without an edit: parameters, single values, tags, a wrapper; what it asks first."""

from __future__ import annotations

import pytest

from intg.home import Home
from tests.patience import eventually

DAG = """
name: job
params:
  - date: monday
  - file: in-${date}.csv
  - other: "1"
steps:
  - name: extract   # the first
    run: echo "${file}" >> "$DAG_DESK/count"
  - name: free
    run: echo free >> "$DAG_DESK/count"
  - name: load
    depends: [extract, free]
    env: {MODE: slow}
    run: |
      echo "load $MODE ${date}" >> "$DAG_DESK/count"
      test "$MODE" = fast
"""


@pytest.fixture
def failed(home: Home) -> Home:
    home.dag("job", DAG)
    home.dagfs("run", "job").exits(1)
    home.file("count").unlink()
    return home


def test_another_parameter_asks_about_the_steps_that_used_it(failed: Home) -> None:
    failed.dagfs("plan", "-p", "date=friday").exits(5).says(
        "stale.params", "file was 'in-monday.csv' when 'extract' ran and is 'in-friday.csv' now"
    ).never_says("'free'")
    failed.dagfs("retry", "-p", "date=friday", "--on-stale", "rerun").exits(1)
    assert failed.lines("count") == ["in-friday.csv", "load slow friday"]
    failed.dagfs("show", "--json").exits(0)
    assert failed.status()["params"] == {"date": "friday", "file": "in-friday.csv", "other": "1"}
    failed.dagfs("retry").exits(1)
    assert failed.lines("count")[-1] == "load slow friday"
    failed.dagfs("plan", "-p", "other=2").exits(0)
    failed.dagfs("plan", "-p", "dat=friday").exits(2).says("did you mean 'date'?")
    failed.dagfs("plan", "-p", "friday").exits(2).says("NAME=VALUE")
    for word in ("--tag", "--with"):
        failed.dagfs("plan", word, " ").exits(2).in_one_line().says(f"{word} is given nothing")


def test_values_set_on_the_command_line_become_a_version_of_the_spec(failed: Home) -> None:
    before = (failed.run / "spec.v1.yaml").read_text()
    words = ("--set", "load.env.MODE=fast", "--set", "load.retry_policy.limit=2", "--timeout", "60")
    failed.dagfs("plan", *words).exits(0).says("--set load.env.MODE=fast")
    assert not (failed.run / "spec.v2.yaml").exists()
    failed.dagfs("retry", *words, "--tag", "mended").exits(0)
    after = (failed.run / "spec.v2.yaml").read_text()
    assert after == before.replace("{MODE: slow}", "{MODE: fast}").replace(
        "  - name: load\n", "  - name: load\n    retry_policy: {limit: 2}\n"
    ).replace("steps:\n", "timeout_sec: 60\ntags: [mended]\nsteps:\n")
    assert failed.lines("count") == ["load fast monday"]
    failed.dagfs("diff", "@").exits(1).says("step load: env.MODE", "retry_policy", "dag: timeout_sec")
    failed.dagfs("fsck").exits(0)


def test_an_edit_that_is_pending_is_not_passed_over(failed: Home) -> None:
    failed.edit(("slow", "fast"))
    failed.dagfs("retry", "--set", "load.timeout_sec=3").exits(2).in_one_line().says(
        "spec.next.yaml is there"
    )
    failed.dagfs("retry", "--set", "lode.timeout_sec=3").exits(2)
    (failed.run / "spec.next.yaml").unlink()
    failed.dagfs("retry", "--set", "lode.timeout_sec=3").exits(2).in_one_line().says("did you mean 'load'?")
    failed.dagfs("retry", "--set", "load.timeout=3").exits(3).says("did you mean 'timeout_sec'?")
    failed.dagfs("retry", "--set", "load.timeout_sec=soon").exits(3).says("must be a number")
    failed.dagfs("retry", "--set", "extract.run=true").exits(5).says("stale.semantic")
    assert not (failed.run / "attempts/2").exists()


def test_a_plan_holds_what_was_changed_with_it(failed: Home) -> None:
    words = ("-p", "other=2", "--set", "load.env.MODE=fast", "--with", "env WRAPPED=1")
    plan = failed.dagfs("plan", *words, "--json").exits(0)
    failed.file("plan.json").write_text(plan.out)
    failed.dagfs("retry", "--plan", plan.json["plan"]).exits(8)
    failed.dagfs("retry", "--plan", str(failed.file("plan.json"))).exits(0)
    assert failed.status()["params"]["other"] == "2"


def test_steps_are_put_behind_a_command(failed: Home) -> None:
    failed.file("wrap").write_text('#!/bin/sh\necho "behind: $DAGFS_STEP" >> "$DAG_DESK/count"\nexec "$@"\n')
    failed.file("wrap").chmod(0o755)
    wrap = str(failed.file("wrap"))
    failed.dagfs("retry", "--all", "--with", wrap, "--with-steps", "load").exits(1)
    assert sorted(failed.lines("count")) == ["behind: load", "free", "in-monday.csv", "load slow monday"]
    failed.dagfs("retry").exits(1)
    assert len(failed.lines("count")) == 5
    failed.dagfs("retry", "--with", "no-such-program").exits(1).says("no-such-program")
    failed.dagfs("retry", "--with", "'open").exits(2).in_one_line()
    failed.dagfs("retry", "--with", wrap, "--with-steps", "lode").exits(2).says("did you mean 'load'?")
    failed.dagfs("retry", "--with-steps", "load").exits(2).says("there is no --with")


def test_what_has_effects_outside_runs_again_only_when_it_is_named(home: Home) -> None:
    home.dag(
        "job",
        """
        steps:
          - name: send invoices
            id: send
            idempotent: false
            run: echo sent >> "$DAG_DESK/count" && test -e "$DAG_DESK/go"
        """,
    )
    home.dagfs("run", "job").exits(1)
    home.file("go").touch()
    home.dagfs("retry").exits(5).says("effects.ack", "is not idempotent", "--ack")
    home.dagfs("retry", "--ack", "sent").exits(2).says("did you mean 'send'?")
    assert home.lines("count") == ["sent"]
    home.dagfs("retry", "--ack", "send").exits(0)
    assert home.lines("count") == ["sent", "sent"]
    home.dagfs("retry", "--all").exits(5)


@pytest.mark.parametrize("strict", [False, True])
def test_files_that_a_step_was_made_with_are_watched(home: Home, strict: bool) -> None:
    inputs = "inputs: {files: [go.sh, lib/*.sh], strict: true}" if strict else "inputs: [go.sh, lib/*.sh]"
    path = home.dag(
        "job",
        f"""
        steps:
          - name: a
            run: sh go.sh
            {inputs}
          - name: b
            depends: a
            run: 'false'
        """,
    )
    (path.parent / "lib").mkdir()
    for name in ("go.sh", "lib/one.sh"):
        (path.parent / name).write_text("true\n")
    home.dagfs("run", "job").exits(1)
    home.dagfs("plan").exits(0).never_says("code.identity")
    (path.parent / "go.sh").write_text("echo other\n")
    (path.parent / "lib/two.sh").write_text("true\n")
    said = home.dagfs("plan").exits(5 if strict else 0)
    said.says("[code.identity] go.sh, lib/two.sh changed since step 'a' finished")
    home.dagfs("retry", "--on-stale", "rerun").exits(1)
    assert home.log("a", 2) == ("other\n" if strict else "")


def test_files_of_a_step_that_outlived_its_engine_are_watched_too(home: Home) -> None:
    script = home.path / "dags" / "go.sh"
    home.dag(
        "job",
        """
        steps:
          - name: a
            run: touch "$DAG_DESK/on"; until test -e "$DAG_DESK/go"; do sleep 0.02; done
            inputs: {files: [go.sh], strict: true}
        """,
    )
    script.write_text("one")
    engine = home.start("run", "job")
    engine.until(lambda: home.file("on").exists(), "the step")
    engine.kill()
    home.file("go").touch()
    eventually(lambda: not home.processes(), "the end of the step")
    home.dagfs("retry", "@").exits(0)
    home.dagfs("plan", "@").exits(7)
    script.write_text("two")
    home.dagfs("plan", "@").exits(5).says("code.identity", "go.sh changed")


INNER = """
type: graph
steps:
  - {name: pay, run: echo paid >> "$DAG_DESK/count", idempotent: false}
  - {name: check, depends: pay, run: test -e "$DAG_DESK/go"}
"""
OUTER = """
type: graph
steps:
  - {name: sum, run: cat "$DAG_DESK/sum", output: SUM}
  - {name: bill, depends: sum, call: inner, params: "SUM=${SUM}"}
"""


def test_effects_in_children_that_start_over_are_asked_about(home: Home) -> None:
    home.dag("inner", f"params: [{{SUM: '0'}}]\n{INNER}")
    home.dag("outer", OUTER)
    home.file("sum").write_text("1")
    home.dagfs("run", "outer").exits(1)
    home.file("go").touch()
    home.dagfs("plan", "@").exits(0).says("bill failed")
    child = next((home.run / "children").iterdir()).name
    refused = home.dagfs("retry", "@", "--from", "sum").exits(5)
    refused.says("effects.ack", f"step {child}/pay is not idempotent", f"--ack {child}/pay")
    home.dagfs("retry", "@", "--all").exits(5).says(f"--ack {child}/pay")
    assert home.lines("count") == ["paid"]
    home.dagfs("retry", "@", "--from", "sum", "--ack", f"{child}/pay").exits(0)
    assert home.lines("count") == ["paid", "paid"]


def test_effects_in_children_that_are_given_something_else_are_asked_about(home: Home) -> None:
    home.dag("inner", f"params: [{{SUM: '0'}}]\n{INNER}")
    home.dag("outer", OUTER)
    home.file("sum").write_text("1")
    home.dagfs("run", "outer").exits(1)
    home.edit(("SUM=${SUM}", "SUM=2"))
    home.file("go").touch()
    home.dagfs("retry", "@").exits(5).says("effects.ack", "pay is not idempotent", "its child starts over")
    assert home.lines("count") == ["paid"]
    child = next((home.run / "children").iterdir()).name
    home.dagfs("retry", "@", "--ack", f"{child}/pay").exits(0)
    assert home.lines("count") == ["paid", "paid"]
