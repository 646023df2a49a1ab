"""Tells systemd how a service is, where it was started by one (`$NOTIFY_SOCKET`)."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class Systemd:
    """Sends what `sd_notify(3)` sends; says nothing where nobody listens."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._address = env.get("NOTIFY_SOCKET", "")
        ours = env.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
        usec = env.get("WATCHDOG_USEC", "")
        self.watchdog_sec = int(usec) / 1e6 if usec.isdecimal() and ours else 0.0
        """A sign of life is expected this often; 0 for never."""

    def tell(self, *lines: str) -> None:
        """Such as `READY=1`, `STATUS=…`, `WATCHDOG=1`, `STOPPING=1`."""
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            try:
                channel.sendto("\n".join(lines).encode(), address)
            except OSError:
                # Whoever started us has gone; there is nobody to tell.
                self._address = ""
