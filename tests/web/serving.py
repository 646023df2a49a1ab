"""A server of an empty home within the test: no socket, no process, and no command may be run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from dagfs.engine.home import read_home
from dagfs.errors import NotFound
from dagfs.web.app import build
from dagfs.web.commands import Commands
from dagfs.web.guard import Gate
from dagfs.web.role import Role
from dagfs.web.site import COOKIE, Site
from dagfs.web.templates import Templates
from dagfs.web.tokens import Tokens

ADDRESS = "http://127.0.0.1:8090"
TOKENS = Tokens({role: f"{role.word}-token-{'x' * 16}" for role in (Role.VIEW, Role.RUN, Role.EDIT)})


class NoCommands(Commands):
    """Runs nothing, and knows what it was asked for."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.asked: list[tuple[str, ...]] = []

    async def end_of(self, *words: str, text: bytes = b"", patience: float = 60) -> Any:
        self.asked.append(words)
        raise NotFound("nothing is run here")


def bearer(role: Role) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS.values[role]}"} if role is not Role.ANYONE else {}


def session(role: Role, now: float) -> dict[str, str]:
    """A browser that has signed in."""
    return {"Cookie": f"{COOKIE}={TOKENS.open_session(role, now)}"}


class Client:
    """Asks an application, in an event loop of its own; it follows no redirect."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._runner = asyncio.Runner()

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._runner.run(self._request(method, path, more))

    async def _request(self, method: str, path: str, more: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=ADDRESS) as client:
            return await client.request(method, path, **more)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)

    def close(self) -> None:
        self._runner.close()


def server(
    folder: Path, *, read_only: bool = False, tokens: Tokens | None = TOKENS, commands: Commands | None = None
) -> Client:
    """A client of a server of the home in `folder`."""
    (folder / "dags").mkdir(exist_ok=True)
    home = read_home(folder)
    site = Site(home, commands or NoCommands(folder), Templates(), tokens, read_only=read_only)
    gate = Gate(tokens, frozenset({"127.0.0.1", "localhost"}), read_only=read_only)
    return Client(build(site, gate))


def filled(path: str, values: Mapping[str, str] | None = None) -> str:
    """A route's path with a word for each of its parameters."""
    for name in ("run", "child", "dag", "queue", "plugin", "name", "version", "file", "rest", "rule"):
        for kind in ("", ":path", ":address", ":file"):
            path = path.replace(f"{{{name}{kind}}}", (values or {}).get(name, "x"))
    assert "{" not in path, path
    return path
