"""A step runs only where its executor is, its settings fit, and the files that it names can be reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dagfs.hooks import hookimpl
from dagfs.model.edit import Action, Edit, Finding, Severity
from dagfs.model.rule import Rule
from dagfs.model.site import Site, Unreached

PLACE = "executor.place"
REACH = "executor.reach"


@hookimpl
def rules() -> Sequence[Rule]:
    return [
        Rule(
            PLACE,
            "A step goes to another place only where its executor is there and its settings fit.",
            accepted="`--profile local` that has `train` run in a shell, not in a container",
            refused="a profile that puts `train` in docker without an image",
        ),
        Rule(
            REACH,
            "What a step names of this machine's files can be reached from the new place it runs in.",
            accepted="a container that mounts `${DAGFS_WORK_DIR}:${DAGFS_WORK_DIR}`",
            refused="a step that reads `${load.artifacts}/rows.csv`, on another machine by ssh",
            loosened_by="`sees_files: true` in the profile, or --allow executor.reach --reason '…'",
        ),
    ]


@hookimpl
def check_edit(edit: Edit) -> Sequence[Finding]:
    found: list[Finding] = []
    for name, site in edit.sites.items():
        if name not in edit.new.by_name or edit.action(name) is Action.RUN:
            found += _unfit(edit, name, site)
            found += (_unreachable(edit, name, site, each) for each in site.unreached)
    return found


def _place(edit: Edit, name: str) -> tuple[str | None, str, int, int]:
    """Step, field, line and column of what is put somewhere."""
    step = edit.new.by_name.get(name)
    mark = step.mark("executor") if step else edit.new.mark("handler_on")
    return (name if step else None), "executor", mark.line, mark.column


def _unfit(edit: Edit, name: str, site: Site) -> Iterator[Finding]:
    by = f"; profile {site.profile!r} puts it there" if site.profile else ""
    for message in site.wrong:
        said = f"step {name!r} cannot run in {site.executor}: {message}{by}"
        yield Finding(PLACE, Severity.REJECT, said, *_place(edit, name))


def _unreachable(edit: Edit, name: str, site: Site, each: Unreached) -> Finding:
    return Finding(
        REACH,
        Severity.REJECT,
        f"step {name!r} would run in {site.executor}, where {each.reference} ({each.words}) is not there: "
        f"{each.path}",
        *_place(edit, name),
        hint="mount it at the same path, or say `sees_files: true` in a profile; where it does no harm, "
        "--allow executor.reach --reason '…'",
        allowable=True,
    )
