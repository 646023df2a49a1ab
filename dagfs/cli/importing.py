"""`dagfs import`: bring in a run from elsewhere, or a home of Dagu, with its DAGs and its history."""

from __future__ import annotations

import argparse
from collections import Counter
from datetime import datetime
from pathlib import Path

from dagfs.cli.arriving import take_in
from dagfs.cli.command import Command, add_json, shown
from dagfs.cli.opened import opened
from dagfs.cli.output import next_commands, visible
from dagfs.cli.pause import ledger_of
from dagfs.engine.immigration import SAME, Arrival, Survey, as_data, bring_in, survey, totals
from dagfs.engine.location import current_actor, now
from dagfs.errors import ExitCode, UsageError
from dagfs.model.timespan import ago, duration
from dagfs.store.dagu import DaguHome, PastRun, dagu_home

EXAMPLES = """
examples:
  dagfs import run.tar.gz                       a run that `dagfs export` wrote; - is standard input
  dagfs import run.tar.gz --as copy-of-it       under another id
  dagfs import dagu ~/.config/dagu --dry-run    say of each file what would become of it
  dagfs import dagu ~/dagu                      copy DAGs, what lies beside them, base.yaml and suspensions
  dagfs import dagu ~/dagu --link               have dags/ be a link, so that both programs see one folder
  dagfs import dagu ~/dagu --history            list the runs that Dagu has on record

A run that is here already is replaced only by its own continuation; where both sides went on, --as ID makes
a run of its own. Of Dagu's home nothing is changed, and nothing that is here is written over (docs/dagu.md).

exit codes: 0 all of it, 3 some files could not be read or their place is taken,
            5 a run went on here and elsewhere, 7 there is nothing new in it, 74 the archive is damaged
"""
_SIGNS = {"read": ("✓", "green"), "warned": ("!", "yellow"), "refused": ("✗", "red"), "taken": ("✗", "red")}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="FILE|dagu", help="an archive of a run, or the word dagu")
    parser.add_argument("dir", nargs="?", metavar="DIR", help="Dagu's home, or its folder of DAGs")
    parser.add_argument("--as", dest="id", default="", metavar="ID", help="the run's id here")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--copy", action="store_true", help="copy the files [the default]")
    how.add_argument("--link", action="store_true", help="make dags/ a link to Dagu's folder of DAGs")
    how.add_argument("--history", action="store_true", help="only list past runs, newest first")
    parser.add_argument("--dry-run", action="store_true", help="only say what would become of each file")
    parser.add_argument("--dialect", choices=("auto", "dagu1", "dagu2"), help="how to read the files")
    parser.add_argument(
        "--limit", type=int, default=20, metavar="N", help="at most N past runs, 0 for all [20]"
    )
    add_json(parser)


def run(command: Command) -> int:
    options = command.options
    if options.kind != "dagu":
        if options.dir is not None:
            raise UsageError("expected the archive of one run, or dagu and a folder")
        return take_in(command, options.kind, options.id)
    if options.dir is None:
        raise UsageError("the folder of Dagu is missing", hint="dagfs import dagu ~/.config/dagu")
    home = dagu_home(Path(options.dir).expanduser())
    if options.history:
        return _history(command, home)
    engine = opened(command)
    if engine.home.paths.dags.resolve() == home.dags.resolve() and not options.link:
        raise UsageError(f"{shown(home.dags)} is this home's own folder of DAGs")
    found = survey(engine, home, options.dialect or "", linked=options.link)
    if not options.dry_run:
        bring_in(engine, found, ledger_of(engine.home), str(current_actor()), linked=options.link)
    if options.json:
        command.output.json(as_data(found))
    else:
        _report(command, found)
    return ExitCode.DONE if found.is_clean else ExitCode.SPEC_INVALID


def _report(command: Command, found: Survey) -> None:
    output, told = command.output, found.base.problems if found.base else ()
    for arrival in ((found.base,) if found.base else ()) + found.dags:
        sign, style = _SIGNS[arrival.word]
        output.line(f"{output.styled(sign, style)} {visible(shown(arrival.source))}  {_about(arrival)}")
        output.problems([*arrival.problems, *arrival.remarks])
    for arrival in found.others:
        if arrival.word != "read":
            output.line(
                f"{output.styled(*_SIGNS[arrival.word])} {visible(shown(arrival.source))}  {_about(arrival)}"
            )
    counts = Counter(totals([*found.dags, *((found.base,) if found.base else ())]))
    words = [f"{count} {word}" for word, count in counts.items() if count]
    output.line(", ".join(words) + (f", {len(found.others)} other files" if found.others else ""))
    if found.certain_dialect and not command.options.dialect:
        hint = f"hint: some files fit both dialects; say dialect: {found.certain_dialect} in dagfs.yaml"
        output.say(f"{hint} if all of them were written for that Dagu")
    if command.options.dry_run:
        output.line("nothing was written (--dry-run)")
    elif not told:
        next_commands(output, {"dagfs ls": "the DAGs that are here now", "dagfs next": "when they start"})


def _about(arrival: Arrival) -> str:
    if arrival.word == "taken":
        return f"not brought in: {shown(arrival.target)} is there already, with another text"
    if arrival.word == "refused":
        return "not brought in"
    words = [f"{arrival.dag}, read as {arrival.dialect}"] if arrival.dag else []
    words += [f"schedule {', '.join(arrival.schedule)}"] if arrival.schedule else []
    words += ["suspended: paused here"] if arrival.is_suspended else []
    words += ["here already"] if arrival.fate == SAME else []
    return visible(", ".join(words))


# --- history ----------------------------------------------------------------------------------------


def _history(command: Command, home: DaguHome) -> int:
    options, output = command.options, command.output
    found = home.past_runs()
    found = found[: options.limit] if options.limit > 0 else found
    if options.json:
        output.json([_as_data(each) for each in found])
    elif not found:
        output.say("Dagu has no runs on record there")
    else:
        moment = now()
        output.table([_row(each, moment) for each in found])
    return ExitCode.DONE


def _row(each: PastRun, moment: datetime) -> list[str]:
    took = duration(each.started or None, each.finished or None)
    names = (visible(text) for text in (each.dag, each.run, each.state))
    return [*names, ago(each.started or None, moment), took, visible(each.params)[:60]]


def _as_data(each: PastRun) -> dict[str, str]:
    return {
        "dag": each.dag,
        "run": each.run,
        "state": each.state,
        "started": each.started,
        "finished": each.finished,
        "params": each.params,
        "record": each.path,
    }
