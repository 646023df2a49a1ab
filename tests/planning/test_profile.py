"""What a profile makes of a step, and which files a step's text names."""

from __future__ import annotations

import pytest

from dagfs.model.dag import Call, Dag, Executor, Step, Variable
from dagfs.model.profile import Placement, Profile
from dagfs.planning.profile import placed, placement, unreached


def profile(*patterns: str) -> Profile:
    return Profile("p", "", tuple(Placement(each, executor=f"x{n}") for n, each in enumerate(patterns)))


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        (("*", "load"), 1),
        (("load", "*"), 0),
        (("lo*", "*"), 0),
        (("*", "lo?d", "l*"), 1),
        (("other",), None),
        (("the-id",), 0),
        (("[kl]oad", "*oa*"), 0),
    ],
)
def test_a_name_goes_before_patterns_and_the_one_that_says_most_before_others(
    patterns: tuple[str, ...], chosen: int | None
) -> None:
    found = placement(Step(name="load", id="the-id"), profile(*patterns))
    assert (found and found.steps) == (None if chosen is None else patterns[chosen])


def test_no_profile_leaves_every_step_as_it_is() -> None:
    step = Step(name="a")
    assert placed(step, Profile()) is step
    assert placed(step, profile("b")) is step


def test_the_engines_own_work_stays_where_it_is() -> None:
    step = Step(name="a", call=Call("child"))
    assert placed(step, profile("*")) is step


def test_settings_go_over_those_of_the_same_executor_and_in_place_of_those_of_another() -> None:
    step = Step(name="a", executor=Executor("ssh", {"host": "h", "user": "u"}))
    same = Profile("p", "", (Placement("a", "", {"host": "other"}),))
    assert placed(step, same).executor == Executor("ssh", {"host": "other", "user": "u"})
    other = Profile("p", "", (Placement("a", "docker", {"image": "i"}),))
    assert placed(step, other).executor == Executor("docker", {"image": "i"})


def test_variables_stand_in_place_of_the_steps_own() -> None:
    step = Step(name="a", env=(Variable("A", "1"), Variable("B", "2")), working_dir="w", shell=("sh",))
    place = Placement("a", env=(Variable("A", "3"),), shell=("bash", "-e"))
    made = placed(step, Profile("p", "", (place,)))
    assert made.env == (Variable("B", "2"), Variable("A", "3"))
    assert (made.working_dir, made.shell) == ("w", ("bash", "-e"))


def test_a_profile_is_read_back_as_it_was_written() -> None:
    place = Placement("a*", "docker", {"image": "i"}, (Variable("A", "1"),), ("sh",), "w", False)
    said = Profile("p", "dagfs.yaml", (place,))
    assert Profile.from_data(said.as_data()) == said
    assert Profile.from_data({}) == Profile()


# -- files


def lacking(text: str, *mounts: str, env: tuple[Variable, ...] = ()) -> list[tuple[str, str]]:
    step = Step(name="sum", command=(text,), env=env)
    dag = Dag(steps=(Step(name="load", id="first"), step), env=(Variable("DATA", "${load.artifacts}/x"),))
    paths = lambda kind, maker: f"/r/{maker}/{kind}" if maker else f"/r/{kind}"  # noqa: E731
    found = unreached(step, dag, mounts, paths, {"ROOT": "/r"})
    return [(each.reference, each.maker) for each in found]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("echo $HOME ${NAME} ${load.outputs.ROWS} ${load.exit_code}", []),
        ("cat ${load.artifacts}/rows", [("${load.artifacts}", "load")]),
        ("cat ${steps.first.artifacts}/rows", [("${steps.first.artifacts}", "load")]),
        ("grep x ${load.stdout}", [("${load.stdout}", "load")]),
        ("ls $DAGFS_WORK_DIR ${DAGFS_WORK_DIR}", [("$DAGFS_WORK_DIR", ""), ("${DAGFS_WORK_DIR}", "")]),
        ("ls ${context.run.work_dir}", [("${context.run.work_dir}", "")]),
        ("touch $DAGFS_ARTIFACTS_DIR/x", [("$DAGFS_ARTIFACTS_DIR", "")]),
        ("cat $DATA", [("${load.artifacts}", "load")]),
        ("echo 1 > $DAGFS_OUTPUT", []),
        ("cat ${unknown.artifacts}", []),
    ],
)
def test_a_text_names_files_by_itself_and_through_variables(text: str, named: list[tuple[str, str]]) -> None:
    assert lacking(text) == named


@pytest.mark.parametrize(
    "mount",
    [
        "/r/load/artifacts",
        "/r",
        "/",
        "${load.artifacts}",
        "${ROOT}",
        "${env.ROOT}/load",
        "/r/x/../load",
        "$NOT_KNOWN",
    ],
)
def test_a_mount_of_the_same_path_or_of_one_above_holds_it(mount: str) -> None:
    assert not lacking("cat ${load.artifacts}/rows", mount)


@pytest.mark.parametrize(
    "mount", ["/r/load/art", "/r/load/artifacts/rows", "/other", "${DAGFS_WORK_DIR}", ""]
)
def test_a_mount_of_something_else_does_not(mount: str) -> None:
    assert lacking("cat ${load.artifacts}/rows", mount)


def test_the_steps_own_variables_are_texts_too() -> None:
    assert lacking("run", env=(Variable("IN", "$DAGFS_RUN_DIR/x"),)) == [("$DAGFS_RUN_DIR", "")]
