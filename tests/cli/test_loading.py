"""What an everyday command loads: modules are most of its time, and each of these was left out with care."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_TELL = """
import sys
from dagfs.cli.main import main
code = main(sys.argv[1:])
print(code, *sys.modules, file=sys.stderr)
"""
_SELDOM = {
    *("asyncio", "croniter", "jsonschema", "rich", "watchdog", "starlette", "uvicorn", "jinja2"),
    *("difflib", "email", "http", "importlib.metadata", "shutil", "tempfile"),
}
"""Nothing of the everyday needs these."""
_CHANGING = {
    "filelock",
    "pluggy",
    "dataclasses",
    "inspect",
    "logging",
    "socket",
    "subprocess",
    "dagfs.hooks.manager",
}
"""What only looks needs these neither."""
_AGAIN = {
    *("dagfs.cli.retry", "dagfs.engine.proposal", "dagfs.engine.takeover", "dagfs.engine.recovery"),
    *("dagfs.planning.retry", "dagfs.planning.plan", "dagfs.planning.compat", "dagfs.spec.amend"),
}
"""What a new run needs no more than the old ones it does not look at."""
_SHIM = {"dagfs.engine.hatchery", "dagfs.engine.shim", "dagfs.engine.supervisor", "dagfs.engine.loadtime"}
"""What only the zygote, or a spec with commands in its values, needs."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("home")
    (root / "dagfs.yaml").touch()
    (root / "dags").mkdir()
    (root / "dags/one.yaml").write_text("steps:\n  - name: a\n    run: echo done\n")
    assert _loaded(root, "run", "one")
    return root


def _loaded(home: Path, *words: str) -> set[str]:
    """The modules of a fresh process that carried out a command line."""
    process = subprocess.run(
        [sys.executable, "-c", _TELL, "-C", str(home), *words],
        cwd=home,
        # A variable that looks like a setting would be looked up among them.
        env={
            **{name: os.environ[name] for name in os.environ if not name.startswith("DAGFS_")},
            "SHELL": "/bin/sh",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    code, *modules = process.stderr.splitlines()[-1].split()
    assert code == "0"
    return set(modules)


@pytest.mark.parametrize(
    "words", [["--help"], ["status"], ["runs"], ["logs"], ["show"], ["status", "--json"]]
)
def test_what_looks_at_runs_loads_no_plugins_locks_or_yaml(home: Path, words: list[str]) -> None:
    assert _loaded(home, *words) & (_SELDOM | _CHANGING | _AGAIN | _SHIM | {"yaml"}) == set()


def test_a_list_of_dags_loads_no_plugins_and_locks(home: Path) -> None:
    assert _loaded(home, "ls") & (_SELDOM | _CHANGING | _AGAIN | _SHIM) == set()


def test_a_new_run_loads_nothing_that_is_for_going_on(home: Path) -> None:
    assert _loaded(home, "run", "one") & (_SELDOM | _AGAIN | _SHIM) == set()
