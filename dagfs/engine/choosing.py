"""Selections that name steps of children: which children those are, and where they stand below the run."""

from __future__ import annotations

from difflib import get_close_matches
from fnmatch import fnmatchcase

from dagfs.engine.view import View
from dagfs.errors import UsageError
from dagfs.model.value import replace
from dagfs.planning.selection import BadSelection, Selection
from dagfs.store.runs import RunStore


def located(selection: Selection, store: RunStore, view: View) -> Selection:
    """The same with each `CHILD/STEP` as a path from the run down. UsageError where there is none such."""
    try:
        below, terms = tuple(selection.below()), selection.own()
    except BadSelection as error:
        raise UsageError(str(error), hint=error.hint or None) from None
    if "/" in selection.to:
        raise UsageError(
            f"--to {selection.to}: only steps of the run itself can be a bound",
            hint="select steps of children with --from or --only",
        )
    paths = _paths(store, view) if below else {}
    for sign, pattern, rest in below:
        if not rest:
            raise UsageError(f"{pattern}/ names no step", hint=f"{pattern}/* are all of them")
        found = [path for child, path in paths.items() if path == pattern or fnmatchcase(child, pattern)]
        if not found and not any(f"{pattern}/{rest}".startswith(f"{path}/") for path in paths.values()):
            near = get_close_matches(pattern, paths, 1)
            known = ", ".join(list(paths)[:8]) + (" and more" if len(paths) > 8 else "")
            hint = f"did you mean {near[0]}/{rest}?" if near else f"there are {known or 'none'}"
            raise UsageError(f"run {view.run.id} has no child {pattern!r}", hint=hint)
        terms += [f"{sign}{path}/{rest}" for path in found or [pattern]]
    return replace(selection, steps=",".join(terms)) if below else selection


def _paths(store: RunStore, view: View) -> dict[str, str]:
    """Each child below the run by its id, with those that it stands below before it."""
    parents = {
        address.partition("/")[2]: store.header(address).parent.partition("/")[2]
        for address in store.children(view.run.id)
    }
    found: dict[str, str] = {}
    for child, parent in parents.items():
        path, above = child, parent
        while above in parents:
            path, above = f"{above}/{path}", parents[above]
        found[child] = path
    return found
