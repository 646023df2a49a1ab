"""Takes shell text apart into simple commands, or says that it cannot.

It reads a part of the language only and gives up at everything else, so that whoever asks what a text
may start is never told too little.
"""

from __future__ import annotations

import re

_GAP = re.compile(r"(?:[ \t]|\\\n|\#[^\n]*)+")
_REDIRECTION = re.compile(r"(?:\d*(?:>>|>\||>&|>|<&|<>|<)|&>>?)(?![<>(])")
_TEXT = r"[^{}$`'\"\\]*"
_VARIABLE = rf"""
    \$(?:
        [A-Za-z_]\w* | [0-9?$!-]
      | \{{ \#? \w+ (?:\.[A-Za-z_][\w-]* | \[\d+\])*
        (?: :?[-=+?]{_TEXT} | [\#%/^,]{_TEXT} | :\d+(?::\d+)? )? \}}
      | \(\( (?: [\w\s+*/%<>=!&|?:,~^-] | \$\w+ | \$\{{\w+\}} )* \)\)
    )
"""
_PIECE = re.compile(rf"""[^\s;&|()<>'"`\\$]+ | \\. | '[^']*' | {_VARIABLE}""", re.VERBOSE | re.DOTALL)
_IN_QUOTES = re.compile(rf"""[^"\\`$]+ | \\. | {_VARIABLE} | \$(?=")""", re.VERBOSE | re.DOTALL)
_DEEPEST = 50


class Unclear(Exception):
    """The text holds something that is not read here: a here-document, backquotes, a function, …"""


def simple_commands(text: str) -> list[list[str]]:
    """Every command of the text, those of subshells and `$(…)` too, as words just as they are written.

    Keywords (`if`, `do`) and assignments are still among the words; redirections are not. Raises Unclear.
    """
    reader = _Reader(text)
    reader.read("")
    return reader.commands


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.depth = 0
        self.commands: list[list[str]] = []

    def read(self, closing: str) -> None:
        """Commands up to `closing`: `)`, or `""` for the end of the text."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise Unclear("nested too deeply")
        words: list[str] = []
        while (char := self.next()) != closing:
            if char in ("", ")"):
                raise Unclear(f"{char or 'end'} without its counterpart")
            if found := _REDIRECTION.match(self.text, self.place):
                self.place = found.end()
                self.next()
                self.word()
            elif char in ";&|\n":
                self.place += 1
                self.end(words)
                words = []
            elif char == "(":
                self.subshell(words)
                words = [":"]
            else:
                words.append(self.word())
        self.place += len(closing)
        self.end(words)
        self.depth -= 1

    def next(self) -> str:
        """The next character that is no gap and no comment, or `""`."""
        if found := _GAP.match(self.text, self.place):
            self.place = found.end()
        return self.text[self.place : self.place + 1]

    def end(self, words: list[str]) -> None:
        if words:
            self.commands.append(words)

    def subshell(self, words: list[str]) -> None:
        if words or self.text.startswith("((", self.place):
            raise Unclear("a function, an array or arithmetic")
        self.place += 1
        self.read(")")

    def word(self) -> str:
        """One word, whose substitutions are read as commands of their own."""
        start = self.place
        while self.place < len(self.text):
            if found := _PIECE.match(self.text, self.place):
                self.place = found.end()
            elif self.text[self.place] == '"':
                self.quoted()
            elif not self.substitution():
                break
        if self.place == start:
            raise Unclear(f"{self.text[start : start + 2]!r}")
        return self.text[start : self.place]

    def quoted(self) -> None:
        self.place += 1
        while self.text[self.place : self.place + 1] != '"':
            if found := _IN_QUOTES.match(self.text, self.place):
                self.place = found.end()
            elif not self.substitution():
                raise Unclear("in double quotes")
        self.place += 1

    def substitution(self) -> bool:
        if not self.text.startswith("$(", self.place) or self.text.startswith("$((", self.place):
            return False
        self.place += 2
        self.read(")")
        return True
