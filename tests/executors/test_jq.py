"""What the jq executor prints: Dagu's layout, raw and not."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path

import pytest

from dagfs.executors.child import jq as child
from dagfs.executors.jq import Jq
from dagfs.hooks.testing import ExecutorContract, Outcome, run
from dagfs.model.dag import Executor as Settings
from dagfs.model.dag import Step

DATA = '{"b": {"name": "Ann"}, "a": [1, 2.5, null, "x\\ty", "é"]}'


class TestJq(ExecutorContract):
    executor = Jq()
    accepted = ({"raw": False}, {"raw": True}, {"raw": "${RAW}"})
    refused = ({"raw": "maybe"}, {"data": 1, "input": "x"})
    step = Step(name="a", command=(".",), script=DATA)

    def check(self, settings: object) -> list[str]:
        step = (
            self.step
            if "raw" in settings or "no_such_setting" in settings
            else Step(name="a", command=(".",))
        )
        return list(self.executor.check(replace(step, executor=Settings("jq", settings))))

    def request(self, folder: Path, settings: object = None, try_: int = 1):
        if settings and settings.get("raw") == "${RAW}":
            settings = {"raw": "true"}
        return super().request(folder, settings, try_)

    def after(self, outcome: Outcome) -> None:
        assert outcome.out.startswith('{\n    "a": [\n        1,\n        2.5,\n        null,\n')
        assert '"é"\n    ],\n    "b": {\n        "name": "Ann"\n    }\n}\n' in outcome.out


def filtered(
    folder: Path, text: str, *, dialect: str = "dagu2", script: str = DATA, **settings: object
) -> Outcome:
    made = TestJq().request(folder, settings)
    command = (text,) if text else ()
    return run(Jq().prepare(replace(made, command=command, script=script, dialect=dialect)), folder)


def test_raw_prints_texts_as_they_are_and_all_else_in_one_line(tmp_path: Path) -> None:
    assert filtered(tmp_path, ".a[], .b", raw=True).out == '1\n2.5\n\nx\ty\né\n{"name":"Ann"}\n'


def test_the_input_may_be_a_value_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text('{"b": 7}')
    assert filtered(tmp_path, ".b", script="", data={"b": [1]}).out == "[\n    1\n]\n"
    assert filtered(tmp_path, ".b", script="", data='{"b": 3}').out == "3\n"
    assert filtered(tmp_path, "", script="", filter=".b", input="in.json").out == "7\n"
    gone = filtered(tmp_path, ".", script="", input="gone")
    assert (gone.code, gone.err) == (1, "jq: gone: No such file or directory\n")


@pytest.mark.parametrize(
    ("text", "script", "says"),
    [
        (".a |", DATA, "syntax error"),
        (".b + .a", DATA, "cannot be added"),
        (".", '{"a":', "Unfinished JSON"),
        ('error("no\\nway")', DATA, "jq: no way\n"),
        ("", DATA, "there is no jq filter"),
    ],
)
def test_what_goes_wrong_is_one_line(tmp_path: Path, text: str, script: str, says: str) -> None:
    outcome = filtered(tmp_path, text, script=script)
    assert outcome.code == 1
    assert says in outcome.err
    assert outcome.err.count("\n") == 1


def test_what_was_printed_before_it_went_wrong_stays(tmp_path: Path) -> None:
    outcome = filtered(tmp_path, ".a[0], error", raw=True)
    assert (outcome.code, outcome.out) == (1, "1\n")


def test_dagu1_goes_on_without_a_filter_and_knows_fewer_settings(tmp_path: Path) -> None:
    assert filtered(tmp_path, "", dialect="dagu1").code == 0
    with pytest.raises(ValueError, match=r"`input` belongs to Dagu 2\.x"):
        filtered(tmp_path, ".", dialect="dagu1", input="x")
    with pytest.raises(ValueError, match="write it in one line"):
        filtered(tmp_path, ".a,\n.b", dialect="dagu1")
    assert filtered(tmp_path, ".a[0],\n.b.name", raw=True).out == "1\nAnn\n"


def test_the_filter_sees_no_settings_of_ours(tmp_path: Path) -> None:
    assert filtered(tmp_path, '$ENV | keys | map(select(startswith("DAGFS_TASK")))', raw=True).out == "[]\n"


def test_without_the_package_the_program_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def missing(name: str, *rest: object) -> object:
        if name == "jq":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", missing)
    assert list(child._filtered(".a[]", DATA)) == [1, 2.5, None, "x\ty", "é"]
    with pytest.raises(ValueError, match="cannot be added"):
        list(child._filtered(".a + .b", DATA))
    monkeypatch.setattr(child.shutil, "which", lambda _: None)
    with pytest.raises(ValueError, match="pip install"):
        list(child._filtered(".", DATA))
