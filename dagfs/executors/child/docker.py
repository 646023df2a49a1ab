"""The docker step's own process: makes the container or finds it again, and ends as the container ended."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from dagfs.executors.child import image
from dagfs.executors.child.containers import Away, Container, Containers, Failed, Log, say
from dagfs.executors.child.remote import Follower, Job, Patience, Refused, Unreachable, end
from dagfs.executors.child.shared import SharedContainer
from dagfs.executors.child.task import fail, take, told

TROUBLE = 125
"""Exit code: the container could not be made, or nobody answers for it. The same as docker's own."""
_KEPT = "-kept"
_LARGEST_OUTPUT = (1 << 20) + 1
_OWN = frozenset((
    "HOME", "PATH", "TMPDIR", "TZ", "LANG", "SHELL", "USER", "TERM", "SSH_AUTH_SOCK", "SSH_ASKPASS",
    "http_proxy", "https_proxy", "no_proxy", "all_proxy",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
    "GODEBUG", "GOGC", "GOMAXPROCS", "GOMEMLIMIT", "GOTRACEBACK", "GOCOVERDIR",
))  # fmt: skip
_OWN_PREFIXES = ("DOCKER_", "CONTAINER_", "CONTAINERS_", "REGISTRY_", "LD_", "XDG_", "BUILDAH_")
"""Variables that would steer the command line itself if the container's value stood in its environment."""


class Step:
    """One step's container from its making to its end."""

    def __init__(self, task: Mapping[str, Any], containers: Containers) -> None:
        self._task, self._containers = task, containers
        self._container: Container | None = None
        self._asked = threading.Event()
        self._signal = "TERM"
        self._pulls = False

    def listen(self) -> None:
        """From now on pass on signals that ask to stop; all else goes on until the container has ended."""
        for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"):
            signal.signal(signal.Signals[name], self._heard)
        threading.Thread(target=self._pass_on, daemon=True).start()

    def _heard(self, number: int, _frame: object) -> None:
        self._signal = signal.Signals(number).name.removeprefix("SIG")
        self._asked.set()
        if self._pulls:
            # There is no container yet to wait for, but the logins of a registry to put away.
            raise Failed("stopped before it began")

    def _pass_on(self) -> None:
        self._asked.wait()
        while True:
            container = self._container
            if container is not None:
                with suppress(Failed):
                    self._containers.call("kill", "--signal", self._signal, container.id)
                    return
            time.sleep(0.2)

    def run(self) -> int:
        """The container's exit code. Raises Failed."""
        container = self._taken_up() or self._made()
        self._container = container
        if not container.is_over and container.state != "running" and not self._start(container):
            return self._settle(container.id)
        log = Log(self._containers, container.id)
        while True:
            log.follow()
            found = self._containers.look(container.id)
            if found is None:
                raise Failed(f"container {container.name} was removed by somebody before it ended")
            if found.is_over:
                log.follow()
                return self._settle(container.id)
            time.sleep(0.2)

    def _taken_up(self) -> Container | None:
        """What an earlier try left, if it was made from the same definition; anything else is ended."""
        label = {"dagfs.job": self._task["labels"]["dagfs.job"]}
        mine: Container | None = None
        for each in self._containers.found(label):
            if each.name.endswith(_KEPT):
                continue
            same = each.labels.get("dagfs.definition") == self._task["labels"]["dagfs.definition"]
            if same and mine is None:
                mine = each
            else:
                say(f"ends container {_described(each)}: the step has changed since")
                self._containers.remove(each.id)
        if mine is not None:
            say(f"goes on with container {_described(mine)} ({mine.state})")
        return mine

    def _made(self) -> Container:
        task = self._task
        self._provide()
        words, files = image.command(self._containers, task)
        labels = [f"--label={name}={value}" for name, value in task["labels"].items()]
        values, env, fds = _values(task["values"])
        try:
            self._check_asked()
            name = f"--name={task['name']}"
            self._containers.call(
                "create", name, *labels, *values, *task["options"], *words, env=env, fds=fds
            )
        except Away:
            # It may have been made all the same.
            if self._taken_up() is None:
                raise
        except Failed as error:
            if "already in use" not in str(error):
                raise
            raise Failed(
                f"the container name {task['name']} is taken by one that is not of this step"
            ) from None
        finally:
            for fd in fds:
                os.close(fd)
        found = self._containers.look(task["name"])
        if found is None:
            raise Failed(f"container {task['name']} was removed by somebody before it began")
        for path, text in files.items():
            self._containers.put(found.id, path, text)
        return found

    def _provide(self) -> None:
        self._pulls = True
        try:
            self._check_asked()
            image.provide(self._containers, self._task)
        finally:
            self._pulls = False

    def _check_asked(self) -> None:
        if self._asked.is_set():
            raise Failed("stopped before it began")

    def _start(self, container: Container) -> bool:
        """Whether it began. What cannot begin leaves its exit code in the container."""
        try:
            self._check_asked()
            self._containers.patiently("start", container.id)
        except Away:
            raise
        except Failed as error:
            say(str(error))
            found = self._containers.look(container.id)
            if found is None or not found.exit_code:
                self._containers.remove(container.id)
                raise Failed("the container could not be started") from None
            return False
        return True

    def _settle(self, id_: str) -> int:
        """Keep what the container left, put it away, and give its exit code."""
        task = self._task
        found = self._containers.look(id_)
        if found is None:
            raise Failed("the container was removed by somebody before its end was learnt")
        if task["output"]:
            data = self._containers.take(id_, task["output_there"], _LARGEST_OUTPUT)
            if data:
                with open(task["output"], "wb") as file:
                    file.write(data)
        if task["keep"]:
            kept = f"{found.name}-{task['labels']['dagfs.job'][:8]}-{task['labels']['dagfs.attempt']}{_KEPT}"
            self._containers.patiently("rename", id_, kept)
        else:
            self._containers.remove(id_)
        return found.exit_code


def _described(container: Container) -> str:
    return f"{container.name} of attempt {container.labels.get('dagfs.attempt')}"


def _values(values: Mapping[str, str]) -> tuple[list[str], dict[str, str], list[int]]:
    """Options that pass the values, the client's variables for that, and descriptors to hand to it.

    By name, so that no value is an argument; through a file in memory where the client would heed it itself.
    """
    heeded = {name: value for name, value in values.items() if name in _OWN or name.startswith(_OWN_PREFIXES)}
    env = {name: value for name, value in values.items() if name not in heeded}
    words = [f"--env={name}" for name in env]
    if not heeded:
        return words, env, []
    for name, value in heeded.items():
        if "\n" in value or "\r" in value:
            raise Failed(f"the value of {name} has several lines, which a container cannot be given")
    fd = os.memfd_create("values", os.MFD_CLOEXEC)
    os.write(
        fd, "".join(f"{name}={value}\n" for name, value in heeded.items()).encode("utf-8", "surrogateescape")
    )
    return [*words, f"--env-file=/proc/self/fd/{fd}"], env, [fd]


class Inside:
    """A running container as a place for jobs."""

    def __init__(self, containers: Containers, name: str, options: Sequence[str]) -> None:
        self.name = f"container {name}"
        self._words = containers.words("exec", "--interactive", *options, name, "/bin/sh", "-s")

    def shell(self) -> Sequence[str]:
        return self._words

    def refusal(self, said: str) -> str:
        marks = (
            "No such container",
            "no such container",
            "is not running",
            "executable file not found",
            "is paused",
        )
        return said if any(mark in said for mark in marks) else ""


def _leave(number: int, _frame: object) -> None:
    """End by an exception, so that what is open is put away."""
    sys.exit(128 + number)


def main(words: Sequence[str]) -> None:
    task = take()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _leave)
    try:
        if words[:1] == ["end"]:
            _end(json.loads(words[1]))
            return
        containers = Containers(task["binary"], task["host"])
        code = _inside(task, containers) if task["exec"] or task["shared"] else _own(task, containers)
    except (Failed, Refused, Unreachable, OSError) as error:
        fail(f"docker: {told(error)}", TROUBLE)
    sys.exit(code)


def _own(task: Mapping[str, Any], containers: Containers) -> int:
    step = Step(task, containers)
    step.listen()
    return step.run()


def _inside(task: Mapping[str, Any], containers: Containers) -> int:
    name = task["exec"]
    if task["shared"]:
        name = SharedContainer(containers, task["shared"]).ready()
    place = Inside(containers, name, task["exec_options"])
    follower = Follower(place, Job(**task["job"]), Patience(), task["output"])
    follower.listen()
    return follower.run()


def _end(what: Mapping[str, Any]) -> None:
    """End and remove all containers with a label, or a job within one."""
    containers = Containers(what["binary"], what["host"])
    if what.get("exec"):
        with suppress(Refused):
            end(Inside(containers, what["exec"], what["exec_options"]), what["job"], "", Patience())
        return
    for each in containers.found({what["label"]: what["job"]}):
        if not each.name.endswith(_KEPT):
            containers.remove(each.id)


if __name__ == "__main__":
    main(sys.argv[1:])
