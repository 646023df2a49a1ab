"""Short shell texts around a step: its preconditions, what ends its repetition, commands within its values.

Each runs as a process of the attempt, in a folder of its own below the step's.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence

from dagfs.engine.environment import StepEnvironment, StepUnready
from dagfs.engine.launch import Launch
from dagfs.engine.ledger import Ledger
from dagfs.engine.request import launch, prepare, render
from dagfs.engine.wish import Start, Wish
from dagfs.engine.workplace import Workplace, try_token
from dagfs.model.dag import Condition, RepeatPolicy, Step
from dagfs.model.value import replace
from dagfs.planning.outcome import Ending, condition_met
from dagfs.spec.evaluation import commands_in, embedding_texts, here_document
from dagfs.spec.values import expand
from dagfs.store.layout import StepPaths
from dagfs.store.logs import follow

CONDITIONS = "conditions"
"""Where below a step's folder its conditions are looked at, each in a folder of its own."""
DAG_PRECONDITION = "precondition"
"""The conditions of the whole DAG are looked at as if for a handler of this name."""
LARGEST_TEXT = 1 << 20
"""How much of what is printed anything is looked for in, in bytes."""


class Conditions:
    """The shell texts of one step, or of one handler."""

    def __init__(self, workplace: Workplace, ledger: Ledger) -> None:
        self._workplace, self._ledger = workplace, ledger
        self._setting, self._step = workplace.setting, workplace.step
        self._embedded: Mapping[str, str] = {}
        """What the commands in the step's values printed, by their text."""
        self._left: tuple[int | None, Mapping[str, str]] | None = None
        """How a try ended and what it put out, while somebody asks whether it is to be repeated."""

    def variables(self, try_: int) -> StepEnvironment:
        """The variables of one try, with what the commands in its values printed."""
        outputs = self._ledger.outputs_before("" if self._workplace.handler else self._step.name)
        runs = self._ledger.step_runs()
        if self._left is not None:
            exit_code, own = self._left
            outputs = {**outputs, **own}
            if not self._workplace.handler:
                state = replace(runs[self._step.name], exit_code=exit_code, outputs=own)
                runs = {**runs, self._step.name: state}
        return self._workplace.environment(try_, outputs, runs, self._embedded)

    def first_unmet(self, conditions: Sequence[Condition]) -> Generator[Wish, Ending, str]:
        """The text of the first condition that does not hold, or `""`."""
        for number, condition in enumerate(conditions, 1):
            met = yield from self._holds(condition, f"precondition.{number}", 0)
            if not met:
                return condition.eval or condition.condition
        return ""

    def is_met(
        self, policy: RepeatPolicy, try_: int, ending: Ending, outputs: Mapping[str, str]
    ) -> Generator[Wish, Ending, bool]:
        """Whether the condition of a repetition holds after this try, which it may speak of."""
        asked = Condition(policy.condition, policy.expected, eval=policy.condition)
        self._left = ending.exit_code, outputs
        met = yield from self._holds(asked, "repeat", try_)
        self._left = None
        return met

    def embed(self, try_: int) -> Generator[Wish, Ending, None]:
        """Run the commands within the step's own values, so that each try sees what they print (Dagu 1)."""
        self._embedded = {}
        if self._setting.dag.dialect != "dagu1":
            return
        for number, text in enumerate(commands_in(embedding_texts(self._step)), 1):
            ending, said = yield from self._run_text(text, f"value.{number}", try_)
            if ending.exit_code != 0:
                raise StepUnready(f"the command {text!r} in its values failed with {ending.exit_code}")
            self._embedded = {**self._embedded, text: said}

    def _holds(self, condition: Condition, label: str, try_: int) -> Generator[Wish, Ending, bool]:
        text = condition.eval or condition.condition
        runs = bool(condition.eval) or self._setting.dag.dialect == "dagu1"
        if condition.expected is not None and not (runs and ("`" in text or "$(" in text)):
            keep = self._setting.dag.dialect != "dagu1"
            value = expand(text, self.variables(try_).scope, keep_unknown=keep)
            return condition_met(condition, None, value)
        if condition.expected is not None:
            # It expands commands without reading quotes, and values stay variables.
            text = here_document(text)
        ending, value = yield from self._run_text(text, label, try_)
        return condition_met(condition, ending.exit_code, value)

    def _run_text(self, text: str, label: str, try_: int) -> Generator[Wish, Ending, tuple[Ending, str]]:
        """Run a shell text in a folder of its own, and give its end and what it printed."""
        variables = self.variables(try_)
        name = f"{label}.{try_}.{os.urandom(2).hex()}"
        folder = StepPaths(self._workplace.paths.root / CONDITIONS / name)
        self._workplace.make_folder(folder.root)
        ending = yield Start(self._launch(text, folder, variables))
        value = follow(folder.stdout, 0, limit=LARGEST_TEXT).decode("utf-8", "replace")
        return ending, value.strip()

    def _launch(self, text: str, folder: StepPaths, variables: StepEnvironment) -> Launch:
        setting = self._setting
        step = Step(name=self._step.name, command=(text,), shell=self._step.shell)
        place = replace(self._workplace.place(1), paths=folder)
        process = prepare(setting.executors["shell"], render(step, place, variables))
        token = try_token(setting.run.id, folder, 1)
        return launch(setting.disk, step, process, place, variables, grace=setting.grace_sec, token=token)
