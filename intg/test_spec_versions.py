"""The versions of a run's spec, and its attempts, side by side."""

from __future__ import annotations

import pytest

from intg.home import Home

DAG = """
name: job
steps:
  - name: a
    run: echo ROWS=$DAGFS_ATTEMPT >> "$DAGFS_OUTPUT"
  - name: b
    depends: a
    run: test "$GO" = yes
"""


@pytest.fixture
def mended(home: Home) -> Home:
    """A run with two attempts and two versions."""
    home.dag("job", DAG)
    home.dagfs("run", "job").exits(1)
    home.edit(('test "$GO" = yes', "true"))
    home.dagfs("retry", "--from", "a", "--reason", "the test was wrong").exits(0)
    return home


def test_the_log_says_who_made_which_version_and_why(mended: Home) -> None:
    mended.dagfs("spec", "log", "@").exits(0).says(
        "spec.v2.yaml", "the test was wrong", "step b: command", "spec.v1.yaml"
    )
    found = mended.dagfs("spec", "log", "@", "--json").exits(0).json
    assert [each["spec"] for each in found] == ["spec.v1.yaml", "spec.v2.yaml"]
    assert found[1]["attempts"] == [2]
    assert found[1]["actor"]["user"]


def test_a_version_can_be_shown_exported_and_brought_back(mended: Home) -> None:
    first = (mended.run / "spec.v1.yaml").read_text()
    assert mended.dagfs("spec", "show", "@", "v1").exits(0).out == first
    assert mended.dagfs("spec", "show", "@").exits(0).out == (mended.run / "spec.v2.yaml").read_text()
    file = mended.file("out.yaml")
    mended.dagfs("spec", "export", "@", "v1", "-o", str(file)).exits(0)
    assert file.read_text() == first
    mended.dagfs("spec", "export", "@", "v1", "-o", str(file)).exits(5).in_one_line()
    mended.dagfs("spec", "revert", "@", "v1").exits(0).says("dagfs plan")
    assert (mended.run / "spec.next.yaml").read_text() == first
    mended.dagfs("spec", "revert", "@", "v1").exits(5).in_one_line().says("is there already")
    mended.dagfs("retry", "--on-stale", "rerun").exits(1)
    assert (mended.run / "spec.v3.yaml").read_text() == first
    mended.dagfs("spec", "log", "@").says("spec.v3.yaml")
    mended.dagfs("fsck").exits(0)


def test_a_text_from_elsewhere_is_checked_before_it_becomes_the_edit(mended: Home) -> None:
    mended.file("bad.yaml").write_text("steps: [")
    mended.dagfs("spec", "import", "@", str(mended.file("bad.yaml"))).exits(3)
    mended.dagfs("spec", "import", "@", "nowhere.yaml").exits(4).in_one_line()
    mended.dagfs("spec", "import", "@").exits(2).in_one_line()
    mended.dagfs("spec", "show", "@", "v9").exits(4).in_one_line().says("it has spec.v1.yaml, spec.v2.yaml")
    mended.dagfs("spec", "show", "@", "next").exits(4).in_one_line()
    assert not (mended.run / "spec.next.yaml").exists()
    text = (mended.run / "spec.v2.yaml").read_text() + "# a remark\n"
    mended.dagfs("spec", "import", "@", "-", stdin=text).exits(0)
    assert mended.dagfs("spec", "show", "@", "next").out == text
    mended.dagfs("spec", "import", "@", "-", "--force", stdin=text + "#\n").exits(0)


def test_two_attempts_are_compared(mended: Home) -> None:
    said = mended.dagfs("diff", "@", "--attempts", "1", "2").exits(1)
    said.says(
        "attempt 1 attempt 2", "state failed succeeded", "b exit 1 0", "a output ROWS 1 2", "step b: command"
    )
    found = mended.dagfs("diff", "@", "--attempts", "1", "2", "--json").exits(1).json
    assert {"step": "b", "what": "state", "one": "failed", "other": "succeeded"} in found["differences"]
    mended.dagfs("diff", "@", "--attempts", "2", "2").exits(0).says("went alike")
    mended.dagfs("diff", "@", "--attempts", "1", "3").exits(4).in_one_line().says("it has 1 to 2")
