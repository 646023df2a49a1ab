"""Connections of the http step: resolved once, judged by the home's policy, opened to that address."""

from __future__ import annotations

import base64
import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

_SAFE = "/%:=&?~#+!$,;'@()*[]"
"""What stays as it is in an address; everything else that is no letter is written as %XX."""


class Refused(ValueError):
    """An address that the home's policy does not let the step reach."""


class Opener:
    """Sends requests under one policy, one set of certificates and one deadline."""

    def __init__(self, task: Mapping[str, Any], deadline: float | None) -> None:
        """`task` has the step's settings and `policy`; `deadline` is a monotonic time in seconds."""
        self._task, self._deadline = task, deadline
        self._policy = task["policy"].get("private_addresses", "named")
        self._private_named = False
        self._sent = 0

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> http.client.HTTPResponse:
        """The answer, its body unread. Raises OSError, TimeoutError, Refused, HTTPException."""
        parts = urlsplit(url)
        if not parts.hostname:
            raise ValueError(f"{url!r} has no host")
        target = quote(urlunsplit(("", "", parts.path or "/", parts.query, "")), safe=_SAFE)
        proxy = self._proxy(parts.scheme, parts.hostname)
        link = self._link(parts.scheme, parts.hostname, parts.port, proxy)
        if proxy and parts.scheme == "http":
            target = f"http://{parts.netloc.rpartition('@')[2]}{target}"
        self._sent += 1
        link.request(method, target, body=body, headers={"User-Agent": "dagfs", **_login(parts), **headers})
        return link.getresponse()

    def _proxy(self, scheme: str, host: str) -> str:
        if proxy_bypass(host):
            return ""
        return getproxies().get(scheme, "")

    def _link(self, scheme: str, host: str, port: int | None, proxy: str) -> http.client.HTTPConnection:
        if proxy:
            # The proxy resolves names; who sets one leaves it to that which may be reached.
            where = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
            link = _plain(scheme, host, port, self._context())
            link.host, link.port = where.hostname or "", where.port or 80
            if scheme == "https":
                link.set_tunnel(host, port or 443)
            link.timeout = self._left()
            return link
        link = _plain(scheme, host, port, self._context())
        link.timeout = self._left()
        address = self._address(host, link.port)
        # The address that was judged is the one connected to; the name stays for TLS and `Host`.
        link._create_connection = lambda _, *rest: socket.create_connection(address, *rest)  # type: ignore[attr-defined]
        return link

    def _left(self) -> float | None:
        if self._deadline is None:
            return None
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._task["ca_file"] or None)
        if self._task["skip_tls_verify"]:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self._task["cert_file"]:
            context.load_cert_chain(self._task["cert_file"], self._task["key_file"] or None)
        return context

    def _address(self, host: str, port: int) -> tuple[str, int]:
        """Where to connect to. Raises Refused when all that the name stands for is out of bounds."""
        found = [each[4] for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        allowed = [each for each in found if self._may_reach(str(each[0]))]
        if not allowed:
            raise Refused(f"{host} is {found[0][0]}, {self._why()}")
        if not self._sent:
            self._private_named = not _is_public(str(allowed[0][0]))
        return str(allowed[0][0]), int(allowed[0][1])

    def _may_reach(self, text: str) -> bool:
        if self._policy == "allow" or _is_public(text):
            return True
        if self._policy == "deny" or _address(text).is_link_local:
            return False
        # A spec may name its own network; an answer from outside may not lead there.
        return not self._sent or self._private_named

    def _why(self) -> str:
        if self._policy == "deny":
            return "a private address, which dagfs.yaml denies (plugins.http.private_addresses)"
        if self._sent:
            return "a private address, to which a redirect from outside may not lead"
        return "where clouds keep credentials; `plugins: {http: {private_addresses: allow}}` lifts this"


def _plain(scheme: str, host: str, port: int | None, context: ssl.SSLContext) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, context=context)
    return http.client.HTTPConnection(host, port)


def _login(parts: Any) -> dict[str, str]:
    """`user:password@` of an address as a header."""
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    return {"Authorization": "Basic " + base64.b64encode(pair).decode()}


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    found = ipaddress.ip_address(text.partition("%")[0])
    return getattr(found, "ipv4_mapped", None) or found


def _is_public(text: str) -> bool:
    return _address(text).is_global
