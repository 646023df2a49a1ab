"""Rewriting of shell text: its form, and with real shells that values come out untouched."""

import os
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagfs.spec.values import (
    TOO_LONG,
    Scope,
    StepRef,
    ValueRefused,
    exportable,
    is_posix_shell,
    rewrite_shell,
)

SCOPE = Scope(
    {"A": "va", "B": "vb", "1": "first", "my-param": "dash", "J": '{"k": {"n": [1.50, null]}}', "PATH": "p"},
    {"s": StepRef("/logs/out", "/logs/err", 3, "/art", {"O": "vo"})},
)
EXPORTED = {"A", "B", "J"}


def rewritten(text: str) -> str:
    return rewrite_shell(text, SCOPE, EXPORTED)[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('echo $A ${A} "$A"', 'echo $A ${A} "$A"'),
        ('echo $1 "$1" ${1}0', 'echo ${DAGFS_V1} "${DAGFS_V1}" ${DAGFS_V1}0'),
        ("cat ${s.stdout}", "cat ${DAGFS_V1}"),
        ('cat "${s.stderr}" ${s.stderr}', 'cat "${DAGFS_V1}" ${DAGFS_V1}'),
        ("echo ${s.stdout:1:4}", "echo ${DAGFS_V1}"),
        (
            "echo $UNKNOWN ${UNKNOWN} ${UNKNOWN.x} ${s.nothing}",
            "echo $UNKNOWN ${UNKNOWN} ${UNKNOWN.x} ${s.nothing}",
        ),
        ("echo '$A' '${A}' 'x ${A} y'", "echo '$A' '${A}' 'x '\"${A}\"' y'"),
        ("echo '${s.stdout}'", 'echo "${DAGFS_V1}"'),
        ("echo '${A}${B}'", 'echo "${A}""${B}"'),
        ("echo 'a \\$A b'", "echo 'a \\$A b'"),
        ("echo '$U x'", "echo '$U x'"),
        ('echo \\$A \\${s.stdout} "\\$1"', 'echo \\$A \\${s.stdout} "\\$1"'),
        ("echo \"it's ${s.stdout} 'x ${1} y'\"", "echo \"it's ${DAGFS_V1} 'x ${DAGFS_V2} y'\""),
        ("echo $'a\\'b ${A} c'", "echo $'a\\'b '\"${A}\"$' c'"),
        ("echo ${A:-d} ${A#x} ${#A} ${A:-${s.stdout}}", "echo ${A:-d} ${A#x} ${#A} ${A:-${DAGFS_V1}}"),
        ("echo \"${U:-'x ${1} y'}\"", "echo \"${U:-'x ${DAGFS_V1} y'}\""),
        ("echo ${A%'${1} z'}", "echo ${A%\"${DAGFS_V1}\"' z'}"),
        ("echo $$A $?1 $#1", "echo $$A $?1 $#1"),
        ("x=1 # it's $1\necho '$1 x'", "x=1 # it's $1\necho \"${DAGFS_V1}\"' x'"),
        ("echo a#'$1 x'", "echo a#\"${DAGFS_V1}\"' x'"),
        ("echo \"$(echo 'x ${1}')\"", 'echo "$(echo \'x \'"${DAGFS_V1}")"'),
        (
            "echo \"$(echo \"in '$1 x'\")\" '$1 y'",
            'echo "$(echo "in \'${DAGFS_V1} x\'")" "${DAGFS_V1}"\' y\'',
        ),
        ("echo \"`echo '$1 x'`\"", 'echo "`echo "${DAGFS_V1}"\' x\'`"'),
        ("echo $(( $1 + (2 << 1) )) '$1 x'", "echo $(( ${DAGFS_V1} + (2 << 1) )) \"${DAGFS_V1}\"' x'"),
        ("(( A << 2 ))\necho '$1 x'", "(( A << 2 ))\necho \"${DAGFS_V1}\"' x'"),
        ("x=$((echo '$1 x'); echo)", "x=$((echo \"${DAGFS_V1}\"' x'); echo)"),
        (
            "x=$(case a in a) echo '$1 x';; esac) '$1 y'",
            "x=$(case a in a) echo \"${DAGFS_V1}\"' x';; esac) \"${DAGFS_V1}\"' y'",
        ),
        ("cat <<E\n'$1 x'\nE\necho '$1 y'", "cat <<E\n'${DAGFS_V1} x'\nE\necho \"${DAGFS_V1}\"' y'"),
        ("cat <<'E'\n$1\nE\necho $1", "cat <<'E'\n$1\nE\necho ${DAGFS_V1}"),
        ("cat <<\\E\n$1\nE\necho $1", "cat <<\\E\n$1\nE\necho ${DAGFS_V1}"),
        ('cat <<-"E"\n\t$1\n\tE\necho $1', 'cat <<-"E"\n\t$1\n\tE\necho ${DAGFS_V1}'),
        ("cat <<A <<'B'\n$1\nA\n$1\nB\necho $1", "cat <<A <<'B'\n${DAGFS_V1}\nA\n$1\nB\necho ${DAGFS_V1}"),
        ("cat <<E\n$(echo '$1 x')\nE", "cat <<E\n$(echo \"${DAGFS_V1}\"' x')\nE"),
        ("cat <<<$1 '$1 x'", "cat <<<${DAGFS_V1} \"${DAGFS_V1}\"' x'"),
        ("echo ${my-param} ${other-param}", "echo ${DAGFS_V1} ${other-param}"),
        ("echo $PATH", "echo ${DAGFS_V1}"),
        ("echo ${J.k.n[0]} ${J.k.n[1]}", "echo ${DAGFS_V1} ${DAGFS_V2}"),
        ("echo ${A:0:1}", "echo ${A:0:1}"),
        ("echo 'open ${s.stdout}", "echo 'open ${s.stdout}"),
        ('echo "open ${s.stdout}', 'echo "open ${DAGFS_V1}'),
        ("echo $", "echo $"),
        ("echo \\", "echo \\"),
        ("cat <<E\n$1", "cat <<E\n${DAGFS_V1}"),
    ],
)
def test_the_text_has_variables_where_references_were(text: str, expected: str) -> None:
    assert rewritten(text) == expected


def test_the_values_of_rewritten_references_are_returned_once_each() -> None:
    _, values = rewrite_shell(
        "$1 ${s.stdout} $1 ${J.k.n[0]} ${J.k.n[1]} ${s.exitCode} ${s.outputs.O}", SCOPE, EXPORTED
    )
    assert values == {
        "DAGFS_V1": "first",
        "DAGFS_V2": "/logs/out",
        "DAGFS_V3": "1.5",
        "DAGFS_V4": "<nil>",
        "DAGFS_V5": "3",
        "DAGFS_V6": "vo",
    }


def test_variables_can_be_numbered_on_from_an_earlier_text() -> None:
    assert rewrite_shell("$1 ${s.stdout}", SCOPE, EXPORTED, first=3) == (
        "${DAGFS_V3} ${DAGFS_V4}",
        {"DAGFS_V3": "first", "DAGFS_V4": "/logs/out"},
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("a\0b", "the value of ${1} holds a NUL byte"),
        ("é" * TOO_LONG, "the value of ${1} has 200,000 bytes; an environment variable may have 100,000"),
    ],
)
def test_a_value_no_environment_can_hold_is_refused(value: str, message: str) -> None:
    with pytest.raises(ValueRefused) as caught:
        rewrite_shell("echo $1", Scope({"1": value}), ())
    assert caught.value.message == message
    assert caught.value.hint


@pytest.mark.parametrize(
    "name", ["sh", "/bin/bash", "dash", "zsh", "busybox sh", "/usr/bin/env bash", "mksh"]
)
def test_posix_shells_are_known(name: str) -> None:
    assert is_posix_shell(name)


@pytest.mark.parametrize("name", ["", "python3", "fish", "/usr/bin/env python3", "direct", "shellish", "env"])
def test_other_programs_are_not_posix_shells(name: str) -> None:
    assert not is_posix_shell(name)


@pytest.mark.parametrize("name", ["A", "lower_case", "_x", "a1"])
def test_ordinary_names_can_be_exported(name: str) -> None:
    assert exportable(name)


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "IFS",
        "LD_PRELOAD",
        "BASH_ENV",
        "ENV",
        "PYTHONPATH",
        "SHELLOPTS",
        "PS4",
        "DAGFS_V1",
        "BASH_FUNC_x",
        "UID",
        "my-param",
        "1",
        "",
        "a.b",
        "a\n",
        "é",
    ],
)
def test_names_that_steer_programs_or_are_none_cannot_be_exported(name: str) -> None:
    assert not exportable(name)


def test_a_long_text_of_open_constructs_is_walked_in_linear_time() -> None:
    for piece in (
        "$(",
        "`",
        "${A:-",
        "'",
        "$'",
        '"',
        "((",
        "<<E\n",
        "${a",
        "case x in ",
        "\\",
        "$((",
        "${s.stdout",
        "cat <<E\n$(",
    ):
        rewrite_shell(piece * 20_000, SCOPE, EXPORTED)


SHELLS = [name for name in ("sh", "bash", "dash", "zsh", "busybox") if shutil.which(name)]


def run_shell(shell: str, text: str, scope: Scope, exported: set[str]) -> bytes:
    new, extra = rewrite_shell(text, scope, exported)
    env = {
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
        **{name: scope.variables[name] for name in exported},
        **extra,
    }
    argv = [shell, "sh", "-c", new] if shell == "busybox" else [shell, "-c", new]
    done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.returncode == 0, (new, done.stderr)
    return done.stdout


PIECES = [
    "'",
    '"',
    "`",
    "$(",
    ")",
    "$((1+1))",
    "${A}",
    "$A",
    "${s.path}",
    "\\",
    "\n",
    "*",
    "?",
    "[a]",
    "~",
    "-n",
    "--",
    "-e",
    ";",
    "&",
    "|",
    ">",
    "<",
    "#",
    " ",
    "\t",
    "\r",
    "é",
    "touch x",
    "EOF",
    "\x7f",
    "%s",
    "\\n",
    "{a,b}",
    "!",
    "$'",
    "=",
]
HOSTILE = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30),
)
FORMS = [
    ('"${NAME}"', '"${STEP}"', "{}"),
    ('"$NAME"', '"${STEP}"', "{}"),
    ("'<${NAME}>'", "'<${STEP}>'", "<{}>"),
    ('"$(printf "%s" "$NAME"; printf .)"', '"$(printf "%s" "${STEP}"; printf .)"', "{}."),
    ('"`printf \'%s.\' "$NAME"`"', '"`printf \'%s.\' "${STEP}"`"', "{}."),
    ('"${UNSET:-${NAME}}"', '"${UNSET:-${STEP}}"', "{}"),
]


@pytest.mark.parametrize("shell", SHELLS)
@given(values=st.lists(HOSTILE, min_size=1, max_size=24))
@settings(max_examples=12, deadline=None)
def test_hostile_values_come_out_of_a_real_shell_untouched(shell: str, values: list[str]) -> None:
    scope = Scope(
        {f"X{i}": value for i, value in enumerate(values)},
        {f"s{i}": StepRef(outputs={"o": value}) for i, value in enumerate(values)},
    )
    lines, expected = [], []
    for i, value in enumerate(values):
        for *pieces, shown in FORMS:
            for piece in pieces:
                said = piece.replace("NAME", f"X{i}").replace("STEP", f"s{i}.outputs.o")
                lines.append(f"printf '%s\\000' {said}")
                expected.append(shown.replace("{}", value))
    out = run_shell(shell, "\n".join(lines), scope, {f"X{i}" for i in range(len(values))})
    assert out == b"".join(each.encode() + b"\0" for each in expected)


@pytest.mark.parametrize("shell", SHELLS)
@given(value=HOSTILE.filter(lambda value: "\r" not in value))
@settings(max_examples=12, deadline=None)
def test_hostile_values_in_here_documents_come_out_untouched(shell: str, value: str) -> None:
    scope = Scope({"X": value}, {"s": StepRef(outputs={"o": value})})
    text = (
        "cat <<EOF; cat <<'RAW'\n'${X}' \"${s.outputs.o}\" $(printf '%s.' \"${s.outputs.o}\")\nEOF\n"
        "$X ${s.outputs.o}\nRAW\n"
    )
    expected = f"'{value}' \"{value}\" {value}.\n$X ${{s.outputs.o}}\n"
    assert run_shell(shell, text, scope, {"X"}) == expected.encode()


@given(st.text(st.sampled_from("$A1{}()'\"`\\<E\n #s.:-x"), max_size=40))
@settings(max_examples=300, deadline=None)
def test_no_value_ever_enters_the_text(text: str) -> None:
    scope = Scope({"A": "VALUE", "1": "VALUE"}, {"s": StepRef(stdout="VALUE", outputs={"x": "VALUE"})})
    assert "VALUE" not in rewrite_shell(text, scope, {"A"})[0]


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_text_without_known_references_is_left_alone(text: str) -> None:
    assert rewrite_shell(text, Scope(), ())[0] == text
