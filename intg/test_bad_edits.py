"""A spec.next.yaml that cannot be used: one clear answer, and nothing is lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from intg.home import Home

DAG = "steps: [{name: a, run: test -e mended}]\n"


@pytest.fixture
def failed(home: Home) -> Home:
    """A home with one failed run."""
    home.dag("job", DAG)
    home.dagfs("run", "job").exits(1)
    return home


def pending(home: Home) -> Path:
    return home.run / "spec.next.yaml"


def unusable(home: Home, *codes: int) -> None:
    """Plan and retry say what is wrong, and change nothing."""
    before = home.listing()
    for words in (["plan", "--json"], ["retry", "-d"]):
        told = home.dagfs(*words)
        assert told.code in codes, told
        assert "spec.next.yaml" in told.err, told
        assert told.out == "", told
    assert home.listing() == before


def test_an_empty_edit(failed: Home) -> None:
    pending(failed).write_text("")
    unusable(failed, 3)


def test_an_edit_that_is_not_yaml(failed: Home) -> None:
    pending(failed).write_text("steps: [{name: a\n")
    unusable(failed, 3)


def test_an_edit_with_an_unknown_key(failed: Home) -> None:
    pending(failed).write_text("steps:\n  - name: a\n    rum: echo\n")
    unusable(failed, 3)
    failed.dagfs("plan").says("spec.next.yaml:3:5", "did you mean 'run'?")


def test_an_edit_of_other_bytes(failed: Home) -> None:
    pending(failed).write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff")
    unusable(failed, 3)


def test_an_edit_that_is_a_fifo(failed: Home) -> None:
    os.mkfifo(pending(failed))
    unusable(failed, 5, 74)


def test_an_edit_that_is_a_link(failed: Home) -> None:
    failed.file("other.yaml").write_text(DAG)
    pending(failed).symlink_to(failed.file("other.yaml"))
    unusable(failed, 5, 74)


def test_an_edit_that_is_a_folder(failed: Home) -> None:
    pending(failed).mkdir()
    unusable(failed, 5, 74)


def test_an_edit_that_is_far_too_large(failed: Home) -> None:
    pending(failed).write_text(DAG + "#" * (5 << 20))
    unusable(failed, 3, 5, 74)


def test_what_was_saved_is_kept_and_opened_again(failed: Home) -> None:
    editor = failed.file("editor.sh")
    editor.write_text('#!/bin/sh\necho "broken: [" >> "$1"\n')
    editor.chmod(0o700)
    failed.dagfs("edit", env={"EDITOR": str(editor)}).exits(3).says("spec.next.yaml:")
    editor.write_text('#!/bin/sh\ngrep -v broken "$1" > "$1.new"; mv "$1.new" "$1"\n')
    failed.dagfs("edit", env={"VISUAL": str(editor)}).exits(0)
    assert pending(failed).read_text() == DAG


def test_an_editor_that_fails_or_is_not_there_loses_nothing(failed: Home) -> None:
    failed.dagfs("edit", env={"EDITOR": "false"}).exits(2).in_one_line().says("ended with 1")
    failed.dagfs("edit", env={"EDITOR": "/no/such/editor"}).exits(2).in_one_line().says("set EDITOR")
    failed.dagfs("edit", env={"EDITOR": "'"}).exits(2).in_one_line()
    assert not pending(failed).exists(), "an edit that changes nothing stands in the way"
    saves = "sh -c 'echo \\# mine >> $0; exit 1'"
    failed.dagfs("edit", env={"EDITOR": saves}).exits(2).says("ended with 1", "your edit, if saved, is in")
    assert pending(failed).read_text() == DAG + "# mine\n"
    failed.dagfs("edit", "--from", "v1", "--no-editor").exits(2).says("exists already")
    failed.dagfs("edit", env={"EDITOR": "true"}).exits(0).says("is as it was")
    pending(failed).unlink()
    failed.dagfs("edit", env={"EDITOR": "true"}).exits(0).says("nothing was changed")
    assert not pending(failed).exists()


def test_a_spec_that_was_captured_is_never_changed(failed: Home) -> None:
    captured = failed.run / "spec.v1.yaml"
    captured.chmod(0o600)
    captured.write_text(DAG + "# tampered\n")
    for words in (["plan"], ["retry"], ["fsck"]):
        failed.dagfs(*words).exits(74).says("spec.v1.yaml")


def test_a_status_that_was_edited_decides_nothing(failed: Home) -> None:
    status = failed.run / "attempts/1/status.json"
    status.write_text(status.read_text().replace("failed", "succeeded"))
    failed.dagfs("plan").exits(0).says("run a failed (exit 1)")
    status.write_text("garbage")
    failed.dagfs("status").exits(0).says("✗ failed")
    failed.dagfs("runs").exits(0)
    status.unlink()
    failed.dagfs("status").exits(0).says("✗ failed")
    failed.dagfs("runs").exits(0).says("failed")


def test_a_journal_that_was_edited_is_called_damaged(failed: Home) -> None:
    journal = failed.run / "attempts/1/journal.jsonl"
    journal.write_text(journal.read_text().replace('"exit_code":1', '"exit_code":0'))
    for words in (["plan"], ["retry"], ["status"], ["fsck"]):
        told = failed.dagfs(*words)
        assert told.code == 74, told
        assert "journal.jsonl" in told.out + told.err, told


def test_a_torn_last_line_of_a_journal_is_harmless(failed: Home) -> None:
    with (failed.run / "attempts/1/journal.jsonl").open("a") as journal:
        journal.write('{"n":99,"torn')
    failed.dagfs("status").exits(0).says("✗ failed")
    failed.dagfs("plan").exits(0)
    (failed.path / "dags/mended").touch()
    failed.dagfs("retry").exits(0)


def test_a_retry_needs_the_dag_file_no_more(failed: Home) -> None:
    (failed.path / "dags/job.yaml").unlink()
    (failed.path / "dags/mended").touch()
    failed.dagfs("retry").exits(0)
