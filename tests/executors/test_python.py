"""The python executor: functions and scripts, their arguments, what they return, and how they fail."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dagfs.engine.capture import parse_output_file
from dagfs.executors.python import Python
from dagfs.hooks.executor import StepRequest
from dagfs.hooks.testing import ExecutorContract, Outcome, run
from dagfs.model.dag import Step

MODULE = """
import asyncio, os, sys

def add(a: int, b: int = 2, *, scale: float = 1.0):
    return {"sum": (a + b) * scale, "note": "two\\nlines", "parts": [a, b]}

def show(*args, **named):
    print(args, sorted(named.items()))

async def later(name):
    await asyncio.sleep(0)
    return f"hello {name}"

class Job:
    @staticmethod
    def main(flag: bool):
        return flag

def broken(a):
    raise ValueError("no " + a)

def leaves():
    sys.exit(7)

def tasks():
    return [name for name in os.environ if name.startswith("DAGFS_TASK")]
"""


class TestPython(ExecutorContract):
    executor = Python()
    accepted = ({}, {"args": {"x": 1}}, {"params": False})
    refused = ({"call": "a:b"}, {"args": "x"})
    step = Step(name="a", command=("json:dumps",))

    def request(self, folder: Path, settings: object = None, try_: int = 1) -> StepRequest:
        made = super().request(folder, settings, try_)
        return replace(made, env={**made.env, "DAGU_PARAMS_JSON": '{"obj": "value"}'})

    @pytest.mark.parametrize("call", ["", "module", "a:b:c", "-c.py", "a b:c", "__import__('os')"])
    def test_it_calls_only_what_can_be_called(self, call: str) -> None:
        assert self.executor.check(Step(name="a", command=(call,)))

    def test_a_script_and_a_function_at_once_are_refused(self) -> None:
        assert self.executor.check(Step(name="a", command=("a:b",), script="print()"))


def do(folder: Path, call: str, given: dict[str, str] | None = None, /, **config: object) -> Outcome:
    (folder / "mod.py").write_text(MODULE)
    made = TestPython().request(folder, config)
    env = {**made.env, "DAGU_PARAMS_JSON": json.dumps(given or {})}
    return run(Python().prepare(replace(made, command=(call,), env=env)), folder)


def outputs(folder: Path) -> dict[str, str]:
    return parse_output_file((folder / "output").read_text())


def test_parameters_are_arguments_and_what_is_returned_are_outputs(tmp_path: Path) -> None:
    assert do(tmp_path, "mod:add", {"1": "40", "scale": "0.5", "unused": "x"}).code == 0
    assert outputs(tmp_path) == {"sum": "21.0", "note": "two\nlines", "parts": "[40, 2]"}


def test_arguments_of_the_step_go_before_parameters(tmp_path: Path) -> None:
    assert do(tmp_path, "mod:add", {"a": "1", "b": "1"}, args={"b": 9}).code == 0
    assert outputs(tmp_path)["sum"] == "10.0"


def test_a_function_that_takes_all_gets_all(tmp_path: Path) -> None:
    assert do(tmp_path, "mod:show", {"2": "b", "1": "a", "x": "c d"}).out == "('a', 'b') [('x', 'c d')]\n"
    assert do(tmp_path, "mod:show", {"1": "a"}, params=False).out == "() []\n"


def test_other_values_and_coroutines_are_the_output_result(tmp_path: Path) -> None:
    assert do(tmp_path, "mod:later", {"name": "Ann"}).code == 0
    assert outputs(tmp_path) == {"result": "hello Ann"}
    assert do(tmp_path, "mod:Job.main", {"flag": "yes"}).code == 0
    assert outputs(tmp_path) == {"result": "true"}


def test_nothing_of_the_task_is_left_in_the_environment(tmp_path: Path) -> None:
    assert do(tmp_path, "mod:tasks").code == 0
    assert outputs(tmp_path) == {"result": "[]"}


def test_failures_show_the_users_own_code_alone(tmp_path: Path) -> None:
    broken = do(tmp_path, "mod:broken", {"a": "way"})
    assert broken.code == 1
    assert broken.err.endswith("ValueError: no way\n")
    assert broken.err.count("File ") == 1
    assert "mod.py" in broken.err
    assert do(tmp_path, "mod:leaves").code == 7
    assert "ModuleNotFoundError: No module named 'nowhere'" in do(tmp_path, "nowhere:f").err
    assert "missing 1 required positional argument: 'a'" in do(tmp_path, "mod:broken").err
    assert "invalid literal for int()" in do(tmp_path, "mod:add", {"a": "x"}).err


def test_our_modules_do_not_hide_those_of_the_same_name(tmp_path: Path) -> None:
    assert do(tmp_path, "http.cookies:_quote", {"str": "x y"}).code == 0
    assert do(tmp_path, "json:dumps", {"obj": "x"}).code == 0
    assert outputs(tmp_path) == {"result": '"x"'}


def test_a_script_gets_parameters_as_words(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text("import sys\nprint(sys.argv[1:], __name__)\nsys.exit(3)\n")
    done = do(tmp_path, "job.py", {"1": "a b", "DATE": "today"})
    assert (done.code, done.out) == (3, "['a b', 'DATE=today'] __main__\n")


def test_a_script_in_the_spec_and_another_interpreter(tmp_path: Path) -> None:
    made = replace(TestPython().request(tmp_path), command=(), script="import sys\nprint(sys.argv)")
    process = Python().prepare(made)
    assert run(process, tmp_path).out == f"['{tmp_path}/script.1.py', 'obj=value']\n"
    assert Python().prepare(replace(made, config={"interpreter": sys.executable})).argv[0] == sys.executable


def test_folders_to_import_from(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/extra.py").write_text("def f(): print('lib')\n")
    assert do(tmp_path, "extra:f", path="lib").out == "lib\n"
