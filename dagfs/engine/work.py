"""One attempt that is committed and owned, ready to be carried out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from dagfs.engine.bootstrap import Engine
from dagfs.engine.chronicle import Chronicle, Observer
from dagfs.engine.environment import inherited
from dagfs.engine.herald import Herald
from dagfs.engine.location import current_actor
from dagfs.engine.valuation import Values
from dagfs.engine.workplace import Setting
from dagfs.model import event as ev
from dagfs.model.dag import Dag
from dagfs.model.event import Event
from dagfs.model.fold import Fold
from dagfs.model.run import Attempt, AttemptHeader, RunHeader
from dagfs.model.value import field, frozen
from dagfs.planning.answers import Answers
from dagfs.store.journal import read as read_journal
from dagfs.store.record import Record
from dagfs.store.runs import Claim


@frozen
class Work:
    """All that carrying out an attempt takes."""

    engine: Engine
    claim: Claim
    run: RunHeader
    attempt: AttemptHeader
    dag: Dag
    values: Values
    base: Attempt | None = None
    adopted: Mapping[str, Record] = field(default_factory=dict)
    is_resumed: bool = False
    """It was under way before, and waited for somebody's word."""
    notices: Sequence[str] = ()
    """What the operator should know before anything runs."""
    texts: Mapping[str, bytes] = field(default_factory=dict)
    """The edits of children that its plan was made with, by the child's id."""
    answers: Answers = field(default_factory=Answers)
    """What the operator said to its plan's questions, those about children included."""

    def setting(self) -> Setting:
        """What the executions of the attempt share."""
        settings = self.engine.home.settings
        return Setting(
            run=self.run,
            attempt=self.attempt,
            dag=self.dag,
            home=self.engine.home.paths,
            paths=self.claim.paths,
            values=self.values,
            machine=inherited(os.environ),
            executors=self.engine.plugins.executors,
            disk=self.engine.home.disk,
            grace_sec=settings.grace_sec,
            strict=settings.durability == "strict",
        )

    def chronicle(self) -> tuple[Chronicle, Sequence[Event]]:
        """Its chronicle, with what the journal says already, and that."""
        fold = Fold(self.attempt, self.dag.by_name, self.base)
        journal = self.claim.paths.attempt(self.attempt.n).journal
        first = read_journal(journal, token=self.attempt.token).events
        for event in first:
            fold.apply(event)
        return Chronicle(self.claim, self.run, fold, self.attempt.n, self.values.redactor), first


def tell_first(
    work: Work, chronicle: Chronicle, first: Sequence[Event], observers: Sequence[Observer] = ()
) -> None:
    """Tell everybody how the attempt began, or that it goes on."""
    first = () if work.is_resumed else first
    chronicle.tell(observers, first)
    if work.engine.plugins.has_observers:
        chronicle.tell([PluginObserver(work.engine, work.run, chronicle)], first)
    limit_sec = work.engine.home.settings.plugin_limit_sec
    chronicle.tell([Herald(work.setting(), work.engine.plugins, chronicle, limit_sec)], ())
    if work.is_resumed:
        chronicle.note(ev.ATTEMPT_RESUMED, actor=current_actor().as_data())
    for message in work.notices:
        chronicle.note(ev.NOTICE, message=message)


class PluginObserver:
    """Passes events on to plugins. What one of them raises becomes a notice in the journal, once."""

    def __init__(self, engine: Engine, run: RunHeader, chronicle: Chronicle) -> None:
        self._plugins, self._run, self._chronicle = engine.plugins, run, chronicle
        self._complained: set[str] = set()

    def __call__(self, event: Event) -> None:
        complaints = self._plugins.observe(self._run, event)
        if event.name in (ev.ATTEMPT_FINISHED, ev.ATTEMPT_WAITING):
            complaints += self._plugins.finish_observing()
        for complaint in complaints:
            if complaint not in self._complained:
                self._complained.add(complaint)
                self._chronicle.note(ev.NOTICE, message=complaint)
