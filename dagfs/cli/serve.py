"""`dagfs serve`: the web page and the HTTP API."""

from __future__ import annotations

import argparse
import importlib
from typing import Any

from dagfs.cli.command import Command, add_json
from dagfs.cli.place import root
from dagfs.engine.home import read_home
from dagfs.errors import ExitCode, UsageError

EXAMPLES = """
examples:
  dagfs serve                             http://127.0.0.1:8090, with a link that signs you in
  dagfs serve --link view                 a link for somebody who may only look
  dagfs serve --new-tokens                all links and sessions so far are void
  dagfs serve --unix ~/.dagfs.sock        a socket that only you can open
  ssh -L 8090:127.0.0.1:8090 HOST         from your own machine, then open http://127.0.0.1:8090

It needs the extra `web`: pip install 'dagfs[web]'. SIGTERM and ^C end it; runs go on.
exit codes: 0 ended as asked, 2 that address would be open to strangers, 74 it cannot be listened at
"""
_PORT, _LAST_PORT = 8090, 65535
_MODULES = {"server": "dagfs.web.server", "role": "dagfs.web.role"}
"""By name: `dagfs.web` stands beside this floor, and its libraries are an extra."""


def arguments(parser: argparse.ArgumentParser) -> None:
    add_server(parser)
    parser.add_argument(
        "--link",
        nargs="?",
        const="edit",
        choices=("view", "run", "edit"),
        help="print the address that signs in for a role, and do nothing else [edit]",
    )
    add_json(parser, "print address and link as JSON")


def add_server(parser: argparse.ArgumentParser) -> None:
    """The options of the server itself."""
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="where to listen [127.0.0.1]")
    parser.add_argument("--port", type=_port, metavar="N", help="0 for any that is free [8090]")
    parser.add_argument(
        "--unix", default="", metavar="PATH", help="listen at a socket instead, for you alone"
    )
    parser.add_argument(
        "--host-name", action="append", default=[], metavar="NAME", help="another name browsers use for it"
    )
    parser.add_argument("--tls-cert", default="", metavar="FILE", help="speak https with this certificate")
    parser.add_argument("--tls-key", default="", metavar="FILE", help="and this key")
    parser.add_argument("--behind-proxy", action="store_true", help="a proxy on this machine speaks https")
    parser.add_argument("--read-only", action="store_true", help="nobody may change anything")
    parser.add_argument(
        "--no-token",
        action="store_true",
        help="ask for no token: everybody on this machine may do everything",
    )
    parser.add_argument(
        "--new-tokens", action="store_true", help="make new tokens: who is signed in is no more"
    )


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 0 to {_LAST_PORT}")
    return int(text)


def port(options: argparse.Namespace) -> int:
    """The port that was asked for, or the usual one."""
    return _PORT if options.port is None else int(options.port)


def run(command: Command) -> int:
    options, server = command.options, module("server")
    home = read_home(root(command))
    address = server.Address(
        options.host,
        port(options),
        options.unix,
        tuple(options.host_name),
        options.tls_cert,
        options.tls_key,
        options.behind_proxy,
    )
    server.check(address, has_token=not options.no_token)
    tokens, made = None, False
    if not options.no_token:
        tokens, made = server.read_tokens(home, renew=options.new_tokens)
    if options.link:
        is_said = options.port is not None or options.unix or options.host_name or options.behind_proxy
        running = "" if is_said else server.running(home)
        return _link(command, server, running or address.url(address.port), tokens)
    serving = server.Server(
        home, address, tokens, read_only=options.read_only, plugins=not options.no_plugins
    )

    def ready() -> None:
        _tell(command, server, serving, tokens, made=made)

    serving.run(ready)
    return ExitCode.DONE


def module(name: str) -> Any:
    """A module of the web page. UsageError where its libraries are not installed."""
    try:
        return importlib.import_module(_MODULES[name])
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the web page needs {error.name}, which is not installed", hint="pip install 'dagfs[web]'"
        ) from None


def _link(command: Command, server: Any, url: str, tokens: Any) -> int:
    if tokens is None:
        raise UsageError("without a token there is no link that signs in")
    role = module("role").Role[command.options.link.upper()]
    signs_in = server.link(url, tokens, role)
    if command.options.json:
        command.output.json({"url": url, "role": role.word, "link": signs_in}, indent=False)
    else:
        command.output.line(signs_in)
    return ExitCode.DONE


def _tell(command: Command, server: Any, serving: Any, tokens: Any, *, made: bool) -> None:
    output = command.output
    edit = module("role").Role.EDIT
    signs_in = server.link(serving.url, tokens, edit) if tokens and serving.port else None
    if command.options.json:
        output.json({"url": serving.url, "port": serving.port, "link": signs_in}, indent=False)
    elif signs_in and made:
        output.line(f"open {signs_in}")
        output.say("this link signs you in; `dagfs serve --link` prints it again", style="dim")
    else:
        output.line(f"serving {serving.url}")
        if tokens:
            output.say("`dagfs serve --link` prints the address that signs you in", style="dim")
