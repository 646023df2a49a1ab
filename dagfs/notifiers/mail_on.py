"""Mails about runs, as `mail_on`, `mail_on_error`, `error_mail`, `info_mail` and `wait_mail` ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dagfs.executors.mail import smtp
from dagfs.executors.program import program
from dagfs.hooks import hookimpl
from dagfs.hooks.executor import Process
from dagfs.hooks.notifier import FAILURE, STEP, SUCCESS, TROUBLE, WAIT, News

_BLOCK = {
    FAILURE: "error_mail",
    STEP: "error_mail",
    TROUBLE: "error_mail",
    SUCCESS: "info_mail",
    WAIT: "wait_mail",
}


@hookimpl
def notify(news: News) -> Sequence[Process]:
    if not _is_wanted(news):
        return []
    block = news.dag_settings.get(_BLOCK[news.what]) or {}
    task = {
        "smtp": smtp(news.dag_settings),
        "from": block.get("from") or "",
        "to": _several(block.get("to")),
        "subject": _subject(news, block),
        "message": _text(news),
        "attachments": _logs(news) if block.get("attach_logs") else [],
    }
    if not task["to"]:
        raise ValueError(f"the DAG asks for mail, but {_BLOCK[news.what]}.to names nobody")
    return [program(news, "mail", task)]


def _is_wanted(news: News) -> bool:
    if news.what == STEP:
        return True
    when = FAILURE if news.what == TROUBLE else news.what
    return when in _BLOCK and bool((news.dag_settings.get("mail_on") or {}).get(when))


def _several(said: Any) -> list[str]:
    return [str(each) for each in said] if isinstance(said, list | tuple) else [str(said)] if said else []


def _subject(news: News, block: Mapping[str, Any]) -> str:
    name = news.dag.name if news.dag else ""
    if news.what == TROUBLE:
        what = f"{news.subject}: {news.kind.replace('_', ' ')}"
    elif news.what == STEP:
        what = f"{name}: {news.step} {news.state}"
    else:
        what = f"{name} {news.state}"
    run = f"({news.run.id})" if news.run else ""
    return " ".join(f"{block.get('prefix') or ''} {what} {run}".split())


def _text(news: News) -> str:
    """The state of everything in a table that reads well in any mail program."""
    lines = [f"DAG      {news.dag.name}"] if news.dag else []
    lines += [f"trouble  {news.kind}", f"about    {news.subject}"] if news.what == TROUBLE else []
    lines += [f"run      {news.run.id}", f"attempt  {news.attempt}"] if news.run else []
    lines += [f"step     {news.step}"] if news.step else []
    lines += [f"state    {news.state}"] if news.state else []
    lines += [f"reason   {news.reason}"] if news.reason else []
    lines += [f"time     {news.time}", f"folder   {news.cwd}", ""]
    width = max((len(name) for name in news.steps), default=0)
    for name, run in news.steps.items():
        why = f"  {run.reason}" if run.reason else ""
        lines.append(f"{name:<{width}}  {run.state}{why}")
    return "\n".join(lines) + "\n"


def _logs(news: News) -> list[str]:
    chosen = [news.step] if news.step else list(news.logs)
    return [news.logs[name] for name in chosen if name in news.logs]
