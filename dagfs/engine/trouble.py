"""Tells notifiers of what no run can tell of: a file that turned bad, a start that came to nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dagfs.engine.bootstrap import Engine
from dagfs.engine.confidential import unlocked
from dagfs.engine.environment import StepEnvironment, inherited
from dagfs.engine.herald import MAIL
from dagfs.engine.messenger import Messenger
from dagfs.engine.reading import reading_options
from dagfs.engine.request import expand_config
from dagfs.engine.valuation import Values, evaluate, source_of
from dagfs.errors import DagfsError
from dagfs.hooks.notifier import TROUBLE, News
from dagfs.model.dag import Dag
from dagfs.model.run import Run
from dagfs.model.state import RunState
from dagfs.model.value import frozen
from dagfs.spec.parse import parse
from dagfs.spec.values import Scope

_ANY = b"steps: [{name: any, run: 'true'}]"
"""A spec that says nothing, so that base.yaml says it all."""


@frozen
class Trouble:
    """Something that went wrong where no run could say so."""

    kind: str
    """As `News.kind`."""
    subject: str
    reason: str
    time: str = ""
    run: str = ""
    """The run that it is about, where there is one."""
    file: str = ""
    """The path of the DAG's file."""
    text: bytes = b""
    """The last good version of that file; empty where none is known."""


def encode_trouble(trouble: Trouble) -> bytes:
    """A trouble as text, for another process."""
    said = asdict(trouble)
    return json.dumps({**said, "text": trouble.text.decode("utf-8", "surrogateescape")}).encode()


def decode_trouble(data: bytes) -> Trouble:
    """What `encode_trouble` wrote; ValueError or TypeError for anything else."""
    said = json.loads(data)
    return Trouble(**{**said, "text": said["text"].encode("utf-8", "surrogateescape")})


def tell_trouble(engine: Engine, trouble: Trouble) -> list[str]:
    """Have every notifier tell of it; what went wrong with that, in lines."""
    complaints: list[str] = []
    values, news = _news(engine, trouble)
    folder = Path(news.folder)
    messenger = Messenger(
        engine.plugins, engine.home.disk, engine.home.settings.plugin_limit_sec, complaints.append
    )
    try:
        messenger.tell(news)
        messenger.wait()
    finally:
        if folder.exists():
            engine.home.disk.remove_tree(folder)
    return [values.redactor.text(each) for each in complaints]


def _news(engine: Engine, trouble: Trouble) -> tuple[Values, News]:
    """What there is to say, and the values that must not come out with it."""
    run, dag, values = _of_run(engine, trouble.run) if trouble.run else _of_file(engine, trouble)
    machine = {**inherited(os.environ), "DAGFS_HOME": str(engine.home.paths.root)}
    env = {**machine, **values.env, **values.secrets}
    store = engine.home.store
    return values, News(
        what=TROUBLE,
        kind=trouble.kind,
        subject=trouble.subject,
        run=run.header if run else None,
        dag=dag,
        attempt=run.last.n if run else 0,
        state=str(RunState.INTERRUPTED) if run else "",
        reason=trouble.reason,
        time=trouble.time,
        steps=dict(run.last.steps) if run else {},
        env={**env, "DAGFS_RUN_ID": trouble.run} if run else env,
        cwd=str(store.paths(trouble.run).root if run else engine.home.paths.root),
        folder=str(engine.home.paths.scheduler.news(str(os.getpid()))),
        dag_settings=_settings(dag or _parsed(engine, _ANY, ""), values),
    )


def _of_run(engine: Engine, run_id: str) -> tuple[Run | None, Dag | None, Values]:
    """A run, its DAG and what that comes to now; nothing of a run that cannot be read."""
    try:
        run = engine.home.store.load(run_id)
        dag = engine.home.store.dag(run_id, run.last.n)
    except DagfsError:
        return None, None, Values({}, {})
    header = run.last.header
    return run, dag, _values(engine, dag, run_id, header.dag_dir, header.shell, header.params)


def _of_file(engine: Engine, trouble: Trouble) -> tuple[Run | None, Dag | None, Values]:
    dag = _parsed(engine, trouble.text, trouble.file) if trouble.text else None
    if dag is None:
        return None, None, Values({}, {})
    return None, dag, _values(engine, dag, "", str(Path(trouble.file).parent))


def _parsed(engine: Engine, text: bytes, file: str) -> Dag | None:
    options = reading_options(engine.home, executors=engine.plugins.executors)
    return parse(text, file or "any.yaml", options=options).dag


def _values(
    engine: Engine,
    dag: Dag,
    run_id: str,
    folder: str,
    shell: tuple[str, ...] = (),
    pinned: Mapping[str, str] | None = None,
) -> Values:
    """What the DAG's variables come to; nothing where that cannot be found out: no reason for silence."""
    try:
        source = source_of(engine, dag, run_id, folder, shell)
        return unlocked(engine, dag, folder, evaluate(dag, source, os.environ, (), pinned))
    except DagfsError:
        return Values({}, {})


def _settings(dag: Dag | None, values: Values) -> Any:
    """What is said of mails, references replaced."""
    env = {**inherited(os.environ), **values.env, **values.secrets}
    said = {name: getattr(dag, name) for name in MAIL} if dag else {}
    known = StepEnvironment(env, Scope({**env, **values.params}))
    return expand_config({name: value for name, value in said.items() if value}, known)
