"""Going on with a run: the plan of a retry, the retry, and a new run like it."""

from __future__ import annotations

from typing import Any

from dagfs.web.api.operation import PREFIX, Answer, Body, Call, Reply, act
from dagfs.web.api.place import RUN, run_of
from dagfs.web.api.runs import CREATED, ID, started
from dagfs.web.api.shapes import ANSWERS, CHANGES, PARAMS, SELECTION, TEXT, WHOLE, having, ref, said, taking
from dagfs.web.api.words import EDITS, words_of
from dagfs.web.problem import Told
from dagfs.web.role import Role
from dagfs.web.route import LARGEST_SPEC_BODY


async def plan_retry(call: Call) -> Any:
    run, spec = run_of(call), _spec(call)
    return await call.actions.plan(run.partition("/")[0], words_of(call.body), spec)


async def retry_run(call: Call) -> Reply:
    root, spec = run_of(call).partition("/")[0], _spec(call)
    await call.actions.retry(root, words_of(call.body), spec, call.body.get("plan", ""))
    attempt = max(call.site.home.paths.run(root).attempt_numbers(), default=1)
    return Reply({"run": root, "attempt": attempt}, 202, {"Location": f"{PREFIX}/runs/{root}"})


async def rerun_run(call: Call) -> Reply:
    run, body = run_of(call), call.body
    words = words_of(body) + ((f"--id={body['id']}",) if body.get("id") else ())
    return started(await call.actions.rerun(run, words))


def _spec(call: Call) -> bytes | None:
    """The text in place of the pending edit. Told where the visitor may not change a spec."""
    edits = [name for name in EDITS if name in call.body]
    if edits and call.role < Role.EDIT:
        raise Told("forbidden", f"the role `{call.role.word}` may not change a spec: {', '.join(edits)}")
    return call.body["spec"].encode() if "spec" in call.body else None


_RETRY = {**ANSWERS, **SELECTION, **CHANGES}
_EXAMPLE = {"on_stale": "rerun", "reason": "the source is back"}
OPERATIONS = (
    act(
        "/runs/{run:address}/plan",
        plan_retry,
        "What a retry would do with each step, and why",
        Answer("The plan; nothing has changed.", ref("Plan")),
        RUN,
        body=Body(taking({}, _RETRY), _EXAMPLE),
        errors=("spec_invalid", "refused"),
        about="It is for the pending edit, for `spec` where that is given, else for the spec as it is. "
        "Commands in `env:` are run for it, so it needs the role `run`, and `edit` for a `spec`.",
        shell="dagfs plan RUN --json",
        largest=LARGEST_SPEC_BODY,
    ),
    act(
        "/runs/{run:address}/retry",
        retry_run,
        "Continue a run; finished work is kept",
        Answer(
            "Its new attempt is there.",
            having({"run": TEXT, "attempt": WHOLE}),
            status=202,
            headers={"Location": "Where its status is."},
        ),
        RUN,
        body=Body(
            taking(
                {},
                {
                    **_RETRY,
                    "plan": said(
                        "Only if the plan is this one.", {"type": "string", "pattern": "^[0-9a-f]{16}$"}
                    ),
                },
            ),
            _EXAMPLE,
        ),
        errors=("spec_invalid", "refused", "nothing_to_do", "plan_moved", "busy"),
        shell="dagfs retry RUN --detach",
        largest=LARGEST_SPEC_BODY,
    ),
    act(
        "/runs/{run:address}/rerun",
        rerun_run,
        "Make a new run like this one",
        CREATED,
        RUN,
        body=Body(
            taking(
                {},
                {
                    **ANSWERS,
                    **SELECTION,
                    "params": PARAMS,
                    "latest": said("Use the DAG's file as it is now.", {"type": "boolean"}),
                    "id": ID,
                },
            ),
            {"latest": True},
        ),
        errors=("spec_invalid", "refused", "nothing_to_do"),
        shell="dagfs rerun RUN --detach",
    ),
)
