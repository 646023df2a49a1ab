"""`dagfs explain cron`: an expression in words, and when it is due."""

from __future__ import annotations

import re

from dagfs.cli.command import Command
from dagfs.cli.output import visible
from dagfs.engine.location import now
from dagfs.errors import ExitCode, UsageError
from dagfs.model.cron import WORDS, in_words, parse_cron
from dagfs.scheduler.instants import due_next
from dagfs.spec.schedule import is_zone

_RULES = """\
minute  hour  day  month  weekday      five fields, each a number, a list, a range or *
  0-59  0-23  1-31  1-12   0-7         0 and 7 are Sunday; months and days have names: jan, mon
*/15    every 15th; 1-5 from 1 to 5; 1-31/2 every other day; 1,15 both
Where day and weekday both leave something out, either is enough, also of */2; some other crons want
both then. Steps start over with each hour, day and month: */7 is minute 0, 7, …, 56, and 0 again.
CRON_TZ=Europe/Berlin before it gives it a time zone of its own.
What is fixed to an hour that a change of the clocks skips runs right after the gap; what is fixed to
an hour that comes twice runs the first time. With * or */n as the hour it runs whenever the clock says so."""


def explain_cron(command: Command, expression: str) -> int:
    """The rules, or one expression. UsageError where it is none."""
    output = command.output
    if not expression.strip():
        for line in _RULES.splitlines():
            output.line(line)
        for word, fields in WORDS.items():
            output.line(f"{word:<10} {fields}")
        return ExitCode.DONE
    match = re.fullmatch(r"(?:CRON_TZ|TZ)=(\S+)\s+(.*)", expression.strip(), re.DOTALL)
    zone, text = (match[1], match[2]) if match else ("UTC", expression)
    if not is_zone(zone):
        raise UsageError(f"there is no time zone {zone!r}", hint="names are like Europe/Berlin or UTC")
    try:
        cron = parse_cron(text)
    except ValueError as error:
        raise UsageError(
            f"cron expression {text!r}: {error}", hint="`dagfs explain cron` has the rules"
        ) from None
    moments = due_next(text, zone, now(), 5)
    if command.options.json:
        instants = [moment.isoformat() for moment in moments]
        output.json({"expression": text, "words": in_words(cron), "timezone": zone, "next": instants})
        return ExitCode.DONE
    output.line(f"{visible(text)}  {in_words(cron)} ({zone})", style="bold")
    for moment in moments:
        output.line(f"  {moment:%a %Y-%m-%d %H:%M %Z}")
    return ExitCode.DONE
