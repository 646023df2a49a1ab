"""A real sshd on a loopback port, with keys of its own, for stories about steps on another machine."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.patience import eventually

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin") or "/usr/sbin/sshd"


class Sshd:
    """One server; it takes this user's own new key and no other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.user = getpass.getuser()
        self.port = _free_port()
        self.key = folder / "user_key"
        self.known_hosts = folder / "known_hosts"
        self._process: subprocess.Popen[bytes] | None = None
        _new_key(self.key)
        self.new_host_key()
        self.trust()

    def new_host_key(self) -> None:
        """Become another machine, as far as clients can tell; it counts from the next start."""
        for name in ("host_key", "host_key.pub"):
            (self.folder / name).unlink(missing_ok=True)
        _new_key(self.folder / "host_key")

    def trust(self) -> None:
        """Make the present host key known."""
        public = (self.folder / "host_key.pub").read_text()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public}")

    def start(self) -> None:
        """Listen; returns when a client would be answered."""
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        (self.folder / "authorized_keys").write_text(self.key.with_suffix(".pub").read_text())
        config = self.folder / "sshd_config"
        config.write_text(
            textwrap.dedent(f"""
                ListenAddress 127.0.0.1
                Port {self.port}
                HostKey {self.folder}/host_key
                AuthorizedKeysFile {self.folder}/authorized_keys
                PidFile none
                StrictModes no
                UsePAM no
                PasswordAuthentication no
                KbdInteractiveAuthentication no
                PermitRootLogin prohibit-password
                AllowTcpForwarding yes
                MaxStartups 100
            """)
        )
        with open(self.folder / "sshd.log", "ab") as log:
            self._process = subprocess.Popen(
                [SSHD, "-D", "-e", "-f", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # What its sessions start is not to carry the marks of a story.
                env={"PATH": os.environ.get("PATH", os.defpath)},
            )
        eventually(self._answers, f"sshd: {(self.folder / 'sshd.log').read_text()}")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "sshd.log").read_text()
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as link:
                return link.recv(4) == b"SSH-"
        except OSError:
            return False

    def connections(self) -> list[int]:
        """The processes that serve connections now."""
        assert self._process is not None
        return _descendants(self._process.pid, "sshd")

    def cut(self, number: int = signal.SIGKILL) -> None:
        """Kill every connection, or freeze it with SIGSTOP; what runs behind it goes on."""
        for pid in self.connections():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def stop(self) -> None:
        """Listen no more, and cut all connections."""
        if self._process is None:
            return
        self.cut()
        self._process.kill()
        self._process.wait()
        self._process = None

    def settings(self, jobs: Path | str = "", **more: str) -> str:
        """The `config:` of an ssh step that logs in here, as one line of YAML."""
        said = {
            "host": "127.0.0.1",
            "port": str(self.port),
            "user": self.user,
            "key": str(self.key),
            "known_host_file": str(self.known_hosts),
            "remote_dir": str(jobs or self.folder / "jobs"),
            **more,
        }
        return "{" + ", ".join(f"{name}: {value}" for name, value in said.items()) + "}"


def _new_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _descendants(root: int, name: str) -> list[int]:
    """Processes of that name below one, as /proc has them."""
    parents, names = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "stat").read_text()
        except OSError:
            continue
        names[int(folder.name)] = text.partition("(")[2].rpartition(")")[0]
        parents[int(folder.name)] = int(text.rpartition(")")[2].split()[1])
    found, front = [], {root}
    while front:
        front = {pid for pid, parent in parents.items() if parent in front}
        found += [pid for pid in front if names[pid] == name]
    return found


@contextmanager
def sshd(folder: Path) -> Iterator[Sshd]:
    """A server that runs while the block does."""
    server = Sshd(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
