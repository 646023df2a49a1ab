"""What a marking must not leave open."""

from __future__ import annotations

import pytest

from dagfs.model.run import Actor, Marking, StepRun
from dagfs.model.state import StepState
from dagfs.planning.marks import missing_outputs, used_otherwise
from dagfs.planning.plan import Verdict
from tests.planning.scenes import Scene, actions, reason, step_run

TEXT = """
type: graph
params: [{GIVEN: x}]
steps:
  - {name: a, id: first, run: echo 3, output: ROWS}
  - {name: b, depends: a, run: 'echo "$ROWS $GIVEN"'}
  - {name: c, depends: b, run: 'echo "${first.outputs.SIZE} ${steps.a.outputs.KIND}"'}
  - {name: d, run: 'echo "$ROWS"'}
"""
F, NOT = StepState.FAILED, StepState.UPSTREAM_FAILED


def failed_at_a() -> Scene:
    return Scene(TEXT, {"a": F, "b": NOT, "c": NOT})


def test_every_output_that_steps_behind_refer_to_is_missing() -> None:
    scene = failed_at_a()
    found = missing_outputs(scene.old, scene.attempt, "a", {})
    assert found == {"ROWS": "b", "SIZE": "c", "KIND": "c"}
    assert missing_outputs(scene.old, scene.attempt, "a", {"ROWS": "", "SIZE": "1"}) == {"KIND": "c"}
    assert missing_outputs(scene.old, scene.attempt, "b", {}) == {}


def test_what_only_finished_steps_need_is_not_missing() -> None:
    scene = Scene(TEXT, {"a": F, "b": StepState.SKIPPED})
    assert missing_outputs(scene.old, scene.attempt, "a", {}) == {}


def test_a_parameter_stands_in_for_an_output_of_its_name() -> None:
    scene = Scene(TEXT.replace("output: ROWS", "output: GIVEN"), {"a": F, "b": NOT})
    assert missing_outputs(scene.old, scene.attempt, "a", {}) == {}


@pytest.mark.parametrize(
    ("outputs", "found"),
    [
        ({}, None),
        ({"ROWS": "some value"}, None),
        ({"ROWS": "other"}, ("ROWS", "b")),
        ({"SIZE": "1"}, ("SIZE", "c")),
        ({"OTHER": "1"}, None),
    ],
)
def test_a_finished_step_must_not_have_used_another_value(
    outputs: dict[str, str], found: tuple[str, str] | None
) -> None:
    scene = Scene(TEXT)
    assert used_otherwise(scene.old, scene.attempt, "a", outputs) == found


def test_a_finished_step_that_starts_programs_may_have_used_anything() -> None:
    scene = Scene(TEXT.replace('echo "$ROWS $GIVEN"', "make"))
    assert used_otherwise(scene.old, scene.attempt, "a", {"OTHER": "1"}) == ("OTHER", "b")


# -- plans ---------------------------------------------------------------------------------------


def marked(scene: Scene, name: str, state: StepState, *, attempt: int = 1) -> StepRun:
    actor = Actor("ada", host="desk")
    marking = Marking(name, state, F, attempt, actor, "2026-11-21T10:00:00Z", "by hand")
    return step_run(scene.old, name, state, marking=marking)


@pytest.mark.parametrize("state", [StepState.SUCCEEDED, StepState.SKIPPED])
def test_what_is_marked_done_is_kept_with_the_word_of_who_did(state: StepState) -> None:
    scene = Scene(TEXT, {"a": marked(failed_at_a(), "a", state), "b": NOT, "c": NOT})
    plan = scene.plan()
    assert actions(plan) == {"a": "keep", "b": "run", "c": "run", "d": "keep"}
    assert reason(plan, "a") == f"marked {state} by ada@desk: by hand"


def test_what_is_marked_failed_runs_with_all_behind_it() -> None:
    scene = Scene(TEXT, {"b": marked(failed_at_a(), "b", F)})
    plan = scene.plan()
    assert actions(plan) == {"a": "keep", "b": "run", "c": "run", "d": "keep"}
    assert reason(plan, "b") == "marked failed by ada@desk: by hand"


def test_a_new_precondition_does_not_undo_what_somebody_marked_skipped() -> None:
    scene = Scene(TEXT, {"d": marked(failed_at_a(), "d", StepState.SKIPPED)})
    new = TEXT.replace("{name: d,", "{name: d, preconditions: ['true'],")
    assert scene.plan(new).verdict is Verdict.NOTHING_TO_DO


def test_what_was_skipped_behind_a_step_marked_succeeded_since_is_judged_again() -> None:
    done = marked(failed_at_a(), "a", StepState.SUCCEEDED)
    scene = Scene(TEXT, {"a": done, "b": StepState.SKIPPED, "c": StepState.SKIPPED})
    plan = scene.plan()
    assert actions(plan) == {"a": "keep", "b": "run", "c": "run", "d": "keep"}
    assert reason(plan, "b") == "upstream a was marked succeeded"
    old = marked(failed_at_a(), "a", StepState.SUCCEEDED, attempt=7)
    before = Scene(TEXT, {"a": old, "b": StepState.SKIPPED, "c": StepState.SKIPPED})
    assert before.plan().verdict is Verdict.NOTHING_TO_DO


def test_a_marking_moves_the_plan_on() -> None:
    scene = Scene(TEXT, {"a": step_run(failed_at_a().old, "a", StepState.SKIPPED), "b": F})
    other = Scene(TEXT, {"a": marked(failed_at_a(), "a", StepState.SKIPPED), "b": F})
    assert scene.plan().id != other.plan().id
