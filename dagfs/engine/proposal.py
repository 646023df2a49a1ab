"""Reads what a retry would start from and plans it. Nothing on disk changes here."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from dagfs.engine.bootstrap import Engine
from dagfs.engine.changing import amended, check_wrapper, overridden, with_followers
from dagfs.engine.choosing import located
from dagfs.engine.doubling import doubled
from dagfs.engine.environment import inherited
from dagfs.engine.evidence import gather
from dagfs.engine.preflight import Terrain, sites
from dagfs.engine.profiles import digest, find_profile
from dagfs.engine.reading import reading_options
from dagfs.engine.valuation import Source, Values, evaluate, source_of
from dagfs.engine.view import View, view_run
from dagfs.errors import Busy, UsageError
from dagfs.model.dag import Dag
from dagfs.model.profile import Profile
from dagfs.model.run import Attempt, AttemptHeader
from dagfs.model.spelling import get_close_matches
from dagfs.model.value import field, frozen, replace
from dagfs.planning.answers import Answers
from dagfs.planning.compat import Basis, compare
from dagfs.planning.plan import ChildPlan, Plan, Verdict
from dagfs.planning.request import Request
from dagfs.planning.retry import plan_retry, with_findings
from dagfs.planning.selection import BadSelection, scope_of
from dagfs.spec.parse import read


@frozen
class Proposal:
    """A plan together with all that carrying it out takes."""

    plan: Plan
    view: View
    text: bytes
    sha256: str
    pending: bool
    """The text is that of spec.next.yaml, which the attempt will use up."""
    values: Values
    machine: Mapping[str, str] = field(repr=False, default_factory=dict)
    overrides: tuple[tuple[str, str], ...] = ()
    """The parameters given from outside."""
    given: Mapping[str, str] = field(default_factory=dict)
    children: Mapping[str, Proposal] = field(default_factory=dict)
    """What would become of children that do not stay as they are, by id."""
    profile: Profile = field(default_factory=Profile)
    """Where steps run in place of what the spec says."""
    is_saved: bool = False
    """The text is that of spec.next.yaml as it lies there."""
    is_edited: bool = False
    """Of a child: its own spec was edited, or steps of it selected."""


def propose_retry(
    engine: Engine,
    run_id: str,
    answers: Answers | None = None,
    *,
    spec: bytes | None = None,
    held: bool = False,
    overrides: tuple[tuple[str, str], ...] | None = None,
    given: Mapping[str, str] | None = None,
    everything: str = "",
    profile: Profile | None = None,
) -> Proposal:
    """What a retry of the run would do now. `spec` stands for spec.next.yaml; `held`: we own the run.

    `overrides` and `given` are what a child's parent gives it now; None for what it was given before.
    `everything` is the reason why nothing at all is kept, or empty. `profile` stands for that of the answers.

    Raises Busy while another engine is at work, SpecError for a bad edit.
    """
    store = engine.home.store
    view = view_run(store, run_id, held=held)
    if view.owner is not None:
        raise Busy(
            f"run {run_id} is running: {view.owner}",
            hint=f"wait for its end or `dagfs stop {run_id}`; an edit of spec.next.yaml waits that long",
        )
    base = view.run.last
    old = store.dag(run_id, base.n)
    said = answers or Answers()
    if said.selection and "/" not in run_id:
        said = replace(said, selection=located(said.selection, store, view))
    pending = spec if spec is not None else store.read_next(run_id)
    is_saved = spec is None and pending is not None
    text = pending if pending is not None else store.spec(run_id, base.n)
    if (written := amended(text, said, old, pending)) is not None:
        text, pending, is_saved = written, written, False
    paths = store.paths(run_id)
    name = paths.next_spec.name if pending is not None else base.header.spec
    read_as = name if is_saved or spec is not None else f"{base.header.spec} (as changed)"
    dag = _read(engine, run_id, text, paths.root / read_as, old) if pending is not None else old
    header = base.header
    overrides = header.overrides if overrides is None else overrides
    given = header.given if given is None else given
    if (overrides, given) != (header.overrides, header.given):
        # A child that is given something else now: what was decided for its parameters was for that.
        header = replace(header, params={})
    overrides = overridden(overrides, said.params, dag) if said.params else overrides
    source = source_of(engine, dag, run_id, header.dag_dir, header.shell, name, given)
    values, machine = _values(replace(header, overrides=overrides), old, dag, source, dict(said.params))
    profile = find_profile(engine.home, said.profile) if profile is None else profile
    children = _children(engine, view, old, dag, said, profile)
    sha256 = hashlib.sha256(text).hexdigest()
    bases = _bases(engine, view)
    _check_selection(said, dag, base, run_id)
    check_wrapper(said, dag)
    wanted = _with_defaults(_checked(said, dag, engine), engine)
    evidence = gather(paths, view.run, cutoff=bool(wanted.cutoff))
    edit = compare(base, bases, Basis(dag, values.params), engine.plugins.classify, evidence)
    ran = (old, header.profile)
    terrain = Terrain(engine, dag, profile, values, paths, base.n + 1, base.steps, ran)
    edit = replace(edit, sites=sites(terrain))
    request = Request(
        run=run_id,
        spec=name,
        spec_sha256=sha256,
        answers=wanted,
        circumstances={
            **engine.plugins.versions,
            "dagfs.yaml": engine.home.settings.sha256,
            **({"profile": digest(profile)} if profile else {}),
        },
        children=tuple(
            ChildPlan(each.view.run.header.step, name, each.plan, each.is_edited)
            for name, each in children.items()
        ),
        everything=everything,
    )
    plan = plan_retry(edit, request, engine.plugins.check_edit)
    if more := doubled(engine, view.run, plan):
        plan = with_findings(plan, more)
    pinned = pending is not None
    return Proposal(
        *(plan, view, text, sha256, pinned, values, machine, overrides, given, children, profile),
        is_saved=is_saved,
    )


def _children(
    engine: Engine, view: View, old: Dag, new: Dag, answers: Answers, profile: Profile
) -> dict[str, Proposal]:
    """What would become of each child that is unfinished, or was edited, or of a step that was marked."""
    found: dict[str, Proposal] = {}
    for name, run in view.run.last.steps.items():
        step = new.by_name.get(name)
        if step is None or not step.calls:
            continue
        text = _own_text(old, new, name)
        for child in run.children.values():
            address = f"{view.run.id.partition('/')[0]}/{child.id}"
            paths = engine.home.store.paths(address)
            own = answers.of_child(child.id)
            edited = text is not None or paths.next_spec.exists() or bool(own.selection)
            doubtful = run.marking is not None and not run.state.is_success
            if not paths.root.is_dir() or not (edited or doubtful or not child.state.is_success):
                continue
            proposal = propose_retry(
                *(engine, address, own), spec=_edit(engine, address, text), held=True, profile=profile
            )
            if edited or not child.state.is_success or proposal.plan.verdict is not Verdict.NOTHING_TO_DO:
                found[child.id] = replace(proposal, is_edited=edited)
    return found


def _edit(engine: Engine, address: str, text: bytes | None) -> bytes | None:
    """The edit of a child: its own spec.next.yaml, else its text in its parent's edited spec."""
    return None if engine.home.store.paths(address).next_spec.exists() else text


def _own_text(old: Dag, new: Dag, step: str) -> bytes | None:
    """The new text of a sub-DAG that stands in its parent's file, where it was edited there."""
    before, after = (
        each.by_name[step].call.body or each.locals.get(each.by_name[step].call.dag)
        for each in (old, new)
        if step in each.by_name
    )
    return after.encode() if after is not None and before != after else None


def _read(engine: Engine, run_id: str, text: bytes, path: Path, old: Dag) -> Dag:
    """The edited spec, read as the run's first one was."""
    options = reading_options(
        engine.home,
        old.dialect,
        old.type,
        name=old.name,
        executors=engine.plugins.executors,
        child="/" in run_id,
        run=run_id,
    )
    return read(text, _short(path), options=options)


def _short(path: Path) -> str:
    """The path as a person would type it."""
    try:
        relative = os.path.relpath(path)
    except OSError:
        return str(path)
    return relative if not relative.startswith("../..") else str(path)


def _values(
    header: AttemptHeader, old: Dag, new: Dag, source: Source, anew: Mapping[str, str]
) -> tuple[Values, Mapping[str, str]]:
    """The new spec's values: what was decided for a parameter stays, unless its own line changed.

    Those given `anew` get their value, and those that refer to them follow.
    """
    before = {param.name: (param.value, param.eval) for param in old.params}
    after = {param.name: (param.value, param.eval) for param in new.params}
    given = {name for name, _ in header.overrides}
    pinned = {
        name: value
        for name, value in header.params.items()
        if name in given or (name in after and before.get(name) == after[name])
    }
    for name in with_followers(anew, new) - given if anew else ():
        pinned.pop(name, None)
    pinned |= anew
    machine = inherited(os.environ)
    return evaluate(new, source, os.environ, header.overrides, pinned), machine


def _bases(engine: Engine, view: View) -> dict[int, Basis]:
    """Every attempt that kept work answers to, read once each."""
    headers = {attempt.n: attempt.header for attempt in view.run.attempts}
    numbers = {view.run.last.n} | {
        step.basis for step in view.run.last.steps.values() if step.basis in headers
    }
    dags: dict[str, Dag] = {}
    found = {}
    for n in sorted(numbers):
        header = headers[n]
        if header.spec_sha256 not in dags:
            dags[header.spec_sha256] = engine.home.store.dag(view.run.id, n)
        found[n] = Basis(dags[header.spec_sha256], header.params)
    return found


def _checked(answers: Answers, dag: Dag, engine: Engine) -> Answers:
    """The answers with steps by name; UsageError for one about a step or a rule that there is not."""
    rules = engine.plugins.rules
    for rule in answers.allow:
        if rule not in rules:
            near = get_close_matches(rule, rules, 1)
            raise UsageError(f"--allow {rule}: no such rule", hint=_did_you_mean(near, rules))
    for step, _ in answers.on_stale:
        if step != "*" and "/" not in step and step not in dag.names:
            near = get_close_matches(step, dag.names, 1)
            raise UsageError(f"--on-stale {step}=…: no such step", hint=_did_you_mean(near, dag.by_name))
    for step in answers.acknowledged:
        if "/" not in step and step not in dag.names:
            near = get_close_matches(step, dag.names, 1)
            raise UsageError(f"--ack {step}: no such step", hint=_did_you_mean(near, dag.by_name))
    return replace(
        answers,
        on_stale=tuple((dag.names.get(step, step), answer) for step, answer in answers.on_stale),
        acknowledged=tuple(dag.names.get(step, step) for step in answers.acknowledged),
    )


def _check_selection(answers: Answers, dag: Dag, attempt: Attempt, run_id: str) -> None:
    """UsageError for a selection of steps that there are not."""
    try:
        scope_of(answers.selection, dag, {name: step.state for name, step in attempt.steps.items()})
    except BadSelection as error:
        where = f"{run_id}: " if "/" in run_id else ""
        raise UsageError(f"{where}{error}", hint=error.hint or None) from None


def _did_you_mean(near: Sequence[str], known: Iterable[str]) -> str:
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"


def _with_defaults(answers: Answers, engine: Engine) -> Answers:
    """The home's standing answers, behind the ones given now."""
    settings = engine.home.settings
    on_stale = (
        (("*", settings.on_stale), *answers.on_stale) if settings.on_stale != "error" else answers.on_stale
    )
    allow = tuple(dict.fromkeys((*settings.allow, *answers.allow)))
    cutoff = (True if settings.cutoff else None) if answers.cutoff is None else answers.cutoff
    return replace(answers, on_stale=on_stale, allow=allow, cutoff=cutoff)
