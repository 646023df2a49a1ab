"""dagfs on a terminal: the live table, ^C and ^Z, small and changing windows, the pager. And in a pipe."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from intg.home import DAGFS, Home
from intg.screen import Terminal
from tests.patience import eventually

Open = Callable[..., Terminal]

HELD = """
    type: graph
    steps:
      - name: extract
        run: 'true'
      - name: load
        depends: extract
        run: while [ ! -e $DAG_DESK/go ]; do sleep 0.02; done
"""


@pytest.fixture
def terminal(home: Home) -> Iterator[Open]:
    """Opens terminals in the home: `terminal("run", "x")` runs dagfs, other keywords are the environment."""
    opened: list[Terminal] = []

    def open_one(*words: str, columns: int = 90, lines: int = 24, shell: str = "", **env: str) -> Terminal:
        environment = {**home._environment(None), "TERM": "xterm-256color", **env}
        argv = (
            ["bash", "--norc", "-i"] if shell == "bash" else ["sh", "-c", shell] if shell else [DAGFS, *words]
        )
        opened.append(Terminal(argv, home.path, environment, columns=columns, lines=lines))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


# -- the live table --------------------------------------------------------------------------------


def test_a_run_on_a_terminal_is_a_table_that_changes_in_place(home: Home, terminal: Open) -> None:
    home.dag("etl", HELD)
    screen = terminal("run", "etl")
    screen.until_it_says("✓ extract succeeded", "▶ load running", "1 succeeded, 1 running", "^C stops it")
    assert not screen.cursor_is_visible
    home.file("go").touch()
    assert screen.wait() == 0
    assert screen.text.count("extract") == 1
    assert "✓ load succeeded" in screen.text
    assert "^C" not in screen.text
    assert "✓ succeeded" in screen.text
    assert screen.cursor_is_visible
    assert screen.is_as_before


def test_a_failure_shows_its_reason_tries_and_handlers_and_what_to_type_next(
    home: Home, terminal: Open
) -> None:
    home.dag(
        "etl",
        """
        type: graph
        handler_on: {failure: {run: 'true'}}
        steps:
          - name: flaky
            run: exit 3
            retry_policy: {limit: 1, interval_sec: 0}
          - name: after
            depends: flaky
            run: 'true'
        """,
    )
    screen = terminal("run", "etl")
    assert screen.wait() == 1
    for text in ("✗ flaky failed", "try 2, exit 3", "after upstream failed", "✓ on failure succeeded"):
        assert text in screen.text, str(screen)
    assert "dagfs edit" in screen.text


def test_a_retry_shows_the_plan_and_then_the_table(home: Home, terminal: Open) -> None:
    home.dag("etl", "type: graph\nsteps: [{name: a, run: 'true'}, {name: b, depends: a, run: exit 1}]")
    home.dagfs("run", "etl").exits(1)
    home.edit(("exit 1", "'true'"))
    screen = terminal("retry", "@")
    assert screen.wait() == 0
    assert "✓ a succeeded kept" in screen.text, str(screen)
    assert "✓ b succeeded" in screen.text
    assert "attempt 2" in screen.text


def test_plain_lines_where_they_are_asked_for(home: Home, terminal: Open) -> None:
    home.dag("etl", "steps: [{name: a, run: 'true'}]")
    for words, env in [(["--plain"], {}), ([], {"TERM": "dumb"}), ([], {"CI": "true"})]:
        screen = terminal("run", "etl", *words, **env)
        assert screen.wait() == 0
        assert "▶ a started" in screen.text, str(screen)
        assert b"\x1b[?25l" not in screen.raw


def test_steps_beyond_the_screen_are_counted_and_what_matters_is_shown(home: Home, terminal: Open) -> None:
    many = "".join(f"  - {{name: s{i:02}, run: 'true'}}\n" for i in range(40))
    home.dag(
        "wide",
        "type: graph\nsteps:\n"
        + many
        + "  - {name: bad, run: exit 4}\n"
        + "  - {name: held, run: 'while [ ! -e $DAG_DESK/go ]; do sleep 0.02; done'}\n",
    )
    screen = terminal("run", "wide", lines=12)
    screen.until_it_says("✗ bad failed", "▶ held running", "40 succeeded", "(40 not shown)")
    assert "s07" not in screen.text
    home.file("go").touch()
    assert screen.wait() == 1
    # No picture ever scrolled away: each was drawn over the one before.
    assert screen.everything.count("held") <= 2


def test_a_table_wider_than_the_window_is_cut_not_wrapped(home: Home, terminal: Open) -> None:
    home.dag("etl", HELD.replace("extract", "extract-" + "x" * 30))
    screen = terminal("run", "etl", columns=40)
    screen.until_it_says("▶ load running", "… succeeded")
    home.file("go").touch()
    assert screen.wait() == 0
    assert len([row for row in screen.rows if "extract-x" in row]) == 1


def test_a_window_that_changes_its_size_gets_a_fitting_picture(home: Home, terminal: Open) -> None:
    home.dag("etl", HELD)
    screen = terminal("run", "etl", columns=90)
    screen.until_it_says("▶ load running")
    for columns, lines in [(60, 10), (120, 30), (40, 8)]:
        screen.resize(columns, lines)
        before = len(screen.raw)
        screen.until(lambda start=before: b"load" in screen.raw[start:], "another picture")
    home.file("go").touch()
    assert screen.wait() == 0
    assert "✓ load" in screen.text
    assert screen.is_as_before


def test_what_a_step_is_called_cannot_drive_the_terminal(home: Home, terminal: Open) -> None:
    home.dag("odd", 'steps: [{name: "a\\u009b31mX[bold]", run: "true"}]')
    screen = terminal("run", "odd")
    screen.wait()
    assert "[bold]" in screen.text or "name" in screen.text, str(screen)
    assert b"\xc2\x9b" not in screen.raw


# -- stopping --------------------------------------------------------------------------------------


def test_the_first_ctrl_c_stops_gracefully_and_the_terminal_is_restored(home: Home, terminal: Open) -> None:
    home.dag(
        "etl",
        "steps: [{name: nap, run: \"trap 'exit 0' TERM; touch $DAG_DESK/up; while :; do sleep 0.02; done\"}]",
    )
    screen = terminal("run", "etl")
    screen.until_it_says("▶ nap running")
    screen.until(home.file("up").exists, "the step")
    screen.type("\x03")
    assert screen.wait() == 130
    assert "■ aborted" in screen.text, str(screen)
    assert screen.cursor_is_visible
    assert screen.is_as_before


def test_the_second_ctrl_c_kills(home: Home, terminal: Open) -> None:
    home.settings("grace_sec: 3600\n")
    home.dag(
        "deaf",
        "steps: [{name: nap, run: \"trap '' TERM; touch $DAG_DESK/up; while :; do sleep 0.02; done\"}]",
    )
    screen = terminal("run", "deaf")
    screen.until(home.file("up").exists, "the step")
    screen.type("\x03")
    screen.until_it_says("stopping … once more to kill")
    screen.type("\x03")
    assert screen.wait() == 130
    assert "■ aborted" in screen.text, str(screen)
    assert screen.is_as_before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_the_terminal_is_restored_after_other_signals(
    home: Home, terminal: Open, number: signal.Signals, code: int
) -> None:
    home.dag("etl", HELD)
    screen = terminal("run", "etl")
    screen.until_it_says("▶ load running")
    screen.process.send_signal(number)
    assert screen.wait() == code
    assert screen.cursor_is_visible
    assert screen.is_as_before


def test_ctrl_z_gives_the_terminal_to_the_shell_and_fg_takes_it_again(home: Home, terminal: Open) -> None:
    home.dag("etl", HELD)
    screen = terminal(shell="bash", PS1="ready> ")
    screen.until_it_says("ready>")
    screen.type("PS1='ready> '; dagfs run etl\r")
    screen.until_it_says("▶ load running")
    screen.type("\x1a")
    screen.until_it_says("Stopped")
    assert screen.cursor_is_visible
    screen.type("echo it ec''hoes\r")
    screen.until_it_says("it echoes")
    before = screen.everything.count("load")
    screen.type("fg\r")
    screen.until(lambda: screen.everything.count("▶ load") >= 2, "a new table")
    assert before
    home.file("go").touch()
    screen.until_it_says("✓ load succeeded", "✓ succeeded")
    screen.type("exit\r")
    screen.wait()


def test_a_run_in_the_background_of_a_shell_prints_lines(home: Home, terminal: Open) -> None:
    home.dag("etl", HELD)
    screen = terminal(shell="bash")
    screen.type("dagfs run etl &\r")
    screen.until_it_says("▶ load started")
    assert b"\x1b[?25l" not in screen.raw
    home.file("go").touch()
    screen.until_it_says("✓ load succeeded")
    screen.type("\rexit\r")
    screen.wait()


def test_a_terminal_that_is_held_does_not_hold_the_run(home: Home, terminal: Open) -> None:
    home.dag("etl", "type: graph\nsteps: [{name: a, run: 'true'}, {name: b, depends: a, run: 'sleep 0.3'}]")
    screen = terminal("run", "etl")
    screen.until_it_says("a")
    screen.type("\x13")
    eventually(lambda: home.has_event("attempt_finished"), "the end of the run")
    screen.type("\x11")
    assert screen.wait() == 0


# -- watch -----------------------------------------------------------------------------------------


def test_watch_shows_the_table_and_ctrl_c_leaves_the_run_alone(home: Home, terminal: Open) -> None:
    home.dag("etl", HELD)
    home.dagfs("run", "etl", "-d").exits(0)
    screen = terminal("watch", "@")
    screen.until_it_says("✓ extract succeeded", "▶ load running", "the run goes on")
    screen.type("\x03")
    assert screen.wait() == 130
    assert "dagfs stop" in screen.text
    assert screen.cursor_is_visible
    assert screen.is_as_before
    other = terminal("watch", "@")
    other.until_it_says("▶ load running")
    home.file("go").touch()
    assert other.wait() == 0
    assert "✓ load succeeded" in other.text


def test_watch_ends_with_interrupted_when_the_engine_dies(home: Home, terminal: Open) -> None:
    home.dag("etl", HELD)
    engine = home.start("run", "etl")
    screen = terminal("watch", "etl") if engine.until(home.runs, "the run") else None
    assert screen is not None
    screen.until_it_says("▶ load running")
    engine.kill()
    assert screen.wait() == 1
    assert "■ interrupted" in screen.text, str(screen)
    assert screen.is_as_before
    home.file("go").touch()


# -- colour ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "env", "colored"),
    [
        ([], {}, True),
        ([], {"NO_COLOR": "1"}, False),
        ([], {"TERM": "dumb"}, False),
        ([], {"CLICOLOR": "0"}, False),
        (["--color=never"], {"CLICOLOR_FORCE": "1"}, False),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
    ],
)
def test_colour_on_a_terminal(
    home: Home, terminal: Open, words: list[str], env: dict[str, str], colored: bool
) -> None:
    home.dag("etl", "steps: [{name: a, run: 'true'}]")
    for verb in (["run", "etl"], ["status", "@"], ["status", "no-such-run"]):
        screen = terminal(*words, *verb, **env)
        screen.wait()
        found = re.search(rb"\x1b\[[0-9;]*m", screen.raw.replace(b"\x1b[m", b"").replace(b"\x1b[0m", b""))
        assert bool(found) == colored, (verb, screen.raw)


def test_colour_in_a_pipe(home: Home) -> None:
    home.dag("etl", "steps: [{name: a, run: 'true'}]")
    home.dagfs("run", "etl").exits(0).never_says("\x1b")
    assert "\x1b[" in home.dagfs("status", env={"CLICOLOR_FORCE": "1"}).out
    assert "\x1b[" not in home.dagfs("status", env={"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}).out
    assert "\x1b[" in home.dagfs("status", "--color=always").out


# -- the pager -------------------------------------------------------------------------------------

LONG = "steps: [{name: talk, run: seq 1 500}]"


def test_a_long_log_goes_through_less(home: Home, terminal: Open) -> None:
    home.dag("etl", LONG)
    home.dagfs("run", "etl").exits(0)
    screen = terminal("logs", "@")
    screen.until_it_says("20", "22")
    assert "499" not in screen.text
    screen.type("G")
    screen.until_it_says("499 500")
    screen.type("q")
    assert screen.wait() == 0
    assert screen.is_as_before


def test_leaving_the_pager_early_is_no_error(home: Home, terminal: Open) -> None:
    home.dag("etl", "steps: [{name: talk, run: seq 1 200000}]")
    home.dagfs("run", "etl").exits(0)
    screen = terminal("logs", "@")
    screen.until_it_says("20")
    screen.type("q")
    assert screen.wait() == 0
    assert "dagfs:" not in screen.text


def test_ctrl_c_is_for_the_pager(home: Home, terminal: Open) -> None:
    home.dag("etl", "steps: [{name: talk, run: seq 1 200000}]")
    home.dagfs("run", "etl").exits(0)
    screen = terminal("logs", "@")
    screen.until_it_says("20")
    screen.type("\x03")

    def at_the_end() -> bool:
        # less forgets what was typed before it took note of ^C, so ask until it goes there.
        screen.type("G")
        return "200000" in screen.text

    screen.until(at_the_end, "the end of the log")
    screen.type("q")
    assert screen.wait() == 0


def test_a_pager_of_the_users_choice(home: Home, terminal: Open) -> None:
    home.dag("etl", LONG)
    home.dagfs("run", "etl").exits(0)
    tail = "sh -c 'echo paged; tail -n 2'"
    for env in ({"PAGER": tail}, {"PAGER": "no-such", "DAGFS_PAGER": tail}):
        screen = terminal("logs", "@", **env)
        assert screen.wait() == 0
        assert "paged 499 500" in screen.text
    assert "paged" in (screen := terminal("help", PAGER=tail), screen.wait())[0].text


@pytest.mark.parametrize(
    ("words", "env"),
    [
        (["logs", "@", "--no-pager"], {}),
        (["--no-pager", "logs", "@"], {}),
        (["logs", "@"], {"PAGER": ""}),
        (["logs", "@"], {"PAGER": "cat"}),
        (["logs", "@"], {"DAGFS_PAGER": "no-such-pager"}),
        (["logs", "@", "-f"], {}),
    ],
)
def test_no_pager_where_none_is_wanted(
    home: Home, terminal: Open, words: list[str], env: dict[str, str]
) -> None:
    home.dag("etl", LONG)
    home.dagfs("run", "etl").exits(0)
    screen = terminal(*words, **env)
    assert screen.wait() == 0
    assert "499 500" in screen.text
    assert ("no-such-pager was not found" in screen.everything) == ("DAGFS_PAGER" in env)


def test_there_is_no_pager_in_a_pipe(home: Home) -> None:
    home.dag("etl", LONG)
    home.dagfs("run", "etl").exits(0)
    out = home.dagfs("logs", "@", env={"PAGER": "sh -c 'echo paged'"}).exits(0).out
    assert out.endswith("499\n500\n")


def test_diff_tells_with_its_exit_code_through_the_pager_too(home: Home, terminal: Open) -> None:
    home.dag("etl", LONG)
    home.dagfs("run", "etl").exits(0)
    home.edit(("500", "501"))
    screen = terminal("diff", "@")
    assert screen.wait() == 1
    assert "501" in screen.text
    assert b"\x1b[32m" in screen.raw


# -- pipes -----------------------------------------------------------------------------------------


def test_in_a_pipe_nothing_of_rich_is_imported(home: Home) -> None:
    home.dag("etl", "steps: [{name: a, run: 'true'}]")
    script = (
        "import sys; from dagfs.cli.main import main; code = main(sys.argv[1:]); "
        "sys.exit(9 if any(m.split('.')[0] == 'rich' for m in sys.modules) else code)"
    )
    for words in (["run", "etl"], ["watch", "@"], ["wait", "@"], ["status"], ["logs"], ["help"]):
        done = subprocess.run(
            [sys.executable, "-c", script, *words],
            cwd=home.path,
            env=home._environment(None),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (words, done)


def test_a_reader_that_leaves_is_no_error(home: Home) -> None:
    home.dag("etl", "steps: [{name: talk, run: seq 1 200000}]")
    home.dagfs("run", "etl").exits(0)
    for words in ("logs @", "help", "runs --json", "watch @"):
        script = f"{shlex.quote(DAGFS)} {words} | head -n 1"
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=home.path,
            env=home._environment(None),
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""


def test_in_a_pipe_watch_prints_a_line_for_each_change(home: Home) -> None:
    home.dag("etl", HELD)
    home.dagfs("run", "etl", "-d").exits(0)
    watching = home.start("watch", "@")
    events = home.start("watch", "@", "--json")
    eventually(lambda: home.has_event("step_finished"), "the first step")
    home.file("go").touch()
    said = watching.wait().exits(0)
    said.says("▶ extract started", "✓ extract succeeded", "▶ load started", "✓ load succeeded", "✓ succeeded")
    assert said.err == ""
    names = [event["event"] for event in events.wait().exits(0).events]
    assert names[0] == "attempt_started"
    assert names[-1] == "attempt_finished"


# -- commands of others ----------------------------------------------------------------------------


def program(home: Home, name: str, text: str) -> Path:
    tools = home.path.parent / "tools"
    tools.mkdir(exist_ok=True)
    path = tools / name
    path.write_text(text)
    path.chmod(0o755)
    return tools


def test_a_program_on_the_path_is_a_command(home: Home) -> None:
    tools = program(home, "dagfs-hello", '#!/bin/sh\necho "home=$DAGFS_HOME args=$*"; exit 7\n')
    path = {"PATH": f"{tools}:{os.environ['PATH']}"}
    home.dagfs("hello", "--odd", "a b", env=path).exits(7).says(f"home={home.path} args=--odd a b")
    home.dagfs("-C", str(home.path), "hello", env=path, cwd=Path("/")).exits(7).says(f"home={home.path}")
    home.dagfs("help", env=path).says(f"hello {tools}/dagfs-hello")
    home.dagfs("help", "hello", env=path).exits(0).says("dagfs-hello")
    home.dagfs("helo", env=path).exits(2).says("unknown command 'helo'", "hello")
    program(home, "dagfs-status", "#!/bin/sh\necho mine\n")
    home.dagfs("status", env=path).never_says("mine")


COMMANDS = """
from collections.abc import Sequence

from dagfs.hooks import hookimpl
from dagfs.hooks.command import CommandContext, CommandSpec


def arguments(parser):
    parser.add_argument("word")
    parser.add_argument("--loud", action="store_true")


def run(context: CommandContext) -> int:
    word = context.options.word
    context.print(f"{context.root}: {word.upper() if context.options.loud else word}")
    return 3


def broken(context):
    raise KeyError("lost")


@hookimpl
def commands() -> Sequence[CommandSpec]:
    return [
        CommandSpec("echo", "say a word again", run, arguments, "examples:\\n  dagfs echo hi"),
        CommandSpec("break", "raise", broken),
        CommandSpec("status", "never reached", run, arguments),
    ]
"""


def plugin(home: Home, name: str, text: str) -> None:
    (home.path / "plugins").mkdir(exist_ok=True, mode=0o755)
    (home.path / "plugins" / name).write_text(text)
    (home.path / "plugins" / name).chmod(0o644)


def test_a_plugin_adds_commands(home: Home) -> None:
    plugin(home, "words.py", COMMANDS)
    home.dagfs("echo", "hi", "--loud").exits(3).says(f"{home.path}: HI")
    home.dagfs("echo", "--help").exits(0).says("--loud", "Say a word again.", "dagfs echo hi")
    home.dagfs("help", "echo").exits(0).says("--loud")
    home.dagfs("echo").exits(2).says("word").in_one_line()
    home.dagfs("echo", "hi", "--lod").exits(2).says("did you mean --loud?")
    home.dagfs("help").exits(0).says("echo say a word again").never_says("never reached")
    home.dagfs("--no-plugins", "echo", "hi").exits(2).says("unknown command 'echo'")
    home.dagfs("break").exits(1).in_one_line().says(
        "plugin words failed in command break: KeyError", "words.py"
    )
    home.dagfs("plugins").exits(0).says("command echo", "command status (hidden by the verb of dagfs)")
    home.dagfs("status", "no-such").exits(4)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("[1]", "commands gives 1, which is not a CommandSpec"),
        ("[CommandSpec('No Good', '', print)]", "cannot name a command"),
        ("[CommandSpec('x', '', print), CommandSpec('x', '', print)]", "twice"),
        ("[CommandSpec('x', '', print, lambda parser: parser.no_such())]", "no_such"),
    ],
)
def test_a_broken_command_is_named_by_plugins_and_harms_nothing(home: Home, answer: str, said: str) -> None:
    plugin(
        home,
        "bad.py",
        "from dagfs.hooks import hookimpl\nfrom dagfs.hooks.command import CommandSpec\n"
        f"@hookimpl\ndef commands():\n    return {answer}\n",
    )
    home.dagfs("plugins", "--check").exits(1).says("bad", said)
    home.dag("etl", "steps: [{name: a, run: 'true'}]")
    home.dagfs("run", "etl").exits(0)
    home.dagfs("x").exits(2).says("plugin bad was not loaded", "unknown command 'x'")
