"""What somebody asks a retry for in a form, as the words of the command line that do the same."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

MODES: Mapping[str, str] = {
    "unfinished": "",
    "from": "--from",
    "only": "--only",
    "to": "--to",
    "all": "--all",
}
"""What is to run: a word of the form, and the option that says it."""
ANSWERS = ("rerun", "keep", "error")

Fields = Mapping[str, Sequence[str]]
"""A form as it was sent: each field with all its values."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Answers, selection and changes, as `dagfs plan` and `dagfs retry` take them."""

    mode: str = "unfinished"
    steps: str = ""
    """The selection, for the modes that need one."""
    stale: Mapping[str, str] = field(default_factory=dict)
    """Steps, or `*` for all, to `rerun`, `keep` or `error`."""
    allow: tuple[str, ...] = ()
    acknowledged: tuple[str, ...] = ()
    kill_orphans: bool = False
    cutoff: str = ""
    """`yes`, `no`, or empty for the home's choice."""
    params: Mapping[str, str] = field(default_factory=dict)
    """Only those that get another value."""
    sets: tuple[str, ...] = ()
    timeout: str = ""
    tags: tuple[str, ...] = ()
    wrapper: str = ""
    wrapped: str = ""
    profile: str = ""
    reason: str = ""

    @property
    def changes_text(self) -> bool:
        """It writes into the spec, or has other programs run: not for somebody who may only run."""
        is_file = "/" in self.profile or self.profile.endswith((".yaml", ".yml"))
        return bool(self.sets or self.timeout or self.tags or self.wrapper or is_file)

    def options(self) -> tuple[str, ...]:
        """The command line's words, without the reason."""
        words = [*self._selection()]
        # `*` first: of two that fit the last counts.
        for step, answer in sorted(self.stale.items(), key=lambda pair: pair[0] != "*"):
            words += option("--on-stale", answer if step == "*" else f"{step}={answer}")
        words += [word for rule in self.allow for word in option("--allow", rule)]
        words += [word for step in self.acknowledged for word in option("--ack", step)]
        words += ["--kill-orphans"] if self.kill_orphans else []
        words += {"yes": ["--cutoff"], "no": ["--no-cutoff"]}.get(self.cutoff, [])
        for name, value in self.params.items():
            words += option("--param", f"{name}={value}")
        words += [word for each in self.sets for word in option("--set", each)]
        words += [word for tag in self.tags for word in option("--tag", tag)]
        said = {
            "--timeout": self.timeout,
            "--with": self.wrapper,
            "--with-steps": self.wrapped if self.wrapper else "",
            "--profile": self.profile,
        }
        return (*words, *(word for name, value in said.items() if value for word in option(name, value)))

    def all_options(self) -> tuple[str, ...]:
        """As `options`, with the reason."""
        return (*self.options(), *(option("--reason", self.reason) if self.reason else ()))

    def _selection(self) -> list[str]:
        name = MODES[self.mode]
        if self.mode in ("unfinished", "all"):
            return [name] if name else []
        return option(name, self.steps)


def option(name: str, value: str) -> list[str]:
    """An option with its value, in one word where the value looks like an option itself."""
    return [f"{name}={value}"] if value.startswith("-") or not value else [name, value]


def shown(*words: str) -> str:
    """A command line as somebody would type it."""
    return shlex.join(("dagfs", *words))


def word(form: Fields, name: str) -> str:
    """What a field of a form says last; empty where it is not there."""
    return (form.get(name) or [""])[-1].strip()


def wish_from(form: Fields, params: Mapping[str, str]) -> Wish:
    """What a form asks for. `params` are the values there are now: the same again is no change."""
    one = partial(word, form)
    mode = one("mode")
    return Wish(
        mode=mode if mode in MODES else "unfinished",
        steps=one("steps"),
        stale=_stale(form),
        allow=_several(form, "allow"),
        acknowledged=_several(form, "ack"),
        kill_orphans=bool(one("kill_orphans")),
        cutoff=one("cutoff") if one("cutoff") in ("yes", "no") else "",
        params=_params(form, params),
        sets=tuple(
            line.strip() for text in form.get("sets", ()) for line in text.splitlines() if line.strip()
        ),
        timeout=one("timeout"),
        tags=tuple(tag.strip() for text in form.get("tags", ()) for tag in text.split(",") if tag.strip()),
        wrapper=one("with"),
        wrapped=one("with_steps"),
        profile=one("profile"),
        reason=" ".join(one("reason").split()),
    )


def _several(form: Fields, name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in form.get(name, ()) if value))


def _stale(form: Fields) -> dict[str, str]:
    """Each field `stale` is `ANSWER=STEP`; an empty one goes along with the rest."""
    found = {}
    every = (form.get("stale_all") or [""])[-1]
    if every in ANSWERS:
        found["*"] = every
    for text in form.get("stale", ()):
        answer, _, step = text.partition("=")
        if answer in ANSWERS and step:
            found[step] = answer
    return found


def _params(form: Fields, known: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for key, values in form.items():
        name = key.removeprefix("param.")
        if name and name != key and values:
            # A browser sends lines ended by CR LF.
            value = values[-1].replace("\r\n", "\n")
            if value != known.get(name, ""):
                found[name] = value
    return found
