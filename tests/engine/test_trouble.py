"""Notifiers are told of what no run can tell of; what they do has its own process and its own time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dagfs.engine.bootstrap import open_home
from dagfs.engine.trouble import Trouble, decode_trouble, encode_trouble, tell_trouble
from dagfs.store.files import Disk

PLUGIN = """
from pathlib import Path
import json
from dagfs.hooks import hookimpl
from dagfs.hooks.executor import Process

@hookimpl
def notify(news):
    names = ("what", "kind", "subject", "reason", "state", "attempt", "cwd")
    said = {name: getattr(news, name) for name in names}
    said |= {"run": news.run and news.run.id, "dag": news.dag and news.dag.name}
    said["settings"] = dict(news.dag_settings)
    return [Process(["sh", "./tell.sh"], {"PATH": "/usr/bin:/bin", "SAID": json.dumps(said)}, news.folder,
                    {"tell.sh": TELL})]
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    root = tmp_path / "home"
    (root / "plugins").mkdir(parents=True)
    (root / "plugins").chmod(0o700)
    (root / "dagfs.yaml").write_text("plugin_limit_sec: 20\n")
    return root


def told(
    home: Path, trouble: Trouble, tell: str = 'printf %s "$SAID" > "$0.said"; mv "$0.said" TO'
) -> list[str]:
    text = PLUGIN.replace("TELL", repr(tell.replace("TO", str(home / "said"))))
    path = home / "plugins" / "mine.py"
    path.write_text(text)
    path.chmod(0o600)
    engine = open_home(home)
    engine.home.store.ensure()
    for folder in engine.home.paths.scheduler.folders():
        Disk().make_dir(folder)
    complaints = tell_trouble(engine, trouble)
    assert not list(engine.home.paths.scheduler.told.iterdir())
    return complaints


def said(home: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((home / "said").read_text())
    return found


def test_a_trouble_without_a_run_says_what_it_is_about(home: Path) -> None:
    assert told(home, Trouble("missed", "nightly", "late")) == []
    assert said(home) == {
        "what": "trouble",
        "kind": "missed",
        "subject": "nightly",
        "reason": "late",
        "state": "",
        "attempt": 0,
        "cwd": str(home),
        "run": None,
        "dag": None,
        "settings": {},
    }


def test_what_the_last_good_version_says_of_mails_counts(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAG_MAIL", "ops@x.test")
    text = b"name: d\nenv: [A: b]\nerror_mail: {to: '${DAG_MAIL}', prefix: '${A}'}\nsteps: [{run: 'true'}]\n"
    told(home, Trouble("bad_file", "d.yaml", "bad", file=str(home / "d.yaml"), text=text))
    assert said(home)["dag"] == "d"
    assert said(home)["settings"] == {"error_mail": {"to": ["ops@x.test"], "prefix": "b"}}


def test_without_a_good_version_base_yaml_has_the_say(home: Path) -> None:
    (home / "base.yaml").write_text("error_mail: {to: base@x.test}\n")
    told(home, Trouble("bad_file", "d.yaml", "bad"))
    assert said(home)["settings"] == {"error_mail": {"to": ["base@x.test"]}}


def test_a_run_that_cannot_be_read_is_told_of_all_the_same(home: Path) -> None:
    told(home, Trouble("engine_died", "r1", "died", run="r1"))
    assert (said(home)["run"], said(home)["subject"]) == (None, "r1")


def test_what_goes_wrong_is_said_without_the_secrets_of_the_dag(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "hush-hush-hush")
    text = b"secrets: [{name: T, provider: env, key: TOKEN}]\nsteps: [{run: 'true'}]\n"
    trouble = Trouble("not_started", "d", "no", file=str(home / "d.yaml"), text=text)
    (complaint,) = told(home, trouble, "echo lost hush-hush-hush >&2; exit 3")
    assert complaint.startswith("plugin mine: notify: lost ")
    assert "hush" not in complaint


def test_a_trouble_survives_its_way_to_another_process() -> None:
    trouble = Trouble("missed", "ä", "\ud800 odd", "t", "r", "/f\udcff", b"\xff\x00text")
    assert decode_trouble(encode_trouble(trouble)) == trouble
