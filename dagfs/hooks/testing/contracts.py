"""What every executor, rule and notifier keeps to, as classes whose tests a plugin's author inherits."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dagfs.hooks.executor import Executor, Process, StepRequest
from dagfs.hooks.notifier import SET_ASIDE, TROUBLE, News
from dagfs.hooks.testing.place import Outcome, run
from dagfs.model.dag import Executor as Settings
from dagfs.model.dag import Step
from dagfs.model.edit import Edit, Finding
from dagfs.model.rule import Rule
from dagfs.model.value import replace

SECRET = "dagfs-contract-secret-0b7e"
"""A value that no argument of a process may hold: arguments are seen by everybody on a machine."""
_ODD: tuple[Any, ...] = (
    None,
    "",
    "text",
    "${REFERENCE}",
    -1,
    2**70,
    1.5,
    True,
    [],
    ["a", 1],
    {},
    {"a": {"b": 1}},
)
_NAME = re.compile(r"[a-z][a-z0-9_-]*")


class ExecutorContract:
    """Set `executor`, and what it accepts and refuses; the tests say the rest."""

    executor: Executor
    accepted: Sequence[Mapping[str, Any]] = ({},)
    """Settings that fit; the first is used to prepare and run."""
    refused: Sequence[Mapping[str, Any]] = ()
    """Settings that do not."""
    step = Step(name="a", command=("true",))
    """A step that runs here, its settings left out. References in it have no meaning."""
    code = 0
    """How that step ends when it is run with the first settings."""

    def request(self, folder: Path, settings: Mapping[str, Any] | None = None, try_: int = 1) -> StepRequest:
        """The request for one try in a folder of the test, with a secret in its environment."""
        return StepRequest(
            run="r1",
            attempt=1,
            step=self.step.name,
            try_=try_,
            command=self.step.command,
            script=self.step.script,
            config=self.accepted[0] if settings is None else settings,
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "DAGFS_OUTPUT": f"{folder}/output",
                "TOKEN": SECRET,
            },
            cwd=str(folder),
            folder=str(folder),
        )

    def check(self, settings: Mapping[str, Any]) -> list[str]:
        """What the executor says of the step with these settings."""
        return list(self.executor.check(replace(self.step, executor=Settings(self.executor.name, settings))))

    def after(self, outcome: Outcome) -> None:
        """Look at what running the step left; for more than its exit code."""

    # -- the contract

    def test_it_is_an_executor_with_a_name_that_a_spec_can_say(self) -> None:
        assert isinstance(self.executor, Executor), "it needs name, check and prepare"
        assert _NAME.fullmatch(self.executor.name), self.executor.name

    def test_it_accepts_what_it_says(self) -> None:
        for settings in self.accepted:
            assert self.check(settings) == [], settings

    def test_it_refuses_what_it_does_not_know_each_in_one_line(self) -> None:
        for settings in (*self.refused, {**self.accepted[0], "no_such_setting": 1}):
            said = self.check(settings)
            assert said, f"{settings} is not refused"
            assert all(isinstance(line, str) and line and "\n" not in line for line in said), said

    def test_no_settings_make_the_check_raise(self) -> None:
        names = {name for settings in (*self.accepted, *self.refused) for name in settings}
        for name in sorted(names):
            for value in _ODD:
                self.check({**self.accepted[0], name: value})

    def test_checking_changes_nothing(self) -> None:
        for settings in (*self.accepted, *self.refused):
            assert self.check(settings) == self.check(settings)

    def test_preparing_only_says_what_to_run(self, tmp_path: Path) -> None:
        before = (os.getcwd(), sorted(os.listdir(tmp_path)))
        for settings in self.accepted:
            request = self.request(tmp_path, settings)
            assert self.executor.prepare(request) == self.executor.prepare(request), (
                "it is not the same again"
            )
        assert (os.getcwd(), sorted(os.listdir(tmp_path))) == before, "it did something"

    def test_what_it_says_can_be_run(self, tmp_path: Path) -> None:
        for settings in self.accepted:
            process = self.executor.prepare(self.request(tmp_path, settings))
            assert isinstance(process, Process)
            assert process.argv, "there is nothing to run"
            assert not isinstance(process.argv, str)
            assert all(isinstance(word, str) for word in (*process.argv, process.cwd))
            pairs = [*process.env.items(), *process.files.items()]
            assert all(isinstance(each, str) and "\0" not in each for pair in pairs for each in pair)
            assert all(name and "/" not in name and name not in (".", "..") for name in process.files)

    def test_values_are_never_arguments(self, tmp_path: Path) -> None:
        for settings in self.accepted:
            process = self.executor.prepare(self.request(tmp_path, _with_secrets(settings)))
            words = [*process.argv, *process.cleanup, *process.at_end]
            assert not any(SECRET in word for word in words), words

    def test_secrets_stay_off_the_disk(self, tmp_path: Path) -> None:
        for settings in self.accepted:
            process = self.executor.prepare(self.request(tmp_path, _with_secrets(settings)))
            assert not any(SECRET in text for text in process.files.values()), process.files

    def test_two_tries_do_not_share_files(self, tmp_path: Path) -> None:
        first = self.executor.prepare(self.request(tmp_path, try_=1))
        second = self.executor.prepare(self.request(tmp_path, try_=2))
        assert not first.files.keys() & second.files.keys()

    def test_the_step_runs_and_ends_as_said(self, tmp_path: Path) -> None:
        outcome = run(self.executor.prepare(self.request(tmp_path)), tmp_path)
        assert outcome.code == self.code, outcome
        assert "Traceback" not in outcome.err, outcome.err
        self.after(outcome)


def _with_secrets(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with the secret in every text below a header or the like, as a reference would put it."""

    def filled(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {
                key: f"{inner}{SECRET}" if isinstance(inner, str) else filled(inner)
                for key, inner in value.items()
            }
        return value

    return {key: filled(value) for key, value in settings.items()}


class RuleContract:
    """Set `rules`, `check_edit`, and edits of both kinds."""

    rules: Sequence[Rule]

    def check_edit(self, edit: Edit) -> Sequence[Finding]:
        """The plugin's hook."""
        raise NotImplementedError

    def passes(self) -> Sequence[Edit]:
        """Edits about which nothing is said."""
        return ()

    def stops(self) -> Sequence[Edit]:
        """Edits about which something is said."""
        raise NotImplementedError

    # -- the contract

    def test_every_rule_is_described(self) -> None:
        for rule in self.rules:
            assert re.fullmatch(r"[a-z0-9_]+\.[a-z0-9_]+", rule.id), rule.id
            assert rule.summary.endswith("."), rule.summary

    def test_it_says_something_only_where_it_should(self) -> None:
        assert all(not list(self.check_edit(edit)) for edit in self.passes())
        assert all(list(self.check_edit(edit)) for edit in self.stops())

    def test_findings_name_its_own_rules_and_say_why(self) -> None:
        known = {rule.id for rule in self.rules}
        for edit in self.stops():
            for finding in self.check_edit(edit):
                assert finding.rule in known, finding
                assert finding.message, finding
                assert "\n" not in finding.message
                assert (
                    finding.step is None
                    or finding.step in edit.new.by_name
                    or finding.step in edit.old.by_name
                )

    def test_the_same_edit_gives_the_same_findings(self) -> None:
        for edit in (*self.passes(), *self.stops()):
            assert list(self.check_edit(edit)) == list(self.check_edit(edit))


class NotifierContract:
    """Set `notify`, and news of both kinds."""

    def notify(self, news: News) -> Sequence[Process] | None:
        """The plugin's hook."""
        raise NotImplementedError

    def heard(self) -> Sequence[News]:
        """News about which somebody is told."""
        raise NotImplementedError

    def unheard(self) -> Sequence[News]:
        """News about which nobody is."""
        return ()

    # -- the contract

    def test_it_answers_with_what_to_run(self) -> None:
        for news in self.heard():
            found = list(self.notify(news) or ())
            assert found, news
            assert all(isinstance(each, Process) and each.argv for each in found)

    def test_it_has_nothing_to_run_for_other_news(self) -> None:
        assert not any(list(self.notify(news) or ()) for news in self.unheard())

    def test_it_takes_news_without_a_run(self) -> None:
        for news in self.heard():
            trouble = replace(news, what=TROUBLE, kind=SET_ASIDE, subject="d", run=None, dag=None, attempt=0)
            assert all(each.argv for each in self.notify(trouble) or ()), trouble

    def test_settings_with_secrets_are_never_arguments(self) -> None:
        for news in self.heard():
            secret = replace(news, env={**news.env, "TOKEN": SECRET})
            assert not any(SECRET in word for each in self.notify(secret) or () for word in each.argv)
