"""The DAGs of this repository, run as they are shipped, in a shell with nothing but the usual programs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from intg.home import REPOSITORY, Home
from tests.patience import eventually


def backup(home: Home) -> None:
    """Archives appear, the oldest go, and nothing begins without a source."""
    home.shell("mkdir dags/etc; echo a > dags/etc/a; echo b > dags/etc/b")
    for number in range(4):
        home.dagfs("run", "backup", "--id", f"20260101-00000{number}-backup").exits(0)
    assert home.shell("ls dags/backups").split() == [f"20260101-00000{n}-backup.tar.gz" for n in (1, 2, 3)]
    assert home.shell("tar -tzf dags/backups/20260101-000003-backup.tar.gz | sort").split() == [
        "./",
        "./a",
        "./b",
    ]
    for wrong in ("source=./nowhere", "keep=1"):
        home.dagfs("run", "backup", "-p", wrong).exits(1).says("aborted").never_says("room")


def fan_out(home: Home) -> None:
    """The report counts all regions, or says which one is missing."""
    home.dagfs("run", "fan-out", "--id", "all").exits(0)
    assert home.dagfs("logs", "all", "report", "--stdout").out == "total 70\n"
    home.dagfs("run", "fan-out", "--id", "late", "-p", "late=south").exits(1).says("partially_succeeded")
    assert home.dagfs("logs", "late", "report", "--stdout").out == "total 40\nwithout south\n"


def flaky_api(home: Home) -> None:
    """Refusals are outlasted; a wrong request is not repeated."""
    home.dagfs("run", "flaky-api", "--id", "well").exits(0)
    steps = home.dagfs("status", "well", "--json").json["steps"]
    assert (steps["submit"]["tries"], steps["await"]["tries"]) == (3, 3)
    assert home.dagfs("logs", "well", "fetch", "--stdout").out == "the result of job-figures\n"
    home.dagfs("run", "flaky-api", "--id", "wrong", "-p", "job=").exits(1).says("exit 65")
    assert home.dagfs("status", "wrong", "--json").json["steps"]["submit"]["tries"] == 3
    home.dagfs("run", "flaky-api", "--id", "never", "-p", "refusals=9", "--plain").exits(1).says("exit 75")
    assert home.dagfs("status", "never", "--json").json["steps"]["submit"]["tries"] == 6


def notify(home: Home) -> None:
    """Each end has its messages."""
    told = home.path / "dags/outbox.txt"
    home.dagfs("run", "notify", "--id", "good").exits(0)
    assert told.read_text().splitlines() == ["good begins, attempt 1", "good is done", "good is over"]
    told.unlink()
    home.dagfs("run", "notify", "--id", "bad", "-p", "outcome=bad").exits(1)
    assert told.read_text().splitlines() == [
        "bad begins, attempt 1",
        f"bad failed: dagfs -C {home.path} logs bad",
        "bad is over",
    ]


def configured(home: Home) -> None:
    """Parameters, dotenv and env meet; a value stays a text."""
    home.dagfs("run", "configured", "--id", "test").exits(0).says("announce skipped")
    assert home.dagfs("logs", "test", "deploy", "--stdout").out.splitlines() == [
        "Blue Whale on test, in batches of 10",
        "https://test.example.org/",
        'it\'s only a "text"; $(date) stays as it is',
    ]
    home.dagfs("run", "configured", "--id", "prod", "-p", "target=prod").exits(0)
    assert home.dagfs("logs", "prod", "announce").out == "released to https://prod.example.org/\n"
    home.dagfs("run", "configured", "-p", "target=elsewhere").exits(1).says("failed at choose (exit 64)")


def training(home: Home) -> None:
    """A retry goes on behind the last checkpoint, and keeps what came before."""
    home.dagfs("run", "training", "-p", "breaks_in=3").exits(1).says("failed at train (exit 70)")
    home.dagfs("retry", "@").exits(0)
    assert home.log("train", 2).splitlines() == [
        "going on behind epoch 2",
        *(f"epoch {n} done" for n in (3, 4, 5)),
    ]
    assert not (home.run / "attempts/2/steps/prepare").exists()
    assert home.dagfs("logs", "@", "evaluate").out == "slope 3.02 after 5 epochs\n"


def regions(home: Home) -> None:
    """The late region fails alone, and only it runs again."""
    home.dagfs("run", "regions", "-p", "late=south").exits(1).says("1 of 3 children did not succeed")
    south = next(path for path in (home.run / "children").iterdir() if "south" in path.name)
    home.dagfs("edit", f"{home.run.name}/{south.name}", "--no-editor").exits(0)
    edit = south / "spec.next.yaml"
    edit.write_text(edit.read_text().replace('!= "$LATE"', '!= "nobody"'))
    home.dagfs("retry", "@").exits(0)
    assert home.dagfs("logs", "@", "report", "--stdout").out == "3 of 3 regions are in\n"
    attempts = [len(list((path / "attempts").iterdir())) for path in (home.run / "children").iterdir()]
    assert sorted(attempts) == [1, 1, 2]


def release(home: Home) -> None:
    """Nothing is published before somebody has looked."""
    published = home.path / "dags/published/2026-10.csv"
    home.dagfs("run", "release", "--id", "good").exits(6).says("waits at check")
    assert not published.exists()
    home.dagfs("approve", "good").exits(2).says("REVIEWER")
    home.dagfs("approve", "good", "--input", "REVIEWER=ann", "-m", "totals checked").exits(0)
    assert published.read_text() == "month,total\n2026-10,1234\n"
    assert home.dagfs("logs", "good", "publish").out == "published 2026-10, checked by ann\n"
    home.dagfs("run", "release", "--id", "bad", "-p", "month=2026-09").exits(6)
    home.dagfs("reject", "bad", "-m", "wrong month").exits(1).says("rejected")
    assert not (home.path / "dags/published/2026-09.csv").exists()


def checks(home: Home) -> None:
    """All checks are made, however one ends."""
    home.dagfs("run", "checks", "--id", "well").exits(0)
    assert home.dagfs("logs", "well", "summary").out == "all is well\n"
    home.dagfs("run", "checks", "--id", "full", "-p", "limit=0").exits(1).says("failed at disk")
    steps = home.dagfs("status", "full", "--json").json["steps"]
    assert steps["summary"]["state"] == "upstream_failed"
    assert {steps[name]["state"] for name in ("clock", "writable", "load")} == {"succeeded"}


STORIES: dict[str, Callable[[Home], None]] = {
    "backup": backup,
    "fan-out": fan_out,
    "flaky-api": flaky_api,
    "notify": notify,
    "configured": configured,
    "training": training,
    "checks": checks,
    "regions": regions,
    "release": release,
}


@pytest.mark.parametrize("name", STORIES)
def test_an_example_does_what_it_says(home: Home, name: str) -> None:
    home.example(name)
    home.dagfs("validate", "--strict", name).exits(0)
    STORIES[name](home)


def test_each_example_has_a_story_and_says_how_to_run_it() -> None:
    told_elsewhere = {"nightly-import"}
    paths = sorted((REPOSITORY / "dags").glob("*.yaml"))
    assert {path.stem for path in paths} == {*STORIES, *told_elsewhere}
    for path in paths:
        text = path.read_text()
        assert text.startswith("# "), path
        assert f"#   dagfs run {path.stem}" in text, path


def test_a_training_that_is_stopped_goes_on_where_it_stood(home: Home) -> None:
    path = home.example("training")
    path.write_text(
        path.read_text().replace('echo "epoch $epoch done"', 'echo "epoch $epoch done"; sleep 0.2')
    )
    engine = home.start("run", "training", "-p", "epochs=400")
    eventually(lambda: "epoch 2 done" in home.log("train"), "a second epoch")
    home.dagfs("stop", "@").exits(0)
    engine.wait()
    behind = int(home.log("train").split("stopped behind epoch ")[1])
    home.dagfs("edit", "@", "--no-editor").exits(0)
    home.edit(("; sleep 0.2", ""))
    home.dagfs("retry", "@").exits(0)
    assert home.log("train", 2).splitlines()[0] == f"going on behind epoch {behind}"
