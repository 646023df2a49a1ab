"""A rule: in a run of a DAG that is tagged `prod`, `env` is edited only by somebody who says why.

The edit is refused until it is allowed, and dagfs takes no `--allow` without a reason:

    dagfs retry @ --allow prod.env --reason "the warehouse moved to db2, see ticket 4711"

Both are kept in the attempt, and `dagfs show` prints them.
"""

from __future__ import annotations

from collections.abc import Sequence

from dagfs.hooks import hookimpl
from dagfs.model.edit import Change, Edit, Finding, Severity
from dagfs.model.rule import Rule

__version__ = "1"
RULE = "prod.env"
TAG = "prod"


@hookimpl
def rules() -> Sequence[Rule]:
    return [
        Rule(
            RULE,
            f"The `env` of a DAG tagged `{TAG}`, and of its steps, is edited only with a reason.",
            accepted="any edit of `env` where the DAG has no such tag",
            refused=f"another `TARGET` in `env` of a DAG with `tags: {TAG}`",
            loosened_by=f"--allow {RULE} --reason '…'",
        )
    ]


@hookimpl
def check_edit(edit: Edit) -> Sequence[Finding]:
    # The tag counts as it was: taking it off in the same edit is no way round.
    if TAG not in edit.old.tags:
        return []
    return [_finding(change) for change in edit.changes if change.field.partition(".")[0] == "env"]


def _finding(change: Change) -> Finding:
    owner = f"step {change.step!r}" if change.step else "the DAG"
    return Finding(
        RULE,
        Severity.REJECT,
        f"{change.field} of {owner} changed, and the DAG is tagged {TAG}",
        change.step,
        change.field,
        change.line,
        change.column,
        hint=f"say why: --allow {RULE} --reason '…'",
        allowable=True,
    )
