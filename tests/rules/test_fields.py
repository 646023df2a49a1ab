"""Every field of a spec has a class, and every rule that is used is declared."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

import dagfs.rules
from dagfs.model.dag import Dag, Step
from dagfs.model.fingerprint import FieldClass
from dagfs.rules.fields import classify_field
from tests.planning.scenes import PLUGINS


@pytest.mark.parametrize(("owner", "kind"), [("step", Step), ("dag", Dag)])
def test_every_field_has_a_class(owner: str, kind: type) -> None:
    parts = {"marks": None, "steps": None, "executor": "executor.type"}
    for field in fields(kind):
        path = parts.get(field.name, field.name)
        if path is not None:
            assert isinstance(classify_field(owner, path), FieldClass), path


@pytest.mark.parametrize(
    ("owner", "path", "kind"),
    [
        ("step", "timeout_sec", FieldClass.OPERATIONAL),
        ("step", "env.X", FieldClass.SEMANTIC),
        ("step", "env.X#2", FieldClass.SEMANTIC),
        ("step", "executor.config.image.tag", FieldClass.SEMANTIC),
        ("step", "executor.type", FieldClass.OPERATIONAL),
        ("dag", "params.X", FieldClass.SEMANTIC),
        ("dag", "handler_on.exit", FieldClass.HANDLER),
        ("step", "not_yet_known", None),
        ("nobody", "name", None),
    ],
)
def test_a_part_has_the_class_of_its_field(owner: str, path: str, kind: FieldClass | None) -> None:
    assert classify_field(owner, path) is kind


def test_rules_have_ids_summaries_and_examples() -> None:
    for name, rule in PLUGINS.rules.items():
        assert re.fullmatch(r"[a-z]+\.[a-z]+", name)
        assert rule.summary.endswith(".")
        assert rule.accepted
        assert rule.refused or "warning" in rule.accepted


def test_every_rule_that_the_code_names_is_declared() -> None:
    text = "".join(path.read_text() for path in Path(dagfs.rules.__file__).parent.glob("*.py"))
    named = set(re.findall(r'^[A-Z]+ = "([a-z]+\.[a-z]+)"$', text, re.MULTILINE))
    assert named == PLUGINS.rules.keys()
