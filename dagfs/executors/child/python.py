"""The python step's own process. It stands alone, so that an interpreter without dagfs can run it too."""

import sys

# First of all: this file lies beside modules called http, mail and jq.
sys.path[:] = [folder for folder in sys.path if folder != __file__.rpartition("/")[0]]

import asyncio  # noqa: E402
import importlib  # noqa: E402
import inspect  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import runpy  # noqa: E402
import secrets  # noqa: E402
import traceback  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402

_OWN = frozenset(
    {__file__, "<frozen runpy>", "<frozen importlib._bootstrap>", runpy.__file__, importlib.__file__}
)


def main() -> None:
    task = _take()
    sys.path[:0] = [*(os.path.abspath(each) for each in task["path"]), os.getcwd()]
    try:
        if task["call"].endswith(".py"):
            _script(task)
        else:
            _publish(_function(task))
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever the user's code raises
        _show(error)
        sys.exit(130 if isinstance(error, KeyboardInterrupt) else 1)


def _take() -> dict[str, Any]:
    pieces: list[str] = []
    while True:
        piece = os.environ.pop(f"DAGFS_TASK_{len(pieces) + 1}", None)
        if piece is None:
            return dict(json.loads("".join(pieces)))
        pieces.append(piece)


def _script(task: dict[str, Any]) -> None:
    """Run a file as `python FILE` would; parameters are its arguments, named ones as NAME=value."""
    positional, named = _arguments(task)
    sys.argv = [task["call"], *map(str, positional), *(f"{name}={value}" for name, value in named.items())]
    sys.path[0:0] = [os.path.dirname(os.path.abspath(task["call"]))]
    runpy.run_path(task["call"], run_name="__main__")


def _function(task: dict[str, Any]) -> Any:
    module, _, name = task["call"].partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    positional, named = _fitting(found, *_arguments(task))
    result = found(*positional, **named)
    return asyncio.run(_awaited(result)) if inspect.isawaitable(result) else result


async def _awaited(result: Any) -> Any:
    return await result


def _arguments(task: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Positional ones (`1`, `2`, …) and named ones; those that the step names itself go first."""
    every = {**task["params"], **task["args"]}
    numbers = sorted(int(name) for name in every if name.isdigit())
    return [every.pop(str(number)) for number in numbers], every


def _fitting(
    function: Callable[..., Any],
    positional: list[Any],
    named: dict[str, Any],
) -> tuple[list[Any], dict[str, Any]]:
    """The arguments that the function takes, texts as the numbers or truth values it asks for."""
    try:
        wanted = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return positional, named
    places = [
        each for each in wanted.values() if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]
    if not any(each.kind == each.VAR_POSITIONAL for each in wanted.values()):
        positional = positional[: len(places)]
    if not any(each.kind == each.VAR_KEYWORD for each in wanted.values()):
        taken = {each.name for each in places[: len(positional)]}
        named = {name: value for name, value in named.items() if name in wanted and name not in taken}
    first = [
        _typed(value, places[at].annotation if at < len(places) else None)
        for at, value in enumerate(positional)
    ]
    rest = {
        name: _typed(value, wanted[name].annotation if name in wanted else None)
        for name, value in named.items()
    }
    return first, rest


def _typed(value: Any, kind: Any) -> Any:
    name = kind if isinstance(kind, str) else getattr(kind, "__name__", "")
    if not isinstance(value, str):
        return value
    if name in ("int", "float"):
        return int(value) if name == "int" else float(value)
    if name == "bool":
        return value.strip().lower() in ("1", "true", "yes", "on")
    return value


def _publish(result: Any) -> None:
    """A mapping gives an output for each key, anything else but None the output `result`."""
    if result is None:
        return
    every = result if isinstance(result, dict) else {"result": result}
    with open(os.environ["DAGFS_OUTPUT"], "a", encoding="utf-8") as file:
        for name, value in every.items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            end = f"END_{secrets.token_hex(8)}"
            file.write(f"{name}<<{end}\n{text}\n{end}\n" if "\n" in text else f"{name}={text}\n")


def _show(error: BaseException) -> None:
    """The traceback as the user's own code made it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename in _OWN:
        trace = trace.tb_next
    sys.stdout.flush()
    if trace is None and isinstance(error, OSError) and error.filename:
        sys.stderr.write(f"python: cannot read {error.filename}: {error.strerror}\n")
    elif trace is None:
        sys.stderr.write(f"python: {type(error).__name__}: {error}\n")
    else:
        traceback.print_exception(type(error), error, trace)


if __name__ == "__main__":
    main()
