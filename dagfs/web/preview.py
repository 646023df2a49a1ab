"""What a retry would do, found out for a page: the plan, its picture, and how the text differs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from dagfs.engine.home import Home
from dagfs.engine.reading import reading_options
from dagfs.errors import DagfsError, SpecError
from dagfs.model.dag import Dag
from dagfs.planning.picture import Sketch
from dagfs.spec.parse import read
from dagfs.store.capture import sha256
from dagfs.web.actions import actions_of
from dagfs.web.graph import drawing
from dagfs.web.site import site_of
from dagfs.web.views.planned import Note, Planned, planned, relevant, text_notes
from dagfs.web.views.wish import Wish, shown

_NOTHING = Markup("")
_WIDEST = 900
"""Pixels of a picture."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What the page shows beside the form."""

    wish: Wish
    """As it counts: without answers to what is not asked."""
    plan: Planned | None = None
    notes: tuple[Note, ...] = ()
    error: DagfsError | None = None
    """Why there is no plan, where that is not for the text."""
    picture: Markup = _NOTHING
    hint: str = ""
    """What is to be done first, where nothing was planned."""
    command: str = ""
    """The command line that does the same as the button."""
    seal: str = ""
    """Covers what the plan was asked for: the text and all options but the reason."""

    @property
    def fits(self) -> bool:
        """The picture may be made smaller to be seen as a whole, and can still be read."""
        width = re.search(r' width="(\d+)"', self.picture[:400])
        return width is not None and int(width[1]) <= _WIDEST

    @property
    def can_start(self) -> bool:
        plan = self.plan
        return plan is not None and plan.can_start and (bool(self.wish.reason) or not plan.needs_reason)


def seal(wish: Wish, text: bytes) -> str:
    return sha256("\0".join(wish.options()).encode() + b"\0\0" + text)


async def preview(request: Request, run: str, wish: Wish, text: bytes, *, edited: bool) -> Preview:
    """What a retry of a run would do with a spec's text; not `edited` where it is the one it has."""
    spec = text if edited else None
    try:
        plan, wish = await _plan(request, run, wish, text, spec)
    except SpecError as error:
        return Preview(wish, notes=text_notes(error, text), seal=seal(wish, text))
    except DagfsError as error:
        return Preview(wish, error=error, seal=seal(wish, text))
    picture = await run_in_threadpool(draw, site_of(request).home, run, spec, plan)
    # A child goes on with its root, by the root's plan.
    command = "" if "/" in run else shown("retry", run, "--plan", plan.id, *wish.all_options())
    return Preview(wish, plan, plan.notes, picture=picture, command=command, seal=seal(wish, text))


async def _plan(
    request: Request, run: str, wish: Wish, text: bytes, spec: bytes | None
) -> tuple[Planned, Wish]:
    """The plan. It is made once more where the wish answers what nobody asks."""
    actions = actions_of(request)
    plan = planned(await actions.plan(run, wish.options(), spec), wish, text)
    kept = relevant(wish, plan)
    if kept.options() == wish.options():
        return plan, wish
    return planned(await actions.plan(run, kept.options(), spec), kept, text), kept


def draw(home: Home, run: str, spec: bytes | None, plan: Planned) -> Markup:
    """The graph with what becomes of each step; nothing for a spec that cannot be read here."""
    try:
        dag = _dag(home, run, spec)
    except DagfsError:
        return _NOTHING
    rows = {row.step: row for row in plan.rows if not row.depth}
    return drawing(
        Sketch(
            f"plan for {dag.name}",
            dag.depends,
            {name: row.action for name, row in rows.items()},
            {name: row.reason for name, row in rows.items()},
            is_live=True,
        ),
        turn="right",
    )


def _dag(home: Home, run: str, spec: bytes | None) -> Dag:
    old = home.store.dag(run, home.store.load(run).last.n)
    if spec is None:
        return old
    options = reading_options(home, old.dialect, old.type, name=old.name, child="/" in run, run=run)
    return read(spec, "spec.next.yaml", options=options)
