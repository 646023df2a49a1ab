"""The nested parts of a step: conditions, continue_on, retry and repeat policies, signals, executor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dagfs.model.dag import Condition, ContinueOn, Executor, RepeatPolicy, RetryPolicy
from dagfs.spec import config, keys
from dagfs.spec.node import Entry, Mapping, Node, Scalar, Sequence, kind
from dagfs.spec.reader import Fields, Reader

SHELL_NAMES = ("", "command", "shell")
"""What both dialects call the executor that runs a command on this machine."""
_EXECUTOR_ALIASES = {"container": "docker", **dict.fromkeys(SHELL_NAMES, "shell")}
SUB_DAG_TYPES = ("dag", "subworkflow", "parallel")


def conditions(reader: Reader, entry: Entry) -> tuple[Condition, ...]:
    """One condition or a list of them; each a command, or a map."""
    items = entry.value.items if isinstance(entry.value, Sequence) else (entry.value,)
    found = (_condition(reader, item, entry.key) for item in items)
    return tuple(each for each in found if each is not None)


def _condition(reader: Reader, node: Node, key: str) -> Condition | None:
    if isinstance(node, Scalar):
        return Condition(node.text) if node.value is not None else None
    if isinstance(node, Sequence):
        reader.error(node.mark, f"each of {key} must be a text or a map, not {kind(node)}")
        return None
    fields = reader.fields(node, keys.PRECONDITION, key)
    condition, text = (
        reader.string(fields[name].value, name) if name in fields else "" for name in ("condition", "eval")
    )
    if not condition and not text and not fields.refused:
        reader.error(node.mark, f"each of {key} needs a condition")
    if condition and text:
        reader.error(fields["eval"].mark, f"each of {key} has a condition or eval, not both")
    return Condition(condition, _expected(reader, fields), _flag(reader, fields, "negate"), text)


def _expected(reader: Reader, fields: Fields) -> str | None:
    return reader.string(fields["expected"].value, "expected") if "expected" in fields else None


def _flag(reader: Reader, fields: Fields, name: str) -> bool:
    return name in fields and reader.boolean(fields[name].value, fields[name].key)


def _codes(reader: Reader, fields: Fields) -> tuple[int, ...]:
    return (
        reader.integers(fields["exit_code"].value, fields["exit_code"].key) if "exit_code" in fields else ()
    )


def _seconds(reader: Reader, fields: Fields, name: str) -> float:
    return reader.seconds(fields[name].value, fields[name].key) if name in fields else 0


def continue_on(reader: Reader, entry: Entry) -> ContinueOn:
    """`failed`, `skipped`, or a map."""
    node = entry.value
    if isinstance(node, Scalar):
        if node.value is not None and node.text.lower() not in ("failed", "failure", "skipped"):
            wrong = f"{entry.key} must be 'failed', 'skipped' or a map, not {kind(node)}"
            reader.error(node.mark, wrong, reader.suggestion(node.text, ("failed", "skipped")))
        word = node.text.lower()
        return ContinueOn(failure=word in ("failed", "failure"), skipped=word == "skipped")
    if isinstance(node, Sequence):
        reader.error(node.mark, f"{entry.key} must be 'failed', 'skipped' or a map, not a list")
        return ContinueOn()
    fields = reader.fields(node, keys.CONTINUE_ON, entry.key)
    return ContinueOn(
        failure=_flag(reader, fields, "failure"),
        skipped=_flag(reader, fields, "skipped"),
        exit_code=_codes(reader, fields),
        output=reader.strings(fields["output"].value, "output") if "output" in fields else (),
        mark_success=_flag(reader, fields, "mark_success"),
    )


def retry_policy(reader: Reader, entry: Entry) -> RetryPolicy:
    """A map with `limit`, and in Dagu 1 `intervalSec`."""
    node = reader.mapping(entry.value, entry.key)
    if node is None:
        return RetryPolicy()
    fields = reader.fields(node, keys.RETRY_POLICY, entry.key)
    needed = ("limit", "interval_sec") if reader.dialect.name == "dagu1" else ("limit",)
    for name in needed:
        if name not in fields:
            spelled = keys.camel(name) if reader.dialect.name == "dagu1" else name
            reader.error(entry.mark, f"{entry.key} needs {spelled}")
    return RetryPolicy(
        limit=reader.count(fields["limit"].value, "limit") if "limit" in fields else 0,
        interval_sec=_seconds(reader, fields, "interval_sec"),
        exit_code=_codes(reader, fields),
        backoff=_backoff(reader, fields),
        max_interval_sec=_seconds(reader, fields, "max_interval_sec"),
    )


def _backoff(reader: Reader, fields: Fields) -> float:
    """`true` is 2, `false` is 1, a number must be above 1."""
    if "backoff" not in fields:
        return 1
    node = fields["backoff"].value
    value = node.value if isinstance(node, Scalar) else ""
    if value is True:
        return 2
    if value is False or value is None:
        return 1
    if isinstance(value, int | float) and value > 1:
        return value
    reader.error(node.mark, f"backoff must be true, false or a number above 1, not {kind(node)}")
    return 1


def repeat_policy(reader: Reader, entry: Entry) -> RepeatPolicy:
    """A map; the mode follows from what it holds where `repeat` does not say it."""
    node = reader.mapping(entry.value, entry.key)
    if node is None:
        return RepeatPolicy()
    fields = reader.fields(node, keys.REPEAT_POLICY, entry.key)
    return RepeatPolicy(
        mode=_mode(reader, fields, entry),
        interval_sec=_seconds(reader, fields, "interval_sec"),
        limit=reader.count(fields["limit"].value, "limit") if "limit" in fields else 0,
        condition=reader.string(fields["condition"].value, "condition") if "condition" in fields else "",
        expected=_expected(reader, fields),
        exit_code=_codes(reader, fields),
        backoff=_backoff(reader, fields),
        max_interval_sec=_seconds(reader, fields, "max_interval_sec"),
    )


def _mode(reader: Reader, fields: Fields, entry: Entry) -> str:
    node = fields["repeat"].value if "repeat" in fields else None
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, str):
        value = value.lower()
    if node is None or (isinstance(node, Scalar) and value is None):
        if "condition" in fields and "expected" in fields:
            return "until"
        return "while" if "condition" in fields or "exit_code" in fields else ""
    if isinstance(value, bool):
        return "while" if value else ""
    if value not in ("while", "until"):
        reader.error(node.mark, f"repeat must be true, false, 'while' or 'until', not {kind(node)}")
        return ""
    if value == "until" and "condition" not in fields and "exit_code" not in fields:
        spelled = "exitCode" if reader.dialect.name == "dagu1" else "exit_code"
        reader.error(entry.mark, f"{entry.key} 'until' needs a condition or {spelled}")
    return value


def executor(reader: Reader, fields: Fields) -> Executor:
    """From `executor`, or from `type` with `config` (in later versions `with`)."""
    if "executor" not in fields:
        return _executor(reader, fields.get("type"), fields.get("config"))
    entry = fields["executor"]
    for other in ("type", "config"):
        if other in fields:
            say = f"'{fields[other].key}' says the same as '{entry.key}' in line {entry.line}"
            reader.error(fields[other].mark, say, "keep one of the two")
    if isinstance(entry.value, Scalar):
        return _executor(reader, entry, None)
    if isinstance(entry.value, Sequence):
        reader.error(entry.value.mark, f"{entry.key} must be a name or a map, not a list")
        return Executor()
    inner = reader.fields(entry.value, keys.EXECUTOR, entry.key)
    return _executor(reader, inner.get("type"), inner.get("config"))


def _executor(reader: Reader, named: Entry | None, settings: Entry | None) -> Executor:
    said = reader.string(named.value, named.key).strip() if named else ""
    kind_ = _EXECUTOR_ALIASES.get(said, said)
    return Executor(kind_, config.settings(reader, settings, kind_) if settings else {})


def config_node(fields: Fields) -> Mapping | None:
    """The map that holds the executor's settings, wherever it stands."""
    here = fields.get("config")
    if "executor" in fields and isinstance(fields["executor"].value, Mapping):
        inner = fields["executor"].value
        node = inner.get("config") or inner.get("with")
        return node if isinstance(node, Mapping) else None
    return here.value if here and isinstance(here.value, Mapping) else None


# -- what a step and `defaults:` both have -------------------------------------------------------

_SIGNALS = (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP "
    "TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
)
SIGNALS = frozenset(f"SIG{name}" for name in _SIGNALS.split())


def signal(reader: Reader, entry: Entry) -> str:
    """The name of a signal, in capitals."""
    name = reader.string(entry.value, entry.key).strip().upper()
    if name and name not in SIGNALS:
        reader.error(entry.mark, f"there is no signal '{name}'", reader.suggestion(name, SIGNALS))
    return name


COMMON: dict[str, Callable[[Reader, Entry], Any]] = {
    "continue_on": continue_on,
    "retry_policy": retry_policy,
    "repeat_policy": repeat_policy,
    "preconditions": conditions,
    "timeout_sec": lambda reader, entry: reader.seconds(entry.value, entry.key),
    "signal_on_stop": signal,
    "mail_on_error": lambda reader, entry: reader.boolean(entry.value, entry.key),
}
