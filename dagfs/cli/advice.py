"""The commands that help next, by how a run stands."""

from __future__ import annotations

from dagfs.model.state import RunState


def what_next(run: str, state: RunState) -> dict[str, str]:
    """Commands to type for a run that did not succeed, each with what it is for."""
    if state is RunState.WAITING:
        return {
            f"dagfs approve {run}": "let it go on",
            f"dagfs reject {run} -m '…'": "end it here",
        }
    logs = {f"dagfs logs {run}": "what the failed step printed"} if state is not RunState.ABORTED else {}
    return {
        **logs,
        f"dagfs edit {run}": "mend the captured spec and see the plan",
        f"dagfs retry {run}": "continue this run, keeping finished work",
    }
