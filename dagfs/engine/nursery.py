"""Opens the children of a run: makes a new one, goes on with one that is there, or leaves it as it is."""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Mapping
from pathlib import Path

from dagfs import __version__
from dagfs.engine.bootstrap import Engine
from dagfs.engine.call import REPEATED, ChildEnd, Manner, Order
from dagfs.engine.confidential import refuse_to_write, unlocked
from dagfs.engine.environment import value_digests
from dagfs.engine.location import new_token, now
from dagfs.engine.moment import utc_text
from dagfs.engine.preflight import Terrain, require_reachable, sites
from dagfs.engine.reading import reading_options
from dagfs.engine.valuation import evaluate, source_of
from dagfs.engine.work import Work
from dagfs.engine.workplace import StepReferences
from dagfs.errors import DagfsError, NotFound
from dagfs.model.dag import Step
from dagfs.model.run import Attempt, AttemptHeader, ChildRun, Run, RunHeader
from dagfs.model.state import RunState, StepState
from dagfs.spec.parse import Options, read
from dagfs.spec.scope import StepRef
from dagfs.store import dags, words
from dagfs.store.runs import Claim

_DEEPEST = 20
"""How many sub-DAGs may stand in one another: one that calls itself is to come to an end."""


class Nursery:
    """The children of one engine's runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def open(
        self, parent: Work, step: Step, order: Order, known: ChildRun | None, manner: Manner
    ) -> Work | ChildEnd:
        """The child's attempt, or its end where nothing of it is to run. Raises DagfsError.

        `known` is the child as the parent's attempt knows it already.
        """
        claim = parent.claim.child(order.child)
        if not claim.paths.root.is_dir():
            return self._create(parent, step, order)
        claim.sweep()
        address = _address(parent.run, order)
        run = self._engine.home.store.load(address)
        if known is not None and _has_ended(known, manner) and run.last.n == known.attempt:
            return self._end(order, run, step)
        over = _why_over(parent, step, order, run, manner)
        if run.state is RunState.WAITING and not over and order.child not in parent.texts:
            if manner is Manner.ON and not _is_addressed(self._engine, run):
                return self._end(order, run, step)
            return resume(self._engine, claim, address)
        return self._continue(parent, step, order, run, over)

    def _continue(self, parent: Work, step: Step, order: Order, run: Run, over: str) -> Work | ChildEnd:
        """Another attempt of a child, unless nothing of it is to run. `over` is why nothing is kept."""
        # By name: planning is for those that are not new.
        revival = importlib.import_module("dagfs.engine.revival")
        work: Work | None = revival.go_on(self._engine, parent, order, run, over)
        return work or self._end(order, run, step)

    def _end(self, order: Order, run: Run, step: Step) -> ChildEnd:
        """How a child that is not to run has ended before."""
        last, store = run.last, self._engine.home.store
        steps: Mapping[str, StepRef] = {}
        if step.parallel and step.parallel.collect:
            steps = StepReferences(store.paths(run.id), store.dag(run.id, last.n).names, last.steps)
        params = last.header.params
        return ChildEnd(
            *(order, last.state, last.reason, run.header.dag, params, last.outputs),
            steps=steps,
            attempt=last.n,
            unmet=last.unmet,
        )

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
            under=parent.attempt.n,
            profile=parent.attempt.profile,
            env_sha256=value_digests(values.env, address),
            plugins=self._engine.plugins.versions,
            engine=__version__,
        )
        terrain = Terrain(
            self._engine, dag, attempt.profile, values, self._engine.home.store.paths(address), 1
        )
        require_reachable(sites(terrain))
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


def _has_ended(known: ChildRun, manner: Manner) -> bool:
    """Nothing more of it is to run in this attempt of its parent."""
    if manner in (Manner.ON, Manner.OFF):
        return known.state is not RunState.WAITING
    return known.state.is_success and manner is not Manner.OVER


def _is_addressed(engine: Engine, run: Run) -> bool:
    """Somebody has said a word to a step of it, or of a child that waits."""
    if words.found(engine.home.store.paths(run.id)):
        return True
    waiting = (step for step in run.last.steps.values() if step.state is StepState.WAITING)
    below = (child for step in waiting for child in step.children.values())
    root = run.id.partition("/")[0]
    return any(
        _is_addressed(engine, engine.home.store.load(f"{root}/{child.id}"))
        for child in below
        if child.state is RunState.WAITING
    )


def _why_over(parent: Work, step: Step, order: Order, run: Run, manner: Manner) -> str:
    """Why nothing that the child has done counts any more; empty where it goes on."""
    last = run.last.header
    if (last.overrides, last.given) != (order.params, order.given):
        return "what it is given changed"
    if manner is Manner.OVER:
        return REPEATED
    if last.under < parent.attempt.afresh.get(step.name, 0):
        return "its parent starts it over"
    return ""


def _base(run: Run, n: int) -> Attempt | None:
    return next((attempt for attempt in run.attempts if attempt.n == n), None)


def _address(parent: RunHeader, order: Order) -> str:
    return f"{parent.id.partition('/')[0]}/{order.child}"


def _require_depth(run: RunHeader, engine: Engine) -> None:
    depth = 0
    while run.step and run.parent:
        depth += 1
        if depth >= _DEEPEST:
            raise DagfsError(f"sub-DAGs stand {_DEEPEST} deep in one another: does one call itself?")
        run = engine.home.store.header(run.parent)
