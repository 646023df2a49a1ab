"""What holds here and whether all is well: `dagfs config` and `dagfs doctor`."""

from __future__ import annotations

from intg.home import Home


def test_settings_are_told_with_their_origin(home: Home) -> None:
    user = home.path / ".config/dagfs"
    user.mkdir(parents=True)
    (user / "config.yaml").write_text("# mine\ngrace_sec: 99\ndurability: strict\n")
    env = {"DAGFS_DIALECT": "dagu1"}
    found = home.dagfs("config", "--json", "--no-plugins", env=env).exits(0).json["settings"]
    assert found["grace_sec"] == {"value": 2.0, "origin": f"{home.path}/dagfs.yaml:1"}
    assert found["durability"] == {"value": "strict", "origin": f"{user}/config.yaml:3"}
    assert found["dialect"] == {"value": "dagu1", "origin": "DAGFS_DIALECT"}
    assert found["load_plugins"] == {"value": False, "origin": "--no-plugins"}
    assert found["on_stale"] == {"value": "error", "origin": "default"}
    said = home.dagfs("config", "--show-origin", env=env).exits(0)
    said.says("grace_sec 2 dagfs.yaml:1", "durability strict .config/dagfs/config.yaml:3")
    home.dagfs("config").exits(0).says("durability strict").never_says("config.yaml")


def test_a_variable_decides_what_a_run_does(home: Home) -> None:
    home.dag("where", "steps: [{name: a, run: basename $PWD}]\n")
    home.dagfs("run", "where", env={"DAGFS_WORKING_DIR": "run"}).exits(0)
    assert home.log("a") == "work\n"


def test_wrong_settings_of_every_source_are_told_in_one_line(home: Home) -> None:
    home.dagfs("runs", env={"DAGFS_DIALEKT": "x"}).exits(0)  # verbs that only look read no settings
    home.dagfs("config", env={"DAGFS_DIALEKT": "x"}).exits(2).in_one_line().says("did you mean DAGFS_DIALECT")
    home.dagfs("config", env={"DAGFS_MAX_ACTIVE_STEPS": "-1"}).exits(2).in_one_line()
    user = home.path / ".config/dagfs"
    user.mkdir(parents=True)
    (user / "config.yaml").write_text("dialekt: auto\n")
    home.dagfs("config").exits(3).says("config.yaml:1:1", "did you mean 'dialect'?")


def test_settings_can_be_seen_without_a_home(home: Home) -> None:
    elsewhere = home.file("elsewhere")
    elsewhere.mkdir()
    assert home.dagfs("config", "--json", cwd=elsewhere).exits(0).json["home"] is None
    home.dagfs("-C", "/no/such/folder", "config").exits(4).in_one_line()


def test_a_doctor_changes_nothing_that_lasts(home: Home) -> None:
    home.dag("job", "steps: [{name: a, run: echo hello}]\n")
    home.dagfs("run", "job").exits(0)
    before = {name: entry for name, entry in home.listing().items() if name != "runs"}
    found = home.dagfs("doctor", "--json")
    assert {name: entry for name, entry in home.listing().items() if name != "runs"} == before
    # The machine of a test may be short of space.
    wrong = [each for each in found.json if each["level"] == "problem" and each["name"] != "space"]
    assert wrong == []
    assert {"home", "store", "locks", "plugins", "runs"} <= {each["name"] for each in found.json}


def test_a_doctor_finds_what_is_broken_and_says_what_to_do(home: Home) -> None:
    home.dag("job", "steps: [{name: a, run: echo hello}]\n")
    home.dagfs("run", "job", "--id", "r1").exits(0)
    (home.path / "plugins").mkdir(mode=0o755)
    (home.path / "plugins/bad.py").write_text("raise SystemExit(3)\n")
    (home.path / "plugins/bad.py").chmod(0o644)
    record = home.run / "attempts/1/journal.jsonl"
    record.write_text("nonsense\n" + record.read_text())
    (home.run / "attempts/1/status.json").unlink()
    said = home.dagfs("doctor").exits(1)
    said.says("✗ plugins", "bad was not loaded", "✗ runs", "dagfs fsck r1")


def test_a_doctor_names_an_interrupted_run(home: Home) -> None:
    home.dag("slow", "steps: [{name: a, run: 'touch $DAG_DESK/up; sleep 60'}]\n")
    engine = home.start("run", "slow", "--id", "r1")
    engine.until(lambda: home.file("up").exists(), "the step")
    engine.kill()
    home.dagfs("doctor").says("! runs", "r1 was interrupted", "dagfs retry r1")
    home.dagfs("stop", "r1", "--kill")
