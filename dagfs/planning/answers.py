"""What the operator said to a plan's questions, and beside its edit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagfs.model.value import field, frozen
from dagfs.planning.selection import Selection


@frozen
class Answers:
    """What the operator said to a plan's questions. All but the reason is part of the plan's id."""

    on_stale: tuple[tuple[str, str], ...] = ()
    """Step (or `*`) to `rerun`, `keep` or `error`; the last that fits counts."""
    allow: tuple[str, ...] = ()
    """Rules whose allowable rejections are lifted."""
    reason: str = ""
    """Why; needed for `keep` and for `allow`, kept in the attempt."""
    kill_orphans: bool = False
    """End processes that a dead engine left running instead of adopting them."""
    selection: Selection = field(default_factory=Selection)
    """Which steps shall run, where it is not for the plan to find out."""
    params: tuple[tuple[str, str], ...] = ()
    """Parameters that get another value."""
    sets: tuple[str, ...] = ()
    """Values written into the spec, as `STEP.FIELD=VALUE`."""
    tags: tuple[str, ...] = ()
    """Tags that the DAG gets."""
    acknowledged: tuple[str, ...] = ()
    """Steps with `idempotent: false` that may run again."""
    wrapper: str = ""
    """A command that steps to run are put behind, `time -v`."""
    wrapped: str = ""
    """The steps that it is for, as a selection; empty for all that run."""
    profile: str = ""
    """Where steps run in place of what the spec says: a profile's name, or its file."""
    cutoff: bool | None = None
    """Finished steps stay where those before them, run again, make the same; None for the home's choice."""

    def stale_answer(self, step: str) -> str:
        """`rerun`, `keep` or `error` for a step."""
        found = "error"
        for name, answer in self.on_stale:
            if name in ("*", step):
                found = answer
        return found

    def deciding_data(self) -> dict[str, Any]:
        """What of it decides, the same for two ways of saying the same; the reason decides nothing."""
        answers: dict[str, str] = {}
        for name, answer in self.on_stale:
            answers = {name: answer} if name == "*" else {**answers, name: answer}
        rest = answers.pop("*", "error")
        return {
            "on_stale": {name: answer for name, answer in answers.items() if answer != rest} | {"*": rest},
            "allow": sorted(set(self.allow)),
            "kill_orphans": self.kill_orphans,
            **self._changes(),
            **({"params": dict(self.params)} if self.params else {}),
            **({"acknowledged": sorted(set(self.acknowledged))} if self.acknowledged else {}),
            **({"cutoff": True} if self.cutoff else {}),
        }

    def _changes(self) -> dict[str, Any]:
        """What is changed beside the spec's own edit; only what is said."""
        found = {
            "params": [list(pair) for pair in self.params],
            "sets": list(self.sets),
            "tags": list(self.tags),
            "wrapper": self.wrapper,
            "wrapped": self.wrapped,
        }
        return {key: value for key, value in found.items() if value}

    def as_data(self) -> dict[str, Any]:
        return {
            "on_stale": [list(pair) for pair in self.on_stale],
            "allow": list(self.allow),
            "reason": self.reason,
            "kill_orphans": self.kill_orphans,
            **({"selection": self.selection.as_data()} if self.selection else {}),
            **({"acknowledged": list(self.acknowledged)} if self.acknowledged else {}),
            **self._changes(),
            **({"profile": self.profile} if self.profile else {}),
            **({} if self.cutoff is None else {"cutoff": self.cutoff}),
        }

    def options(self) -> list[tuple[str, str]]:
        """The options that say it, in the words of the command line; those without a value have none."""
        found = [
            ("--on-stale", answer if step == "*" else f"{step}={answer}") for step, answer in self.on_stale
        ]
        found += [("--allow", rule) for rule in self.allow]
        found += [("--kill-orphans", "")] if self.kill_orphans else []
        found += [("--ack", step) for step in self.acknowledged]
        found += [] if self.cutoff is None else [("--cutoff" if self.cutoff else "--no-cutoff", "")]
        found += self.selection.options()
        found += [("--param", f"{name}={value}") for name, value in self.params]
        found += [("--set", each) for each in self.sets]
        found += [("--tag", tag) for tag in self.tags]
        said = {
            "--with": self.wrapper,
            "--with-steps": self.wrapped,
            "--profile": self.profile,
            "--reason": self.reason,
        }
        return found + [(name, value) for name, value in said.items() if value]

    def of_child(self, child: str) -> Answers:
        """What of it is about a child: `CHILD/STEP`, and what is said of all."""
        own = tuple(
            (name.removeprefix(f"{child}/"), answer)
            for name, answer in self.on_stale
            if name == "*" or name.startswith(f"{child}/")
        )
        acknowledged = tuple(
            step.removeprefix(f"{child}/") for step in self.acknowledged if step.startswith(f"{child}/")
        )
        return Answers(
            own,
            self.allow,
            self.reason,
            self.kill_orphans,
            selection=self.selection.of_child(child),
            acknowledged=acknowledged,
            profile=self.profile,
            cutoff=self.cutoff,
        )

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Answers:
        """Read back what `as_data` wrote; raises KeyError, TypeError or ValueError for anything else."""
        return cls(
            on_stale=tuple((str(step), str(answer)) for step, answer in data["on_stale"]),
            allow=tuple(map(str, data["allow"])),
            reason=str(data["reason"]),
            kill_orphans=bool(data["kill_orphans"]),
            selection=Selection.from_data(data.get("selection", {})),
            params=tuple((str(name), str(value)) for name, value in data.get("params", ())),
            sets=tuple(map(str, data.get("sets", ()))),
            tags=tuple(map(str, data.get("tags", ()))),
            acknowledged=tuple(map(str, data.get("acknowledged", ()))),
            wrapper=str(data.get("wrapper", "")),
            wrapped=str(data.get("wrapped", "")),
            profile=str(data.get("profile", "")),
            cutoff=None if data.get("cutoff") is None else bool(data["cutoff"]),
        )
