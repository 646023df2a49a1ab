"""Runs a step in a container, through the command line of docker, podman or nerdctl."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from dagfs.executors.child.trampoline import JOB
from dagfs.executors.container_options import (
    OPTIONS,
    create_words,
    entrypoint,
    named,
    settings,
    unknown_inside,
)
from dagfs.executors.elsewhere import Texts, client_env, definition, job_key, passed, texts
from dagfs.executors.program import in_path, program
from dagfs.hooks import hookimpl
from dagfs.hooks.executor import Executor, Process, StepRequest
from dagfs.model.dag import Step
from dagfs.model.pattern import BadPattern, check
from dagfs.model.value import replace

_CLIENTS = ("docker", "podman", "nerdctl")
_STEERING = ("DOCKER_", "CONTAINER_", "CONTAINERS_", "REGISTRY_", "SSH_AUTH_SOCK")
_SCRIPT = "dagfs-script"
_READY_SEC = 600


class Docker:
    """`type: docker`, steps with `container:`, and every other step of a DAG with `container:`."""

    options = OPTIONS
    shell = ("/bin/sh",)
    """What its steps' texts are written for, whatever the DAG's shell is here."""

    def __init__(self, name: str) -> None:
        self.name = name

    def check(self, step: Step) -> Sequence[str]:
        config = step.executor.config
        wrong = [*OPTIONS.wrong(config), *unknown_inside(config)]
        if not wrong and not any("$" in str(value) for value in config.values()):
            try:
                settings(config)
            except ValueError as error:
                wrong.append(str(error))
        return wrong

    sees_local_files = False

    def mounted(self, config: Mapping[str, Any], dag_settings: Mapping[str, Any]) -> list[str] | None:
        """The volumes that have the same path in the container; None for a container of somebody else."""
        said = settings(config)
        if not said["image"] and not said["into"] and dag_settings.get("container"):
            said = settings(dag_settings["container"])
        return None if said["into"] else list(filter(None, map(_same_there, said["volumes"])))

    def missing(self, config: Mapping[str, Any]) -> str:
        """What of the command lines is not there."""
        binary = str(config.get("binary") or "")
        if "$" in binary or any(map(in_path, [binary] if binary else _CLIENTS)):
            return ""
        return f"{binary or 'docker, podman or nerdctl'} is not in the PATH"

    def prepare(self, request: StepRequest) -> Process:
        said = settings(request.config)
        shared = request.dag_settings.get("container")
        if not said["image"] and not said["into"] and not shared:
            raise ValueError("docker needs an image, or the name of a container to run in")
        place = _place(said, settings(shared) if shared else {})
        if said["into"] or (shared and not said["image"]):
            task, what = _within(request, said, place)
        else:
            task, what = _alone(request, said, place)
        made = program(request, "docker", {**place, **task})
        tasks = {name: value for name, value in made.env.items() if name.startswith("DAGFS_TASK_")}
        env = {**client_env(request, prefixes=_STEERING), **tasks}
        return Process(
            made.argv,
            env,
            request.cwd,
            cleanup=[*made.argv, "end", json.dumps({**place, **what})],
            at_end=_end_of_shared(made.argv, place, task["shared"]),
        )


def _same_there(volume: str) -> str:
    """The source of a volume whose target is the same path, or `""`."""
    words = volume.split(":")
    same = len(words) > 1 and words[0] == words[1]
    return words[0] if same else ""


def _end_of_shared(
    argv: Sequence[str], place: Mapping[str, Any], shared: Mapping[str, Any] | None
) -> list[str]:
    """What removes the DAG's container."""
    if not shared or shared["keep"]:
        return []
    what = {**place, "label": "dagfs.container", "job": shared["labels"]["dagfs.container"]}
    return [*argv, "end", json.dumps(what)]


def _place(said: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """Which engine; a shared container's where the step says nothing."""
    binary = said["binary"] or shared.get("binary", "")
    found = in_path(binary) if binary else next(filter(None, map(in_path, _CLIENTS)), None)
    if found is None:
        raise ValueError(f"{binary or ', '.join(_CLIENTS)}: not found in the PATH of dagfs")
    return {"binary": found, "host": said["engine"] or shared.get("engine", "")}


def _alone(
    request: StepRequest, said: Mapping[str, Any], place: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The task for a container of the step's own, and how to find it to end it."""
    values = {**passed(request), **named(said["env"])}
    work = _work(request, said)
    options = create_words(said, request.cwd)
    key = job_key(request)
    output = f"/tmp/dagfs-output-{key[:8]}"
    made_from = (options, said["image"], said["entrypoint"], place)
    labels = {
        "dagfs.job": key,
        "dagfs.run": request.run,
        "dagfs.step": request.step,
        "dagfs.attempt": str(request.attempt),
        "dagfs.try": str(request.try_),
        "dagfs.definition": definition(work, values, made_from),
    }
    task = {
        **_common(said, request),
        "labels": labels,
        "name": said["name"]
        or _name(request.run, request.step, f"{request.attempt}.{request.try_}", key[:6]),
        "options": options,
        "values": {**values, "DAGFS_OUTPUT": output},
        "argv": list(work.argv) if work.files or request.shell == ("direct",) else [],
        "lines": [] if work.files or request.shell == ("direct",) else list(request.command),
        "shell": _shell(request, said),
        "files": dict(work.files),
        "output_there": output,
        "keep": said["keep"],
        "exec": "",
        "shared": None,
    }
    return task, {"label": "dagfs.job", "job": key}


def _common(said: Mapping[str, Any], request: StepRequest) -> dict[str, Any]:
    return {
        "image": said["image"],
        "pull": said["pull"],
        "platform": said["platform"],
        "entrypoint": entrypoint(said),
        "auths": _auths(said, request),
        "output": request.env.get("DAGFS_OUTPUT", ""),
    }


def _auths(said: Mapping[str, Any], request: StepRequest) -> dict[str, Any]:
    """Logins of registries; they may be a text with JSON, as docker's own configuration has it."""
    found = {**_as_map(request.dag_settings.get("registry_auths")), **_as_map(said["registry_auths"])}
    return dict(found.get("auths", found))


def _as_map(said: Any) -> Mapping[str, Any]:
    if isinstance(said, str) and said.strip():
        try:
            said = json.loads(said)
        except ValueError as error:
            raise ValueError(f"registry_auths is no JSON: {error}") from None
    return said if isinstance(said, Mapping) else {}


def _work(request: StepRequest, said: Mapping[str, Any]) -> Texts:
    """The step's work; its script lies in the root folder of the container."""
    work = texts(request, tuple(said["shell"]))
    return Texts(
        tuple(word.replace(f"{JOB}/script", f"/{_SCRIPT}") for word in work.argv),
        dict(zip([_SCRIPT], work.files.values(), strict=False)),
    )


def _shell(request: StepRequest, said: Mapping[str, Any]) -> list[str]:
    words = list(request.shell if request.own_shell else said["shell"])
    if not words:
        return ["/bin/sh", "-e", "-c"]
    return words if words[1:] and words[-1] == "-c" else [*words, "-c"]


def _within(
    request: StepRequest, said: Mapping[str, Any], place: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The task for a job inside a container that others share, and how to find it to end it."""
    work = texts(request, tuple(said["shell"]))
    if not work.argv:
        raise ValueError("a step in a container that runs already needs a command or a script")
    values = {**passed(request), **named(said["exec_env"])}
    common = request.dag_settings.get("container")
    into = said["into"] or (settings(common)["into"] if common else "")
    shared = None if into else _shared(request)
    options = [f"--user={said['user']}"] if said["user"] else []
    options += [f"--workdir={said['working_dir']}"] if said["working_dir"] else []
    key = job_key(request)
    job = {
        "key": key,
        "definition": definition(work, values, (options, place, into)),
        "argv": list(work.argv),
        "files": dict(work.files),
        "env": {**values, "DAGFS_OUTPUT": f"{JOB}/output"},
    }
    task = {
        "exec": into,
        "exec_options": options,
        "shared": shared,
        "job": job,
        "output": request.env.get("DAGFS_OUTPUT", ""),
    }
    name = into or (shared and shared["name"])
    return task, {"exec": name, "exec_options": options, "job": key}


def _shared(request: StepRequest) -> dict[str, Any]:
    """The DAG's container."""
    said = settings(request.dag_settings["container"])
    _check_pattern(said["log_pattern"])
    values = named(said["env"])
    options = [*create_words(said, request.cwd), *(f"--env={name}" for name in values)]
    if said["restart"]:
        options.append(f"--restart={said['restart']}")
    key = job_key(replace(request, folder="dag/container"))
    decided = (options, said["image"], said["entrypoint"], said["startup"], said["command"])
    labels = {
        "dagfs.container": key,
        "dagfs.run": request.run,
        "dagfs.attempt": str(request.attempt),
        "dagfs.definition": definition(Texts(()), values, decided),
    }
    return {
        **_common(said, request),
        "labels": labels,
        "name": said["name"] or _name(request.run, "dag", key[:6]),
        "options": options,
        "env": values,
        "argv": list(said["command"]),
        "startup": said["startup"],
        "wait_for": said["wait_for"],
        "log_pattern": said["log_pattern"],
        "ready_sec": _READY_SEC,
        "keep": said["keep"],
    }


def _check_pattern(pattern: str) -> None:
    try:
        check(pattern)
    except BadPattern as error:
        raise ValueError(f"log_pattern {pattern!r} is no regular expression: {error}") from None


def _name(*parts: str) -> str:
    """A container's name of our own: what it is for, as far as engines allow."""
    return "dagfs-" + "-".join(re.sub(r"[^A-Za-z0-9_.-]+", "-", part)[:60] for part in parts)


@hookimpl
def executors() -> Sequence[Executor]:
    return [Docker("docker"), Docker("container")]
