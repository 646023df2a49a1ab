"""The container of a whole DAG: made by the first step that needs it, ready before any step goes on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from dagfs.executors.child import image
from dagfs.executors.child.containers import Away, Container, Containers, Failed, say
from dagfs.model.pattern import found_in

_ALIVE = 'trap "exit 0" TERM INT; while :; do sleep 3600 & wait $!; done'
_PAUSE_SEC = 0.1


class SharedContainer:
    """One container of a run, whoever of its steps comes first."""

    def __init__(self, containers: Containers, what: Mapping[str, Any]) -> None:
        """`what` is made by the docker executor from the DAG's `container:`."""
        self._containers, self._what = containers, what

    def ready(self) -> str:
        """Its id, once steps may go into it. Raises Failed."""
        deadline = time.monotonic() + self._what["ready_sec"]
        while True:
            found = self._found() or self._made()
            if found is not None and found.state == "running" and self._is_ready(found):
                return found.id
            if found is not None and found.is_over:
                raise Failed(
                    f"the DAG's container {found.name} ended with {found.exit_code}: see `docker logs`"
                )
            if found is not None and found.state != "running":
                self._containers.patiently("start", found.id)
            if time.monotonic() > deadline:
                raise Failed(f"the DAG's container is not ready after {self._what['ready_sec']:g} s")
            time.sleep(_PAUSE_SEC)

    def _found(self) -> Container | None:
        """The one there is, if it was made from the same definition; any other is removed."""
        labels = self._what["labels"]
        for each in self._containers.found({"dagfs.container": labels["dagfs.container"]}):
            if each.name.endswith("-kept"):
                continue
            if each.labels.get("dagfs.definition") == labels["dagfs.definition"] and not each.is_over:
                return each
            if each.is_over and self._began_here(each):
                return each
            self._containers.remove(each.id)
        return None

    def _began_here(self, container: Container) -> bool:
        """Whether it belongs to this attempt: then its end is a failure, and not a leftover."""
        return bool(container.labels.get("dagfs.attempt") == self._what["labels"]["dagfs.attempt"])

    def _made(self) -> Container | None:
        """A new one; None where another step was quicker."""
        what = self._what
        image.provide(self._containers, what)
        labels = [f"--label={name}={value}" for name, value in what["labels"].items()]
        try:
            self._containers.call(
                "create", f"--name={what['name']}", *labels, *what["options"], *self._words(), env=what["env"]
            )
        except Away:
            return None
        except Failed as error:
            found = self._containers.look(what["name"])
            if found is None:
                raise
            if found.labels.get("dagfs.container") != what["labels"]["dagfs.container"]:
                raise Failed(
                    f"the container name {what['name']} is taken by one that is not of this run"
                ) from error
            return None
        say(f"made container {what['name']} for the DAG")
        return self._containers.look(what["name"])

    def _words(self) -> list[str]:
        what = self._what
        if what["startup"] == "keepalive":
            return ["--entrypoint=/bin/sh", what["image"], "-c", _ALIVE]
        entry = what["entrypoint"]
        before = [] if entry is None else [f"--entrypoint={entry[0] if entry else ''}"]
        return [*before, what["image"], *(entry or [])[1:], *what["argv"]]

    def _is_ready(self, container: Container) -> bool:
        if self._what["wait_for"] == "healthy" and container.health != "healthy":
            return False
        pattern = self._what["log_pattern"]
        if not pattern:
            return True
        return found_in(pattern, self._containers.log(container.id))
