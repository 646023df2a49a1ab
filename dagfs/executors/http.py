"""Sends one HTTP request: the body of the answer goes to standard output, and 2xx is success."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from dagfs.executors.program import program
from dagfs.hooks import hookimpl
from dagfs.hooks.executor import Executor, Process, StepRequest
from dagfs.hooks.options import ANY, FLAG, NUMBER, TABLE, TEXT, Option, Options
from dagfs.model.dag import Step

_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OPTIONS = Options(
    "http",
    Option("method", TEXT, "The method, in place of the first word of `command`."),
    Option("url", TEXT, "The address, in place of the second word of `command`; http or https."),
    Option("headers", TABLE, "Headers of the request."),
    Option("query", TABLE, "Added to the address as `?name=value`; a list gives the name several times."),
    Option("body", ANY, "What is sent: a text, or a value, which goes as JSON; each with its content type."),
    Option("form", TABLE, "Sent as `application/x-www-form-urlencoded`, in place of a body."),
    Option("files", TABLE, "Files to upload, field to path: with `form`, sent as `multipart/form-data`."),
    Option("timeout", NUMBER, "Seconds for all of it; 0 is no bound but the step's own.", 30),
    Option("silent", FLAG, "Print the body alone; otherwise the status and the headers go before it.", False),
    Option(
        "json", FLAG, "Print one JSON object: status_code, headers, body; with `silent` only body.", False
    ),
    Option("format", TEXT, "`json` says the same as `json: true`.", "", ("", "text", "json")),
    Option("output", TEXT, "A file that takes the body of a successful answer, in place of standard output."),
    Option(
        "debug",
        FLAG,
        "Say on standard error what is sent and what comes; secrets of headers are left out.",
        False,
    ),
    Option(
        "skip_tls_verify", FLAG, "Take any certificate. Whoever sits between can read and change all.", False
    ),
    Option("ca_file", TEXT, "Certificates to trust in place of the system's, as PEM."),
    Option(
        "cert_file",
        TEXT,
        "The certificate that this side shows, as PEM, with its key in it or in `key_file`.",
    ),
    Option("key_file", TEXT, "The key of `cert_file`."),
    Option("redirects", NUMBER, "How many redirects are followed.", 10),
)
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "private_addresses": {"enum": ["named", "allow", "deny"]},
        "max_redirects": {"type": "integer", "minimum": 0},
    },
    "additionalProperties": False,
}


class Http:
    """`type: http`."""

    name = "http"
    options = OPTIONS
    command_is = "data"
    script_is = "data"

    def __init__(self) -> None:
        self.policy: Mapping[str, Any] = {}

    def check(self, step: Step) -> Sequence[str]:
        config = step.executor.config
        wrong = OPTIONS.wrong(config)
        if len(step.command) > 1:
            wrong.append("http sends one request, not a list")
        if step.command and "$" not in step.command[0]:
            wrong += _wrong_line(step.command[0])
        if not step.command and not {"url", "Url", "URL"} & config.keys():
            wrong.append("http needs an address: `command: GET https://…`, or `url`")
        return [*wrong, *map(_wrong_address, _addresses(step))]

    def prepare(self, request: StepRequest) -> Process:
        settings = OPTIONS.read({**request.config, **_from_script(request.script)})
        line = request.command[0] if request.command else ""
        method, _, url = line.strip().partition(" ")
        settings["method"] = (settings["method"] or method or "GET").upper()
        settings["url"] = settings["url"] or url.strip()
        if not _ADDRESS.match(settings["url"]):
            raise ValueError(_wrong_address(settings["url"]))
        return program(request, "http", {**settings, "policy": dict(self.policy)})


def _addresses(step: Step) -> list[str]:
    """What is no address, and holds no reference that could make it one."""
    config = step.executor.config
    said = [value for key, value in config.items() if key.lower() == "url" and isinstance(value, str)]
    said = said or [line.strip().partition(" ")[2].strip() for line in step.command[:1]]
    return [each for each in said if each and "$" not in each and not _ADDRESS.match(each)]


def _wrong_address(url: str) -> str:
    return f"{url!r} is no http or https address"


def _wrong_line(line: str) -> list[str]:
    method, _, url = line.strip().partition(" ")
    if not url.strip():
        return [f"`command` must be a method and an address, as in GET https://…, not {line.strip()!r}"]
    if method.upper() not in METHODS:
        return [f"{method!r} is no method; there are {', '.join(METHODS)}"]
    return []


def _from_script(script: str) -> dict[str, Any]:
    """Settings as a script of JSON, as Dagu has them."""
    if not script.strip():
        return {}
    try:
        found = json.loads(script)
    except ValueError as error:
        raise ValueError(f"`script` must be a JSON object of settings: {error}") from error
    if not isinstance(found, dict):
        raise ValueError("`script` must be a JSON object of settings")
    return found


_HTTP = Http()


@hookimpl
def executors() -> Sequence[Executor]:
    return [_HTTP]


@hookimpl
def settings_schema() -> Mapping[str, Any]:
    return SCHEMA


@hookimpl
def configure(settings: Mapping[str, Any]) -> None:
    _HTTP.policy = dict(settings)
