"""Commands within the values of params and env: the author's are run, a value's never."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

import pytest

from dagfs.model.dag import Param, Variable
from dagfs.spec.evaluation import (
    CommandFailed,
    Evaluator,
    Unevaluable,
    commands_in,
    evaluate_env,
    evaluate_params,
    here_document,
)
from dagfs.spec.values import Scope


class Shell:
    """Records what it is asked to run, and prints the values that the text was given."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, text: str, known: Mapping[str, str], extra: Mapping[str, str]) -> str:
        self.texts.append(text)
        if "fail" in text:
            raise CommandFailed("it failed")
        return f" <{text}|{','.join(extra.values())}> \n"


def old(shell: Shell) -> Evaluator:
    return Evaluator(shell, backquotes=True)


def test_backquotes_of_the_author_are_run_in_order() -> None:
    shell = Shell()
    entries = [Variable("A", "x`one`y"), Variable("B", "`two $A`"), Variable("C", "$A")]
    assert evaluate_env(entries, Scope(), old(shell)) == {
        "A": "x<one|>y",
        "B": "<two ${DAGFS_V1}|x<one|>y>",
        "C": "x<one|>y",
    }
    assert shell.texts == ["one", "two ${DAGFS_V1}"]


def test_a_backquote_in_a_value_is_text() -> None:
    shell = Shell()
    scope = Scope({"OUTER": "`evil`"})
    assert evaluate_env([Variable("A", "$OUTER")], scope, old(shell)) == {"A": "`evil`"}
    found = evaluate_params([Param("P", "`x`"), Param("Q", "$P")], [("P", "`evil`")], Scope(), old(shell))
    assert found == {"P": "`evil`", "Q": "`evil`"}
    assert shell.texts == []


def test_other_commands_and_escaped_backquotes_are_text() -> None:
    shell = Shell()
    assert evaluate_env([Variable("A", "$(no) \\`no\\`")], Scope(), old(shell)) == {"A": "$(no) \\`no\\`"}
    assert shell.texts == []


def test_dagu_2_runs_eval_alone() -> None:
    shell = Shell()
    new = Evaluator(shell, keep_unknown=True)
    params = [Param("P", "`x` $(y) ${params.U}"), Param("Q", eval="$(date) ${params.P}")]
    found = evaluate_params(params, [], Scope(), new)
    assert found["P"] == "`x` $(y) ${params.U}"
    assert shell.texts == [here_document("$(date) ${DAGFS_V1}")]
    assert found["Q"].endswith("|`x` $(y) ${params.U}>")
    assert evaluate_params(params, [("Q", "$(given)")], Scope(), new)["Q"] == "$(given)"


def test_a_quoted_reference_is_quoted_in_dagu_1() -> None:
    scope = Scope({"A": 'say "hi"\n'})
    assert evaluate_env([Variable("X", '{"a": "${A}", "b": "$A"}')], scope, old(Shell())) == {
        "X": '{"a": "say \\"hi\\"\\n", "b": "say \\"hi\\"\\n"}'
    }
    assert evaluate_env([Variable("X", '"${A}"')], scope) == {"X": '"say "hi"\n"'}


def test_what_fails_names_its_entry() -> None:
    with pytest.raises(Unevaluable, match="it failed") as caught:
        evaluate_env([Variable("A", "`fail`")], Scope(), old(Shell()))
    assert caught.value.path == "env.A"
    with pytest.raises(Unevaluable) as caught:
        evaluate_params([Param("P", "${U:?must}")], [], Scope())
    assert caught.value.path == "params.P"


def test_the_commands_of_a_text_are_found_once() -> None:
    assert commands_in(["a `x` `y`", "`x`", "none", "\\`z`"]) == ["x", "y"]


def test_what_ran_before_is_put_in_by_its_text() -> None:
    ran = Evaluator(backquotes=True, printed={"x": "`y`"})
    assert evaluate_env([Variable("A", "1`x`2`z`")], Scope(), ran) == {"A": "1`y`2`z`"}


def test_a_here_document_ends_where_the_text_does() -> None:
    assert here_document("DAGFS_END_OF_TEXT").startswith("cat <<DAGFS_END_OF_TEXT_\n")


@pytest.mark.parametrize(
    ("text", "code", "out"),
    [
        ('"$(echo "a  b")" `echo \'c  d\'` $V ${V:-x}', 0, '"a  b" c  d v v'),
        ("$(exit 3)", 3, ""),
        ("a $(exit 3) $(true)", 3, ""),
        ("`exit 4`x", 4, ""),
        ("\\$(exit 3) \\`no\\` '$(echo x)'", 0, "$(exit 3) `no` 'x'"),
        ("$((1 + 2)) $( (echo sub) )", 0, "3 sub"),
        ("$(case x in x) echo in;; esac) $(cat <<X\n)`echo h`\nX\n)", 0, "in )h"),
        ("$(echo $(echo deep; exit 5))", 0, "deep"),
        ("100% of DAGFS_END_OF_TEXT", 0, "100% of DAGFS_END_OF_TEXT"),
    ],
)
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_here_document_ends_with_the_first_command_that_fails(
    shell: str, text: str, code: int, out: str
) -> None:
    done = subprocess.run(
        [shell, "-c", here_document(text)],
        env={"V": "v", "PATH": os.defpath},
        stdout=subprocess.PIPE,
        check=False,
    )
    assert (done.returncode, done.stdout.decode().strip()) == (code, out)
