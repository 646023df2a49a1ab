"""The YAML loader: scalar rules, marks, limits, and every way a file can be unreadable."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagfs.errors import SpecError
from dagfs.model.dag import Mark
from dagfs.spec import yaml
from dagfs.spec.node import Mapping, Scalar, Sequence
from dagfs.spec.yaml import load, load_plain


def plain(text: str) -> object:
    return load_plain(text.encode(), "f.yaml")[0]


@pytest.fixture(params=["libyaml", "python"])
def either_parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "python":
        monkeypatch.setattr(yaml, "_PARSER", yaml.yaml.SafeLoader)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[
            (text, text)
            for text in (
                "yes",
                "no",
                "on",
                "off",
                "y",
                "n",
                "12:30",
                "12:30:45",
                "2024-01-02",
                "2024-01-02T03:04:05Z",
                "0777",
                "007",
                "-01",
                "1_000",
                "0b11",
                ".inf",
                "-.INF",
                ".nan",
                "1e999",
                "nUll",
                "tRue",
                "1.2.3",
                "0x",
                "+",
                ".",
                "1e",
                "9" * 61,
                "٣",
            )
        ],
        *[(text, True) for text in ("true", "True", "TRUE")],
        *[(text, False) for text in ("false", "False", "FALSE")],
        *[(text, None) for text in ("", "~", "null", "Null", "NULL")],
        ("0", 0),
        ("42", 42),
        ("-7", -7),
        ("+7", 7),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.10", 1.1),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("-1.5E-3", -0.0015),
        ("'1'", "1"),
        ('"true"', "true"),
        ("!!str 5", "5"),
        ("! 5", "5"),
        ("!!int 5", 5),
        ("!!float 5", 5),
    ],
)
def test_plain_scalars_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    assert plain(f"k: {text}") == {"k": value}
    assert type(plain(f"k: {text}")["k"]) is type(value)  # type: ignore[index]


@pytest.mark.parametrize("text", ["1.10", "007", "0x1F", "TRUE", "~", "1e3"])
def test_the_text_of_a_scalar_is_kept(text: str) -> None:
    document = load(f"k: {text}".encode(), "f").documents[0]
    assert isinstance(document, Mapping)
    node = document.get("k")
    assert isinstance(node, Scalar)
    assert node.text == text


def test_keys_and_values_know_where_they_stand(either_parser: None) -> None:
    document = load(b"\xef\xbb\xbfa: 1\r\nb:\r\n  - x\r\n  - {c: '\xc3\xa9', d: 2}\r\n", "f").documents[0]
    assert isinstance(document, Mapping)
    assert [(entry.key, entry.mark) for entry in document.entries] == [("a", Mark(1, 1)), ("b", Mark(2, 1))]
    items = document.get("b")
    assert isinstance(items, Sequence)
    assert [item.mark for item in items.items] == [Mark(3, 5), Mark(4, 5)]
    inner = items.items[1]
    assert isinstance(inner, Mapping)
    assert [(entry.mark, entry.value.mark) for entry in inner.entries] == [
        (Mark(4, 6), Mark(4, 9)),
        (Mark(4, 14), Mark(4, 17)),
    ]


def test_plain_data_comes_with_marks_by_dotted_path() -> None:
    data, marks = load_plain(b"a:\n  b: 1\n  c: [x, {d: 2}]\n", "f")
    assert data == {"a": {"b": 1, "c": ["x", {"d": 2}]}}
    assert marks["a.b"] == Mark(2, 3)
    assert marks["a.c.1.d"] == Mark(3, 11)


def test_an_empty_file_is_none() -> None:
    assert load_plain(b"", "f") == (None, {})
    assert load_plain(b"# only a comment\n", "f") == (None, {})


def test_merge_keys_fill_in_what_a_map_does_not_say_itself() -> None:
    text = (
        "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {z: 3, <<: [*a, *b]}\nd: {<<: *a, x: 4}\ne: {'<<': 5}\n"
    )
    data = plain(text)
    assert data["c"] == {"x": 1, "y": 1, "z": 3}  # type: ignore[index]
    assert data["d"] == {"y": 1, "x": 4}  # type: ignore[index]
    assert data["e"] == {"<<": 5}  # type: ignore[index]


def test_aliases_give_separate_plain_values() -> None:
    data = plain("a: &a [1]\nb: *a\n")
    data["a"].append(2)  # type: ignore[index]
    assert data["b"] == [1]  # type: ignore[index]


def test_every_document_of_a_file_is_returned() -> None:
    documents = load(b"a: 1\n---\nb: &x 2\n---\nc: 3\n", "f").documents
    assert [document.mark for document in documents] == [Mark(1, 1), Mark(3, 1), Mark(5, 1)]
    assert [problem.message for problem in load(b"a: &x 1\n---\nb: *x\n", "f").problems] == [
        "no anchor '&x' stands above"
    ]
    with pytest.raises(SpecError, match=r"f:3:1: error: only one document is allowed in this file"):
        load_plain(b"a: 1\n---\nb: 2\n", "f")


BAD = [
    (b"x: 1\nx: 2\n", "f:2:1: error: the key 'x' is there twice; the first is in line 1"),
    (b"x: {a: 1, a: 2}\n", "f:1:11: error: the key 'a' is there twice; the first is in line 1"),
    (b"x: !!python/object:os.system y", "f:1:4: error: the tag !!python/object:os.system is not allowed"),
    (b"x: !mine y", "f:1:4: error: the tag !mine is not allowed"),
    (b"x: !!set {a}", "f:1:4: error: the tag !!set is not allowed"),
    (b"x: !!binary aGk=", "f:1:4: error: the tag !!binary is not allowed"),
    (b"x: !!int y", "f:1:4: error: 'y' is not what !!int says"),
    (b"? [a]\n: b", "f:1:3: error: a key must be text, not a list"),
    (b"x: {<<: 1}", "f:1:5: error: '<<' takes a map, or a list of maps"),
    (b"x: \xff", "f:1:4: error: not UTF-8: byte 0xff at byte 3"),
    (b"\xef\xbb\xbfx: 1\ny: \xc3\x28", "f:2:4: error: not UTF-8: byte 0xc3 at byte 11"),
    (b"\xff\xfex\0", "f:1:1: error: the file is UTF-16, not UTF-8 (byte 0)"),
    (b"x: 1\ny: a\0b", "f:2:5: error: a NUL byte at byte 9"),
    (b"x: \xc3\xa9\x1b", "f:1:5: error: the character U+001B is not allowed in YAML (byte 5)"),
    (b"x: &a [*a]", "f:1:8: error: the alias '*a' stands inside what it stands for"),
    (b"x: *a", "f:1:4: error: no anchor '&a' stands above"),
    (b"[" * 100_000, "f:1:41: error: nested more than 40 deep"),
    (b"- " * 100_000, "f:1:81: error: nested more than 40 deep"),
    (b"{a: " * 100_000, "f:1:161: error: nested more than 40 deep"),
    (b"? " * 100_000, "f:1:81: error: nested more than 40 deep"),
    (b"#" * 4_000_001, "f: error: the file has 4,000,001 bytes; the most allowed is 4,000,000"),
]


@pytest.mark.parametrize(("data", "problem"), BAD)
def test_what_is_wrong_is_said_at_its_place(either_parser: None, data: bytes, problem: str) -> None:
    assert [str(each) for each in load(data, "f").problems] == [problem]


@pytest.mark.parametrize(
    ("data", "start", "hint"),
    [
        (
            b"a: b: c",
            "f:1:5: error: not valid YAML: mapping values are not allowed",
            "put quotes round a text",
        ),
        (
            b"\tx: 1",
            "f:1:1: error: not valid YAML: found character",
            "quote the text, and indent with spaces",
        ),
        (
            b'a: "\\q"',
            "f:1:5: error: not valid YAML: found unknown escape character",
            "in double quotes write",
        ),
        (
            b"a: [1\nb: 2",
            "f:2:2: error: not valid YAML: did not find expected ',' or ']'",
            "close every [ and {",
        ),
        (
            b"a: 1\n b: 2\n",
            "f:2:3: error: not valid YAML: mapping values are not allowed",
            "put quotes round",
        ),
        (b"a:\n- x\nb\n", "f:4:1: error: not valid YAML: could not find expected ':'", None),
        (b"a: 'x", "f:1:6: error: not valid YAML: found unexpected end of stream", "close the quote"),
    ],
)
def test_syntax_errors_are_translated_with_a_hint(data: bytes, start: str, hint: str | None) -> None:
    (problem,) = load(data, "f").problems
    assert str(problem).startswith(start)
    assert (problem.hint or "").startswith(hint or "")
    assert bool(problem.hint) == bool(hint)


def test_problems_show_the_line_they_are_in() -> None:
    problems = load(b"a: 1\nb: {c: 1, c: 2}\na: 3\n", "f").problems
    assert [(problem.line, problem.source) for problem in problems] == [(2, "b: {c: 1, c: 2}"), (3, "a: 3")]


@pytest.mark.parametrize(
    "form", ["[{}]", "{{k1: {0}, k2: {0}, k3: {0}, k4: {0}, k5: {0}, k6: {0}, k7: {0}, k8: {0}}}"]
)
def test_an_alias_bomb_is_stopped_by_what_it_would_weigh(form: str) -> None:
    levels = ["a0: &a0 [x, x]"]
    for level in range(1, 30):
        inner = form.format(f"*a{level - 1}") if "k1" in form else f"[{', '.join([f'*a{level - 1}'] * 8)}]"
        levels.append(f"a{level}: &a{level} {inner}")
    (problem,) = load("\n".join(levels).encode(), "f").problems
    assert problem.message == "more than 200,000 values, aliases counted for all they stand for"


def test_a_merge_bomb_is_stopped_too() -> None:
    first = "a0: &a0 {" + ", ".join(f"k{i}: 1" for i in range(1000)) + "}"
    rest = [f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}" for i in range(1, 30)]
    assert load("\n".join([first, *rest]).encode(), "f").problems


def test_the_deepest_allowed_nesting_is_read() -> None:
    assert not load(b"[" * 40 + b"]" * 40, "f").problems
    assert load(b"[" * 41 + b"]" * 41, "f").problems


@given(st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_no_bytes_make_the_loader_raise(data: bytes) -> None:
    load(data, "f")


@given(st.text(st.sampled_from("ab:- \n\t[]{}&*!|>'\"#%@,?~1."), max_size=40))
@settings(max_examples=400, deadline=None)
def test_no_text_makes_the_loader_raise(text: str) -> None:
    load(text.encode(), "f")
