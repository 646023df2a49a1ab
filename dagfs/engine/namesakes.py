"""DAG files that have one name: whose runs count as those of one DAG, and of which a name means one alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from dagfs.model.value import frozen
from dagfs.store import dags

HINT = "their runs count as those of one DAG: give each a name: of its own"


@frozen
class Namesakes:
    """Some files, and what their name means."""

    name: str
    files: tuple[Path, ...]
    meant: Path | None
    """None where the name alone does not tell."""

    def says(self, label: Callable[[Path], str] = str) -> str:
        """As one line."""
        *most, last = map(label, self.files)
        means = f"means {label(self.meant)}" if self.meant else "means none of them for certain"
        return f"the DAG name {self.name!r} is that of {', '.join(most)} and {last}: `dagfs run` {means}"


def namesakes(
    folder: Path, named: Iterable[tuple[str, Path]], paths: Collection[Path]
) -> Iterator[Namesakes]:
    """Those among `named` that share a name; `paths` are all DAG files in `folder`, the home's `dags/`."""
    found: dict[str, list[Path]] = {}
    for name, path in named:
        found.setdefault(name, []).append(path)
    for name, files in found.items():
        if len(files) > 1:
            yield Namesakes(name, tuple(sorted(files)), dags.meant(folder, name, paths))
