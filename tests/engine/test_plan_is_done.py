"""What a plan shows is what its retry does: random DAGs, outcomes and edits, really run."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagfs.engine.bootstrap import Engine, open_home
from dagfs.engine.operations import RunRequest, carry_out, start_run
from dagfs.engine.proposal import propose_retry
from dagfs.model.edit import Action
from dagfs.model.event import STEP_KEPT, STEP_STARTED, Event
from dagfs.planning.answers import Answers
from dagfs.planning.plan import Verdict
from dagfs.planning.selection import Selection

RUN = "run1"


@st.composite
def dags(draw: st.DrawFn) -> dict[str, tuple[list[str], bool]]:
    """Each step to its parents, and whether it fails at first."""
    names = [f"s{n}" for n in range(draw(st.integers(2, 6)))]
    return {
        name: (draw(st.lists(st.sampled_from(names[:n]), unique=True)) if n else [], draw(st.booleans()))
        for n, name in enumerate(names)
    }


def text(dag: dict[str, tuple[list[str], bool]], commands: dict[str, str], note: str = "") -> str:
    lines = [f"name: random  # {note}", "type: graph", "steps:"]
    for name, (parents, _) in dag.items():
        lines += [f"  - name: {name}", f"    run: {commands[name]}", f"    depends: [{', '.join(parents)}]"]
    return "\n".join(lines) + "\n"


class Heard:
    """The names of steps, by what an observer was told of them."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.kept: set[str] = set()

    def __call__(self, event: Event) -> None:
        if event.name == STEP_STARTED:
            self.started.append(event.step or "")
        elif event.name == STEP_KEPT:
            self.kept.add(event.step or "")


def retried(engine: Engine, answers: Answers) -> tuple[dict[str, Action], Heard] | None:
    proposal = propose_retry(engine, RUN, answers)
    if proposal.plan.verdict is not Verdict.COMPATIBLE:
        return None
    heard = Heard()
    carry_out(engine, proposal, observers=[heard])
    return dict(proposal.plan.actions), heard


@st.composite
def selections(draw: st.DrawFn) -> Selection:
    names = st.sampled_from([f"s{n}{more}" for n in range(2) for more in ("", "+", "++")])
    steps = draw(st.just("") | names | st.just("state:failed"))
    only = bool(steps) and draw(st.booleans())
    return Selection(steps, draw(st.just("") | st.sampled_from(("s0", "s1"))), only)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(dag=dags(), selection=selections(), mend=st.booleans())
def test_a_retry_of_selected_steps_touches_no_other(
    dag: dict[str, tuple[list[str], bool]], selection: Selection, mend: bool
) -> None:
    root = Path(tempfile.mkdtemp(prefix="dagfs-test-"))
    try:
        (root / "dags").mkdir()
        flag = root / "mended"
        commands = {name: f"test -e {flag}" if fails else "'true'" for name, (_, fails) in dag.items()}
        (root / "dags/random.yaml").write_text(text(dag, commands))
        engine = open_home(root, plugins=False)
        start_run(engine, RunRequest("random", id=RUN))
        if mend:
            flag.touch()
        run = root / "runs" / RUN
        before = engine.home.store.load(RUN).last.steps
        files = {path: path.read_bytes() for path in (run / "attempts/1").rglob("*") if path.is_file()}
        done = retried(engine, Answers(selection=selection))
        assert {path: path.read_bytes() for path in files} == files
        if done is None:
            assert not (run / "attempts/2").exists()
            return
        actions, heard = done
        after = engine.home.store.load(RUN).last.steps
        to_run = {name for name, action in actions.items() if action is Action.RUN}
        assert len(heard.started) == len(set(heard.started)), "a step ran twice"
        assert set(heard.started) <= to_run
        for name in to_run - set(heard.started):
            assert after[name].state == "upstream_failed", f"{name} was to run and did not"
        places = {name: n for n, name in enumerate(heard.started)}
        for name in heard.started:
            assert all(places.get(parent, -1) < places[name] for parent in dag[name][0])
        for name in set(actions) - to_run:
            assert after[name].outputs == before[name].outputs
            assert after[name].attempt == before[name].attempt
            left = actions[name] is Action.LEAVE
            assert after[name].left is left
            assert left is not (before[name].state in ("succeeded", "skipped"))
        unfinished = {name for name, step in after.items() if step.state not in ("succeeded", "skipped")}
        again = propose_retry(engine, RUN).plan.actions
        assert unfinished <= {name for name, action in again.items() if action is Action.RUN}
    finally:
        shutil.rmtree(root)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(dag=dags(), edited=st.sets(st.integers(0, 5)), mend=st.booleans(), rerun=st.booleans())
def test_a_retry_does_what_its_plan_said(
    dag: dict[str, tuple[list[str], bool]], edited: set[int], mend: bool, rerun: bool
) -> None:
    root = Path(tempfile.mkdtemp(prefix="dagfs-test-"))
    try:
        (root / "dags").mkdir()
        commands = {name: "'false'" if fails else "'true'" for name, (_, fails) in dag.items()}
        (root / "dags/random.yaml").write_text(text(dag, commands))
        engine = open_home(root, plugins=False)
        start_run(engine, RunRequest("random", id=RUN))
        first = (root / "runs" / RUN / "attempts/1/journal.jsonl").read_bytes()
        changed = {name: "echo edited" for n, name in enumerate(dag) if n in edited}
        mended = {name: "'true'" for name, (_, fails) in dag.items() if fails and mend}
        edit = root / "runs" / RUN / "spec.next.yaml"
        edit.write_text(text(dag, commands | mended | changed, "edited"))
        done = retried(engine, Answers((("*", "rerun"),) if rerun else ()))
        if done is None:
            assert not (root / "runs" / RUN / "attempts/2").exists()
            assert edit.exists()
            return
        actions, heard = done
        kept = {name for name, action in actions.items() if action.is_keep}
        assert heard.kept == kept
        assert len(heard.started) == len(set(heard.started)), "a step ran twice"
        assert not kept & set(heard.started), "kept work was done again"
        after = engine.home.store.load(RUN).last.steps
        for name in set(dag) - kept - set(heard.started):
            assert after[name].state == "upstream_failed", f"{name} was to run and did not"
        places = {name: n for n, name in enumerate(heard.started)}
        for name, (parents, _) in dag.items():
            if name in places:
                assert all(places.get(parent, -1) < places[name] for parent in parents)
        assert (root / "runs" / RUN / "attempts/1/journal.jsonl").read_bytes() == first
    finally:
        shutil.rmtree(root)
