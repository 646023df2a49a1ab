"""Steps in containers: a real dockerd, real containers, and everything that happens to both."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagfs.executors.docker import Docker
from dagfs.hooks.testing import SECRET, ExecutorContract, Outcome
from dagfs.model.dag import Step
from intg.dockerd import IMAGE, Dockerd, dockerd
from intg.home import Engine, Home
from tests.patience import eventually

pytestmark = pytest.mark.xdist_group("docker")


@pytest.fixture(scope="module")
def engine() -> Iterator[Dockerd]:
    with dockerd() as engine:
        yield engine


@pytest.fixture
def docker(engine: Dockerd) -> Iterator[Dockerd]:
    """An engine without containers, and none may be left behind."""
    yield engine
    left = engine.containers()
    for name in left:
        engine.docker("rm", "--force", name)
    assert not left, f"containers left behind: {left}"


def job(home: Home, docker: Dockerd, run: str, more: str = "", **config: str) -> None:
    """A DAG of one step in a container; `run` is its command, `more` further keys."""
    said = {"image": IMAGE, "engine": docker.host, "network": "none", "pull": "never", **config}
    settings = ", ".join(f"{name}: {value}" for name, value in said.items())
    lines = "\n".join(f"      {line}" for line in run.strip("\n").split("\n"))
    home.dag(
        "job",
        f"steps:\n  - name: box\n    type: docker\n    config: {{{settings}}}\n    run: |\n{lines}\n{more}",
    )


WAITING = """
echo began >> /desk/count
echo "box begins"
until test -e /desk/go; do sleep 0.05; done
echo "box ends"
exit "$(cat /desk/go)"
"""


def waiting(home: Home, docker: Dockerd, run: str = WAITING, more: str = "", **config: str) -> None:
    """A step that waits in its container until the story says how it ends."""
    job(home, docker, run, more, volumes=f'["{home.file("")}:/desk"]', **config)


def test_a_command_runs_in_a_container_with_its_values_its_log_its_outputs_and_its_exit_code(
    home: Home, docker: Dockerd
) -> None:
    job(
        home,
        docker,
        """
printf '<%s>' "$ODD" "${WORD}" "$HOME"
echo problem >&2
echo "ANSWER=42" >> "$DAGFS_OUTPUT"
pwd
exit 3
""",
        '    env:\n      - ODD: "it\'s $(touch /tmp/never) `x` \\"q\\" \\\\ *\\n--end"\n'
        "      - WORD: plain\n      - HOME: /somewhere\n"
        "    continue_on: {exit_code: 3, mark_success: true}\n",
        working_dir="/etc",
    )
    home.dagfs("run", "job").exits(0)
    assert home.log("box") == '<it\'s $(touch /tmp/never) `x` "q" \\ *\n--end><plain></somewhere>/etc\n'
    assert home.log("box", stream="stderr") == "problem\n"
    assert home.dagfs("status", "--json").json["steps"]["box"]["exit_code"] == 3
    assert json.loads((home.run / "attempts/1/steps/box/outputs.json").read_text())["outputs"] == {
        "ANSWER": "42"
    }


def begun(home: Home, *words: str) -> Engine:
    """The engine of a run whose step waits in its container."""
    engine = home.start("run", "job", *words)
    engine.until(lambda: "box begins" in home.log("box"), "the first line")
    return engine


def client(home: Home) -> int:
    """The step's own process here."""
    record = home.run / "attempts/1/steps/box/record.1"
    started = next(
        line for line in map(json.loads, record.read_text().splitlines()) if line["event"] == "started"
    )
    return int(started["pid"])


def lose(home: Home, engine: Engine) -> None:
    """Kill the engine, the shim and the client; only the container is left."""
    engine.kill()
    pid = client(home)
    for shim in home.pids("dagfs-shim"):
        os.kill(shim, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)


def test_plain_words_run_as_they_are_and_behind_the_entrypoint(home: Home, docker: Dockerd) -> None:
    job(home, docker, "echo one two", entrypoint="[printf, '<%s>']")
    home.dagfs("run", "job", "--id", "plain").exits(0)
    assert (home.path / "runs/plain/attempts/1/steps/box/stdout.log").read_text() == "<echo><one><two>"
    job(home, docker, 'echo "$WORD"', "    env: [{WORD: a b}]\n", entrypoint="[printf, '<%s>']")
    home.dagfs("run", "job", "--id", "shell").exits(0)
    assert (home.path / "runs/shell/attempts/1/steps/box/stdout.log").read_text() == "<echo><a b>"


def test_scripts_and_several_commands_run_in_the_container(home: Home, docker: Dockerd) -> None:
    settings = f"{{image: {IMAGE}, engine: '{docker.host}', network: none}}"
    home.dag(
        "job",
        f"""
        steps:
          - name: script
            type: docker
            config: {settings}
            script: |
              echo "$0 $((6 * 7))"
          - name: lines
            type: docker
            config: {settings}
            command: [echo one, 'echo "two $DAGFS_STEP"', "false", echo never]
            depends: []
        """,
    )
    home.dagfs("run", "job").exits(1)
    assert home.log("script") == "/dagfs-script 42\n"
    assert home.log("lines") == "one\ntwo lines\n"


def test_no_value_is_an_argument_of_any_process(home: Home, docker: Dockerd) -> None:
    waiting(home, docker, more="    env: [{TOKEN: hush-hush-4711}]\n")
    engine = begun(home)
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert b"hush-hush" not in line.read_bytes(), line
        except OSError:
            continue
    home.go()
    engine.wait().exits(0)
    assert not home.shell("grep -rl hush-hush runs --include='*' | grep -v spec | grep -v resolved || true")


def test_an_image_that_is_not_there_is_a_class_of_its_own_to_try_again(home: Home, docker: Dockerd) -> None:
    job(
        home,
        docker,
        "echo hi",
        "    retry_policy: {limit: 1, interval_sec: 0, exit_code: 125}\n",
        image="absent:1",
    )
    home.dagfs("run", "job").exits(1)
    step = home.dagfs("status", "--json").json["steps"]["box"]
    assert (step["exit_code"], step["tries"]) == (125, 2)
    assert "absent:1" in home.log("box", stream="stderr")


def test_a_command_that_is_not_there_ends_as_a_shell_would_say(home: Home, docker: Dockerd) -> None:
    job(home, docker, "absent-command now")
    home.dagfs("run", "job").exits(1)
    assert home.dagfs("status", "--json").json["steps"]["box"]["exit_code"] == 127


def test_a_name_that_is_taken_by_others_is_left_alone(home: Home, docker: Dockerd) -> None:
    docker.docker("run", "--detach", "--name=mine", "--network=none", IMAGE, "sleep", "600")
    try:
        job(home, docker, "echo hi", name="mine")
        home.dagfs("run", "job").exits(1)
        assert "mine is taken" in home.log("box", stream="stderr")
        assert docker.docker("inspect", "--format={{.State.Running}}", "mine") == "true"
    finally:
        docker.docker("rm", "--force", "mine")


def test_a_container_that_is_to_be_kept_is_kept_under_another_name(home: Home, docker: Dockerd) -> None:
    job(home, docker, "echo hi", keep_container="true", name="mine")
    home.dagfs("run", "job").exits(0)
    home.dagfs("run", "job").exits(0)
    kept = docker.containers()
    assert len(kept) == 2, kept
    for name in kept:
        assert name.startswith("mine-")
        docker.docker("rm", name)


STUBBORN = """
trap 'echo asked >> /desk/count' TERM
echo "box begins"
while :; do sleep 0.1; done
"""


def test_stopping_asks_the_container_first_and_then_removes_it(home: Home, docker: Dockerd) -> None:
    waiting(home, docker, STUBBORN)
    engine = begun(home)
    engine.signal(signal.SIGTERM)
    engine.wait().exits(143)
    assert home.lines("count") == ["asked"]
    assert home.states() == {"box": "aborted"}
    assert not docker.containers()


def test_a_container_that_takes_too_long_is_removed(home: Home, docker: Dockerd) -> None:
    job(home, docker, "sleep 600", "    timeout_sec: 1\n")
    home.dagfs("run", "job").exits(1)
    assert not docker.containers()


def test_a_step_whose_engine_is_killed_goes_on_and_is_adopted(home: Home, docker: Dockerd) -> None:
    waiting(home, docker)
    begun(home).kill()
    again = home.start("retry")
    again.until(lambda: home.has_event("step_adopted", 2), "the adoption")
    home.go()
    again.wait().exits(0)
    assert home.lines("count") == ["began"]
    assert home.log("box") == "box begins\nbox ends\n"


def test_a_step_that_was_lost_here_is_taken_up_with_its_whole_log(home: Home, docker: Dockerd) -> None:
    waiting(home, docker)
    lose(home, begun(home))
    assert home.states() == {"box": "lost"}
    again = home.start("retry")
    again.until(lambda: "box begins" in home.log("box", 2), "the log from its beginning")
    home.go()
    again.wait().exits(0)
    assert home.lines("count") == ["began"]
    assert home.log("box", 2) == "box begins\nbox ends\n"


def test_a_container_that_ended_while_nobody_looked_is_not_run_again(home: Home, docker: Dockerd) -> None:
    waiting(home, docker)
    engine = begun(home)
    os.kill(client(home), signal.SIGKILL)
    engine.wait().exits(1)
    home.go(7)
    eventually(lambda: docker.containers("status=exited"), "its end")
    home.dagfs("retry").exits(1)
    assert home.dagfs("status", "--json").json["steps"]["box"]["exit_code"] == 7
    assert home.log("box", 2) == "box begins\nbox ends\n"
    assert home.lines("count") == ["began"]
    home.file("go").write_text("0")
    home.dagfs("retry").exits(0)
    assert home.lines("count") == ["began", "began"]


def test_a_lost_step_that_was_edited_is_ended_and_begun_anew(home: Home, docker: Dockerd) -> None:
    waiting(home, docker)
    lose(home, begun(home))
    home.edit(("box begins", "box begins anew"))
    again = home.start("retry")
    again.until(lambda: "anew" in home.log("box", 2), "the new one")
    home.go()
    again.wait().exits(0)
    assert home.lines("count") == ["began", "began"]


def test_a_lost_step_that_moves_elsewhere_is_ended_where_it_was(home: Home, docker: Dockerd) -> None:
    waiting(home, docker)
    lose(home, begun(home))
    home.settings("profiles: {away: {box: {executor: shell, shell: [/bin/sh, -n], sees_files: true}}}")
    home.dagfs("plan", "@", "--profile", "away").exits(0).says("in shell instead of docker")
    home.dagfs("retry", "@", "--profile", "away").exits(0)
    assert not docker.containers()
    assert home.lines("count") == ["began"]


def test_a_run_whose_step_was_lost_can_be_stopped(home: Home, docker: Dockerd) -> None:
    waiting(home, docker)
    lose(home, begun(home))
    home.dagfs("stop", "@").exits(0)
    assert not docker.containers()


def test_a_daemon_that_dies_and_comes_back_loses_nothing(home: Home, docker: Dockerd) -> None:
    waiting(home, docker)
    engine = begun(home)
    docker.kill()
    engine.until(lambda: "no answer" in home.log("box", stream="stderr"), "the loss")
    docker.start()
    home.go(5)
    engine.wait().exits(1)
    assert home.dagfs("status", "--json").json["steps"]["box"]["exit_code"] == 5
    assert home.log("box") == "box begins\nbox ends\n"
    assert home.lines("count") == ["began"]


def test_a_step_runs_inside_a_container_that_is_there_already(home: Home, docker: Dockerd) -> None:
    desk = f"--volume={home.file('')}:/desk"
    docker.docker("run", "--detach", "--name=there", "--network=none", desk, IMAGE, "sleep", "600")
    try:
        waiting(home, docker, image="''", name="there")
        engine = begun(home)
        os.kill(client(home), signal.SIGKILL)
        engine.wait().exits(1)
        again = home.start("retry")
        again.until(lambda: "box begins" in home.log("box", 2), "the log from its beginning")
        home.go()
        again.wait().exits(0)
        assert home.lines("count") == ["began"]
        waiting(home, docker, STUBBORN, image="''", name="there")
        home.dagfs("run", "job", "--id", "stopped", "-d").exits(0)
        eventually(lambda: "asked" not in home.lines("count") and len(home.runs()) == 2, "the second run")
        eventually(lambda: list(home.path.glob("runs/stopped/attempts/1/steps/box/record.1")), "its step")
        home.dagfs("stop", "stopped").exits(0)
        assert "sleep 0.1" not in docker.docker("top", "there")
    finally:
        docker.docker("rm", "--force", "there")


def test_a_container_that_ends_while_its_daemon_is_away_still_has_its_exit_code(
    home: Home, docker: Dockerd
) -> None:
    waiting(home, docker)
    engine = begun(home)
    docker.kill()
    home.go(5)
    docker.start()
    engine.wait().exits(1)
    assert home.dagfs("status", "--json").json["steps"]["box"]["exit_code"] == 5
    assert home.lines("count") == ["began"]


SHARED = """
container:
  image: {image}
  engine: {engine}
  network: none
  volumes: ["{desk}:/desk"]
  env: {{COMMON: shared}}
  {more}
steps:
  - name: one
    run: |
      echo "$COMMON $WORD" > /tmp/left
      echo began >> /desk/count
      echo "one begins"
      until test -e /desk/go; do sleep 0.05; done
    env: [{{WORD: here}}]
  - name: two
    depends: one
    run: cat /tmp/left
"""


def shared(home: Home, docker: Dockerd, more: str = "description: x") -> None:
    """Two steps in one container, the first of which waits for the story."""
    more = "startup: keepalive" if more == "description: x" else more
    home.dag("job", SHARED.format(image=IMAGE, engine=docker.host, desk=home.file(""), more=more))


def test_steps_of_a_dag_share_its_container_which_goes_with_it(home: Home, docker: Dockerd) -> None:
    shared(home, docker)
    engine = home.start("run", "job")
    engine.until(lambda: "one begins" in home.log("one"), "the first step")
    home.go()
    engine.wait().exits(0)
    assert home.log("two") == "shared here\n"
    assert not docker.containers()


def test_a_shared_container_outlives_its_engine_and_goes_with_the_run(home: Home, docker: Dockerd) -> None:
    shared(home, docker)
    engine = home.start("run", "job")
    engine.until(lambda: "one begins" in home.log("one"), "the first step")
    engine.kill()
    for name in ("dagfs-shim", "python", "python3", "docker"):
        for pid in home.pids(name):
            os.kill(pid, signal.SIGKILL)
    again = home.start("retry")
    again.until(lambda: "one begins" in home.log("one", 2), "the log from its beginning")
    home.go()
    again.wait().exits(0)
    assert home.lines("count") == ["began"]
    assert home.log("two", 2) == "shared here\n"
    assert not docker.containers()


def test_a_shared_container_is_awaited_by_its_log(home: Home, docker: Dockerd) -> None:
    command = "[sh, -c, 'sleep 0.3; echo all set > /tmp/left; echo all set; sleep 600']"
    shared(home, docker, f"startup: command\n  command: {command}\n  log_pattern: all s.t")
    home.go()
    home.dagfs("run", "job").exits(0)
    assert not docker.containers()


def test_a_shared_container_that_ends_too_early_fails_its_steps(home: Home, docker: Dockerd) -> None:
    shared(home, docker, "startup: command\n  command: ['false']")
    home.dagfs("run", "job").exits(1)
    assert "the DAG's container" in home.log("one", stream="stderr")
    assert not docker.containers()


def test_a_step_with_a_container_of_its_own_needs_no_more_than_that(home: Home, docker: Dockerd) -> None:
    home.dag(
        "job",
        f"""
        env: [{{DOCKER_HOST: "{docker.host}"}}]
        steps:
          - name: box
            container: {{image: "{IMAGE}", network: none, env: {{MODE: fast}}, working_dir: /etc}}
            run: echo "$MODE $PWD"
        """,
    )
    home.dagfs("run", "job").exits(0)
    assert home.log("box") == "fast /etc\n"


class TestContract(ExecutorContract):
    executor = Docker("docker")
    step = Step(name="box", command=('printf "<%s>" "$TOKEN"; exit 3',))
    code = 3
    refused = ({"image": "a", "pull": "sometimes"}, {"image": "a", "env": 7})

    @pytest.fixture(autouse=True)
    def _engine(self, docker: Dockerd) -> None:
        self.accepted = (
            {"image": IMAGE, "engine": docker.host, "network": "none"},
            {"image": IMAGE, "engine": docker.host, "keep_container": True, "env": {"A": "b"}},
        )

    def after(self, outcome: Outcome) -> None:
        assert outcome.out == f"<{SECRET}>"
