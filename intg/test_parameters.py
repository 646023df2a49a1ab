"""Parameters with rules, and values that are worked out when a run begins."""

from __future__ import annotations

from intg.home import Home

TYPED = """
params:
  - {name: count, type: integer, minimum: 1, default: 3}
  - name: who
    required: true
    pattern: ^[a-z]+$
steps: [{id: a, run: 'echo "${params.who} ${params.count}"'}]
"""


def test_a_value_that_does_not_fit_is_refused_with_its_rule_and_place(home: Home) -> None:
    home.dag("job", TYPED)
    home.dagfs("run", "job").exits(2).says("param 'who' is required", "job.yaml:3:", "-p who=VALUE")
    home.dagfs("run", "job", "-p", "who=BIG").exits(2).says("'BIG' does not fit the pattern '^[a-z]+$'")
    home.dagfs("run", "job", "-p", "who=a", "-p", "count=0").exits(2).says("0 is less than the minimum of 1")
    home.dagfs("run", "job", "-p", "who=a", "-p", "count=x").exits(2).says(
        "'x' is not an integer", "job.yaml:2:"
    )
    assert not list((home.path / "runs").glob("*/run.json"))
    home.dagfs("run", "job", "-p", "who=ann").exits(0)
    assert home.log("a") == "ann 3\n"


def test_a_default_that_does_not_fit_is_a_fault_of_the_spec(home: Home) -> None:
    home.dag("job", "params:\n  - {name: n, type: integer, default: many}\nsteps: [{run: 'true'}]\n")
    for verb in ("run", "validate"):
        home.dagfs(verb, "job").exits(3).says("job.yaml:2:", "param 'n' 'many' is not an integer")


def test_a_schema_file_gives_defaults_and_rules(home: Home) -> None:
    home.dag("job", "params: {schema: s.json, values: {who: me}}\nsteps: [{id: a, run: 'echo $who $n'}]\n")
    properties = '{"n": {"type": "integer", "maximum": 9, "default": 7}}'
    schema = f'{{"type": "object", "properties": {properties}, "required": ["who"]}}'
    (home.path / "dags" / "s.json").write_text(schema)
    home.dagfs("run", "job", "--id", "r").exits(0)
    assert home.log("a") == "me 7\n"
    home.dagfs("run", "job", "-p", "n=10").exits(2).says("10 is more than the maximum of 9")
    (home.path / "dags" / "s.json").unlink()
    home.dagfs("run", "job").exits(3).says("cannot use the schema 's.json'", "No such file")
    home.dagfs("validate", "job").exits(3).says("cannot use the schema")


def test_commands_of_the_author_run_at_the_start_and_those_of_values_never(home: Home) -> None:
    home.dag(
        "old",
        """
        params:
          - DAY: "`printf mon`day"
          - GIVEN: none
        env:
          - FIRST: "`printf one`"
          - SECOND: "${FIRST} `printf '%s' \\"$FIRST\\"`"
        steps:
          - name: a
            command: printf '%s|' "$DAY" "$GIVEN" "$SECOND" "$OWN"
            env: {OWN: "`printf own`"}
        """,
    )
    words = ("run", "old", "--dialect", "dagu1", "--id", "r", "-p", "GIVEN=`touch pwned`$(touch pwned)")
    home.dagfs(*words).exits(0)
    assert home.log("a") == "monday|`touch pwned`$(touch pwned)|one one|own|"
    assert not list(home.path.rglob("pwned"))


def test_a_command_that_fails_or_hangs_is_an_error_of_its_line(home: Home) -> None:
    home.dag(
        "bad", "env:\n  - A: x\n  - B: \"`echo oh no >&2; exit 7`\"\nsteps: [{name: a, command: 'true'}]\n"
    )
    home.dagfs("run", "bad", "--dialect", "dagu1").exits(3).says(
        "bad.yaml:3:", "env B", "failed with 7: oh no"
    )
    home.dag("slow", "params: [{name: p, eval: $(sleep 60)}]\nsteps: [{run: 'true'}]\n")
    home.dagfs("run", "slow", env={"DAGFS_LOAD_TIMEOUT_SEC": "0.2"}).exits(3).says("did not end within 0.2 s")


def test_a_parameter_that_was_worked_out_keeps_its_value_over_retries(home: Home) -> None:
    home.dag(
        "job",
        """
        params: [{name: p, eval: "$(cat $DAG_DESK/now)"}]
        steps: [{id: a, run: 'echo "${params.p}"; exit 1'}]
        """,
    )
    home.file("now").parent.mkdir(exist_ok=True)
    home.file("now").write_text("first")
    home.dagfs("run", "job", "--id", "r").exits(1)
    home.file("now").write_text("second")
    home.dagfs("retry", "r").exits(1)
    assert home.dagfs("status", "r", "--json").json["params"] == {"p": "first"}


def test_outputs_are_declared_decoded_and_published(home: Home) -> None:
    home.dag(
        "job",
        """
        type: graph
        consts: [{region: eu}]
        steps:
          - id: a
            run: |
              echo '{"rows": [{"id": 5}]}'
              echo "WRITTEN=yes" >> "$DAGU_OUTPUT_FILE"
            output: {name: ROW_JSON, key: rows}
          - id: b
            depends: a
            run: echo "${steps.a.outputs.ROW_JSON.rows[0].id} ${steps.a.outputs.WRITTEN} ${consts.region}"
            output: {name: HIDDEN, omit: true}
          - id: c
            depends: b
            run: echo "${params.nothing} ${HIDDEN}" || true
            shell: direct
        """,
    )
    home.dagfs("run", "job", "--id", "r").exits(0)
    assert home.log("b") == "5 yes eu\n"
    outputs = {"rows": '{"rows": [{"id": 5}]}', "written": "yes"}
    assert home.dagfs("status", "r", "--json").json["outputs"] == outputs
    home.dagfs("show", "r").says("outputs", "written=yes")


def test_a_declared_output_that_is_missing_fails_the_step(home: Home) -> None:
    home.dag(
        "job",
        """
        steps:
          - id: a
            run: echo "one=1" > "$DAGFS_OUTPUT"
            outputs: [{name: one}, {name: two}]
        """,
    )
    home.dagfs("run", "job").exits(1)
    home.dagfs("status").says("output two", "has not written it to $DAGFS_OUTPUT")


def test_an_expression_cannot_hang_a_run(home: Home) -> None:
    home.dag(
        "job",
        """
        params: [{text: ""}]
        steps:
          - id: a
            run: "true"
            preconditions: [{condition: "${params.text}", expected: "re:^(a+)+$"}]
        """,
    )
    home.dagfs("run", "job", "-p", "text=" + "a" * 5000 + "!", "--id", "r").exits(0)
    assert home.states() == {"a": "skipped"}
    home.dag("bad", "steps: [{run: 'true', preconditions: [{condition: x, expected: 're:(?=x)'}]}]\n")
    home.dagfs("validate", "bad").exits(3).says("no regular expression", "RE2")
