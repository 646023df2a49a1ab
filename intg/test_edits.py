"""What may be edited before a retry: each unsafe edit is refused or asked about, and nothing changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from intg.home import Home, Outcome

DAG = """
params:
  - date: today
  - extra: none
env:
  - TARGET: warehouse
  - MODE: fast
steps:
  - name: extract
    run: echo "rows of ${date}"
    output: ROWS
  - name: check
    run: test -n "$TARGET"
  - name: transform
    depends: extract
    run: test -e "$DAGFS_WORK_DIR/mended" && echo "${ROWS} in $MODE"
  - name: load
    depends: [transform, check]
    run: echo "loaded ${ROWS}"
"""


@pytest.fixture
def failed(home: Home) -> Home:
    """A home with one run: extract and check are done, transform failed, load never ran."""
    home.dag("etl", DAG)
    home.dagfs("run", "etl").exits(1)
    return home


def refused(home: Home, *words: str) -> Outcome:
    """A retry that is refused: exit 5, and not one byte has changed."""
    before = home.listing()
    assert home.dagfs("plan", "@", "--json", *words).exits(5).json["verdict"] in ("refused", "needs_answer")
    outcome = home.dagfs("retry", "@", *words).exits(5)
    assert home.listing() == before
    assert (home.run / "spec.next.yaml").exists()
    return outcome


def line(path: Path, text: str) -> str:
    """`spec.next.yaml:LINE:` of the first line that holds the text."""
    lines = path.read_text().splitlines()
    return f"{path.name}:{1 + next(n for n, each in enumerate(lines) if text in each)}:"


def test_renaming_a_step_is_refused(failed: Home) -> None:
    edit = failed.edit(("name: transform", "name: convert"), ("[transform,", "[convert,"))
    told = refused(failed).says(
        "refused [structure.rename]", line(edit, "convert"), "hint: call it 'transform'"
    )
    told.says("'transform' was renamed to 'convert'")
    refused(failed, "--allow", "structure.rename", "--reason", "because")


def test_renaming_and_changing_a_step_is_a_removal_and_an_addition(failed: Home) -> None:
    failed.edit(("name: transform", "name: convert"), ("[transform,", "[convert,"), ("&& echo", "|| echo"))
    refused(failed).says("structure.add", "structure.remove", "hint:")


def test_adding_a_step_is_refused(failed: Home) -> None:
    edit = failed.edit(("  - name: load", "  - name: notify\n    run: echo done\n  - name: load"))
    refused(failed).says("refused [structure.add]", line(edit, "notify"), "step 'notify' was added", "hint:")


def test_adding_a_step_behind_which_nothing_is_kept_may_be_allowed(failed: Home) -> None:
    failed.edit(
        ("MODE: fast\n", "MODE: fast\n"),
        (
            'echo "loaded ${ROWS}"',
            'echo "loaded ${ROWS}"\n  - name: notify\n    depends: load\n    run: echo done',
        ),
        ('test -e "$DAGFS_WORK_DIR/mended" &&', ""),
    )
    refused(failed).says("--allow structure.add --reason")
    failed.dagfs("retry", "@", "--allow", "structure.add").exits(2).says("needs a reason")
    assert (failed.run / "spec.next.yaml").exists()
    assert not (failed.run / "attempts/2").exists()
    failed.dagfs("retry", "@", "--allow", "structure.add", "--reason", "tell somebody").exits(0)
    assert failed.states()["notify"] == "succeeded"
    assert failed.dagfs("show", "--json").json["attempts"][1]["allowed"] == ["structure.add"]
    failed.dagfs("show").says("why tell somebody", "allowed structure.add")


def test_removing_a_step_is_refused(failed: Home) -> None:
    failed.edit(('  - name: check\n    run: test -n "$TARGET"\n', ""), ("[transform, check]", "transform"))
    told = refused(failed).says("structure.remove", "step 'check' was removed", "hint: put 'check' back")
    told.says("spec.next.yaml:")
    refused(failed, "--allow", "structure.remove", "--reason", "because")


def test_removing_a_step_that_never_ran_may_be_allowed(failed: Home) -> None:
    failed.edit(
        ('  - name: load\n    depends: [transform, check]\n    run: echo "loaded ${ROWS}"\n', ""),
        ('test -e "$DAGFS_WORK_DIR/mended" &&', ""),
    )
    refused(failed).says("--allow structure.remove --reason")
    failed.dagfs("retry", "--allow", "structure.remove", "--reason", "not today").exits(0)
    assert "load" not in failed.states()


def test_changing_what_a_step_waits_for_is_refused(failed: Home) -> None:
    edit = failed.edit(("[transform, check]", "[transform, extract]"))
    told = refused(failed).says(
        "refused [structure.depends]", "step 'load' no longer waits for 'check'", "hint:"
    )
    told.says(line(edit, "[transform, extract]"))


def test_the_same_dependencies_in_another_order_are_no_change(failed: Home) -> None:
    failed.edit(("[transform, check]", "[check, transform]"))
    failed.dagfs("plan").exits(0).says("compatible: 2 kept, 2 to run").never_says("structure")


def test_dropping_an_output_that_a_step_to_run_needs_asks_and_its_maker_is_not_run_without(
    failed: Home,
) -> None:
    failed.edit(("    output: ROWS\n", ""))
    refused(failed).says("stale.semantic", "output of finished step 'extract' changed", "spec.next.yaml:")
    told = refused(failed, "--on-stale", "rerun").says("outputs.missing", "'transform' needs ROWS")
    told.says("no longer puts out", "hint: put `output: ROWS` of extract back", "spec.next.yaml:")


def test_another_name_for_an_output_that_is_needed_asks_and_its_maker_is_not_run_so(failed: Home) -> None:
    failed.edit(("output: ROWS", "output: COUNT"))
    refused(failed).says("stale.semantic", "output of finished step 'extract' changed")
    refused(failed, "--on-stale", "rerun").says("outputs.missing", "'load' needs ROWS")


def test_an_output_that_was_kept_is_there_although_the_spec_names_it_no_more(failed: Home) -> None:
    failed.edit(("    output: ROWS\n", ""))
    (failed.run / "work/mended").touch()
    failed.dagfs("retry", "--on-stale", "keep", "--reason", "the rows are counted").exits(0)
    assert failed.log("load", 2) == "loaded rows of today\n"


def test_another_value_of_a_param_that_kept_work_used_asks(failed: Home) -> None:
    edit = failed.edit(("date: today", "date: yesterday"))
    told = refused(failed).says("question [stale.params]", "'today'", "'yesterday'", "--on-stale rerun")
    told.says(line(edit, "yesterday"))


def test_another_value_of_a_param_that_nobody_used_is_fine(failed: Home) -> None:
    failed.edit(("extra: none", "extra: some"))
    failed.dagfs("plan").exits(0).says("keep extract", "keep check")


def test_another_env_that_kept_work_used_asks(failed: Home) -> None:
    edit = failed.edit(("TARGET: warehouse", "TARGET: lake"))
    told = refused(failed).says("question [stale.env]", "TARGET", "'check'", "hint:")
    told.says(line(edit, "TARGET"))


def test_another_env_that_only_steps_to_run_use_is_fine(failed: Home) -> None:
    failed.edit(("MODE: fast", "MODE: slow"))
    (failed.run / "work/mended").touch()
    failed.dagfs("retry").exits(0)
    assert failed.log("transform", 2) == "rows of today in slow\n"


def test_an_edited_finished_step_asks(failed: Home) -> None:
    edit = failed.edit(("rows of", "lines of"))
    told = refused(failed).says("question [stale.semantic]", "command of finished step 'extract' changed")
    told.says(line(edit, "lines of"), "--on-stale rerun", "--on-stale keep --reason")


def test_rerun_runs_an_edited_finished_step_and_all_behind_it_again(failed: Home) -> None:
    failed.edit(("rows of", "lines of"))
    (failed.run / "work/mended").touch()
    failed.dagfs("plan", "--on-stale", "rerun").exits(0).says(
        "run extract stale: command of finished step 'extract' changed", "keep check"
    )
    failed.dagfs("retry", "--on-stale", "rerun").exits(0)
    assert failed.log("load", 2) == "loaded lines of today\n"
    assert failed.status()["steps"]["check"]["attempt"] == 1


def test_keep_keeps_it_with_a_reason_and_marks_it_for_ever(failed: Home) -> None:
    failed.edit(("rows of", "lines of"))
    before = failed.listing()
    failed.dagfs("retry", "--on-stale", "keep").exits(2).says("needs a reason", "--reason")
    assert failed.listing() == before
    failed.dagfs("retry", "--on-stale", "extract=keep", "--reason", "same rows").exits(1)
    failed.dagfs("status").says("extract ✓ succeeded", "STALE", "kept although command")
    failed.dagfs("show").says("stale extract", "why same rows")
    # Nobody is asked the same thing again …
    (failed.run / "work/mended").touch()
    failed.dagfs("plan").exits(0).says("keep stale extract")
    failed.dagfs("retry").exits(0)
    assert failed.log("load", 3) == "loaded rows of today\n"
    failed.dagfs("status").says("STALE")
    assert failed.status()["steps"]["extract"]["stale"] is True


def test_a_step_that_was_kept_stale_asks_again_only_when_edited_again(failed: Home) -> None:
    failed.edit(("rows of", "lines of"))
    failed.dagfs("retry", "--on-stale", "keep", "--reason", "same rows").exits(1)
    failed.edit(('echo "loaded', 'echo "in'))
    failed.dagfs("plan").exits(0)
    failed.edit(("lines of", "records of"))
    refused(failed).says("stale.semantic", "'extract'")


def test_operational_and_cosmetic_edits_of_finished_steps_are_fine(failed: Home) -> None:
    failed.edit(
        ('    run: echo "rows', '    # mended\n    timeout_sec: 9\n    description: d\n    run: echo "rows')
    )
    failed.dagfs("plan").exits(0).says("keep extract", "no effect")


def test_an_edit_of_comments_alone_is_called_cosmetic_and_kept_as_a_new_version(failed: Home) -> None:
    failed.edit(("steps:", "# nothing new\nsteps:"))
    failed.dagfs("plan").exits(0).says("cosmetic only")
    (failed.run / "work/mended").touch()
    failed.dagfs("retry").exits(0)
    assert "# nothing new" in (failed.run / "spec.v2.yaml").read_text()


def test_retry_without_an_edit_runs_the_same_spec(failed: Home) -> None:
    (failed.run / "work/mended").touch()
    failed.dagfs("retry").exits(0)
    assert not (failed.run / "spec.v2.yaml").exists()
    assert failed.status()["spec"] == "spec.v1.yaml"


def test_an_answer_that_is_none_is_a_usage_error(failed: Home) -> None:
    failed.dagfs("retry", "--on-stale", "maybe").exits(2).in_one_line()
    failed.dagfs("retry", "--on-stale", "nobody=rerun").exits(2).says("nobody")
    failed.dagfs("retry", "--allow", "structure.nothing", "--reason", "x").exits(2).says("structure.nothing")


def test_an_altered_artifact_asks_and_a_lost_one_is_made_again(home: Home) -> None:
    home.dag(
        "art",
        """
        steps:
          - name: make
            run: date +%s%N > "$DAGFS_ARTIFACTS_DIR/a.txt"
          - name: use
            depends: make
            run: cat "${make.artifacts}/a.txt" && test -e "$DAGFS_WORK_DIR/mended"
        """,
    )
    home.dagfs("run", "art").exits(1)
    artifact = home.run / "attempts/1/steps/make/artifacts/a.txt"
    first = artifact.read_text()
    artifact.chmod(0o600)
    artifact.write_text("tampered\n")
    home.dagfs("plan").exits(5).says("outputs.verify", "a.txt", "was changed after it ended")
    artifact.unlink()
    home.dagfs("plan").exits(0).says("run make its artifact a.txt is gone")
    (home.run / "work/mended").touch()
    home.dagfs("retry").exits(0)
    assert home.log("use", 2) not in ("", first, "tampered\n")
