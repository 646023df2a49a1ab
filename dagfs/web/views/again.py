"""A new run like an earlier one, as a form asks for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dagfs.web.views.wish import Fields, Wish, option, shown, word

_UNFINISHED = "state:unfinished"


@dataclass(frozen=True, slots=True)
class Again:
    """What is asked for beside the wish."""

    is_new: bool = False
    """A new run, and not another attempt of this one."""
    latest: bool = False
    """With the DAG file as it is now."""
    id: str = ""

    def options(self, wish: Wish) -> tuple[str, ...]:
        """The words of `dagfs rerun`. What writes into the spec is not among them."""
        return (*self._own(), *self._rest(wish))

    def command(self, run: str, wish: Wish) -> str:
        return shown("rerun", run, *self.options(wish))

    def _own(self) -> list[str]:
        words = ["--latest"] if self.latest else []
        return words + (option("--id", self.id) if self.id else [])

    @staticmethod
    def _rest(wish: Wish) -> tuple[str, ...]:
        """A rerun begins everything anew; what is unfinished alone is said as a selection."""
        if wish.mode == "all":
            chosen = replace(wish, mode="unfinished")
        elif wish.mode == "unfinished":
            chosen = replace(wish, mode="from", steps=_UNFINISHED)
        else:
            chosen = wish
        bare = replace(chosen, sets=(), timeout="", tags=(), wrapper="", wrapped="")
        return bare.all_options()


def again_from(form: Fields) -> Again:
    return Again(word(form, "target") == "new", bool(word(form, "latest")), word(form, "new_id"))
