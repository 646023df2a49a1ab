"""The tokens that open the web page, one a role, and the sessions that are made of them. No I/O."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from dagfs.web.role import Role

SESSION_SEC = 30 * 24 * 3600.0
_ROLES = (Role.VIEW, Role.RUN, Role.EDIT)


@dataclass(frozen=True, slots=True)
class Tokens:
    """One secret a role. Whoever has new ones made ends all sessions that were opened with the old."""

    values: Mapping[Role, str] = field(repr=False)

    @classmethod
    def new(cls) -> Tokens:
        return cls({role: secrets.token_urlsafe(24) for role in _ROLES})

    def as_data(self) -> dict[str, str]:
        return {role.word: value for role, value in self.values.items()}

    @classmethod
    def from_data(cls, data: Mapping[str, object]) -> Tokens:
        """Read back what `as_data` wrote. ValueError for anything else."""
        values = {role: data.get(role.word) for role in _ROLES}
        if not all(isinstance(value, str) and len(value) >= 16 for value in values.values()):
            raise ValueError("a token is missing, or has less than 16 characters")
        return cls({role: str(value) for role, value in values.items()})

    def role_of(self, token: str) -> Role:
        """The role that a token gives; ANYONE for none of ours."""
        # All are compared, in a time that tells nothing of how much of one was right.
        found = [role for role, value in self.values.items() if _same(token, value)]
        return max(found, default=Role.ANYONE)

    # -- sessions: a cookie that says its role and its end, and cannot be made without the token

    def open_session(self, role: Role, now: float) -> str:
        """The cookie's value for a visitor who has shown the token of a role; `now` in seconds."""
        said = f"{role.word}.{int(now + SESSION_SEC)}.{secrets.token_hex(8)}"
        return f"{said}.{self._seal(role, said)}"

    def session_role(self, cookie: str, now: float) -> Role:
        """The role of a session; ANYONE for one that is over or not ours."""
        said, _, seal = cookie.rpartition(".")
        word, _, rest = said.partition(".")
        end = rest.partition(".")[0]
        role = next((each for each in _ROLES if each.word == word), Role.ANYONE)
        if role is Role.ANYONE or not end.isdecimal() or not _same(seal, self._seal(role, said)):
            return Role.ANYONE
        return role if int(end) > now else Role.ANYONE

    def form_token(self, cookie: str) -> str:
        """What a form of this session carries: another page cannot know it."""
        return self._seal(self.session_role(cookie, 0), f"form {cookie}")

    def is_form_token(self, cookie: str, token: str) -> bool:
        return _same(token, self.form_token(cookie))

    def _seal(self, role: Role, text: str) -> str:
        key = self.values.get(role, "") or secrets.token_hex(16)
        return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()[:40]


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
