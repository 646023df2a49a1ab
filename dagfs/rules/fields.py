"""Says of every field of a spec what a change of it means for work that is kept."""

from __future__ import annotations

from dagfs.hooks import hookimpl
from dagfs.model.fingerprint import FieldClass

_STEP = {
    FieldClass.IDENTITY: {"name"},
    FieldClass.WIRING: {"depends", "output", "outputs", "preconditions", "router"},
    FieldClass.SEMANTIC: {
        "command",
        "script",
        "shell",
        "working_dir",
        "env",
        "executor.config",
        "call",
        "parallel",
    },
    FieldClass.OPERATIONAL: {
        "id",
        "timeout_sec",
        "retry_policy",
        "repeat_policy",
        "continue_on",
        "signal_on_stop",
        "stdout",
        "stderr",
        "executor.type",
        "log_output",
        "mail_on_error",
        "approval",
        "idempotent",
        "inputs",
        "parallel.max_concurrent",
    },
    FieldClass.COSMETIC: {"description"},
}
_DAG = {
    FieldClass.IDENTITY: {"name"},
    FieldClass.WIRING: {"preconditions"},
    FieldClass.SEMANTIC: {"params", "env", "dotenv", "shell", "working_dir", "consts", "secrets"},
    FieldClass.OPERATIONAL: {
        "type",
        "dialect",
        "params_schema",
        "timeout_sec",
        "delay_sec",
        "max_active_steps",
        "log_output",
        "max_output_size",
        "locals",
        "schedule",
        "queue",
        "priority",
        "max_active_runs",
        "retention",
        "retry_policy",
        "container",
        "ssh",
        "smtp",
        "registry_auths",
        "mail_on",
        "error_mail",
        "info_mail",
        "wait_mail",
    },
    FieldClass.COSMETIC: {"description", "tags"},
    FieldClass.HANDLER: {"handler_on"},
}


def _by_path(table: dict[FieldClass, set[str]]) -> dict[str, FieldClass]:
    return {path: kind for kind, paths in table.items() for path in paths}


_TABLES = {"step": _by_path(_STEP), "dag": _by_path(_DAG)}


@hookimpl
def classify_field(owner: str, path: str) -> FieldClass | None:
    table = _TABLES.get(owner, {})
    while path:
        if path in table:
            return table[path]
        path = path.rpartition(".")[0]
    return None
