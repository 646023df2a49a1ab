"""`python -m bench [W1 W2 …] [--rounds N] [--fetch] [--write]`: time dagfs beside the peers installed here.

W1 a run of one step, and the reading verbs; W2 a chain; W3 a fan; W4 a retry at 90 of 100; W5 200 MB of
output; W6 the newest 50 of 10,000 runs; W7 a scheduler with 1,000 DAG files.
`--fetch` installs the peers (make, ninja, doit, Dagu) with apt,
pip and npm into bench/.peers; `--write` puts the table into docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.scheduling import w7
from bench.timing import Contender, race, spawn_limit
from bench.workloads import WRITERS, Graph

ROOT = Path(__file__).parent.parent
PEERS = Path(__file__).parent / ".peers"
DAGFS = str(Path(sys.executable).parent / "dagfs")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    work: str
    limit: float | None
    figures: dict[str, float]
    peak_mb: float


def fetch() -> None:
    """Install the peers for this bench alone."""
    PEERS.mkdir(exist_ok=True)
    subprocess.run(["apt-get", "install", "-y", "-qq", "make", "ninja-build"], check=True)
    subprocess.run([sys.executable, "-m", "venv", PEERS / "venv"], check=True)
    subprocess.run([PEERS / "venv/bin/pip", "install", "-q", "doit"], check=True)
    package = "@dagu-org/dagu-linux-x64@1.30.2"
    subprocess.run(["npm", "install", "--silent", "--prefix", PEERS, package], check=True)


def dagu_binary() -> str | None:
    found = sorted((PEERS / "node_modules/@dagu-org").glob("dagu-linux-x64/**/dagu"))
    return str(found[0]) if found else None


def doit_command() -> str | None:
    path = PEERS / "venv/bin/doit"
    return str(path) if path.exists() else None


def commands(graph: Graph, folder: Path) -> list[Contender]:
    """Every tool that is there, set to the same work."""
    found = [Contender("dagfs", [DAGFS, "run", graph.name], folder / "dagfs")]
    if dagu := dagu_binary():
        env = {"DAGU_HOME": str(folder / "dagu/home"), "HOME": str(folder / "dagu")}
        found.append(Contender("dagu", [dagu, "start", f"{graph.name}.yaml"], folder / "dagu", env))
    if make := shutil.which("make"):
        words = [make, "-s", f"-j{graph.jobs}", "-f", f"{graph.name}.mk"]
        found.append(Contender("make", words, folder / "make"))
    if ninja := shutil.which("ninja"):
        words = [ninja, "--quiet", f"-j{graph.jobs}", "-f", f"{graph.name}.ninja"]
        found.append(Contender("ninja", words, folder / "ninja"))
    if doit := doit_command():
        words = [doit, "-f", f"{graph.name}_dodo.py", "-n", str(graph.jobs), "-P", "thread"]
        found.append(Contender("doit", words if graph.jobs > 1 else words[:3], folder / "doit"))
    for contender in found:
        contender.cwd.mkdir(exist_ok=True)
        WRITERS[contender.tool](graph, contender.cwd)
    return found


def graph_row(graph: Graph, folder: Path, rounds: int, *, leave_out: tuple[str, ...] = ()) -> Row:
    contenders = [each for each in commands(graph, folder) if each.tool not in leave_out]
    race(contenders, rounds)
    limits = [spawn_limit(graph.count, graph.jobs) for _ in range(3)]
    figures = {each.tool: each.median for each in contenders}
    return Row(graph.name, statistics.median(limits), figures, contenders[0].peak_mb)


def w1(folder: Path, rounds: int) -> list[Row]:
    rows = [graph_row(Graph("one-step", 1, chained=True), folder, rounds)]
    for verb in ("--help", "status", "ls", "runs"):
        contender = Contender("dagfs", [DAGFS, verb], folder / "dagfs")
        race([contender], rounds)
        rows.append(Row(f"dagfs {verb}", None, {"dagfs": contender.median}, contender.peak_mb))
    return rows


def w2(folder: Path, rounds: int) -> list[Row]:
    return [
        graph_row(Graph("chain-100", 100, chained=True), folder, rounds),
        graph_row(Graph("chain-1000", 1000, chained=True), folder, max(1, rounds // 3)),
    ]


def w3(folder: Path, rounds: int) -> list[Row]:
    return [
        graph_row(Graph("fan-500", 500, chained=False, jobs=8), folder, max(2, rounds // 2)),
        graph_row(Graph("fan-5000", 5000, chained=False, jobs=8), folder, 1, leave_out=("dagu",)),
    ]


def w4(folder: Path, rounds: int) -> list[Row]:
    graph = Graph("chain-100-failed-at-90", 100, chained=True, fail_at=90)
    home = folder / "dagfs"
    home.mkdir(exist_ok=True)
    WRITERS["dagfs"](graph, home)

    def fail() -> None:
        (home / "fixed").unlink(missing_ok=True)
        subprocess.run([DAGFS, "run", graph.name], cwd=home, capture_output=True, check=False)
        (home / "fixed").touch()

    contender = Contender("dagfs", [DAGFS, "retry", "@"], home, before=fail)
    race([contender], rounds)
    return [Row("retry of a chain of 100 failed at 90", spawn_limit(11, 1), {"dagfs": contender.median}, 0)]


def w5(folder: Path, rounds: int) -> list[Row]:
    home = folder / "dagfs"
    (home / "dags").mkdir(parents=True, exist_ok=True)
    (home / "dagfs.yaml").write_text("dialect: auto\n")
    text = "name: big\nsteps:\n  - name: big\n    command: yes 0123456789abcdef | head -c 200000000\n"
    (home / "dags/big.yaml").write_text(text)
    contender = Contender("dagfs", [DAGFS, "run", "big"], home)
    bare = Contender("sh", ["sh", "-c", "yes 0123456789abcdef | head -c 200000000 > out"], home)
    race([contender, bare], max(2, rounds // 2))
    return [Row("200 MB to standard output", bare.median, {"dagfs": contender.median}, contender.peak_mb)]


def w6(folder: Path, rounds: int) -> list[Row]:
    home = folder / "many"
    (home / "dags").mkdir(parents=True, exist_ok=True)
    (home / "dagfs.yaml").write_text("dialect: auto\n")
    (home / "dags/one.yaml").write_text("name: one\nsteps:\n  - name: a\n    command: 'true'\n")
    subprocess.run(
        [DAGFS, "run", "one", "--id", "20260101-000000-one-seed"], cwd=home, capture_output=True, check=True
    )
    seed = home / "runs/20260101-000000-one-seed"
    for n in range(10_000):
        copy = seed.with_name(f"20260102-{n // 3600:02d}{n // 60 % 60:02d}{n % 60:02d}-one-{n:04d}")
        shutil.copytree(seed, copy, symlinks=True, copy_function=os.link)
        path = copy / "attempts/1/status.json"
        changed = path.read_text().replace(seed.name, copy.name)
        path.unlink()
        path.write_text(changed)
    contender = Contender("dagfs", [DAGFS, "runs", "--limit", "50"], home)
    race([contender], rounds)
    return [Row("newest 50 of 10,000 runs", None, {"dagfs": contender.median}, contender.peak_mb)]


WORK: dict[str, Callable[[Path, int], list[Row]]] = {
    "W1": w1,
    "W2": w2,
    "W3": w3,
    "W4": w4,
    "W5": w5,
    "W6": w6,
}


def _compared(own: float, seconds: float) -> str:
    return f"dagfs {own / seconds:.1f}×" if own >= seconds else f"dagfs {seconds / own:.1f}× as fast"


def table(rows: list[Row]) -> str:
    """A Markdown table: seconds, and in brackets how many times the first column."""
    tools = list(dict.fromkeys(tool for row in rows for tool in row.figures))
    head = ["work", "spawn limit", *tools, "peak of dagfs"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        own = row.figures["dagfs"]
        cells = [f"{row.limit:.2f} s" if row.limit is not None else ""]
        for tool in tools:
            seconds = row.figures.get(tool)
            ratio = f" ({_compared(own, seconds)})" if seconds and tool != "dagfs" else ""
            cells.append(f"{seconds:.2f} s{ratio}" if seconds is not None else "")
        lines.append(
            "| " + " | ".join([row.work, *cells, f"{row.peak_mb:.0f} MB" if row.peak_mb else ""]) + " |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", nargs="*", choices=[*WORK, "W7", []], help="which of W1 to W7 [all]")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--fetch", action="store_true", help="install the peers first")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    options = parser.parse_args()
    if options.fetch:
        fetch()
    rows: list[Row] = []
    wanted = options.work or [*WORK, "W7"]
    for name in (name for name in wanted if name in WORK):
        print(name, file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="dagfs-bench-") as folder:
            rows += WORK[name](Path(folder), options.rounds)
    text = table(rows) if rows else ""
    if "W7" in wanted:
        print("W7", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="dagfs-bench-") as folder:
            text += "\n" + w7(Path(folder), DAGFS, dagu_binary())
    print(text)
    if options.write:
        head = (
            "# Performance\n\nMedians of interleaved whole-process runs (`python -m bench --fetch --write`), "
        )
        machine = f"{os.cpu_count()} processors, Python {sys.version.split()[0]}.\n\n"
        (ROOT / "docs/performance.md").write_text(head + machine + text)


if __name__ == "__main__":
    main()
