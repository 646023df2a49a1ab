"""The re-execution stories that other engines tell in their own documentation, told here from end to end."""

from __future__ import annotations

from intg.home import Home

# -- Dagster: a job whose steps fail now and then, re-executed from the failure, or in part -----------

UNRELIABLE = """
name: unreliable_job
steps:
  - name: start
    run: echo start >> "$DAG_DESK/count" && echo N=1 >> "$DAGFS_OUTPUT"
  - name: unreliable
    depends: start
    run: |
      echo unreliable >> "$DAG_DESK/count"
      test -e "$DAG_DESK/lucky"
      echo N=$((${start.outputs.N} + 1)) >> "$DAGFS_OUTPUT"
  - name: end
    depends: unreliable
    run: echo "end ${unreliable.outputs.N}" >> "$DAG_DESK/count"
"""


def test_an_unreliable_job_is_tried_again_from_its_failure_until_it_is_lucky(home: Home) -> None:
    home.dag("unreliable_job", UNRELIABLE)
    home.dagfs("run", "unreliable_job").exits(1)
    for _ in range(2):
        home.dagfs("retry").exits(1)
    home.file("lucky").touch()
    home.dagfs("retry").exits(0)
    assert home.lines("count") == ["start", *["unreliable"] * 4, "end 2"]


def test_a_job_that_succeeded_runs_again_only_where_steps_are_selected(home: Home) -> None:
    home.file("lucky").touch()
    home.dag("unreliable_job", UNRELIABLE)
    home.dagfs("run", "unreliable_job").exits(0)
    home.dagfs("retry").exits(7)
    home.dagfs("retry", "--select", "unreliable++").exits(0)
    home.dagfs("retry", "--select", "++end,-start").exits(0)
    home.dagfs("retry", "--only", "start").exits(0)
    assert home.lines("count") == ["start", *["unreliable", "end 2"] * 3, "start"]
    home.dagfs("status").says("unreliable ✓ succeeded", "STALE")


# -- runnable: simple, linear, parallel, conditional and map ------------------------------------------


def test_a_single_step_is_run_again(home: Home) -> None:
    home.dag("simple", "steps:\n  - name: one\n    run: test -e $DAG_DESK/go && echo done\n")
    home.dagfs("run", "simple").exits(1)
    home.file("go").touch()
    home.dagfs("retry").exits(0)
    assert home.log("one", 2) == "done\n"
    assert home.log("one", 1) == ""


def test_a_chain_goes_on_at_the_step_that_failed_even_twice(home: Home) -> None:
    home.dag(
        "linear",
        """
        type: chain
        steps:
          - {name: one, run: 'echo one >> $DAG_DESK/count; echo X=1 >> $DAGFS_OUTPUT'}
          - {name: two, run: 'echo two >> $DAG_DESK/count; test -e $DAG_DESK/two'}
          - {name: three, run: 'echo "three ${one.outputs.X}" >> $DAG_DESK/count; test -e $DAG_DESK/three'}
        handler_on:
          failure: {run: echo failed >> $DAG_DESK/count}
          success: {run: echo well >> $DAG_DESK/count}
        """,
    )
    home.dagfs("run", "linear").exits(1)
    home.file("two").touch()
    home.dagfs("retry").exits(1)
    home.file("three").touch()
    home.dagfs("retry").exits(0)
    assert home.lines("count") == [
        *("one", "two", "failed"),
        *("two", "three 1", "failed"),
        *("three 1", "well"),
    ]


def test_only_the_branch_that_failed_runs_again_and_then_what_joins_them(home: Home) -> None:
    home.dag(
        "parallel",
        """
        steps:
          - {name: begin, run: echo begin >> $DAG_DESK/count}
          - {name: left, depends: begin, run: echo left >> $DAG_DESK/count}
          - {name: right, depends: begin, run: 'echo right >> $DAG_DESK/count; test -e $DAG_DESK/go'}
          - {name: join, depends: [left, right], run: echo join >> $DAG_DESK/count}
        """,
    )
    home.dagfs("run", "parallel").exits(1)
    home.file("go").touch()
    home.file("count").unlink()
    home.dagfs("retry").exits(0)
    assert home.lines("count") == ["right", "join"]


def test_the_branch_that_was_chosen_stays_chosen(home: Home) -> None:
    home.dag(
        "conditional",
        """
        steps:
          - {name: toss, run: 'echo toss >> $DAG_DESK/count; echo SIDE=heads >> $DAGFS_OUTPUT'}
          - name: which
            depends: toss
            type: router
            value: ${toss.outputs.SIDE}
            routes:
              heads: [won]
              tails: [lost]
          - {name: won, depends: which, run: 'echo won >> $DAG_DESK/count; test -e $DAG_DESK/go'}
          - {name: lost, depends: which, run: echo lost >> $DAG_DESK/count}
        """,
    )
    home.dagfs("run", "conditional").exits(1)
    home.file("go").touch()
    home.dagfs("retry").exits(0)
    assert home.lines("count") == ["toss", "won", "won"]
    assert home.states()["lost"] == "skipped"


def test_of_a_map_only_the_items_that_failed_run_again(home: Home) -> None:
    home.dag(
        "map",
        """
        steps:
          - name: each
            call: chunk
            parallel: {items: [a, b, c]}
          - {name: reduce, depends: each, run: echo reduce >> $DAG_DESK/count}
        ---
        name: chunk
        params: [x]
        steps:
          - name: work
            run: |
              echo "$1" >> "$DAG_DESK/count"
              test "$1" != b || test -e "$DAG_DESK/go"
        """,
    )
    home.dagfs("run", "map").exits(1)
    assert sorted(home.lines("count")) == ["a", "b", "c"]
    home.file("count").unlink()
    home.file("go").touch()
    home.dagfs("retry").exits(0)
    assert home.lines("count") == ["b", "reduce"]


# -- Metaflow: the middle step fails, is mended, and the run is resumed; or only up to a step ---------

MIDDLE = """
name: flow
type: chain
params:
  - alpha: "1"
steps:
  - {name: start, run: echo start >> $DAG_DESK/count}
  - {name: middle, run: 'echo "middle ${alpha}" >> $DAG_DESK/count; test ${alpha} = 2'}
  - {name: join, run: echo join >> $DAG_DESK/count}
  - {name: end, run: echo end >> $DAG_DESK/count}
"""


def test_a_flow_is_resumed_behind_a_mended_step_and_its_parameters_may_change(home: Home) -> None:
    home.dag("flow", MIDDLE)
    home.dagfs("run", "flow").exits(1)
    home.dagfs("retry", "-p", "alpha=2", "--to", "middle").exits(1)
    assert home.status()["state"] == "partially_succeeded"
    home.dagfs("retry").exits(0)
    assert home.lines("count") == ["start", "middle 1", "middle 2", "join", "end"]


# -- Dagu: the captured spec is edited and the run retried --------------------------------------------


def test_a_captured_spec_is_edited_and_the_same_run_goes_on(home: Home) -> None:
    home.dag(
        "job",
        """
        steps:
          - name: build
            command: echo built
            output: BUILT
          - name: test
            command: test "$BUILT" = wrong
            depends: build
        """,
    )
    home.dagfs("run", "job").exits(1)
    home.edit(("= wrong", "= built"))
    home.dagfs("retry").exits(0)
    assert [path.name for path in home.runs()] == [home.run.name]
    states = home.dagfs("status", "--json").json["steps"]
    assert (states["build"]["state"], states["build"]["kept"]) == ("succeeded", True)
    assert (home.run / "spec.v2.yaml").exists()


def test_what_a_failed_attempt_left_is_in_nobodys_way(home: Home) -> None:
    home.dag(
        "dirty",
        """
        type: chain
        steps:
          - name: write
            run: |
              ls "$DAGFS_ARTIFACTS_DIR" | wc -l >> "$DAG_DESK/found"
              echo "$DAGFS_ATTEMPT" > "$DAGFS_ARTIFACTS_DIR/part-$DAGFS_ATTEMPT"
              test -e "$DAG_DESK/go"
          - {name: read, run: 'ls "${write.artifacts}"'}
        """,
    )
    home.dagfs("run", "dirty").exits(1)
    before = home.listing("runs", home.run.name, "attempts", "1")
    home.file("go").touch()
    home.dagfs("retry").exits(0)
    assert [line.strip() for line in home.lines("found")] == ["0", "0"]
    assert home.log("read", 2) == "part-2\n"
    assert home.listing("runs", home.run.name, "attempts", "1") == before
