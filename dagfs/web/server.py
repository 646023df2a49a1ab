"""`dagfs serve`: an address, the tokens that open it, and the server behind it."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import socket
import ssl
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from types import FrameType

import uvicorn

from dagfs.engine.home import Home
from dagfs.errors import DagfsError, ExitCode, StoreError, UsageError
from dagfs.store.codec import decode_document, encode_document
from dagfs.store.files import Disk, read_bytes
from dagfs.store.process import Identity, identity, is_alive
from dagfs.web.app import build
from dagfs.web.commands import Commands
from dagfs.web.guard import Gate
from dagfs.web.protocol import SoonProtocol
from dagfs.web.role import Role
from dagfs.web.site import Site
from dagfs.web.templates import Templates
from dagfs.web.tokens import Tokens

_LOCAL = frozenset({"127.0.0.1", "localhost", "[::1]"})
_LONGEST_HEADERS = 32 << 10
_MOST_CONNECTIONS = 500


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens, and what stands before it."""

    host: str = "127.0.0.1"
    port: int = 8090
    unix: str = ""
    """The path of a socket to listen at, in place of host and port."""
    names: tuple[str, ...] = ()
    """Further names that browsers use for it."""
    certificate: str = ""
    key: str = ""
    behind_proxy: bool = False
    """Something before it speaks TLS, and says so."""

    @property
    def is_local(self) -> bool:
        return bool(self.unix) or is_loopback(self.host)

    @property
    def is_secure(self) -> bool:
        return bool(self.certificate) or self.behind_proxy

    def url(self, port: int) -> str:
        """The address to type into a browser; `port` is the one taken. A proxy is reached at its own."""
        name = self.names[0] if self.names else self.host
        if self.behind_proxy and self.names:
            return f"https://{name}"
        shown = f"[{name}]" if ":" in name else name
        return f"{'https' if self.certificate else 'http'}://{shown}:{port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def check(address: Address, *, has_token: bool) -> None:
    """UsageError for an address that would open the home to strangers."""
    if bool(address.certificate) != bool(address.key):
        raise UsageError("--tls-cert and --tls-key belong together")
    if address.certificate:
        _check_certificate(address.certificate, address.key)
    if address.is_local:
        return
    if not has_token:
        raise UsageError(
            f"{address.host} can be reached from other machines: it needs a token",
            hint="leave out --no-token, or listen on 127.0.0.1",
        )
    if not address.is_secure:
        raise UsageError(
            f"{address.host} can be reached from other machines, and a token would travel in clear",
            hint="give --tls-cert and --tls-key, or --behind-proxy where a proxy speaks TLS; "
            "or listen on 127.0.0.1 and use `ssh -L 8090:127.0.0.1:8090 HOST`",
        )


def _check_certificate(certificate: str, key: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except OSError as error:
        raise UsageError(
            f"cannot use --tls-cert {certificate} with --tls-key {key}: {error.strerror or error}",
            hint="both are files in PEM, and the key is that of the certificate",
        ) from None


def read_tokens(home: Home, *, renew: bool = False) -> tuple[Tokens, bool]:
    """The tokens of a home, and whether they were made just now. UsageError for a file that has none."""
    home.store.ensure()
    path = home.paths.web.tokens
    if not renew:
        try:
            return Tokens.from_data(decode_document(read_bytes(path), path)["tokens"]), False
        except FileNotFoundError:
            pass
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(
                f"{path} does not hold the tokens: {error}", hint="`dagfs serve --new-tokens` makes new ones"
            ) from None
    tokens = Tokens.new()
    # Not the home's own disk: what a group may read of the store does not include these.
    disk = Disk()
    disk.make_dir(home.paths.web.root)
    disk.replace(path, encode_document({"tokens": tokens.as_data()}), durable=True)
    return tokens, True


def running(home: Home) -> str:
    """Where a server of this home listens on this machine; empty where none does."""
    path = home.paths.web.address
    try:
        said = decode_document(read_bytes(path), path)
        return str(said["url"]) if is_alive(Identity.from_data(said["process"])) else ""
    except (DagfsError, FileNotFoundError, KeyError, TypeError, AttributeError):
        return ""


def link(url: str, tokens: Tokens, role: Role) -> str:
    """The address that signs a browser in. What is behind `#` is sent to no server, and is in no log."""
    return f"{url}/login#token={tokens.values[role]}"


class Server:
    """One server, from its socket to its end."""

    def __init__(
        self, home: Home, address: Address, tokens: Tokens | None, *, read_only: bool, plugins: bool = True
    ) -> None:
        """Take the address. UsageError, DagfsError where it cannot be had."""
        check(address, has_token=tokens is not None)
        self._home, self._address = home, address
        self._socket = _listen(address)
        self.port = 0 if address.unix else int(self._socket.getsockname()[1])
        site = Site(
            home,
            Commands(home.paths.root, plugins=plugins),
            Templates(),
            tokens,
            read_only=read_only,
            secure=address.is_secure,
        )
        self._ending = site.ending
        gate = Gate(tokens, self._names(), read_only=read_only, behind_proxy=address.behind_proxy)
        self._config = uvicorn.Config(
            build(site, gate),
            loop="asyncio",
            http=SoonProtocol,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=address.behind_proxy,
            forwarded_allow_ips="127.0.0.1" if address.behind_proxy else None,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=2,
            limit_concurrency=_MOST_CONNECTIONS,
            h11_max_incomplete_event_size=_LONGEST_HEADERS,
            ssl_certfile=address.certificate or None,
            ssl_keyfile=address.key or None,
        )

    @property
    def url(self) -> str:
        return f"unix:{self._address.unix}" if self._address.unix else self._address.url(self.port)

    def _names(self) -> frozenset[str]:
        host = self._address.host.lower()
        own = f"[{host}]" if ":" in host else host
        return _LOCAL | {own} | {name.lower() for name in self._address.names}

    def run(self, ready: Callable[[], None]) -> None:
        """Serve until SIGINT or SIGTERM; `ready` is called once it answers."""
        self._be_found()
        logging.getLogger("dagfs.web").setLevel(logging.INFO)
        server = _Uvicorn(self._config, self._ending)
        try:
            asyncio.run(self._serve(server, ready))
        except KeyboardInterrupt:
            pass
        finally:
            self._socket.close()
            if self._address.unix:
                Path(self._address.unix).unlink(missing_ok=True)

    def _be_found(self) -> None:
        """Write down where it listens, for `running`; where the disk takes nothing, it is not found."""
        me = identity(os.getpid())
        disk, paths = Disk(), self._home.paths.web
        # A store that is not there yet is not made for that.
        with suppress(StoreError, FileNotFoundError):
            disk.make_dir(paths.root)
            disk.replace(
                paths.address, encode_document({"url": self.url, "process": me.as_data() if me else {}})
            )

    async def _serve(self, server: uvicorn.Server, ready: Callable[[], None]) -> None:
        serving = asyncio.ensure_future(server.serve(sockets=[self._socket]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        try:
            if not serving.done():
                ready()
        finally:
            # Where nobody reads what is said, that ends the server in order.
            if sys.exc_info()[0] is not None:
                server.should_exit = True
            await serving


class _Uvicorn(uvicorn.Server):
    """Ends in order when it is asked to, and keeps nobody waiting for news; at once when asked again."""

    def __init__(self, config: uvicorn.Config, ending: Event) -> None:
        super().__init__(config)
        self._ending = ending

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        # Uvicorn's own way is to die of the signal in the end, before anything is put away.
        self._ending.set()
        self.force_exit = self.should_exit
        self.should_exit = True


class CannotListen(DagfsError):
    """The address is taken, or not ours to take."""

    exit_code = ExitCode.IO_ERROR


def _listen(address: Address) -> socket.socket:
    where = address.unix or f"{address.host}:{address.port}"
    try:
        return _listen_unix(address.unix) if address.unix else _listen_tcp(address.host, address.port)
    except OSError as error:
        hint = "another server has it: choose another with --port" if error.errno == 98 else None
        raise CannotListen(f"cannot listen at {where}: {error.strerror}", hint=hint) from None


def _listen_tcp(host: str, port: int) -> socket.socket:
    family, kind, number, _, at = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    found = socket.socket(family, kind, number)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(at)
        found.listen(128)
        found.setblocking(False)
    except OSError:
        found.close()
        raise
    return found


def _listen_unix(path: str) -> socket.socket:
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        if _is_left(path):
            os.unlink(path)
        found.bind(path)
        found.listen(128)
        found.setblocking(False)
    except OSError:
        found.close()
        raise
    finally:
        os.umask(before)
    return found


def _is_left(path: str) -> bool:
    """Whether a socket is there that nobody listens at any more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False
