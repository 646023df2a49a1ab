"""What marking a step by hand must not leave open: outputs that steps behind it refer to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from dagfs.model.dag import Dag, Step
from dagfs.model.graph import children, closure
from dagfs.model.reference import references
from dagfs.model.run import Attempt
from dagfs.model.state import StepState
from dagfs.planning.usage import is_opaque, texts, used_names


def missing_outputs(dag: Dag, attempt: Attempt, name: str, outputs: Mapping[str, str]) -> dict[str, str]:
    """Outputs of a step that steps still to run refer to and `outputs` lacks, each to one such step.

    What a step writes to `$DAGFS_OUTPUT` is in no spec; it is seen only where it is referred to as
    `${step.outputs.NAME}`.
    """
    uses = used_names(dag)
    wanted: dict[str, str] = {}
    for step in _behind(dag, name):
        state = attempt.steps[step.name].state
        if not (state.is_success or state is StepState.SKIPPED):
            for output in _referred(dag, dag.by_name[name], step, uses[step.name]):
                wanted.setdefault(output, step.name)
    return {output: step for output, step in wanted.items() if output not in outputs}


def used_otherwise(
    dag: Dag, attempt: Attempt, name: str, outputs: Mapping[str, str], shell: tuple[str, ...] = ()
) -> tuple[str, str] | None:
    """An output that would no longer be what a finished step may have used, and that step; or None.

    `shell` is that of steps that name none.
    """
    before = attempt.steps[name].outputs
    changed = sorted(key for key, value in outputs.items() if before.get(key) != value)
    uses = used_names(dag) if changed else {}
    for step in _behind(dag, name) if changed else ():
        if attempt.steps[step.name].state.is_success:
            opaque = is_opaque(step, dag.shell or shell)
            referred = set(_referred(dag, dag.by_name[name], step, uses[step.name]))
            for output in changed:
                if opaque or output in uses[step.name] or output in referred:
                    return output, step.name
    return None


def _behind(dag: Dag, name: str) -> Iterator[Step]:
    behind = closure([name], children(dag.depends))
    return (step for step in dag.steps if step.name in behind and step.name != name)


def _referred(dag: Dag, maker: Step, step: Step, uses: Collection[str]) -> Iterator[str]:
    """The outputs of `maker` that a step's text refers to; parameters and variables can stand in for one."""
    given = {param.name for param in dag.params} | {variable.name for variable in dag.env}
    output = maker.output.name
    if output and output not in given and output != step.output.name and output in uses:
        yield output
    for text in texts(step):
        for reference in references(text):
            word, path = reference.name, reference.path
            if word == "steps":
                word, _, path = path.partition(".")
            kind, _, wanted = path.partition(".")
            if kind == "outputs" and wanted and dag.names.get(word) == maker.name:
                yield wanted.partition(".")[0].partition("[")[0]
