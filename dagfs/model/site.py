"""The place where a step would run, when it is not the one that it ran in before."""

from __future__ import annotations

from dagfs.model.value import frozen


@frozen
class Unreached:
    """A file or folder of this machine that a step's text names, and that is not there where it would run."""

    reference: str
    """As the text has it: `${load.artifacts}`, `$DAGFS_WORK_DIR`."""
    path: str
    maker: str = ""
    """The step that left it; empty for a folder of the run, or of the step itself."""

    @property
    def words(self) -> str:
        """Whose it is."""
        return f"made by {self.maker!r}" if self.maker else "a folder of this machine"


@frozen
class Site:
    """Where one step would run."""

    executor: str
    before: str
    """The executor that it ran with before, or would have."""
    profile: str = ""
    """The profile that says so; empty where the spec does."""
    wrong: tuple[str, ...] = ()
    """Why it cannot run there, each as one line."""
    unreached: tuple[Unreached, ...] = ()

    def __str__(self) -> str:
        """What a plan says of it."""
        if self.executor != self.before:
            return f"in {self.executor} instead of {self.before}"
        return f"in {self.executor}" + (f" as profile {self.profile} says" if self.profile else "")
