"""Which names a spec may give to DAGs, steps, ids and variables."""

from __future__ import annotations

import re

LONGEST = 40
"""Characters in the name of a DAG or a step."""

_DAG = re.compile(r"[A-Za-z0-9_.-]+")
_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PARAM = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*|[1-9][0-9]*")
RESERVED_IDS = frozenset(("env", "params", "args", "stdout", "stderr", "output", "outputs"))


def is_variable_name(name: str) -> bool:
    """Whether a shell takes it as the name of a variable."""
    return _VARIABLE.fullmatch(name) is not None


def is_param_name(name: str) -> bool:
    """Like a variable, `-` allowed, or the number of a place."""
    return _PARAM.fullmatch(name) is not None


def wrong_dag_name(name: str) -> str | None:
    """What is wrong with the name of a DAG, or None."""
    if len(name) > LONGEST:
        return f"the name '{name[:LONGEST]}...' has {len(name)} characters; the most allowed is {LONGEST}"
    if not _DAG.fullmatch(name) or name in (".", ".."):
        return f"the name '{name}' may hold only letters, digits, '_', '.' and '-'"
    if name.startswith("-"):
        return f"the name '{name}' must not begin with '-', as an option does"
    return None


def wrong_step_name(name: str) -> str | None:
    """What is wrong with the name of a step, or None. Spaces and quotes are allowed.

    A word that begins with `-` is an option.
    """
    if len(name) > LONGEST:
        return f"the name '{name[:LONGEST]}...' has {len(name)} characters; the most allowed is {LONGEST}"
    if not name.isprintable() or name != name.strip():
        return f"the name {name!r} must not hold control characters, or begin or end with a space"
    if name in (".", ".."):
        return f"a step cannot be called '{name}'"
    if name.startswith("-"):
        return f"the name '{name}' must not begin with '-', as an option does"
    return None


def slash_in_name(name: str) -> str:
    """What is wrong with the name of a step that holds a `/`."""
    return f"the name '{name}' must not hold '/', which parts a run from its children"


def wrong_id(name: str) -> str | None:
    """What is wrong with the id of a step, or None."""
    if not _ID.fullmatch(name):
        return f"the id '{name}' must begin with a letter and hold only letters, digits, '_' and '-'"
    if name in RESERVED_IDS:
        return f"the id '{name}' is reserved"
    return None
