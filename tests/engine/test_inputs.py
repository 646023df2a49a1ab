"""Files that a step names as its inputs: which of them are others now."""

from __future__ import annotations

import json
from pathlib import Path

from dagfs.engine.inputs import changed, identified


def test_files_that_changed_came_or_went_are_named(tmp_path: Path) -> None:
    (tmp_path / "lib/deep").mkdir(parents=True)
    for name in ("go.sh", "lib/a.py", "lib/deep/b.py", "other.txt"):
        (tmp_path / name).write_text(name)
    known = json.loads(json.dumps(identified(str(tmp_path), ["./go.sh", "lib/**/*.py", "missing.sh"])))
    assert set(known["files"]) == {"go.sh", "lib/a.py", "lib/deep/b.py"}
    assert changed(known) == ()
    (tmp_path / "other.txt").write_text("changed")
    (tmp_path / "go.sh").write_text("go.sh")
    assert changed(known) == ()
    (tmp_path / "go.sh").write_text("changed")
    (tmp_path / "lib/a.py").unlink()
    (tmp_path / "lib/c.py").write_text("new")
    (tmp_path / "missing.sh").write_text("new")
    assert changed(known) == ("go.sh", "lib/a.py", "lib/c.py", "missing.sh")


def test_what_is_no_file_or_cannot_be_read_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    assert identified(str(tmp_path), ["folder", "loop", "[", "nowhere/**"])["files"] == {}
    known = identified(str(tmp_path / "gone"), ["*"])
    assert changed(known) == ()
