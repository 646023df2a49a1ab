"""`dagfs explain`: what a key of a DAG file, a setting, a rule, an exit code, a state or an event means."""

from __future__ import annotations

import argparse
import importlib
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from dagfs.cli.codes import EXIT_CODES, WHAT_TO_DO
from dagfs.cli.command import Command, add_json
from dagfs.cli.glossary import EVENTS, RUN_STATES, STEP_STATES
from dagfs.cli.opened import opened
from dagfs.cli.output import Output, visible
from dagfs.engine.configuration import variable
from dagfs.engine.settings import SETTINGS
from dagfs.errors import DagfsError, ExitCode, NotFound, UsageError
from dagfs.hooks.manager import PluginManager
from dagfs.model.rule import Rule
from dagfs.model.spelling import get_close_matches
from dagfs.model.value import field, frozen
from dagfs.spec.fields import PLACES, Place
from dagfs.spec.keys import camel
from dagfs.spec.schema import SHAPES

EXAMPLES = """
examples:
  dagfs explain                            everything there is to explain
  dagfs explain steps.retry_policy         a key; retryPolicy is found as well
  dagfs explain stale.semantic             a rule: what it stops, and what lifts it
  dagfs explain 75                         an exit code
  dagfs explain upstream_failed            a state
  dagfs explain step_kept                  an event
  dagfs explain settings.grace_sec         a setting of dagfs.yaml
  dagfs explain cron "30 2 * * 1-5"        a cron expression in words
"""
_WIDTH = 96
_SHOWN_AT_ONCE = 4
_USES = {"unused": "read, and without effect in this version"}


@frozen
class Topic:
    """Something that can be explained."""

    kind: str
    name: str
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    """More about it, by a word for each: texts or lists of texts."""
    words: tuple[str, ...] = ()
    """Other names it is found by."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("topic", nargs="?", metavar="TOPIC", help="what to explain [list all]")
    parser.add_argument("expression", nargs="*", metavar="EXPRESSION", help="with `cron` an expression")
    add_json(parser)


def offered() -> tuple[str, ...]:
    """What a shell completes the first word to: all that needs no home to be known."""
    every = (*_fields(), *_settings(), *_codes(), *_states(), *_events())
    return tuple(sorted({topic.name for topic in every} | {"cron"}))


def run(command: Command) -> int:
    if command.options.topic == "cron":
        # By name: croniter is not for whoever asks about something else.
        crontab = importlib.import_module("dagfs.cli.crontab")
        return int(crontab.explain_cron(command, " ".join(command.options.expression)))
    if command.options.expression:
        raise UsageError("one topic at a time", hint="only `dagfs explain cron` takes more")
    every = [*_fields(), *_settings(), *_codes(), *_states(), *_events(), *_rules(_known_rules(command))]
    if command.options.topic is None:
        _list(command, every)
        return ExitCode.DONE
    found = _find(command.options.topic, every)
    if command.options.json:
        command.output.json([_as_data(topic) for topic in found])
    elif len(found) > _SHOWN_AT_ONCE:
        command.output.table([[topic.name, topic.kind, visible(_short(topic.text))] for topic in found])
    else:
        for place, topic in enumerate(found):
            if place:
                command.output.line()
            _show(command.output, topic)
    return ExitCode.DONE


def _known_rules(command: Command) -> Iterable[Rule]:
    """Those of the home; the built-in ones without a home, or where it cannot be opened."""
    try:
        return opened(command).plugins.rules.values()
    except DagfsError:
        manager = PluginManager()
        manager.load_built_ins()
        return manager.rules.values()


# -- what there is -------------------------------------------------------------------------------


def _fields() -> Iterator[Topic]:
    for place in PLACES:
        for name in place.fields:
            yield _field(place, name)


def _field(place: Place, name: str) -> Topic:
    about, key = place.fields[name], place.table.every[name]
    path = f"{place.path}.{name}" if place.path else name
    aliases = [each for each, known in place.table.every.items() if known.field == name and each != name]
    spellings = [each for each in (camel(name), *aliases, *map(camel, aliases)) if each != name]
    below = [
        f"{inner.path}.{key}"
        for inner in PLACES
        if inner.path == path and inner.path != "steps"
        for key in inner.table.used.split()
    ]
    facts: dict[str, Any] = {
        "use": _USES.get(key.use, ""),
        "also written": list(dict.fromkeys(spellings)),
        "takes": SHAPES[about.shape].words if key.use == "used" else "",
        "default": about.default,
        "needed": "yes" if about.needed else "",
        "below it": below,
        "example": about.example,
    }
    words = [f"{place.path}.{each}" if place.path else each for each in aliases]
    words += [f"{path}.{each}" for path in place.elsewhere for each in (name, *aliases)]
    return Topic("key of a DAG file", path, about.doc, _said(facts), tuple(words))


def _settings() -> Iterator[Topic]:
    for key, setting in SETTINGS.items():
        default = setting.default
        text = str(default).lower() if isinstance(default, bool) else f"{default or 'none'}"
        facts = {"default": "0" if default == 0 and not isinstance(default, bool) else text}
        facts["environment"] = variable(key)
        names = (key, variable(key), variable(key).lower())
        yield Topic("setting of dagfs.yaml", f"settings.{key}", setting.doc, facts, names)


def _codes() -> Iterator[Topic]:
    for code, text in EXIT_CODES.items():
        facts = _said({"what to do": WHAT_TO_DO.get(code, "")})
        yield Topic("exit code", str(code.value), f"{code.name}: {text}.", facts, (code.name.lower(),))


def _states() -> Iterator[Topic]:
    tables: tuple[tuple[str, Mapping[Any, str]], ...] = (
        ("state of a run", RUN_STATES),
        ("state of a step", STEP_STATES),
    )
    for kind, table in tables:
        for state, text in table.items():
            yield Topic(kind, str(state), _sentence(text))


def _events() -> Iterator[Topic]:
    for name, text in EVENTS.items():
        yield Topic("event", name, _sentence(text))


def _rules(rules: Iterable[Rule]) -> Iterator[Topic]:
    for rule in rules:
        facts = {
            "lets pass": rule.accepted,
            "stops": rule.refused,
            "lifted by": rule.loosened_by or "nothing",
        }
        yield Topic("rule", rule.id, rule.summary, _said(facts))


def _said(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value}


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


# -- which one is meant --------------------------------------------------------------------------


def _find(said: str, every: Sequence[Topic]) -> list[Topic]:
    """The topics of that very name, or else those whose name ends with it; NotFound."""
    word = _plain(said)
    exact = [topic for topic in every if word in _names(topic)]
    tail = [topic for topic in every if any(name.endswith(f".{word}") for name in _names(topic))]
    group = [topic for topic in every if topic.name.startswith(f"{word}.")]
    # A key of the DAG is often one of steps too: both are meant.
    found = exact + [topic for topic in tail if topic not in exact] if "." not in word else exact or tail
    found = found or group
    if not found:
        names = {
            name: topic.name for topic in every for name in (*_names(topic), topic.name.rpartition(".")[2])
        }
        near = get_close_matches(word, names, 3, 0.6)
        close = list(dict.fromkeys(names[each] for each in near))
        hint = f"did you mean {' or '.join(close)}?" if close else "`dagfs explain` lists all topics"
        raise NotFound(f"there is nothing to explain about {said!r}", hint=hint)
    return found


def _names(topic: Topic) -> tuple[str, ...]:
    return (topic.name.lower(), *topic.words)


def _plain(said: str) -> str:
    """`steps[].retryPolicy` as `steps.retry_policy`; `UPSTREAM_FAILED` and `upstream-failed` in one way."""
    word = re.sub(r"\[\d*\]", "", said.strip()).strip(".")
    if not word.isupper():
        word = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", word)
    return word.replace("-", "_").lower()


# -- how it is shown -----------------------------------------------------------------------------


def _show(output: Output, topic: Topic) -> None:
    output.line(f"{output.styled(visible(topic.name), 'bold')}  ({topic.kind})")
    for line in textwrap.wrap(visible(topic.text), _WIDTH):
        output.line(f"  {line}")
    for word, value in topic.facts.items():
        text = visible(", ".join(value) if isinstance(value, list) else str(value))
        if "\n" in text or word == "example":
            output.line(f"  {word}:")
            output.line(textwrap.indent(text, "    "))
            continue
        head = f"  {word}: "
        for line in textwrap.wrap(text, _WIDTH, initial_indent=head, subsequent_indent="    "):
            output.line(line)


def _list(command: Command, every: Sequence[Topic]) -> None:
    if command.options.json:
        command.output.json([_as_data(topic) for topic in every])
        return
    kinds = dict.fromkeys(topic.kind for topic in every)
    for place, kind in enumerate(kinds):
        if place:
            command.output.line()
        command.output.line(f"{kind}:", style="bold")
        rows = [topic for topic in every if topic.kind == kind and "use" not in topic.facts]
        command.output.table([[f"  {visible(topic.name)}", visible(_short(topic.text))] for topic in rows])


def _short(text: str) -> str:
    """The first sentence, in one line."""
    first = re.split(r"(?<=[.;]) ", text, maxsplit=1)[0].rstrip(".;")
    return first if len(first) <= 80 else first[:79] + "…"


def _as_data(topic: Topic) -> dict[str, Any]:
    return {
        "kind": topic.kind,
        "name": topic.name,
        "text": topic.text,
        **{word.replace(" ", "_"): value for word, value in topic.facts.items()},
    }
