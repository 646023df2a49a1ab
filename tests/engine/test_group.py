"""A store for a group: what one member began, another continues."""

from __future__ import annotations

import codecs
import os
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock  # noqa: F401 - imported by name later, where another user may not read it
import pytest

from dagfs.engine.bootstrap import open_home
from dagfs.engine.operations import RunRequest, carry_out, start_run
from dagfs.engine.proposal import propose_retry
from dagfs.engine.stopping import stop_run
from dagfs.engine.view import view_run
from dagfs.errors import Refused
from dagfs.model.state import RunState
from dagfs.store.process import identity
from tests.patience import eventually

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can be two users")
GROUP, FIRST, SECOND = 64_242, 65_001, 65_002
DAG = """
name: shared
steps:
  - name: a
    run: echo one; echo made > "$DAGFS_ARTIFACTS_DIR/f"; echo a >> "$DAGFS_WORK_DIR/f"
    output: A
  - name: b
    depends: a
    run: test "$A" = two; cat "${a.artifacts}/f"; echo b >> "$DAGFS_WORK_DIR/f"
"""


@pytest.fixture
def root() -> Iterator[Path]:
    # Not tmp_path: nobody else may enter that.
    folder = Path(tempfile.mkdtemp(prefix="dagfs-group-"))
    folder.chmod(0o755)
    home = folder / "home"
    (home / "dags").mkdir(parents=True)
    (home / "dagfs.yaml").write_text("store: {group: true}\nshell: /bin/sh\n")
    (home / "dags/shared.yaml").write_text(DAG)
    os.chown(home, FIRST, GROUP)
    home.chmod(0o2775)
    try:
        yield home
    finally:
        shutil.rmtree(folder)


def as_user(uid: int, act: Callable[[], None]) -> int:
    """Do something as another user, in a process of its own; its pid."""
    # What Python loads at first use may lie where another user may not read.
    identity(os.getpid())
    codecs.lookup("ascii"), codecs.lookup("utf-8")
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setgroups([GROUP])
        os.setgid(uid)
        os.setuid(uid)
        os.umask(0o002)
        os.chdir("/")
        os.environ["HOME"] = "/"
        act()
        code = 0
    except BaseException:  # noqa: BLE001 - shown, and told by the exit code
        traceback.print_exc()
    finally:
        os._exit(code)


def done(pid: int) -> None:
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_member_edits_and_retries_what_another_began(root: Path) -> None:
    def begin() -> None:
        result = start_run(open_home(root, plugins=False), RunRequest("shared", id="r"))
        assert result.state is RunState.FAILED

    def mend() -> None:
        engine = open_home(root, plugins=False)
        engine.home.store.write_next("r", DAG.replace("= two", "= one").encode())
        result = carry_out(engine, propose_retry(engine, "r"))
        assert result.state is RunState.SUCCEEDED

    done(as_user(FIRST, begin))
    done(as_user(SECOND, mend))
    assert (root / "runs/r/work/f").read_text() == "a\nb\n"
    modes = {path.stat().st_mode & 0o7777 for path in (root / "runs/r").rglob("*") if path.is_dir()}
    assert modes == {0o2770}
    names = ("journal.jsonl", "status.json", "record.1", "stdout.log", "outputs.json")
    files = [path for path in (root / "runs/r").rglob("*") if path.name in names]
    assert {path.stat().st_mode & 0o7777 for path in files} == {0o660}
    assert {path.stat().st_mode & 0o7777 for path in (root / "runs/r").glob("spec.v*")} == {0o440}


def test_another_member_who_wants_to_stop_it_is_told_who_can(root: Path) -> None:
    (root / "dags/shared.yaml").write_text("name: shared\nsteps: [{name: a, run: exec sleep 600}]\n")

    def begin() -> None:
        start_run(open_home(root, plugins=False), RunRequest("shared", id="r"))

    def stop() -> None:
        with pytest.raises(Refused, match="belongs to another user"):
            stop_run(open_home(root, plugins=False), "r", timeout=30)

    engine = as_user(FIRST, begin)
    eventually((root / "runs/r/attempts/1/steps/a/record.1").exists)
    done(as_user(SECOND, stop))
    done(as_user(FIRST, lambda: _stopped(root)))
    done(engine)
    assert view_run(open_home(root, plugins=False).home.store, "r").state is RunState.ABORTED


def _stopped(root: Path) -> None:
    assert stop_run(open_home(root, plugins=False), "r", timeout=60) is RunState.ABORTED
