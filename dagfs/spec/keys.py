"""The tables of keys: how Dagu 1.x (camelCase) and 2.x (snake_case) spell what dagfs calls a field.

Each place in a spec has one `Keys` table. A key's use is one of

    used      it becomes a field of the model
    unused    it exists in Dagu and changes nothing about what runs: a warning
    later     it exists in Dagu and would change what runs: an error, until it is supported
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple


class Key(NamedTuple):
    """What a key in the text stands for."""

    field: str
    """Our name: snake_case, aliases resolved."""
    use: str
    spelled: str
    """The right spelling in the dialect at hand."""


def camel(name: str) -> str:
    """`max_active_steps` as Dagu 1.x spells it: `maxActiveSteps`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


@dataclass(frozen=True)
class Keys:
    """The keys of one place. Names are in snake_case, separated by spaces."""

    used: str
    unused: str = ""
    later: str = ""
    only1: str = ""
    """Those that Dagu 2.x has no more; read there as well."""
    only2: str = ""
    """Those that Dagu 1.x does not know; refused there."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Other names of used fields."""
    later1: str = ""
    """Used in Dagu 2.x, but something unsupported in 1.x."""

    @cached_property
    def every(self) -> Mapping[str, Key]:
        """Every key by its snake_case spelling."""
        uses = {name: use for use in ("used", "unused", "later") for name in getattr(self, use).split()}
        uses |= dict.fromkeys(self.aliases, "used")
        return {name: Key(self.aliases.get(name, name), use, name) for name, use in uses.items()}

    @cached_property
    def _dagu1(self) -> Mapping[str, Key]:
        later, missing = self.later1.split(), self.only2.split()
        return {
            camel(name).lower(): Key(key.field, "later" if name in later else key.use, camel(name))
            for name, key in self.every.items()
            if name not in missing
        }

    @cached_property
    def _dagu2(self) -> Mapping[str, Key]:
        return {camel(name): key for name, key in self.every.items()} | dict(self.every)

    def of(self, dialect: str) -> Mapping[str, Key]:
        """The keys a dialect may use here, by spelling; for `dagu1` folded to lower case."""
        return self._dagu1 if dialect == "dagu1" else self._dagu2

    @cached_property
    def tells(self) -> Mapping[str, str]:
        """Spellings that only one dialect has: `{spelling: dialect}`."""
        found: dict[str, str] = {}
        for name in self.every:
            if camel(name) != name:
                found[camel(name)] = "dagu1"
                found[name] = "dagu2"
        certain1 = {"executor", "precondition", "dir"} & set(self.only1.split())
        certain2 = {"action", "with", "labels", "consts", "defaults"} & set(self.only2.split())
        return {**found, **dict.fromkeys(certain1, "dagu1"), **dict.fromkeys(certain2, "dagu2")}


ROOT = Keys(
    used="name description tags type params env dotenv shell shell_args working_dir preconditions "
    "handler_on timeout_sec delay_sec max_active_steps steps",
    aliases={"labels": "tags", "precondition": "preconditions"},
    unused="group schedule skip_if_successful catchup_window overlap_policy restart_wait_sec "
    "max_clean_up_time_sec max_active_runs queue hist_retention_days hist_retention_runs log_dir "
    "log_output max_output_size mail_on error_mail info_mail wait_mail smtp otel worker_selector "
    "registry_auths run_config llm retry_policy artifacts resources webhook kubernetes redis s3 "
    "harness harnesses tasks tools",
    later="container ssh secrets consts defaults actions step_types",
    only1="precondition wait_mail",
    only2="labels shell_args catchup_window overlap_policy hist_retention_runs retry_policy artifacts "
    "resources webhook kubernetes redis s3 harness harnesses tasks tools consts defaults actions step_types",
)
STEP = Keys(
    used="name id description command run script shell shell_args working_dir env depends output stdout "
    "stderr continue_on retry_policy repeat_policy preconditions timeout_sec signal_on_stop executor "
    "type config",
    aliases={"precondition": "preconditions", "dir": "working_dir", "with": "config"},
    unused="params mail_on_error log_output worker_selector inputs dependencies output_schema",
    later="call parallel container llm messages routes value tools approval foreach outputs exec action "
    "agent shell_packages",
    only1="executor precondition dir",
    only2="with shell_args inputs dependencies output_schema routes value tools approval foreach outputs "
    "exec action agent",
    later1="run",
)
HANDLER_ON = Keys(used="init success failure abort exit wait", aliases={"cancel": "abort"}, only1="cancel")
PRECONDITION = Keys(
    used="condition expected negate", aliases={"command": "condition"}, later="eval", only2="eval"
)
CONTINUE_ON = Keys(used="failure skipped exit_code output mark_success", aliases={"failed": "failure"})
RETRY_POLICY = Keys(used="limit interval_sec exit_code backoff max_interval_sec")
REPEAT_POLICY = Keys(used="repeat interval_sec limit condition expected exit_code backoff max_interval_sec")
OUTPUT = Keys(
    used="name key omit",
    unused="schema",
    later="value from path decode select",
    only2="value from path decode select",
)
EXECUTOR = Keys(used="type config", aliases={"with": "config"})
PARAM = Keys(
    used="name default",
    unused="description type required enum minimum maximum min_length max_length pattern",
    later="eval",
)

NESTED = {
    "handler_on": HANDLER_ON,
    "preconditions": PRECONDITION,
    "continue_on": CONTINUE_ON,
    "retry_policy": RETRY_POLICY,
    "repeat_policy": REPEAT_POLICY,
    "output": OUTPUT,
}
"""The tables below a field whose own keys tell the dialects apart."""
