"""A run in the browser: watched live to its failure, its logs and questions, nothing hostile executed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from intg.home import Home
from intg.web import serving, visiting
from tests.patience import eventually

NARROW = {"viewport": {"width": 390, "height": 844}}
WATCHED = """
    name: watched
    type: graph
    steps:
      - name: fetch
        run: echo three orders
      - name: print
        depends: [fetch]
        run: |
          echo line one; echo line two
          while [ ! -e "$DAG_DESK/more" ]; do sleep 0.05; done
          echo a later line
          while [ ! -e "$DAG_DESK/end" ]; do sleep 0.05; done
          echo "the disk is full of orders" >&2
          exit 3
      - name: report
        depends: [print]
        run: echo never
    """


def run_url(home: Home) -> str:
    return f"/runs/{home.run.name}"


def test_a_run_started_elsewhere_is_watched_until_it_fails(home: Home, browser: Browser) -> None:
    home.dag("watched", WATCHED)
    engine = home.start("run", "watched")
    eventually(lambda: home.runs() and "line two" in home.log("print"), "the step that prints")
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        page.goto(run_url(home))
        expect(page.get_by_role("heading", level=1)).to_contain_text("running")
        # The step at work is the one that is shown, and its log is followed.
        expect(page.locator("#log .log-text")).to_contain_text("line two")
        home.file("more").touch()
        expect(page.locator("#log .log-text")).to_contain_text("a later line")
        expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
        home.file("end").touch()
        failed = page.get_by_role("region", name="How it stands")
        expect(failed).to_contain_text("Failed")
        expect(failed).to_contain_text("the disk is full of orders")
        expect(failed).to_contain_text("a later line")
        expect(failed).to_contain_text("exit 3")
        expect(failed.get_by_role("link", name="Edit spec and retry")).to_have_attribute(
            "href", f"{run_url(home)}/edit"
        )
        expect(failed.get_by_role("link", name="Retry…")).to_have_attribute("href", f"{run_url(home)}/retry")
        expect(failed).to_contain_text(f"dagfs retry {home.run.name}")
        expect(page.locator("#steps")).to_contain_text("upstream")
        # Now it is over, its stop button is gone and the page asks no more often than it must.
        expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(0)
    engine.wait().exits(1)


def test_a_click_on_a_box_and_the_arrow_keys_open_a_step(home: Home, browser: Browser) -> None:
    home.dag(
        "pair",
        """
        name: pair
        type: graph
        steps:
          - name: one
            run: echo printed by one
          - name: two
            depends: [one]
            run: echo printed by two
        """,
    )
    home.dagfs("run", "pair").exits(0)
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        page.goto(run_url(home))
        expect(page.locator("#log .log-text")).to_contain_text("printed by two")
        page.locator('#graph [data-step="one"] a').click()
        expect(page.locator("#detail h2")).to_have_text("one")
        expect(page.locator("#log .log-text")).to_contain_text("printed by one")
        assert "step=one" in page.url
        page.locator('#graph [data-step="one"] a').press("ArrowRight")
        page.keyboard.press("Enter")
        expect(page.locator("#log .log-text")).to_contain_text("printed by two")
        page.go_back()
        expect(page.locator("#detail h2")).to_have_text("one")
        # The same from the timeline, and the address works by itself.
        page.get_by_role("link", name="Timeline").click()
        page.locator(".lanes").get_by_role("link", name="two").click()
        expect(page.locator("#log .log-text")).to_contain_text("printed by two")
        page.reload()
        expect(page.locator("#detail h2")).to_have_text("two")
        expect(page.locator(".lanes li")).to_have_count(2)
        # What was chosen there is run again from there.
        page.get_by_role("link", name="Run again from here…").click()
        expect(page.locator("#plan")).to_contain_text("compatible: 1 kept, 1 to run")
        expect(page.locator("#plan .command")).to_contain_text("--from two")


LONG = """
    name: long
    steps:
      - name: print
        run: |
          i=0
          while [ $i -lt 60000 ]; do i=$((i+1)); echo "line $i of many, of which some are marked"; done
          echo "needle in the end"
      - name: two
        run: echo "needle, needle"
    """


def test_a_long_log_is_searched_filtered_and_read_backwards(home: Home, browser: Browser) -> None:
    home.dag("long", LONG)
    home.dagfs("run", "long").exits(0)
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        page.goto(f"{run_url(home)}/log?step=print")
        text = page.locator("#log .log-text")
        expect(text).to_contain_text("needle in the end")
        # Only its end is here, in whole lines.
        expect(text).not_to_contain_text("line 1 of many")
        first = (text.locator("pre").first.text_content() or "").split("\n")[0]
        assert re.fullmatch(r"line \d+ of many, of which some are marked", first), first
        find, found = page.get_by_label("Search in the log"), page.locator("[data-found]")
        find.fill("needle")
        expect(found).to_have_text("1")
        find.press("Enter")
        expect(found).to_have_text("1/1")
        find.fill("line 5999")
        expect(found).to_have_text("10")
        page.get_by_role("button", name="Next match").click()
        expect(found).to_have_text("1/10")
        page.get_by_role("button", name="Match before").click()
        expect(found).to_have_text("10/10")
        page.get_by_label("only matches").check()
        expect(text).not_to_contain_text("needle")
        expect(text).to_contain_text("line 59999")
        page.get_by_label("only matches").uncheck()
        find.fill("")
        before = text.locator("pre").count()
        page.get_by_role("link", name="Load what stands before").click()
        expect(text.locator("pre")).not_to_have_count(before)
        # Everything in one click, and as a file.
        whole = server.get(f"{run_url(home)}/log.txt")
        assert whole.headers["content-type"] == "text/plain; charset=utf-8"
        assert "==> print: succeeded" in whole.text
        assert "needle, needle" in whole.text
        assert whole.text.count("\n") > 60000
        with page.expect_download() as download:
            page.get_by_role("link", name="save").click()
        assert Path(download.value.path()).read_text() == home.log("print")


ODD = "<img src=x onerror=alert(1)>\"'&<b>"
HOSTILE = r"""
    name: hostile
    type: graph
    params:
      - word: "</script><script>alert(3)</script>"
    steps:
      - name: 'NAME'
        run: |
          printf '<script>alert(4)</script>\033[31mred\033[0m '
          printf '\033]0;title\007 \033]52;c;aGk=\007 \007bell \302\233 </pre>\n'
          printf '<img src=x onerror=alert(5)>\n' >&2
          echo 'WORD=<script>alert(6)</script>' >> "$DAGFS_OUTPUT"
          echo 'JSON={"a": "</pre><script>alert(7)</script>"}' >> "$DAGFS_OUTPUT"
          mkdir -p "$DAGFS_ARTIFACTS_DIR/sub"
          echo '<script>alert(8)</script>' > "$DAGFS_ARTIFACTS_DIR/sub/<b>page.html"
          ln -s /etc/passwd "$DAGFS_ARTIFACTS_DIR/passwd"
          exit 1
      - name: next
        depends: ['NAME']
        run: echo x
    """


def test_hostile_names_logs_outputs_and_artifacts_do_nothing(home: Home, browser: Browser) -> None:
    home.dag("hostile", HOSTILE.replace("NAME", ODD.replace("'", "''")))
    home.dagfs("run", "hostile").exits(1)
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        dialogs: list[str] = []
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        for view in ("graph", "timeline"):
            page.goto(f"{run_url(home)}?view={view}")
            expect(page.locator("#detail h2")).to_have_text(ODD)
            assert page.locator("img, #log script, #picture script").count() == 0
        page.get_by_role("link", name="stdout").first.click()
        text = page.locator("#log .log-text")
        expect(text).to_contain_text("<script>alert(4)</script>red   \\x07bell \\x9b </pre>")
        expect(page.locator("#more")).to_contain_text("<script>alert(6)</script>")
        expect(page.locator("#more")).to_contain_text("</pre><script>alert(7)</script>")
        # What a step has left is saved, never shown; and a link out of the folder is not there.
        expect(page.locator("#more").get_by_role("link", name="passwd")).to_have_count(0)
        link = page.get_by_role("link", name="sub/<b>page.html")
        href = link.get_attribute("href")
        assert href is not None
        answer = server.get(href)
        assert answer.headers["content-disposition"].startswith("attachment;")
        assert answer.headers["content-security-policy"].startswith("sandbox")
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.text == "<script>alert(8)</script>\n"
        for name in ("passwd", "../record.1", "sub/../../stdout.log", "/etc/passwd", "sub", "", "sub%00"):
            base = href.rpartition("name=")[0]
            assert server.get(f"{base}name={name}").status_code == 404, name
        page.get_by_role("link", name="raw").click()
        assert "<script>alert(4)</script>" in page.inner_text("body")
        for path in ("/events", "/log.txt"):
            page.goto(f"{run_url(home)}{path}")
            expect(page.locator("body")).to_contain_text("onerror")
        assert dialogs == []


ASKING = """
    name: asking
    steps:
      - name: check
        run: echo the total is 7
        approval:
          prompt: Is the <total> right?
          input: [REVIEWER]
          required: [REVIEWER]
      - name: publish
        run: echo "published by ${REVIEWER}"
    """


@pytest.mark.parametrize("scripts", [True, False])
def test_a_question_is_answered_on_the_page(home: Home, browser: Browser, scripts: bool) -> None:
    home.dag("asking", ASKING)
    home.dagfs("run", "asking").exits(6)
    options = {} if scripts else {"java_script_enabled": False}
    with serving(home) as server, visiting(browser, server, **options) as visitor:
        page = visitor.page
        page.goto(run_url(home))
        asked = page.get_by_role("region", name="A question")
        expect(asked).to_contain_text("Is the <total> right?")
        asked.get_by_label("REVIEWER").fill("ann")
        asked.get_by_label("Reason").fill("added up by hand")
        asked.get_by_role("button", name="Approve").click()
        page.wait_for_url(f"{server.url}{run_url(home)}")
        eventually(lambda: home.states()["publish"] == "succeeded", "the step behind it")
        if not scripts:
            page.reload()
        expect(page.locator("#notice")).to_contain_text("Succeeded")
        expect(page.locator("#attempts")).to_contain_text("approved step check with REVIEWER=ann")
        expect(page.locator("#attempts")).to_contain_text("added up by hand")
        expect(page.locator("#attempts")).to_contain_text("web from 127.0.0.1")


def test_without_scripts_everything_can_be_read_and_a_run_stopped(home: Home, browser: Browser) -> None:
    home.dag("slow", "steps:\n  - name: wait\n    run: echo begun; sleep 60\n")
    engine = home.start("run", "slow")
    eventually(lambda: home.runs() and "begun" in home.log("wait"), "the step")
    with serving(home) as server, visiting(browser, server, java_script_enabled=False) as visitor:
        page = visitor.page
        page.goto(run_url(home))
        expect(page.locator("#log")).to_contain_text("begun")
        page.get_by_role("link", name="Timeline").click()
        expect(page.locator(".lanes")).to_contain_text("wait")
        page.get_by_role("link", name="full").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("wait")
        page.go_back()
        page.get_by_role("button", name="Stop", exact=True).click()
        engine.wait()
        page.goto(run_url(home))
        expect(page.locator("#notice")).to_contain_text("Stopped")
        page.get_by_role("link", name="Events").click()
        expect(page.locator("table")).to_contain_text("stop requested")


def test_a_step_is_marked_by_hand_with_a_reason(home: Home, browser: Browser) -> None:
    home.dag("mark", "steps:\n  - name: load\n    run: exit 1\n")
    home.dagfs("run", "mark").exits(1)
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        page.goto(run_url(home))
        page.get_by_text("Mark it by hand…").click()
        page.get_by_label("It is").select_option("succeeded")
        page.locator("#mark-reason").fill("loaded by hand")
        page.get_by_role("button", name="Mark", exact=True).click()
        expect(page.locator("#detail")).to_contain_text("loaded by hand")
        expect(page.locator("#attempts")).to_contain_text("marked step load succeeded (was failed)")


def test_a_retry_is_seen_with_what_was_kept_and_both_attempts(home: Home, browser: Browser) -> None:
    home.dag(
        "again",
        """
        type: graph
        steps:
          - name: one
            run: echo first
          - name: two
            depends: [one]
            run: test -e "$DAG_DESK/there" || { echo not there; exit 4; }
        """,
    )
    home.dagfs("run", "again").exits(1)
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        page.goto(f"{run_url(home)}?view=timeline")
        expect(page.locator("#notice")).to_contain_text("exit 4")
        home.file("there").touch()
        home.dagfs("retry", home.run.name, "--reason", "it is there now").exits(0)
        expect(page.locator("#notice")).to_contain_text("Succeeded")
        expect(page.locator("#steps")).to_contain_text("kept from attempt 1")
        expect(page.locator("#attempts")).to_contain_text("it is there now")
        expect(page.locator(".axis")).to_contain_text("attempt 2")
        page.locator("#attempts").get_by_role("link", name="1", exact=True).click()
        expect(page.locator("#notice")).to_contain_text("You look at attempt 1 of 2")
        expect(page.locator("#notice")).to_contain_text("exit 4")
        expect(page.get_by_role("link", name="Edit spec and retry")).to_have_count(0)
        expect(page.locator("#log .log-text")).to_contain_text("not there")


def test_a_phone_shows_it_without_sideways_scroll(home: Home, browser: Browser) -> None:
    home.example("fan-out")
    home.dagfs("run", "fan-out").exits(0)
    home.dag("hostile", HOSTILE.replace("NAME", "m" * 40))
    home.dagfs("run", "hostile").exits(1)
    with serving(home) as server, visiting(browser, server, **NARROW) as visitor:
        page = visitor.page
        for run in home.runs():
            for rest in ("", "?view=timeline", "/events", "/log?step=report"):
                if "hostile" in run.name and "report" in rest:
                    continue
                page.goto(f"/runs/{run.name}{rest}")
                expect(page.get_by_role("heading", level=1)).to_be_visible()
                width = page.evaluate("document.documentElement.scrollWidth")
                assert width <= 390, (run.name, rest, width)


def test_children_are_counted_and_lead_to_their_own_pages(home: Home, browser: Browser) -> None:
    home.example("regions")
    home.dagfs("run", "regions").exits(0)
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        page.goto(f"{run_url(home)}?step=load")
        expect(page.locator("#detail")).to_contain_text("3 succeeded")
        page.locator("#detail").get_by_role("link", name="north").click()
        expect(page.locator("#head")).to_contain_text(f"child of {home.run.name}")
        assert "/children/" in page.url
        page.locator("#head").get_by_role("link", name=home.run.name).click()
        expect(page.locator("#detail h2")).to_have_text("load")


def test_a_run_whose_engine_died_says_what_goes_on(home: Home, browser: Browser) -> None:
    home.dag("crash", WATCHED)
    engine = home.start("run", "crash")
    eventually(lambda: home.runs() and "line two" in home.log("print"), "the step that prints")
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        page.goto(run_url(home))
        engine.kill()
        told = page.get_by_role("region", name="How it stands")
        expect(told).to_contain_text("Interrupted: its engine died")
        expect(told).to_contain_text("Still running without it: print.")
        # Its log is followed all the same, and the step's end is seen without anybody writing it down.
        home.file("more").touch()
        expect(page.locator("#log .log-text")).to_contain_text("a later line")
        home.file("end").touch()
        expect(told).to_contain_text("Ended after their engine: print.")
        expect(told).to_contain_text("exit 3")


def test_the_log_of_a_step_that_was_tried_again_tells_its_tries_apart(home: Home, browser: Browser) -> None:
    home.dag(
        "tries",
        """
        steps:
          - name: flaky
            run: |
              echo "this is try $DAGFS_TRY"
              test -e "$DAGFS_WORK_DIR/seen" || { touch "$DAGFS_WORK_DIR/seen"; exit 1; }
            retry_policy: {limit: 2, interval_sec: 0}
        """,
    )
    home.dagfs("run", "tries").exits(0)
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        page.goto(f"{run_url(home)}?view=timeline")
        expect(page.locator("#log .try")).to_have_text(["try 1", "try 2"])
        expect(page.locator("#log .chunk")).to_have_count(2)
        expect(page.locator(".bars .bar")).to_have_count(2)
