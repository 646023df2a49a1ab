"""The published schema takes what dagfs takes, in both spellings, and marks typical mistakes."""

import ast
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from dagfs.engine.configuration import read_settings
from dagfs.engine.settings import SETTINGS
from dagfs.errors import SpecError
from dagfs.spec.keys import ROOT, STEP, camel
from dagfs.spec.parse import Options, parse
from dagfs.spec.schema import dag_schema, settings_schema
from dagfs.spec.yaml import load_plain

REPOSITORY = Path(__file__).parent.parent.parent
VALIDATORS = {dialect: Draft202012Validator(dag_schema(dialect)) for dialect in ("auto", "dagu1", "dagu2")}
SETTINGS_SCHEMA = settings_schema((key, each.doc, dict(each.schema)) for key, each in SETTINGS.items())


def errors(text: str, dialect: str = "auto") -> list[str]:
    data, _ = load_plain(text.encode(), "x.yaml")
    return [error.message for error in VALIDATORS[dialect].iter_errors(data)]


@pytest.mark.parametrize("dialect", VALIDATORS)
def test_it_is_a_schema_itself(dialect: str) -> None:
    Draft202012Validator.check_schema(dag_schema(dialect))
    Draft202012Validator.check_schema(SETTINGS_SCHEMA)


@pytest.mark.parametrize("path", sorted((REPOSITORY / "dags").rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_dag_of_this_repository_fits(path: Path) -> None:
    # Editors apply a schema to each document of a file.
    assert [error for text in path.read_text().split("\n---\n") for error in errors(text)] == []


def texts_of_tests() -> list[str]:
    """Every text in the tests that dagfs reads as a DAG, as it is or as a part of one."""
    found: dict[str, None] = {}
    for folder in ("tests", "intg"):
        for path in sorted((REPOSITORY / folder).rglob("test_*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and ":" in node.value:
                    found |= dict.fromkeys(filter(is_valid, documents(textwrap.dedent(node.value))))
    return list(found)


def documents(text: str) -> Iterator[str]:
    """The text, and what it would be among the keys of a DAG or of a step."""
    yield text
    if len(text) < 400 and "steps" not in text:
        yield f"steps: [a]\n{text}"
        yield "steps:\n  - name: a\n" + textwrap.indent(text, "    ")


def is_valid(text: str) -> bool:
    found = parse(text.encode("utf-8", "replace"), "x.yaml", options=Options(name="x")).dag
    # Editors apply a schema to each document of a file.
    return found is not None and not found.locals and "\n---" not in text


def test_every_valid_document_of_the_tests_fits() -> None:
    texts = texts_of_tests()
    assert len(texts) > 100
    wrong = {text: errors(text) for text in texts if not _in_odd_case(text)}
    assert {text: said for text, said in wrong.items() if said} == {}


def _in_odd_case(text: str) -> bool:
    """Written in a case that only 1.x lets pass, which the schema leaves out on purpose."""
    known = {word for table in (ROOT, STEP) for name in table.every for word in (name, camel(name))}
    folded = {word.lower() for word in known}

    def odd(data: Any) -> bool:
        if isinstance(data, dict):
            return any(key not in known and key.lower() in folded for key in data) or any(
                map(odd, data.values())
            )
        return any(map(odd, data)) if isinstance(data, list) else False

    return odd(load_plain(text.encode("utf-8", "replace"), "x.yaml")[0])


@pytest.mark.parametrize(
    "text",
    [
        "name: x",
        "steps: [{nmae: a, run: b}]",
        "stepz: []\nsteps: [a]",
        "steps: 3",
        "steps: [{name: a, run: b, retry_policy: 3}]",
        "steps: [{name: a, run: b, retry_policy: {interval_sec: 3}}]",
        "steps: [{name: a, run: b, retry_policy: {limit: many}}]",
        "steps: [{name: a, run: b, timeout_sec: 1h}]",
        "steps: [{name: a, run: b, timeout_sec: -1}]",
        "steps: [{name: a, run: b, continue_on: always}]",
        "steps: [{name: a, run: b, continue_on: {failure: 3}}]",
        "steps: [{name: a, run: b, signal_on_stop: SIGNOPE}]",
        "steps: [{name: a, run: b, repeat_policy: {repeat: sometimes}}]",
        "steps: [{name: a, run: b, repeat_policy: {backoff: 0.5}}]",
        "steps: [{name: a, run: b, output: 'not a name'}]",
        "steps: [{name: a, run: {b: c}}]",
        "steps: [{name: a, run: b, env: [NOVALUE]}]",
        "steps: [{name: a, run: b, env: {not-a-name: 1}}]",
        "type: chian\nsteps: [a]",
        "max_active_steps: 1.5\nsteps: [a]",
        "handler_on: {faliure: {run: a}}\nsteps: [a]",
        "preconditions: [{expected: a, negte: true}]\nsteps: [a]",
    ],
)
def test_a_typical_mistake_is_marked(text: str) -> None:
    assert errors(text)
    assert parse(text.encode(), "x.yaml").errors


def test_both_spellings_are_there_and_each_dialect_has_its_own() -> None:
    snake = "steps: [{name: a, run: b, retry_policy: {limit: 1, interval_sec: 2}}]"
    both = "steps: [{name: a, command: b, retryPolicy: {limit: 1, intervalSec: 2}}]"
    assert (errors(snake), errors(both)) == ([], [])
    assert (errors(snake, "dagu2"), errors(both, "dagu1")) == ([], [])
    assert errors(snake, "dagu1")
    assert errors(both, "dagu2")


def test_every_key_in_use_has_words_for_the_editor() -> None:
    schema = dag_schema()
    for place in (schema, *schema["$defs"].values()):
        for name, said in place.get("properties", {}).items():
            assert said.get("description"), name


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("", True),
        ("dialect: dagu1\nshell: [bash, -u]\nstore: {id: abc, group: true}\ngrace_sec: 2.5\n", True),
        ("dialect: dagu3\n", False),
        ("grace_sec: soon\n", False),
        ("store: {grop: true}\n", False),
        ("max_active_steps: -1\n", False),
        ("load_plugins: 'yes'\n", False),
    ],
)
def test_the_schema_of_settings_agrees_with_their_reading(text: str, fits: bool, tmp_path: Path) -> None:
    assert (not list(Draft202012Validator(SETTINGS_SCHEMA).iter_errors(yaml.safe_load(text)))) == fits
    path = tmp_path / "dagfs.yaml"
    path.write_text(text)
    if fits:
        read_settings(path)
    else:
        with pytest.raises(SpecError):
            read_settings(path)
