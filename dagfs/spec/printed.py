"""How Dagu prints a JSON value into text (the way of Go): `1.5`, `<nil>`, `[1 2 map[c:x]]`."""

from __future__ import annotations

from typing import Any

MISSING = "<nil>"


def printed(value: Any) -> str:
    """The text of a JSON value; texts stand as they are, also inside lists and maps."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    if isinstance(value, list):
        return f"[{' '.join(printed(item) for item in value)}]"
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{printed(value[key])}' for key in sorted(value))}]"
    return str(value)
