"""Files as Dagu's users have them: base.yaml, several documents, actions, and what validate says of them."""

import textwrap

from intg.home import Home


def test_base_yaml_is_part_of_every_dag_but_its_handlers_are_not_those_of_sub_dags(home: Home) -> None:
    (home.path / "base.yaml").write_text(
        "env: [TEAM: shop]\nhandler_on:\n  exit: {run: 'echo bye >> \"$DAG_DESK/ends\"'}\n"
    )
    home.dag(
        "parent",
        """
        steps:
          - {id: own, run: 'echo "$TEAM"', output: WHO}
          - {id: sub, depends: own, action: dag.run, with: {dag: child, params: {WHO: "${WHO}"}}}
        ---
        name: child
        params: [WHO: nobody]
        steps:
          - {id: say, run: 'echo "$TEAM $WHO" > "$DAG_DESK/said"'}
        """,
    )
    home.dagfs("run", "parent").exits(0)
    assert home.lines("said") == ["shop shop"]
    assert home.lines("ends") == ["bye"]


def test_actions_run_and_their_values_stay_values(home: Home) -> None:
    home.dag(
        "acts",
        """
        params: [WORD: "$(touch pwned) `touch pwned` ' \\""]
        actions:
          keep:
            template:
              run: printf '%s' "{{ .input.text }}" > "$DAG_DESK/kept"
        steps:
          - {id: log, action: log.write, with: {message: "${params.WORD}"}, output: SAID}
          - {id: keep, depends: log, action: keep, with: {text: "${SAID}"}}
          - {id: direct, depends: keep, exec: {command: printf, args: ["%s|", "a b", "${params.WORD}"]}}
        """,
    )
    home.dagfs("run", "acts", "--id", "r1").exits(0)
    word = "$(touch pwned) `touch pwned` ' \""
    assert home.file("kept").read_text() == word
    assert home.dagfs("logs", "r1", "direct").exits(0).out.rstrip("\n") == f"a b|{word}|"
    assert not list(home.path.rglob("pwned"))


def test_validate_names_what_is_ignored_missing_and_ambiguous(home: Home) -> None:
    home.dag(
        "old",
        """
        otel: {enabled: true}
        steps:
          - {name: a, command: "true"}
          - {name: b, call: nowhere}
          - {name: c, type: chat}
        """,
    )
    found = home.dagfs("validate", "old").exits(0)
    found.says("key 'otel' is not used by this version")
    found.says("dagfs has no executor 'chat': this step fails when it is run")
    found.says("there is no sub-DAG 'nowhere' yet")
    home.dag("both", "steps: [echo a, echo b]")
    home.dagfs("validate", "both").exits(0).says("note: read as a chain; Dagu 2.7 and later start all")
    home.dagfs("validate", "--strict", "both").exits(0)


def test_a_step_of_a_kind_that_dagfs_has_not_fails_when_it_is_run(home: Home) -> None:
    home.dag("chat", "steps:\n  - {name: ask, type: chat}\n")
    home.dagfs("run", "chat").exits(1).says("chat")


def test_a_wrong_base_yaml_is_named(home: Home) -> None:
    (home.path / "base.yaml").write_text("evn: [A: b]\n")
    home.dag("any", "steps: [echo a]")
    home.dagfs("run", "any").exits(3).says("base.yaml:1:1: error: unknown key 'evn' in base.yaml")


def test_backquotes_that_only_dagu_1_would_run_are_remarked_on(home: Home) -> None:
    text = textwrap.dedent(
        """
        params: DAY="`date +%Y`"
        env: [{WHO: "`whoami`"}]
        steps:
          - name: get
            type: http
            config: {body: "`date`"}
            command: GET http://localhost/`id`
            preconditions: [{condition: "`date +%u`", expected: "1"}, "test -n `id`"]
          - name: show
            env: {HOST: "`hostname`"}
            command: echo `date` \\`
        """
    )
    home.dag("both", text)
    found = home.dagfs("validate", "both", "--json").exits(0).json
    lines = [each["line"] for each in found if "backquotes" in each["message"]]
    assert lines == [1, 2, 6, 8, 10], found
    home.dagfs("validate", "both").exits(0).says(
        "note: these backquotes are text; Dagu 1 runs", "dialect: dagu1"
    )
    dagu = home.path.parent / "dagu" / "dags"
    dagu.mkdir(parents=True)
    (dagu / "other.yaml").write_text(text)
    told = home.dagfs("import", "dagu", str(dagu)).exits(0)
    told.says("other, read as dagu2", "other.yaml:3:13: note: these backquotes are text", "1 read")
    home.dagfs("validate", "--dialect", "dagu1", "both").exits(0).never_says("backquotes")


def test_validate_tells_everything_at_once(home: Home) -> None:
    home.dag(
        "all",
        """
        type: graph
        params:
          - {name: n, type: integer, default: x}
          - {name: m, default: a}
          - {name: m, default: b}
        steps:
          - {name: a, type: http, with: {urll: 3}}
          - {name: b, run: x, depends: zz}
          - {name: c, type: http, retry_policy: 3, with: 7}
          - {name: d, type: mail, with: {to: a@b.test}, depends: zz}
        """,
    )
    told = home.dagfs("validate", "all").exits(3)
    told.says("the parameter 'm' is there twice", "param 'n'", "no setting 'urll'", "depends on 'zz'")
    told.says("with must be a map", "step 'd': there is no mail server")
    # What only follows from an error that is told is not told too.
    told.never_says("step 'c': http needs")


def test_the_word_valid_follows_the_exit_code(home: Home) -> None:
    home.dag("old", 'steps: [{name: a, run: "true"}]\notel: {}')
    home.dagfs("validate", "old").exits(0).says("valid: 1 step")
    home.dagfs("validate", "old", "--strict").exits(3).says("'otel'").never_says("valid:")


def test_files_with_one_name_are_told(home: Home) -> None:
    steps = 'steps: [{name: a, run: "true"}]\n'
    home.dag("a1", steps)
    home.dag("zz", f"name: a1\n{steps}")
    home.dag("other", steps)
    (home.path / "dags/a1.yml").write_text(steps)
    every = "dags/a1.yaml, dags/a1.yml and dags/zz.yaml: `dagfs run` means dags/a1.yaml"
    for verb in ("validate", "ls"):
        home.dagfs(verb).exits(0).says(f"warning: the DAG name 'a1' is that of {every}")
    home.dagfs("validate", "zz").exits(0).says(every)
    home.dagfs("validate", "other").exits(0).never_says("warning")
    (home.path / "dags/deep").mkdir()
    (home.path / "dags/a1.yaml").rename(home.path / "dags/deep/a1.yaml")
    home.dagfs("run", "a1").exits(0)
    (home.path / "dags/a1.yml").rename(home.path / "dags/deep/a1.yml")
    home.dagfs("ls").says("`dagfs run` means none of them for certain")
    home.dagfs("run", "a1").exits(2).says("could be 2 DAGs")


def test_what_is_wrong_with_base_yaml_is_listed_once(home: Home) -> None:
    for name in ("a", "b"):
        home.dag(name, 'steps: [{name: a, run: "true"}]')
    (home.path / "base.yaml").write_text("envv: 1\n")
    told = home.dagfs("ls").exits(0)
    told.says("base.yaml:1:1: error: unknown key 'envv'")
    assert (told.out + told.err).count("'envv'") == 1


def test_references_to_what_is_not_there_are_warned_of(home: Home) -> None:
    home.dag(
        "far",
        """
        params: [region: eu]
        consts: {limit: 3}
        steps:
          - id: load
            run: echo ${params.region} ${consts.limit} ${steps.load.stdout} \\${params.kept} ${params.1}
          - id: tell
            run: echo ${params.regoin} ${consts.nope} ${steps.laod.outputs.Y} ${steps.load.outputs.Y}
        """,
    )
    told = home.dagfs("validate", "far").exits(0)
    told.says("${params.regoin} stands for nothing: there is no parameter 'regoin'", "did you mean 'region'?")
    told.says("there is no constant 'nope'", "there is no step 'laod'", "did you mean 'load'?")
    assert told.err.count("warning") == 4, told


def test_a_key_of_the_dag_in_a_step_is_said_to_be_one(home: Home) -> None:
    home.dag("job", 'steps: [{name: a, run: "true", max_output_size: 3}]')
    home.dagfs("validate", "job").exits(3).says("unknown key 'max_output_size'", "it is a key of the DAG")
