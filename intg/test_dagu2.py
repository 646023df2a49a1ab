"""Dagu 2: what each key and each reference of its files does here, as a newcomer would use them."""

from __future__ import annotations

import json

import pytest

from intg.home import Home

# --- references ----------------------------------------------------------------------------------

REFERENCES = r"""
name: refs
consts:
  - REGION: eu
  - LIMITS: {cpu: 2}
params:
  - DAY: monday
  - FILE: /data/${params.DAY}.csv
env:
  - BUCKET: s3://${consts.REGION}/${params.DAY}
  - TARGET: ${env.BUCKET}/out
  - ODD: ${params.NOWHERE}
steps:
  - id: say
    run: |
      DAY=tuesday
      echo "const ${consts.REGION} ${consts.LIMITS.cpu}"
      echo "param ${params.DAY} shell $DAY file ${params.FILE}"
      echo "env ${env.BUCKET} $TARGET"
      echo "all ${params}"
      echo "dag ${context.dag.name} ${dag.name} run ${context.run.id} ${run.id} step ${context.step.id}"
      echo "escaped \${consts.REGION} \$HOME_IS_NOT_SET"
      echo "sum $((1 + 2)) $(echo inner)" `echo ticks`
      echo '$DAY ${params.DAY}'
  - id: after
    depends: [say]
    run: echo "code ${steps.say.exit_code} $(head -1 ${steps.say.stdout})"
"""


def test_references_name_where_a_value_comes_from_and_the_rest_is_the_shells(home: Home) -> None:
    home.dag("refs", REFERENCES)
    home.dagfs("run", "refs", "--id", "r1").exits(0).says("nothing is called ${params.NOWHERE}")
    assert home.log("say").splitlines() == [
        "const eu 2",
        "param monday shell tuesday file /data/monday.csv",
        "env s3://eu/monday s3://eu/monday/out",
        'all {"DAY":"monday","FILE":"/data/monday.csv"}',
        "dag refs refs run r1 r1 step say",
        "escaped ${consts.REGION} $HOME_IS_NOT_SET",
        "sum 3 inner ticks",
        "$DAY monday",
    ]
    assert home.log("after") == "code 0 const eu 2\n"


def test_a_parameter_may_be_given_by_name_and_by_place(home: Home) -> None:
    home.dag("greet", 'params: [WHO: world, HOW: hello]\nsteps: [{id: a, run: echo "$HOW $WHO"}]\n')
    home.dagfs("run", "greet", "--id", "a", "-p", "WHO=moon").exits(0)
    home.dagfs("run", "greet", "--id", "b", "--", "sun", "bye").exits(0)
    logs = [(home.path / f"runs/{run}/attempts/1/steps/a/stdout.log").read_text() for run in "ab"]
    assert logs == ["hello moon\n", "bye sun\n"]


# --- parameters ----------------------------------------------------------------------------------

RICH = """
params:
  - {name: region, type: string, enum: [eu, us], default: eu, description: where}
  - {name: count, type: integer, minimum: 1, maximum: 9, default: 3}
  - {name: share, type: number, default: 0.5}
  - {name: debug, type: boolean, default: false}
  - {name: word, min_length: 2, max_length: 4, pattern: "^[a-z]+$", default: abc}
  - {name: today, eval: "$(printf 2026)-`printf 01`"}
  - {name: token, required: true}
steps:
  - {id: a, run: 'echo "$region $count $share $debug $word $today $token"'}
"""


def test_a_parameter_says_what_it_may_be(home: Home) -> None:
    home.dag("rich", RICH)
    home.dagfs("run", "rich").exits(2).says("token")
    home.dagfs("run", "rich", "-p", "token=t", "-p", "region=us", "-p", "count=9").exits(0)
    assert home.log("a") == "us 9 0.5 false abc 2026-01 t\n"


@pytest.mark.parametrize(
    "given", ["region=asia", "count=10", "count=two", "share=x", "debug=maybe", "word=a", "word=ABC"]
)
def test_a_parameter_that_does_not_fit_is_refused_before_anything_runs(home: Home, given: str) -> None:
    home.dag("rich", RICH)
    home.dagfs("run", "rich", "-p", "token=t", "-p", given).exits(2).says(given.partition("=")[0])
    assert not home.runs()


def test_parameters_may_be_described_by_a_json_schema(home: Home) -> None:
    home.dag(
        "schema",
        """
        params:
          type: object
          properties:
            size: {type: integer, default: 5, maximum: 10}
            kind: {type: string, enum: [a, b]}
          required: [kind]
        steps:
          - {id: a, run: 'echo "${params.size} ${params.kind} $DAG_PARAMS_JSON"'}
        """,
    )
    home.dagfs("run", "schema").exits(2).says("kind")
    home.dagfs("run", "schema", "-p", "kind=a", "-p", "size=11").exits(2).says("size")
    home.dagfs("run", "schema", "-p", "kind=b").exits(0)
    assert home.log("a").startswith("5 b {")


# --- the DAG's own keys --------------------------------------------------------------------------


def test_a_graph_is_the_default_and_a_chain_has_no_depends(home: Home) -> None:
    home.dag(
        "both",
        """
        labels: {team: shop}
        steps:
          - {id: a, run: 'while ! test -e "$DAG_DESK/b"; do sleep 0.02; done'}
          - {id: b, run: 'touch "$DAG_DESK/b"'}
        """,
    )
    home.dagfs("run", "both").exits(0)
    home.dagfs("ls", "--tag", "team=shop").exits(0).says("both")
    home.dag("chain", "type: chain\nlabels: x\nsteps: [{id: a, run: ls}, {id: b, run: ls, depends: [a]}]\n")
    home.dagfs("validate", "chain").exits(3).says("depends")


def test_where_and_with_what_steps_run(home: Home) -> None:
    (home.path / "dags").mkdir()
    (home.path / "dags" / ".env").write_text("FROM_DOT=dot\n")
    (home.path / "dags" / "more.env").write_text("FROM_MORE='more ${FROM_DOT}'\nexport TWO=2 # two\n")
    home.dag(
        "place",
        """
        working_dir: area/${params.where}
        dotenv: more.env
        shell: bash
        shell_args: [-u]
        params: {where: here}
        env: {LIST: base}
        steps:
          - id: dir
            run: echo "${PWD##*/} $FROM_DOT $FROM_MORE $TWO"
          - id: own
            working_dir: inner
            env:
              - LIST: ${env.LIST}+step
            run: echo "${PWD##*/} $LIST ${env.LIST}"
          - id: strict
            run: echo "$NOBODY_SET_THIS"
            continue_on: failed
          - id: other
            shell: sh
            run: [echo one, 'echo "${0##*/}"']
          - id: python
            shell: python3
            script: |
              import os
              print("python", os.environ["where"])
        """,
    )
    home.dagfs("run", "place").exits(1)
    assert home.log("dir") == "here dot more ${FROM_DOT} 2\n"
    assert home.log("own") == "inner base+step base+step\n"
    assert "unbound variable" in home.log("strict", stream="stderr")
    assert home.log("other").splitlines()[0] == "one"
    assert home.log("python") == "python here\n"
    assert home.states()["strict"] == "failed"
    assert home.status()["state"] == "partially_succeeded"


def test_defaults_hold_for_steps_that_do_not_say_otherwise(home: Home) -> None:
    home.dag(
        "defaults",
        """
        defaults:
          env: [LEVEL: low]
          retry_policy: {limit: 1, interval_sec: 0}
          continue_on: failed
          timeout_sec: 30
          preconditions: [{condition: "${params.GO}", expected: "yes"}]
        params: {GO: "yes"}
        steps:
          - {id: a, run: 'echo "$LEVEL" | tee -a "$DAG_DESK/tries"; false'}
          - id: b
            depends: [a]
            env: [LEVEL: high]
            retry_policy: {limit: 0}
            run: 'echo "$LEVEL" >> "$DAG_DESK/b"; false'
          - {id: c, depends: [b], run: 'true'}
        """,
    )
    home.dagfs("run", "defaults", "--id", "r1").exits(1)
    assert (home.lines("tries"), home.lines("b")) == (["low", "low"], ["high"])
    assert home.states() == {"a": "failed", "b": "failed", "c": "succeeded"}
    home.dagfs("run", "defaults", "--id", "r2", "-p", "GO=no").exits(0)
    assert home.dagfs("status", "r2", "--json").json["steps"]["a"]["state"] == "skipped"


def test_logs_may_be_merged_and_outputs_are_bounded(home: Home) -> None:
    home.dag(
        "logs",
        """
        log_output: merged
        max_output_size: 10
        steps:
          - {id: both, run: "echo out; echo err >&2"}
          - {id: apart, log_output: separate, run: "echo out; echo err >&2"}
          - {id: much, run: "echo 12345678901", output: MUCH, continue_on: failed}
        """,
    )
    home.dagfs("run", "logs").exits(1)
    assert (home.log("both"), home.log("both", stream="stderr")) == ("out\nerr\n", "")
    assert (home.log("apart"), home.log("apart", stream="stderr")) == ("out\n", "err\n")
    home.dagfs("status").says("much", "MUCH", "larger than 10 bytes")


def test_secrets_reach_steps_and_nothing_else(home: Home) -> None:
    (home.path / "dags").mkdir()
    (home.path / "key.txt").write_text("file-s3cret\n")
    (home.path / "expected.txt").write_text("env-s3cret:file-s3cret\n")
    home.dag(
        "secret",
        f"""
        secrets:
          - {{name: TOKEN, provider: env, key: MY_TOKEN}}
          - {{name: KEY, provider: file, key: "{home.path}/key.txt"}}
        steps:
          - id: use
            run: |
              test "$TOKEN:${{env.KEY}}" = "$(cat '{home.path}/expected.txt')" && echo "it is $TOKEN and $KEY"
            output: SAID
          - {{id: tell, depends: [use], run: 'echo "${{SAID}}"'}}
        """,
    )
    home.dagfs("run", "secret", env={"MY_TOKEN": "env-s3cret"}).exits(0)
    assert "it is" in home.log("tell")
    kept = b"".join(path.read_bytes() for path in home.run.rglob("*") if path.is_file())
    assert b"s3cret" not in kept
    home.dagfs("run", "secret", "--id", "none").says("MY_TOKEN")


# --- outputs -------------------------------------------------------------------------------------

OUTPUTS = r"""
labels: x
steps:
  - id: said
    run: echo ' spaces and "quotes" '
    output: SAID
  - id: made
    run: |
      echo '{"rows": [{"id": 7}, {"id": 8}], "ok": true}'
      echo 'warn: few rows' >&2
      printf 'a: [1, 2]\n' > made.yaml
    working_dir: ${DAGFS_WORK_DIR}
    output:
      fixed: {value: "const ${context.run.id}"}
      second: {from: stdout, decode: json, select: ".rows[1].id"}
      whole: {from: stdout, decode: json}
      warning: {from: stderr}
      list: {from: file, path: made.yaml, decode: yaml, select: .a}
      short: plain
  - id: told
    run: |
      echo "count=3" >> "$DAGU_OUTPUT_FILE"
      printf 'text<<END\none\ntwo=2\nEND\n' >> "$DAGU_OUTPUT_FILE"
      echo 'data={"deep": {"er": [1, 5]}}' >> "$DAGFS_OUTPUT"
      echo report > report.txt
    working_dir: ${DAGFS_WORK_DIR}
    outputs:
      - count
      - name: text
      - {name: data, type: json}
      - {name: report, path: report.txt}
  - id: streams
    run: |
      echo '{"v": "x y"}'
    stdout:
      artifact: deep/out.json
      outputs: {fields: {v: {decode: json, select: .v}}}
  - id: join
    depends: [said, made, told, streams]
    run: |
      echo "[${steps.said.outputs.SAID}] [$SAID]"
      echo "${steps.made.outputs.fixed}|${steps.made.outputs.second}|${steps.made.outputs.whole.rows[0].id}"
      echo "${steps.made.outputs.warning}|${steps.made.outputs.list}|${steps.made.outputs.short}"
      echo "${steps.told.outputs.count}|${steps.told.outputs.text}|${steps.told.outputs.data.deep.er[1]}"
      echo "${steps.told.outputs.report}|${steps.streams.outputs.v}"
      echo "${steps.told.outputs.nothing}" | cat
"""


def test_every_way_to_publish_outputs(home: Home) -> None:
    home.dag("outs", OUTPUTS.replace('      echo "${steps.told.outputs.nothing}" | cat\n', ""))
    home.dagfs("run", "outs", "--id", "r1").exits(0)
    assert home.log("join").splitlines() == [
        '[spaces and "quotes"] [spaces and "quotes"]',
        "const r1|8|7",
        "warn: few rows|[1, 2]|plain",
        "3|one",
        "two=2|5",
        "report|x y",
    ]
    artifact = home.run / "attempts/1/steps/streams/artifacts/deep/out.json"
    assert artifact.read_text() == '{"v": "x y"}\n'


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("outputs: [missing]", "missing"),
        ("outputs: [{name: data, type: json}]", "data"),
        ("output: {row: {from: stdout, decode: json}}", "row"),
        ("output: {row: {from: file, path: nowhere.txt}}", "nowhere.txt"),
    ],
)
def test_an_output_that_is_not_there_fails_its_step(home: Home, block: str, said: str) -> None:
    home.dag(
        "odd", f"steps:\n  - id: a\n    run: echo data=no >> $DAGU_OUTPUT_FILE; echo not json\n    {block}\n"
    )
    home.dagfs("run", "odd").exits(1)
    home.dagfs("status").says("failed", said)


# --- conditions and policies ---------------------------------------------------------------------


def test_conditions_are_data_and_eval_may_run_commands(home: Home) -> None:
    home.dag(
        "when",
        r"""
        params: {MODE: fast}
        steps:
          - {id: literal, run: 'true', preconditions: [{condition: "${params.MODE}", expected: fast}]}
          - {id: pattern, run: 'true', preconditions: [{condition: "${params.MODE}", expected: "re:^f.st$"}]}
          - {id: other, run: 'true', preconditions: [{condition: "${params.MODE}", expected: slow}]}
          - id: negated
            run: 'true'
            preconditions: [{condition: "${params.MODE}", expected: slow, negate: true}]
          - {id: command, run: 'true', preconditions: "test -d /"}
          - {id: data, run: 'true', preconditions: [{condition: "`echo yes`", expected: "yes"}]}
          - {id: evaluated, run: 'true', preconditions: [{eval: "`echo yes`", expected: "yes"}]}
          - {id: behind, run: 'true', depends: [other]}
          - {id: anyway, run: 'true', depends: [careless]}
          - {id: careless, run: 'true', preconditions: ["false"], continue_on: {skipped: true}}
        """,
    )
    home.dagfs("run", "when").exits(0)
    states = home.states()
    assert [name for name, state in states.items() if state == "skipped"] == [
        "other", "data", "behind", "careless",
    ]  # fmt: skip
    assert {state for name, state in states.items()} == {"skipped", "succeeded"}


def test_a_precondition_of_the_dag_keeps_all_of_it_from_running(home: Home) -> None:
    home.dag(
        "gate",
        """
        preconditions: [{condition: "${params.OPEN}", expected: "yes"}]
        params: {OPEN: "no"}
        handler_on:
          init: {run: 'echo init >> "$DAG_DESK/handlers"'}
          abort: {run: 'echo abort >> "$DAG_DESK/handlers"'}
          exit: {run: 'echo exit >> "$DAG_DESK/handlers"'}
        steps: [{id: a, run: 'true'}]
        """,
    )
    home.dagfs("run", "gate", "--id", "r1")
    assert home.dagfs("status", "r1", "--json").json["state"] == "aborted"
    assert home.lines("handlers") == ["abort", "exit"]
    home.dagfs("run", "gate", "--id", "r2", "-p", "OPEN=yes").exits(0)
    assert home.lines("handlers")[2:] == ["init", "exit"]


def test_failures_that_are_no_reason_to_stop(home: Home) -> None:
    home.dag(
        "careless",
        """
        defaults: {}
        steps:
          - {id: any, run: exit 3, continue_on: failed}
          - {id: code, run: exit 4, continue_on: {exit_code: [4, 5]}}
          - {id: printed, run: "echo disk is full; false", continue_on: {output: "re:disk .* full"}}
          - {id: marked, run: exit 6, continue_on: {exit_code: 6, mark_success: true}}
          - {id: wrong, run: exit 7, continue_on: {exit_code: 8}}
          - {id: go, depends: [any, code, printed, marked], run: 'true'}
          - {id: no, depends: [wrong], run: 'true'}
        """,
    )
    home.dagfs("run", "careless").exits(1)
    assert home.states() == {
        **dict.fromkeys(("any", "code", "printed", "wrong"), "failed"),
        **dict.fromkeys(("marked", "go"), "succeeded"),
        "no": "upstream_failed",
    }
    assert home.status()["state"] == "failed"


def test_steps_are_tried_again_and_repeated(home: Home) -> None:
    home.dag(
        "again",
        """
        consts: {TIMES: 3}
        steps:
          - id: retried
            run: 'echo x >> "$DAG_DESK/retried"; test $(wc -l < "$DAG_DESK/retried") -ge 3 || exit 9'
            retry_policy: {limit: 5, interval_sec: 0, exit_code: [9], backoff: 1.5, max_interval_sec: 1}
          - id: refused
            run: 'echo x >> "$DAG_DESK/refused"; exit 8'
            retry_policy: {limit: 5, interval_sec: 0, exit_code: [9]}
            continue_on: failed
          - id: until
            run: 'echo x >> "$DAG_DESK/until"; wc -l < "$DAG_DESK/until"'
            repeat_policy:
              repeat: until
              condition: '`wc -l < "$DAG_DESK/until"`'
              expected: "2"
              interval_sec: 0
          - id: while
            run: 'echo x >> "$DAG_DESK/while"; test $(wc -l < "$DAG_DESK/while") -gt 2'
            repeat_policy: {repeat: while, exit_code: [1], interval_sec: 0}
          - id: limited
            run: 'echo x >> "$DAG_DESK/limited"'
            repeat_policy: {repeat: true, limit: 4, interval_sec: 0}
        """,
    )
    home.dagfs("run", "again").exits(1)
    counted = {name: len(home.lines(name)) for name in ("retried", "refused", "until", "while", "limited")}
    assert counted == {"retried": 3, "refused": 1, "until": 2, "while": 3, "limited": 4}
    assert home.status()["state"] == "partially_succeeded"


def test_handlers_of_each_end(home: Home) -> None:
    home.dag(
        "ends",
        """
        params: {CODE: "0"}
        handler_on:
          init: {run: 'echo "init" >> "$DAG_DESK/ends"'}
          success: {run: 'echo "success $DAG_RUN_STATUS ${steps.work.outputs.WORD}" >> "$DAG_DESK/ends"'}
          failure: {run: 'echo "failure $DAG_RUN_STATUS ${steps.work.exit_code}" >> "$DAG_DESK/ends"'}
          exit: {run: 'echo "exit ${context.run.status}" >> "$DAG_DESK/ends"'}
        steps:
          - {id: work, run: 'echo word; exit ${params.CODE}', output: WORD}
        """,
    )
    home.dagfs("run", "ends", "--id", "r1").exits(0)
    home.dagfs("run", "ends", "--id", "r2", "-p", "CODE=3").exits(1)
    assert home.lines("ends") == [
        "init", "success succeeded word", "exit succeeded", "init", "failure failed 3", "exit failed",
    ]  # fmt: skip


# --- other DAGs, items, routes, people -----------------------------------------------------------

FOREACH = """
labels: x
params: {PREFIX: item}
steps:
  - id: list
    run: echo 'rows=[{"id":"a","n":1},{"id":"b","n":2},{"id":"c","n":3}]' >> "$DAGU_OUTPUT_FILE"
    outputs: [{name: rows, type: json}]
  - id: each
    depends: [list]
    foreach:
      items: ${steps.list.outputs.rows}
      as: row
      key: ${foreach.row.id}
      max_concurrent: 2
      steps:
        - id: first
          run: echo "${params.PREFIX} ${foreach.row.id}"
          output: NAME
        - id: second
          depends: [first]
          run: |
            test "${foreach.row.id}" != b || test -e "$DAG_DESK/mended"
            echo "double=$((${foreach.row.n} * 2))" >> "$DAGU_OUTPUT_FILE"
      collect:
        label: "${params.PREFIX}: ${steps.first.outputs.NAME} of ${foreach.key}"
        double: ${steps.second.outputs.double}
    output: ALL
  - id: report
    depends: [each]
    run: |
      echo "${ALL.summary.succeeded} of ${ALL.summary.total}: ${ALL.outputs[1].label}"
      echo "${steps.each.outputs.double} ${steps.each.outputs.double[2]}"
"""


def test_foreach_collects_what_its_items_hand_on(home: Home) -> None:
    home.dag("fe", FOREACH)
    home.dagfs("run", "fe").exits(1)
    summary = json.loads(home.log("each"))
    assert summary["summary"] == {"total": 3, "succeeded": 2, "failed": 1}
    assert [(item["index"], item["key"], item["status"]) for item in summary["items"]] == [
        (0, "a", "succeeded"), (1, "b", "failed"), (2, "c", "succeeded"),
    ]  # fmt: skip
    assert summary["items"][0]["outputs"] == {"label": "item: item a of a", "double": "2"}
    assert summary["outputs"] == [
        {"label": f"item: item {key} of {key}", "double": str(n)} for key, n in (("a", 2), ("c", 6))
    ]
    home.file("mended").touch()
    home.dagfs("retry").exits(0)
    assert home.log("report", 2).splitlines() == ["3 of 3: item: item b of b", '["2", "4", "6"] 6']


@pytest.mark.parametrize(
    ("items", "key", "total"), [("[]", "", 0), ("[x, x, y]", "", 3), ("[x, x]", "key: ${foreach.item}", -1)]
)
def test_foreach_takes_every_place_as_an_item(home: Home, items: str, key: str, total: int) -> None:
    home.dag(
        "places",
        f"""
        steps:
          - id: each
            foreach:
              items: {items}
              {key}
              steps:
                - id: one
                  run: echo "${{foreach.index}} ${{foreach.key}} ${{foreach.item}}" >> "$DAG_DESK/seen"
            output: ALL
          - {{id: after, depends: [each], run: 'echo ${{ALL.summary.total}}'}}
        """,
    )
    if total < 0:
        home.dagfs("run", "places").exits(1).says("two items have the key 'x'")
        return
    home.dagfs("run", "places").exits(0)
    assert home.log("after") == f"{total}\n"
    assert sorted(home.lines("seen")) == ["0 0 x", "1 1 x", "2 2 y"][:total]


def test_what_is_collected_must_be_there(home: Home) -> None:
    home.dag(
        "lost",
        """
        steps:
          - id: each
            foreach:
              items: [x]
              steps: [{id: one, run: echo 1, output: HERE}]
              collect: {here: "${HERE}", gone: "${steps.one.outputs.GONE}"}
        """,
    )
    home.dagfs("run", "lost").exits(1)
    home.dagfs("status").says("collect gone of item 0", "${steps.one.outputs.GONE}")
    home.edit(("${steps.one.outputs.GONE}", "<${HERE}>"))
    home.dagfs("retry").exits(0)
    assert home.status()["steps"]["each"]["outputs"] == {"here": '["1"]', "gone": '["<1>"]'}


def test_a_sub_dag_gets_parameters_and_gives_outputs(home: Home) -> None:
    home.dag(
        "parent",
        """
        steps:
          - id: one
            action: dag.run
            with: {dag: child, params: {WHO: "a b", N: "1"}}
          - id: many
            action: dag.run
            with: {dag: child, params: "WHO=${ITEM.who} N=${ITEM.n}"}
            parallel:
              items: [{who: x, n: 1}, {who: y, n: 2}]
              max_concurrent: 1
            output: MANY
          - id: tell
            depends: [one, many]
            run: |
              echo "${steps.one.outputs.GREETING}"
              echo "${MANY.summary.succeeded} ${MANY.outputs[1].GREETING}"
        """,
    )
    home.dag(
        "child",
        """
        params: [WHO: nobody, N: "0"]
        steps: [{id: greet, run: 'echo "hello $WHO $N"', output: GREETING}]
        """,
    )
    home.dagfs("run", "parent").exits(0)
    assert home.log("tell").splitlines() == ["hello a b 1", "2 hello y 2"]


def test_a_person_is_asked_and_answers_with_values(home: Home) -> None:
    home.dag(
        "ask",
        """
        handler_on:
          wait: {run: 'echo "waits $DAG_WAITING_STEPS" >> "$DAG_DESK/wait"'}
        steps:
          - id: build
            run: echo built
            approval: {prompt: "Ship ${context.dag.name}?", input: [VERSION, NOTE], required: [VERSION]}
          - id: form
            depends: [build]
            action: human.task
            with:
              prompt: Who?
              form: {type: object, properties: {NAME: {type: string}}, required: [NAME]}
          - id: ship
            depends: [form]
            run: 'echo "ship ${steps.build.outputs.VERSION} by ${steps.form.outputs.NAME}"'
        """,
    )
    home.dagfs("run", "ask").exits(6)
    assert home.lines("wait") == ["waits build"]
    home.dagfs("status").says("Ship ask?")
    home.dagfs("approve", "@", "build").exits(2).says("VERSION")
    home.dagfs("approve", "@", "build", "--input", "VERSION=1.2").exits(6)
    home.dagfs("approve", "@", "form", "--input", "NAME=Ann").exits(0)
    assert home.log("ship") == "ship 1.2 by Ann\n"


# --- actions -------------------------------------------------------------------------------------

ACTIONS = r"""
params: {WHO: world}
steps:
  - {id: plain, action: run, with: {command: 'echo "plain $WHO"', shell: bash}}
  - {id: direct, action: exec, with: {command: printf, args: ["%s|", "a b", "${params.WHO}", "$(id)"]}}
  - {id: log, action: log.write, with: {message: "hello ${params.WHO}"}}
  - {id: publish, action: outputs.write, with: {values: {version: "1.${params.WHO}", list: [1, 2]}}}
  - {id: nothing, action: noop}
  - {id: pause, action: wait.duration, with: {duration: 10ms}}
  - id: pick
    depends: [publish]
    action: jq.filter
    with: {filter: ".a[1]", data: {a: [1, "${steps.publish.outputs.version}"]}, raw: true}
  - {id: code, action: python.run, with: {script: "import os; print('python', os.environ['WHO'])"}}
  - id: pack
    action: archive.create
    working_dir: ${DAGFS_WORK_DIR}
    with: {source: "${env.STUFF}", destination: stuff.tar.gz}
  - id: unpack
    depends: [pack]
    action: archive.extract
    working_dir: ${DAGFS_WORK_DIR}
    with: {source: stuff.tar.gz, destination: out}
  - {id: show, depends: [unpack], working_dir: "${DAGFS_WORK_DIR}", run: 'find out -type f -exec cat {} +'}
env: [STUFF: "${DAG_DESK}/stuff"]
"""


def test_actions_of_every_built_in_executor_that_needs_no_server(home: Home) -> None:
    home.file("stuff").mkdir()
    (home.file("stuff") / "a.txt").write_text("packed\n")
    home.dag("acts", ACTIONS)
    home.dagfs("run", "acts").exits(0)
    logs = {name: home.log(name) for name in ("plain", "direct", "log", "pick", "code", "show")}
    assert logs == {
        "plain": "plain world\n",
        "direct": "a b|world|$(id)|",
        "log": "hello world\n",
        "pick": "1.world\n",
        "code": "python world\n",
        "show": "packed\n",
    }
    assert home.status()["steps"]["publish"]["outputs"] == {"version": "1.world", "list": "[1,2]"}


def test_keys_of_what_dagfs_has_not_are_named_and_passed_over(home: Home) -> None:
    home.dag(
        "far",
        """
        artifacts: {enabled: true}
        resources: {limits: {cpu: 1}}
        webhook: {forward_headers: [X]}
        run_config: {disable_param_edit: true}
        worker_selector: local
        log_dir: /nowhere
        group: x
        llm: {provider: none}
        steps:
          - {id: a, run: 'true', worker_selector: {gpu: "1"}, output_schema: {type: object}, inputs: [x]}
        """,
    )
    found = home.dagfs("validate", "far").exits(0)
    for key in (
        "artifacts",
        "resources",
        "webhook",
        "run_config",
        "log_dir",
        "group",
        "llm",
        "output_schema",
    ):
        found.says(f"key '{key}' is not used")
    home.dagfs("run", "far").exits(0)


def test_an_action_that_nobody_knows_is_a_slip_and_one_of_a_package_a_warning(home: Home) -> None:
    home.dag("slip", "steps: [{id: a, action: http.requst, with: {url: x}}]\n")
    home.dagfs("validate", "slip").exits(3).says(
        "there is no action 'http.requst'", "did you mean 'http.request'?"
    )
    home.dag("pack", "steps: [{id: a, action: owner/name@v1}]\n")
    home.dagfs("validate", "pack").exits(0).says("owner/name@v1")


def test_times_and_signals_bound_steps(home: Home) -> None:
    home.dag(
        "bounds",
        """
        max_active_steps: 1
        delay_sec: 0
        steps:
          - {id: slow, run: sleep 60, timeout_sec: 0.2, signal_on_stop: SIGINT, continue_on: failed}
          - id: alone
            run: 'test ! -e "$DAG_DESK/busy" && touch "$DAG_DESK/busy" && rm "$DAG_DESK/busy"'
          - id: too
            run: 'test ! -e "$DAG_DESK/busy" && touch "$DAG_DESK/busy" && rm "$DAG_DESK/busy"'
        """,
    )
    home.dagfs("run", "bounds").exits(1)
    assert home.states() == {"slow": "failed", "alone": "succeeded", "too": "succeeded"}
    assert home.status()["state"] == "partially_succeeded"
