"""What a visitor can do, each as the verb of the command line that does it.

Every method raises what that verb would end with: SpecError, NotFound, Refused, NothingToDo, PlanMoved, Busy,
StoreError, UsageError, or TooSlow for one that goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from starlette.requests import Request

from dagfs.engine.profiles import is_path
from dagfs.errors import ExitCode, UsageError
from dagfs.web.commands import Commands, TooSlow
from dagfs.web.site import site_of, via

PLANNED = (ExitCode.DONE, ExitCode.REFUSED, ExitCode.NOTHING_TO_DO)
"""What `dagfs plan` exits with where there is a plan to show."""
_STOP_SEC = 3.0


class Actions:
    """The verbs, for one visitor."""

    def __init__(self, commands: Commands, via: str) -> None:
        """`via` is what stands in records beside the user: `web@ADDRESS`."""
        self._commands, self._via = commands, f"--via={via}"

    # -- making runs ----------------------------------------------------------------------------

    async def run(
        self, dag: str, params: Mapping[str, str], *, id: str = "", reason: str = "", profile: str = ""
    ) -> str:
        """Start a run of a DAG; its id, as soon as it exists. Parameters `1`, `2`, … are positional."""
        _require_name(profile)
        words = [*_given(id=id, reason=reason, profile=profile), *_params(params)]
        return await self._id("run", "--detach", self._via, *words, "--", dag, *_by_place(params))

    async def enqueue(
        self,
        dag: str,
        params: Mapping[str, str],
        *,
        id: str = "",
        reason: str = "",
        profile: str = "",
        queue: str = "",
        priority: str = "",
    ) -> str:
        """Put a run in a queue; its id."""
        _require_name(profile)
        words = _given(id=id, reason=reason, profile=profile, queue=queue, priority=priority)
        return await self._id("enqueue", *words, *_params(params), "--", dag, *_by_place(params))

    async def rerun(self, run: str, options: Sequence[str] = ()) -> str:
        """A new run like an earlier one, with the options of `dagfs rerun`; its id."""
        return await self._id("rerun", "--detach", self._via, *options, "--", run)

    async def foresee(self, run: str, options: Sequence[str] = ()) -> str:
        """What `rerun` would do, as `dagfs rerun --dry-run` says it."""
        words = ("rerun", "--dry-run", *options, "--", run)
        return (await self._commands.call(*words, fine=PLANNED)).decode("utf-8", "replace")

    # -- going on with a run --------------------------------------------------------------------

    async def plan(self, run: str, options: Sequence[str] = (), spec: bytes | None = None) -> dict[str, Any]:
        """What a retry would do, as `dagfs plan --json` says it; for `spec` in place of spec.next.yaml."""
        words = ("plan", *_spec(spec), *options, "--", run)
        found: dict[str, Any] = await self._commands.data(*words, text=spec or b"", fine=PLANNED)
        return found

    async def retry(
        self, run: str, options: Sequence[str] = (), spec: bytes | None = None, plan_id: str = ""
    ) -> None:
        """Continue a run; back once its attempt exists. With `plan_id` only if that still is the plan."""
        words = [*_spec(spec), *_given(plan=plan_id), *options]
        await self._commands.call("retry", "--detach", self._via, *words, "--", run, text=spec or b"")

    async def approve(self, run: str, step: str, inputs: Mapping[str, str], reason: str = "") -> None:
        """Let a waiting step go on."""
        given = [f"--input={name}={value}" for name, value in inputs.items()]
        await self._answer("approve", run, step, [*given, *_given(reason=reason)])

    async def reject(self, run: str, step: str, reason: str = "") -> None:
        """Refuse what a waiting step asks."""
        await self._answer("reject", run, step, list(_given(reason=reason)))

    async def _answer(self, verb: str, run: str, step: str, words: Sequence[str]) -> None:
        names = [run, step] if step else [run]
        await self._commands.call(verb, "--detach", self._via, *words, "--", *names)

    async def stop(self, run: str, *, kill: bool = False) -> bool:
        """Stop a run; whether it has ended already. What takes longer goes on."""
        try:
            await self._commands.call("stop", *(["--kill"] if kill else []), "--", run, patience=_STOP_SEC)
        except TooSlow:
            return False
        return True

    async def mark(
        self, run: str, step: str, state: str, reason: str, outputs: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Say how a step stands; the marking, as `dagfs mark --json` says it."""
        given = [f"--output={name}={value}" for name, value in (outputs or {}).items()]
        words = ("mark", self._via, f"--reason={reason}", *given, "--", run, step, state)
        found: dict[str, Any] = await self._commands.data(*words)
        return found

    async def revert(self, run: str, version: str) -> None:
        """Make an older version of its spec the edit that waits for a retry. Refused where there is one."""
        await self._commands.call("spec", "revert", "--", run, version)

    # -- what starts by itself ------------------------------------------------------------------

    async def pause(self, dag: str, reason: str = "") -> None:
        """Have a DAG not started by itself."""
        await self._commands.call("pause", *_given(reason=reason), "--", dag)

    async def resume(self, dag: str) -> None:
        """Have a paused DAG started by itself again."""
        await self._commands.call("resume", "--", dag)

    async def hold_queue(self, queue: str) -> None:
        """Start nothing from a queue."""
        await self._commands.call("queue", "pause", "--", queue)

    async def release_queue(self, queue: str) -> None:
        """Start from a held queue again."""
        await self._commands.call("queue", "resume", "--", queue)

    async def dequeue(self, run: str) -> None:
        """Take a run out of its queue."""
        await self._commands.call("queue", "rm", "--", run)

    # -- looking --------------------------------------------------------------------------------

    async def data(self, *words: str, text: bytes = b"", fine: Sequence[int] = (ExitCode.DONE,)) -> Any:
        """What a verb that only looks prints with `--json`."""
        return await self._commands.data(*words, text=text, fine=fine)

    async def _id(self, *words: str) -> str:
        """The id that a verb prints last."""
        lines = (await self._commands.call(*words)).decode("utf-8", "replace").split()
        return lines[-1] if lines else ""


def _require_name(profile: str) -> None:
    """UsageError for a profile that is a file: it could be anybody's, and say which programs run."""
    if is_path(profile):
        raise UsageError(
            "a profile is named here, not given as a file",
            hint="put it into profiles/ of the home, or under `profiles:` in dagfs.yaml",
        )


def actions_of(request: Request) -> Actions:
    """What the visitor behind a request can do."""
    return Actions(site_of(request).commands, via(request))


def _given(**values: str) -> Iterator[str]:
    """Options with their values in one word each, so that one that begins with a dash stays a value."""
    return (f"--{name}={value}" for name, value in values.items() if value)


def _spec(spec: bytes | None) -> tuple[str, ...]:
    return () if spec is None else ("--spec=-",)


def _params(params: Mapping[str, str]) -> list[str]:
    return [f"--param={name}={value}" for name, value in params.items() if not name.isdecimal()]


def _by_place(params: Mapping[str, str]) -> list[str]:
    numbers = sorted((name for name in params if name.isdecimal()), key=int)
    return [params[name] for name in numbers]
