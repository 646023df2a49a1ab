"""Work that is on record but gone from the disk, and the steps whose text refers to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dagfs.model.dag import Step
from dagfs.model.edit import Edit
from dagfs.model.reference import references
from dagfs.planning.usage import texts

Needs = Mapping[str, Mapping[str, str]]
"""For each step, those whose work it uses although it is gone from the disk, with what is gone."""


def lost_needs(edit: Edit) -> Needs:
    """Who refers to work that is on record, but no longer on the disk."""
    lost: dict[tuple[str, str], str] = {}
    for name, evidence in edit.evidence.items():
        if evidence.outputs == "missing":
            lost[name, "outputs"] = "its outputs.json is gone"
        if evidence.artifacts_missing:
            lost[name, "artifacts"] = f"its artifact {evidence.artifacts_missing[0]} is gone"
    needs: dict[str, dict[str, str]] = {}
    if lost:
        producers = producers_of(edit)
        for step in edit.new.steps:
            for producer, kind in used_work(step, edit, producers):
                if (producer, kind) in lost:
                    needs.setdefault(step.name, {}).setdefault(producer, lost[producer, kind])
    return needs


def producers_of(edit: Edit) -> dict[str, list[str]]:
    """Output names to the steps that declare them, or have put them out."""
    found: dict[str, list[str]] = {}
    for step in edit.new.steps:
        declared = {step.output.name} if step.output.name else set()
        for name in declared | edit.work(step.name).outputs.keys():
            found.setdefault(name, []).append(step.name)
    return found


def used_work(step: Step, edit: Edit, producers: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
    """The steps that a step's text refers to, each with what of it: `outputs`, `artifacts`, `stdout`, …"""
    names = edit.new.names
    for name in edit.uses.get(step.name, ()):
        for producer in producers.get(name, ()):
            if producer != step.name:
                yield producer, "outputs"
    for text in texts(step):
        for reference in references(text):
            name, path = reference.name, reference.path
            if name == "steps":
                name, _, path = path.partition(".")
            if path and name in names:
                yield names[name], path.split(".")[0]
