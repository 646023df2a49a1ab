"""What the disk says about finished work: is it still what its step left?"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagfs.engine.capture import read_manifest
from dagfs.engine.inputs import changed
from dagfs.engine.made import made
from dagfs.errors import StoreError
from dagfs.model.edit import Evidence
from dagfs.model.run import Run, StepRun
from dagfs.model.value import replace
from dagfs.store.files import file_sha256
from dagfs.store.layout import RunPaths, StepPaths


def gather(paths: RunPaths, run: Run, *, cutoff: bool = False) -> dict[str, Evidence]:
    """Evidence for every finished step of the newest attempt.

    With a `cutoff` also for the work of deferred ones, and with digests of what each has made.
    """
    works = {name: (step.prior if cutoff else None) or step for name, step in run.last.steps.items()}
    finished = {name: step for name, step in works.items() if step.state.is_success and not step.unrecorded}
    manifests = {name: read_manifest(_work_of(paths, step)) for name, step in finished.items()}
    written = _last_written(finished, manifests)
    found = {name: _of_step(paths, step, manifests[name], written) for name, step in finished.items()}
    if cutoff:
        found = {
            name: replace(each, made=made(finished[name], manifests[name])) for name, each in found.items()
        }
    return found


def _work_of(paths: RunPaths, step: StepRun) -> StepPaths:
    return paths.attempt(step.attempt).step(step.name)


def _last_written(
    finished: Mapping[str, StepRun], manifests: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """Each file of the work folder to the step that wrote it last."""
    found: dict[str, str] = {}
    for name in sorted(finished, key=lambda name: finished[name].finished or ""):
        found.update(dict.fromkeys(manifests[name].get("work", ()), name))
    return found


def _of_step(
    paths: RunPaths, step: StepRun, manifest: Mapping[str, Any], written: Mapping[str, str]
) -> Evidence:
    missing, altered = [], []
    folder = paths.attempt(step.log_attempt or step.attempt).step(step.name).artifacts
    for name, known in manifest.get("artifacts", {}).items():
        try:
            if not _is_as_known(folder / name, known):
                altered.append(name)
        except OSError:
            missing.append(name)
    return Evidence(
        outputs=_outputs(paths, step),
        artifacts_missing=tuple(missing),
        artifacts_altered=tuple(altered),
        inputs_changed=changed(manifest["inputs"]) if "inputs" in manifest else (),
        work_changed=tuple(
            name
            for name, known in manifest.get("work", {}).items()
            if written.get(name) == step.name and _differs(paths, name, known)
        ),
    )


def _is_as_known(path: Path, known: Mapping[str, Any]) -> bool:
    """Whether an artifact is what its manifest says. OSError where there is no such file."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise FileNotFoundError(path)
    if found.st_size != known["size"]:
        return False
    if "sha256" not in known:
        return bool(found.st_mtime_ns == known["mtime_ns"])
    try:
        return bool(file_sha256(path) == known["sha256"])
    except StoreError:
        # What cannot be read now is not what its step left.
        return False


def _outputs(paths: RunPaths, step: StepRun) -> str:
    if not step.outputs_sha256:
        return "ok"
    place = _work_of(paths, step).outputs
    if step.outputs_attempt:
        place = paths.attempt(step.outputs_attempt).step(step.name).marked_outputs(step.outputs_sha256)
    try:
        data = place.read_bytes()
    except FileNotFoundError:
        return "missing"
    return "ok" if hashlib.sha256(data).hexdigest() == step.outputs_sha256 else "altered"


def _differs(paths: RunPaths, name: str, known: Mapping[str, int]) -> bool:
    try:
        found = os.stat(paths.work / name, follow_symlinks=False)
    except OSError:
        return True
    return (found.st_size, found.st_mtime_ns) != (known["size"], known["mtime_ns"])
