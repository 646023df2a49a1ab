"""From text to a Dag: every field in both spellings, and every problem with its message and place."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagfs.errors import SpecError
from dagfs.model.dag import (
    Call,
    Condition,
    ContinueOn,
    Dag,
    Executor,
    Mark,
    Output,
    Param,
    RepeatPolicy,
    RetryPolicy,
    Step,
    Variable,
)
from dagfs.spec.parse import Options, Reading, parse, read

KNOWN = ("shell", "docker", "ssh", "http")


def reading(text: str, **options: object) -> Reading:
    return parse(text.encode(), "dir/f.yaml", options=Options(executors=KNOWN, **options))  # type: ignore[arg-type]


def dag(text: str, **options: object) -> Dag:
    result = reading(text, **options)
    assert result.dag is not None, result.problems
    return result.dag


def step(text: str, **options: object) -> Step:
    """The one step whose fields `text` gives, an indented block."""
    lines = "\n".join(f"    {line}" for line in text.splitlines())
    return dag(f"steps:\n  - name: a\n{lines}\n", **options).steps[0]


def problems(text: str, **options: object) -> list[str]:
    found = reading(text, **options).problems
    return [
        f"{each.line}:{each.column}: {'' if each.severity == 'error' else 'warning: '}{each.message}"
        + (f" ({each.hint})" if each.hint else "")
        for each in found
    ]


CAMEL = """
name: all.of-it
description: everything
tags: A, b ,b
type: graph
params: one K=v L="two words"
env:
  - A: 1.10
    B: 007
  - C=x=y
  - D:
dotenv: other.env
shell: bash -eu
workingDir: /work
preconditions:
  - test -f x
  - condition: ${A}
    expected: re:x
    negate: true
handlerOn:
  success: {command: echo ok}
  cancel: {name: cleanUp, command: echo no}
timeoutSec: 60
delaySec: 1.5
maxActiveSteps: 3
steps:
  - name: first
    id: f1
    description: d
    command: echo 1
    shell: [zsh, -f]
    dir: sub
    env: {X: "1"}
    output: OUT
    stdout: o.txt
    stderr: e.txt
    continueOn: {failed: true, skipped: true, exitCode: [1, 2], output: re:x, markSuccess: true}
    retryPolicy: {limit: 3, intervalSec: 5, exitCode: 7, backoff: true, maxIntervalSec: 60}
    timeoutSec: 5
    signalOnStop: SIGINT
  - name: second
    script: |
      echo 2
    depends: f1
    repeatPolicy: {repeat: until, condition: c, expected: e, intervalSec: 1, limit: 2, exitCode: [0]}
    precondition: test -d y
    executor:
      type: docker
      config: {image: alpine, n: 1}
"""
SNAKE = """
name: all.of-it
description: everything
labels: [a, b]
type: graph
params: [one, K=v, L: two words]
env: {A: 1.10, B: 007, C: x=y, D: }
dotenv: [other.env]
shell: bash
shell_args: [-eu]
working_dir: /work
preconditions:
  - test -f x
  - {condition: "${A}", expected: "re:x", negate: true}
handler_on:
  success: {run: echo ok}
  abort: {name: cleanUp, run: echo no}
timeout_sec: 60
delay_sec: 1.5
max_active_steps: 3
steps:
  first:
    id: f1
    description: d
    run: echo 1
    shell: zsh -f
    working_dir: sub
    env: [X=1]
    output: {name: OUT}
    stdout: o.txt
    stderr: e.txt
    continue_on: {failure: true, skipped: true, exit_code: [1, 2], output: ["re:x"], mark_success: true}
    retry_policy: {limit: 3, interval_sec: 5, exit_code: [7], backoff: 2, max_interval_sec: 60}
    timeout_sec: 5
    signal_on_stop: sigint
  second:
    script: "echo 2\\n"
    depends: [first]
    repeat_policy: {repeat: until, condition: c, expected: e, interval_sec: 1, limit: 2, exit_code: 0}
    preconditions: test -d y
    type: docker
    with: {image: alpine, n: 1}
"""
EVERYTHING = Dag(
    name="all.of-it",
    description="everything",
    tags=("a", "b"),
    params=(Param("1", "one"), Param("K", "v"), Param("L", "two words")),
    env=(Variable("A", "1.10"), Variable("B", "007"), Variable("C", "x=y"), Variable("D", "")),
    dotenv=(".env", "other.env"),
    shell=("bash", "-eu"),
    working_dir="/work",
    preconditions=(Condition("test -f x"), Condition("${A}", "re:x", True)),
    handler_on={
        "success": Step("onSuccess", command=("echo ok",)),
        "abort": Step("cleanUp", command=("echo no",)),
    },
    timeout_sec=60,
    delay_sec=1.5,
    max_active_steps=3,
    steps=(
        Step(
            "first",
            "f1",
            "d",
            ("echo 1",),
            shell=("zsh", "-f"),
            working_dir="sub",
            env=(Variable("X", "1"),),
            output=Output("OUT"),
            stdout="o.txt",
            stderr="e.txt",
            continue_on=ContinueOn(True, True, (1, 2), ("re:x",), True),
            retry_policy=RetryPolicy(3, 5, (7,), 2, 60),
            timeout_sec=5,
            signal_on_stop="SIGINT",
        ),
        Step(
            "second",
            script="echo 2\n",
            depends=("first",),
            repeat_policy=RepeatPolicy("until", 1, 2, "c", "e", (0,)),
            preconditions=(Condition("test -d y"),),
            executor=Executor("docker", {"image": "alpine", "n": 1}),
        ),
    ),
)


@pytest.mark.parametrize("text", [CAMEL, SNAKE])
def test_both_spellings_say_the_same(text: str) -> None:
    found = dag(text)
    assert (
        found.as_data() == EVERYTHING.as_data() | {"dialect": "dagu1"}
        if text is CAMEL
        else EVERYTHING.as_data()
    )
    assert Dag.from_data(found.as_data()) == found


def test_camel_case_is_read_where_the_dialect_is_dagu2() -> None:
    found = dag(CAMEL, dialect="dagu2")
    assert found.dialect == "dagu2"
    assert found.steps == EVERYTHING.steps


def test_keys_of_dagu_1_match_in_any_case() -> None:
    text = "Steps:\n  - NAME: a\n    COMMAND: x\n    CONTINUEON: {FAILURE: true}\n"
    assert dag(text, dialect="dagu1").steps == (Step("a", command=("x",), continue_on=ContinueOn(True)),)


def test_fields_know_where_they_stand() -> None:
    found = dag(CAMEL)
    second = found.by_name["second"]
    assert found.mark("timeout_sec") == Mark(23, 1)
    assert found.mark("env.B") == Mark(9, 5)
    assert found.mark("params.K") == Mark(6, 9)
    assert second.mark() == Mark(41, 5)
    assert second.mark("depends") == Mark(44, 5)
    assert second.mark("executor.config.image") == Mark(49, 16)
    assert found.by_name["first"].mark("env.X") == Mark(33, 11)
    assert found.handler_on["abort"].mark("name") == Mark(22, 12)


# -- dialects and types --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "dialect", "type_", "reason"),
    [
        ("maxActiveSteps: 1\nsteps: [x]", "dagu1", "chain", "'maxActiveSteps' in line 1 is a key of Dagu 1"),
        (
            "steps: [{command: x, executor: docker}]",
            "dagu1",
            "chain",
            "'executor' in line 1 is a key of Dagu 1",
        ),
        ("steps: [{command: x, retryPolicy: {limit: 1, intervalSec: 1}}]", "dagu1", "chain", None),
        ("steps: {a: {command: x, continueOn: failed}}", "dagu1", "chain", None),
        ("handlerOn: {exit: {command: x}}\nsteps: [x]", "dagu1", "chain", None),
        (
            "max_active_steps: 1\nsteps: [x]",
            "dagu2",
            "graph",
            "'max_active_steps' in line 1 is a key of Dagu 2",
        ),
        ("labels: a\nsteps: [x]", "dagu2", "graph", None),
        ("steps: [{id: a, run: x}]", "dagu2", "graph", "'run' in line 1 is shell text"),
        ("steps: [{run: x, continue_on: {exit_code: 1}}]", "dagu2", "graph", None),
        ("steps: [{run: x, executor: shell}]", "dagu2", "graph", "'run' in line 1 is shell text"),
        ("steps: [{command: x, retry_policy: {limit: 1}, executor: shell}]", "dagu2", "graph", None),
        (
            "steps: [{run: x}, {command: y}]",
            "dagu2",
            "chain",
            "no key tells the dialect, and no step has depends",
        ),
        (
            "steps: [{name: a, run: x}, {command: y, depends: a}]",
            "dagu2",
            "graph",
            "no key tells the dialect, and steps say what they depend on",
        ),
        ("type: graph\nsteps: [x]", "dagu2", "graph", None),
        ("env: {maxActiveSteps: 1}\nsteps: [x]", "dagu2", "chain", None),
    ],
)
def test_the_dialect_is_told_by_the_keys(text: str, dialect: str, type_: str, reason: str | None) -> None:
    found = reading(text)
    assert (found.dialect, found.type) == (dialect, type_)
    assert found.dag is not None
    assert (found.dag.dialect, found.dag.type) == (dialect, type_)
    assert reason is None or found.reason == reason


def test_a_pinned_dialect_and_type_are_not_decided_again() -> None:
    found = reading("max_active_steps: 1\nsteps: [x, y]", dialect="dagu2", type="chain")
    assert found.dag is not None
    assert (found.type, found.dag.steps[1].depends) == ("chain", ("cmd_1",))
    assert reading("steps: [x, y]", dialect="dagu1", type="graph").type == "graph"
    assert reading("steps: [x]", dialect="dagu1").reason == "the setting says dagu1"


def test_the_type_in_the_text_stands_above_a_pinned_one() -> None:
    assert reading("type: graph\nsteps: [x]", type="chain").type == "graph"


def test_run_names_a_sub_dag_in_dagu_1_and_is_shell_text_elsewhere() -> None:
    text = "steps:\n  - run: echo hi\n"
    assert dag(text).steps[0].command == ("echo hi",)
    assert dag(text, dialect="dagu1").steps[0].call == Call("echo hi")


# -- chains --------------------------------------------------------------------------------------


def test_a_chain_adds_the_step_before_to_what_a_step_says() -> None:
    text = (
        "type: chain\nsteps: [{name: a, command: x}, {name: b, command: x}, "
        "{name: c, command: x, depends: [a]}, {name: d, command: x, depends: []}]"
    )
    assert dict(dag(text).depends) == {"a": (), "b": ("a",), "c": ("a", "b"), "d": ()}
    assert reading(text).dialect == "dagu1"


def test_a_chain_of_dagu_2_takes_no_depends_and_no_router() -> None:
    text = "type: chain\nsteps: [{name: a, run: x}, {name: b, run: x, depends: []}]"
    assert problems(text) == [
        "2:46: step 'b' has depends in a chain, which orders its steps by itself "
        "(leave depends out, or say type: graph)"
    ]
    routed = "type: chain\nsteps: [{id: a, type: router, value: x, routes: {y: b}}, {id: b, run: x}]"
    assert problems(routed) == ["2:41: a router needs type: graph (in a chain every step runs)"]


def test_a_nested_list_is_a_group_that_runs_side_by_side() -> None:
    text = (
        "steps:\n  - name: a\n    run: x\n  - - p\n    - {name: q, run: x}\n"
        "  - [r, s]\n  - name: z\n    run: x\n"
    )
    assert dict(dag(text).depends) == {
        "a": (),
        "cmd_2": ("a",),
        "q": ("a",),
        "cmd_4": ("cmd_2", "q"),
        "cmd_5": ("cmd_2", "q"),
        "z": ("cmd_4", "cmd_5"),
    }
    assert problems("type: graph\nsteps: [[a]]") == [
        "2:9: a list inside steps needs type: chain (or use depends to order steps)"
    ]


def test_a_map_of_steps_is_no_chain_of_its_own() -> None:
    assert dict(dag("type: chain\nsteps: {a: {run: x}, b: {run: y}}").depends) == {"a": (), "b": ()}


def test_steps_without_a_name_get_one() -> None:
    text = (
        "steps:\n  - x\n  - script: x\n  - command: |\n      a\n      b\n  - {type: docker, command: x}\n"
        "  - {id: i5, command: x}\n"
    )
    assert [step.name for step in dag(text).steps] == ["cmd_1", "script_2", "script_3", "docker_4", "i5"]
    assert [step.name for step in dag(text, dialect="dagu1").steps][4] == "cmd_5"
    assert [step.name for step in dag("steps: [x, {name: cmd_1, run: y}]").steps] == ["cmd_3", "cmd_1"]


def test_a_command_of_several_lines_stays_one_text() -> None:
    assert step("command: |\n  a\n  b").command == ("a\nb\n",)
    assert step("command: [a, b]").command == ("a", "b")


def test_the_name_of_the_dag_is_its_own_then_the_one_given_then_the_files() -> None:
    assert dag("name: x\nsteps: [a]", name="y").name == "x"
    assert dag("steps: [a]", name="y").name == "y"
    assert dag("steps: [a]").name == "f"


# -- parts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b", {"1": "a", "2": "b"}),
        (
            'a K=v L="q \\"r\\"" M=\'s t\' N=`date +%s` O=',
            {"1": "a", "K": "v", "L": 'q "r"', "M": "s t", "N": "`date +%s`", "O": ""},
        ),
        ("K=a=b P=$(x y)", {"K": "a=b", "P": "$(x", "3": "y)"}),
        ('{"b": 1, "a": "x"}', {"a": "x", "b": "1"}),
        ("[1, x, {a: 1}]", {"1": "[1,", "2": "x,", "3": "{a:", "4": "1}]"}),
        ('[1, "x", {"a": [1]}]', {"1": "1", "2": "x", "a": "[1]"}),
        ("[]", {}),
        ("", {}),
    ],
)
def test_params_can_be_one_text(text: str, expected: dict[str, str]) -> None:
    found = dag(f"params: '{text.replace(chr(39), chr(39) * 2)}'\nsteps: [x]")
    assert {param.name: param.value for param in found.params} == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{b: 1.10, a: true}", [("b", "1.10"), ("a", "true")]),
        ("[x, b: 007, 5, 'K=v w']", [("1", "x"), ("b", "007"), ("3", "5"), ("K", "v"), ("5", "w")]),
        ("[{name: A, default: 5, required: true}]", [("A", "5")]),
        ("[{name: A}]", [("name", "A")]),
    ],
)
def test_params_can_be_a_map_or_a_list(text: str, expected: list[tuple[str, str]]) -> None:
    found = dag(f"params: {text}\nsteps: [x]")
    assert [(param.name, param.value) for param in found.params] == expected


def test_dagu_1_sorts_a_map_of_params_and_prints_what_is_no_text() -> None:
    found = dag("params: [{b: [x, 1], a: {k: 1.50}}]\nsteps: [x]", dialect="dagu1")
    assert [(param.name, param.value) for param in found.params] == [("a", "map[k:1.5]"), ("b", "[x 1]")]


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("{repeat: true}", "while"),
        ("{repeat: false, condition: c}", ""),
        ("{condition: c}", "while"),
        ("{exit_code: 1}", "while"),
        ("{condition: c, expected: e}", "until"),
        ("{repeat: While}", "while"),
        ("{repeat: until, exit_code: [0]}", "until"),
        ("{interval_sec: 1}", ""),
    ],
)
def test_the_mode_of_repetition_follows_from_what_is_said(text: str, mode: str) -> None:
    assert step(f"run: x\nrepeat_policy: {text}").repeat_policy.mode == mode


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("executor: docker", Executor("docker")),
        ("executor: ~", Executor()),
        ("executor: {type: container, config: {image: x}}", Executor("docker", {"image": "x"})),
        ("type: command", Executor("shell")),
        ("type: http\nconfig: {timeout: 5, json: true}", Executor("http", {"timeout": 5, "json": True})),
        ("type: http\nwith: {headers: {a: [1]}}", Executor("http", {"headers": {"a": [1]}})),
    ],
)
def test_an_executor_can_be_said_in_several_ways(text: str, expected: Executor) -> None:
    assert step(f"run: x\n{text}").executor == expected


@pytest.mark.parametrize("text", ["failed", "failure", "{failed: true}", "{failure: true}"])
def test_continue_on_failure_can_be_one_word(text: str) -> None:
    assert step(f"run: x\ncontinue_on: {text}").continue_on == ContinueOn(failure=True)


def test_an_output_may_be_written_like_a_reference() -> None:
    assert step("run: x\noutput: ${OUT}").output == Output("OUT")
    assert step("run: x\noutput: {name: A, key: k, omit: true}").output == Output("A", "k", True)


# -- problems ------------------------------------------------------------------------------------

ROOT_PROBLEMS = [
    ("", ["0:0: the file is empty (a DAG needs steps:)"]),
    ("# c\n---\n", ["3:1: the document is empty (a DAG needs steps:)"]),
    ("[a]", ["1:1: a DAG must be a map of keys like steps:, not a list"]),
    ("hello", ["1:1: a DAG must be a map of keys like steps:, not 'hello'"]),
    ("name: a", ["1:1: the DAG has no steps (add steps:)"]),
    ("steps:", ["1:7: steps must be a list or a map, not nothing"]),
    ("steps: 5", ["1:8: steps must be a list or a map, not '5'"]),
    ("nmae: a\nsteps: []", ["1:1: unknown key 'nmae' in the DAG (did you mean 'name'?)"]),
    ("qqq: a\nsteps: []", ["1:1: unknown key 'qqq' in the DAG"]),
    (
        "otel: {}\ngroup: q\nsteps: []",
        [
            "1:1: warning: key 'otel' is not used by this version",
            "2:1: warning: key 'group' is not used by this version",
        ],
    ),
    ("container: 3\nsteps: []", ["1:12: container must be the name of a container or a map, not '3'"]),
    ("container: {}\nsteps: []", ["1:1: container needs an image, or exec: with the name of a container"]),
    (
        "container: {exec: a, image: b}\nsteps: []",
        ["1:22: container has 'image' beside exec, which needs a new container"],
    ),
    (
        "container: {image: b, pull_policy: often}\nsteps: []",
        ["1:36: pull_policy must be always, missing, never, true or false, not 'often'"],
    ),
    ("ssh: x\nsteps: []", ["1:6: ssh must be a map, not 'x'"]),
    ("consts: x\nsteps: []", ["1:9: consts must be a map or a list of maps, not 'x'"]),
    ("consts: [a: 1, a: 2]\nsteps: []", ["1:16: the constant 'a' is there twice (keep one of the two)"]),
    ("secrets: x\nsteps: []", ["1:10: secrets must be a list of maps, not 'x'"]),
    ("secrets: [x]\nsteps: []", ["1:11: each of secrets must be a map, not 'x'"]),
    ("secrets: [{name: A, key: k}]\nsteps: []", ["1:11: a secret needs provider:"]),
    (
        "secrets: [{name: A, provider: env, key: k}, {name: A, provider: env, key: k}]\nsteps: []",
        ["1:45: the secret 'A' is there twice (keep one of the two)"],
    ),
    (
        "log_output: mergd\nsteps: []",
        ["1:13: log_output must be 'separate' or 'merged', not 'mergd' (did you mean 'merged'?)"],
    ),
    ("mail_on: {Error: true}\nsteps: []", ["1:11: unknown key 'Error' in mail_on"]),
    ("error_mail: {form: a}\nsteps: []", ["1:14: unknown key 'form' in error_mail (did you mean 'from'?)"]),
    ("defaults: {retries: 1}\nsteps: []", ["1:12: unknown key 'retries' in defaults"]),
    ("actions: {a: {}}\nsteps: []", ["1:11: the action 'a' needs a template"]),
    (
        "timeoutSec: 1\ntimeout_sec: 2\nsteps: []",
        ["2:1: 'timeout_sec' says the same as 'timeoutSec' in line 1 (keep one of the two)"],
    ),
    ("timeout_sec: soon\nsteps: []", ["1:14: timeout_sec must be a number of seconds, not 'soon'"]),
    ("timeout_sec: -3\nsteps: []", ["1:14: timeout_sec must not be negative, but is '-3'"]),
    ("timeout_sec: [1]\nsteps: []", ["1:14: timeout_sec must be a number of seconds, not a list"]),
    ("timeout_sec: true\nsteps: []", ["1:14: timeout_sec must be a number of seconds, not 'true'"]),
    ("max_active_steps: 1.5\nsteps: []", ["1:19: max_active_steps must be a whole number, not '1.5'"]),
    ("type: chian\nsteps: []", ["1:7: type must be 'chain' or 'graph', not 'chian' (did you mean 'chain'?)"]),
    ("type: agent\nsteps: []", ["1:7: dagfs has no DAGs of type 'agent'"]),
    ("name: a b\nsteps: []", ["1:7: the name 'a b' may hold only letters, digits, '_', '.' and '-'"]),
    (
        f"name: {'n' * 41}\nsteps: []",
        [f"1:7: the name '{'n' * 40}...' has 41 characters; the most allowed is 40"],
    ),
    ("description: [a]\nsteps: []", ["1:14: description must be a text, not a list"]),
    ("tags: [[a]]\nsteps: []", ["1:8: each item of tags must be a text, not a list"]),
    ("env: [A]\nsteps: []", ["1:7: each item of env must be NAME=value or a map, not 'A'"]),
    (
        "env: {1A: x}\nsteps: []",
        ["1:7: '1A' cannot be the name of a variable (use letters, digits and _, and no digit first)"],
    ),
    ("env: [A: [1]]\nsteps: []", ["1:10: the value of A must be a text, not a list"]),
    ("env: [[A=1]]\nsteps: []", ["1:7: each item of env must be NAME=value or a map, not a list"]),
    (
        "params: {a b: x}\nsteps: []",
        ["1:10: 'a b' cannot be the name of a parameter (use letters, digits and _, and no digit first)"],
    ),
    ("params: [A: 1, A: 2]\nsteps: []", ["1:16: the parameter 'A' is there twice (keep one of the two)"]),
    ('params: K="x\nsteps: []', ["1:9: params has a quote that is not closed"]),
    ("shell: bash '\nsteps: []", ["1:8: shell has a quote that is not closed"]),
    ("preconditions: [[a]]\nsteps: []", ["1:17: each of preconditions must be a text or a map, not a list"]),
    ("preconditions: {expected: x}\nsteps: []", ["1:16: each of preconditions needs a condition"]),
    (
        "preconditions: {condition: x, eval: x}\nsteps: []",
        ["1:31: each of preconditions has a condition or eval, not both"],
    ),
    ("handler_on: x\nsteps: []", ["1:13: handler_on must be a map, not 'x'"]),
    (
        "handler_on: {succes: {run: x}}\nsteps: []",
        ["1:14: unknown key 'succes' in handler_on (did you mean 'success'?)"],
    ),
    (
        "handler_on: {abort: {run: x}, cancel: {run: x}}\nsteps: []",
        ["1:31: 'cancel' says the same as 'abort' in line 1 (keep one of the two)"],
    ),
    (
        "handler_on: {exit: {run: x, depends: a}}\nsteps: [{name: a, run: x}]",
        ["1:38: the exit handler cannot depend on steps"],
    ),
    (
        "handler_on: {exit: {description: x}}\nsteps: []",
        ["1:20: the exit handler has nothing to run (give it run: or script:)"],
    ),
    (
        "handler_on: {exit: {run: x}}\nsteps: [{name: onExit, run: x}]",
        ["1:14: the handler name 'onExit' is already used in line 2"],
    ),
]


@pytest.mark.parametrize(("text", "expected"), ROOT_PROBLEMS)
def test_problems_of_the_root_are_named_at_their_place(text: str, expected: list[str]) -> None:
    assert problems(text) == expected


STEP_PROBLEMS = [
    ("{name: a}", "2:5: step 'a' has nothing to run (give it run: or script:)"),
    ("{name: a, run: ''}", "2:5: step 'a' has nothing to run (give it run: or script:)"),
    ("", "2:4: step 1 is empty"),
    ("{commnd: x}", "2:6: unknown key 'commnd' in step 1 (did you mean 'command'?)"),
    ("{name: a, command: {b: c}}", "2:24: command must be a text or a list of texts, not a map"),
    (
        "{name: a, command: [{b: c}]}",
        "2:25: each item of command must be a text, not a map (put quotes round a text that contains ': ')",
    ),
    (
        "{name: a, run: x, command: y}",
        "2:23: 'command' says the same as 'run' in line 2 (keep one of the two)",
    ),
    (
        "{run: x, parallel: [1]}",
        "2:14: step 1 has items, but no DAG to run them (name the DAG that each item runs with call:)",
    ),
    ("{call: ''}", "2:6: call needs the name of a DAG"),
    (
        "{call: x, run: y}",
        "2:15: step 1 has both 'call' and 'run' (a step does one thing: keep one of the two)",
    ),
    ("{call: x, parallel: []}", "2:25: parallel has no items"),
    ("{call: x, parallel: {max_concurrent: 2}}", "2:15: parallel needs items"),
    ("{call: x, parallel: {items: a, max_concurrent: 0}}", "2:52: max_concurrent must be between 1 and 1000"),
    (
        "{call: x, parallel: [[1]]}",
        "2:26: each item of parallel must be a text or a map of texts, not a list",
    ),
    ("{foreach: {steps: [a]}}", "2:6: foreach needs items"),
    ("{foreach: {items: [a]}}", "2:6: foreach needs steps"),
    ("{foreach: {items: [a], steps: []}}", "2:28: foreach needs at least one step"),
    (
        "{foreach: {items: [a], as: key, steps: [a]}}",
        "2:28: as: 'key' cannot name an item (use a word, not index or key)",
    ),
    (
        "{foreach: {items: [a], steps: [{run: b, depends: c}]}}",
        "2:54: step 'cmd_1' depends on 'c', which does not exist",
    ),
    ("{type: router, value: x}", "2:6: a router needs routes"),
    ("{type: router, value: x, routes: {a: [b]}}", "2:30: a route leads to 'b', which does not exist"),
    ("{type: router, value: x, routes: {}}", "2:38: a router needs at least one route"),
    ("{run: x, routes: {a: [b]}}", "2:14: 'routes' belongs to a step of type router"),
    ("{run: x, approval: {required: [a]}}", "2:25: required names 'a', which is no input"),
    ("{action: x}", "2:14: there is no action 'x'"),
    ("{action: http.requst}", "2:14: there is no action 'http.requst' (did you mean 'http.request'?)"),
    ("{action: dag.run}", "2:6: action dag.run needs dag: in with"),
    ("{action: log.write}", "2:6: action log.write needs message: in with"),
    ("{action: noop, run: x}", "2:20: 'run' beside action in line 2 (keep one of the two)"),
    ("{exec: {args: [a]}}", "2:6: exec needs a command"),
    (
        "{command: x, container: y, type: docker}",
        "2:18: 'container' beside 'type' in line 2 (keep one of the two)",
    ),
    ("{run: x, depends: y}", "2:23: step 'cmd_1' depends on 'y', which does not exist"),
    ("{name: a, run: x, depends: a}", "2:32: step 'a' depends on itself"),
    ("{run: x, depends: {a: b}}", "2:23: depends must be a text or a list of texts, not a map"),
    ("{run: x, signal_on_stop: SIGTREM}", "2:14: there is no signal 'SIGTREM' (did you mean 'SIGTERM'?)"),
    (
        "{run: x, stdout: f, stderr: f}",
        "2:25: stdout and stderr name the same file (give one of them: the step's log has both)",
    ),
    ("{run: x, stdout: {artefact: f}}", "2:23: unknown key 'artefact' in stdout (did you mean 'artifact'?)"),
    ("{run: x, outputs: {a: b}}", "2:23: outputs must be a list, not a map"),
    ("{run: x, outputs: [a, a]}", "2:27: the output 'a' is there twice (keep one of the two)"),
    ("{run: x, outputs: [{name: a, type: int}]}", "2:40: type must be string or json, not 'int'"),
    (
        "{run: x, output: 1A}",
        "2:22: '1A' cannot be the name of a variable (use letters, digits and _, and no digit first)",
    ),
    ("{run: x, output: [a]}", "2:22: output must be a name or a map, not a list"),
    ("{run: x, output: {key: k}}", "2:22: output needs a name"),
    ("{run: x, output: {a: {from: tty}}}", "2:33: from must be stdout, stderr or file, not 'tty'"),
    (
        "{run: x, output: {a: {value: 1, path: b}}}",
        "2:37: output 'a' has a value, so it is read from nowhere",
    ),
    ("{run: x, output: {a: {from: file}}}", "2:23: output 'a' needs a path"),
    (
        "{run: x, continue_on: invalid}",
        "2:27: continue_on must be 'failed', 'skipped' or a map, not 'invalid'",
    ),
    ("{run: x, continue_on: [failed]}", "2:27: continue_on must be 'failed', 'skipped' or a map, not a list"),
    ("{run: x, continue_on: {mark_success: 'yes'}}", "2:42: mark_success must be true or false, not 'yes'"),
    (
        "{run: x, continue_on: {exit_code: [a]}}",
        "2:40: exit_code must be a whole number or a list of them, not 'a'",
    ),
    ("{run: x, retry_policy: 3}", "2:28: retry_policy must be a map, not '3'"),
    ("{run: x, retry_policy: {interval_sec: 1}}", "2:14: retry_policy needs limit"),
    ("{run: x, retry_policy: {limit: many}}", "2:36: limit must be a whole number, not 'many'"),
    (
        "{run: x, retry_policy: {limit: 1, exit_codes: 1}}",
        "2:39: unknown key 'exit_codes' in retry_policy (did you mean 'exit_code'?)",
    ),
    (
        "{run: x, retry_policy: {limit: 1, backoff: 1.0}}",
        "2:48: backoff must be true, false or a number above 1, not '1.0'",
    ),
    (
        "{run: x, repeat_policy: {repeat: sometimes}}",
        "2:38: repeat must be true, false, 'while' or 'until', not 'sometimes'",
    ),
    (
        "{run: x, repeat_policy: {repeat: until}}",
        "2:14: repeat_policy 'until' needs a condition or exit_code",
    ),
    ("{run: x, type: dockr}", "2:14: there is no executor 'dockr' (did you mean 'docker'?)"),
    ("{run: x, executor: dag}", "2:14: the executor 'dag' needs call: with the name of a DAG"),
    ("{run: x, executor: [a]}", "2:24: executor must be a name or a map, not a list"),
    (
        "{run: x, executor: docker, config: {a: 1}}",
        "2:32: 'config' says the same as 'executor' in line 2 (keep one of the two)",
    ),
    ("{run: x, type: docker, config: x}", "2:36: config must be a map, not 'x'"),
    (
        "{run: x, id: 1a}",
        "2:14: the id '1a' must begin with a letter and hold only letters, digits, '_' and '-'",
    ),
    ("{run: x, id: env}", "2:14: the id 'env' is reserved"),
    ("{run: x, name: ..}", "2:14: a step cannot be called '..'"),
    ("{run: x, name: a/b}", "2:14: the name 'a/b' must not hold '/', which parts a run from its children"),
    ("{run: x, name: -a}", "2:14: the name '-a' must not begin with '-', as an option does"),
    (
        '{run: x, name: "a\\tb"}',
        "2:14: the name 'a\\tb' must not hold control characters, or begin or end with a space",
    ),
]


@pytest.mark.parametrize(("text", "expected"), STEP_PROBLEMS)
def test_problems_of_a_step_are_named_at_their_place(text: str, expected: str) -> None:
    assert problems(f"steps:\n  - {text}\n", dialect="dagu2") == [expected]


def test_names_and_ids_stand_for_one_step_each() -> None:
    text = (
        "steps:\n  - {name: a, run: x}\n  - {name: a, run: x}\n  - {name: b, id: i, run: x}\n"
        "  - {name: c, id: i, run: x}\n  - {name: d, id: b, run: x}\n"
    )
    assert problems(text) == [
        "3:6: the step name 'a' is already used in line 2",
        "5:15: the step id 'i' is already used in line 4",
        "6:15: the id 'b' is the name of the step in line 4",
    ]


def test_unknown_dependencies_come_with_a_guess() -> None:
    text = "steps:\n  - {name: build, run: x}\n  - {name: test, run: x, depends: [biuld, build]}\n"
    assert problems(text) == [
        "3:36: step 'test' depends on 'biuld', which does not exist (did you mean 'build'?)"
    ]


def test_each_circle_is_named_once() -> None:
    text = (
        "steps:\n  - {name: a, run: x, depends: c}\n  - {name: b, run: x, depends: [a]}\n"
        "  - {name: c, run: x, depends: b}\n  - {name: d, run: x, depends: e}\n"
        "  - {name: e, run: x, depends: d}\n"
    )
    assert problems(text) == [
        "2:23: steps depend on each other in a circle: a -> c -> b -> a",
        "5:23: steps depend on each other in a circle: d -> e -> d",
    ]


def test_a_key_of_dagu_2_in_a_file_of_dagu_1_is_explained() -> None:
    assert problems("maxActiveSteps: 1\nsteps:\n  - {command: x, outputs: []}\n") == [
        "3:18: unknown key 'outputs' in step 1 (did you mean 'output'?)"
    ]
    assert problems("consts: []\nsteps: [x]\n", dialect="dagu1") == [
        "1:1: unknown key 'consts' in the DAG "
        "(it is a key of Dagu 2, and this file is read as Dagu 1: the setting says dagu1)"
    ]
    assert problems("max_active_steps: 1\nsteps: [x]\n", dialect="dagu1") == [
        "1:1: unknown key 'max_active_steps' in the DAG (did you mean 'maxActiveSteps'?)"
    ]


def test_all_problems_come_at_once_in_file_order_with_their_lines() -> None:
    text = (
        "nmae: x\nsteps:\n  - {name: a}\n  - {name: b, run: x, depends: c, timeout_sec: soon}\n"
        "name: a b\nname: c\n"
    )
    found = reading(text)
    assert found.dag is None
    assert [(each.line, each.column) for each in found.problems] == [
        (1, 1),
        (3, 5),
        (4, 32),
        (4, 48),
        (5, 7),
        (6, 1),
    ]
    assert found.problems[3].source == "  - {name: b, run: x, depends: c, timeout_sec: soon}"
    with pytest.raises(SpecError) as caught:
        read(text.encode(), "f.yaml")
    assert len(caught.value.problems) == 6
    assert str(caught.value) == "f.yaml:1:1: error: unknown key 'nmae' in the DAG (and 5 more)"


def test_warnings_do_not_make_a_spec_invalid() -> None:
    found = reading("otel: {enabled: true}\nsteps: [x]")
    assert found.dag is not None
    assert not found.errors
    assert [problem.severity for problem in found.warnings] == ["warning"]
    assert read(b"otel: x\nsteps: [x]", "f.yaml").name == "f"


def test_syntax_errors_are_problems_like_others() -> None:
    assert problems("steps: [x\n")[0].startswith("2:1: not valid YAML")
    assert problems("steps: [x]\nsteps: [y]") == [
        "2:1: the key 'steps' is there twice; the first is in line 1 (keep one of the two)"
    ]


def test_executors_are_not_checked_when_they_are_not_known() -> None:
    assert read(b"steps: [{run: x, executor: whatever}]", "f.yaml").steps[0].executor.type == "whatever"


def test_ten_thousand_wrong_dependencies_are_still_cheap() -> None:
    text = "steps:\n" + "".join(f"  - {{name: s{i}, run: x, depends: t{i}}}\n" for i in range(10_000))
    assert len(reading(text).problems) == 10_000


def test_five_thousand_chained_steps_are_read() -> None:
    text = "steps:\n" + "".join(f"  - name: s{i}\n    command: echo {i}\n" for i in range(5_000))
    assert dag(text).steps[4_999].depends == ("s4998",)


WORDS = (
    "name steps run command depends env params type executor output retry_policy continueOn handler_on x id "
    "call parallel foreach items action with routes value approval container ssh secrets consts defaults "
    "actions template outputs stdout exec preconditions eval smtp mail_on schedule max_concurrent collect key"
)
KEYS = WORDS.split(" ")
VALUES = st.recursive(
    st.sampled_from(
        [
            *(
                None,
                True,
                1,
                -1,
                1.5,
                "a",
                "K=v",
                "",
                "${A}",
                "until",
                "1",
                "router",
                "dag",
                "hitl",
                "dag.run",
            ),
            *(
                "outputs.write",
                "human.task",
                "log.write",
                "wait.duration",
                "{{ .input.a }}",
                "docker",
                "re:(",
            ),
        ]
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)


def as_yaml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {as_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(as_yaml(item) for item in value) + "]"
    return {None: "~", True: "true"}.get(value, f"'{value}'" if isinstance(value, str) else str(value))  # type: ignore[call-overload]


@given(
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6), st.sampled_from(["auto", "dagu1", "dagu2"])
)
@settings(max_examples=300, deadline=None)
def test_no_document_makes_parse_raise(document: dict[str, object], dialect: str) -> None:
    found = reading(as_yaml(document), dialect=dialect)
    assert (found.dag is None) == bool(found.errors)
