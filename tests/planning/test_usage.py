"""Which names a step hangs on, and whether it may read more than its text says."""

from __future__ import annotations

import pytest

from dagfs.model.dag import Condition, Dag, Executor, Param, Step, Variable
from dagfs.planning.shellwords import Unclear, simple_commands
from dagfs.planning.usage import condition_texts, is_opaque, names_in, used_names

PLAIN = [
    "",
    "true",
    "echo hello",
    "echo hello >out.txt 2>&1",
    "echo hello 2>/dev/null >> out.txt",
    "cat < in.txt > out.txt",
    "cat <in.txt | sort -u | X=1 cat",
    "exec 3>&1",
    "echo >&2 oh no",
    "echo $((1+2))",
    "echo $(( a + b * 2 ))",
    "echo ${x}",
    "echo ${x:-none} ${#x} ${x%.txt} ${x##*/} ${x/a/b} ${x:1:2}",
    "echo ${extract.stdout} ${extract.outputs.ROWS} ${DATA.items[0].name:0:5}",
    "echo $1 $? $$ $!",
    'echo "$x and ${y}"',
    "echo \"a;b|c&d\" 'e;f|g'",
    "echo 'it''s' \\; \\| done",
    "cat a | sort | head -n 3",
    "mkdir -p x && cd x || exit 1",
    "sleep 1 & wait",
    "if test -f x; then echo yes; elif [ -d x ]; then echo dir; else echo no; fi",
    "for f in a b 'c d'; do cat \"$f\"; done",
    'while read line; do echo "$line"; done < in.txt',
    "until test -e x; do sleep 1; done",
    "! grep -q x y",
    "{ echo a; echo b; } > out.txt",
    "(cd x && ls)",
    "# python3 tool.py\necho a # ; curl x",
    "echo a#b",
    'X=1 Y="$x" cat in.txt',
    "x=$(cat in.txt)",
    'x=$(date +%F) && echo "$x"',
    'echo "today: $(date +%F)"',
    "echo $(echo $(cat x))",
    "set -eu\necho x",
    "export X=1; echo $X",
    "echo one \\\n  two",
    "echo a;\n\n\necho b",
    'test -n "$x" -a -f y',
    "printf '%s\\n' \"$x\" | tee out.txt",
]
OPAQUE = [
    "python3 tool.py",
    "./tool",
    "/bin/ls",
    "echo a; curl x",
    "echo a && curl x",
    "echo a | curl x",
    "echo a & curl x",
    "echo a\ncurl x",
    "(curl x)",
    "{ curl x; }",
    "! curl x",
    "if curl x; then echo a; fi",
    "if true; then curl x; fi",
    "for f in a; do curl $f; done",
    "while curl x; do sleep 1; done",
    "case $x in a) curl y;; esac",
    "X=1 curl x",
    ">out curl x",
    "2>&1 curl x",
    "echo $(curl x)",
    'echo "$(curl x)"',
    'echo "a $(echo "b $(curl x)")"',
    "x=$(curl y)",
    "echo `curl x`",
    'echo "`curl x`"',
    "echo ${x:-$(curl y)}",
    "echo $((`curl x` + 1))",
    "echo $((curl x) | cat)",
    'echo "$((curl x) | cat)"',
    "cat <(curl x)",
    "echo a > >(curl x)",
    "cat <<EOF\ndon't\nEOF\ncurl 'x'",
    "cat <<EOF\n$(curl x)\nEOF",
    "echo a;#don't\ncurl 'x'",
    "echo $'don\\'t'; curl 'x'",
    "exec curl x",
    "trap 'curl x' EXIT",
    'eval "$x"',
    "$x y",
    "${x}",
    '"curl" x',
    "\\curl x",
    "c\\\nurl x",
    ". ./lib.sh",
    "source lib.sh",
    "sh -c 'echo a'",
    "env | sort",
    "printenv",
    "set",
    "set > dump",
    "export",
    "export -p",
    "readonly -p",
    "xargs curl < x",
    "find . -exec curl {} \\;",
    "sed 's/x/date/e' in.txt",
    "tar --to-command=curl -xf x.tar",
    "sort --compress-program=./tool x",
    "cat /proc/self/environ",
    "echo $DAGU_PARAMS_JSON",
    "echo ${!x}",
    "echo ${x[y]}",
    "echo ${x@P}",
    'echo "$@"',
    "test -v x",
    "[ -v x ]",
    'test "-v" x',
    "[[ $x -gt y ]]",
    "(( x > 1 ))",
    "f() { echo a; }; f",
    "ls() { curl x; }; ls",
    "function f { curl x; }; f",
    "a=(1 2); echo $a",
    "PATH=./bin:$PATH ls",
    "PATH=./bin; ls",
    "read PATH < x; ls",
    "LD_PRELOAD=./x.so ls",
    "echo 'open",
    'echo "open',
    "echo $(open",
    "echo )",
    "cat <",
    "time cat x",
    "#!/usr/bin/env python3\nprint(1)",
    "import os\nprint(os.environ)",
    "echo a\r\ncurl x",
    "echo " + "$(echo " * 60 + ")" * 60,
]


@pytest.mark.parametrize("text", PLAIN)
def test_a_text_of_built_ins_and_file_commands_is_not_opaque(text: str) -> None:
    assert not is_opaque(Step(name="a", command=(text,)))
    assert not is_opaque(Step(name="a", script=text))


@pytest.mark.parametrize("text", OPAQUE)
def test_a_text_that_may_start_programs_or_read_everything_is_opaque(text: str) -> None:
    assert is_opaque(Step(name="a", command=(text,)))
    assert is_opaque(Step(name="a", script=text))
    assert is_opaque(Step(name="a", command=("true", text)))


def test_every_plain_text_after_an_opaque_one_stays_opaque() -> None:
    for text in PLAIN:
        assert is_opaque(Step(name="a", command=(f"curl x\n{text}",)))
        assert is_opaque(Step(name="a", command=(f"{text}\ncurl x",)))


@pytest.mark.parametrize(
    "step",
    [
        Step(name="a", command=("true",), executor=Executor("docker", {"image": "alpine"})),
        Step(name="a", command=("true",), shell=("python3",)),
        Step(name="a", command=("true",), shell=("/bin/sh",)),
        Step(name="a", command=("true",), preconditions=(Condition("./check"),)),
        Step(name="a", command=("true",), env=(Variable("X", "$DAGU_PARAMS_JSON"),)),
    ],
)
def test_what_is_not_run_by_a_known_shell_is_opaque(step: Step) -> None:
    assert is_opaque(step)


def test_a_condition_that_expects_a_value_is_data() -> None:
    assert not is_opaque(Step(name="a", command=("true",), preconditions=(Condition("curl", expected="x"),)))
    assert not is_opaque(Step(name="a", command=("true",), preconditions=(Condition("test -f x"),)))


@pytest.mark.parametrize(
    ("shell", "opaque"),
    [
        ((), False),
        (("/bin/sh",), False),
        (("bash", "-eu", "-o", "pipefail"), False),
        (("/usr/bin/bash", "-l"), True),
        (("bash", "--rcfile", "x"), True),
        (("python3",), True),
        (("direct",), True),
        (("nu",), True),
    ],
)
def test_the_shell_of_the_dag_counts(shell: tuple[str, ...], opaque: bool) -> None:
    assert is_opaque(Step(name="a", command=("echo a",)), shell) is opaque


def test_a_text_is_taken_apart_into_simple_commands() -> None:
    assert simple_commands("if a 'b c' >d; then x=$(e f); fi # g") == [
        ["if", "a", "'b c'"],
        ["e", "f"],
        ["then", "x=$(e f)"],
        ["fi"],
    ]
    with pytest.raises(Unclear):
        simple_commands("cat <<EOF\nEOF\n")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("nothing here", set()),
        ("$A ${B} ${c.stdout:0:5} $1 ${12}", {"A", "B", "c", "1", "12"}),
        ("${A:-$B} ${#C} ${D%x} ${E//a/${F}} ${!G}", {"A", "B", "C", "D", "E", "F", "G"}),
        ("'$A'", {"A"}),
        ("$((A + 1)) (( B ))", {"A", "B"}),
    ],
)
def test_names_are_found_as_dagfs_and_as_a_shell_reads_them(text: str, names: set[str]) -> None:
    assert names <= names_in(text)
    if not names:
        assert not names_in(text)


def test_default_values_are_no_step_names() -> None:
    assert "A" in names_in("${A-word}")


def test_a_step_uses_what_its_variables_refer_to() -> None:
    dag = Dag(
        params=(Param("day", "$start"),),
        env=(Variable("DIR", "/data/${day}"), Variable("DIR", "$DIR/$sub")),
        steps=(
            Step(name="a", command=("ls $DIR",)),
            Step(name="b", command=("ls",)),
            Step(name="c", command=("ls $DIR",), env=(Variable("DIR", "/fixed"),)),
            Step(name="d", command=("ls $DIR",), env=(Variable("DIR", "$DIR/x"),)),
            Step(name="e", executor=Executor("docker", {"volumes": [{"from": "${VOLUME}"}]})),
            Step(name="f", stdout="$LOG", working_dir="$WHERE", preconditions=(Condition("$P"),)),
        ),
    )
    used = used_names(dag)
    assert used["a"] == {"DIR", "day", "start", "sub"}
    assert used["b"] == frozenset()
    assert used["c"] == frozenset()
    assert used["d"] == {"DIR", "day", "start", "sub"}
    assert used["e"] == {"VOLUME"}
    assert used["f"] == {"LOG", "WHERE", "P"}
    assert used_names(dag, condition_texts)["f"] == {"P"}
