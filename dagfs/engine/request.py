"""Turns a step and its variables into what an executor gets, and that into what a shim runs."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dagfs.engine.bequest import keep_words
from dagfs.engine.environment import StepEnvironment, StepUnready
from dagfs.engine.launch import Launch
from dagfs.errors import DagfsError
from dagfs.hooks.executor import CODE, DATA, SHELL, Executor, Process, StepRequest, reading
from dagfs.model.dag import Step
from dagfs.model.value import field, frozen
from dagfs.spec.values import Scope, expand, is_posix_shell, rewrite_other, rewrite_shell
from dagfs.store.files import Disk
from dagfs.store.layout import StepPaths


@frozen
class Place:
    """Where one try runs: the run, the shell, the folders."""

    run: str
    attempt: int
    try_: int
    shell: tuple[str, ...]
    """The DAG's shell, for a step that names none."""
    cwd: str
    paths: StepPaths
    dialect: str = "dagu2"
    dag_settings: Mapping[str, Any] = field(default_factory=dict)
    """What the DAG says for all steps of a kind, unevaluated."""
    merged: bool = False
    """Standard error goes into the log of standard output."""
    wrapper: tuple[str, ...] = ()
    """The words of a command that the step's own is put behind."""


def render(
    step: Step, place: Place, variables: StepEnvironment, executor: Executor | None = None
) -> StepRequest:
    """The request for one try. Values go into the environment, never into shell text.

    `executor` says how it reads texts; without one, as a shell does.
    """
    shell = step.shell or tuple(getattr(executor, "shell", ())) or place.shell
    env = dict(variables.env)
    script, command = step.script, step.command
    read_by = (reading(executor, "command"), reading(executor, "script"))
    if read_by != (SHELL, SHELL):
        command = tuple(_as_read(line, read_by[0], variables, shell, env) for line in command)
        script = _as_read(script, read_by[1], variables, shell, env)
    elif shell == ("direct",) or (script and command):
        lines = [" ".join(command)] if script else command
        escapes = place.dialect != "dagu1"
        command = _in_turn([_words(line, variables.scope, escapes=escapes) for line in lines])
    else:
        command = tuple(_text(line, shell, variables, env) for line in command)
    if script and read_by == (SHELL, SHELL):
        script = _text(script, _interpreter(script, command, shell), variables, env)
    return StepRequest(
        run=place.run,
        attempt=place.attempt,
        step=step.name,
        try_=place.try_,
        command=command,
        script=script,
        shell=shell,
        own_shell=bool(step.shell),
        stop_on_error=not step.shell and is_posix_shell(shell[0]),
        config=expand_config(step.executor.config, variables),
        env=env,
        cwd=place.cwd,
        folder=str(place.paths.root),
        dialect=place.dialect,
        dag_settings=expand_config(place.dag_settings, variables),
    )


def _as_read(
    text: str, how: str, variables: StepEnvironment, shell: tuple[str, ...], env: dict[str, str]
) -> str:
    """A text as its executor reads it: code gets harmless values only, data any."""
    if how == DATA:
        return expand(text, variables.scope)
    return _code(text, variables) if how == CODE else _text(text, shell, variables, env)


def _code(text: str, variables: StepEnvironment) -> str:
    """The text for an interpreter that is no shell, which may end up in a process list."""
    rewritten = rewrite_other(text, variables.scope)
    if any(secret in rewritten and secret not in text for secret in variables.secrets):
        raise StepUnready(
            "a secret would be put into the step's text", hint="read its environment variable instead"
        )
    return rewritten


def _words(text: str, scope: Scope, *, escapes: bool) -> tuple[str, ...]:
    """A command without a shell: split first, so that a value is always one whole word or part of one.

    A backslash that is left before a `$` keeps it; without `escapes` it stays there too (Dagu 1).
    """
    try:
        return tuple(expand(word, scope, escapes=escapes) for word in shlex.split(text))
    except ValueError as error:
        raise StepUnready(f"cannot split the command into words: {error}") from error


def _in_turn(commands: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Several commands as one: a shell starts each of them, and sees their words as arguments alone."""
    if len(commands) < 2:
        return commands[0] if commands else ()
    numbers = iter(range(1, 1 + sum(map(len, commands))))
    lines = [" ".join(f'"${{{next(numbers)}}}"' for _ in words) for words in commands]
    words = (word for each in commands for word in each)
    return ("/bin/sh", "-e", "-c", "\n".join(lines), "sh", *words)


def _interpreter(script: str, command: Sequence[str], shell: tuple[str, ...]) -> tuple[str, ...]:
    """What will read a script: its command, its `#!` line, or the shell."""
    if command:
        return tuple(command)
    first = script.partition("\n")[0]
    if first.startswith("#!"):
        words = first[2:].split()
        return tuple(words[1:] if words[:1] and words[0].endswith("/env") else words)
    return shell


def _text(text: str, shell: tuple[str, ...], variables: StepEnvironment, env: dict[str, str]) -> str:
    """The text with references made into variables; what they stand for is added to `env`."""
    if shell and not is_posix_shell(" ".join(shell)):
        return _code(text, variables)
    text, extra = rewrite_shell(text, variables.scope, variables.exported, first=_next_number(env))
    env.update(extra)
    return text


def _next_number(env: Mapping[str, str]) -> int:
    """A number that no variable made for an earlier text of the step has."""
    return 1 + sum(name.startswith("DAGFS_V") for name in env)


def expand_config(config: Any, variables: StepEnvironment) -> Any:
    """Executor settings with references replaced in every text, however deep."""
    if isinstance(config, str):
        return variables.text(config)
    if isinstance(config, Mapping):
        return {key: expand_config(value, variables) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return [expand_config(value, variables) for value in config]
    return config


def prepare(executor: Executor, request: StepRequest) -> Process:
    """Ask the executor what to run. Whatever it raises fails this step alone, by its name."""
    try:
        process = executor.prepare(request)
    except DagfsError:
        raise
    except (Exception, SystemExit) as error:
        raise StepUnready(failed(executor, error)) from error
    if wrong := _wrong(process) or _wrong_words([*process.cleanup, *process.at_end]):
        raise StepUnready(f"executor {executor.name!r} failed: {wrong}")
    return process


def failed(executor: Executor, error: BaseException) -> str:
    """What an executor raised, as one line. A ValueError says what is wrong; others have their kind told."""
    what = str(error) if type(error) is ValueError and str(error) else f"{type(error).__name__}: {error}"
    return f"executor {executor.name!r} failed: {' '.join(what.split())}"


def _wrong(process: Any) -> str:
    """What an executor gave that is not to be carried out, or `""`. Types promise nothing of a plugin."""
    if not isinstance(process, Process):
        return f"it gave {type(process).__name__} instead of a Process"
    return _wrong_parts(process.argv, process.env, process.cwd, process.files)


def _wrong_words(cleanup: Any) -> str:
    wrong = isinstance(cleanup, str) or not all(isinstance(word, str) for word in cleanup)
    return "its cleanup must be a list of texts" if wrong else ""


def _wrong_parts(argv: Any, env: Any, cwd: Any, files: Any) -> str:
    if isinstance(argv, str) or not argv:
        return "it gave nothing to run"
    if not isinstance(env, Mapping) or not isinstance(files, Mapping):
        return "its env and files must be mappings"
    for name, value in (*env.items(), *files.items()):
        if not isinstance(name, str) or not isinstance(value, str):
            return f"{name!r} must be text with a text as value, not {type(value).__name__}"
    for text in (*argv, cwd):
        if not isinstance(text, str):
            return f"{text!r} must be text"
    for name in files:
        if not name or "/" in name or name in (".", ".."):
            return f"{name!r} cannot name a file"
    return ""


def launch(
    disk: Disk,
    step: Step,
    process: Process,
    place: Place,
    variables: StepEnvironment,
    *,
    grace: float,
    token: str,
) -> Launch:
    """Write the process's files and say what the shim is to do."""
    folder = place.paths.root
    _refuse_secrets((*process.files.values(), *process.cleanup, *process.at_end), variables.secrets)
    for name, text in process.files.items():
        disk.write_program(folder / name, text.encode("utf-8", "surrogateescape"))
    if process.cleanup:
        keep_words(disk, place.paths.cleanup(place.try_), process.cleanup)
    if process.at_end:
        keep_words(disk, place.paths.at_end(place.try_), process.at_end)
    # A shim stands elsewhere than its engine.
    cwd = os.path.abspath(process.cwd)
    stdout, stderr = (expand(path, variables.scope) if path else "" for path in (step.stdout, step.stderr))
    for path in (stdout, stderr):
        _make_artifact_folder(disk, path, place.paths.artifacts)
    return Launch(
        argv=(*place.wrapper, *process.argv),
        env={**process.env, "DAGFS_TRY_TOKEN": token},
        cwd=cwd,
        stdout=str(place.paths.stdout),
        stderr=str(place.paths.stdout if place.merged else place.paths.stderr),
        tee_stdout=_beside(stdout, cwd),
        tee_stderr=_beside(stderr, cwd),
        record=str(place.paths.record(place.try_)),
        token=token,
        timeout_sec=step.timeout_sec,
        grace_sec=grace,
        stop_signal=signal_number(step.signal_on_stop),
        keep_leftovers=False,
        umask=current_umask(),
        secrets=variables.secrets,
        output_file=str(place.paths.output_file(place.try_)),
        group=disk.shares,
        cleanup=tuple(process.cleanup),
    )


def _make_artifact_folder(disk: Disk, path: str, artifacts: Path) -> None:
    """The folder of a stream that becomes an artifact: that may lie deeper than the step's own."""
    folder = Path(path).parent
    if path and folder.is_relative_to(artifacts) and ".." not in folder.parts:
        for each in reversed((folder, *folder.parents)):
            if each.is_relative_to(artifacts):
                disk.make_dir(each)


def _refuse_secrets(texts: Iterable[str], secrets: Sequence[str]) -> None:
    """What an executor wants on disk may hold none."""
    if any(secret in text for text in texts for secret in secrets):
        raise StepUnready(
            "a secret would be written into a file of the step",
            hint="read it from its environment variable instead",
        )


def _beside(path: str, cwd: str) -> str:
    return str(Path(cwd, path)) if path else ""


def signal_number(name: str) -> int:
    """`SIGINT`, `INT` or `` (SIGTERM) as a number."""
    if not name:
        return signal.SIGTERM
    return signal.Signals[name if name.startswith("SIG") else f"SIG{name}"]


def current_umask() -> int:
    """The umask this process was started with, for the files that steps make."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
