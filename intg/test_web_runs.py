"""The list of runs, search, the inbox, queues and health."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Locator, Page, expect

from intg.home import Home
from intg.web import Visitor, serving, visiting
from tests.patience import eventually

STEPS = """
    name: steps
    tags: [prod]
    params:
      - day: monday
    steps:
      - name: say
        command: echo "it is ${day}"; test "${day}" != friday
    """
ASKING = """
    name: asking
    steps:
      - name: check
        command: echo TOTAL=42 >> "$DAGFS_OUTPUT"
        approval:
          prompt: Is <b>this</b> right?
          input: [REVIEWER, TICKET]
          required: [REVIEWER]
      - name: publish
        depends: check
        command: echo "checked by ${REVIEWER}, ${TICKET}"
    """
HEAVY = """
    name: heavy-work
    queue: heavy
    steps:
      - name: work
        command: "true"
    """


def row(page: Page, run: str) -> Locator:
    """A run in a list."""
    return page.locator("tr").filter(has=page.get_by_text(run, exact=True))


def test_runs_are_filtered(home: Home, browser: Browser) -> None:
    home.dag("steps", STEPS)
    home.dag("heavy-work", HEAVY)
    home.dagfs("run", "steps", "--id", "good").exits(0)
    home.dagfs("run", "steps", "--id", "bad", "-p", "day=friday").exits(1)
    home.dagfs("run", "heavy-work", "--id", "other").exits(0)
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        page.get_by_role("link", name="Runs", exact=True).click()
        expect(page.locator("tbody tr")).to_have_count(3)
        expect(row(page, "bad")).to_contain_text("say")
        page.get_by_label("Status").select_option("failed")
        expect(page.locator("tbody tr")).to_have_count(1)
        page.get_by_label("Status").select_option("")
        page.get_by_label("Tag").select_option("prod")
        expect(page.locator("tbody tr")).to_have_count(2)
        page.get_by_role("searchbox").fill("friday")
        expect(page.locator("tbody tr")).to_have_count(1)
        page.goto("/runs?dag=heavy-work&since=7d")
        expect(page.locator("tbody tr")).to_have_count(1)
        page.goto("/runs?since=nonsense")
        expect(page.get_by_role("alert")).to_contain_text("not a time")
        # What ends meanwhile is seen without a hand on the page.
        page.goto("/runs?dag=steps")
        home.dagfs("run", "steps", "--id", "later").exits(0)
        expect(row(page, "later")).to_be_visible()


def test_a_long_list_has_pages(home: Home, browser: Browser) -> None:
    home.dag("steps", STEPS)
    for number in range(51):
        home.dagfs("run", "steps", "--id", f"n{number:02}").exits(0)
    with serving(home) as server, visiting(browser, server, java_script_enabled=False) as visitor:
        page = visitor.page
        page.goto("/runs")
        expect(page.locator("tbody tr")).to_have_count(50)
        expect(page.get_by_text("n00", exact=True)).to_have_count(0)
        page.get_by_role("link", name="Older").click()
        expect(page.locator("tbody tr")).to_have_count(1)
        expect(row(page, "n00")).to_be_visible()
        page.get_by_role("link", name="Newest").click()
        expect(page.locator("tbody tr")).to_have_count(50)


def test_a_run_made_from_another_stands_below_it(home: Home, browser: Browser) -> None:
    home.dag("steps", STEPS)
    home.dagfs("run", "steps", "--id", "first").exits(0)
    home.dagfs("run", "steps", "--id", "apart").exits(0)
    home.dagfs("rerun", "first", "--id", "second").exits(0)
    with serving(home) as server, visiting(browser, server) as visitor:
        visitor.page.goto("/runs?tree=1")
        names = visitor.page.locator("tbody td.name a.strong")
        expect(names).to_have_text(["first", "second", "apart"])
        expect(row(visitor.page, "second")).to_contain_text("└─")


def test_what_waits_is_answered_in_the_inbox(home: Home, browser: Browser) -> None:
    home.dag("asking", ASKING)
    home.dagfs("run", "asking").exits(6)
    with serving(home) as server, visiting(browser, server) as visitor:
        approve(visitor)
        eventually(lambda: home.status()["state"] == "succeeded", "the run")
        assert home.log("publish") == "checked by ann, OPS-1\n"
        expect(visitor.page.get_by_text("Nothing waits for your word.")).to_be_visible()


def test_the_inbox_works_without_a_script(home: Home, browser: Browser) -> None:
    home.dag("asking", ASKING)
    home.dagfs("run", "asking").exits(6)
    with serving(home) as server, visiting(browser, server, java_script_enabled=False) as visitor:
        approve(visitor)
        eventually(lambda: home.status()["state"] == "succeeded", "the run")


def approve(visitor: Visitor) -> None:
    """Once without an input that is needed."""
    page = visitor.page
    page.get_by_role("link", name=re.compile("Inbox")).click()
    expect(page.get_by_text("Is <b>this</b> right?")).to_be_visible()
    expect(page.get_by_text("42")).to_be_visible()
    page.get_by_label("TICKET").fill("OPS-1")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("alert")).to_contain_text("needs REVIEWER")
    assert all("status of 422" in each for each in visitor.complaints), visitor.complaints
    visitor.complaints.clear()
    expect(page.get_by_label("TICKET")).to_have_value("OPS-1")
    page.get_by_label("REVIEWER").fill("ann")
    page.get_by_role("button", name="Approve").click()
    page.wait_for_url(re.compile("/inbox$"))


def test_a_run_is_rejected_with_a_reason(home: Home, browser: Browser) -> None:
    home.dag("asking", ASKING)
    home.dagfs("run", "asking").exits(6)
    with serving(home) as server, visiting(browser, server) as visitor:
        visitor.page.goto("/inbox")
        visitor.page.get_by_label("Reason").fill("wrong month")
        visitor.page.get_by_role("button", name="Reject").click()
        expect(visitor.page.get_by_text("Nothing waits for your word.")).to_be_visible()
        eventually(lambda: home.status()["state"] == "rejected", "the run")
        assert "wrong month" in home.status()["steps"]["check"]["reason"]


def test_queues_are_held_and_runs_taken_out(home: Home, browser: Browser) -> None:
    home.dag("heavy-work", HEAVY)
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        page.goto("/queues")
        expect(page.get_by_text("Nothing waits.")).to_be_visible()
        home.dagfs("enqueue", "heavy-work", "--id", "one", "--reason", "for <later>").exits(0)
        home.dagfs("enqueue", "heavy-work", "--id", "two", "--priority", "5").exits(0)
        expect(page.locator("tbody tr td.name")).to_have_text(["two", "one"])
        expect(page.get_by_text("No scheduler is at work")).to_be_visible()
        expect(row(page, "one")).to_contain_text("for <later>")
        page.get_by_role("button", name="Hold").click()
        expect(page.get_by_text("held")).to_be_visible()
        assert "queue:heavy" in home.dagfs("scheduler", "--status", "--json").json["paused"]
        page.get_by_role("button", name="Take out two").click()
        expect(page.locator("tbody tr td.name")).to_have_text(["one"])
        page.get_by_role("button", name="Release").click()
        expect(page.get_by_role("button", name="Hold")).to_be_visible()
        assert [each["id"] for each in home.dagfs("queue", "--json").json] == ["one"]


def test_specs_and_logs_are_searched(home: Home, browser: Browser) -> None:
    home.dag("steps", STEPS)
    home.dagfs("run", "steps", "--id", "good", "-p", "day=<b>sunday</b>").exits(0)
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        page.get_by_role("link", name="Search", exact=True).click()
        page.get_by_role("searchbox").fill("IT IS <B>SUN")
        page.get_by_role("button", name="Search").click()
        expect(page.get_by_role("link", name="good · say")).to_be_visible()
        expect(page.locator("mark")).to_have_text("it is <b>sun")
        page.goto("/search?q=d.y:+mon&re=1&in=specs")
        expect(page.locator("mark").first).to_have_text("day: mon")
        page.goto("/search?q=nowhere-at-all")
        expect(page.get_by_text("Nothing was found.")).to_be_visible()
        page.goto("/search?q=(unclosed&re=1")
        expect(page.get_by_role("alert")).to_contain_text("no regular expression")
        visitor.complaints.clear()
        # A backtracking engine would be busy with this for years.
        page.goto("/search?q=(a%2B)%2B%24&re=1")
        expect(page.get_by_role("status").first).to_be_visible()


def test_health_and_plugins_tell_how_things_stand(home: Home, browser: Browser) -> None:
    home.dag("steps", STEPS.replace("tags:", "schedule: '30 2 * * *'\n    tags:"))
    (home.path / "plugins").mkdir(mode=0o700)
    (home.path / "plugins/bad.py").write_text("import <this\n")
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        page.get_by_role("link", name="Health").click()
        expect(page.get_by_text("No scheduler has ever been at work here")).to_be_visible()
        scheduler = home.start("scheduler")
        expect(page.get_by_text("The scheduler is at work")).to_be_visible()
        expect(page.get_by_role("region", name="Next starts")).to_contain_text("02:30:00")
        page.get_by_role("link", name="Check everything").click()
        expect(page.get_by_role("region", name="Checks")).to_contain_text("scheduler")
        scheduler.signal(15)
        scheduler.wait()
        page.goto("/health")
        expect(page.get_by_text("The scheduler was ended")).to_be_visible()
        page.get_by_role("link", name="Plugins").click()
        expect(page.get_by_role("region", name="Broken plugins")).to_contain_text("bad")
        expect(page.get_by_text("executor shell", exact=True)).to_be_visible()


def test_who_may_only_look_sees_no_buttons(home: Home, browser: Browser) -> None:
    home.dag("steps", STEPS)
    home.dag("asking", ASKING)
    home.dagfs("run", "asking").exits(6)
    home.dagfs("enqueue", "steps", "--id", "one").exits(0)
    with serving(home, "--read-only") as server, visiting(browser, server) as visitor:
        page = visitor.page
        for path in ("/", "/dags/steps", "/inbox", "/queues"):
            page.goto(path)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            for name in ("Run", "Pause", "Approve", "Hold", "Take out"):
                expect(page.get_by_role("button", name=name)).to_have_count(0)
                expect(page.get_by_role("link", name=f"▶ {name}")).to_have_count(0)
