"""The command line: naming runs, being told what is wrong, and pipes."""

from __future__ import annotations

import json
import subprocess

import pytest

from intg.home import DAGFS, Home
from tests.patience import eventually

OK = "steps: [{name: a, run: echo hello}]\n"
BAD = "steps: [{name: a, run: 'false'}]\n"


@pytest.fixture
def three(home: Home) -> Home:
    """A home with three runs, oldest first: alpha (`r1`), beta (`r2`, failed), alpha (`r3`)."""
    home.dag("alpha", OK)
    home.dag("beta", BAD)
    for dag, run in (("alpha", "r1"), ("beta", "r2"), ("alpha", "r3")):
        home.dagfs("run", dag, "--id", run)
    return home


def test_a_run_is_found_by_every_way_to_name_it(three: Home) -> None:
    words = {
        "r2": "r2",
        "@": "r3",
        "@-1": "r2",
        "@-2": "r1",
        "alpha": "r3",
        "alpha@": "r3",
        "alpha@-1": "r1",
        "beta": "r2",
        "runs/r1": "r1",
        "./runs/r1/": "r1",
        "runs/r1/attempts/1/journal.jsonl": "r1",
    }
    assert {word: three.dagfs("show", word, "--json").exits(0).json["run"] for word in words} == words


def test_what_names_no_run_is_told_in_one_line(three: Home) -> None:
    for word in ("r", "@-3", "beta@-1", "alhpa", "", "../etc", "a\nb", "@-", "/", "\x1b[31m", "x" * 300):
        found = three.dagfs("show", "--json", "--", word).in_one_line()
        assert found.code in (2, 4), found


def test_a_run_is_found_by_a_unique_beginning_and_by_its_absolute_path(home: Home) -> None:
    home.dag("job", OK)
    for run in ("20260101-one", "20260102-two"):
        home.dagfs("run", "job", "--id", run).exits(0)
    assert home.dagfs("show", "20260102", "--json").exits(0).json["run"] == "20260102-two"
    assert home.dagfs("show", str(home.path / "runs/20260101-one"), "--json").json["run"] == "20260101-one"
    home.dagfs("show", "2026").exits(2).in_one_line().says("20260101-one", "20260102-two")


def test_what_was_mistyped_is_guessed(three: Home) -> None:
    three.dagfs("statsu").exits(2).in_one_line().says("unknown command 'statsu'", "did you mean status")
    three.dagfs("run", "alhpa").exits(4).in_one_line().says("did you mean", "alpha")
    three.dagfs("status", "bets").exits(4).in_one_line().says("did you mean", "beta")
    three.dagfs("retry", "--resaon", "x").exits(2).in_one_line().says("did you mean --reason")
    three.dagfs("logs", "@", "b").exits(4).in_one_line().says("it has a")
    three.dagfs("diff", "@", "v1", "v9").exits(4).in_one_line().says("spec.v9.yaml", "spec.v1.yaml")
    three.dagfs("logs", "@", "--attempt", "7").exits(4).in_one_line()
    three.dagfs("edit", "@", "--from", "v9", "--no-editor").exits(4).in_one_line()


def test_an_id_is_taken_once_and_must_be_one(three: Home) -> None:
    three.dagfs("run", "alpha", "--id", "r1").exits(5).in_one_line().says("r1")
    for bad in ("UPPER", "a/b", "..", "-", "x" * 65, "spa ce", "\x1b[31m"):
        three.dagfs("run", "alpha", f"--id={bad}").exits(2).in_one_line()
    assert [path.name for path in three.runs()] == ["r1", "r2", "r3"]


def test_lists_are_newest_first_and_can_be_narrowed(three: Home) -> None:
    assert three.dagfs("runs", "-1").out.split() == ["r3", "r2", "r1"]
    assert three.dagfs("runs", "-1", "--status", "failed").out.split() == ["r2"]
    assert three.dagfs("runs", "-1", "alpha", "--limit", "1").out.split() == ["r3"]
    assert three.dagfs("runs", "-0").out.split("\0") == ["r3", "r2", "r1", ""]
    assert [run["run"] for run in three.dagfs("runs", "--json").json] == ["r3", "r2", "r1"]
    three.dagfs("runs", "--since", "1h").says("r1")
    three.dagfs("runs", "--since", "soon").exits(2).in_one_line()
    three.dagfs("ls").exits(0).says("alpha ✓ succeeded", "beta ✗ failed")
    assert three.dagfs("ls", "-1", "a*").out.split() == ["alpha"]


@pytest.mark.parametrize(
    "words",
    [
        "next -n 0",
        "next -n -1",
        "runs --limit=-1",
        "clean --keep 0d",
        "clean --keep-last 0",
        "scheduler --log=-1",
        "backfill ok --from 2026-11-01 --to 2026-11-01 -j 0",
    ],
)
def test_a_number_that_would_mean_none_is_refused(home: Home, words: str) -> None:
    home.dag("ok", "steps: [{name: a, run: 'true'}]")
    home.dagfs(*words.split()).exits(2).in_one_line()


def test_a_span_that_runs_backwards_is_refused_by_its_option(home: Home) -> None:
    home.dag("ok", "steps: [{name: a, run: 'true'}]")
    home.dagfs("run", "ok").exits(0)
    for words, told in (
        ("clean --keep -3d", "--keep -3d: expected days"),
        ("runs --since -3d", "--since -3d: not a time"),
        ("wait @ --timeout -1.5h", "--timeout -1.5h: not a span of time"),
    ):
        home.dagfs(*words.split()).exits(2).in_one_line().says(told)
    assert len(home.dagfs("runs", "-1").out.split()) == 1


def test_what_a_list_was_narrowed_to_is_told_apart_from_an_empty_home(home: Home) -> None:
    home.dag("ok", "steps: [{name: a, run: 'true'}]")
    home.dagfs("ls", "--tag", "nope").exits(0).says("no DAG like that")
    assert [each["name"] for each in home.dagfs("ls", "-1", "--json").json] == ["ok"]
    home.dagfs("clean", "ok", "-n").exits(0).says("nothing to remove")
    home.dagfs("clean", "nosuch", "-n").exits(4).in_one_line()
    home.dagfs("enqueue", "ok", "--queue", "foo").exits(0)
    home.dagfs("queue", "ls", "foo").exits(0).says("ok")
    home.dagfs("queue", "ls", "bar").exits(0).says("nothing waits in bar")
    assert home.dagfs("queue", "ls", "bar", "--json").json == []
    assert len(home.dagfs("queue", "--json").json) == 1


def test_the_reader_of_a_list_may_go_away(three: Home) -> None:
    assert three.shell("dagfs runs | head -n 1").startswith("r3")
    three.shell("dagfs show @ --json | head -c 1; dagfs logs @ | true; dagfs status | true")
    three.shell("for i in 1 2 3 4 5 6; do echo; done | dagfs help exit-codes | head -n 1")


def test_a_run_goes_on_when_the_reader_of_its_events_goes_away(home: Home) -> None:
    home.dag(
        "long",
        """
        steps:
          - {name: a, run: "until test -e $DAG_DESK/go; do sleep 0.02; done"}
          - {name: b, depends: a, run: echo b}
        """,
    )
    with subprocess.Popen(
        f"{DAGFS} run long --json | head -n 1", shell=True, cwd=home.path, env=home._environment(None),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as pipe:  # fmt: skip
        assert pipe.stdout is not None
        assert json.loads(pipe.stdout.readline())["event"] == "attempt_started"
        home.file("go").touch()
        _, told = pipe.communicate(timeout=30)
    assert "Traceback" not in told
    eventually(lambda: home.dagfs("status", "--json").json["state"] == "succeeded", "its end")


def test_a_run_goes_on_when_nothing_it_says_can_be_written(home: Home) -> None:
    home.dag("job", "steps: [{name: a, run: echo a}, {name: b, depends: a, run: echo b}]\n")
    for number, where in enumerate(
        ("--json >/dev/full", "2>/dev/full", ">/dev/full 2>&1", ">&-", "2>&-", "--json >&-", "<&- >&- 2>&-")
    ):
        home.shell(f"dagfs run job --id r{number} {where} || test $? = 74")
        assert home.dagfs("status", f"r{number}", "--json").json["state"] == "succeeded", where
    home.shell("dagfs status >&-; dagfs retry nothing 2>&- || test $? = 4")
    home.dagfs("fsck").exits(0)


def test_a_spec_may_come_from_a_pipe(home: Home) -> None:
    home.dag("beta", BAD)
    home.dagfs("run", "beta").exits(1)
    assert "compatible" in home.shell("sed s/false/true/ runs/*/spec.v1.yaml | dagfs plan --spec /dev/stdin")
    home.dagfs("plan", "--spec", ".").exits(4).in_one_line()


def test_a_param_that_the_dag_does_not_declare_is_mentioned(home: Home) -> None:
    home.dag("job", "params: [{date: today}]\nsteps: [{name: a, run: echo a}]\n")
    home.dagfs("run", "job", "-p", "dtae=x").exits(0).says("no param 'dtae'; did you mean 'date'?")
    home.dagfs("run", "job", "-p", "date=x").exits(0).never_says("no param")


def test_a_plugin_that_cannot_be_loaded_is_named_before_it_is_missed(home: Home) -> None:
    home.dag("job", BAD)
    (home.path / "plugins").mkdir()
    (home.path / "plugins/mine.py").write_text("def broken(:\n")
    for words in (["run", "job"], ["plan"], ["retry"]):
        home.dagfs(*words).says("plugin mine was not loaded: SyntaxError")
    home.dagfs("status").exits(0).never_says("mine")


def test_options_may_stand_between_run_and_step(home: Home) -> None:
    home.dag("job", OK)
    home.dagfs("run", "--reason", "why", "job", "-p", "a=b").exits(0)
    assert home.dagfs("logs", "@", "--stdout", "a").exits(0).out == "hello\n"
    home.dagfs("logs", "@", "--stderr", "a").exits(0).says("nothing was printed by a")


def test_problems_of_a_spec_come_all_at_once_with_their_places(home: Home) -> None:
    home.dag(
        "bad",
        """
        stepz: []
        steps:
          - name: a
            comand: echo
          - name: b
            run: "true"
            depends: c
            timeout_sec: soon
        """,
    )
    for verb in ("validate", "run"):
        told = home.dagfs(verb, "bad").exits(3)
        told.says("bad.yaml:1:1: error: unknown key 'stepz'", "did you mean 'steps'?")
        told.says("bad.yaml:4:5: error: unknown key 'comand'", "did you mean 'command'?")
        told.says("bad.yaml:7:", "bad.yaml:8:")
    assert {each["line"] for each in home.dagfs("validate", "bad", "--json").exits(3).json} >= {1, 4, 7, 8}
    assert home.runs() == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"{",
        b"[]",
        b"steps:",
        b"steps: 7",
        b"\xff\xfe\x00",
        b"steps: [{name: a, run: 'x\x00y'}]",
        b"a: &a [x]\nb: *c",
        b"steps: [{name: a, depends: a, run: 'true'}]",
        b"steps: [{name: a, depends: b, run: x}, {name: b, depends: a, run: x}]",
        b"steps: [{name: a, run: x}, {name: a, run: x}]",
        b"steps: " + b"[" * 5000,
        b"x: &x [1,1]\ny: &y [*x,*x,*x,*x,*x,*x,*x,*x]\n"
        + b"".join(
            b"z%d: &z%d [%s]\n" % (n, n, b",".join([b"*y" if n == 0 else b"*z%d" % (n - 1)] * 9))
            for n in range(9)
        ),
        b"steps: [{name: a, run: x}]\nsteps: []",
        b"#" * (5 << 20),
    ],
)
def test_a_file_that_is_no_spec_is_refused_in_words(home: Home, data: bytes) -> None:
    home.dag("odd", "").write_bytes(data)
    told = home.dagfs("run", "odd")
    assert told.code in (3, 5), told
    assert told.err.count("\n") < 12, told
    assert home.runs() == []


def test_a_home_is_needed_and_found_upwards(home: Home) -> None:
    home.dag("job", OK)
    below = home.path / "dags"
    home.dagfs("run", "job", cwd=below).exits(0)
    home.dagfs("-C", str(home.path), "status", cwd=home.path.parent).exits(0)
    home.dagfs("status", env={"DAGFS_HOME": str(home.path)}, cwd=home.path.parent).exits(0)
    home.dagfs("-C", "nowhere", "status").exits(4).in_one_line()
    for verb in ("status", "runs", "ls"):
        home.dagfs(verb, cwd=home.path.parent).exits(4).in_one_line().says("no home here", "dagfs init")
    home.dagfs("run", "job", cwd=home.path.parent).exits(4).says("no home here")


def test_settings_that_are_wrong_are_named_with_their_line(home: Home) -> None:
    home.dag("job", OK)
    home.settings("grace_sec: 2\ndialekt: auto\n")
    home.dagfs("run", "job").exits(3).says(
        "dagfs.yaml:2:1", "unknown setting 'dialekt'", "did you mean 'dialect'?"
    )


def test_a_run_of_a_file_outside_of_the_home(home: Home) -> None:
    path = home.file("elsewhere.yaml")
    path.write_text("steps: [{name: a, run: pwd}]\n")
    home.dagfs("run", str(path)).exits(0)
    assert home.log("a").strip() == str(path.parent)


def test_a_dag_is_taken_by_the_name_that_lists_show(home: Home) -> None:
    home.dag("t", f"name: topname\nschedule: '0 5 * * *'\n{OK}")
    home.dagfs("ls").exits(0).says("topname")
    home.dagfs("run", "topname", "--id", "r1").exits(0)
    home.dagfs("runs", "topname", "-1").exits(0).says("r1")
    home.dagfs("enqueue", "topname").exits(0)
    home.dagfs("next", "topname", "-n", "1").exits(0).says("topname")
    home.dagfs("backfill", "topname", "--from", "2026-01-01", "--to", "2026-01-01", "-n").exits(0)
    for verb in ("validate", "graph", "clean"):
        home.dagfs(verb, "topname").exits(0)
    home.dagfs("pause", "topname").exits(0).says("topname is paused; `dagfs resume topname` ends that")
    home.dagfs("resume", "topname").exits(0)
    home.dagfs("run", "topnam").exits(4).in_one_line().says("there is no DAG 'topnam'")


def test_a_name_that_two_files_have_must_be_told_apart_only_where_it_matters(home: Home) -> None:
    for folder in ("x", "y"):
        (home.path / "dags" / folder).mkdir(parents=True)
    home.dag("x/one", f"name: dup\n{OK}")
    home.dag("y/two", f"name: dup\n{OK}")
    home.dag("x/same", OK)
    home.dag("y/same", OK)
    told = "'dup' is the name of 2 files: x/one.yaml, y/two.yaml; say which"
    for verb in ("run", "enqueue", "next", "graph"):
        home.dagfs(verb, "dup").exits(2).in_one_line().says(told)
    for name in ("dup", "same"):
        home.dagfs("clean", name).exits(0)
        home.dagfs("pause", name).exits(0).says(f"{name} is paused")
        home.dagfs("resume", name).exits(0)
    home.dagfs("run", "same").exits(2).says("could be 2 DAGs")


def test_help_is_there_for_every_verb(home: Home) -> None:
    verbs = [
        line.split()[0] for line in home.dagfs("--help").exits(0).out.splitlines() if line.startswith("  ")
    ]
    for verb in ("run", "retry", "plan", "edit", "status"):
        assert verb in verbs
        home.dagfs(verb, "--help").exits(0).says("examples:")
    home.dagfs("help", "exit-codes").exits(0).says("75 another engine owns the run")
    home.dagfs("help", "nothing").exits(2).in_one_line()
    home.dagfs("version", "--json").exits(0).json["version"]
    home.dagfs().exits(0)


def test_a_run_without_steps_to_run_again_says_so(three: Home) -> None:
    three.dagfs("retry", "r1").exits(7).says("nothing to do")
    three.dagfs("plan", "r1").exits(7).says("nothing to do")


def test_before_the_first_run_there_is_nothing_to_show(home: Home) -> None:
    home.dagfs("status").exits(4).in_one_line().says("dagfs run")
    home.dagfs("runs").exits(0).says("no runs yet")
    home.dagfs("fsck").exits(0).says("sound")
    assert not (home.path / "runs").exists()


def test_values_of_several_lines_stay_in_their_place(home: Home) -> None:
    home.dag(
        "job",
        """
        params: [text: x]
        steps:
          - name: a
            run: printf 'OUT<<E\\n1\\n%s\\nE\\n' "$DAGFS_ATTEMPT" >> $DAGFS_OUTPUT; exit 1
            continue_on: {failure: true}
          - {name: b, run: "false", depends: a}
        """,
    )
    home.dagfs("run", "job", "-p", "text=one\ntwo").exits(1)
    home.dagfs("edit", "--from", str(home.run / "spec.v1.yaml"), "--no-editor")
    home.dagfs("retry", "--from", "a", "--reason", "first\nsecond").exits(1)
    home.dagfs("show").exits(0)
    for verb in ("show", "status"):
        assert "one two" in home.dagfs(verb).exits(0).out
    for words in (["show"], ["status"], ["diff", "@", "--attempts", "1", "2"], ["spec", "log", "@"]):
        lines = home.dagfs(*words).out.splitlines()
        assert not [line for line in lines if line in ("two", "2", "second")], lines
