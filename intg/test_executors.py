"""Steps that are no shell commands: http, mail, jq, archive, python and noop, with real servers."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from intg.home import Home
from tests.executors.servers import post, web


def test_an_api_is_asked_filtered_and_packed(home: Home) -> None:
    with web() as site:
        home.dag(
            "api",
            f"""
            type: graph
            params: [CITY=Oslo]
            steps:
              - name: ask
                type: http
                with:
                  silent: true
                  query: {{city: "${{CITY}}"}}
                  headers: {{Authorization: "Bearer ${{TOKEN}}"}}
                run: GET {site.url("/weather")}
                env: [TOKEN: hush-hush]
                output: ANSWER
              - name: pick
                type: jq
                with: {{raw: true}}
                depends: ask
                script: ${{ANSWER}}
                run: .path
                output: PATH_ASKED
              - name: keep
                depends: pick
                run: echo "$PATH_ASKED" > "$DAG_DESK/kept.txt"
              - name: pack
                type: archive
                depends: keep
                working_dir: {home.file("")}
                with: {{source: kept.txt, destination: kept.tar.gz}}
                run: create
              - name: done
                type: noop
                depends: pack
            """,
        )
        home.dagfs("run", "api", "-p", "CITY=New York & co").exits(0)
    assert site.heard[0]["headers"]["Authorization"] == "Bearer hush-hush"
    assert home.lines("kept.txt") == ["/weather?city=New+York+%26+co"]
    assert home.file("kept.tar.gz").exists()


def test_a_request_that_fails_is_tried_again_and_says_why(home: Home) -> None:
    with web() as site:
        home.dag(
            "flaky",
            f"""
            steps:
              - name: ask
                type: http
                with: {{silent: true}}
                run: GET {site.url("/status/503")}
                retry_policy: {{limit: 2, interval_sec: 0}}
            """,
        )
        home.dagfs("run", "flaky").exits(1)
        assert len(site.heard) == 3
    assert home.log("ask", stream="stderr").count("was answered with 503") == 3


def test_settings_that_do_not_fit_are_found_before_anything_runs(home: Home) -> None:
    home.dag(
        "bad",
        """
        steps:
          - {name: a, type: http, with: {timout: 3}, run: FETCH x}
          - {name: b, type: mail, with: {subject: s}}
          - {name: c, type: archive, with: {source: x, destination: y, format: rar}, run: create}
          - {name: d, type: python, run: "os.system('x')"}
          - {name: e, action: http.request, with: {url: "ftp://x"}}
          - {name: f, type: mail, with: {to: ops, smtp: {host: h}}}
        """,
    )
    home.dagfs("validate", "bad").exits(3).says(
        "the http executor has no setting 'timout'; did you mean 'timeout'?",
        "'FETCH' is no method",
        "mail needs `to`",
        "there is no mail server: give the DAG `smtp: {host: …}`",
        "'ftp://x' is no http or https address",
        "to 'ops' is no mail address",
        "not 'rar'",
        "neither module:function nor a script",
    )


def test_a_python_function_gets_parameters_and_gives_outputs(home: Home) -> None:
    home.dag(
        "py",
        """
        type: graph
        params: [N=20, NAME=Ann]
        steps:
          - name: count
            type: python
            run: job:count
          - name: after
            depends: count
            run: test "$total" = 40 && test "$who" = "Ann's"
        """,
    )
    (home.path / "dags/job.py").write_text(
        "def count(N: int, NAME):\n    return {'total': N * 2, 'who': NAME + \"'s\"}\n"
    )
    home.dagfs("run", "py").exits(0)


def test_a_step_and_the_run_itself_send_mail(home: Home) -> None:
    with post() as office:
        home.dag(
            "letters",
            f"""
            type: graph
            smtp: {{host: 127.0.0.1, port: "{office.port}"}}
            mail_on: {{failure: true, success: true}}
            error_mail: {{from: dag@x.test, to: oncall@x.test, prefix: "[ERROR]", attach_logs: true}}
            info_mail: {{from: dag@x.test, to: [team@x.test], prefix: "[INFO]"}}
            steps:
              - name: tell
                type: mail
                with: {{from: dag@x.test, to: ann@x.test, subject: hello, message: "it is ${{WHAT}}"}}
                env: [WHAT: done]
              - name: work
                run: echo working; test -e "$DAG_DESK/go"
                mail_on_error: true
            """,
        )
        home.dagfs("run", "letters").exits(1)
        home.file("go").touch()
        home.dagfs("retry", "@").exits(0)
    said = {letter["Subject"]: letter for _, _, letter in office.letters}
    run = home.run.name
    assert set(said) == {
        "hello",
        f"[ERROR] letters: work failed ({run})",
        f"[ERROR] letters failed ({run})",
        f"[INFO] letters succeeded ({run})",
    }
    text, *attached = said[f"[ERROR] letters failed ({run})"].iter_parts()
    assert "work  failed" in text.get_content()
    assert "working\n" in [each.get_content() for each in attached]
    assert said["hello"].get_content() == "it is done\n"


def test_mail_that_cannot_be_sent_changes_no_run(home: Home) -> None:
    home.dag(
        "deaf",
        """
        smtp: {host: 127.0.0.1, port: "1"}
        mail_on: {success: true}
        info_mail: {from: a@x.test, to: b@x.test}
        steps: [{name: a, run: 'true'}]
        """,
    )
    home.dagfs("run", "deaf").exits(0)
    notices = [each["message"] for each in home.journal() if each["event"] == "notice"]
    assert notices == ["plugin mail_on: notify: mail: Connection refused"]
    home.dagfs("fsck").exits(0)


def test_steps_in_flight_when_the_engine_is_killed_go_on_and_are_adopted(home: Home) -> None:
    """Each of them waits for the story: an answer that is held back, or the other end of a pipe."""
    pipes = {name: home.file(name) for name in ("words", "numbers.json", "packed.tar.gz.part")}
    for path in pipes.values():
        os.mkfifo(path)
    home.file("call.py").write_text(f"print('python', open({str(pipes['words'])!r}).read())\n")
    home.file("some.txt").write_text("packed\n")
    with web() as site:
        home.dag(
            "flight",
            f"""
            type: graph
            working_dir: {home.file("")}
            steps:
              - {{name: ask, type: http, run: GET {site.url("/held")}}}
              - {{name: call, type: python, run: call.py}}
              - {{name: pick, type: jq, with: {{input: numbers.json}}, run: .n}}
              - name: pack
                type: archive
                with: {{source: some.txt, destination: packed.tar.gz}}
                run: create
              - {{name: after, depends: [ask, call, pick, pack], run: echo done}}
            """,
        )
        engine = home.start("run", "flight")
        engine.until(lambda: len(home.pids("dagfs-shim")) == 4 and bool(site.heard), "all four steps")
        engine.kill()
        home.dagfs("status", "@").says("interrupted", "step ask still running", "step pack still running")
        again = home.start("retry")
        again.until(lambda: sum(each["event"] == "step_adopted" for each in home.journal(2)) == 4, "adoption")
        site.go.set()
        pipes["words"].write_text("waited")
        pipes["numbers.json"].write_text('{"n": 7}')
        archive = pipes["packed.tar.gz.part"].read_bytes()
        again.wait().exits(0)
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        assert packed.getnames() == ["some.txt"]
    assert [each["path"] for each in site.heard] == ["/held"]
    assert home.log("call") == "python waited\n"
    assert home.log("pick") == "7\n"
    assert set(home.states().values()) == {"succeeded"}
    tries = {name: step["tries"] for name, step in home.status()["steps"].items()}
    assert set(tries.values()) == {1}


@pytest.mark.parametrize("executor", ["http", "python"])
def test_a_stopped_step_ends_at_once(home: Home, executor: str) -> None:
    with web() as site:
        (home.path / "dags").mkdir(exist_ok=True)
        (home.path / "dags/slow.py").write_text("import time\nprint('begun', flush=True)\ntime.sleep(600)\n")
        line = f"GET {site.url('/slow')}" if executor == "http" else "slow.py"
        home.dag("slow", f"steps: [{{name: a, type: {executor}, run: '{line}'}}]\n")
        engine = home.start("run", "slow")
        engine.until(lambda: bool(site.heard) or "begun" in home.log("a"), "the step's work")
        home.dagfs("stop", "@").exits(0)
        engine.wait().exits(143)
    assert home.states() == {"a": "aborted"}


def test_nothing_secret_is_an_argument_of_a_process(home: Home) -> None:
    with web() as site:
        home.dag(
            "quiet",
            f"""
            steps:
              - name: a
                type: http
                with: {{headers: {{Authorization: "${{TOKEN}}"}}}}
                run: GET {site.url("/slow")}
                env: [TOKEN: very-hush]
            """,
        )
        engine = home.start("run", "quiet")
        engine.until(lambda: bool(site.heard), "the request")
        words = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in home.processes()]
        assert any(b"child.http" in each for each in words)
        assert not any(b"very-hush" in each for each in words)
        home.dagfs("stop", "@", "--kill").exits(0)
        engine.wait()
    assert json.dumps(home.journal()).count("very-hush") == 0
