"""`dagfs up`: the scheduler and the web page together, each in a process of its own."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from dagfs.cli.command import Command, add_json
from dagfs.cli.output import Output, visible
from dagfs.cli.place import root
from dagfs.cli.serve import add_server, module, port
from dagfs.cli.upkeep import Member, Upkeep

EXAMPLES = """
examples:
  dagfs up                               both, until ^C; prints the address
  dagfs up --port 9000 --read-only       options of `dagfs serve` are for the web page
  dagfs up --no-token                    on a machine that is yours alone

One that dies is started again. SIGTERM and ^C end both, and runs go on; SIGHUP has both read dagfs.yaml anew.
exit codes: 0 ended as asked, 2 that address would be open to strangers, 74 it cannot be listened at
"""
_FLAGS = ("behind_proxy", "read_only", "no_token")
_VALUES = ("host", "unix", "tls_cert", "tls_key")


def arguments(parser: argparse.ArgumentParser) -> None:
    add_server(parser)
    parser.add_argument("--stop-runs", action="store_true", help="at its end, stop the runs that go on")
    add_json(parser, "print address and link as JSON")


def run(command: Command) -> int:
    # Where its libraries are not installed, that is to be said once, and not again and again.
    module("server")
    options, output = command.options, command.output
    base = ["-C", str(root(command)), *(["--no-plugins"] if options.no_plugins else [])]
    scheduler = [*base, "scheduler", *(["--stop-runs"] if options.stop_runs else [])]
    web = _Web([*base, "serve", "--json", *_server_words(options)], port(options), renews=options.new_tokens)
    # The address first: where that is taken, no scheduler begins.
    members = (Member("web", web.words, heard=web.hear), Member("scheduler", lambda: scheduler, tells=True))

    def ready() -> None:
        _tell(output, web.said, as_json=options.json)

    return Upkeep(members, lambda line: output.say(visible(line), style="yellow"), ready).run()


class _Web:
    """How the web page is started, and what it said when it was ready."""

    def __init__(self, words: list[str], port: int, *, renews: bool) -> None:
        self._words, self._port, self._renews = words, port, renews
        self.said: dict[str, Any] = {}

    def words(self) -> list[str]:
        """One that is started again keeps its port, and everybody's tokens."""
        renews = ["--new-tokens"] if self._renews and not self.said else []
        return [*self._words, f"--port={self.said.get('port') or self._port}", *renews]

    def hear(self, line: bytes) -> None:
        """The line that it prints once it answers."""
        self.said = json.loads(line)


def _server_words(options: argparse.Namespace) -> list[str]:
    """The options of `dagfs serve` as they were given here."""

    def words() -> Iterator[str]:
        for name in _VALUES:
            if value := getattr(options, name):
                yield f"--{name.replace('_', '-')}={value}"
        yield from (f"--host-name={name}" for name in options.host_name)
        yield from (f"--{name.replace('_', '-')}" for name in _FLAGS if getattr(options, name))

    return list(words())


def _tell(output: Output, said: dict[str, Any], *, as_json: bool) -> None:
    link = said.get("link")
    if as_json:
        output.json(said, indent=False)
    elif link and output.is_terminal:
        output.line(f"open {link}")
        output.say("this link signs you in; ^C ends the scheduler and the web page, runs go on", style="dim")
    else:
        # What is printed elsewhere stays in logs: no token belongs there.
        output.line(f"serving {said.get('url')}; the scheduler is at work")
        if link:
            output.say("`dagfs serve --link` prints the address that signs you in", style="dim")
