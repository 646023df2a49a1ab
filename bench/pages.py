"""How long pages of the web take in a home with 1,000 DAG files and 10,000 runs: `python -m bench.pages`."""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

DAGFS = str(Path(sys.executable).with_name("dagfs"))
FILES, RUNS, ROUNDS = 1000, 10_000, 15
PAGES = ("/", "/?sort=next", "/?q=number+7", "/dags/d0042", "/runs", "/runs?status=failed", "/runs?q=d0042")
_STEPS = "".join(f"  - name: s{n}\n    command: 'true'\n" for n in range(8))


def make(home: Path) -> None:
    """DAG files with schedules and tags, and runs of them that share what can be shared."""
    (home / "dags").mkdir(parents=True)
    (home / "dagfs.yaml").write_text("dialect: auto\n")
    (home / "dags/seed.yaml").write_text(f"steps:\n{_STEPS}")
    subprocess.run(
        [DAGFS, "run", "seed", "--id", "20260101-000000-seed"], cwd=home, capture_output=True, check=True
    )
    for n in range(FILES):
        head = f"description: DAG number {n}\ntags: [t{n % 17}]\nschedule: '{n % 60} {n % 24} * * *'\n"
        (home / f"dags/d{n:04}.yaml").write_text(f"{head}steps:\n{_STEPS}")
    seed = home / "runs/20260101-000000-seed"
    status = json.loads((seed / "attempts/1/status.json").read_text())
    chance = random.Random(1)
    for n in range(RUNS):
        day = f"2026{1 + n // 1000:02}{1 + n % 28:02}"
        _run(seed, status, f"{day}-{n // 60 % 24:02}{n % 60:02}00-{n:05}", n, chance)


def _run(seed: Path, status: dict[str, object], name: str, n: int, chance: random.Random) -> None:
    folder = seed.with_name(name)
    (folder / "attempts/1").mkdir(parents=True)
    (folder / "status.json").symlink_to("attempts/1/status.json")
    for shared in ("run.json", ".lock", "spec.v1.yaml"):
        os.link(seed / shared, folder / shared)
    created = f"{name[:4]}-{name[4:6]}-{name[6:8]}T{name[9:11]}:{name[11:13]}:00.000000Z"
    state = chance.choice(["succeeded"] * 5 + ["failed"])
    own = {**status, "run": name, "dag": f"d{n % FILES:04}", "state": state, "created": created}
    (folder / "attempts/1/status.json").write_text(json.dumps(own))


def measure(home: Path) -> list[tuple[str, float, float]]:
    """Each page with the median of its times, and of those where nothing has changed, in milliseconds."""
    words = [DAGFS, "serve", "--port", "0", "--no-token", "--json"]
    with subprocess.Popen(words, cwd=home, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        try:
            with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
                while "Still reading" in client.get("/").text:
                    time.sleep(0.2)
                return [_page(client, path) for path in PAGES]
        finally:
            process.terminate()


def _page(client: httpx.Client, path: str) -> tuple[str, float, float]:
    whole, known = [], []
    for _ in range(ROUNDS):
        time.sleep(0.3)
        began = time.perf_counter()
        answer = client.get(path)
        whole.append(time.perf_counter() - began)
        began = time.perf_counter()
        client.get(path, headers={"If-None-Match": answer.headers["etag"]})
        known.append(time.perf_counter() - began)
    return path, statistics.median(whole) * 1000, statistics.median(known) * 1000


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="keep the home here, and use it again")
    home = parser.parse_args().home or Path(tempfile.mkdtemp()) / "home"
    try:
        if not home.exists():
            make(home)
        print("| page | whole | unchanged |\n|---|---|---|")
        for path, whole, known in measure(home):
            print(f"| `{path}` | {whole:.0f} ms | {known:.0f} ms |")
    finally:
        if parser.parse_args().home is None:
            shutil.rmtree(home.parent)


if __name__ == "__main__":
    main()
