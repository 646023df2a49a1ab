"""The HTTP API against a running server: its description, runs from beginning to end, and waiting."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from intg.home import Home
from intg.web import Serving, serving
from tests.patience import eventually

SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))
RULES = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "304", "401", "403", "404", "409", "412", "422", "428", "429"]

# Whether options go together is for the command to say.
[[operations]]
include-operation-id = ["plan_retry", "retry_run", "rerun_run", "mark_step", "list_coming"]
checks.positive_data_acceptance.enabled = false
"""
BROKEN = """
    name: broken
    type: graph
    params: [{who: world}]
    steps:
      - name: greet
        run: echo "hello $who"; echo made > "$DAGFS_ARTIFACTS_DIR/a b.txt"
        output: GREETING
      - name: fail
        depends: greet
        run: echo oops >&2; exit 3
      - name: last
        depends: fail
        run: echo last
"""


def ran(home: Home) -> str:
    """The id of a run that has failed."""
    home.dag("broken", BROKEN)
    home.dagfs("run", "broken", "--id", "broken-1").exits(1)
    return "broken-1"


def checked(home: Home, server: Serving, *options: str) -> None:
    """Have schemathesis try the server, and hold it to its description."""
    folder = home.path.parent / "schemathesis"
    folder.mkdir(exist_ok=True)
    (folder / "schemathesis.toml").write_text(RULES)
    words = [SCHEMATHESIS, "--config-file", str(folder / "schemathesis.toml"), "run"]
    words += [
        f"{server.url}/api/v1/openapi.json",
        "-H",
        f"Authorization: Bearer {server.token}",
        "--seed",
        "7",
    ]
    words += ["--continue-on-failure", "--no-shrink", "--suppress-health-check", "all", *options]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]


def test_the_description_holds_for_whatever_is_asked(home: Home) -> None:
    run = ran(home)
    with serving(home) as server:
        checked(home, server, "--phases", "examples,coverage", "--include-method", "GET")
        pinned = server.get("/api/v1/openapi.json").json()
        for path in [path for path in pinned["paths"] if "{run}" in path]:
            answer = server.get(path.replace("{run}", run))
            assert answer.status_code < 500, path


def test_the_description_holds_for_whatever_is_done(home: Home) -> None:
    ran(home)
    with serving(home) as server:
        checked(home, server, "--phases", "fuzzing", "--max-examples", "4", "--exclude-method", "GET")


def test_a_run_is_started_mended_and_continued(home: Home) -> None:
    home.dag("broken", BROKEN)
    with serving(home) as server:
        made = server.post("/api/v1/runs", {"dag": "broken", "params": {"who": "you"}})
        assert made.status_code == 201
        run = made.json()["run"]
        where = made.headers["location"]
        assert where == f"/api/v1/runs/{run}"
        eventually(lambda: server.get(where).json()["state"] == "failed", "the failure")
        status = server.get(where).json()
        assert status == home.dagfs("status", run, "--json").json
        assert server.get(f"{where}/record").json() == home.dagfs("show", run, "--json").json
        assert server.get(f"{where}/log?step=fail&stream=stderr").text == "oops\n"
        log = server.get(f"{where}/log?step=greet&offset=6&limit=3")
        assert (log.text, log.headers["x-dagfs-next-offset"]) == ("you", "9")
        assert (log.headers["x-dagfs-size"], log.headers["x-dagfs-goes-on"]) == ("10", "false")
        assert server.get(f"{where}/outputs").json()["steps"] == {"greet": {"GREETING": "hello you"}}
        _mend(server, where)
        retried = server.post(f"{where}/retry", {"reason": "mended"})
        assert (retried.status_code, retried.json()["attempt"]) == (202, 2)
        eventually(lambda: server.get(where).json()["state"] == "succeeded", "the success")
        actor = server.get(f"{where}/attempts").json()[1]["actor"]
        assert (actor["source"], actor["remote"]) == ("web", "127.0.0.1")
        versions = [each["spec"] for each in server.get(f"{where}/specs").json()]
        assert versions == ["spec.v1.yaml", "spec.v2.yaml"]
        changes = server.get(f"{where}/diff").json()["changes"]
        assert [(each["step"], each["field"]) for each in changes] == [("fail", "command")]
        assert server.post(f"{where}/retry").json()["error"]["code"] == "nothing_to_do"


def _mend(server: Serving, where: str) -> None:
    text = server.get(f"{where}/specs/v1").text.replace("exit 3", "exit 0")
    with server.client() as client:
        saved = client.put(f"{where}/specs/next", content=text, headers={"Content-Type": "application/yaml"})
        assert saved.status_code == 201
        again = client.put(f"{where}/specs/next", content="x", headers={"Content-Type": "application/yaml"})
        assert (again.status_code, again.json()["error"]["code"]) == (428, "precondition_required")
        old = {"Content-Type": "application/yaml", "If-Match": '"0123"'}
        assert client.put(f"{where}/specs/next", content="x", headers=old).status_code == 412
        seen = client.get(f"{where}/specs/next")
        assert seen.text == text
        same = {"Content-Type": "application/yaml", "If-Match": seen.headers["etag"]}
        assert client.put(f"{where}/specs/next", content=text, headers=same).status_code == 200
    plan = server.post(f"{where}/plan").json()
    assert [each["action"] for each in plan["steps"]] == ["keep", "run", "run"]
    wrong = server.post(f"{where}/plan", {"spec": text.replace("run: echo last", "runn: echo last")})
    assert wrong.status_code == 422
    assert wrong.json()["error"]["problems"][0]["line"] > 1


def test_whoever_waits_hears_of_what_changes_and_nothing_else(home: Home) -> None:
    gate = home.file("gate")
    home.dag("slow", f"steps: [{{name: wait, run: 'until test -e {gate}; do sleep 0.05; done'}}]")
    with serving(home) as server:
        run = server.post("/api/v1/runs", {"dag": "slow"}).json()["run"]
        where = f"/api/v1/runs/{run}"
        eventually(lambda: server.get(where).json()["steps"]["wait"]["state"] == "running", "its beginning")
        heard: list[httpx.Response] = []

        def listen() -> None:
            with server.client() as client:
                etag = client.get(where).headers["etag"]
                answer = client.get(f"{where}?wait=25", headers={"If-None-Match": etag})
                while answer.status_code == 304 or answer.json()["state"] != "succeeded":
                    etag = answer.headers["etag"]
                    answer = client.get(f"{where}?wait=25", headers={"If-None-Match": etag})
                heard.append(answer)

        tabs = [threading.Thread(target=listen) for _ in range(12)]
        for tab in tabs:
            tab.start()
        with server.client() as client:
            etag = client.get(where).headers["etag"]
            assert client.get(f"{where}?wait=1", headers={"If-None-Match": etag}).status_code == 304
            assert client.get("/healthz").text == "ok\n"
        gate.touch()
        for tab in tabs:
            tab.join(30)
        assert [answer.json()["state"] for answer in heard] == ["succeeded"] * 12


def test_events_and_logs_are_followed_by_offset(home: Home) -> None:
    gate = home.file("gate")
    home.dag(
        "slow",
        f"steps: [{{name: talk, run: 'echo one; until test -e {gate}; do sleep 0.05; done; echo two'}}]",
    )
    with serving(home) as server:
        where = f"/api/v1/runs/{server.post('/api/v1/runs', {'dag': 'slow'}).json()['run']}"
        eventually(lambda: server.get(f"{where}/log?step=talk").text == "one\n", "the first line")
        first = server.get(f"{where}/events").json()
        assert first["goes_on"] is True
        gate.touch()
        assert server.get(f"{where}/log?step=talk&offset=4&wait=30").text == "two\n"
        events, at = list(first["events"]), first["next"]
        while True:
            more = server.get(f"{where}/events?offset={at}&wait=30").json()
            events, at = events + more["events"], more["next"]
            if not more["goes_on"]:
                break
        assert [each["n"] for each in events] == list(range(1, len(events) + 1))
        assert events[-1]["event"] == "attempt_finished"


def test_a_server_that_ends_keeps_nobody_waiting(home: Home) -> None:
    gate = home.file("gate")
    home.dag("slow", f"steps: [{{name: wait, run: 'until test -e {gate}; do sleep 0.05; done'}}]")
    answers: list[Any] = []
    with serving(home) as server:
        where = f"/api/v1/runs/{server.post('/api/v1/runs', {'dag': 'slow'}).json()['run']}"
        eventually(lambda: server.get(where).json()["steps"]["wait"]["state"] == "running", "its beginning")
        waiting = threading.Event()

        def listen() -> None:
            with server.client() as client:
                etag = client.get(where).headers["etag"]
                waiting.set()
                answers.append(client.get(f"{where}?wait=60", headers={"If-None-Match": etag}).status_code)

        tab = threading.Thread(target=listen)
        tab.start()
        assert waiting.wait(30)
    gate.touch()
    tab.join(30)
    assert not tab.is_alive()
    home.dagfs("wait", "@").exits(0)


def test_a_key_makes_one_run_whoever_is_asked(home: Home) -> None:
    home.dag("quick", "steps: [{name: a, run: 'true'}]")
    headers = {"Idempotency-Key": "7d1f"}
    made = []
    for _ in range(2):
        with serving(home) as server, server.client() as client:
            for _ in range(2):
                answer = client.post("/api/v1/runs", json={"dag": "quick"}, headers=headers)
                assert answer.status_code == 201
                made.append(answer.json()["run"])
            other = client.post("/api/v1/runs", json={"dag": "quick", "reason": "x"}, headers=headers)
            assert (other.status_code, other.json()["error"]["code"]) == (422, "key_reused")
    assert len(set(made)) == 1
    eventually(lambda: home.status()["state"] == "succeeded", "its end")
    assert len(home.runs()) == 1


def test_the_list_of_runs_goes_on_where_it_ended(home: Home) -> None:
    home.dag("quick", "steps: [{name: a, run: 'true'}]")
    for n in range(5):
        home.dagfs("run", "quick", "--id", f"quick-{n}").exits(0)
    with serving(home) as server:
        seen, cursor = [], ""
        while cursor is not None:
            found = server.get(f"/api/v1/runs?limit=2{cursor and f'&cursor={cursor}'}").json()
            seen += [each["run"] for each in found["runs"]]
            cursor = found["next"]
        assert seen == [f"quick-{n}" for n in (4, 3, 2, 1, 0)]
        assert server.get("/api/v1/runs?state=failed").json() == {"runs": [], "next": None}


def test_children_have_addresses_of_their_own(home: Home) -> None:
    home.dag("child", "steps: [{name: inner, run: 'echo from below'}]")
    home.dag("family", "steps: [{name: call, call: child}]")
    home.dagfs("run", "family").exits(0)
    run = home.run.name
    with serving(home) as server:
        (child,) = server.get(f"/api/v1/runs/{run}/children").json()
        assert child["run"].startswith(f"{run}/")
        for address in (child["run"], child["run"].replace("/", "%2F")):
            assert server.get(f"/api/v1/runs/{address}").json()["state"] == "succeeded"
            assert server.get(f"/api/v1/runs/{address}/log?step=inner").text == "from below\n"


def test_artifacts_are_saved_and_never_shown_and_no_link_leads_out(home: Home) -> None:
    secret = home.file("secret")
    secret.write_text("nobody's business")
    home.dag(
        "arty",
        f"""
        steps:
          - name: make
            run: |
              cd "$DAGFS_ARTIFACTS_DIR"
              mkdir sub; echo '<script>alert(1)</script>' > 'sub/a "b".html'
              ln -s {secret} link; ln -s {secret.parent} folder; ln -s / root; mkfifo pipe
        """,
    )
    home.dagfs("run", "arty").exits(0)
    with serving(home) as server, server.client() as client:
        where = f"/api/v1/runs/{home.run.name}"
        (only,) = client.get(f"{where}/artifacts").json()
        assert (only["path"], only["size"], len(only["sha256"])) == ('sub/a "b".html', 26, 64)
        asked = {"step": "make", "path": only["path"]}
        found = client.get(f"{where}/artifact", params=asked)
        assert found.text == "<script>alert(1)</script>\n"
        assert found.headers["content-disposition"].startswith("attachment; filename=")
        assert found.headers["content-type"] == "application/octet-stream"
        assert "sandbox" in found.headers["content-security-policy"]
        odd = (
            "link",
            "folder/secret",
            f"root{secret}",
            "pipe",
            "sub",
            "../stdout.log",
            str(secret),
            "",
            "sub/../link",
        )
        for path in (*odd, "a\0b", "..", "x" * 5000, "sub//a"):
            assert client.get(f"{where}/artifact", params={"step": "make", "path": path}).status_code == 404


@pytest.mark.parametrize("path", ["/metrics", "/api/v1/metrics"])
def test_figures_are_there_for_who_collects_them(path: str, home: Home) -> None:
    run = ran(home)
    assert run
    with serving(home) as server:
        answer = server.get(path)
        assert 'dagfs_runs{dag="broken",state="failed"} 1' in answer.text
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert json.loads(server.get("/api/v1/checks").text)[0]["name"] == "version"
