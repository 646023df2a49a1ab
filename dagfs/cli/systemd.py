"""`dagfs systemd`: print a unit that keeps the scheduler, and if you like the web page, at work."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys

from dagfs.cli.command import Command
from dagfs.cli.place import root
from dagfs.errors import ExitCode, UsageError

EXAMPLES = """
examples:
  dagfs systemd --user > ~/.config/systemd/user/dagfs.service
  systemctl --user daemon-reload && systemctl --user enable --now dagfs

  dagfs systemd --user --web > ~/.config/systemd/user/dagfs.service    the web page as well

  dagfs systemd > /etc/systemd/system/dagfs.service      for the whole machine, as you

Runs are no part of the service: restarting it leaves them running.
"""
_UNIT = """\
[Unit]
Description=dagfs scheduler of {home}
Documentation=man:systemd.service(5)
After=network-online.target
Wants=network-online.target
RequiresMountsFor={home}

[Service]
Type=notify
NotifyAccess=main
ExecStart={program} -C {home} {verb}
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=2
WatchdogSec=60
# Only the scheduler ends with the service; engines and steps are left alone.
KillMode=process
TimeoutStopSec=10
{user}UMask=0077

[Install]
WantedBy={target}
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--user", action="store_true", help="for your own systemd, not the machine's")
    parser.add_argument("--web", action="store_true", help="the web page as well: `dagfs up`")


def run(command: Command) -> int:
    home = str(root(command))
    if re.search(r"[\x00-\x1f\x7f]", home):
        raise UsageError("the path of the home holds a control character, which no unit file can")
    own = command.options.user
    user = "" if own else f"User={os.getuid()}\nGroup={os.getgid()}\n"
    text = _UNIT.format(
        home=_quoted(home),
        program=_quoted(shutil.which("dagfs") or os.path.join(os.path.dirname(sys.executable), "dagfs")),
        verb="up" if command.options.web else "scheduler",
        user=user,
        target="default.target" if own else "multi-user.target",
    )
    command.output.line(text.rstrip("\n"))
    return ExitCode.DONE


def _quoted(path: str) -> str:
    """A path as a word of a unit file."""
    safe = path.replace("\\", "\\\\").replace("%", "%%").replace('"', '\\"').replace("$", "$$")
    return f'"{safe}"' if re.search(r"[\s'\"]", safe) else safe
