"""The loop, where a shim goes away under it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from dagfs.engine.launch import Launch
from dagfs.engine.pool import Child
from dagfs.model.state import RunState
from tests.engine.desk import Desk

STEPS = """\
type: chain
steps:
  - name: one
    command: echo one >> $DESK/done
  - name: two
    command: echo two >> $DESK/done
"""


@pytest.mark.parametrize("deaths", [1, 2])
def test_a_step_whose_shim_is_killed_before_it_begins_is_begun_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deaths: int
) -> None:
    begin, left = Child.begin, [deaths]

    def killed(child: Child, launch: Launch) -> bool:
        if launch.record.endswith("two/record.1") and left[0]:
            left[0] -= 1
            os.kill(child.pid, signal.SIGSTOP)
            taken = begin(child, launch)
            os.kill(child.pid, signal.SIGKILL)
            return taken
        return begin(child, launch)

    monkeypatch.setattr(Child, "begin", killed)
    desk = Desk(tmp_path, STEPS)
    state = desk.run().state
    done = (desk.desk / "done").read_text().split()
    if deaths == 1:
        assert (state, done) == (RunState.SUCCEEDED, ["one", "two"])
    else:
        assert (state, done) == (RunState.FAILED, ["one"])
