"""Rewrite references in shell text so that values reach the shell as variables, never as text.

A small walk over the shell's quoting decides, for each reference, how its variable has to be written
there. The walk is exact for quotes, `$(…)`, backquotes, `${…}`, here-documents, comments and `case`
inside `$(…)`; where a text is not well formed it goes on as best it can. Whatever it decides, a value is
never part of the text, so a wrong guess can misplace a variable but cannot run a value.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from dagfs.errors import DagfsError
from dagfs.model.reference import PATTERN, Reference, references
from dagfs.model.value import field, mutable
from dagfs.spec.names import is_variable_name
from dagfs.spec.scope import Scope

TOO_LONG = 100_000
"""Bytes; a longer value does not go into the environment."""

_DEEPEST_HERE = 20
"""Here-documents inside one another; deeper ones are left alone."""

_SHELLS = frozenset(("sh", "bash", "dash", "ash", "ksh", "ksh93", "mksh", "lksh", "pdksh", "yash", "zsh"))
_DENIED = frozenset(
    ("PATH", "IFS", "ENV", "BASH_ENV", "SHELLOPTS", "BASHOPTS", "PS4", "UID", "EUID", "PPID", "GROUPS", "_")
)
_DENIED_PREFIXES = ("LD_", "PYTHON", "DAGFS_", "BASH_FUNC")
_SPECIAL = re.compile(r"[\\'\"$`#()<}\n]|(?<![\w$./=-])(?:case|esac)(?![\w./=-])")
_ANSI_QUOTED = re.compile(r"\$'((?:[^'\\]|\\.)*)'", re.DOTALL)
_HERE = re.compile(r"<<(-?)[ \t]*((?:\\.|'[^'\n]*'|\"[^\"\n]*\"|[^\s;&|()<>'\"\\`])+)")
_BRACE_OPERATOR = re.compile(r"\$\{!?\w+(?:\[[^\]\n]*\])?(.?)")
_COMMAND_START = re.compile(r"(?:^|[;&|(){\n`]|(?<!\w)(?:if|then|else|elif|do|while|until|in|!))[ \t]*$")


class ValueRefused(DagfsError):
    """A value cannot be handed to the step in the way its text asks for."""


def is_posix_shell(program: str) -> bool:
    """Whether `program` (a path or a name, or `busybox sh`, `env bash`) reads sh-like text."""
    words = program.split()
    while len(words) > 1 and words[0].rpartition("/")[2] in ("env", "busybox"):
        words = words[1:]
    return bool(words) and words[0].rpartition("/")[2] in _SHELLS


def exportable(name: str) -> bool:
    """Whether a variable of this name may be set in a step's environment without steering programs."""
    return is_variable_name(name) and name not in _DENIED and not name.startswith(_DENIED_PREFIXES)


def fits(name: str, value: str) -> bool:
    """Whether a variable can be had by a process."""
    return exportable(name) and "\0" not in value and len(value.encode(errors="surrogatepass")) <= TOO_LONG


def check_value(name: str, value: str) -> None:
    """Raise ValueRefused for a value that no environment can hold."""
    if "\0" in value:
        raise ValueRefused(
            f"the value of {name} holds a NUL byte", hint="write it to a file and hand on its path"
        )
    size = len(value.encode(errors="surrogatepass"))
    if size > TOO_LONG:
        raise ValueRefused(
            f"the value of {name} has {size:,} bytes; an environment variable may have {TOO_LONG:,}",
            hint="write it to an artifact, or to the file $DAGFS_OUTPUT names, and hand on its path",
        )


def rewrite_shell(
    text: str, scope: Scope, exported: Collection[str], *, first: int = 1
) -> tuple[str, dict[str, str]]:
    """The text with known references as variables, and the variables to add to the environment.

    These are numbered from `first`. `exported` are the names that will be in the environment under
    their own name; `$X` and `${X}` of those stay as they are. Raises ValueRefused for values that no
    environment can hold.
    """
    if "$" not in text:
        return text, {}
    table = _Table(scope, exported, first)
    return _Walk(text, table).run(), table.values


def substitutions(text: str) -> list[tuple[int, int]]:
    """Where commands stand in a text that is read like a here-document; those within `${…}` are left out."""
    walk = _Walk(text, _Table(Scope(), ()), "here")
    walk.run()
    return walk.commands


@mutable
class _Table:
    """Which variable stands for which reference."""

    scope: Scope
    exported: Collection[str]
    first: int = 1
    values: dict[str, str] = field(default_factory=dict)
    names: dict[tuple[str, str, tuple[int, int | None] | None], str] = field(default_factory=dict)

    def name(self, reference: Reference) -> str | None:
        """The variable to use; None for what nothing here knows. The own name where that is exported."""
        if not reference.path and reference.name in self.exported:
            return reference.name if reference.name in self.scope.variables else None
        key = (reference.name, reference.path, reference.slice)
        if key in self.names:
            return self.names[key]
        value = self.scope.find(reference)
        if value is None:
            return None
        check_value(reference.text, value)
        name = self.names[key] = f"DAGFS_V{self.first + len(self.names)}"
        self.values[name] = value
        return name

    def is_own(self, reference: Reference) -> bool:
        return not reference.path and reference.name in self.exported


@mutable
class _Frame:
    """One level of nesting: what ends it, and what quotes mean in it."""

    end: str
    kind: str = "command"
    """`command`, `double`, `brace`, `arithmetic` or `here`."""
    quoted: bool = False
    """Single quotes mean nothing here."""
    cases: int = 0
    depth: int = 0


@mutable
class _Walk:
    text: str
    table: _Table
    kind: str = "command"
    depth: int = 0
    place: int = 0
    out: list[str] = field(default_factory=list)
    frames: list[_Frame] = field(default_factory=list)
    pending: list[tuple[str, bool, bool]] = field(default_factory=list)
    """Here-documents whose text is still to come: delimiter, quoted, tabs stripped."""
    began: int = 0
    commands: list[tuple[int, int]] = field(default_factory=list)
    """Where substitutions begin and end that stand in nothing else."""

    def run(self) -> str:
        """Walk the whole text."""
        self.frames = [_Frame("", self.kind, quoted=self.kind == "here")]
        while found := _SPECIAL.search(self.text, self.place):
            self._take(found.start() - self.place)
            self._special(found[0])
        self.out.append(self.text[self.place :])
        return "".join(self.out)

    def _take(self, length: int) -> None:
        self.out.append(self.text[self.place : self.place + length])
        self.place += length

    def _open(self, length: int, frame: _Frame) -> None:
        if len(self.frames) == 1:
            self.began = self.place
        self._take(length)
        self.frames.append(frame)

    def _special(self, word: str) -> None:
        frame = self.frames[-1]
        if word == "\\":
            self._take(2)
        elif word == "$":
            self._dollar(frame)
        elif word == "`" and frame.end != "`":
            self._open(1, _Frame("`"))
        elif word == ")" and frame.kind == "arithmetic":
            self._close_arithmetic(frame)
        elif word == frame.end and not frame.cases:
            self._take(1)
            self.frames.pop()
            if len(self.frames) == 1 and frame.kind == "command":
                self.commands.append((self.began, self.place))
        elif word == '"' and frame.kind != "here":
            self._open(1, _Frame('"', "double", quoted=True))
        elif word == "'" and not frame.quoted:
            self._single()
        elif frame.kind == "command":
            self._in_command(word, frame)
        elif word == "(" and frame.kind == "arithmetic":
            frame.depth += 1
            self._take(1)
        else:
            self._take(len(word))

    def _in_command(self, word: str, frame: _Frame) -> None:
        if word == "#" and (self.place == 0 or self.text[self.place - 1] in " \t\n;&|()`"):
            self._comment(frame)
        elif word == "<":
            self._here()
        elif word == "\n":
            self._take(1)
            self._here_bodies()
        elif word == "(":
            double = self.text.startswith("((", self.place) and self._starts_command()
            self._open(2 if double else 1, _Frame(")", "arithmetic" if double else "command"))
        else:
            if word == "case" and self._starts_command():
                frame.cases += 1
            elif word == "esac" and frame.cases and self._starts_command():
                frame.cases -= 1
            self._take(len(word))

    def _starts_command(self) -> bool:
        start = max(0, self.place - 40)
        return _COMMAND_START.search(self.text[start : self.place]) is not None

    def _comment(self, frame: _Frame) -> None:
        ends = [self.text.find("\n", self.place)]
        if frame.end == "`":
            ends.append(self.text.find("`", self.place))
        here = [end for end in ends if end >= 0]
        self._take((min(here) if here else len(self.text)) - self.place)

    def _close_arithmetic(self, frame: _Frame) -> None:
        """`))` ends it; a single `)` says that it was a subshell all along."""
        if frame.depth:
            frame.depth -= 1
            self._take(1)
        elif self.text.startswith("))", self.place):
            self._take(2)
            self.frames.pop()
        else:
            self._take(1)
            frame.kind = "command"

    # -- references ----------------------------------------------------------------------------

    def _dollar(self, frame: _Frame) -> None:
        follows = self.text[self.place + 1 : self.place + 2]
        if self.text.startswith("$((", self.place):
            self._open(3, _Frame(")", "arithmetic"))
        elif follows == "(":
            self._open(2, _Frame(")"))
        elif follows == "'" and not frame.quoted and (quoted := _ANSI_QUOTED.match(self.text, self.place)):
            self._splice(quoted[1], "$'", quoted.end())
        elif found := PATTERN.match(self.text, self.place):
            self._reference(found[0])
        elif follows == "{":
            self._brace(frame)
        else:
            self._take(2 if follows and follows in "$?!@*#-" else 1)

    def _reference(self, said: str) -> None:
        reference = next(references(said))
        name = self.table.name(reference)
        if name is None or self.table.is_own(reference):
            self._take(len(said))
        else:
            self.out.append(f"${{{name}}}")
            self.place += len(said)

    def _brace(self, frame: _Frame) -> None:
        """`${X:-…}` and the like belong to the shell; only what stands inside is looked at."""
        operator = _BRACE_OPERATOR.match(self.text, self.place)
        pattern = operator is not None and operator[1] in tuple("#%/^,")
        self._open(2, _Frame("}", "brace", quoted=frame.quoted and not pattern))

    # -- single quotes -------------------------------------------------------------------------

    def _single(self) -> None:
        end = self.text.find("'", self.place + 1)
        if end < 0:
            self._take(len(self.text) - self.place)
            return
        self._splice(self.text[self.place + 1 : end], "'", end + 1)

    def _splice(self, content: str, opening: str, end: int) -> None:
        """Take known references out of the quotes: `'x ${A} y'` becomes `'x '"${A}"' y'`."""
        pieces: list[str] = []
        last = 0
        for reference in references(content):
            whole = reference.start == 0 and reference.end == len(content)
            escaped = reference.start > 0 and content[reference.start - 1] == "\\"
            if escaped or (whole and not reference.path and reference.slice is None):
                continue
            if self.table.scope.literal_quotes and not reference.path:
                continue
            name = self.table.name(reference)
            if name is not None:
                if reference.start > last:
                    pieces.append(f"{opening}{content[last : reference.start]}'")
                pieces.append(f'"${{{name}}}"')
                last = reference.end
        if not pieces:
            self._take(end - self.place)
            return
        if last < len(content):
            pieces.append(f"{opening}{content[last:]}'")
        self.out += pieces
        self.place = end

    # -- here-documents ------------------------------------------------------------------------

    def _here(self) -> None:
        if self.text.startswith("<<<", self.place):
            self._take(3)
        elif found := _HERE.match(self.text, self.place):
            delimiter = re.sub(r"\\(.)|['\"]", r"\1", found[2])
            self.pending.append((delimiter, delimiter != found[2], bool(found[1])))
            self._take(len(found[0]))
        else:
            self._take(1)

    def _here_bodies(self) -> None:
        for delimiter, quoted, tabs in self.pending:
            end, after = self._here_end(delimiter, tabs)
            body = self.text[self.place : end]
            self.out.append(body if quoted else self._here_body(body))
            self.out.append(self.text[end:after])
            self.place = after
        self.pending = []

    def _here_body(self, body: str) -> str:
        if self.depth >= _DEEPEST_HERE:
            return body
        return _Walk(body, self.table, "here", self.depth + 1).run()

    def _here_end(self, delimiter: str, tabs: bool) -> tuple[int, int]:
        """Where the delimiter's line begins, and where the text behind it does."""
        start = self.place
        while start < len(self.text):
            stop = self.text.find("\n", start)
            stop = len(self.text) if stop < 0 else stop
            line = self.text[start:stop]
            if (line.lstrip("\t") if tabs else line) == delimiter:
                return start, min(stop + 1, len(self.text))
            start = stop + 1
        return len(self.text), len(self.text)
