"""A file system of a story's own: small, full, read-only. Only root can mount one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from intg.conftest import new_home
from intg.home import Home

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")


@contextmanager
def small_disk(disk: Path, size: str = "2m") -> Iterator[Home]:
    """A home on a disk of that size."""
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], check=True)
    try:
        with new_home(disk) as home:
            yield home
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@contextmanager
def read_only(home: Home) -> Iterator[None]:
    """While entered, nothing can be written to the home's disk."""
    subprocess.run(["mount", "-o", "remount,ro", str(home.path.parent)], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(home.path.parent)], check=True)
