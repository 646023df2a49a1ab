"""Sub-DAGs, items, routers, approvals, containers, defaults, actions and outputs, as the model gets them."""

import pytest

from dagfs.model.dag import (
    Approval,
    Call,
    Dag,
    Executor,
    Output,
    OutputField,
    Parallel,
    Param,
    RetryPolicy,
    Route,
    Router,
    Secret,
    Step,
    Variable,
)
from dagfs.model.fingerprint import step_fields
from dagfs.spec.parse import Options, Reading, parse, read

KNOWN = ("shell", "docker", "ssh", "http", "mail", "jq", "archive", "python", "noop")


def reading(text: str, **options: object) -> Reading:
    return parse(text.encode(), "f.yaml", options=Options(executors=KNOWN, **options))  # type: ignore[arg-type]


def dag(text: str, **options: object) -> Dag:
    result = reading(text, **options)
    assert result.dag is not None, result.problems
    return result.dag


def step(fields: str, **options: object) -> Step:
    return dag(f"steps:\n  - {fields}\n  - {{id: b, run: 'x y'}}\n", **options).steps[0]


@pytest.mark.parametrize(
    ("fields", "call"),
    [
        ("call: sub", Call("sub")),
        ("{call: sub, params: 'a K=v'}", Call("sub", (Param("1", "a"), Param("K", "v")))),
        ("{call: sub, params: {K: 1}}", Call("sub", (Param("K", "1"),))),
        ("{call: sub, params: [K: v]}", Call("sub", (Param("K", "v"),))),
        ("{call: sub, params: '${ALL}'}", Call("sub", text="${ALL}")),
        ("{action: dag.run, with: {dag: sub, params: {K: v}}}", Call("sub", (Param("K", "v"),))),
        ("{type: dag, config: {dag: sub}}", Call("sub")),
    ],
)
def test_a_sub_dag_can_be_said_in_several_ways(fields: str, call: Call) -> None:
    assert step(fields).call == call


def test_run_and_executor_dag_name_a_sub_dag_in_dagu_1() -> None:
    text = (
        "steps:\n  - {run: sub, params: a}\n  - {executor: dag, call: sub}\n"
        "  - {executor: subworkflow, run: sub}\n"
    )
    found = dag(text, dialect="dagu1").steps
    assert [each.call.dag for each in found] == ["sub"] * 3
    assert [each.name for each in found] == ["dag_1", "dag_2", "dag_3"]
    assert all(each.is_engine_work for each in found)


@pytest.mark.parametrize(
    ("said", "parallel"),
    [
        ("[a, 2]", Parallel(("a", "2"))),
        ("[{K: 1}]", Parallel(({"K": "1"},))),
        ("'${ITEMS}'", Parallel(source="${ITEMS}")),
        ("{items: [a], max_concurrent: 3}", Parallel(("a",), max_concurrent=3)),
        ("{items: '${X}', maxConcurrent: 3}", Parallel(source="${X}", max_concurrent=3)),
    ],
)
def test_items_of_parallel_can_be_said_in_several_ways(said: str, parallel: Parallel) -> None:
    found = step(f"{{call: sub, parallel: {said}}}")
    assert found.parallel == parallel
    assert found.name == "parallel_1"


FOREACH = """
env:
  - E: "1"
defaults: {timeout_sec: 5}
steps:
  - id: each
    foreach:
      items: ["a", {id: 1, more: [2]}]
      as: it
      key: ${foreach.it.id}
      max_concurrent: 2
      steps:
        # first
        - id: one  # with a comment
          run: |
            echo ${foreach.it}
        - id: two
          depends: one
          run: echo
      collect:
        x: ${one.outputs.y}
    output: ALL
"""


def test_the_body_of_foreach_is_a_document_of_the_users_own_lines() -> None:
    found = dag(FOREACH).steps[0]
    assert found.parallel == Parallel(
        ("a", {"id": "1", "more": "[2]"}),
        max_concurrent=2,
        item="foreach.it",
        key="id",
        collect=(Variable("x", "${one.outputs.y}"),),
        is_foreach=True,
    )
    assert "- id: one  # with a comment\n    run: |\n      echo ${foreach.it}\n" in found.call.body
    body = read(found.call.body.encode(), "body.yaml", options=Options(dialect="dagu2"))
    assert (body.name, body.type, body.env) == ("each", "graph", (Variable("E", "1"),))
    assert [each.depends for each in body.steps] == [(), ("one",)]
    assert {each.timeout_sec for each in body.steps} == {5}


def test_a_comment_in_a_body_changes_no_fingerprint() -> None:
    one, other = (dag(text).steps[0] for text in (FOREACH, FOREACH.replace("# first", "# second, longer")))
    assert one.call.body != other.call.body
    assert dict(step_fields(one)) == dict(step_fields(other))
    third = dag(FOREACH.replace("run: echo\n", "run: true\n")).steps[0]
    assert dict(step_fields(one)) != dict(step_fields(third))


def test_a_body_in_flow_style_or_with_aliases_is_written_anew() -> None:
    text = "steps:\n  - {id: a, foreach: {items: [1.50], steps: [{run: 'a: ${foreach.item}'}]}}\n"
    body = read(dag(text).steps[0].call.body.encode(), "b.yaml")
    assert body.steps[0].command == ("a: ${foreach.item}",)
    text = "env: &e\n  - A: 1.50\nsteps:\n  - foreach:\n      items: [1]\n      steps:\n"
    text += "        - run: 'x y'\n          env: *e\n"
    body = read(dag(text).steps[0].call.body.encode(), "b.yaml")
    assert body.steps[0].env == (Variable("A", "1.50"),)


def test_problems_in_a_body_have_lines_of_the_whole_file() -> None:
    text = FOREACH.replace("depends: one", "depends: none")
    assert [(each.line, each.message) for each in reading(text).problems] == [
        (18, "step 'two' depends on 'none', which does not exist")
    ]


@pytest.mark.parametrize(
    "fields",
    [
        "{id: r, type: router, value: '${X}', routes: {y: [b], 're:z': c}}",
        "{id: r, action: router.route, with: {value: '${X}', routes: {y: [b], 're:z': c}}}",
    ],
)
def test_routed_steps_wait_for_their_router(fields: str) -> None:
    found = dag(
        f"steps:\n  - {fields}\n  - {{id: b, run: x}}\n  - {{id: c, name: see, run: x, depends: b}}\n"
    )
    assert found.steps[0].router == Router("${X}", (Route("y", ("b",)), Route("re:z", ("see",))))
    assert dict(found.depends) == {"r": (), "b": ("r",), "see": ("b", "r")}


def test_a_step_may_be_the_target_of_one_route_only() -> None:
    text = "steps:\n  - {id: r, type: router, value: x, routes: {y: b, z: b}}\n  - {id: b, run: x}\n"
    assert [each.message for each in reading(text).errors] == ["step 'b' is the target of two routes"]


@pytest.mark.parametrize(
    ("fields", "approval", "kind"),
    [
        (
            "{run: x, approval: {prompt: Go?, input: [A, B], required: A}}",
            ("Go?", ("A", "B"), ("A",)),
            "shell",
        ),
        ("{approval: {prompt: Go?}}", ("Go?", (), ()), "hitl"),
        ("{type: hitl, config: {prompt: Go?, input: [A]}}", ("Go?", ("A",), ()), "hitl"),
        (
            "{action: human.task, with: {prompt: Go?, form: {properties: {A: {}}, required: [A]}}}",
            ("Go?", ("A",), ("A",)),
            "hitl",
        ),
    ],
)
def test_an_approval_can_be_said_in_several_ways(fields: str, approval: tuple[str, ...], kind: str) -> None:
    found = step(fields)
    assert found.approval == Approval(*approval)  # type: ignore[arg-type]
    assert found.executor.type == kind


def test_hitl_of_dagu_1() -> None:
    text = "steps:\n  - type: hitl\n    config:\n      prompt: Go?\n      input: [A]\n      required: [A]\n"
    found = dag(text, dialect="dagu1").steps[0]
    assert found.approval == Approval("Go?", ("A",), ("A",))
    assert found.name == "hitl_1"


# -- where steps run -----------------------------------------------------------------------------


def test_steps_that_name_no_executor_run_where_the_dag_says() -> None:
    text = "container: {image: alpine, env: [A=1, {B: 2}], pullPolicy: always}\nsteps:\n"
    text += "  - {command: a}\n  - {command: b, executor: shell}\n  - {executor: jq, command: .}\n"
    found = dag(text, dialect="dagu1")
    assert found.container == {"image": "alpine", "env": {"A": "1", "B": "2"}, "pull_policy": "always"}
    assert [each.executor.type for each in found.steps] == ["docker", "shell", "jq"]
    assert dag("ssh: {user: u, ip: h}\nsteps: [x]").ssh == {"user": "u", "host": "h"}
    assert dag("ssh: {user: u, host: h}\nsteps: [x]").steps[0].executor == Executor("ssh")


def test_settings_of_executors_are_in_our_spelling() -> None:
    config = "{image: a, autoRemove: true, container: {workingDir: /a, env: [A=b]}}"
    found = step(f"{{command: x, executor: {{type: docker, config: {config}}}}}".replace("'x y'", "x"))
    assert found.executor.config["auto_remove"] is True
    assert found.executor.config["container"] == {"working_dir": "/a", "env": ["A=b"]}
    http = "{type: http, config: {skipTLSVerify: true, headers: {X-One: a, contentType: b}}, command: GET http://x}"
    assert step(http).executor.config == {
        "skip_tls_verify": True,
        "headers": {"X-One": "a", "contentType": "b"},
    }


def test_the_container_of_a_step_is_an_executor() -> None:
    assert step("{command: x, container: ' box '}").executor == Executor("docker", {"exec": "box"})
    assert step("{command: x, container: {image: a, workDir: /w}}").executor == Executor(
        "docker", {"image": "a", "working_dir": "/w"}
    )


def test_a_kind_of_step_outside_dagfs_is_accepted_with_a_warning() -> None:
    found = reading("steps:\n  - {type: chat, messages: [{role: user, content: hi}]}\n")
    assert found.dag is not None
    assert [each.message for each in found.warnings] == [
        "dagfs has no executor 'chat': this step fails when it is run",
        "key 'messages' is not used by this version",
    ]
    action = reading("steps:\n  - {action: file.copy, with: {source: a}}\n")
    assert action.dag is not None
    assert action.dag.steps[0].executor == Executor("file.copy", {"source": "a"})
    assert len(action.warnings) == 1


def test_defaults_fill_in_what_a_step_does_not_say() -> None:
    text = (
        "defaults: {timeout_sec: 9, env: [A: 1], preconditions: [p], retry_policy: {limit: 2}}\n"
        "steps:\n  - x\n  - {run: y, timeout_sec: 0, env: [B: 2], retry_policy: {limit: 5}}\n"
    )
    one, two = dag(text).steps
    assert (one.timeout_sec, one.env, one.retry_policy) == (9, (Variable("A", "1"),), RetryPolicy(2))
    assert (two.timeout_sec, two.retry_policy) == (0, RetryPolicy(5))
    assert two.env == (Variable("A", "1"), Variable("B", "2"))
    assert len(two.preconditions) == 1


# -- actions -------------------------------------------------------------------------------------


def test_exec_is_words_that_no_shell_reads() -> None:
    for fields in (
        "{exec: {command: ls, args: [-l, 'a b']}}",
        "{action: exec, with: {command: ls, args: [-l, 'a b']}}",
    ):
        found = step(fields)
        assert (found.command, found.shell) == (("ls -l 'a b'",), ("direct",))


def test_actions_become_executors() -> None:
    http = step("{action: http.request, with: {method: GET, url: 'http://x'}}")
    assert http.executor == Executor("http", {"method": "GET", "url": "http://x"})
    jq = step("{action: jq.filter, with: {filter: .a, data: {a: 1}}}")
    assert (jq.command, jq.executor.config) == ((".a",), {"data": {"a": 1}})
    archive = step("{action: archive.create, with: {source: a, destination: b.zip}}")
    assert (archive.command, archive.executor.type) == (("create",), "archive")
    log = step("{action: log.write, with: {message: '$(rm -rf /)'}}")
    assert log.env == (Variable("DAGFS_MESSAGE", "$(rm -rf /)"),)
    assert "rm" not in log.command[0]
    assert step("{action: wait.duration, with: {duration: 5m}}").command == ("sleep 300",)
    written = step("{action: outputs.write, with: {values: {a: x, b: [1]}}}")
    assert written.outputs == (
        OutputField("a", value="x", source="value"),
        OutputField("b", "json", value="[1]", source="value"),
    )
    assert written.executor.type == "noop"


ACTIONS = """
actions:
  greet:
    input_schema:
      type: object
      additionalProperties: false
      required: [who]
      properties: {who: {type: string}, how: {type: string, default: Hello, enum: [Hello, Bye]}}
    template:
      run: echo {{ .input.how }} {{ json .input.who }}
      timeout_sec: 5
  twice:
    template: {action: greet, with: {who: "${input.x}"}}
steps:
"""


def test_an_action_of_ones_own_is_filled_in() -> None:
    one, two = dag(
        ACTIONS + "  - {action: greet, with: {who: a b}}\n  - {action: twice, with: {x: c}}\n"
    ).steps
    assert (one.command, one.timeout_sec) == (('echo Hello "a b"',), 5)
    assert two.command == ('echo Hello "c"',)


@pytest.mark.parametrize(
    ("step_", "message"),
    [
        ("{action: greet}", "the action needs the input 'who'"),
        ("{action: greet, with: {who: a, hwo: b}}", "the action takes no input 'hwo'"),
        ("{action: greet, with: {who: a, how: Hi}}", "the input 'how' must be one of Hello, Bye, not 'Hi'"),
    ],
)
def test_input_of_an_action_is_checked(step_: str, message: str) -> None:
    assert [each.message for each in reading(f"{ACTIONS}  - {step_}\n").errors] == [message]


def test_an_action_that_stands_for_itself_is_an_error() -> None:
    text = "actions: {a: {template: {action: b}}, b: {template: {action: a}}}\nsteps: [{action: a}]\n"
    assert "an action stands for itself" in [each.message for each in reading(text).errors]


# -- outputs and blocks --------------------------------------------------------------------------


def test_structured_outputs() -> None:
    said = "{v: {from: stdout, decode: json, select: .v}, f: {from: file, path: a.json}, l: {value: x}, m: 3}"
    found = step(f"{{run: x, output: {said}}}")
    assert found.output == Output()
    assert found.outputs == (
        OutputField("v", source="stdout", decode="json", select=".v"),
        OutputField("f", source="file", path="a.json"),
        OutputField("l", value="x", source="value"),
        OutputField("m", value="3", source="value"),
    )
    listed = step("{id: a, run: x, outputs: [{name: tag}, {name: meta, type: json, path: m.json}]}")
    assert listed.outputs == (OutputField("tag"), OutputField("meta", "json", source="file", path="m.json"))
    streams = step(
        "{run: x, stdout: {artifact: a.txt, outputs: {fields: {id: {decode: json, select: .id}}}}}"
    )
    assert streams.stdout == "${DAGFS_ARTIFACTS_DIR}/a.txt"
    assert streams.outputs == (OutputField("id", source="stdout", decode="json", select=".id"),)


def test_blocks_of_the_dag() -> None:
    found = dag(
        "consts: [a: 1, b: x]\nsecrets: [{name: S, provider: file, key: /k, options: {x: 1}}]\n"
        "mail_on: {failure: true}\nerror_mail: {from: a, to: b, attachLogs: true}\nlog_output: merged\n"
        "max_output_size: 10\nsmtp: {host: h, port: '25'}\nregistry_auths: {docker.io: {userName: u}}\n"
        "steps: [x]\n"
    )
    assert found.consts == (Variable("a", "1"), Variable("b", "x"))
    assert found.secrets == (Secret("S", "file", "/k", {"x": 1}),)
    assert (found.mail_on, found.log_output, found.max_output_size) == ({"failure": True}, "merged", 10)
    assert found.error_mail == {"from": "a", "to": ["b"], "attach_logs": True}
    assert found.smtp == {"host": "h", "port": "25"}
    assert found.registry_auths == {"docker.io": {"user_name": "u"}}
