"""What a step has made, as one digest: so that a step behind it can tell whether it made the same again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from dagfs.engine.capture import read_manifest
from dagfs.errors import DagfsError
from dagfs.model.run import StepRun
from dagfs.store.layout import RunPaths


def made(step: StepRun, manifest: Mapping[str, Any]) -> str:
    """A digest of its outputs and artifacts; empty where that would not tell all that it has done.

    That is so for a step that left files in the run's work folder, which may have changed since, or nothing
    at all, and for artifacts that were too large to be read.
    """
    artifacts = manifest.get("artifacts", {})
    digests = {name: each.get("sha256") for name, each in artifacts.items()}
    is_whole = not manifest.get("work") and not manifest.get("truncated") and None not in digests.values()
    if not step.state.is_success or not is_whole or not (digests or step.outputs_sha256):
        return ""
    content = [step.outputs_sha256, step.exit_code, step.chosen, digests]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def made_by(paths: RunPaths, step: StepRun) -> str:
    """The same of a step that has just ended."""
    try:
        return made(step, read_manifest(paths.attempt(step.attempt).step(step.name)))
    except (DagfsError, OSError):
        return ""
