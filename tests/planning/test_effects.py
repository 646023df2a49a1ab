"""Rules on steps that must not be doubled, and on files that finished steps were made with."""

from __future__ import annotations

from dagfs.model.edit import Action, Evidence, Severity
from dagfs.model.state import StepState
from dagfs.planning.answers import Answers
from dagfs.planning.plan import Verdict
from dagfs.planning.selection import Selection
from tests.planning.scenes import Scene, actions, keep, only, rerun, rules_of

SPEC = """
steps:
  - name: send
    command: ./send
    idempotent: false
  - name: report
    command: ./report
    depends: send
    inputs: {files: [report], strict: STRICT}
"""


def test_a_step_with_effects_runs_again_only_when_it_is_named() -> None:
    text = SPEC.replace("STRICT", "false")
    plan = Scene(text, {"send": StepState.FAILED, "report": StepState.UPSTREAM_FAILED}).plan()
    finding = only(plan)
    assert (finding.rule, finding.severity, finding.allowable) == ("effects.ack", Severity.REJECT, False)
    assert "--ack send" in finding.hint
    assert plan.verdict is Verdict.REFUSED
    scene = Scene(text, {"send": StepState.FAILED, "report": StepState.UPSTREAM_FAILED})
    assert scene.plan(None, Answers(acknowledged=("send",))).verdict is Verdict.COMPATIBLE
    assert scene.plan(None, Answers(acknowledged=("report",))).verdict is Verdict.REFUSED


def test_what_never_started_or_is_kept_needs_no_word() -> None:
    text = SPEC.replace("STRICT", "false")
    assert Scene(text, {"send": StepState.NOT_STARTED, "report": StepState.NOT_STARTED}).plan().findings == ()
    assert Scene(text, {"report": StepState.FAILED}).plan().findings == ()


def test_the_word_cannot_be_edited_away() -> None:
    text = SPEC.replace("STRICT", "false")
    plan = Scene(text, {"send": StepState.FAILED}).plan(text.replace("    idempotent: false\n", ""))
    assert "effects.ack" in rules_of(plan)
    again = Scene(text).plan(None, Answers(selection=Selection("send")))
    assert rules_of(again) == ["effects.ack"]


def test_a_changed_file_warns_or_asks() -> None:
    changed = {"report": Evidence(inputs_changed=("report",))}
    mild = Scene(SPEC.replace("STRICT", "false")).plan(evidence=changed)
    assert (only(mild).rule, only(mild).severity) == ("code.identity", Severity.WARN)
    assert mild.verdict is Verdict.NOTHING_TO_DO
    scene = Scene(SPEC.replace("STRICT", "true"))
    assert scene.plan(evidence=changed).verdict is Verdict.NEEDS_ANSWER
    assert actions(scene.plan(None, rerun(), evidence=changed))["report"] == Action.RUN
    assert actions(scene.plan(None, keep(), evidence=changed))["report"] == Action.KEEP_STALE
