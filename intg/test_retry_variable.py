"""`DAGFS_RETRY_RUN_ID`: the command that makes runs goes on with one instead."""

from __future__ import annotations

from intg.home import Home

DAG = """
name: job
params:
  - day: monday
steps:
  - name: a
    run: echo "a ${day}" >> "$DAG_DESK/count"
  - name: b
    depends: a
    run: |
      echo "b ${DAGFS_RETRY_RUN_ID:-unset} $DAGFS_ATTEMPT $DAGFS_IS_RETRY $DAGFS_TRY" >> "$DAG_DESK/count"
      dagfs run inner
      test -e "$DAG_DESK/go"
"""
INNER = "name: inner\nsteps: [{name: i, run: 'true'}]\n"


def test_it_continues_that_run_and_nobody_below_sees_it(home: Home) -> None:
    home.dag("job", DAG)
    home.dag("inner", INNER)
    home.dagfs("run", "job", "--id", "first").exits(1)
    home.file("go").touch()
    home.dagfs("run", "job", env={"DAGFS_RETRY_RUN_ID": "first"}).exits(0).says("runs/first attempt 2")
    assert home.lines("count") == ["a monday", "b unset 1 false 1", "b unset 2 true 1"]
    assert sorted(path.name.split("-")[-2] for path in home.runs() if path.name != "first") == ["inner"] * 2
    home.dagfs("run", "job", env={"DAGFS_RETRY_RUN_ID": "first"}).exits(7)


def test_the_file_as_it_is_now_is_the_edit(home: Home) -> None:
    home.dag("job", DAG)
    home.dag("inner", INNER)
    home.dagfs("run", "job", "--id", "first").exits(1)
    home.dag("job", DAG.replace('test -e "$DAG_DESK/go"', "true"))
    home.dagfs("run", "job", "-p", "day=friday", env={"DAGFS_RETRY_RUN_ID": "first"}).exits(5).says(
        "stale.params"
    )
    home.dagfs("run", "job", env={"DAGFS_RETRY_RUN_ID": "fir"}).exits(0)
    assert (home.path / "runs/first/spec.v2.yaml").exists()


def test_another_dag_or_shape_is_refused(home: Home) -> None:
    home.dag("job", DAG)
    home.dag("inner", INNER)
    home.dagfs("run", "job", "--id", "first").exits(1)
    first = {"DAGFS_RETRY_RUN_ID": "first"}
    home.dagfs("run", "inner", env=first).exits(5).in_one_line().says("was made from")
    home.dagfs("run", "job", env={"DAGFS_RETRY_RUN_ID": "nowhere"}).exits(4)
    home.dagfs("run", "job", "--id", "second", env=first).exits(2).in_one_line()
    home.dag("job", DAG.replace("name: b", "name: c"))
    home.dagfs("run", "job", env=first).exits(5).says("structure.rename")
    assert not (home.path / "runs/first/attempts/2").exists()
