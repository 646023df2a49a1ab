"""What a spec asks of its steps is done: tries, repetitions, limits, conditions, handlers."""

from __future__ import annotations

import pytest

from intg.home import Home


def test_a_failing_step_is_tried_again_with_growing_pauses(home: Home) -> None:
    home.dag(
        "flaky",
        """
        steps:
          - name: flaky
            run: |
              echo "try $DAGFS_TRY" | tee -a "$DAG_DESK/count"
              test "$(wc -l < "$DAG_DESK/count")" -ge 3
            output: SAID
            retry_policy: {limit: 5, interval_sec: 0.02, backoff: 2}
          - name: after
            depends: flaky
            run: echo "${SAID}"
        """,
    )
    home.dagfs("run", "flaky").exits(0).says("↻ flaky exit 1; trying again", "flaky started try 3")
    assert home.lines("count") == ["try 1", "try 2", "try 3"]
    assert home.log("flaky") == "try 1\ntry 2\ntry 3\n"
    assert home.log("after") == "try 3\n", "an output is what the last try printed"
    assert home.status()["steps"]["flaky"]["tries"] == 3
    waits = [event for event in home.journal() if event["event"] == "step_retrying"]
    assert [event["try"] for event in waits] == [1, 2]


def test_tries_end_at_their_limit_and_begin_anew_with_each_attempt(home: Home) -> None:
    home.dag(
        "broken",
        """
        steps:
          - name: a
            run: echo x >> "$DAG_DESK/count"; false
            retry_policy: {limit: 2, interval_sec: 0}
        """,
    )
    home.dagfs("run", "broken").exits(1)
    assert len(home.lines("count")) == 3
    home.dagfs("retry").exits(1)
    assert len(home.lines("count")) == 6


def test_only_the_listed_exit_codes_are_tried_again(home: Home) -> None:
    home.dag(
        "picky",
        """
        steps:
          - name: a
            run: echo x >> "$DAG_DESK/count"; exit 3
            retry_policy: {limit: 2, interval_sec: 0, exit_code: [4]}
        """,
    )
    home.dagfs("run", "picky").exits(1)
    assert len(home.lines("count")) == 1


def test_a_step_is_repeated_until_its_condition_holds(home: Home) -> None:
    home.dag(
        "poll",
        """
        steps:
          - name: poll
            run: echo x >> "$DAG_DESK/count"
            repeat_policy:
              repeat: until
              interval_sec: 0.01
              limit: 20
              condition: "`wc -l < $DAG_DESK/count | tr -d ' '`"
              expected: "3"
        """,
    )
    home.dagfs("run", "poll").exits(0)
    assert len(home.lines("count")) == 3


def test_a_step_that_takes_too_long_is_ended_and_not_tried_again(home: Home) -> None:
    home.dag(
        "slow",
        """
        steps:
          - name: slow
            run: echo x >> "$DAG_DESK/count"; sleep 600 & wait
            timeout_sec: 0.2
            retry_policy: {limit: 3, interval_sec: 0}
        """,
    )
    home.dagfs("run", "slow").exits(1).says("timed out")
    assert len(home.lines("count")) == 1
    assert home.processes() == {}


def test_a_run_that_takes_too_long_is_ended(home: Home) -> None:
    home.dag(
        "slow",
        "timeout_sec: 0.3\nsteps: [{name: slow, run: sleep 600}, {name: b, depends: slow, run: 'true'}]\n",
    )
    home.dagfs("run", "slow").exits(1).says("timed out after 0.3 s")
    assert home.states()["slow"] == "aborted"
    home.dagfs("status").says("timed out")
    home.edit(("sleep 600", "'true'"))
    home.dagfs("retry").exits(0)


def test_continue_on_lets_the_run_go_on_after_a_failure(home: Home) -> None:
    home.dag(
        "brave",
        """
        steps:
          - name: a
            run: exit 4
            continue_on: {exit_code: [4]}
          - name: b
            depends: a
            run: echo went on
          - name: c
            run: "false"
            continue_on: {failure: true, mark_success: true}
        """,
    )
    home.dagfs("run", "brave").exits(1).says("partially_succeeded")
    assert home.states() == {"a": "failed", "b": "succeeded", "c": "succeeded"}


def test_a_step_whose_precondition_fails_is_skipped_and_so_is_what_follows(home: Home) -> None:
    home.dag(
        "cond",
        """
        params: [{mode: fast}]
        steps:
          - name: a
            run: echo never
            preconditions: [{condition: "${mode}", expected: slow}]
          - name: b
            depends: a
            run: echo never
          - name: c
            preconditions: [{condition: test -d /}]
            run: echo "c runs"
        """,
    )
    home.dagfs("run", "cond").exits(0).says("precondition not met: ${mode}", "upstream a was skipped")
    assert home.states() == {"a": "skipped", "b": "skipped", "c": "succeeded"}


def test_a_dag_whose_precondition_fails_does_nothing(home: Home) -> None:
    home.dag(
        "cond",
        """
        preconditions: [{condition: "false"}]
        steps: [{name: a, run: echo x >> "$DAG_DESK/count"}]
        """,
    )
    home.dagfs("run", "cond").exits(1).says("precondition not met: false", "aborted")
    assert home.lines("count") == []


def test_each_attempt_runs_the_handlers_of_its_own_ending_once(home: Home) -> None:
    home.dag(
        "handled",
        """
        steps:
          - name: a
            run: test -e "$DAG_DESK/go"
        handler_on:
          init: {run: echo "init $DAGFS_ATTEMPT" >> "$DAG_DESK/handlers"}
          success: {run: echo "success $DAGFS_ATTEMPT" >> "$DAG_DESK/handlers"}
          failure: {run: echo "failure $DAGFS_ATTEMPT" >> "$DAG_DESK/handlers"}
          exit: {run: echo "exit $DAGFS_ATTEMPT $DAG_RUN_STATUS" >> "$DAG_DESK/handlers"}
        """,
    )
    home.dagfs("run", "handled").exits(1)
    home.dagfs("retry").exits(1)
    home.file("go").touch()
    home.dagfs("retry").exits(0)
    assert home.lines("handlers") == [
        "init 1", "failure 1", "exit 1 failed",
        "init 2", "failure 2", "exit 2 failed",
        "init 3", "success 3", "exit 3 succeeded",
    ]  # fmt: skip


def test_no_more_steps_run_at_once_than_allowed(home: Home) -> None:
    steps = "".join(f"  - {{name: s{n}, run: sh {home.file('one.sh')}}}\n" for n in range(6))
    home.file("one.sh").write_text(
        'mkdir "$DAG_DESK/busy.$$"\nls -d "$DAG_DESK"/busy.* | wc -l >> "$DAG_DESK/count"\n'
        'sleep 0.1\nrmdir "$DAG_DESK/busy.$$"\n'
    )
    home.dag("many", f"type: graph\nmax_active_steps: 2\nsteps:\n{steps}")
    home.dagfs("run", "many").exits(0)
    assert len(home.lines("count")) == 6
    assert max(int(line) for line in home.lines("count")) == 2


def test_steps_wait_for_their_delay(home: Home) -> None:
    home.dag("late", "delay_sec: 0.2\nsteps: [{name: a, run: 'true'}]\n")
    home.dagfs("run", "late").exits(0)
    told = home.journal()
    begin, start = (
        next(e["t"] for e in told if e["event"] == name) for name in ("attempt_started", "step_started")
    )
    assert float(start[17:-1]) - float(begin[17:-1]) % 60 >= 0.2 or start[:17] != begin[:17]


def test_a_background_child_does_not_hold_the_step_and_does_not_survive_it(home: Home) -> None:
    home.dag("fork", 'steps: [{name: a, run: "sleep 600 & setsid sleep 600 & echo done"}]\n')
    home.dagfs("run", "fork").exits(0)
    assert home.processes() == {}


def test_a_step_reads_an_empty_standard_input_and_may_close_its_output(home: Home) -> None:
    home.dag("io", 'steps: [{name: a, run: "cat; exec >&- 2>&-; true"}]\n')
    home.dagfs("run", "io").exits(0)


def test_a_signal_that_ended_a_step_is_named(home: Home) -> None:
    home.dag("sig", 'steps: [{name: a, run: "kill -9 $$"}]\n')
    home.dagfs("run", "sig").exits(1).says("signal 9")
    assert home.status()["steps"]["a"]["signal"] == 9


def test_a_step_that_cannot_start_says_why(home: Home) -> None:
    home.dag(
        "unready",
        """
        type: graph
        steps:
          - {name: cwd, working_dir: /proc/nowhere, run: "true"}
          - {name: cmd, run: "no-such-command --at-all"}
          - {name: shell, shell: /no/such/shell, run: "true"}
          - {name: ref, run: "true", output: X, stdout: /proc/nowhere/log}
        """,
    )
    home.dagfs("run", "unready").exits(1)
    assert set(home.states().values()) == {"failed"}
    home.dagfs("status").exits(0).says("/proc/nowhere", "no-such-command", "/no/such/shell")
    for step in ("cwd", "cmd", "shell", "ref"):
        assert home.dagfs("logs", "@", step).code in (0, 4)
    home.dagfs("retry").exits(1)


@pytest.mark.parametrize(
    "condition",
    [
        'condition: "${SEEN}", expected: "3"',
        "condition: 'test \"$SEEN\" = 3'",
        'condition: "${poll.outputs.SEEN}", expected: "3"',
    ],
)
@pytest.mark.parametrize("dialect", ["dagu1", "dagu2"])
def test_a_repetition_ends_by_what_its_own_try_put_out(home: Home, condition: str, dialect: str) -> None:
    text = f"""
        steps:
          - name: poll
            command: echo x >> "$DAG_DESK/count"; wc -l < "$DAG_DESK/count"
            output: SEEN
            repeatPolicy: {{repeat: until, {condition}, intervalSec: 0.01, limit: 6}}
        """
    home.dag("poll", text if dialect == "dagu1" else text.replace("Policy", "_policy").replace("Sec", "_sec"))
    home.dagfs("run", "poll").exits(0)
    assert len(home.lines("count")) == 3
    assert home.status()["steps"]["poll"]["outputs"] == {"SEEN": "3"}


UNREADY = {
    "a folder that is a file": "working_dir: DESK/file, run: 'true'",
    "a folder of nothing": "working_dir: '${NOPE}', run: 'true'",
    "an output that is not there": "outputs: [X], run: 'true'",
    "an output that is too large": "output: X, run: echo 123456789",
    "a value that is no code": "run: 'print(\"${P}\")', shell: python3",
    "items with one key": "foreach: {items: [{k: a}, {k: a}], key: k, steps: [run: 'true']}",
    "a precondition without an answer": "run: 'true', preconditions: {condition: '${X:?gone}', expected: a}",
}


@pytest.mark.parametrize("keys", UNREADY.values(), ids=UNREADY)
def test_any_failure_is_one_that_a_run_may_go_on_after(home: Home, keys: str) -> None:
    (home.path.parent / "file").write_text("")
    keys = keys.replace("DESK", str(home.path.parent))
    home.dag(
        "unready",
        f"""
        max_output_size: 5
        params: {{P: 'a"b'}}
        steps:
          - {{id: passed, {keys}, continue_on: failed}}
          - {{id: marked, {keys}, continue_on: {{failure: true, mark_success: true}}}}
          - {{id: coded, {keys}, continue_on: {{exit_code: [0, 1]}}}}
          - {{id: behind_passed, run: "true", depends: passed}}
          - {{id: behind_marked, run: "true", depends: marked}}
          - {{id: behind_coded, run: "true", depends: coded}}
        """,
    )
    home.dagfs("run", "unready").exits(1)
    assert home.states() == {
        "passed": "failed",
        "marked": "succeeded",
        "coded": "failed",
        "behind_passed": "succeeded",
        "behind_marked": "succeeded",
        "behind_coded": "upstream_failed",
    }


def test_a_step_that_does_not_put_out_what_it_declares_is_tried_again(home: Home) -> None:
    home.dag(
        "late",
        """
        steps:
          - id: late
            run: test "$DAGFS_TRY" -lt 3 || echo X=ready >> "$DAGFS_OUTPUT"
            outputs: [X]
            retry_policy: {limit: 5}
          - id: after
            run: echo "${late.outputs.X}"
            depends: late
          - {id: never, run: "true", outputs: [X], retry_policy: {limit: 2, exit_code: [0, 1]}}
        """,
    )
    home.dagfs("run", "late").exits(1).says("↻ late output X: the step has not written it")
    assert home.status()["steps"]["late"]["tries"] == 3
    assert home.status()["steps"]["never"]["tries"] == 1, "it has no exit code that failed"
    assert home.log("after") == "ready\n"


def test_a_value_whose_command_failed_is_known_to_nobody(home: Home) -> None:
    home.dag(
        "unknown",
        """
        steps:
          - {id: empty, run: "true", preconditions: {eval: "$(exit 3)", expected: ""}}
          - {id: rest, run: "true", preconditions: {eval: "x$(nosuchcmd)", expected: "x"}}
          - {id: negated, run: "true", preconditions: {eval: "`exit 3`", expected: "y", negate: true}}
          - {id: known, run: "true", preconditions: {eval: "x$(true)", expected: "x"}}
        """,
    )
    home.dagfs("run", "unknown").exits(0)
    assert home.states() == {
        "empty": "skipped",
        "rest": "skipped",
        "negated": "skipped",
        "known": "succeeded",
    }


def test_a_parameter_whose_command_fails_ends_the_run_before_it_begins(home: Home) -> None:
    home.dag("eval", 'params: [{name: P, eval: "$(exit 3)"}]\nsteps: [run: "true"]\n')
    said = home.dagfs("run", "eval").exits(3)
    said.says("params P: the command '$(exit 3)' failed with 3")
    assert home.runs() == []


def test_dagu_1_has_nothing_for_an_unset_variable_in_a_condition(home: Home) -> None:
    home.dag(
        "unset",
        """
        type: graph
        maxActiveSteps: 1
        steps:
          - {name: bare, command: "true", precondition: {condition: "$UNSET_X", expected: ""}}
          - {name: pattern, command: "true", precondition: {condition: "${UNSET_X}", expected: "re:^$"}}
          - {name: part, command: "true", precondition: {condition: "x${UNSET_X}", expected: "x"}}
          - {name: other, command: "true", precondition: {condition: "${UNSET_X}", expected: "x"}}
          - {name: failed, command: "true", precondition: {condition: "`exit 3`", expected: ""}}
        """,
    )
    home.dagfs("run", "unset").exits(0)
    assert [name for name, state in home.states().items() if state == "skipped"] == ["other", "failed"]
