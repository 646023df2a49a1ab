"""A real dockerd of a story's own, with one small image, for stories about steps in containers."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.patience import eventually

DOCKERD = shutil.which("dockerd", path="/usr/sbin:/usr/bin:/usr/local/bin") or "/usr/sbin/dockerd"
CONTAINERD = shutil.which("containerd", path="/usr/sbin:/usr/bin:/usr/local/bin") or "/usr/bin/containerd"
IMAGE = "small:1"
"""Busybox and nothing else; the image's entrypoint is empty."""
_APPLETS = (
    "sh", "cat", "echo", "env", "false", "head", "id", "ls", "mkdir", "printf", "pwd", "rm", "sleep", "tail",
    "test", "touch", "true", "wc", "grep", "cut", "setsid", "mv", "sed",
)  # fmt: skip


class Dockerd:
    """One engine behind a socket; containers outlive it, as with `live-restore`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = f"unix://{folder}/docker.sock"
        self._process: subprocess.Popen[bytes] | None = None
        # By itself dockerd would start one that dies with it, and no container would survive that.
        self._containerd = self._start(
            CONTAINERD,
            "--config=/dev/null",
            f"--address={folder}/containerd.sock",
            f"--root={folder}/containerd",
            f"--state={folder}/state",
        )
        eventually(lambda: Path(folder, "containerd.sock").exists(), f"containerd (see {folder}/log)")

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        with open(self.folder / "log", "ab") as log:
            return subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # What it starts is not to carry the marks of a story.
                env={"PATH": f"/usr/sbin:/sbin:{os.environ.get('PATH', os.defpath)}"},
            )

    def start(self) -> None:
        """Start it; returns when it answers."""
        self._process = self._start(
            DOCKERD,
            f"--host={self.host}",
            f"--containerd={self.folder}/containerd.sock",
            f"--data-root={self.folder}/data",
            f"--exec-root={self.folder}/exec",
            f"--pidfile={self.folder}/pid",
            "--storage-driver=vfs",
            "--iptables=false",
            "--bridge=none",
            "--live-restore",
            "--shutdown-timeout=5",
        )
        eventually(self._answers, f"dockerd (see {self.folder}/log)", within=60)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
        return self._call("version").returncode == 0

    def _call(self, *words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["docker", "--host", self.host, *words], input=given, capture_output=True, check=False
        )

    def docker(self, *words: str, given: bytes = b"") -> str:
        """What a docker command prints; it must succeed."""
        done = self._call(*words, given=given)
        assert done.returncode == 0, f"docker {' '.join(words)}: {done.stderr.decode()}"
        return done.stdout.decode().strip()

    def containers(self, *filters: str) -> list[str]:
        """The names of all containers, running or not."""
        words = [f"--filter={each}" for each in filters]
        return self.docker("ps", "--all", "--format={{.Names}}", *words).split()

    def make_image(self) -> None:
        """Import the image from a tar made here."""
        made = io.BytesIO()
        busybox = shutil.which("busybox") or "/bin/busybox"
        with tarfile.open(fileobj=made, mode="w") as archive:
            for name in ("bin", "tmp", "etc", "root"):
                folder = tarfile.TarInfo(name)
                folder.type, folder.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
                archive.addfile(folder)
            archive.add(busybox, "bin/busybox")
            for name in _APPLETS:
                link = tarfile.TarInfo(f"bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                archive.addfile(link)
        self.docker("import", "--change=ENV PATH=/bin", "-", IMAGE, given=made.getvalue())

    def kill(self) -> None:
        """`kill -9`: nobody answers any more, and containers go on."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Remove every container, then end it and what it started."""
        if self._process is not None and self._process.poll() is None:
            for name in self.containers():
                self._call("rm", "--force", name)
            _end(self._process)
        _end(self._containerd)
        # With live-restore it leaves its mounts for the next one.
        for line in Path("/proc/mounts").read_text().splitlines()[::-1]:
            if (place := line.split()[1]).startswith(f"{self.folder}/"):
                subprocess.run(["umount", "--lazy", place], check=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def dockerd() -> Iterator[Dockerd]:
    """An engine that runs while the block does. Its socket's path must be short."""
    folder = Path(tempfile.mkdtemp(prefix="dagfs-dockerd-", dir="/tmp"))
    engine = Dockerd(folder)
    try:
        engine.start()
        engine.make_image()
        yield engine
    finally:
        engine.stop()
        shutil.rmtree(folder, ignore_errors=True)
