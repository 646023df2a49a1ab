"""References in data, params, env, dotenv, and text for other interpreters."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagfs.errors import SpecError
from dagfs.model.dag import Param, Variable
from dagfs.model.reference import Reference
from dagfs.spec.evaluation import Evaluator, evaluate_env, evaluate_params
from dagfs.spec.values import (
    Scope,
    StepRef,
    ValueRefused,
    expand,
    parse_assignments,
    parse_dotenv,
    rewrite_other,
)

SCOPE = Scope(
    {
        "A": "va",
        "EMPTY": "",
        "REF": "$A",
        "1": "first",
        "10": "tenth",
        "J": '{"a": {"b-c": [1.50, 2, {"c": "x"}, null, true, 1e20]}, "n": 3, "s": "t", "f": 2.0}',
        "L": '["x", {"y": 1}]',
        "N": "5",
        "BAD": "{oops",
        "DEEP": "[" * 100_000,
    },
    {
        "s": StepRef("/o", "/e", 3, "/a", {"X": "vx", "J": '{"k": 1}'}),
        "blank": StepRef(),
        "my-step": StepRef("/mine"),
    },
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("$A ${A} $A.b", "va va va.b"),
        ("$1 ${1} ${10} $10", "first first tenth first0"),
        ("$REF", "$A"),
        ("$U ${U} ${U.x} ${U:-d} $ $$ ${", "$U ${U} ${U.x} d $ $$ ${"),
        ("${EMPTY:-d} ${EMPTY-d} ${A:-d} ${U:-$A/x}", "d  va va/x"),
        ("\\$A \\${A}", "$A ${A}"),
        ("\\n $A", "\\n va"),
        ("$(date) `date` $A", "$(date) `date` va"),
        ("${J.a.b-c[0]} ${J.a.b-c[1]} ${J.n} ${J.s} ${J.f}", "1.5 2 3 t 2"),
        ("${J.a.b-c}", "[1.5 2 map[c:x] <nil> true 100000000000000000000]"),
        ("${J.a}", "map[b-c:[1.5 2 map[c:x] <nil> true 100000000000000000000]]"),
        ("${J.a.b-c[3]} ${J.nothing} ${J.s.deeper} ${J.a.b-c[9]}", "<nil> <nil> <nil> <nil>"),
        ("${L[0]} ${L[1].y}", "x 1"),
        ("${N.x} ${BAD.x} ${A.x} ${DEEP.x}", "${N.x} ${BAD.x} ${A.x} ${DEEP.x}"),
        ("${s.stdout} ${s.stderr} ${s.exit_code} ${s.exitCode} ${s.artifacts}", "/o /e 3 3 /a"),
        ("${s.outputs.X} ${s.outputs.J.k} ${s.outputs.J}", 'vx 1 {"k": 1}'),
        (
            "${s.outputs.U} ${s.outputs} ${s.what} $s.stdout",
            "${s.outputs.U} ${s.outputs} ${s.what} $s.stdout",
        ),
        ("${blank.stdout} ${blank.exit_code}", "${blank.stdout} ${blank.exit_code}"),
        ("${my-step.stdout}", "/mine"),
        ("${A:0:1} ${A:1} ${s.stdout:1:1} ${A:9:9}|", "v a o |"),
        (
            "${params.A} ${env.A} ${params.U} ${steps.s.outputs.X} ${steps.s.stdout}",
            "va va ${params.U} vx /o",
        ),
    ],
)
def test_references_in_data_become_values(text: str, expected: str) -> None:
    assert expand(text, SCOPE) == expected


def test_unknown_references_can_become_empty() -> None:
    assert expand("<$U> <${U.x}> <${A}>", SCOPE, keep_unknown=False) == "<> <> <va>"


@given(st.text(st.sampled_from("$A{}:-.[]0\\x "), max_size=30), st.text(max_size=10))
@settings(max_examples=300, deadline=None)
def test_values_are_never_expanded_again(text: str, value: str) -> None:
    marked = expand(text, Scope({"A": "\x00"}))
    assert expand(text, Scope({"A": "$A${A}" + value})).count("$A${A}" + value) >= marked.count(
        "\x00"
    ) - text.count(":")


@given(st.text(max_size=40))
@settings(max_examples=200, deadline=None)
def test_text_without_known_references_stays_apart_from_escapes(text: str) -> None:
    if "\\$" not in text and "-" not in text:
        assert expand(text, Scope()) == text


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_-]{0,5}", fullmatch=True), st.integers(), min_size=1, max_size=4
    )
)
def test_any_key_of_a_json_value_can_be_reached(data: dict[str, int]) -> None:
    for key, value in data.items():
        assert expand(f"${{V.{key}}}", Scope({"V": json.dumps(data)})) == str(value)


# -- other interpreters --------------------------------------------------------------------------


def test_harmless_values_are_put_into_the_text_of_other_interpreters() -> None:
    scope = Scope({"V": "a/b-1.2:3@x%+,=_"}, {"s": StepRef("/out")})
    assert rewrite_other("open('${s.stdout}'); x = '$V' $U \\$V", scope) == (
        "open('/out'); x = 'a/b-1.2:3@x%+,=_' $U \\$V"
    )


@pytest.mark.parametrize("value", ["a b", "'", '"', "`", "$x", "\n", "x\n", "é", "(", "\\", "\0", ";"])
def test_other_values_are_refused_with_the_variable_to_use(value: str) -> None:
    with pytest.raises(ValueRefused) as caught:
        rewrite_other("print('${V}')", Scope({"V": value}))
    assert (
        caught.value.message
        == "the value of ${V} holds characters that cannot be put into this script's text"
    )
    assert caught.value.hint == "read the environment variable V in the script instead"


def test_a_refused_value_without_a_variable_of_its_own_is_given_one() -> None:
    with pytest.raises(ValueRefused) as caught:
        rewrite_other("${J.a}", Scope({"J": '{"a": "x y"}'}))
    assert caught.value.hint == "set it under env: (NAME: ${J.a}), and read NAME from the environment"


# -- params and env ------------------------------------------------------------------------------


def test_assignments_are_by_name_or_by_place() -> None:
    assert parse_assignments(["K=v=w", "x y", "a b=c", "=z", "my-p="]) == [
        ("K", "v=w"),
        ("2", "x y"),
        ("3", "a b=c"),
        ("4", "=z"),
        ("my-p", ""),
    ]


DECLARED = (Param("1", "$HOME/x"), Param("K", "k-$1"), Param("L", "${K}!${U}"))


def test_defaults_see_the_scope_and_the_params_before_them() -> None:
    assert evaluate_params(DECLARED, [], Scope({"HOME": "/h"})) == {
        "1": "/h/x",
        "K": "k-/h/x",
        "L": "k-/h/x!",
    }
    assert evaluate_params(DECLARED[2:], [], Scope(), Evaluator(keep_unknown=True)) == {"L": "${K}!${U}"}


def test_overrides_are_data_by_name_by_place_or_new() -> None:
    given_ = [("1", "$A `x`"), ("2", "two"), ("NEW", "n"), ("7", "s")]
    assert evaluate_params(DECLARED, given_, Scope({"A": "a"})) == {
        "1": "$A `x`",
        "K": "two",
        "L": "two!",
        "NEW": "n",
        "7": "s",
    }


def test_entries_of_env_see_the_ones_before_them() -> None:
    entries = [
        Variable("A", "${A}:1"),
        Variable("B", "$A:$B"),
        Variable("A", "$A:2"),
        Variable("C", "`x` $(y)"),
    ]
    assert evaluate_env(entries, Scope({"A": "outer"})) == {
        "A": "outer:1:2",
        "B": "outer:1:",
        "C": "`x` $(y)",
    }


def test_evaluation_leaves_the_scope_alone() -> None:
    scope = Scope({"A": "a"})
    evaluate_env([Variable("A", "b")], scope)
    evaluate_params([Param("A", "b")], [], scope)
    assert scope.variables == {"A": "a"}


# -- dotenv --------------------------------------------------------------------------------------


def test_dotenv_reads_names_quotes_comments_and_references() -> None:
    text = (
        "\ufeff# comment\r\n\r\nA=1\r\nexport B = two words # why\nC='$A # raw'\n"
        'D="line\\nnext \\"q\\" \\$A $A ${B}" # c\nE=\nF=a#b\nG="two\nlines"\n'
        "H=${A}/x\nA=2\nI=#none\nJ=`date`"
    )
    assert parse_dotenv(text, ".env") == {
        "A": "2",
        "B": "two words",
        "C": "$A # raw",
        "D": 'line\nnext "q" $A 1 two words',
        "E": "",
        "F": "a#b",
        "G": "two\nlines",
        "H": "1/x",
        "I": "",
        "J": "`date`",
    }


def test_every_bad_line_of_a_dotenv_file_is_named() -> None:
    with pytest.raises(SpecError) as caught:
        parse_dotenv('A=1\nB="x\ny"\nnonsense\n1X=2\nC="open\n', ".env")
    assert [(each.where(), each.source) for each in caught.value.problems] == [
        (".env:4:1", "nonsense"),
        (".env:5:1", "1X=2"),
        (".env:6:1", 'C="open'),
    ]


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_dotenv_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(SpecError):
        parse_dotenv(text, ".env")


def test_a_reference_can_be_written_out() -> None:
    assert Reference("s", "stdout").text == "${s.stdout}"
    assert Reference("L", "[0]").text == "${L[0]}"
