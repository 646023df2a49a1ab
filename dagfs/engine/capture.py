"""What a step leaves behind: its outputs, its artifacts, and the files it wrote in the run's work folder."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from dagfs.engine.masking import Redactor
from dagfs.errors import DagfsError, StoreError
from dagfs.model.dag import Dag, OutputField, Step
from dagfs.model.run import StepRun
from dagfs.model.state import StepState
from dagfs.model.value import field, frozen, replace
from dagfs.planning.outcome import Ending, by_itself
from dagfs.store.codec import decode_document, encode_document
from dagfs.store.files import Disk, file_sha256
from dagfs.store.layout import AttemptPaths, StepPaths
from dagfs.store.logs import follow

LARGEST_OUTPUT = 1 << 20
MOST_HASHED = 256 << 20
"""The most bytes of one step's artifacts that are read for their digests."""
_MOST_LOOKED_AT = 5_000
"""The most files and folders of `work/`, and of a step's artifacts, that are looked at when a step ends."""
_CLOCK_GRAIN_NS = 10_000_000
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class OutputRefused(DagfsError):
    """What a step put out cannot be kept; the step fails with this message."""


@frozen
class Leavings:
    """Where one try left what may become outputs, and how it is read."""

    paths: StepPaths
    output_file: Path
    offsets: tuple[int, int] = (0, 0)
    """Where the try's own part of both logs begins."""
    cwd: str = ""
    limit: int = LARGEST_OUTPUT
    """The most bytes of one output, and of the file."""
    is_complete: bool = True
    """The step did well, so everything that it declares must be there."""
    expand: Callable[[str], str] | None = None
    """Puts values into a text of the spec; None where they are gone."""
    has_secrets: bool = False
    """There were secrets that nobody knows any more, so that files of the step's own are not read."""
    redactor: Redactor = field(default_factory=lambda: Redactor(()))

    def stream(self, name: str) -> str:
        """What went to `stdout` or `stderr`. OutputRefused where that is too much."""
        path, offset = (
            (self.paths.stdout, self.offsets[0]) if name == "stdout" else (self.paths.stderr, self.offsets[1])
        )
        return self.read(path, offset, f"its {name}")

    def read(self, path: Path, offset: int, what: str) -> str:
        """A file's text, as far as it may be written down. OutputRefused where it is too large."""
        data = follow(path, offset, limit=self.limit + 1)
        if len(data) > self.limit:
            raise OutputRefused(
                f"{what} is larger than {self.limit} bytes",
                hint="write it to a file in $DAGFS_ARTIFACTS_DIR and refer to that",
            )
        return self.redactor.text(data.decode("utf-8", "replace"))

    def said(self, text: str) -> str:
        """A text of the spec with its values."""
        if self.expand:
            return self.expand(text)
        if "$" in text or "`" in text:
            raise OutputRefused(f"{text!r} cannot be worked out any more after its engine died")
        return text


def leavings(dag: Dag, paths: StepPaths, state: StepRun) -> Leavings:
    """What a step left whose engine died."""
    return Leavings(
        paths,
        paths.output_file(state.tries),
        state.offsets,
        limit=dag.max_output_size,
        has_secrets=bool(dag.secrets),
    )


def put_out(
    step: Step, ending: Ending, left: Leavings, given: Mapping[str, str] | None = None
) -> tuple[Ending, dict[str, str]]:
    """What one try that ended so put out, `given` included; where that cannot be kept, it failed for that.

    What the step declares must be there only if it did well by itself, whatever `continue_on` makes of it.
    """
    state = by_itself(step, ending).state
    if not (state.is_success or state is StepState.FAILED):
        return ending, {}
    try:
        found = collect_outputs(step, replace(left, is_complete=state.is_success))
    except (OutputRefused, StoreError) as refused:
        return replace(ending, error=refused.message), {}
    return ending, {**(given or {}), **found}


def collect_outputs(step: Step, left: Leavings) -> dict[str, str]:
    """The step's outputs by name: captured standard output, the file it wrote, and what it declares."""
    found: dict[str, str] = {}
    if step.output.name:
        said = left.read(left.paths.stdout, left.offsets[0], f"output {step.output.name}")
        found[step.output.name] = said.strip()
    found |= _from_file(left)
    return found | declared_outputs(step, found, left)


def _from_file(left: Leavings) -> dict[str, str]:
    """What the step wrote to $DAGFS_OUTPUT."""
    if not left.output_file.exists():
        return {}
    return parse_output_file(left.read(left.output_file, 0, "$DAGFS_OUTPUT"))


def declared_outputs(step: Step, found: Mapping[str, str], left: Leavings) -> dict[str, str]:
    """What `outputs:` names. OutputRefused for one that is not there, or not what it is to be."""
    values: dict[str, str] = {}
    for each in step.outputs:
        try:
            values[each.name] = left.redactor.text(_declared(each, found, left))
        except (OutputRefused, OSError, ValueError, RecursionError) as error:
            if left.is_complete:
                said = error.message if isinstance(error, OutputRefused) else " ".join(str(error).split())
                raise OutputRefused(f"output {each.name}: {said}") from error
    return values


def _declared(wanted: OutputField, found: Mapping[str, str], left: Leavings) -> str:
    if wanted.value or wanted.source == "value":
        text = left.said(wanted.value)
    elif wanted.source in ("stdout", "stderr"):
        text = left.stream(wanted.source).strip()
    elif wanted.source == "file" or wanted.path:
        path = Path(left.cwd, left.said(wanted.path))
        if left.has_secrets or not path.is_absolute():
            raise OutputRefused(f"{path} is not read any more after its engine died")
        if not path.is_file():
            raise OutputRefused(f"there is no file {path}")
        text = left.read(path, 0, f"the file {path}").strip()
    elif wanted.name in found:
        text = found[wanted.name]
    else:
        raise OutputRefused("the step has not written it to $DAGFS_OUTPUT")
    if wanted.decode in ("", "text") and not wanted.select and wanted.type != "json":
        return text
    # By name: it reads YAML, and commands that only look at runs are to be quick.
    picked: str = import_module("dagfs.engine.decoding").picked(wanted, text)
    return picked


def parse_output_file(text: str) -> dict[str, str]:
    """`name=value` lines, and `name<<END` … `END` for values of several lines."""
    found: dict[str, str] = {}
    # Not splitlines(): a value may hold any other character that ends lines somewhere.
    lines = iter(enumerate(text.removesuffix("\n").split("\n"), 1))
    for number, line in lines:
        if not line.strip():
            continue
        name, mark, rest = _split(line)
        if not mark or not _NAME.fullmatch(name):
            raise OutputRefused(
                f"$DAGFS_OUTPUT, line {number}: expected NAME=VALUE or NAME<<END, not {line[:60]!r}"
            )
        if mark == "=":
            found[name] = rest
            continue
        body = []
        for _, inner in lines:
            if inner == rest:
                break
            body.append(inner)
        else:
            raise OutputRefused(
                f"$DAGFS_OUTPUT, line {number}: {name}<<{rest} is never closed by a line {rest}"
            )
        found[name] = "\n".join(body)
    return found


def _split(line: str) -> tuple[str, str, str]:
    equals, heredoc = line.find("="), line.find("<<")
    mark = "<<" if heredoc >= 0 and (equals < 0 or heredoc < equals) else "="
    return line.partition(mark)


def write_outputs(disk: Disk, paths: StepPaths, outputs: Mapping[str, str]) -> str:
    """Write outputs.json, synced, and give its sha256; `""` and no file where there are no outputs."""
    if not outputs:
        return ""
    data, sha256 = encode_outputs(outputs)
    disk.replace(paths.outputs, data, durable=True)
    return sha256


def encode_outputs(outputs: Mapping[str, str]) -> tuple[bytes, str]:
    """The bytes of an outputs file, and their sha256."""
    data = encode_document({"outputs": dict(outputs)})
    return data, hashlib.sha256(data).hexdigest()


def write_run_outputs(disk: Disk, paths: AttemptPaths, outputs: Mapping[str, str]) -> None:
    """Write what the whole run gives (`planning.published`); no file where that is nothing."""
    if outputs:
        disk.replace(paths.outputs, encode_outputs(outputs)[0], durable=True)


def read_run_outputs(paths: AttemptPaths) -> Mapping[str, str]:
    """What the run gave in one attempt; empty where it gave nothing, or has not ended."""
    try:
        data = paths.outputs.read_bytes()
    except FileNotFoundError:
        return {}
    outputs: Mapping[str, str] = decode_document(data, paths.outputs)["outputs"]
    return outputs


def earliest_change(began: float) -> int:
    """The earliest time, in ns, of a file that a step changed which began at `began`, in s since 1970.

    File times are those of the last tick of the kernel's clock, so a little too early.
    """
    return int(began * 1e9) - _CLOCK_GRAIN_NS


def write_manifest(
    disk: Disk,
    paths: StepPaths,
    artifacts_dir: Path,
    work: Path,
    began_ns: int,
    *,
    strict: bool,
    inputs: Mapping[str, Any] | None = None,
) -> None:
    """Write manifest.json where the step left artifacts, or files in the run's work folder, or has inputs.

    Where there is more than is looked at, `truncated` names the folders with the rest.
    """
    made, written = _Scan(artifacts_dir), _Scan(work, began_ns)
    artifacts = _described(made)
    if strict:
        for name in artifacts:
            with suppress(FileNotFoundError, StoreError):
                disk.sync_file(str(artifacts_dir / name))
    changed = {each.name: {"size": each.size, "mtime_ns": each.mtime_ns} for each in written}
    truncated = [name for name, scan in (("artifacts", made), ("work", written)) if scan.is_truncated]
    if artifacts or changed or truncated or inputs:
        content = {"artifacts": artifacts, "work": changed} | ({"truncated": truncated} if truncated else {})
        content |= {"inputs": dict(inputs)} if inputs else {}
        disk.replace(paths.manifest, encode_document(content), durable=strict)


def announce_inputs(disk: Disk, paths: StepPaths, inputs: Mapping[str, Any]) -> None:
    """Write down what a step was started with, for one whose engine does not live to see its end."""
    disk.replace(paths.manifest, encode_document({"artifacts": {}, "work": {}, "inputs": dict(inputs)}))


def _described(made: _Scan) -> dict[str, dict[str, Any]]:
    """Each artifact with its digest, or with its time where there is too much to read, or no right to."""
    found: dict[str, dict[str, Any]] = {}
    left = MOST_HASHED
    for each in made:
        found[each.name] = {"size": each.size, "mtime_ns": each.mtime_ns}
        if each.size <= left:
            left -= each.size
            with suppress(FileNotFoundError, StoreError):
                found[each.name] = {"size": each.size, "sha256": file_sha256(made.root / each.name)}
    return found


def read_manifest(paths: StepPaths) -> Mapping[str, Any]:
    """manifest.json, or an empty one where the step left nothing."""
    try:
        data = paths.manifest.read_bytes()
    except FileNotFoundError:
        return {"artifacts": {}, "work": {}}
    return decode_document(data, paths.manifest)


@frozen
class _File:
    name: str
    """Relative to the folder that was looked through."""
    size: int
    mtime_ns: int


class _Scan:
    """Regular files below a folder that changed since a time; links are not followed.

    Bounded in what it looks at, so that a full work folder does not slow every step.
    """

    def __init__(self, root: Path, since_ns: int = 0) -> None:
        self.root = root
        self.is_truncated = False
        self._since = since_ns

    def __iter__(self) -> Iterator[_File]:
        for looked, (name, found) in enumerate(self._entries()):
            if looked == _MOST_LOOKED_AT:
                self.is_truncated = True
                return
            if stat.S_ISREG(found.st_mode) and found.st_mtime_ns >= self._since:
                yield _File(name, found.st_size, found.st_mtime_ns)

    def _entries(self) -> Iterator[tuple[str, os.stat_result]]:
        folders = [""]
        while folders:
            prefix = folders.pop()
            try:
                entries = sorted(os.scandir(self.root / prefix), key=lambda entry: entry.name)
            except OSError:
                continue
            for entry in entries:
                try:
                    found = entry.stat(follow_symlinks=False)
                except OSError:
                    # Another step removed it just now.
                    continue
                if stat.S_ISDIR(found.st_mode):
                    folders.append(f"{prefix}{entry.name}/")
                yield prefix + entry.name, found
