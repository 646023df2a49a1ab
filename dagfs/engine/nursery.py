"""Opens the children of a run: makes a new one, goes on with one that is there, or leaves it as it is."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

from dagfs import __version__
from dagfs.engine.bootstrap import Engine
from dagfs.engine.call import WENT_WELL, ChildEnd, Order
from dagfs.engine.confidential import refuse_to_write, unlocked
from dagfs.engine.environment import value_digests
from dagfs.engine.execution import utc_text
from dagfs.engine.location import new_token, now
from dagfs.engine.proposal import propose_retry
from dagfs.engine.reading import reading_options
from dagfs.engine.takeover import take_over
from dagfs.engine.valuation import evaluate, source_of
from dagfs.engine.work import Work
from dagfs.errors import DagfsError, NotFound, Refused
from dagfs.model.dag import Step
from dagfs.model.run import Attempt, AttemptHeader, ChildRun, Run, RunHeader
from dagfs.model.state import RunState
from dagfs.planning.plan import Verdict
from dagfs.spec.parse import Options, read
from dagfs.store import dags
from dagfs.store.runs import Claim

_DEEPEST = 20
"""How many sub-DAGs may stand in one another: one that calls itself is to come to an end."""


class Nursery:
    """The children of one engine's runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def open(self, parent: Work, step: Step, order: Order, known: ChildRun | None) -> Work | ChildEnd:
        """The child's attempt, or its end where nothing of it is to run. Raises DagfsError.

        `known` is the child as the parent's attempt knows it already.
        """
        claim = parent.claim.child(order.child)
        if not claim.paths.root.is_dir():
            return self._create(parent, step, order)
        claim.sweep()
        address = _address(parent.run, order)
        run = self._engine.home.store.load(address)
        if known is not None and known.state in WENT_WELL and run.last.n == known.attempt:
            return _end(order, run)
        if run.state is RunState.WAITING:
            return resume(self._engine, claim, address)
        return self._continue(parent, step, order, run, is_new=known is None)

    def _continue(self, parent: Work, step: Step, order: Order, run: Run, *, is_new: bool) -> Work | ChildEnd:
        """Another attempt of a child, unless nothing of it is to run."""
        same = (run.last.header.overrides, run.last.header.given) == (order.params, order.given)
        over = not same or (is_new and step.name in parent.attempt.afresh)
        text = parent.texts.get(order.child)
        answers = parent.answers.of_child(order.child)
        proposal = propose_retry(
            self._engine,
            run.id,
            replace(answers, kill_orphans=answers.kill_orphans or over),
            spec=text,
            held=True,
            overrides=order.params,
            given=order.given,
            everything=_why_over(same=same) if over else "",
        )
        if proposal.plan.verdict is Verdict.NOTHING_TO_DO:
            return _end(order, run)
        if not over and (proposal.plan.rejections or proposal.plan.questions):
            first = (*proposal.plan.rejections, *proposal.plan.questions)[0]
            raise Refused(f"{first.rule}: {first.message}", hint=first.hint)
        actor = parent.attempt.actor
        return take_over(self._engine, parent.claim.child(order.child), proposal, actor, new_token())

    # --- a new child

    def _create(self, parent: Work, step: Step, order: Order) -> Work:
        _require_depth(parent.run, self._engine)
        text, source, folder, options = self._spec(parent, step, order)
        dag = read(text, source, options=options)
        address, moment = _address(parent.run, order), now()
        shell = parent.attempt.shell
        place = source_of(self._engine, dag, address, folder, shell, source, order.given)
        refuse_to_write(parent.values, (value for _, value in order.params), "its sub-DAG's parameters")
        values = unlocked(self._engine, dag, folder, evaluate(dag, place, os.environ, order.params))
        header = RunHeader(
            id=address,
            dag=dag.name,
            store=parent.run.store,
            created=utc_text(moment),
            source=source,
            trigger="step",
            actor=parent.attempt.actor,
            root=parent.run.id.partition("/")[0],
            parent=parent.run.id,
            step=step.name,
            item=order.item,
            alias=order.alias,
            engine=__version__,
        )
        attempt = AttemptHeader(
            spec_sha256=hashlib.sha256(text).hexdigest(),
            created=utc_text(moment),
            actor=parent.attempt.actor,
            token=new_token(),
            dag_dir=folder,
            shell=parent.attempt.shell,
            working_dir=parent.attempt.working_dir,
            params=values.params,
            overrides=order.params,
            given=order.given,
            env_sha256=value_digests(values.env, address),
            plugins=self._engine.plugins.versions,
            engine=__version__,
        )
        claim = parent.claim.create_child(order.child, header, text, attempt, dag)
        return Work(self._engine, claim, header, attempt, dag, values, answers=parent.answers)

    def _spec(self, parent: Work, step: Step, order: Order) -> tuple[bytes, str, str, Options]:
        """The child's text, where it comes from, the folder its paths start at, and how to read it.

        A DAG of the same file goes before one of the home.
        """
        own = order.body or parent.dag.locals.get(order.dag)
        executors = self._engine.plugins.executors
        if own is not None:
            name = step.name if order.body else order.dag
            dialect = parent.dag.dialect
            options = reading_options(
                self._engine.home, dialect, name=name, executors=executors, child=True, run=parent.run.id
            )
            return own.encode(), f"{parent.run.source}#{name}", parent.attempt.dag_dir, options
        path = self._find(parent, order.dag)
        options = reading_options(self._engine.home, executors=executors, child=True, run=parent.run.id)
        return dags.read(path), str(path), str(path.resolve().parent), options

    def _find(self, parent: Work, name: str) -> Path:
        """A DAG file: beside the one that calls it, or anywhere in the home's."""
        for ending in ("", *dags.SUFFIXES):
            beside = Path(parent.attempt.dag_dir, name + ending)
            if name and dags.is_file(beside):
                return beside
        try:
            return dags.find(self._engine.home.paths, name)
        except NotFound as error:
            raise NotFound(f"there is no sub-DAG {name!r}", hint=error.hint) from None


def resume(engine: Engine, claim: Claim, run_id: str) -> Work:
    """Go on with an attempt that waits, with what was decided when it began."""
    store = engine.home.store
    run = store.load(run_id)
    header, dag = run.last.header, store.dag(run_id, run.last.n)
    source = source_of(engine, dag, run_id, header.dag_dir, header.shell, given=header.given)
    values = evaluate(dag, source, os.environ, header.overrides, header.params)
    values = unlocked(engine, dag, header.dag_dir, values)
    return Work(engine, claim, run.header, header, dag, values, _base(run, header.base), is_resumed=True)


def _why_over(*, same: bool) -> str:
    return "its parent starts it over" if same else "what it is given changed"


def _base(run: Run, n: int) -> Attempt | None:
    return next((attempt for attempt in run.attempts if attempt.n == n), None)


def _address(parent: RunHeader, order: Order) -> str:
    return f"{parent.id.partition('/')[0]}/{order.child}"


def _end(order: Order, run: Run) -> ChildEnd:
    """How a child that is not to run has ended before."""
    last = run.last
    outputs = {name: value for step in last.steps.values() for name, value in step.outputs.items()}
    return ChildEnd(order, last.state, last.reason, run.header.dag, last.header.params, outputs)


def _require_depth(run: RunHeader, engine: Engine) -> None:
    depth = 0
    while run.step and run.parent:
        depth += 1
        if depth >= _DEEPEST:
            raise DagfsError(f"sub-DAGs stand {_DEEPEST} deep in one another: does one call itself?")
        run = engine.home.store.header(run.parent)
