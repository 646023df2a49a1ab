"""What is on record about a run: how it stands, what its steps put out and printed, its events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

from dagfs.api.access import Access
from dagfs.api.saying import Question
from dagfs.engine.answering import waiting_steps
from dagfs.errors import NotFound
from dagfs.model.event import Event
from dagfs.model.run import Attempt, StepRun
from dagfs.model.state import RunState
from dagfs.store.journal import read as read_journal
from dagfs.store.logs import follow


class RunRecord:
    """What is on record about a run, as it stood when it was last read."""

    def __init__(self, access: Access, run_id: str) -> None:
        self.id = run_id
        self._access = access
        self._seen = access.view(run_id)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r}, {self.state})"

    def refresh(self) -> Self:
        """Read it again; the same object."""
        self._seen = self._access.view(self.id)
        return self

    @property
    def path(self) -> Path:
        """Its folder."""
        return self._access.reading.store.paths(self.id).root

    @property
    def dag(self) -> str:
        return self._seen.run.header.dag

    @property
    def root(self) -> str:
        """The first run of its family; its own id where it was made from no other."""
        return self._seen.run.header.root or self.id

    @property
    def parent(self) -> str:
        """The run that it was made from, or `""`."""
        return self._seen.run.header.parent

    @property
    def state(self) -> RunState:
        return self._seen.state

    @property
    def reason(self) -> str:
        """Why it stands so, for people."""
        return self._seen.run.last.reason

    @property
    def params(self) -> Mapping[str, str]:
        return self._seen.run.last.header.params

    @property
    def steps(self) -> Mapping[str, StepRun]:
        """How each step stands, by name, in the order of the spec."""
        return self._seen.run.last.steps

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """All attempts, oldest first."""
        return self._seen.run.attempts

    @property
    def outputs(self) -> Mapping[str, Mapping[str, str]]:
        """The outputs of each step that has some: `run.outputs["extract"]["ROWS"]`."""
        return {name: step.outputs for name, step in self.steps.items() if step.outputs}

    @property
    def spec(self) -> str:
        """The captured spec of the newest attempt."""
        return self._access.reading.store.spec(self.id, self.attempts[-1].n).decode("utf-8", "replace")

    @property
    def next_spec(self) -> str | None:
        """The pending edit; None where there is none."""
        data = self._access.reading.store.read_next(self.id)
        return None if data is None else data.decode("utf-8", "replace")

    def log(self, step: str, *, stderr: bool = False, attempt: int | None = None) -> str:
        """All that a step printed, in the newest attempt that ran it or in a given one. NotFound."""
        chosen = [each for each in self.attempts if attempt in (None, each.n)][-1:]
        if not chosen or step not in chosen[0].steps:
            where = f" in attempt {attempt}" if attempt else ""
            raise NotFound(f"run {self.id} has no step {step!r}{where}")
        number = chosen[0].steps[step].log_attempt or chosen[0].n
        paths = self._access.reading.store.paths(self.id).attempt(number).step(step)
        data, file = b"", paths.stderr if stderr else paths.stdout
        while piece := follow(file, len(data)):
            data += piece
        return data.decode("utf-8", "replace")

    def events(self) -> Iterator[Event]:
        """All events of all attempts as they stand now; each attempt begins with `attempt_started`."""
        paths = self._access.reading.store.paths(self.id)
        for each in self.attempts:
            yield from read_journal(paths.attempt(each.n).journal, token=each.header.token).events

    def questions(self) -> list[Question]:
        """What its steps that wait ask, those of its children included; empty where nothing waits."""
        found = waiting_steps(self._access.engine.home.store, self.id)
        return [Question.of(run_id, step) for run_id, step in found if step.word is None]
