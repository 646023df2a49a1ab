"""The mail executor against a real server: what is sent, to whom, and over which connection."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dagfs.executors.mail import Mail
from dagfs.hooks.executor import StepRequest
from dagfs.hooks.testing import ExecutorContract, Outcome, run
from dagfs.model.dag import Executor, Step
from tests.executors.servers import certificate, post, tls

HERE = {"host": "127.0.0.1", "port": 1}


class TestMail(ExecutorContract):
    executor = Mail()
    accepted = (
        {"from": "a@x.test", "to": "b@x.test", "subject": "s", "message": "m"},
        {
            "from": "a@x.test",
            "to": ["b@x.test", "c@x.test"],
            "attachments": ["f"],
            "smtp": {"host": "h", "password": "p"},
        },
    )
    refused = (
        {"subject": "nobody"},
        {"to": {"a": 1}},
        {"to": "a@x.test", "html": "perhaps"},
        {"to": ["a@x.test", "ops"]},
    )
    step = Step(name="tell")
    code = 1

    def request(self, folder: Path, settings: Any = None, try_: int = 1) -> StepRequest:
        return replace(super().request(folder, settings, try_), dag_settings={"smtp": HERE})

    def after(self, outcome: Outcome) -> None:
        assert outcome.err == "mail: Connection refused\n"


def send(folder: Path, port: int, smtp: Any = None, **config: Any) -> Outcome:
    settings = {"from": "Ann <ann@x.test>", "to": "bob@x.test", **config}
    server = {"host": "127.0.0.1", "port": str(port), "timeout": 10, **(smtp or {})}
    return run(
        Mail().prepare(replace(TestMail().request(folder, settings), dag_settings={"smtp": server})), folder
    )


def test_a_message_with_everything(tmp_path: Path) -> None:
    (tmp_path / "report.csv").write_text("a,b\n")
    with post() as office:
        got = send(
            tmp_path,
            office.port,
            to=["Bob <bob@x.test>, cy@x.test"],
            cc="dee@x.test",
            bcc=["eve@x.test"],
            subject="Übersicht\nBcc: x@y",
            message="grün\n.\nend\n",
            attachments=["report.csv"],
        )
    assert (got.code, got.out) == (0, "sent to bob@x.test, cy@x.test, dee@x.test, eve@x.test\n"), got
    ((sender, receivers, letter),) = office.letters
    assert sender == "ann@x.test"
    assert receivers == ["bob@x.test", "cy@x.test", "dee@x.test", "eve@x.test"]
    assert letter["Subject"] == "Übersicht Bcc: x@y"
    assert "eve@x.test" not in str(letter)
    text, attached = letter.iter_parts()
    assert text.get_content() == "grün\n.\nend\n"
    assert (attached.get_filename(), attached.get_content()) == ("report.csv", "a,b\n")


def test_the_text_may_be_html_or_the_steps_script(tmp_path: Path) -> None:
    with post() as office:
        send(tmp_path, office.port, message="<b>hi</b>", html=True)
        made = TestMail().request(tmp_path, {"from": "a@x.test", "to": "b@x.test"})
        server = {"smtp": {**HERE, "port": office.port}}
        assert (
            run(Mail().prepare(replace(made, script="from a script", dag_settings=server)), tmp_path).code
            == 0
        )
    assert office.letters[0][2].get_content_type() == "text/html"
    assert office.letters[1][2].get_content() == "from a script\n"


def test_a_password_goes_only_over_tls(tmp_path: Path) -> None:
    login = {"username": "ann", "password": "pa ss"}
    with post() as office:
        got = send(tmp_path, office.port, login)
        assert (got.code, "the password is not sent" in got.err) == (1, True)
        assert office.logins == []
        assert send(tmp_path, office.port, {**login, "tls": "none"}).code == 0
    assert [base64.b64decode(each) for each in office.logins] == [b"\0ann\0pa ss"]


@pytest.mark.parametrize("implicit", [False, True])
def test_certificates_are_checked(tmp_path: Path, implicit: bool) -> None:
    pem = certificate(tmp_path)
    how = {"tls": "implicit" if implicit else "starttls", "username": "ann", "password": "p"}
    with post(tls(pem), implicit=implicit) as office:
        refused = send(tmp_path, office.port, how)
        assert (refused.code, "CERTIFICATE_VERIFY_FAILED" in refused.err) == (1, True), refused
        trusted = {**how, "ca_file": str(tmp_path / "cert.pem")}
        assert send(tmp_path, office.port, trusted).code == 0
    assert office.was_tls == [True]


def test_what_the_server_refuses_is_said(tmp_path: Path) -> None:
    with post(refuse="bob") as office:
        got = send(tmp_path, office.port)
        assert (got.code, got.err) == (1, "mail: the server refuses bob@x.test: 550 nobody of that name\n")
        some = send(tmp_path, office.port, to="bob@x.test, cy@x.test")
    assert (some.code, len(office.letters)) == (1, 1)
    with post(silent=True) as office:
        assert (
            send(tmp_path, office.port, {"timeout": 0.3}).err
            == "mail: Connection unexpectedly closed: timed out\n"
        )


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    assert send(tmp_path, 1, attachments="gone").err == "mail: gone: No such file or directory\n"
    assert send(tmp_path, 1, to=" , ").err == "mail: nobody is named as the receiver: give it `to`\n"
    assert send(tmp_path, 1, **{"from": "a\nb@x"}).err == "mail: the from holds a line break\n"
    with pytest.raises(ValueError, match="no mail server"):
        Mail().prepare(replace(TestMail().request(tmp_path), dag_settings={}))


@pytest.mark.parametrize(
    "to", ["not an address", "bob@x.test and more", "bob@x.test, ops", "@x.test", "bob@"]
)
def test_what_is_no_address_gets_nothing_and_nobody_else_does(tmp_path: Path, to: str) -> None:
    with post() as office:
        got = send(tmp_path, office.port, to=["cy@x.test", to])
    assert (got.code, got.err) == (1, f"mail: {to!r} is no mail address\n")
    assert office.letters == []


def test_names_comments_and_commas_belong_to_an_address(tmp_path: Path) -> None:
    with post() as office:
        said = ['"Lee, Bob" <bob@x.test>', "cy@x.test (Cy)", "Zoë <zoe@x.test>; ", "<dee@x.test>,"]
        got = send(tmp_path, office.port, to=said)
    assert got.out == "sent to bob@x.test, cy@x.test, zoe@x.test, dee@x.test\n", got
    assert office.letters[0][2]["To"].addresses[0].display_name == "Lee, Bob"


@pytest.mark.parametrize(
    ("own", "around", "is_named"),
    [
        ({}, {}, False),
        ({}, {"smtp": {"port": 25}}, False),
        ({}, {"smtp": {"host": "h"}}, True),
        ({"smtp": {"host": "h"}}, {}, True),
        ({"smtp": "${SERVER}"}, {}, True),
    ],
)
def test_a_step_without_a_mail_server_is_wrong(own: Any, around: Any, is_named: bool) -> None:
    step = Step(name="a", executor=Executor("mail", {"to": "a@x.test", **own}))
    assert (not Mail().check_within(step, around)) is is_named
