"""Every case of a retry: what becomes of it by default, what else can be said, and the test that shows it.

The table in docs/retry.md is made of this.
"""

from __future__ import annotations

from typing import NamedTuple


class Case(NamedTuple):
    """One line of the table."""

    case: str
    default: str
    test: str
    """FILE::TEST, below the project."""
    otherwise: str = ""
    rules: tuple[str, ...] = ()
    """The rules that judge it."""


RETRY, STALE = "tests/planning/test_retry.py", "tests/rules/test_stale.py"

CASES = {
    "Steps": [
        Case(
            "it failed, was stopped, was lost or never ran",
            "runs",
            f"{RETRY}::test_whatever_is_unfinished_runs",
            "left alone when you [select](#some-steps-only) others",
            ("selection.upstream",),
        ),
        Case(
            "it is finished, and nothing changed",
            "kept",
            f"{RETRY}::test_without_an_edit_what_is_done_is_kept_and_the_rest_runs",
            "`--from`, `--only`, `--all`",
        ),
        Case(
            "it stands behind one that runs",
            "runs",
            f"{RETRY}::test_every_step_behind_one_that_runs_runs_too",
            "`--only`: stays, marked stale; `--to`: not beyond there",
        ),
        Case(
            "it stands behind one that runs, and puts out the same as before",
            "runs",
            "intg/test_cutoff.py::test_steps_stay_where_nothing_came_of_it",
            "`--cutoff`: [kept](#where-running-again-comes-to-nothing)",
        ),
        Case(
            "its failure is tolerated (`continue_on`)",
            "kept while something else is unfinished, else runs",
            f"{RETRY}::test_a_tolerated_failure_is_kept_where_something_else_has_failed",
            "`--select state:failed`",
        ),
        Case(
            "a condition skipped it",
            "kept, unless the condition, a value it uses or a step before it changed",
            f"{RETRY}::test_a_skipped_step_is_kept_while_its_condition_stays",
            "`--select`",
        ),
        Case(
            "it never ran, for a step before it failed",
            "runs",
            f"{RETRY}::test_every_state_of_a_step_has_its_decision",
        ),
        Case(
            "it was between two repetitions or tries",
            "runs",
            "intg/test_crashes.py::test_killed_between_two_tries_a_step_gets_its_next_try_from_retry",
        ),
        Case(
            "it was marked by hand",
            "as it is [marked](#a-step-marked-by-hand)",
            "intg/test_mark.py::test_work_done_by_hand_is_kept_with_its_outputs",
            "`--select`",
        ),
        Case(
            "it was approved",
            "the approval is kept with it; asked again where the step changed",
            "intg/test_approval.py::test_an_edit_elsewhere_keeps_the_question_and_an_edit_of_the_step_asks_anew",
        ),
        Case(
            "it was rejected",
            "asked again, from `rewind_to` on",
            "intg/test_approval.py::test_a_rejection_ends_the_run_and_a_retry_asks_again",
        ),
        Case(
            "`idempotent: false`, and it would run again",
            "refused",
            "intg/test_changes.py::test_what_has_effects_outside_runs_again_only_when_it_is_named",
            "`--ack STEP`",
            ("effects.ack",),
        ),
        Case(
            "an output or artifact of it is gone",
            "runs again, if a step to run refers to that",
            f"{RETRY}::test_lost_outputs_are_made_again_where_a_step_to_run_uses_them",
        ),
        Case(
            "an output or artifact of it was changed by hand",
            "asks",
            "intg/test_edits.py::test_an_altered_artifact_asks_and_a_lost_one_is_made_again",
            "`--on-stale`",
            ("outputs.verify",),
        ),
        Case(
            "a file of it in `work/` changed since",
            "warns",
            "tests/rules/test_outputs.py::test_changed_files_of_the_work_folder_are_remarked",
            "",
            ("work.changed",),
        ),
    ],
    "Edits": [
        Case(
            "nothing",
            "goes on all the same",
            "intg/test_edits.py::test_retry_without_an_edit_runs_the_same_spec",
        ),
        Case(
            "comments, order, layout, description, tags, schedule",
            "free; a version of its own",
            "intg/test_edits.py::test_an_edit_of_comments_alone_is_called_cosmetic_and_kept_as_a_new_version",
        ),
        Case(
            "the definition of an unfinished step",
            "free",
            f"{RETRY}::test_a_semantic_edit_of_a_failed_step_is_what_a_retry_is_for",
        ),
        Case(
            "a finished step's command, script, env, image, sub-DAG",
            "asks",
            "intg/test_edits.py::test_an_edited_finished_step_asks",
            "`--on-stale rerun`, or `--on-stale keep --reason …`",
            ("stale.semantic",),
        ),
        Case(
            "timeouts, retry policy, executor type, log, `continue_on`",
            "free; finished work stays",
            f"{RETRY}::test_an_operational_or_cosmetic_edit_touches_no_finished_step",
        ),
        Case(
            "a parameter's value",
            "asks where a finished step used it, or may have",
            f"{STALE}::test_another_value_of_a_parameter_is_asked_where_it_was_used_or_may_have_been",
            "`--on-stale`; `--param` gives one without an edit",
            ("stale.params",),
        ),
        Case(
            "a variable of the DAG's `env`, or a constant",
            "asks where a finished step names it, else warns",
            f"{STALE}::test_another_value_of_a_variable_is_asked_where_it_was_used_and_remarked_where_unknown",
            "`--on-stale`",
            ("stale.env",),
        ),
        Case(
            "`working_dir` or `dotenv` of the DAG",
            "warns",
            f"{STALE}::test_other_dotenv_files_and_another_working_directory_are_remarked_once",
            "",
            ("workdir.change", "stale.env"),
        ),
        Case(
            "an `output` gets another name, or goes",
            "refused where a step to run refers to it",
            "tests/rules/test_outputs.py::test_a_renamed_output_is_refused_where_a_step_to_run_uses_the_new_name",
            "`--on-stale rerun` makes it anew",
            ("outputs.missing",),
        ),
        Case(
            "a file named as `inputs`",
            "warns",
            "intg/test_changes.py::test_files_that_a_step_was_made_with_are_watched",
            "`strict: true` asks",
            ("code.identity",),
        ),
        Case(
            "a step renamed",
            "refused",
            "intg/test_edits.py::test_renaming_a_step_is_refused",
            "",
            ("structure.rename",),
        ),
        Case(
            "a step added",
            "refused",
            "intg/test_edits.py::test_adding_a_step_is_refused",
            "`--allow structure.add`, where nothing finished comes to stand behind it",
            ("structure.add",),
        ),
        Case(
            "a step removed",
            "refused",
            "intg/test_edits.py::test_removing_a_step_is_refused",
            "`--allow structure.remove`, where it never ran and nobody refers to it",
            ("structure.remove",),
        ),
        Case(
            "other dependencies",
            "refused",
            "intg/test_edits.py::test_changing_what_a_step_waits_for_is_refused",
            "`--allow structure.depends`, between steps that run anyway",
            ("structure.depends",),
        ),
        Case(
            "another name of the DAG",
            "refused",
            "tests/rules/test_structure.py::test_another_name_of_the_dag_is_refused",
            "",
            ("structure.dag",),
        ),
        Case(
            "handlers",
            "free; each attempt runs those of its own outcome, once",
            "intg/test_policies.py::test_each_attempt_runs_the_handlers_of_its_own_ending_once",
        ),
        Case(
            "saved while the run is at work",
            "waits for its end",
            "intg/test_crashes.py::test_an_edit_saved_while_the_run_goes_on_waits_for_its_end",
        ),
        Case(
            "of a captured spec or of `status.json`, by hand",
            "decides nothing",
            "intg/test_bad_edits.py::test_a_status_that_was_edited_decides_nothing",
        ),
    ],
    "Runs": [
        Case(
            "it succeeded",
            "nothing to do, exit code 7",
            f"{RETRY}::test_where_all_is_done_there_is_nothing_to_do",
            "`--from`, `--only`, `--all`",
        ),
        Case(
            "it partially succeeded",
            "tolerated failures and what was left out run",
            "intg/test_selection.py::test_what_was_never_wanted_is_no_failure_and_runs_the_next_time",
        ),
        Case(
            "only a handler failed, or its engine died in one",
            "the handlers run again",
            f"{RETRY}::test_an_attempt_that_did_not_come_to_its_end_is_taken_there_although_all_is_kept",
        ),
        Case(
            "its time was over, or a step's tries",
            "`timeout_sec` and `retry_policy` begin anew",
            "intg/test_policies.py::test_tries_end_at_their_limit_and_begin_anew_with_each_attempt",
            "`--timeout`, `--set`",
        ),
        Case(
            "its engine died, and a step goes on",
            "the step is adopted",
            "intg/test_crashes.py::test_a_running_step_is_adopted_and_its_log_goes_on",
            "`--kill-orphans`",
            ("orphan.running",),
        ),
        Case(
            "its engine died, and a step ended since",
            "the step counts as it ended",
            "intg/test_crashes.py::test_a_step_that_ended_meanwhile_is_kept_with_its_exit_code",
        ),
        Case(
            "two retries at once",
            "one runs, the other exits 75, 8 or 7",
            "intg/test_crashes.py::test_of_two_simultaneous_retries_exactly_one_runs",
        ),
        Case(
            "it moved on since the plan was shown",
            "refused, exit code 8",
            "intg/test_plans.py::test_a_plan_is_void_once_another_attempt_was_made",
            "`--plan` names the one that is meant",
        ),
        Case(
            "it goes elsewhere",
            "where the spec says",
            "intg/test_profiles.py::test_files_that_cannot_be_reached_from_the_new_place_are_named_before_anything_starts",
            "`--profile`",
            ("executor.place", "executor.reach"),
        ),
        Case(
            "it has secrets",
            "they are read anew by each attempt",
            "intg/test_secrets.py::test_a_retry_reads_its_secrets_anew",
        ),
        Case(
            "`DAGFS_RETRY_RUN_ID` is set",
            "`dagfs run` goes on with that run",
            "intg/test_retry_variable.py::test_it_continues_that_run_and_nobody_below_sees_it",
        ),
    ],
    "Sub-DAGs and items": [
        Case(
            "a child failed",
            "goes on as the same run, with its own finished steps kept",
            "intg/test_sub_dags.py::test_only_the_failed_item_runs_again_and_the_join_with_it",
            "`--all`",
        ),
        Case(
            "items of `parallel` and `foreach`",
            "those that succeeded are kept, by their value",
            "intg/test_sub_dags.py::test_items_are_known_by_their_value_and_not_by_their_place",
            "`--all`",
        ),
        Case(
            "the file of a sub-DAG changed",
            "no effect: its spec was captured",
            "intg/test_sub_dags.py::test_a_sub_dag_of_the_same_file_is_mended_in_its_parents_spec",
            "`dagfs edit RUN/CHILD`, or an edit in its parent's file",
        ),
        Case(
            "what a child is given changed, or its step is done anew",
            "it starts over",
            "intg/test_cutoff.py::test_a_sub_dag_stays_or_starts_over",
        ),
        Case(
            "what a router chose",
            "stays chosen",
            "intg/test_peers.py::test_the_branch_that_was_chosen_stays_chosen",
            "`--from` the router",
        ),
    ],
}
