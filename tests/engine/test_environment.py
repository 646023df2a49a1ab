"""The variables a step sees, layer over layer."""

from pathlib import Path

import pytest

from dagfs.engine.environment import (
    Surroundings,
    inherited,
    step_environment,
    value_digests,
)
from dagfs.engine.valuation import Values, evaluate
from dagfs.model.dag import Dag, Param, Step, Variable
from dagfs.spec.values import TOO_LONG, ValueRefused


def values(
    dag: Dag, tmp_path: Path, *overrides: tuple[str, str], pinned: dict[str, str] | None = None
) -> Values:
    return evaluate(dag, tmp_path, {"HOME": "/home/me"}, overrides, pinned)


def test_steps_inherit_only_what_is_harmless() -> None:
    machine = {"PATH": "/bin", "LC_ALL": "C", "DAGU_X": "1", "AWS_SECRET_ACCESS_KEY": "s", "LD_PRELOAD": "x"}
    assert inherited(machine) == {"PATH": "/bin", "LC_ALL": "C", "DAGU_X": "1"}


def test_params_see_earlier_ones_and_env_sees_params(tmp_path: Path) -> None:
    dag = Dag(
        params=(Param("day", "1"), Param("path", "x/${day}")), env=(Variable("TARGET", "${HOME}/${path}"),)
    )
    found = values(dag, tmp_path)
    assert found.params == {"day": "1", "path": "x/1"}
    assert found.env == {"TARGET": "/home/me/x/1"}


def test_in_dagu1_params_see_env(tmp_path: Path) -> None:
    dag = Dag(dialect="dagu1", params=(Param("path", "${BASE}/x"),), env=(Variable("BASE", "/data"),))
    assert values(dag, tmp_path).params == {"path": "/data/x"}


def test_overrides_win_and_pinned_values_win_over_them(tmp_path: Path) -> None:
    dag = Dag(params=(Param("a", "1"), Param("b", "2")))
    assert values(dag, tmp_path, ("a", "9")).params == {"a": "9", "b": "2"}
    assert values(dag, tmp_path, ("a", "9"), pinned={"b": "7"}).params == {"a": "9", "b": "7"}


def test_dotenv_files_are_found_beside_the_spec(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\n")
    (tmp_path / "more.env").write_text("B='two words'\nA=2\n")
    dag = Dag(dotenv=(".env", "more.env", "missing.env"), env=(Variable("C", "${A}${B}"),))
    assert values(dag, tmp_path).env == {"A": "2", "B": "two words", "C": "2two words"}


def test_the_nearest_layer_wins_in_a_step() -> None:
    step = Step(name="s", env=(Variable("X", "step"), Variable("Z", "${X}")))
    values = Values({"X": "param", "P": "p"}, {"X": "dag", "D": "d"})
    machine, outputs = {"X": "machine", "M": "m"}, {"X": "output", "O": "o"}
    found = step_environment(step, Surroundings(Dag(), machine, values, outputs, own={"DAGFS_TRY": "1"}))
    assert found.env["X"] == "step"
    assert found.env["Z"] == "output", "entries of one env do not see each other"
    assert {name: found.env[name] for name in ("M", "P", "D", "O", "DAGFS_TRY")} == {
        "M": "m",
        "P": "p",
        "D": "d",
        "O": "o",
        "DAGFS_TRY": "1",
    }


@pytest.mark.parametrize("name", ["PATH", "LD_PRELOAD", "not-a-name", "1"])
def test_data_never_becomes_a_variable_that_steers_programs(name: str) -> None:
    found = step_environment(Step(), Surroundings(Dag(), {"PATH": "/bin"}, Values({name: "evil"}, {})))
    assert found.env.get(name) != "evil"
    assert name not in found.exported
    assert found.scope.variables[name] == "evil", "its text may still refer to it"


def test_a_value_too_long_for_the_environment_is_left_out_but_can_be_referred_to() -> None:
    long = "x" * (TOO_LONG + 1)
    found = step_environment(Step(), Surroundings(Dag(), {}, Values({"BIG": long}, {})))
    assert "BIG" not in found.env
    assert found.scope.variables["BIG"] == long


def test_an_author_s_own_variable_must_fit() -> None:
    with pytest.raises(ValueRefused, match="BIG has 100,001 bytes"):
        step_environment(Step(), Surroundings(Dag(), {}, Values({}, {"BIG": "x" * (TOO_LONG + 1)})))


def test_digests_tell_changed_values_without_giving_them_away() -> None:
    one, other = value_digests({"T": "secret"}, "run1"), value_digests({"T": "secret"}, "run2")
    assert one != other
    assert "secret" not in str(one)
    assert one == value_digests({"T": "secret"}, "run1")
