"""Runs a step's commands or script on another machine, through the OpenSSH client of this one."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from dagfs.executors.child.trampoline import JOB
from dagfs.executors.elsewhere import Texts, client_env, definition, job_key, passed, texts
from dagfs.executors.program import in_path, program
from dagfs.hooks import hookimpl
from dagfs.hooks.executor import Executor, Process, StepRequest
from dagfs.hooks.options import ANY, NUMBER, TEXT, WORDS, Option, Options
from dagfs.model.dag import Step

OPTIONS = Options(
    "ssh",
    Option(
        "host",
        TEXT,
        "The machine: a name, an address, or a `Host` of your ssh configuration.",
        "",
        (),
        ("ip",),
    ),
    Option("user", TEXT, "Who to log in as; otherwise what your ssh configuration says.", ""),
    Option("port", NUMBER, "The port; otherwise what your ssh configuration says.", 0),
    Option("key", TEXT, "A file with the private key; otherwise your agent and your own keys are asked.", ""),
    Option("password", TEXT, "A password, or the passphrase of `key`; better a secret than a text.", ""),
    Option(
        "strict_host_key",
        ANY,
        "`true`: the host's key must be known. `accept-new`: an unknown host is taken at its word once, "
        "a changed key never. `false`: any key is taken, so anybody in between can answer.",
        True,
    ),
    Option(
        "known_host_file",
        TEXT,
        "Where known hosts are, in place of your own.",
        "",
        (),
        ("known_hosts_file",),
    ),
    Option("shell", WORDS, "The shell for commands there, with arguments.", ()),
    Option("shell_args", WORDS, "More arguments of `shell`.", ()),
    Option("working_dir", TEXT, "The folder there; otherwise where a login begins.", "", (), ("dir",)),
    Option("config_file", TEXT, "An ssh configuration in place of your own.", ""),
    Option("jump", TEXT, "A machine to go through, as `ssh -J` takes it.", "", (), ("proxy_jump",)),
    Option("remote_dir", TEXT, "A folder there for running jobs; otherwise `~/.dagfs`.", ""),
    Option(
        "keepalive_sec",
        NUMBER,
        "A connection that is silent for three times this is cut and made anew.",
        15,
    ),
    Option("connect_sec", NUMBER, "How long a first connection is tried.", 20),
    Option("reconnect_sec", NUMBER, "How long one is tried to a machine where the command may go on.", 3600),
    Option("binary", TEXT, "The ssh program.", "ssh"),
)
_WORD = re.compile(r"[A-Za-z0-9_.:%@\[\]-]+")
_STRICT = {"true": "yes", "yes": "yes", "accept-new": "accept-new", "false": "no", "no": "no"}
_ASKPASS = "askpass.{}"
_ANSWER = "#!/bin/sh\nprintf '%s\\n' \"$DAGFS_SSH_PASSWORD\"\n"
_FORWARDED = ("SSH_AUTH_SOCK", "KRB5CCNAME")


class Ssh:
    """`type: ssh`, and every step of a DAG with `ssh:` that names no other executor."""

    name = "ssh"
    options = OPTIONS
    shell = ("/bin/sh",)
    """What its steps' texts are written for, whatever the DAG's shell is here."""

    def check(self, step: Step) -> Sequence[str]:
        config = step.executor.config
        wrong = OPTIONS.wrong(config)
        if not wrong and not any("$" in str(value) for value in config.values()):
            wrong += _wrong_words(OPTIONS.read(config))
        return wrong

    sees_local_files = False

    def missing(self, config: Mapping[str, Any]) -> str:
        """What of the client is not there."""
        binary = str(config.get("binary") or "ssh")
        return "" if "$" in binary or in_path(binary) else f"{binary} is not in the PATH"

    def prepare(self, request: StepRequest) -> Process:
        settings = _settings(request)
        if not settings["host"]:
            raise ValueError("ssh needs a host")
        if wrong := _wrong_words(settings):
            raise ValueError("; ".join(wrong))
        link = _link(settings)
        work = texts(request, tuple(settings["shell"]) + tuple(settings["shell_args"]))
        task = {
            "link": link,
            "job": _job(request, work, settings),
            "password": settings["password"],
            "output": request.env.get("DAGFS_OUTPUT", ""),
            "askpass": f"{request.folder}/{_ASKPASS.format(request.try_)}",
        }
        made = program(request, "ssh", task)
        names = {name: made.env[name] for name in made.env if name.startswith("DAGFS_TASK_")}
        link_to_end = {**link, "key": task["job"]["key"], "folder": settings["remote_dir"]}
        return Process(
            made.argv,
            {**client_env(request, _FORWARDED), **names},
            request.cwd,
            files={_ASKPASS.format(request.try_): _ANSWER} if settings["password"] else {},
            cleanup=[*made.argv, "end", json.dumps(link_to_end)],
        )


def _settings(request: StepRequest) -> dict[str, Any]:
    """The step's settings over those of the DAG."""
    return OPTIONS.read({**(request.dag_settings.get("ssh") or {}), **request.config})


def _wrong_words(settings: Mapping[str, Any]) -> list[str]:
    """What would be taken for something else by ssh."""
    wrong = []
    for name in ("host", "user"):
        value = settings[name]
        if value and (value.startswith("-") or not _WORD.fullmatch(value)):
            wrong.append(f"{name} {value!r} cannot be one")
    if str(settings["strict_host_key"]).lower() not in _STRICT:
        wrong.append("strict_host_key must be true, false or accept-new")
    if settings["port"] != int(settings["port"]) or settings["port"] > 65535:
        wrong.append(f"port {settings['port']} cannot be one")
    if settings["jump"].startswith("-"):
        wrong.append(f"jump {settings['jump']!r} cannot be one")
    return wrong


def _link(settings: Mapping[str, Any]) -> dict[str, Any]:
    """How to get there; nothing in it is secret, so that it may stand in arguments."""
    strict = _STRICT[str(settings["strict_host_key"]).lower()]
    known = os.path.expanduser(settings["known_host_file"])
    options = {
        "StrictHostKeyChecking": strict,
        "ConnectTimeout": max(1, int(settings["connect_sec"])),
        "ServerAliveInterval": max(1, int(settings["keepalive_sec"])),
        "ServerAliveCountMax": 3,
    }
    if known or strict == "no":
        options["UserKnownHostsFile"] = known or "/dev/null"
    if known:
        options["GlobalKnownHostsFile"] = "/dev/null"
    if settings["key"]:
        options |= {"IdentityFile": os.path.expanduser(settings["key"]), "IdentitiesOnly": "yes"}
    words = [*(["-F", os.path.expanduser(settings["config_file"])] if settings["config_file"] else [])]
    words += ["-p", str(int(settings["port"]))] if settings["port"] else []
    words += ["-l", settings["user"]] if settings["user"] else []
    words += ["-J", settings["jump"]] if settings["jump"] else []
    return {
        "binary": in_path(settings["binary"]) or settings["binary"],
        "host": settings["host"],
        "words": [*words, *(f"-o{name}={value}" for name, value in options.items())],
        "silence": max(1, int(settings["keepalive_sec"])) * 3,
        "connect": settings["connect_sec"],
        "reconnect": settings["reconnect_sec"],
    }


def _job(request: StepRequest, work: Texts, settings: Mapping[str, Any]) -> dict[str, Any]:
    values = {**passed(request), "DAGFS_OUTPUT": f"{JOB}/output"}
    place = (settings["host"], settings["user"], settings["port"], settings["working_dir"])
    return {
        "key": job_key(request),
        "definition": definition(work, values, place),
        "argv": list(work.argv),
        "files": dict(work.files),
        "env": values,
        "folder": settings["remote_dir"],
        "cwd": settings["working_dir"],
    }


@hookimpl
def executors() -> Sequence[Executor]:
    return [Ssh()]
