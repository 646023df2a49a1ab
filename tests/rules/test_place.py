"""A step runs only where its executor is, and where it finds what it names."""

from __future__ import annotations

from dataclasses import replace

from dagfs.hooks.testing import edit
from dagfs.model.edit import Action, Edit, Severity
from dagfs.model.site import Site, Unreached
from dagfs.rules.place import check_edit

SPEC = """
    type: graph
    steps:
      - name: load
        run: ./load
      - name: sum
        depends: load
        run: ./sum ${load.artifacts}
    """


def moved(*, action: Action = Action.RUN, **sites: Site) -> Edit:
    return replace(edit(SPEC, sum="failed"), actions={"load": Action.KEEP, "sum": action}, sites=sites)


FAR = Site("ssh", "shell", "far", (), (Unreached("${load.artifacts}", "/r/artifacts", "load"),))


def test_a_file_that_is_out_of_reach_is_named_with_its_maker() -> None:
    (found,) = check_edit(moved(sum=FAR))
    assert (found.rule, found.severity, found.step) == ("executor.reach", Severity.REJECT, "sum")
    assert found.allowable
    assert all(
        text in found.message for text in ("'sum'", "ssh", "${load.artifacts}", "'load'", "/r/artifacts")
    )
    assert found.line


def test_a_step_that_is_kept_goes_nowhere() -> None:
    assert not check_edit(moved(action=Action.KEEP, sum=FAR))


def test_what_its_executor_says_against_it_refuses_it() -> None:
    (found,) = check_edit(moved(sum=Site("docker", "shell", "p", ("docker needs an image",))))
    assert (found.rule, found.allowable) == ("executor.place", False)
    assert "docker needs an image; profile 'p' puts it there" in found.message


def test_a_handler_is_judged_whatever_runs() -> None:
    spot = {"handler_on.exit": Site("docker", "shell", "p", ("no image",))}
    (found,) = check_edit(moved(**spot))
    assert found.step is None
    assert "handler_on.exit" in found.message


def test_a_site_says_in_words_where_a_step_runs() -> None:
    assert str(Site("docker", "shell", "p")) == "in docker instead of shell"
    assert str(Site("docker", "docker", "p")) == "in docker as profile p says"
    assert str(Site("docker", "docker")) == "in docker"
