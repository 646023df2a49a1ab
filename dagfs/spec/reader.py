"""Typed reading of nodes: what does not fit becomes a problem at its place, and reading goes on."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from dagfs.errors import Problem
from dagfs.model.dag import Mark
from dagfs.model.spelling import get_close_matches
from dagfs.spec.dialect import Dialect
from dagfs.spec.keys import ROOT, STEP, Key, Keys
from dagfs.spec.node import Entry, Mapping, Node, Scalar, Sequence, kind
from dagfs.spec.scalar import resolve
from dagfs.spec.yaml import Text

_WORDS_COMPARED = 20_000
"""The most words looked through for did-you-mean hints in one file, so that hints stay cheap."""


class Fields(dict[str, Entry]):
    """The entries of one mapping by our field names, as far as they are used."""

    refused: bool = False
    """It also held keys that were reported as errors."""


class Reader:
    """Reads one document, keeping every problem it meets."""

    def __init__(self, text: Text, dialect: Dialect) -> None:
        self.text = text
        self.dialect = dialect
        self.problems: list[Problem] = []
        self._words_left = _WORDS_COMPARED

    def error(self, mark: Mark, message: str, hint: str | None = None) -> None:
        self.problems.append(self.text.problem(mark, message, hint))

    def warning(self, mark: Mark, message: str, hint: str | None = None) -> None:
        self.problems.append(self.text.problem(mark, message, hint, "warning"))

    def suggestion(self, word: str, known: Collection[str]) -> str | None:
        """`did you mean 'x'?`, where something known is close to `word`."""
        if len(known) > self._words_left:
            return None
        self._words_left -= len(known)
        folded = {each.lower(): each for each in known}
        close = get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
        return f"did you mean '{folded[close[0]]}'?" if close else None

    # -- mappings ------------------------------------------------------------------------------

    def fields(self, node: Mapping, table: Keys, where: str) -> Fields:
        """The known keys of a mapping; `where` (`step 'a'`) completes the messages on the others."""
        found = Fields()
        known = table.of(self.dialect.name)
        for entry in node.entries:
            key = known.get(entry.key.lower() if self.dialect.name == "dagu1" else entry.key)
            if key is None:
                self._unknown(entry, table, where)
                found.refused = True
            elif key.use == "used":
                self._keep(found, key, entry)
            else:
                self.warning(entry.mark, f"key '{entry.key}' is not used by this version")
        return found

    def _keep(self, found: Fields, key: Key, entry: Entry) -> None:
        before = found.setdefault(key.field, entry)
        if before is not entry:
            same = f"'{entry.key}' says the same as '{before.key}' in line {before.line}"
            self.error(entry.mark, same, "keep one of the two")

    def _unknown(self, entry: Entry, table: Keys, where: str) -> None:
        dialect = self.dialect.name
        spelled = entry.key.lower() if dialect == "dagu1" else entry.key
        if table is STEP and spelled in ROOT.of(dialect):
            hint: str | None = "it is a key of the DAG: write it beside steps:"
        else:
            hint = self.suggestion(entry.key, [key.spelled for key in table.of(dialect).values()])
        if hint is None and entry.key in table.of("dagu2"):
            hint = f"it is a key of Dagu 2, and this file is read as Dagu 1: {self.dialect.reason}"
        self.error(entry.mark, f"unknown key '{entry.key}' in {where}", hint)

    # -- single values -------------------------------------------------------------------------

    def string(self, node: Node, what: str) -> str:
        """The text of a scalar as the file has it; nothing is the empty text."""
        if isinstance(node, Scalar):
            return "" if node.value is None else node.text
        hint = "put quotes round a text that contains ': '" if isinstance(node, Mapping) else None
        self.error(node.mark, f"{what} must be a text, not {kind(node)}", hint)
        return ""

    def strings(self, node: Node, what: str) -> tuple[str, ...]:
        """A text, or a list of texts; nothing is an empty list."""
        return tuple(word for word, _ in self.marked_strings(node, what))

    def marked_strings(self, node: Node, what: str) -> Iterator[tuple[str, Mark]]:
        """Like `strings`, each with its place."""
        if isinstance(node, Sequence):
            for item in node.items:
                yield self.string(item, f"each item of {what}"), item.mark
        elif not isinstance(node, Scalar):
            self.error(node.mark, f"{what} must be a text or a list of texts, not {kind(node)}")
        elif node.value is not None:
            yield node.text, node.mark

    def seconds(self, node: Node, what: str) -> float:
        """A number of seconds that is not negative; nothing is 0."""
        return self._number(node, f"{what} must be a number of seconds, not {kind(node)}", what)

    def count(self, node: Node, what: str) -> int:
        """A whole number that is not negative; nothing is 0."""
        wrong = f"{what} must be a whole number, not {kind(node)}"
        number = self._number(node, wrong, what)
        if number != int(number):
            self.error(node.mark, wrong)
        return int(number)

    def _number(self, node: Node, wrong: str, what: str) -> int | float:
        value = resolve(node.text) if isinstance(node, Scalar) else ""
        if value is None:
            return 0
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.error(node.mark, wrong)
            return 0
        if value < 0:
            self.error(node.mark, f"{what} must not be negative, but is {kind(node)}")
            return 0
        return value

    def boolean(self, node: Node, what: str) -> bool:
        """`true` or `false`; nothing is false."""
        value = node.value if isinstance(node, Scalar) else ""
        if value is not None and not isinstance(value, bool):
            self.error(node.mark, f"{what} must be true or false, not {kind(node)}")
        return value is True

    def integers(self, node: Node, what: str) -> tuple[int, ...]:
        """A whole number, or a list of them, negative ones allowed; nothing is an empty list."""
        items = node.items if isinstance(node, Sequence) else (node,)
        read = (self._integer(item, f"{what} must be a whole number or a list of them") for item in items)
        return tuple(value for value in read if value is not None)

    def integer(self, node: Node, what: str) -> int:
        """A whole number, which may be negative; nothing is 0."""
        return self._integer(node, f"{what} must be a whole number") or 0

    def _integer(self, node: Node, rule: str) -> int | None:
        value = resolve(node.text) if isinstance(node, Scalar) else ""
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if value is not None:
            self.error(node.mark, f"{rule}, not {kind(node)}")
        return None

    def mapping(self, node: Node, what: str) -> Mapping | None:
        """The node if it is a map; otherwise a problem."""
        if isinstance(node, Mapping):
            return node
        self.error(node.mark, f"{what} must be a map, not {kind(node)}")
        return None
