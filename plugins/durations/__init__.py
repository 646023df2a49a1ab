"""A page that shows how long the runs of each DAG take, and whether they take longer than they used to."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from dagfs.hooks import hookimpl
from dagfs.hooks.page import PageAnswer, PageRequest, PageSpec

__version__ = "1"
DAGFS_API = "1"
_HERE = Path(__file__).parent
_NEWEST = 1000
_POINTS = 60
_RECENT = 5


def show(request: PageRequest) -> PageAnswer:
    """A row a DAG; `?dag=NAME` for one alone, `/data` for the same as JSON."""
    taken: dict[str, list[float]] = defaultdict(list)
    for status in finished(Path(request.root, "runs")):
        if request.query.get("dag") in (None, status["dag"]):
            taken[status["dag"]].append(seconds(status))
    rows = [row(dag, found) for dag, found in sorted(taken.items())]
    if request.path == "data":
        return PageAnswer(json=rows)
    return PageAnswer("durations.html", {"rows": rows, "newest": _NEWEST})


def finished(runs: Path) -> Iterator[Mapping[str, Any]]:
    """The status of runs that have succeeded, oldest first."""
    newest = sorted(runs.glob("*/status.json"), key=lambda path: path.lstat().st_mtime)[-_NEWEST:]
    for path in newest:
        try:
            status = json.loads(path.read_bytes())
        except (OSError, ValueError):
            continue
        if status.get("state") == "succeeded" and status.get("started") and status.get("finished"):
            yield status


def seconds(status: Mapping[str, Any]) -> float:
    began, ended = (datetime.fromisoformat(status[name]) for name in ("started", "finished"))
    return max(0.0, (ended - began).total_seconds())


def row(dag: str, taken: Sequence[float]) -> Mapping[str, Any]:
    usual, recent = median(taken), median(taken[-_RECENT:])
    return {
        "dag": dag,
        "runs": len(taken),
        "usual": usual,
        "recent": recent,
        "longest": max(taken),
        "change": round(100 * (recent / usual - 1)) if usual else 0,
        "line": line(taken[-_POINTS:]),
    }


def line(taken: Sequence[float]) -> str:
    """The points of a line, 120 wide and 24 high."""
    taken = taken if len(taken) > 1 else [*taken, *taken]
    top, step = max(taken) or 1, 120 / (len(taken) - 1)
    return " ".join(f"{n * step:.1f},{23 - 22 * each / top:.1f}" for n, each in enumerate(taken))


@hookimpl
def pages() -> Sequence[PageSpec]:
    return [PageSpec("durations", "Durations", show, str(_HERE / "templates"), str(_HERE / "static"))]
