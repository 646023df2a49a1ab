"""Which outputs a step sees: those of all steps before it, the nearest of a name winning."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

Makers = Mapping[str, tuple[int, str]]
"""Each visible name to how many steps away its maker is, and which step that is."""


class VisibleOutputs:
    """Answers for a graph whose steps settle from its beginning on.

    Ask about a step once all before it have settled; answers are kept. Steps with one parent share its
    table where that adds nothing, so a long chain costs little.
    """

    def __init__(
        self, depends: Mapping[str, Collection[str]], outputs: Callable[[str], Mapping[str, str]]
    ) -> None:
        """`outputs` gives what a settled step has put out."""
        self._depends, self._outputs = depends, outputs
        self._makers: dict[str, Makers] = {}

    def of(self, step: str) -> dict[str, str]:
        """The values that the step sees, by name."""
        return {name: self._outputs(maker)[name] for name, (_, maker) in self.makers(step).items()}

    def makers(self, step: str) -> Makers:
        """Who made each name that the step sees."""
        # An own stack: a retry may ask first about the last of thousands of steps in a row.
        work = [step]
        while work:
            unknown = [each for each in self._depends[work[-1]] if each not in self._makers]
            if unknown:
                work += unknown
            else:
                name = work.pop()
                self._makers[name] = _nearest([self._passed_on(parent) for parent in self._depends[name]])
        return self._makers[step]

    def _passed_on(self, name: str) -> Makers:
        own, behind = self._outputs(name), self._makers[name]
        if not own and not behind:
            return behind
        return {key: (far + 1, maker) for key, (far, maker) in behind.items()} | dict.fromkeys(own, (1, name))


def _nearest(tables: list[Makers]) -> Makers:
    """One table of several; of two makers as near as each other, the parent named first wins."""
    tables = [table for table in tables if table]
    if len(tables) <= 1:
        return tables[0] if tables else {}
    merged: dict[str, tuple[int, str]] = {}
    for table in tables:
        for name, found in table.items():
            if name not in merged or found[0] < merged[name][0]:
                merged[name] = found
    return merged
