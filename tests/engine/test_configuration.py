"""`dagfs.yaml`: read strictly, with every problem named at its place."""

from pathlib import Path

import pytest

from dagfs.engine import configuration as sources
from dagfs.engine.configuration import (
    Found,
    config_files,
    configuration,
    environment_layer,
    merge,
    read_settings,
    variable,
)
from dagfs.engine.settings import SETTINGS, Settings
from dagfs.errors import SpecError, UsageError


def read(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "dagfs.yaml"
    path.write_text(text)
    return read_settings(path)


def test_a_home_without_settings_has_defaults(tmp_path: Path) -> None:
    settings = read_settings(tmp_path / "dagfs.yaml")
    assert settings == Settings()
    assert settings.active_steps >= 16


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_an_empty_file_means_defaults(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text).dialect == "auto"


def test_every_key_is_read(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        """
dialect: dagu1
shell: bash -u
working_dir: run
max_active_steps: 3
durability: strict
grace_sec: 2.5
allow: [structure.add]
on_stale: rerun
load_plugins: false
store: {id: abc, group: true}
""",
    )
    assert (settings.dialect, settings.shell, settings.working_dir) == ("dagu1", ("bash", "-u"), "run")
    assert (settings.active_steps, settings.durability, settings.grace_sec) == (3, "strict", 2.5)
    assert (settings.allow, settings.on_stale, settings.plugins) == (("structure.add",), "rerun", False)
    assert (settings.store_id, settings.group) == ("abc", True)


def test_all_problems_are_named_at_once_with_their_places(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        read(tmp_path, "dialekt: auto\ngrace_sec: soon\nstore: {grop: true}\nmax_active_steps: -1\n")
    found = [(each.line, each.message, each.hint) for each in caught.value.problems]
    assert found == [
        (1, "unknown setting 'dialekt'", "did you mean 'dialect'?"),
        (2, "grace_sec must be a number of seconds from 0", None),
        (3, "unknown setting 'store.grop'", "did you mean 'store.group'?"),
        (4, "max_active_steps must be a whole number from 0", None),
    ]


@pytest.mark.parametrize("text", ["- a list\n", "just text\n"])
def test_what_is_no_map_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SpecError, match="key: value"):
        read(tmp_path, text)


def test_the_digest_tells_one_text_from_another(tmp_path: Path) -> None:
    assert read(tmp_path, "dialect: auto\n").sha256 != read(tmp_path, "dialect: dagu1\n").sha256


# -- layers --------------------------------------------------------------------------------------


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, dict[str, str]]:
    """A home, and an environment whose user and machine have settings beside it."""
    monkeypatch.setattr(sources, "SYSTEM", tmp_path / "etc/config.yaml")
    for folder in ("home", "user/dagfs", "etc"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path / "home", {"XDG_CONFIG_HOME": str(tmp_path / "user"), "HOME": "/nowhere"}


def test_each_source_stands_above_the_next(places: tuple[Path, dict[str, str]]) -> None:
    home, env = places
    files = config_files(home, env)
    origins = []
    for value, path in zip((5, 4, 3), reversed(files), strict=True):
        path.write_text(f"# why\ngrace_sec: {value}\n")
        found = configuration(home, env).effective["grace_sec"]
        assert found.value == value
        origins.append(found.origin)
    assert origins == [f"{path}:2" for path in reversed(files)]
    env["DAGFS_GRACE_SEC"] = "2.5"
    assert configuration(home, env).effective["grace_sec"] == Found(2.5, "DAGFS_GRACE_SEC")
    flags = {"grace_sec": Found(1, "--grace")}
    assert configuration(home, env, flags).effective["grace_sec"] == Found(1, "--grace")
    assert configuration(home, env).effective["dialect"] == Found("auto", "default")


def test_sources_are_merged_key_by_key() -> None:
    merged = merge(
        [{"dialect": Found("dagu1", "a")}, {"dialect": Found("dagu2", "b"), "allow": Found((), "b")}]
    )
    assert (merged["dialect"].origin, merged["allow"].origin) == ("a", "b")
    assert set(merged) == set(SETTINGS)


@pytest.mark.parametrize("key", SETTINGS)
def test_every_setting_has_a_variable(key: str) -> None:
    samples = {"shell": "bash -u", "allow": "a.b c.d", "max_active_steps": "3", "grace_sec": "2.5"}
    samples |= {"load_timeout_sec": "3"}
    samples |= {"dialect": "dagu1", "working_dir": "run", "durability": "strict", "on_stale": "rerun"}
    samples |= {"cutoff": "true"}
    samples |= {"deny_plugins": "a b", "plugin_limit_sec": "5", "plugins": '{"http": {}}'}
    samples |= {"profiles": '{"local": {"*": "shell"}}'}
    samples |= {
        "scheduler.timezone": "Asia/Tokyo",
        "scheduler.max_active_runs": "7",
        "queues": "etl=4 mail=1",
    }
    samples |= {"load_plugins": "false", "store.id": "123", "store.group": "true"}
    found = configuration(None, {variable(key): samples[key], "HOME": "/nowhere"})
    assert found.effective[key].origin == variable(key)
    assert getattr(found.settings, SETTINGS[key].field) != getattr(Settings(), SETTINGS[key].field)


def test_variables_that_do_not_fit_are_told_in_one_line() -> None:
    with pytest.raises(UsageError, match="DAGFS_GRACE_SEC must be a number of seconds from 0, not 'soon'"):
        environment_layer({"DAGFS_GRACE_SEC": "soon"})
    with pytest.raises(UsageError, match="DAGFS_DIALEKT, which is no setting") as caught:
        environment_layer({"DAGFS_DIALEKT": "dagu1"})
    assert "DAGFS_DIALECT" in str(caught.value.hint)


def test_variables_that_are_no_settings_are_left_alone() -> None:
    # What a step gets, and what a container platform makes of a service called dagfs.
    names = (
        "HOME",
        "STEP",
        "TRY",
        "OUTPUT",
        "WORK_DIR",
        "V1",
        "PORT",
        "SERVICE_HOST",
        "PORT_8090_TCP",
        "VERSION",
    )
    assert environment_layer({f"DAGFS_{name}": "x" for name in names}) == {}
    assert environment_layer({"DAGFS_SHELL": ""}) == {}


def test_every_file_is_read_strictly(places: tuple[Path, dict[str, str]]) -> None:
    home, env = places
    for path in config_files(home, env):
        path.write_text("\ndialekt: auto\n")
        with pytest.raises(SpecError) as caught:
            configuration(home, env)
        problem = caught.value.problems[0]
        assert (problem.file, problem.line, problem.hint) == (str(path), 2, "did you mean 'dialect'?")
        path.unlink()


def test_only_a_home_names_its_store(places: tuple[Path, dict[str, str]]) -> None:
    home, env = places
    config_files(home, env)[1].write_text("store: {id: abc}\n")
    with pytest.raises(SpecError, match=r"store\.id is about one home"):
        configuration(home, env)


def test_a_relative_folder_of_settings_is_ignored_and_the_users_own_taken() -> None:
    files = config_files(None, {"XDG_CONFIG_HOME": "relative", "HOME": "/home/ann"})
    assert files[0] == Path("/home/ann/.config/dagfs/config.yaml")


def test_a_folder_in_place_of_the_file_is_an_error_in_one_line(places: tuple[Path, dict[str, str]]) -> None:
    home, env = places
    (home / "dagfs.yaml").mkdir()
    with pytest.raises(UsageError, match="cannot read"):
        configuration(home, env)
