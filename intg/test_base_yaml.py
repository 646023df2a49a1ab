"""base.yaml: a run keeps the one that it began with."""

from __future__ import annotations

import pytest

from intg.home import Home

PARENT = """
type: graph
steps:
  - {id: own, run: 'echo "own $TEAM" >> "$DAG_DESK/said"'}
  - {id: sub, depends: [own], action: dag.run, with: {dag: child}}
  - {id: fail, depends: [sub], run: 'echo "fail $TEAM" >> "$DAG_DESK/said"; false'}
---
name: child
steps:
  - {id: say, run: 'echo "child $TEAM" >> "$DAG_DESK/said"; test -e "$DAG_DESK/go"'}
"""


def base(home: Home, team: str) -> None:
    (home.path / "base.yaml").write_text(
        f"env: [TEAM: {team}]\nhandler_on:\n  exit: {{run: 'echo bye $TEAM >> \"$DAG_DESK/ends\"'}}\n"
    )


def test_a_retry_reads_the_edit_with_the_base_that_the_run_began_with(home: Home) -> None:
    base(home, "red")
    home.dag("parent", PARENT)
    home.dagfs("run", "parent").exits(1)
    base(home, "blue")
    home.file("go").touch()
    home.edit(("fail $TEAM", "mended $TEAM"), ("; false", ""))
    home.dagfs("diff").exits(1).never_says("base.yaml")
    home.dagfs("retry").exits(0)
    assert home.lines("said") == ["own red", "child red", "child red", "mended red"]
    assert home.lines("ends") == ["bye red", "bye red"], "not for the child"
    assert (home.run / "base.yaml").read_text().startswith("env: [TEAM: red]")
    home.dagfs("fsck").exits(0).never_says("base.yaml")
    home.dagfs("rerun", "@", "--id", "again").exits(0)
    assert home.lines("said")[4:] == ["own red", "child red", "mended red"]
    home.dagfs("run", "parent", "--id", "new").exits(1)
    assert home.lines("said")[-1] == "fail blue"


def test_a_child_that_is_edited_gets_no_handlers_of_base_yaml(home: Home) -> None:
    base(home, "red")
    home.dag("parent", PARENT)
    home.dagfs("run", "parent").exits(1)
    child = next((home.run / "children").iterdir())
    assert not (child / "base.yaml").exists()
    home.dagfs("edit", f"{home.run.name}/{child.name}", "--no-editor").exits(0)
    spec = child / "spec.next.yaml"
    spec.write_text(spec.read_text().replace('; test -e "$DAG_DESK/go"', ""))
    home.dagfs("retry").exits(1)
    assert home.lines("ends") == ["bye red", "bye red"]


def test_a_run_that_began_without_base_yaml_stays_without(home: Home) -> None:
    home.dag("job", "steps: [{name: a, run: 'echo \"[$TEAM]\"; false'}]\n")
    home.dagfs("run", "job").exits(1)
    base(home, "late")
    home.edit(("; false", ""))
    home.dagfs("retry").exits(0)
    assert home.log("a", 2) == "[]\n"
    assert not home.file("ends").exists()


def test_a_captured_base_yaml_that_was_changed_is_damage(home: Home) -> None:
    base(home, "red")
    home.dag("job", "steps: [{name: a, run: 'false'}]\n")
    home.dagfs("run", "job").exits(1)
    captured = home.run / "base.yaml"
    captured.chmod(0o600)
    captured.write_text("env: [TEAM: other]\n")
    home.edit(("'false'", "'true'"))
    home.dagfs("fsck").says("base.yaml", "damage:", "was changed after it was captured")
    home.dagfs("retry").says("was changed after it was captured")
    captured.unlink()
    home.dagfs("retry").says("is missing")


@pytest.mark.parametrize(
    "text", ["env: [TEAM: x]\nmax_active_steps: 2\n", "env: [TEAM: x]\nmaxActiveSteps: 2\n"]
)
def test_base_yaml_may_be_in_another_spelling_than_the_dag(home: Home, text: str) -> None:
    (home.path / "base.yaml").write_text(text)
    home.dag("one", "maxActiveRuns: 1\nsteps: [{name: a, command: 'echo $TEAM; false'}]\n")
    home.dagfs("run", "one").exits(1)
    home.edit(("; false", ""))
    home.dagfs("retry").exits(0)
    assert home.log("a", 2) == "x\n"
