"""Shows a plan: the same text before a retry, in a dry run and in `dagfs plan`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from dagfs.cli.asking import spelt
from dagfs.cli.command import Command
from dagfs.cli.output import Output, next_commands, visible
from dagfs.engine.proposal import Proposal
from dagfs.errors import ExitCode
from dagfs.model.edit import Action
from dagfs.planning.explain import decision_row, finding_line, is_cosmetic, verdict_line
from dagfs.planning.plan import Plan, Verdict

_STYLES = {
    Action.KEEP: "dim",
    Action.KEEP_STALE: "yellow",
    Action.ADOPT: "cyan",
    Action.RUN: "bold",
    Action.LEAVE: "dim",
    Action.DEFER: "cyan",
}
_VERDICT_STYLES = {
    Verdict.COMPATIBLE: "green",
    Verdict.NEEDS_ANSWER: "yellow",
    Verdict.REFUSED: "red",
    Verdict.NOTHING_TO_DO: "dim",
}
EXIT_CODES = {
    Verdict.COMPATIBLE: ExitCode.DONE,
    Verdict.NEEDS_ANSWER: ExitCode.REFUSED,
    Verdict.REFUSED: ExitCode.REFUSED,
    Verdict.NOTHING_TO_DO: ExitCode.NOTHING_TO_DO,
}


def show_plan(output: Output, proposal: Proposal) -> None:
    """The verdict, a line a step, and what the rules say."""
    plan = proposal.plan
    output.line(output.styled(verdict_line(plan), _VERDICT_STYLES[plan.verdict] + " bold"))
    text = f"{plan.spec}, attempt {plan.attempt}, plan {plan.id}"
    if proposal.pending and is_cosmetic(plan.edit):
        text += "; the edit is cosmetic only"
    output.line(f"  {text}")
    output.line()
    output.table(list(_rows(output, plan)), indent="  ")
    _show_findings(output, plan)


def _rows(output: Output, plan: Plan, depth: int = 0) -> Iterator[list[str]]:
    """A line for each step, and below a step those of its children that go on with work kept."""
    for decision in plan.decisions:
        word, step, why = decision_row(decision)
        margin = "  " * depth
        why += "; its children start over" if decision.step in plan.afresh else ""
        why += f"; {site}" if (site := plan.site(decision)) else ""
        yield [output.styled(word, _STYLES[decision.action]), visible(margin + step), visible(why)]
        for child in plan.children:
            if child.step == decision.step:
                yield ["", visible(f"{margin}  {child.child}"), "goes on: " + verdict_line(child.plan)]
                yield from _rows(output, child.plan, depth + 2)


def _show_findings(output: Output, plan: Plan) -> None:
    if plan.findings:
        output.line()
    for finding in plan.findings:
        blocks = plan.blocks(finding)
        output.line(output.styled(visible(finding_line(finding, plan)), "red" if blocks else "yellow"))
        if finding.hint and blocks:
            output.line(f"  hint: {visible(finding.hint)}")


def conclude_plan(command: Command, proposal: Proposal) -> int:
    """What to type next, and the exit code of a plan that is only shown."""
    plan = proposal.plan
    if not command.options.json and plan.verdict is Verdict.COMPATIBLE:
        spec = getattr(command.options, "spec", None)
        text = f" --spec {shlex.quote(spec)}" if spec else ""
        exactly = "do exactly this" if spec != "-" else "do exactly this, with the same text"
        commands = {f"dagfs retry {plan.run} --plan {plan.id}{text}{spelt(plan)}": exactly}
        commands |= {f"dagfs diff {plan.run}": "see the edit"} if proposal.is_saved else {}
        next_commands(command.output, commands)
    return EXIT_CODES[plan.verdict]
