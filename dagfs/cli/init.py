"""`dagfs init`: make a home."""

from __future__ import annotations

import argparse
from pathlib import Path

from dagfs.cli.command import Command, shown
from dagfs.cli.output import next_commands
from dagfs.engine.home import read_home
from dagfs.errors import ExitCode
from dagfs.store.files import Disk
from dagfs.store.layout import HomePaths

EXAMPLES = """
examples:
  dagfs init                 make this folder a home
  dagfs init ~/flows         make that one
  dagfs init --example       with a DAG to try everything on
"""

_CONFIG = """\
# Settings of this dagfs home. Everything has a default; see docs/settings.md.

# Which spelling and rules DAG files without any tell follow: auto, dagu1 or dagu2.
dialect: auto

# How many steps of one run may be active at once (default: 16, or 4 for each processor).
# max_active_steps: 16

# The store that runs/ must be, so that an empty folder on an unmounted disk is never taken for it.
store:
  id: {store_id}
"""

_EXAMPLE = """\
# Three steps in a row. The second one fails until somebody mends its command:
#   dagfs run hello;  dagfs edit @;  dagfs retry @
name: hello
params:
  - who: world
steps:
  - name: greet
    run: echo "hello, ${who}" | tee "$DAGFS_WORK_DIR/greeting.txt"
    output: GREETING
  - name: shout
    depends: greet
    run: tr a-z A-Z --no-such-flag < "$DAGFS_WORK_DIR/greeting.txt"
  - name: report
    depends: shout
    run: echo "said ${GREETING}"
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dir", nargs="?", default=".", help="the folder [.]")
    parser.add_argument("--example", action="store_true", help="add dags/hello.yaml, which fails at first")


def run(command: Command) -> int:
    root = Path(command.options.home or ".", command.options.dir).resolve()
    disk, paths = Disk(), HomePaths(root)
    root.mkdir(parents=True, exist_ok=True)
    made = []
    for folder in (paths.dags, paths.plugins):
        if not folder.exists():
            disk.make_dir(folder)
            made.append(folder)
    if not paths.marker.exists():
        made.append(paths.runs)
    store_id = read_home(root).store.ensure()
    if not paths.config.exists():
        disk.put_new(paths.config, _CONFIG.format(store_id=store_id).encode())
        made.insert(0, paths.config)
    example = paths.dags / "hello.yaml"
    if command.options.example and not example.exists():
        disk.put_new(example, _EXAMPLE.encode())
        made.append(example)
    for path in made:
        command.output.line(f"made {shown(path)}")
    if not made:
        command.output.line(f"{shown(root)} is a home already")
    where = "" if root == Path.cwd() else f"-C {shown(root)} "
    if command.options.example:
        next_commands(command.output, {f"dagfs {where}run hello": "it fails at its second step"})
    else:
        next_commands(
            command.output, {f"dagfs {where}run NAME": f"once there is {shown(paths.dags)}/NAME.yaml"}
        )
    return ExitCode.DONE
