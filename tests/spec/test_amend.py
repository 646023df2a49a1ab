"""Single values written into the text of a spec, every other byte left alone."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dagfs.errors import UsageError
from dagfs.spec.amend import amend, parse_assignment, tagged
from dagfs.spec.parse import Options, read

SPEC = b"""\
# nightly
name: nightly   # its name
env:
  - HOST: db1
  - MODE=fast
steps:
  - name: extract
    run: ./extract   # slow
    timeout_sec: 60 # a minute
    env: {A: "1", B: two}
  - {name: transform, run: "./transform, fast"}
  - name: load
    run: |
      ./load
      ./check

    retry_policy:
      limit: 1
      interval_sec: 2
    depends: [transform]
  - name: image.box
    type: docker
    with:
      image: alpine:3
    run: 'true'
"""
STEPS = {name: name for name in ("extract", "transform", "load", "image.box")}


def changed(text: str, data: bytes = SPEC, dialect: str = "dagu2") -> tuple[list[str], list[str]]:
    """The lines that are gone, and those that have come."""
    new = amend(data, parse_assignment(text, STEPS), dialect)
    lines = list(difflib.ndiff(data.decode().splitlines(), new.decode().splitlines()))
    return [line[2:] for line in lines if line[0] == "-"], [line[2:] for line in lines if line[0] == "+"]


@pytest.mark.parametrize(
    ("assignment", "gone", "come"),
    [
        ("extract.timeout_sec=90", ["    timeout_sec: 60 # a minute"], ["    timeout_sec: 90 # a minute"]),
        ("extract.run=./new --x", ["    run: ./extract   # slow"], ["    run: ./new --x   # slow"]),
        ("extract.run=echo a: b", ["    run: ./extract   # slow"], ['    run: "echo a: b"   # slow']),
        ("extract.env.A=3", ['    env: {A: "1", B: two}'], ["    env: {A: 3, B: two}"]),
        ("extract.env.B=a, b", ['    env: {A: "1", B: two}'], ['    env: {A: "1", B: "a, b"}']),
        ("extract.env.C=x", ['    env: {A: "1", B: two}'], ['    env: {C: x, A: "1", B: two}']),
        ("extract.retry_policy.limit=3", [], ["    retry_policy: {limit: 3}"]),
        ("load.retry_policy.limit=3", ["      limit: 1"], ["      limit: 3"]),
        ("load.retry_policy.backoff=2", [], ["      backoff: 2"]),
        (
            "load.depends=[extract, transform]",
            ["    depends: [transform]"],
            ["    depends: [extract, transform]"],
        ),
        ("load.run=./other", ["    run: |", "      ./load", "      ./check", ""], ["    run: ./other"]),
        (
            "transform.timeout_sec=5",
            ['  - {name: transform, run: "./transform, fast"}'],
            ['  - {timeout_sec: 5, name: transform, run: "./transform, fast"}'],
        ),
        (
            "transform.run=x",
            ['  - {name: transform, run: "./transform, fast"}'],
            ["  - {name: transform, run: x}"],
        ),
        ("image.box.executor.config.image=alpine:4", ["      image: alpine:3"], ["      image: alpine:4"]),
        ("image.box.executor.config.pull=never", [], ["      pull: never"]),
        ("image.box.executor.type=noop", ["    type: docker"], ["    type: noop"]),
        (".name=weekly", ["name: nightly   # its name"], ["name: weekly   # its name"]),
        (".env.HOST=db2", ["  - HOST: db1"], ["  - HOST: db2"]),
        (".env.MODE=slow", ["  - MODE=fast"], ['  - "MODE=slow"']),
        (".env.NEW=1", [], ["  - NEW: 1"]),
        (".timeout_sec=600", [], ["timeout_sec: 600"]),
        (".handler_on.failure.run=./mail", [], ["handler_on: {failure: {run: ./mail}}"]),
    ],
)
def test_one_value_is_written_and_nothing_else(assignment: str, gone: list[str], come: list[str]) -> None:
    assert changed(assignment) == (gone, come)
    read(amend(SPEC, parse_assignment(assignment, STEPS), "dagu2"), "x", options=Options(dialect="dagu2"))


OLD = b"""\
steps:
  - name: a
    command: echo a
    retryPolicy:
      limit: 1
      intervalSec: 2
    executor:
      type: docker
      config: {image: x}
"""


@pytest.mark.parametrize(
    ("assignment", "come"),
    [
        ("a.retry_policy.interval_sec=5", "      intervalSec: 5"),
        ("a.timeout_sec=5", "    timeoutSec: 5"),
        ("a.executor.config.image=y", "      config: {image: y}"),
        ("a.continue_on.exit_code=[1, 2]", "    continueOn: {exitCode: [1, 2]}"),
    ],
)
def test_keys_are_spelled_as_the_text_spells_them(assignment: str, come: str) -> None:
    new = amend(OLD, parse_assignment(assignment, {"a": "a"}), "dagu1").decode().splitlines()
    assert come in new


def test_tags_are_added() -> None:
    assert b"tags: [urgent]\nsteps:" in tagged(SPEC, "urgent", "dagu2")
    assert b"tags: [b, a]" in tagged(b"tags: [a]\nsteps: []\n", "b", "dagu2")
    assert b'tags: "a, b"' in tagged(b"tags: a\nsteps: []\n", "b", "dagu2")
    assert b"labels:\n  - b\n  - a\n" in tagged(b"labels:\n  - a\nsteps: []\n", "b", "dagu2")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("extract", "expected STEP.FIELD=VALUE", ".FIELD=VALUE"),
        ("timeout_sec=3", "expected STEP.FIELD=VALUE", ".FIELD=VALUE"),
        ("extrakt.timeout_sec=3", "there is no step 'extrakt'", "did you mean 'extract'?"),
        ("extract.=3", "no step 'extract'", ""),
        ("=3", "expected", ""),
    ],
)
def test_what_is_no_assignment_is_named(text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_assignment(text, STEPS)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


def test_what_cannot_be_written_in_place_is_refused_with_a_way_out() -> None:
    anchored = b"x-a: &a {limit: 1}\nsteps:\n  - {name: a, run: b, retry_policy: *a}\n"
    for data, text in (
        (anchored, "a.retry_policy.limit=3"),
        (b"steps:\n  - echo\n", "a.timeout_sec=1"),
        (b"steps: [", "a.timeout_sec=1"),
        (b"steps:\n  - name: a\n    depends:\n      - b\n      - c\n", "a.depends=[c]"),
        (b"steps:\n  - name: a\n    env:\n", "a.env.X=1"),
    ):
        with pytest.raises(UsageError) as caught:
            amend(data, parse_assignment(text, {"a": "a"}), "dagu2")
        assert "dagfs edit" in (caught.value.hint or "")


def test_line_ends_and_a_mark_at_the_start_stay() -> None:
    data = b"\xef\xbb\xbfsteps:\r\n  - name: a\r\n    run: b"
    assert amend(data, parse_assignment("a.timeout_sec=1", {"a": "a"}), "dagu2") == (
        b"\xef\xbb\xbfsteps:\r\n  - name: a\r\n    timeout_sec: 1\r\n    run: b"
    )


@given(st.text(max_size=20))
@example("NULL")
@example("~")
@example("True")
def test_any_text_can_be_the_value_of_a_variable(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        return
    new = amend(SPEC, parse_assignment(f"extract.env.A={value}", STEPS), "dagu2")
    step = read(new, "x", options=Options(dialect="dagu2")).by_name["extract"]
    assert next(each.value for each in step.env if each.name == "A") == value
