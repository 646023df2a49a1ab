"""A container's settings as specs have them, and as the options of `docker create`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from dagfs.hooks.options import ANY, FLAG, TABLE, TEXT, WORDS, Option, Options

OPTIONS = Options(
    "docker",
    Option("image", TEXT, "The image to make a container of.", ""),
    Option(
        "name",
        TEXT,
        "The container's name; without an image, the running one to go into.",
        "",
        (),
        ("container_name",),
    ),
    Option(
        "exec",
        ANY,
        "A running container to go into; or, with `container_name`, a map of user, working_dir and env.",
    ),
    Option(
        "pull",
        ANY,
        "When to pull the image: `missing`, `always` or `never`.",
        "missing",
        (),
        ("pull_policy",),
    ),
    Option("platform", TEXT, "The platform of the image, such as linux/arm64.", ""),
    Option(
        "volumes",
        WORDS,
        "What to mount, as `SOURCE:TARGET[:ro]`; a source that begins with a dot is a path from the "
        "step's folder.",
        (),
    ),
    Option("env", ANY, "More variables, beside those of the step."),
    Option("ports", WORDS, "Ports to open, as `HOST:CONTAINER`.", ()),
    Option("network", ANY, "The network: bridge, host, none, or a name."),
    Option("user", TEXT, "Who runs in it.", ""),
    Option("working_dir", TEXT, "The folder in it that commands begin in.", "", (), ("work_dir",)),
    Option("entrypoint", ANY, "In place of the image's own; `[]` for none."),
    Option("shell", WORDS, "The shell for commands in it that need one.", ()),
    Option(
        "keep_container",
        FLAG,
        "Leave it there when the step has ended, under a name that ends in `-kept`.",
        False,
    ),
    Option("auto_remove", FLAG, "`false` says the same as `keep_container: true`.", True),
    Option("privileged", FLAG, "All rights of the host.", False),
    Option("memory", TEXT, "The most memory, such as 512m.", ""),
    Option("cpus", TEXT, "How many processors at most, such as 1.5.", ""),
    Option("container", TABLE, "Dagu's map of env, user, working_dir, entrypoint, hostname.", {}),
    Option(
        "host",
        ANY,
        "Dagu's map of binds, network_mode, privileged, auto_remove; or the engine's address.",
    ),
    Option(
        "startup",
        TEXT,
        "Of a DAG's container: what runs in it.",
        "keepalive",
        ("keepalive", "entrypoint", "command"),
    ),
    Option("command", WORDS, "Of a DAG's container with `startup: command`: what runs in it.", ()),
    Option(
        "wait_for",
        TEXT,
        "Of a DAG's container: when steps may begin.",
        "running",
        ("running", "healthy"),
    ),
    Option(
        "log_pattern",
        TEXT,
        "Of a DAG's container: steps begin once its log holds a match of this pattern.",
        "",
    ),
    Option("restart_policy", TEXT, "Of a DAG's container: no, on-failure, always or unless-stopped.", ""),
    Option(
        "healthcheck",
        TABLE,
        "How its health is looked at: test, interval, timeout, retries, start_period.",
        {},
    ),
    Option(
        "registry_auths",
        ANY,
        "Logins of registries: a map from registry to username and password.",
        None,
    ),
    Option("engine", TEXT, "The address of the engine, in place of $DOCKER_HOST.", ""),
    Option("binary", TEXT, "The command line to use; otherwise the first of docker, podman, nerdctl.", ""),
)
CONTAINER = ("env", "user", "working_dir", "entrypoint", "hostname")
_HOST = ("binds", "network_mode", "privileged", "auto_remove", "memory")
_EXEC = ("user", "working_dir", "env")
_HEALTH = ("test", "interval", "timeout", "retries", "start_period")
_INSIDE = {"container": CONTAINER, "host": _HOST, "exec": _EXEC, "healthcheck": _HEALTH}
_PULL = {"true": "always", "false": "never", "always": "always", "missing": "missing", "never": "never"}


def settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting in one spelling. Raises ValueError with what is wrong."""
    read = OPTIONS.read(config)
    inner, host = _inner(read["container"], CONTAINER), {}
    if isinstance(read["host"], Mapping):
        host = _inner(read["host"], _HOST)
    goes = read["exec"] if isinstance(read["exec"], str) else ""
    details = _inner(read["exec"], _EXEC) if isinstance(read["exec"], Mapping) else {}
    into = goes or ("" if read["image"] else read["name"])
    for what in ("image", "name"):
        if read[what].startswith("-"):
            raise ValueError(f"{what} {read[what]!r} cannot be one")
    if into.startswith("-"):
        raise ValueError(f"exec {into!r} cannot be a container")
    return {
        **read,
        "into": into,
        "pull": _pull(read["pull"]),
        "user": details.get("user") or read["user"] or inner.get("user", ""),
        "working_dir": details.get("working_dir") or read["working_dir"] or inner.get("working_dir", ""),
        "env": {**named(inner.get("env")), **named(read["env"])},
        "exec_env": {**named(read["env"]), **named(details.get("env"))},
        "volumes": [*read["volumes"], *host.get("binds", ())],
        "network": _network(read["network"]) or host.get("network_mode", ""),
        "privileged": read["privileged"] or bool(host.get("privileged")),
        "memory": read["memory"] or str(host.get("memory", "")),
        "hostname": inner.get("hostname", ""),
        "entrypoint": read["entrypoint"] if read["entrypoint"] is not None else inner.get("entrypoint"),
        "keep": read["keep_container"] or not read["auto_remove"] or host.get("auto_remove") is False,
        "engine": read["engine"] or (read["host"] if isinstance(read["host"], str) else ""),
        "restart": read["restart_policy"],
    }


def _inner(said: Mapping[str, Any], known: Sequence[str]) -> dict[str, Any]:
    """A map of Dagu's that is spelled as docker's interface has it: `NetworkMode`, `networkMode`."""
    folded = {name.replace("_", ""): name for name in known}
    named = ((folded.get(key.replace("_", "").lower()), value) for key, value in said.items())
    return {name: value for name, value in named if name}


def unknown_inside(config: Mapping[str, Any]) -> list[str]:
    """What maps within the settings hold that has no meaning here, each as one line."""
    found = []
    for key, value in config.items():
        known = _INSIDE.get(key.replace("_", "").lower())
        if known and isinstance(value, Mapping):
            unknown = (inner for inner in value if not _inner({inner: ""}, known))
            found += [f"{key} has no setting {inner!r}; it knows {', '.join(known)}" for inner in unknown]
    return found


def _pull(said: Any) -> str:
    word = str(said).lower()
    if word not in _PULL:
        raise ValueError(f"pull must be missing, always or never, not {said!r}")
    return _PULL[word]


def _network(said: Any) -> str:
    if isinstance(said, Mapping):
        names = list(
            said.get("EndpointsConfig") or said.get("endpointsConfig") or said.get("endpoints_config") or ()
        )
        if len(names) != 1:
            raise ValueError("network must be a name")
        return str(names[0])
    return str(said or "")


def named(env: Any) -> dict[str, str]:
    """Variables from a map, a list of `NAME=value`, or a list of maps. Raises ValueError."""
    if not env:
        return {}
    if isinstance(env, Mapping):
        return {str(name): _text(value) for name, value in env.items()}
    if not isinstance(env, str | list | tuple):
        raise ValueError(f"env must be a map or a list, not {env!r}")
    found: dict[str, str] = {}
    for each in [env] if isinstance(env, str) else env:
        if isinstance(each, Mapping):
            found.update(named(each))
            continue
        name, equals, value = str(each).partition("=")
        # A bare name asks for this machine's own value.
        found[name] = value if equals else os.environ.get(name, "")
    return found


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else "" if value is None else str(value)


def entrypoint(said: Mapping[str, Any]) -> list[str] | None:
    """Words in place of the image's entrypoint; None for the image's own."""
    value = said["entrypoint"]
    if value is None:
        return None
    return shlex.split(value) if isinstance(value, str) else [str(word) for word in value]


def create_words(said: Mapping[str, Any], cwd: str) -> list[str]:
    """Options of `create`; nothing here is a value of the step."""
    single = {
        "platform": said["platform"],
        "network": said["network"],
        "user": said["user"],
        "workdir": said["working_dir"],
        "memory": said["memory"],
        "cpus": said["cpus"],
        "hostname": said["hostname"],
    }
    words = [f"--{name}={value}" for name, value in single.items() if value]
    words += [f"--volume={_volume(each, cwd)}" for each in said["volumes"]]
    words += [f"--publish={each}" for each in said["ports"]]
    words += ["--privileged"] if said["privileged"] else []
    return [*words, *_health(said["healthcheck"])]


def _volume(said: str, cwd: str) -> str:
    """A source that begins with `.` or `~` is made an absolute path."""
    source, colon, rest = said.partition(":")
    if source == "~" or source.startswith("~/"):
        source = os.path.expanduser(source)
    elif source in (".", "..") or source.startswith(("./", "../")):
        source = os.path.normpath(os.path.join(cwd, source))
    return f"{source}{colon}{rest}"


def _health(said: Mapping[str, Any]) -> list[str]:
    if not said:
        return []
    found = _inner(said, _HEALTH)
    test = found.pop("test", "")
    if not isinstance(test, str):
        words = [str(word) for word in test]
        shell = words[:1] == ["CMD-SHELL"]
        test = " ".join(words[1:]) if shell else shlex.join(words[1:] if words[:1] == ["CMD"] else words)
    options = {"cmd": test, **{name.replace("_", "-"): value for name, value in found.items()}}
    return [f"--health-{name}={value}" for name, value in options.items() if value not in ("", None)]
