"""The plugins of this repository keep the contracts that other people's plugins keep."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from dagfs.executors.shell import Shell
from dagfs.hooks.executor import Process
from dagfs.hooks.notifier import News
from dagfs.hooks.testing import ExecutorContract, NotifierContract, Outcome, RuleContract, edit
from dagfs.model.dag import Dag, Step
from dagfs.model.edit import Edit, Finding
from dagfs.model.run import RunHeader
from dagfs.notifiers import mail_on
from plugins import prod_env_needs_reason, webhook
from plugins.nice import Nice

PROD = "{tags: prod, env: [A: 1], steps: [{name: a, run: 'false'}]}"


class TestShell(ExecutorContract):
    executor = Shell("shell")
    step = Step(name="a", command=("echo done",))

    def after(self, outcome: Outcome) -> None:
        assert outcome.out == "done\n"


class TestNice(ExecutorContract):
    executor = Nice()
    accepted = ({"by": 7}, {"io": "best-effort"}, {})
    refused = ({"by": 20}, {"by": "much"}, {"io": "fast"})
    step = Step(name="a", command=("nice",))

    def after(self, outcome: Outcome) -> None:
        assert int(outcome.out) >= 7


class TestProdEnv(RuleContract):
    rules = prod_env_needs_reason.rules()

    def check_edit(self, edit: Edit) -> Sequence[Finding]:
        return prod_env_needs_reason.check_edit(edit)

    def passes(self) -> Sequence[Edit]:
        free = PROD.replace("tags: prod", "tags: dev")
        return [edit(PROD, a="failed"), edit(free, free.replace("A: 1", "A: 2"), a="failed")]

    def stops(self) -> Sequence[Edit]:
        return [edit(PROD, PROD.replace("A: 1", "A: 2"), a="failed")]


def news(what: str, **settings: object) -> News:
    run = RunHeader(id="r1")
    return News(what, run, Dag(name="d"), 1, "failed", env={"PATH": "/bin"}, cwd="/", dag_settings=settings)


class TestWebhook(NotifierContract):
    @pytest.fixture(autouse=True)
    def configured(self) -> Iterator[None]:
        webhook.configure({"url": "https://chat.example/hush"})
        yield
        webhook._settings.clear()

    def notify(self, news: News) -> Sequence[Process]:
        return webhook.notify(news)

    def heard(self) -> Sequence[News]:
        return [news("failure"), news("wait"), news("trouble")]

    def unheard(self) -> Sequence[News]:
        return [news("step")]

    def test_the_address_is_no_argument(self) -> None:
        (process,) = self.notify(news("failure"))
        assert not any("hush" in word for word in process.argv)


class TestMailOn(NotifierContract):
    def notify(self, news: News) -> Sequence[Process]:
        return mail_on.notify(news)

    def heard(self) -> Sequence[News]:
        said = {"smtp": {"host": "h"}, "mail_on": {"failure": True}, "error_mail": {"to": ["a@x.test"]}}
        return [news("failure", **said), news("step", **said), news("trouble", **said)]

    def unheard(self) -> Sequence[News]:
        return [
            news("failure"),
            news("trouble"),
            news("abort", mail_on={"failure": True}),
            news("wait", mail_on={"wait": False}),
        ]

    def test_a_trouble_is_a_mail_that_says_what_it_is(self) -> None:
        said = {"smtp": {"host": "h"}, "mail_on": {"failure": True}, "error_mail": {"to": "a@x.test"}}
        trouble = replace(news("trouble", **said), run=None, dag=None, kind="bad_file", subject="a.yaml")
        (process,) = self.notify(trouble)
        task = json.loads(process.env["DAGFS_TASK_1"])
        assert task["subject"] == "a.yaml: bad file"
        assert "trouble  bad_file\nabout    a.yaml\n" in task["message"]

    def test_what_is_missing_is_said(self) -> None:
        with pytest.raises(ValueError, match="no mail server"):
            self.notify(news("failure", mail_on={"failure": True}))
        with pytest.raises(ValueError, match=r"error_mail\.to names nobody"):
            self.notify(news("failure", mail_on={"failure": True}, smtp={"host": "h"}))
