"""The only module that spells paths: where everything in a home and in a run lies."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from dagfs.model.value import frozen

STAGE = ".stage-"
"""What the name of a folder begins with while it is being built."""
SPEC_NAME = re.compile(r"spec\.v([1-9][0-9]*)\.yaml")
_RUN_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_NAMING_ID = r"\d{8}-\d{6}-(?P<made>.+)-[0-9a-f]{4}|(?P<due>.+)-\d{8}t\d{4}(?:\d\d)?z-[0-9a-f]{6}"
_ATTEMPT = re.compile(r"[1-9][0-9]{0,8}")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_LONGEST_FOLDER = 200


def valid_run_id(text: str) -> bool:
    """Whether `text` can name a run: lower case, at most 64 characters, no path."""
    return _RUN_ID.fullmatch(text) is not None


def valid_address(text: str) -> bool:
    """Whether `text` is a run id, or `ROOT/CHILD` made of two."""
    parts = text.split("/")
    return len(parts) <= 2 and all(valid_run_id(part) for part in parts)


def new_run_id(now: datetime, dag: str, token: str) -> str:
    """An id that sorts by time: `20261121-022842-nightly-import-k3f9`, in UTC."""
    stamp = now.astimezone(UTC).strftime("%Y%m%d-%H%M%S")
    tail = f"-{_id_text(token)}"
    middle = _id_text(dag)[: 64 - len(stamp) - 1 - len(tail)]
    return f"{stamp}-{middle}{tail}"


def _id_text(text: str) -> str:
    return re.sub(r"-{2,}", "-", re.sub(r"[^a-z0-9._-]", "-", text.lower())).strip("-") or "x"


def named_by(run_id: str) -> str:
    """How `name_in_ids` of its DAG begins, as an id that dagfs made itself says; "" where it says nothing."""
    match = re.fullmatch(_NAMING_ID, run_id)
    named = (match["made"] or match["due"]).strip("-._") if match else ""
    # What a name without any letter of ASCII becomes.
    return "" if named == "dag" else named


def name_in_ids(dag: str) -> str:
    """A DAG's name as ids have it, where it is not cut."""
    return _id_text(dag).strip("-._")


def child_id(parent: str, step: str, identity: str, label: str = "") -> str:
    """The id of a child: `load-eu-west-1-3f9c01ab`, the same whenever the same parent's step means it.

    `parent` is empty for a step of the run at the root; `label` is for people.
    """
    digest = hashlib.sha256(json.dumps([parent, step, identity]).encode()).hexdigest()[:8]
    words = [_id_text(text)[:length].strip("-.") for text, length in ((step, 30), (label, 20)) if text]
    return "-".join((*words, digest)).lstrip("._-")


def step_folder(name: str) -> str:
    """The folder name of a step: unsafe bytes percent-encoded, a long rest cut and told apart by a hash.

    >>> step_folder("load data/2")
    'load%20data%2F2'
    """
    text = _UNSAFE.sub(lambda match: "".join(f"%{byte:02X}" for byte in _bytes(match[0])), name)
    if text.startswith("."):
        text = "%2E" + text[1:]
    if len(text) > _LONGEST_FOLDER:
        text = f"{text[: _LONGEST_FOLDER - 17]}~{hashlib.sha256(_bytes(name)).hexdigest()[:16]}"
    return text


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


@frozen
class StepPaths:
    """What one step, or one handler, of one attempt leaves behind."""

    root: Path

    @cached_property
    def stdout(self) -> Path:
        return self.root / "stdout.log"

    @cached_property
    def stderr(self) -> Path:
        return self.root / "stderr.log"

    @property
    def outputs(self) -> Path:
        return self.root / "outputs.json"

    def marked_outputs(self, sha256: str) -> Path:
        """Outputs given with a marking; what the step itself put out stays beside them."""
        return self.root / f"outputs.marked-{sha256[:12]}.json"

    @cached_property
    def artifacts(self) -> Path:
        return self.root / "artifacts"

    @property
    def manifest(self) -> Path:
        return self.root / "manifest.json"

    def record(self, try_: int) -> Path:
        """The shim's own record of one try."""
        return self.root / f"record.{try_}"

    def cleanup(self, try_: int) -> Path:
        """The command that ends what one try left in another place."""
        return self.root / f"cleanup.{try_}"

    def at_end(self, try_: int) -> Path:
        """The command that ends what one try shared with other steps, once they are over."""
        return self.root / f"at_end.{try_}"

    def output_file(self, try_: int) -> Path:
        """What `$DAGFS_OUTPUT` names in one try."""
        return self.root / f"output.{try_}"


@frozen
class AttemptPaths:
    """One attempt's folder."""

    root: Path

    @property
    def attempt_json(self) -> Path:
        return self.root / "attempt.json"

    @property
    def resolved(self) -> Path:
        return self.root / "resolved.json"

    @property
    def journal(self) -> Path:
        return self.root / "journal.jsonl"

    @property
    def status(self) -> Path:
        return self.root / "status.json"

    @property
    def consumed(self) -> Path:
        """The edit that became this attempt."""
        return self.root / "spec.next.consumed.yaml"

    @property
    def superseded(self) -> Path:
        """An edit saved at the very instant another one was taken up, and then overtaken by a third."""
        return self.root / "spec.next.superseded.yaml"

    @property
    def outputs(self) -> Path:
        """The outputs of the whole run, written at the attempt's end."""
        return self.root / "outputs.json"

    @cached_property
    def steps(self) -> Path:
        return self.root / "steps"

    @property
    def handlers(self) -> Path:
        return self.root / "handlers"

    def step(self, name: str) -> StepPaths:
        return StepPaths(self.steps / step_folder(name))

    def handler(self, event: str) -> StepPaths:
        return StepPaths(self.handlers / step_folder(event))


@frozen
class RunPaths:
    """One run's folder."""

    root: Path
    family: Path | None = None
    """For a child the folder of the run at the root, whose lock is the lock of both."""

    @property
    def run_json(self) -> Path:
        return self.root / "run.json"

    @property
    def lock(self) -> Path:
        return (self.family or self.root) / ".lock"

    @property
    def owner(self) -> Path:
        return (self.family or self.root) / "owner.json"

    @property
    def status(self) -> Path:
        """A link to the newest attempt's status.json."""
        return self.root / "status.json"

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def children(self) -> Path:
        return self.root / "children"

    def child(self, name: str) -> RunPaths:
        """A child's folder; children of children lie beside them, at the root."""
        root = self.family or self.root
        return RunPaths(RunPaths(root).children / name, root)

    @property
    def attempts(self) -> Path:
        return self.root / "attempts"

    @property
    def next_spec(self) -> Path:
        return self.root / "spec.next.yaml"

    @property
    def base(self) -> Path:
        """The home's base.yaml as it was when the run began; children read that of their root."""
        return (self.family or self.root) / "base.yaml"

    def spec(self, version: int) -> Path:
        return self.root / f"spec.v{version}.yaml"

    def attempt(self, n: int) -> AttemptPaths:
        return AttemptPaths(self.attempts / str(n))

    def attempt_numbers(self) -> list[int]:
        """The attempts there are, oldest first; other names are ignored."""
        return sorted(int(name) for name in _names(self.attempts) if _ATTEMPT.fullmatch(name))

    def spec_versions(self) -> list[int]:
        """The numbers of the captured specs, ascending."""
        found = (SPEC_NAME.fullmatch(name) for name in _names(self.root))
        return sorted(int(match[1]) for match in found if match)


@frozen
class SchedulerPaths:
    """The state of the schedulers of one store."""

    root: Path

    @property
    def status(self) -> Path:
        """What the scheduler did last, and when: its sign of life."""
        return self.root / "status.json"

    @property
    def log(self) -> Path:
        return self.root / "log.jsonl"

    @property
    def old_log(self) -> Path:
        return self.root / "log.1.jsonl"

    @property
    def watermarks(self) -> Path:
        return self.root / "watermarks"

    @property
    def paused(self) -> Path:
        return self.root / "paused"

    @property
    def seen(self) -> Path:
        """Files that watching DAGs have had."""
        return self.root / "seen"

    @property
    def queue(self) -> Path:
        return self.root / "queue"

    @property
    def aside(self) -> Path:
        """Queued runs that could not be started."""
        return self.root / "aside"

    def watermark(self, key: str) -> Path:
        return self.watermarks / f"{step_folder(key)}.json"

    def pause(self, name: str) -> Path:
        """The pause of a DAG, or of a queue."""
        return self.paused / f"{step_folder(name)}.json"

    def files_seen(self, key: str) -> Path:
        return self.seen / f"{step_folder(key)}.json"

    @property
    def told(self) -> Path:
        """What notifiers were told of, each by the hour."""
        return self.root / "told"

    def told_of(self, hour: str, key: str) -> Path:
        return self.told / f"{hour}-{hashlib.sha256(_bytes(key)).hexdigest()[:24]}.json"

    def news(self, name: str) -> Path:
        """Where the files of notifiers are while one is told something."""
        return self.told / f".{name}"

    def waiting(self, run_id: str) -> WaitingPaths:
        return WaitingPaths(self.queue / run_id)

    def set_aside(self, run_id: str) -> WaitingPaths:
        return WaitingPaths(self.aside / run_id)

    def is_set_aside(self, run_id: str) -> bool:
        """Whether a run of this id was set aside."""
        return valid_run_id(run_id) and self.set_aside(run_id).root.is_dir()

    def is_waiting(self, run_id: str) -> bool:
        """Whether a run of this id waits in a queue."""
        return valid_run_id(run_id) and self.waiting(run_id).root.is_dir()

    def stage(self, token: str) -> WaitingPaths:
        """Where a queued run is built before it appears."""
        return WaitingPaths(self.queue / f"{STAGE}{token}")

    def folders(self) -> tuple[Path, ...]:
        """Every folder, the outer first."""
        return (self.root, self.watermarks, self.paused, self.seen, self.told, self.queue, self.aside)


@frozen
class WaitingPaths:
    """One run that waits in a queue."""

    root: Path

    @property
    def request(self) -> Path:
        return self.root / "request.json"

    @property
    def spec(self) -> Path:
        return self.root / "spec.yaml"

    @property
    def reason(self) -> Path:
        """Why it was set aside."""
        return self.root / "reason.json"


@frozen
class WebPaths:
    """What the web page of a store keeps."""

    root: Path

    @property
    def tokens(self) -> Path:
        """The secrets that open it, for the user alone."""
        return self.root / "tokens.json"

    @property
    def address(self) -> Path:
        """Where a server listens, and which process that is."""
        return self.root / "address.json"


@frozen
class HomePaths:
    """A home: DAG files, plugins and the store."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "dagfs.yaml"

    @property
    def base(self) -> Path:
        """What every DAG has that does not say otherwise."""
        return self.root / "base.yaml"

    @property
    def profiles(self) -> Path:
        """Where steps run in place of what their specs say, a file each."""
        return self.root / "profiles"

    @property
    def dags(self) -> Path:
        return self.root / "dags"

    @property
    def plugins(self) -> Path:
        return self.root / "plugins"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def marker(self) -> Path:
        """Says that this is the store, and which one: an empty mount point has none."""
        return self.runs / ".dagfs-store"

    @property
    def scheduler(self) -> SchedulerPaths:
        """What schedulers of this store know; it lies with the runs, for it is lost and found with them."""
        return SchedulerPaths(self.runs / ".scheduler")

    @property
    def web(self) -> WebPaths:
        return WebPaths(self.runs / ".web")

    @property
    def trash(self) -> Path:
        """Where runs go that are being removed."""
        return self.runs / ".trash"

    def run(self, run_id: str) -> RunPaths:
        """The folder of a run; `ROOT/CHILD` is a child of the run ROOT."""
        root, _, child = run_id.partition("/")
        paths = RunPaths(self.runs / root)
        return paths.child(child) if child else paths

    def run_json(self, run_id: str) -> str:
        """The same as `run(run_id).run_json`, as a text: for going through ten thousand of them."""
        return f"{self.root}/runs/{run_id}/run.json"

    def stage(self, token: str) -> RunPaths:
        """Where a run is built before it appears: beside its final place."""
        return RunPaths(self.runs / f"{STAGE}{token}")


def stages(folder: Path) -> Iterator[Path]:
    """The unfinished folders in `folder`."""
    return (folder / name for name in _names(folder) if name.startswith(STAGE))


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
