"""The tables of keys: how Dagu 1.x (camelCase) and 2.x (snake_case) spell what dagfs calls a field.

Each place in a spec has one `Keys` table. A key's use is one of

    used      it becomes a field of the model
    unused    it exists in Dagu and changes nothing about what runs here: a warning
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

from dagfs.model.value import field, frozen


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


@frozen
class Keys:
    """The keys of one place. Names are in snake_case, separated by spaces."""

    used: str
    unused: str = ""
    only1: str = ""
    """Those that Dagu 2.x has no more; read there as well."""
    only2: str = ""
    """Those that Dagu 1.x does not know; refused there."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Other names of used fields."""
    aliases1: Mapping[str, str] = field(default_factory=dict)
    """Keys that stand for another field in Dagu 1.x than in 2.x."""

    @cached_property
    def every(self) -> Mapping[str, Key]:
        """Every key by its snake_case spelling."""
        uses = {name: use for use in ("used", "unused") for name in getattr(self, use).split()}
        uses |= dict.fromkeys(self.aliases, "used")
        return {name: Key(self.aliases.get(name, name), use, name) for name, use in uses.items()}

    @cached_property
    def _dagu1(self) -> Mapping[str, Key]:
        missing = self.only2.split()
        return {
            camel(name).lower(): Key(self.aliases1.get(name, key.field), key.use, camel(name))
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
    "handler_on timeout_sec delay_sec max_active_steps steps container ssh secrets consts defaults actions "
    "step_types log_output max_output_size mail_on error_mail info_mail wait_mail smtp registry_auths "
    "schedule timezone skip_if_successful catchup catchup_window overlap jitter start_date end_date watch "
    "suspend restart_wait_sec queue priority max_active_runs hist_retention_days hist_retention_runs "
    "retry_policy",
    aliases={"labels": "tags", "precondition": "preconditions", "overlap_policy": "overlap"},
    unused="group max_clean_up_time_sec log_dir otel worker_selector run_config llm artifacts resources "
    "webhook kubernetes redis s3 harness harnesses tasks tools",
    only1="precondition wait_mail",
    only2="labels shell_args catchup_window overlap_policy hist_retention_runs retry_policy artifacts "
    "resources webhook kubernetes redis s3 harness harnesses tasks tools consts defaults actions step_types",
)
STEP = Keys(
    used="name id description command run script exec shell shell_args working_dir env depends output "
    "outputs stdout stderr continue_on retry_policy repeat_policy preconditions timeout_sec signal_on_stop "
    "executor type config action container call params parallel foreach value routes approval log_output "
    "mail_on_error idempotent inputs",
    aliases={"precondition": "preconditions", "dir": "working_dir", "with": "config"},
    unused="worker_selector dependencies output_schema llm messages tools agent shell_packages",
    only1="executor precondition dir",
    only2="with shell_args dependencies output_schema routes value tools approval foreach outputs "
    "exec action agent",
    aliases1={"run": "call"},
)
SCHEDULE = Keys(used="start stop restart")
TIMETABLE = Keys(used="kind expression at timezone", aliases={"cron": "expression"}, unused="profile")
HANDLER_ON = Keys(used="init success failure abort exit wait", aliases={"cancel": "abort"}, only1="cancel")
PRECONDITION = Keys(used="condition eval expected negate", aliases={"command": "condition"}, only2="eval")
CONTINUE_ON = Keys(used="failure skipped exit_code output mark_success", aliases={"failed": "failure"})
RETRY_POLICY = Keys(used="limit interval_sec exit_code backoff max_interval_sec")
REPEAT_POLICY = Keys(used="repeat interval_sec limit condition expected exit_code backoff max_interval_sec")
OUTPUT = Keys(used="name key omit", unused="schema")
OUTPUT_FIELD = Keys(used="value from path decode select type")
OUTPUTS = Keys(used="name type path")
EXECUTOR = Keys(used="type config", aliases={"with": "config"})
EXEC = Keys(used="command args")
PARALLEL = Keys(used="items max_concurrent")
FOREACH = Keys(used="items as key max_concurrent steps collect")
INPUTS = Keys(used="files strict")
APPROVAL = Keys(used="prompt input required rewind_to")
SECRET = Keys(used="name provider key options", unused="ref")
MAIL_ON = Keys(used="failure success wait")
MAIL = Keys(used="from to prefix attach_logs")
DEFAULTS = Keys(
    used="retry_policy continue_on repeat_policy timeout_sec mail_on_error signal_on_stop env preconditions"
)
ACTION = Keys(used="template input_schema type", unused="description output_schema")
PARAM = Keys(
    used="name default description type required enum minimum maximum min_length max_length pattern eval",
)

NESTED = {
    "handler_on": HANDLER_ON,
    "preconditions": PRECONDITION,
    "continue_on": CONTINUE_ON,
    "retry_policy": RETRY_POLICY,
    "repeat_policy": REPEAT_POLICY,
    "output": OUTPUT,
    "parallel": PARALLEL,
    "error_mail": MAIL,
    "info_mail": MAIL,
    "wait_mail": MAIL,
}
"""The tables below a field whose own keys tell the dialects apart."""
