"""Later documents, base.yaml, and what is said of the dialect."""

import pytest

from dagfs.model.dag import Dag, Param, Variable
from dagfs.spec.parse import Options, Reading, parse, read

FILE = """\
# the parent
steps:
  - call: one
    name: first
---
# the first child
name: one
params: [A: "1"]
steps:
  - echo a   # kept
  - call: two
---
name: two
steps:
  - command: echo b
    depends: []
---
name: three
steps: [{call: one}]
"""


def reading(text: str, **options: object) -> Reading:
    return parse(text.encode(), "f.yaml", options=Options(**options))  # type: ignore[arg-type]


def dag(text: str, **options: object) -> Dag:
    result = reading(text, **options)
    assert result.dag is not None, result.problems
    return result.dag


def messages(text: str, **options: object) -> list[str]:
    return [f"{each.line}: {each.message}" for each in reading(text, **options).problems]


def test_later_documents_are_texts_that_stand_by_themselves() -> None:
    found = dag(FILE)
    assert list(found.locals) == ["one", "two", "three"]
    assert "# the first child\nname: one" in found.locals["one"]
    assert "echo a   # kept" in found.locals["one"]
    for name, reached in (("one", ["two"]), ("two", []), ("three", ["one", "two"])):
        alone = read(found.locals[name].encode(), "x.yaml", options=Options(dialect=found.dialect))
        assert (alone.name, sorted(alone.locals)) == (name, reached)


def test_each_document_is_a_chain_or_a_graph_as_if_it_stood_alone() -> None:
    found = dag(FILE)
    types = {
        name: read(text.encode(), "x.yaml", options=Options(dialect=found.dialect)).type
        for name, text in found.locals.items()
    }
    assert (found.type, types) == ("chain", {"one": "chain", "two": "graph", "three": "chain"})
    old = dag(FILE, dialect="dagu1")
    text = old.locals["two"]
    assert read(text.encode(), "x.yaml", options=Options(dialect="dagu1")).type == "chain"
    assert "type:" not in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("steps: [x]\n---\nsteps: [x]\n", ["3: a second document needs a name:"]),
        (
            "steps: [x]\n---\nname: a\nsteps: [x]\n---\nname: a\nsteps: [x]\n",
            ["6: the name 'a' is already used in line 3"],
        ),
        (
            "steps: [x]\n---\nname: a\nstepz: []\n",
            ["3: the DAG has no steps", "4: unknown key 'stepz' in the DAG"],
        ),
        ("steps: [x]\n---\nhello\n", ["3: a DAG must be a map of keys like steps:, not 'hello'"]),
    ],
)
def test_problems_of_later_documents_have_lines_of_the_file(text: str, expected: list[str]) -> None:
    assert messages(text) == expected


def test_empty_documents_at_the_end_are_nothing() -> None:
    assert dag("steps: [x]\n---\n").locals == {}


@pytest.mark.parametrize(
    "text",
    [
        "--- {steps: [{call: a}]}\n--- {name: a, steps: [x]}\n",
        "steps: [{call: a}]\n...\n--- # c\nname: a\nsteps: [x]\n...\n",
        "steps: [{call: a}]\n---\nname: a\ndescription: |\n  text --- here\n\n  - x\nsteps:\n- x\n",
        "steps: [{call: a}]\r\n---\r\nname: a\r\ndescription: 'a\r\n\r\n  b'\r\nsteps: [x]\r\n",
        "steps: [{call: a}]\n---\nname: a\nenv: &e {K: 1.50, B: 'x\\\"y'}\nsteps: [{command: x, env: *e}]\n",
        'steps: [{call: a}]\n---\n{"name": a, "env": {"K": "\u00e9\U0001f600\\n"}, "steps": [x]}\n',
    ],
)
def test_odd_ways_to_write_documents(text: str) -> None:
    found = dag(text)
    alone = read(found.locals["a"].encode(), "x.yaml", options=Options(dialect=found.dialect))
    whole = read(text.partition("---" if not text.startswith("---") else "\n---")[2].encode(), "a.yaml")
    assert (alone.description, alone.env, alone.steps) == (whole.description, whole.env, whole.steps)


# -- base.yaml -----------------------------------------------------------------------------------

BASE = b"""
env: [A: base, B: base]
tags: [all]
params: [x, P: base]
timeout_sec: 60
smtp: {host: mail}
handler_on:
  exit: {run: echo base}
  failure: {run: echo base}
defaults: {timeout_sec: 5}
"""


def test_lists_of_base_are_appended_and_other_fields_replaced() -> None:
    text = "env: [A: own]\nparams: [y, P: own]\nhandler_on: {exit: {run: echo own}}\nsteps: [x]\ntags: b\n"
    found = dag(text, base=BASE)
    assert found.env == (Variable("A", "base"), Variable("B", "base"), Variable("A", "own"))
    assert found.params == (Param("1", "x"), Param("P", "own"), Param("3", "y"))
    assert (found.tags, found.timeout_sec, found.smtp) == (("all", "b"), 60, {"host": "mail"})
    assert {name: each.command for name, each in found.handler_on.items()} == {
        "failure": ("echo base",),
        "exit": ("echo own",),
    }
    assert found.steps[0].timeout_sec == 5
    assert dag("timeout_sec: 3\nsteps: [x]", base=BASE).timeout_sec == 3


def test_handlers_of_base_are_not_those_of_a_sub_dag() -> None:
    assert dag("steps: [x]", base=BASE, base_handlers=False).handler_on == {}


def test_problems_of_base_name_its_file() -> None:
    found = reading("steps: [x]", base=b"evn: []\nsteps: [y]\n", base_file="home/base.yaml")
    assert [str(each) for each in found.problems] == [
        "home/base.yaml:1:1: error: unknown key 'evn' in base.yaml",
        "home/base.yaml:2:1: warning: 'steps' in base.yaml says nothing for a DAG",
    ]
    assert [each.message for each in reading("steps: [x]", base=b"[a]").problems] == [
        "it must be a map of keys like env:, not a list"
    ]


def test_an_empty_base_is_none_at_all() -> None:
    assert dag("steps: [x]", base=b"# nothing\n") == dag("steps: [x]")


# -- what is said of the dialect -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("steps: [a, b]", ["read as a chain; Dagu 2.7 and later start all of these steps at once"]),
        ("steps: [a]", []),
        ("type: chain\nsteps: [a, b]", []),
        ("max_active_steps: 1\nsteps: [a, b]", []),
        (
            "steps: [{name: a, command: x}, {name: b, command: x}, {name: c, command: x, depends: a}]",
            ["read as a graph; Dagu 1.17 to 2.6 also run these steps in the order of the file"],
        ),
        ("steps: [{run: child}]", ["run: is read as shell text; in Dagu 1 it names a sub-DAG"]),
        ("steps: [{run: echo a}]", []),
    ],
)
def test_a_file_that_the_dialects_read_differently_is_remarked(text: str, expected: list[str]) -> None:
    found = reading(text)
    assert [each.message for each in found.remarks] == expected
    assert found.problems == ()
    assert {each.severity for each in found.remarks} <= {"note"}
    assert reading(text, dialect="dagu2").remarks == ()
