"""Sends one mail through the server that the DAG's `smtp` names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dagfs.executors.program import program
from dagfs.hooks import hookimpl
from dagfs.hooks.executor import Executor, Process, StepRequest
from dagfs.hooks.options import ANY, FLAG, NUMBER, TABLE, TEXT, WORDS, Option, Options, refused
from dagfs.model.dag import Step

OPTIONS = Options(
    "mail",
    Option("from", TEXT, "The sender; without it `smtp.from`, or the user name of `smtp`."),
    Option("to", WORDS, "Who gets it: one address, several with commas between, or a list."),
    Option("cc", WORDS, "Who gets a copy."),
    Option("bcc", WORDS, "Who gets a copy that the others do not see."),
    Option("reply_to", TEXT, "Where answers go."),
    Option("subject", TEXT, "The subject.", ""),
    Option("message", ANY, "The text; `command` or `script` in its place.", "", aliases=("body", "text")),
    Option("html", FLAG, "The text is HTML.", False),
    Option("smtp", TABLE, "The mail server; without it, the DAG's `smtp`."),
    Option("attachments", WORDS, "Files to send along, relative to the step's directory."),
)
SMTP = Options(
    "smtp",
    Option("host", TEXT, "The mail server."),
    Option("port", NUMBER, "Its port; 465 means TLS from the first byte.", 25),
    Option("username", TEXT, "Who logs in.", "", aliases=("user",)),
    Option("password", TEXT, "The password; write it as a reference to a secret.", ""),
    Option("from", TEXT, "The sender of mails that name none.", ""),
    Option(
        "tls",
        TEXT,
        "`auto` uses STARTTLS where the server offers it; with a password it must.",
        "auto",
        ("auto", "starttls", "implicit", "none"),
    ),
    Option("skip_tls_verify", FLAG, "Take any certificate.", False),
    Option("ca_file", TEXT, "Certificates to trust in place of the system's, as PEM."),
    Option("timeout", NUMBER, "Seconds the server may take for one answer.", 30),
)
"""The root key `smtp`."""
_NO_SERVER = "there is no mail server: give the DAG `smtp: {host: …}`"
_RECEIVERS = ("to", "cc", "bcc")


class Mail:
    """`type: mail`."""

    name = "mail"
    options = OPTIONS
    command_is = "data"
    script_is = "data"

    def check(self, step: Step) -> Sequence[str]:
        config = step.executor.config
        wrong = OPTIONS.wrong(config)
        if not config.get("to"):
            wrong.append("mail needs `to`: who gets it")
        wrong += [
            f"{name} {each!r} is no mail address" for name in _RECEIVERS for each in _odd(config.get(name))
        ]
        return [*wrong, *refused(self.name, shell=step.shell)]

    def check_within(self, step: Step, dag_settings: Mapping[str, Any]) -> Sequence[str]:
        own = step.executor.config.get("smtp")
        named = own or dag_settings.get("smtp") or {}
        return [_NO_SERVER] if isinstance(named, Mapping) and not _host(named) else []

    def prepare(self, request: StepRequest) -> Process:
        settings = OPTIONS.read(request.config)
        settings["message"] = settings["message"] or request.script or "\n".join(request.command)
        if not isinstance(settings["message"], str):
            raise ValueError("`message` must be a text")
        named = {"smtp": settings["smtp"]} if settings["smtp"] else request.dag_settings
        return program(request, "mail", {**settings, "smtp": smtp(named)})


def _odd(said: Any) -> list[str]:
    """Texts among the receivers that are no address, whatever their references stand for."""
    texts = said if isinstance(said, list | tuple) else [said]
    return [text for text in texts if isinstance(text, str) and text.strip() and not {"@", "$"} & set(text)]


def _host(server: Mapping[str, Any]) -> Any:
    return next((value for key, value in server.items() if key.lower() == "host"), None)


def smtp(dag_settings: Mapping[str, Any]) -> dict[str, Any]:
    """The DAG's mail server. Raises ValueError where none is named."""
    found = SMTP.read(dag_settings.get("smtp") or {})
    if not found["host"]:
        raise ValueError(_NO_SERVER)
    return found


@hookimpl
def executors() -> Sequence[Executor]:
    return [Mail()]
