"""Who may do what on the web page."""

from __future__ import annotations

from enum import IntEnum


class Role(IntEnum):
    """What a visitor may do; each role may also do what stands above it here."""

    ANYONE = 0
    """No token is needed: signing in, and whether the server is alive."""
    VIEW = 1
    """Look at everything."""
    RUN = 2
    """Start, stop, retry, rerun, approve and reject."""
    EDIT = 3
    """Change specs, mark steps, pause DAGs and queues. Who may edit a spec may run any program."""

    @property
    def word(self) -> str:
        return self.name.lower()
