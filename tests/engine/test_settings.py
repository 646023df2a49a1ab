"""`dagfs.yaml`: read strictly, with every problem named at its place."""

from pathlib import Path

import pytest

from dagfs.engine.settings import Settings, read_settings
from dagfs.errors import SpecError


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
