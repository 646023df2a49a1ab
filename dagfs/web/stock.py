"""What the server remembers of its home between two requests, so that pages of lists cost little."""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import dataclass, field

from starlette.requests import Request

from dagfs.engine.location import now
from dagfs.store.ledger import Ledger
from dagfs.store.waiting import Queue
from dagfs.web.register import Register
from dagfs.web.shelf import DagShelf
from dagfs.web.site import Site

_making = threading.Lock()
_TIMES_SEC = 20


@dataclass(frozen=True, slots=True)
class Stock:
    """The lists of one home."""

    dags: DagShelf
    runs: Register
    ledger: Ledger
    queue: Queue
    epoch: str = field(default_factory=lambda: os.urandom(6).hex())
    """Another server counts its versions anew."""

    def refresh(self) -> None:
        """Look at what has changed."""
        self.dags.refresh()
        self.runs.refresh()

    def etag(self, *parts: object) -> str:
        """The version of a page that shows DAGs and runs, and `parts`; its times are a little old at most."""
        minute = int(now().timestamp() // _TIMES_SEC)
        said = (self.epoch, self.dags.version, self.runs.version, self.runs.unread, minute, *parts)
        return hashlib.sha256(repr(said).encode()).hexdigest()[:20]


def stock_of(request: Request) -> Stock:
    """The lists of the server that a request is for; made when they are asked for first."""
    state = request.app.state
    with _making:
        if not hasattr(state, "stock"):
            state.stock = _new(state.site)
        found = state.stock
    assert isinstance(found, Stock)
    return found


def _new(site: Site) -> Stock:
    home = site.home
    ledger = Ledger(home.disk, home.paths.scheduler, now)
    return Stock(DagShelf(home), Register(home.store), ledger, Queue(home.disk, home.paths.scheduler))
