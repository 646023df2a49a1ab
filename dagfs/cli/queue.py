"""`dagfs queue`: what waits in queues; take it out, or hold a queue."""

from __future__ import annotations

import argparse
from pathlib import Path

from dagfs.cli.command import Command, add_json
from dagfs.cli.output import visible
from dagfs.cli.pause import ledger_of
from dagfs.cli.place import root
from dagfs.engine.home import Home, read_home
from dagfs.engine.location import current_actor, now
from dagfs.engine.reading import reading_options
from dagfs.errors import DagfsError, ExitCode, NotFound, NothingToDo, UsageError
from dagfs.model.timespan import ago
from dagfs.spec.names import wrong_dag_name
from dagfs.spec.parse import Options, parse
from dagfs.spec.schedule import can_name_queue
from dagfs.store import dags
from dagfs.store.ledger import Ledger
from dagfs.store.waiting import Queue

EXAMPLES = """
examples:
  dagfs queue                            what waits, in the order it will start
  dagfs queue ls heavy
  dagfs queue rm 20261121-022842-etl-k3f9
  dagfs queue requeue 20261121-022842-etl-k3f9    have what was set aside wait again
  dagfs queue pause heavy                start nothing from that queue
  dagfs queue resume heavy

A DAG without a queue of its own waits in one of the DAG's name.
exit codes: 0 done, 4 no such entry, 7 the queue was not paused
"""
_ACTIONS = ("ls", "rm", "requeue", "pause", "resume")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", default="ls", choices=_ACTIONS, help="what to do [ls]")
    parser.add_argument("names", nargs="*", metavar="NAME", help="with rm and requeue run ids, else queues")
    add_json(parser, "with ls print JSON")


def run(command: Command) -> int:
    home, options = read_home(root(command)), command.options
    queue = Queue(home.disk, home.paths.scheduler)
    if options.action == "ls":
        return _list(command, home, queue)
    if not options.names:
        raise UsageError(f"dagfs queue {options.action} needs a name", hint="`dagfs queue` lists them")
    for name in options.names:
        if options.action == "rm":
            _remove(queue, name)
        elif options.action == "requeue":
            queue.requeue(name)
        elif options.action == "resume":
            _resume(ledger_of(home), name)
        else:
            _pause(command, home, queue, name)
    return ExitCode.DONE


def _remove(queue: Queue, run_id: str) -> None:
    if not queue.has(run_id):
        raise NotFound(f"no run {run_id} waits in a queue", hint="`dagfs queue` lists what does")
    queue.remove(run_id)


def _resume(ledger: Ledger, name: str) -> None:
    if not ledger.resume(f"queue:{name}"):
        raise NothingToDo(f"the queue {name} is not paused")


def _pause(command: Command, home: Home, queue: Queue, name: str) -> None:
    if not can_name_queue(name) and wrong_dag_name(name):
        raise UsageError(f"{name!r} cannot name a queue", hint="use letters, digits, _ . and -")
    ledger_of(home).pause(f"queue:{name}", str(current_actor()), "")
    if not _is_used(home, queue, name):
        told = f"{name} is paused, but nothing waits in a queue of that name, and no DAG has it"
        command.output.say(told, style="yellow")


def _is_used(home: Home, queue: Queue, name: str) -> bool:
    """Whether somebody ever spoke of it: a run that waits, dagfs.yaml, or a DAG."""
    if name in dict(home.settings.queues) or any(entry.place == name for entry in queue.entries()):
        return True
    options = reading_options(home)
    return any(name == _place(path, options) for path in dags.names(home.paths))


def _place(path: Path, options: Options) -> str:
    """The queue that a DAG's runs wait in; a broken file goes by its own name."""
    try:
        dag = parse(dags.read(path), str(path), options=options).dag
    except DagfsError:
        return path.stem
    return (dag.queue or dag.name) if dag else path.stem


def _list(command: Command, home: Home, queue: Queue) -> int:
    wanted = command.options.names
    if command.options.json:
        command.output.json(queue.as_data(wanted))
        return ExitCode.DONE
    entries = [entry for entry in queue.entries() if entry.is_in(wanted)]
    aside = [each for each in queue.put_aside() if each[2] is None or each[2].is_in(wanted)]
    paused = Ledger(home.disk, home.paths.scheduler, now).paused()
    rows = []
    for entry in entries:
        name = entry.place
        held = "paused" if f"queue:{name}" in paused or entry.dag in paused else ""
        rows.append([entry.id, visible(name), str(entry.priority), ago(entry.created, now()), held])
    for run_id, why, _ in aside:
        rows.append([run_id, "set aside", "", "", visible(why)])
    if rows:
        command.output.table([["run", "queue", "priority", "since", ""], *rows], head=True)
    else:
        where = f" in {', '.join(wanted)}" if wanted else ""
        command.output.say(visible(f"nothing waits{where}"))
    return ExitCode.DONE
