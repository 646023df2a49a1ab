"""Which names a step's work depends on, as far as its text tells."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from dagfs.model.dag import Dag, Step
from dagfs.model.graph import closure
from dagfs.model.reference import Reference, references
from dagfs.planning.shellwords import Unclear, simple_commands

_SHELLS = frozenset(("sh", "bash", "dash", "ash", "ksh", "mksh", "zsh"))
_SHELL_OPTIONS = re.compile(r"[-+][euxfC]+|-o|errexit|nounset|xtrace|pipefail")
_KEYWORDS = frozenset(("if", "then", "elif", "else", "fi", "while", "until", "do", "done", "{", "}", "!"))
# Commands that start no other programs, and whose work hangs on no variable but those of every program.
_PLAIN_WORDS = """
    : [ basename break cat cd chgrp chmod chown cmp comm continue cp cut date dd df diff dirname du echo
    exec exit export expr false fold for grep head hostname id join kill link ln ls md5sum mkdir mkfifo
    mktemp mv nl od paste popd printf pushd pwd read readlink readonly realpath return rm rmdir seq set
    sha1sum sha256sum shift sleep sort stat sum sync tac tail tee test touch tr true truncate type umask
    uname unset wait wc whoami yes
"""
_PLAIN = frozenset(_PLAIN_WORDS.split())
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
_QUOTING = re.compile(r"['\"\\]")
# Set within the text, these decide which programs its words name.
_STEERING = re.compile(r"(?:PATH|IFS|ENV|SHELLOPTS|BASHOPTS|BASH_\w+|LD_\w+)(?:\+?=|$)")
# What holds every variable or every parameter at once, and the one quoting that is not read here.
_READS_ALL = re.compile(r"PARAMS_JSON|\$\{params\}|/proc/|`")

_SHELL_NAME = re.compile(r"\$\{[#!]?([A-Za-z_]\w*|\d+)")
_ARITHMETIC = re.compile(r"\(\(([^()]*)\)\)")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")


def texts(step: Step) -> Iterator[str]:
    """Every text of a step in which references mean something."""
    yield from _texts_but_env(step)
    yield from (variable.value for variable in step.env)


def condition_texts(step: Step) -> Iterator[str]:
    """The texts that decide whether a step is skipped."""
    yield from (condition.eval or condition.condition for condition in step.preconditions)


def given_texts(step: Step) -> Iterator[str]:
    """The texts of what a step gives to its children."""
    yield step.call.text
    yield from (param.value for param in step.call.params)


def _texts_but_env(step: Step) -> Iterator[str]:
    yield from step.command
    yield from (step.script, step.working_dir, step.stdout, step.stderr, step.repeat_policy.condition)
    yield from condition_texts(step)
    yield from _strings(step.executor.config)
    yield from _call_texts(step)
    for each in step.outputs:
        yield from (each.value, each.path)
    if step.router:
        yield step.router.value


def _call_texts(step: Step) -> Iterator[str]:
    """What decides which DAG a step runs, with what, and for which items."""
    yield from (step.call.dag, step.call.text, step.call.body)
    yield from (param.value for param in step.call.params)
    if step.parallel:
        yield step.parallel.source
        yield from _strings(step.parallel.items)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _strings(item)


def names_in(text: str) -> set[str]:
    """Every name a text refers to: as dagfs reads it, and as a shell does (`${X:-y}`, `$((X + 1))`)."""
    if "$" not in text and "((" not in text:
        return set()
    found = {_name(reference) for reference in references(text)}
    found.update(_SHELL_NAME.findall(text))
    for arithmetic in _ARITHMETIC.findall(text):
        found.update(_IDENTIFIER.findall(arithmetic))
    return found


def _name(reference: Reference) -> str:
    """What it is about: `X` of `${X}`, of `${params.X}` and `${env.X}`; `consts.X` is a name by itself."""
    if reference.first and reference.name in ("params", "env"):
        return reference.first
    named = reference.first and reference.name == "consts"
    return f"consts.{reference.first}" if named else reference.name


def used_names(
    dag: Dag, chosen: Callable[[Step], Iterator[str]] = _texts_but_env
) -> dict[str, frozenset[str]]:
    """For each step the names its text refers to, and those that these refer to in turn.

    A variable of the step's own `env` counts as what its text refers to. `chosen` says which texts.
    """
    behind: dict[str, set[str]] = {}
    written = [(each.name, each.value) for each in dag.params]
    written += [(each.name, each.eval) for each in dag.params if each.eval]
    written += [(each.name, each.value) for each in dag.env]
    for name, text in written:
        behind.setdefault(name, set()).update(names_in(text))
    return {step.name: frozenset(closure(_direct(step, chosen(step)), behind)) for step in dag.steps}


def _direct(step: Step, chosen: Iterator[str]) -> set[str]:
    found = set().union(*map(names_in, chosen))
    return found.difference(each.name for each in step.env).union(
        *(names_in(each.value) for each in step.env)
    )


def is_opaque(step: Step, shell: Sequence[str] = ()) -> bool:
    """The step may start programs that read variables its text does not mention.

    True for everything but shell text made of built-ins and plain file commands: a wrong yes costs a
    question, a wrong no would keep work that should be done again. `shell` is that of steps that name
    none.
    """
    if step.executor.type not in ("shell", "command", "") or step.shell or not _is_posix(shell):
        return True
    commands = [each.eval or each.condition for each in step.preconditions if each.expected is None]
    programs = any(_starts_programs(text) for text in (*step.command, step.script, *commands))
    return programs or any(map(_READS_ALL.search, texts(step)))


def _is_posix(shell: Sequence[str]) -> bool:
    if not shell:
        return True
    return shell[0].rpartition("/")[2] in _SHELLS and all(map(_SHELL_OPTIONS.fullmatch, shell[1:]))


def _starts_programs(text: str) -> bool:
    if text.startswith("#!"):
        return True
    try:
        commands = simple_commands(text)
    except Unclear:
        return True
    return not all(map(_is_plain, commands))


def _is_plain(words: Sequence[str]) -> bool:
    """A command that starts no program which may look around in its environment."""
    bare = [_QUOTING.sub("", word) for word in words]
    if any(map(_STEERING.match, bare)):
        return False
    place = 0
    while place < len(words) and (words[place] in _KEYWORDS or _ASSIGNMENT.match(words[place])):
        place += 1
    if place == len(words):
        return True
    name, arguments = words[place], bare[place + 1 :]
    if name not in _PLAIN:
        return False
    if name == "exec":
        return not arguments
    if name in ("test", "["):
        return not {"-v", "-R"} & set(arguments)
    if name in ("set", "export", "readonly"):
        # Alone, or as `export -p`, they print every variable.
        return bool(arguments) and (name == "set") is arguments[0].startswith(("-", "+"))
    return not (name == "sort" and any(each.startswith("--") for each in arguments))
