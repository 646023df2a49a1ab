"""Bad input of every kind: one line that says what and where, its exit code, and nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from intg.home import DAGFS, Home, Outcome, checked
from intg.small_disk import needs_root, read_only, small_disk

BOMB = "x0: &x0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"x{n}: &x{n} [{','.join([f'*x{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
STEP = "steps: [{name: a, run: 'true'}]\n"
UNUSABLE = {
    "an empty file": (b"", "the file is empty"),
    "blanks and comments": (b"\n# nothing\n\n", "the file is empty"),
    "a picture": (b"\x89PNG\r\n\x1a\n\x00\x00\x00", "odd.yaml:"),
    "a program": (b"\x7fELF\x02\x01\x01\x00", "a NUL byte"),
    "brackets without end": (b"steps: " + b"[" * 100_000, "nested more than 40 deep"),
    "braces without end": (b'{"a":' * 100_000, "nested more than 40 deep"),
    "lists without end": (b"- " * 100_000, "nested more than 40 deep"),
    "aliases of aliases": (BOMB.encode(), "more than 200,000 values"),
    "5 MB": (STEP.encode() + b"#" * (5 << 20), "larger than 4 MB"),
    "60,000 steps": (
        b"steps:\n" + b"- {name: a, run: 'echo some words to fill the line with'}\n" * 60_000,
        "",
    ),
    "a circle": (
        b"steps:\n- {name: a, run: x, depends: c}\n- {name: b, run: x, depends: a}\n"
        b"- {name: c, run: x, depends: b}\n",
        "steps depend on each other in a circle: a -> c -> b -> a",
    ),
    "a step of its own": (b"steps: [{name: a, run: x, depends: a}]", "step 'a' depends on itself"),
    "a name twice": (
        b"steps:\n- {name: a, run: x}\n- {name: b, run: x}\n- {name: a, run: x}\n",
        "odd.yaml:4:4: error: the step name 'a' is already used in line 2",
    ),
    "an unknown dependency": (
        b"steps: [{name: load, run: x}, {name: b, run: x, depends: laod}]",
        "step 'b' depends on 'laod', which does not exist",
    ),
    "a key twice": (b"steps: []\nsteps: []\n", "odd.yaml:2:1"),
    "a step like a path": (
        b"steps: [{name: ../../etc/passwd, run: x}]",
        "the name '../../etc/passwd' must not hold '/'",
    ),
    "a step like an option": (
        b"steps: [{name: --kill, run: x}]",
        "the name '--kill' must not begin with '-'",
    ),
    "a step called ..": (b"steps: [{name: '..', run: x}]", "a step cannot be called '..'"),
    "a step with a line break": (b'steps: [{name: "a\\nb", run: x}]', "control characters"),
    "a DAG called ../x": (b"name: ../x\n" + STEP.encode(), "the name '../x' may hold only"),
    "a DAG called a/b": (b"name: a/b\n" + STEP.encode(), "the name 'a/b' may hold only"),
    "a DAG called -x": (b"name: -x\n" + STEP.encode(), "the name '-x' must not begin with '-'"),
    "a YAML tag": (b"steps: !!python/object/apply:os.system ['touch pwned']\n", "odd.yaml:1:8"),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_a_file_that_is_no_spec(home: Home, what: str) -> None:
    data, said = UNUSABLE[what]
    path = home.dag("odd", "")
    path.write_bytes(data)
    for verb in ("run", "validate", "graph"):
        told = home.dagfs(verb, "odd").exits(3).says(said)
        errors = [line for line in told.err.splitlines() if ": error: " in line]
        assert len(errors) == 1 or what in ("a picture", "60,000 steps", "a YAML tag"), told
        assert max(map(len, told.err.splitlines())) < 200 + len(str(path)), told
    assert path.read_bytes() == data
    assert home.runs() == []
    assert not home.file("pwned").exists()


def test_an_executor_that_is_not_there(home: Home) -> None:
    home.dag("odd", "steps:\n- name: a\n  executor: shel\n  command: x\n")
    for verb in ("run", "validate"):
        told = home.dagfs(verb, "odd").exits(3)
        told.says("odd.yaml:3:", "there is no executor 'shel'", "did you mean 'shell'?")
    assert home.runs() == []


def test_a_name_that_leads_elsewhere_is_no_dag(home: Home) -> None:
    home.dag("job", STEP)
    for word in ("../job", "..", ".", "/", "-x", "a/../../etc/passwd", "x" * 300, "y/" * 3000, "\x1b[2J"):
        for verb in ("run", "validate", "graph"):
            home.dagfs(verb, "--", word).exits(4).in_one_line().never_says("\x1b")
    for word in ("../r", "-r", "..", "x" * 300, "R"):
        home.dagfs("run", "job", f"--id={word}").exits(2).in_one_line()
    assert home.runs() == []


def test_what_stands_behind_two_dashes_is_no_option(home: Home) -> None:
    home.dag("job", "params: first second\nsteps: [{name: a, run: 'echo \"$1 $2\"'}]\n")
    home.dagfs("run", "job", "--id", "r1", "--", "-5", "--id").exits(0)
    assert home.dagfs("logs", "r1", "--", "a").out == "-5 --id\n"


def test_a_param_that_must_be_given(home: Home) -> None:
    home.dag("job", "params:\n  - {name: date, required: true}\nsteps: [{name: a, run: 'echo ${date}'}]\n")
    told = home.dagfs("run", "job").says("date")
    assert told.code in (2, 3), told
    assert home.runs() == []
    home.dagfs("run", "job", "-p", "date=today").exits(0)


def test_a_dag_file_that_cannot_be_read(home: Home) -> None:
    home.dag("job", STEP)
    os.mkfifo(home.path / "dags/pipe.yaml")
    (home.path / "dags/folder.yaml").mkdir()
    (home.path / "dags/loop.yaml").symlink_to("loop.yaml")
    (home.path / "dags/gone.yaml").symlink_to("nowhere")
    for name in ("pipe", "folder", "loop", "gone"):
        told = home.dagfs("run", name).in_one_line()
        assert told.code in (4, 74), told
    home.dagfs("validate").exits(0).says("job.yaml: valid")
    home.dagfs("ls").exits(0).says("job")


# --- the edit


def test_an_edit_that_is_being_written(home: Home) -> None:
    """Of a file that grows under its reader the whole is taken, or nothing."""
    home.dag("job", "steps: [{name: a, run: 'false'}]\n")
    home.dagfs("run", "job").exits(1)
    path, over = home.run / "spec.next.yaml", threading.Event()
    path.write_text("# the first line\n")

    def scribble() -> None:
        with path.open("a") as file:
            while not over.is_set():
                file.write("# one more line\n")
                file.flush()

    writer = threading.Thread(target=scribble)
    writer.start()
    try:
        before = sorted(entry.name for entry in home.run.iterdir())
        told = home.dagfs("retry")
        assert told.code in (3, 5), told
        told.says("spec.next.yaml").in_one_line()
        assert sorted(entry.name for entry in home.run.iterdir()) == before
    finally:
        over.set()
        writer.join()
    path.write_text(STEP)
    home.dagfs("retry").exits(0)
    assert (home.run / "spec.v2.yaml").read_text() == STEP


# --- the home


@pytest.fixture
def failed(home: Home) -> Home:
    """A home with a failed run `r1` and a mended spec beside it."""
    return _with_failed_run(home)


def _with_failed_run(home: Home) -> Home:
    home.dag("job", "steps: [{name: a, run: 'echo hi; false'}]\n")
    home.dagfs("run", "job", "--id", "r1").exits(1)
    home.edit(("false", "true"))
    return home


READING = (
    ["status"],
    ["plan"],
    ["runs"],
    ["logs"],
    ["show", "@"],
    ["diff"],
    ["graph", "@"],
    ["ls"],
    ["fsck"],
)
CHANGING = (["run", "job"], ["retry"], ["rerun", "@"], ["mark", "r1", "a", "succeeded", "-m", "why"])


@needs_root
def test_a_home_that_is_read_only_can_be_read(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as home:
        _with_failed_run(home)
        before = home.listing()
        with read_only(home):
            for words in READING:
                assert home.dagfs(*words).code in (0, 1), words
            for words in CHANGING:
                home.dagfs(*words).exits(74).in_one_line().says("Read-only", "mount it writable")
            home.dagfs("doctor").exits(1).says("cannot be written")
        assert home.listing() == before
        home.dagfs("retry").exits(0)


@needs_root
def test_a_full_disk_can_be_read(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as home:
        _with_failed_run(home)
        subprocess.run(["sh", "-c", f"cat /dev/zero > {home.file('ballast')}"], check=False, stderr=-3)
        for words in READING:
            assert home.dagfs(*words).code in (0, 1), words
        for words in CHANGING:
            home.dagfs(*words).exits(74).in_one_line().says("No space left", "free some space")
        home.file("ballast").unlink()
        home.dagfs("retry").exits(0)


@needs_root
def test_a_home_of_another_user_is_not_for_us(failed: Home) -> None:
    failed.shell("chown -R 65534 .")
    before = failed.listing()
    others = (["run", "job"], ["retry"], ["rerun", "@"], ["stop", "@"], ["watch", "@"], ["wait", "@"])
    for words in (*READING[:5], *others):
        told = as_a_stranger(failed, *words).exits(74).in_one_line()
        told.says("Permission denied", "was it made by another user?")
    as_a_stranger(failed, "doctor").exits(1)
    assert failed.listing() == before
    failed.shell("chown -R 0 .")
    failed.dagfs("retry").exits(0)


def as_a_stranger(home: Home, *words: str) -> Outcome:
    """Call dagfs without the rights of root over other people's files."""
    done = subprocess.run(
        ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner,-chown", DAGFS, *words],
        cwd=home.path,
        env=home._environment(None),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return checked(Outcome(words, done.returncode, done.stdout, done.stderr))


@pytest.mark.parametrize("record", ["run.json", "attempts/1/attempt.json", "attempts/1/resolved.json"])
def test_a_run_of_a_newer_format(failed: Home, record: str) -> None:
    path = failed.run / record
    _from_the_future(path)
    before = _facts(failed)
    for words in (["status"], ["plan"], ["retry"], ["show", "@"], ["logs"], ["stop", "@"], CHANGING[3]):
        failed.dagfs(*words).exits(74).in_one_line().says("format 99", "use a newer dagfs")
    failed.dagfs("fsck").exits(74).says("format 99")
    failed.dagfs("runs").exits(0).says("r1")
    assert _facts(failed) == before
    failed.dagfs("run", "job", "--id", "other").exits(1)


def _facts(home: Home) -> dict[str, object]:
    """What files hold, but for the note of who held the run last."""
    return {name: what[-1] for name, what in home.listing("runs").items() if "owner.json" not in name}


def test_a_store_of_a_newer_format(failed: Home) -> None:
    _from_the_future(failed.path / "runs/.dagfs-store")
    before = failed.listing("runs")
    for words in CHANGING:
        failed.dagfs(*words).exits(74).in_one_line().says("format 99", "use a newer dagfs")
    failed.dagfs("doctor").exits(1).says("format 99")
    assert failed.listing("runs") == before


def _from_the_future(path: Path) -> None:
    data = json.loads(path.read_text())
    newer = path.with_name("newer")
    newer.write_text(json.dumps({**data, "format": 99}))
    shutil.copymode(path, newer)
    newer.replace(path)


@pytest.mark.parametrize("word", ["n", "=3", "a b=3", ""])
def test_a_parameter_without_a_name_is_told_by_itself(home: Home, word: str) -> None:
    home.dag("job", 'params: [{name: n, type: integer, default: 1}]\nsteps: [{name: a, run: "echo $n"}]')
    for verb in ("run", "enqueue", "backfill"):
        told = home.dagfs(verb, "job", "-p", word).exits(2).in_one_line()
        told.says(
            f"-p {word}: expected NAME=VALUE" if word else "expected NAME=VALUE", "behind the DAG and --"
        )
    home.dagfs("run", "job", "-p", "n=2").exits(0)
    assert home.log("a") == "2\n"
