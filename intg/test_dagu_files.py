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
