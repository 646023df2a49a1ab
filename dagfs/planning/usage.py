"""Which names a step's work depends on, as far as its text tells."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dagfs.model.dag import Dag, Step
from dagfs.model.graph import closure
from dagfs.model.reference import references

# Commands that no variable of ours makes do anything else. None of them starts other programs.
_PLAIN_COMMANDS = frozenset(
    re.findall(
        r"\S+",
        """
        [ [[ : { } ! basename break case cat cd chgrp chmod chown cmp comm continue cp cut date dd df diff
        dirname do done du echo elif else esac exit export expr false fi fold for function grep gunzip gzip
        head hostname id if in join kill link ln ls md5sum mkdir mkfifo mktemp mv nl od paste popd printf
        pushd pwd read readlink readonly realpath return rm rmdir sed seq set sha1sum sha256sum shift sleep
        sort split stat sum sync tac tail tee test then touch tr trap true truncate type umask uname unset
        until wait wc while whoami yes
        """,
    )
)
_QUOTED = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\])*\"|\\.|(?:^|(?<=\s))#[^\n]*")
_ARITHMETIC = re.compile(r"\$\(\([^()]*\)\)")
_VARIABLE = re.compile(r"\$\{[^}]*\}|\$\w+")
_REDIRECTION = re.compile(r"\d*(?:>>?|<)&?\s*[^\s;|&<>()]*|&>>?\s*\S+")
_COMMAND_START = re.compile(r"(?:^|[\n;|&(`]|(?<!\S)(?:[{!]|do|then|else|elif|if|while|until)(?=\s))\s*")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=\S*\s*")
_WORD = re.compile(r"[^\s;|&()<>`]+")


def texts(step: Step) -> Iterator[str]:
    """Every text of a step in which references mean something."""
    yield from step.command
    yield from (step.script, step.working_dir, step.stdout, step.stderr, step.repeat_policy.condition)
    yield from (variable.value for variable in step.env)
    yield from (condition.condition for condition in step.preconditions)
    yield from _strings(step.executor.config)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _strings(item)


def _names(text: str) -> set[str]:
    return {reference.name for reference in references(text)} if "$" in text else set()


def used_names(dag: Dag) -> dict[str, frozenset[str]]:
    """For each step the names its text refers to, and those that these refer to in turn."""
    behind = {param.name: _names(param.value) for param in dag.params}
    behind |= {variable.name: _names(variable.value) for variable in dag.env}
    return {
        step.name: frozenset(closure(set().union(*map(_names, texts(step))), behind)) for step in dag.steps
    }


def is_opaque(step: Step) -> bool:
    """The step may start programs that read variables its text does not mention.

    True for everything but shell text made of built-ins and plain file commands: a wrong yes costs a
    question, a wrong no would keep work that should be done again.
    """
    if step.executor.type not in ("shell", "command", "") or step.shell:
        return True
    return any(_starts_programs(text) for text in (*step.command, step.script) if text)


def _starts_programs(text: str) -> bool:
    if text.startswith("#!") or re.search(r'"[^"]*(?:`|\$\((?!\())', text):
        return True
    bare = _QUOTED.sub(" _ ", text.replace("\\\n", " "))
    for noise in (_ARITHMETIC, _VARIABLE):
        bare = noise.sub("$", bare)
    bare = _REDIRECTION.sub(" ", bare)
    return any(_command(bare, found.end()) not in _PLAIN_COMMANDS for found in _COMMAND_START.finditer(bare))


def _command(text: str, start: int) -> str:
    """The command word at `start`, past assignments; `:` where there is none."""
    while found := _ASSIGNMENT.match(text, start):
        start = found.end()
    word = _WORD.match(text, start)
    return word[0] if word else ":"
