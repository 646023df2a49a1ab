"""The mission in a browser: a run fails, its spec is mended on the page, and the same run goes on."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from intg.home import Home
from intg.web import serving, visiting

ORDERS = """
    name: orders
    params:
      - date: "2026-11-21"
    steps:
      - name: fetch
        run: echo "fetching ${date}" > "$DAGFS_WORK_DIR/orders.csv"
      - name: check
        depends: fetch
        run: test -s "$DAGFS_WORK_DIR/orders.csv"
      - name: transform
        depends: check
        run: sort --field-seperator=, "$DAGFS_WORK_DIR/orders.csv" > "$DAGFS_WORK_DIR/sorted.csv"
      - name: load
        depends: transform
        run: cp "$DAGFS_WORK_DIR/sorted.csv" "$DAGFS_WORK_DIR/loaded.csv"
      - name: report
        depends: load
        run: wc -l < "$DAGFS_WORK_DIR/loaded.csv"
    """
WRONG, RIGHT = "seperator", "separator"
MENDED = (WRONG, RIGHT)


def failed(home: Home) -> str:
    """A run of it that has failed at its third step; its id."""
    home.dag("orders", ORDERS)
    home.dagfs("run", "orders").exits(1)
    return home.run.name


def verdict(page: Page) -> Locator:
    return page.locator("#plan .verdict")


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def text(page: Page) -> str:
    return page.locator("#spec").input_value()


def write(page: Page, content: str) -> None:
    """Put a text into the editor, or into the plain field where there is none."""
    if page.locator("#spec").is_visible():
        page.locator("#spec").fill(content)
        return
    page.locator(".cm-content").click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.insert_text(content)


def rewrite(page: Page, *replacements: tuple[str, str]) -> None:
    """Replace parts of the text in the editor."""
    content = text(page)
    for old, new in replacements:
        assert old in content, content
        content = content.replace(old, new)
    write(page, content)


def decision(page: Page, step: str) -> Locator:
    return page.locator(".decisions tr").filter(has=page.get_by_text(step, exact=True)).locator(".action")


def box(page: Page, step: str) -> Locator:
    return page.locator(f'#plan .picture [data-step="{step}"]')


def in_plain_field(page: Page) -> None:
    """As where the package with the editor is not installed."""
    page.route("**/static/editor/**", lambda route: route.fulfill(body="", content_type="text/javascript"))


def ended(home: Home, run: str, attempt: int) -> dict[str, str]:
    """How the steps stand, once that attempt is over."""
    home.dagfs("wait", run)
    assert home.dagfs("status", run, "--json").json["attempt"] == attempt
    return home.states()


@pytest.mark.parametrize("editor", ["codemirror", "plain"])
def test_a_failed_run_is_mended_on_its_page_and_goes_on(home: Home, browser: Browser, editor: str) -> None:
    run = failed(home)
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        if editor == "plain":
            in_plain_field(page)
        page.goto(f"/runs/{run}/edit")
        expect(verdict(page)).to_have_text("compatible: 2 kept, 3 to run")
        expect(page.locator(".cm-editor")).to_have_count(1 if editor == "codemirror" else 0)

        rewrite(page, ("transform\n", "transform_all\n"))
        expect(verdict(page)).to_contain_text("refused")
        refused = page.locator(".note").filter(has_text="structure.rename")
        expect(refused).to_contain_text("step 'transform' was renamed to 'transform_all'")
        expect(refused).to_contain_text("call it 'transform' again")
        expect(refused.get_by_role("link", name="line 10")).to_be_visible()
        expect(button(page, "Retry this run")).to_be_disabled()
        if editor == "plain":
            expect(page.locator(".gutter .bad")).to_have_text("10")
        else:
            expect(page.locator(".cm-lint-marker-error")).to_be_visible()

        rewrite(page, ("transform_all\n", "transform\n"), MENDED)
        expect(verdict(page)).to_have_text("compatible: 2 kept, 3 to run")
        expect(decision(page, "fetch")).to_have_text("keep")
        expect(decision(page, "transform")).to_have_text("run")
        expect(box(page, "check")).to_have_class(re.compile(r"\bkeep\b"))
        expect(box(page, "load")).to_have_class(re.compile(r"\brun\b"))
        expect(page.locator("#changes")).to_contain_text("step transform: command at line 12")
        expect(page.locator("#changes mark")).to_have_text(list(MENDED))

        page.get_by_label("Why").fill("the flag was misspelt")
        expect(page.locator("#plan .command")).to_contain_text("--reason 'the flag was misspelt'")
        button(page, "Retry this run").click()
        page.wait_for_url(f"**/runs/{run}")
        assert set(ended(home, run, 2).values()) == {"succeeded"}
        page.goto(f"/runs/{run}/compare")
        expect(page.get_by_role("row").filter(has_text="transform").first).to_contain_text("failed")
        page.goto(f"/runs/{run}/spec")
        expect(page.locator("#v2")).to_contain_text("the flag was misspelt")
        expect(page.locator("#v2")).to_contain_text("(web, 127.0.0.1)")
    assert [event["step"] for event in home.journal(2) if event["event"] == "step_kept"] == ["fetch", "check"]


def test_the_same_by_forms_alone(home: Home, browser: Browser) -> None:
    run = failed(home)
    with serving(home) as server, visiting(browser, server, java_script_enabled=False) as visitor:
        page = visitor.page
        page.goto(f"/runs/{run}/edit")
        expect(verdict(page)).to_have_text("compatible: 2 kept, 3 to run")
        rewrite(page, ("transform\n", "transform_all\n"))
        button(page, "Check").click()
        expect(page.locator(".note").filter(has_text="structure.rename")).to_contain_text("line 10")
        page.get_by_role("link", name="structure.rename").click()
        expect(page.get_by_role("heading", name="structure.rename")).to_be_visible()
        page.go_back()

        page.goto(f"/runs/{run}/edit")
        rewrite(page, MENDED)
        button(page, "Retry this run").click()
        expect(page.locator("#notice")).to_contain_text(
            "You have changed something since this plan was shown"
        )
        assert len(home.dagfs("show", run, "--json").json["attempts"]) == 1
        button(page, "Retry this run").click()
        page.wait_for_url(f"**/runs/{run}")
        assert set(ended(home, run, 2).values()) == {"succeeded"}

        page.goto(f"/runs/{run}/retry?from=load")
        expect(verdict(page)).to_have_text("compatible: 3 kept, 2 to run")
        page.get_by_label("Selected steps only").check()
        button(page, "Check").click()
        expect(verdict(page)).to_have_text("compatible: 4 kept, 1 to run")
        button(page, "Retry this run").click()
        page.wait_for_url(f"**/runs/{run}")
        ended(home, run, 3)


def test_steps_are_run_again_by_clicking_them(home: Home, browser: Browser) -> None:
    home.dag("orders", ORDERS.replace(*MENDED))
    home.dagfs("run", "orders").exits(0)
    run = home.run.name
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        page.goto(f"/runs/{run}/retry")
        expect(verdict(page)).to_have_text("nothing to do: 5 kept")
        box(page, "load").click()
        expect(page.get_by_label("Steps", exact=True)).to_have_value("load")
        expect(verdict(page)).to_have_text("compatible: 3 kept, 2 to run")
        expect(box(page, "load")).to_have_class(re.compile(r"\bchosen\b"))
        expect(page.locator("#plan .command")).to_contain_text("--from load")

        page.get_by_label("Steps", exact=True).fill("laod")
        expect(page.locator("#plan")).to_contain_text("there is no step 'laod'")
        expect(page.locator("#plan")).to_contain_text("did you mean 'load'?")
        expect(button(page, "Retry this run")).to_be_disabled()

        page.get_by_label("Steps", exact=True).fill("")
        page.get_by_label("Selected steps only").check()
        expect(page.locator("#plan")).to_contain_text("Choose steps")
        page.get_by_label("Steps", exact=True).fill("load")
        expect(verdict(page)).to_have_text("compatible: 4 kept, 1 to run")
        expect(decision(page, "load")).to_have_text("run")
        button(page, "Retry this run").click()
        page.wait_for_url(f"**/runs/{run}")
        assert set(ended(home, run, 2).values()) == {"succeeded"}
    kept = [event["step"] for event in home.journal(2) if event["event"] == "step_kept"]
    assert kept == ["fetch", "check", "transform", "report"]


def test_odd_names_are_clicked_as_well(home: Home, browser: Browser) -> None:
    names = ["<img src=x onerror=alert(1)>", 'it\'s "odd", x++', 'say "no"']
    home.dag(
        "odd", "steps:\n" + "".join(f"  - name: {json.dumps(name)}\n    run: 'true'\n" for name in names)
    )
    home.dagfs("run", "odd").exits(0)
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        page.goto(f"/runs/{home.run.name}/retry?only=nobody")
        expect(page.locator("#plan")).to_contain_text("there is no step 'nobody'")
        page.goto(f"/runs/{home.run.name}/retry?mode=only")
        page.get_by_label("From the failure").check()
        expect(verdict(page)).to_have_text("nothing to do: 3 kept")
        page.get_by_label("Selected steps only").check()
        for number, name in enumerate(names, 1):
            page.locator(".decisions").get_by_text(name, exact=True).click()
            kept = f"{3 - number} kept, " if number < 3 else ""
            expect(verdict(page)).to_have_text(f"compatible: {kept}{number} to run")
            expect(page.locator(".decisions tr.chosen")).to_have_count(number)
        expect(page.locator("#plan .picture .chosen")).to_have_count(3)


def test_an_edit_of_finished_work_asks_and_is_answered(home: Home, browser: Browser) -> None:
    run = failed(home)
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        page.goto(f"/runs/{run}/edit")
        rewrite(page, MENDED, ("fetching", "getting"))
        expect(verdict(page)).to_have_text("needs an answer: 2 kept, 3 to run")
        expect(button(page, "Retry this run")).to_be_disabled()
        answer = page.get_by_label("What becomes of fetch")

        answer.select_option("rerun=fetch")
        expect(verdict(page)).to_have_text("compatible: 5 to run")
        expect(page.locator("#plan .command")).to_contain_text("--on-stale fetch=rerun")

        answer.select_option("keep=fetch")
        expect(verdict(page)).to_have_text("compatible: 2 kept, 3 to run")
        expect(decision(page, "fetch")).to_have_text("keep stale")
        expect(page.locator("#plan")).to_contain_text("Say why")
        expect(button(page, "Retry this run")).to_be_disabled()
        page.get_by_label("Why").fill("only words changed")
        expect(button(page, "Retry this run")).to_be_enabled()
        button(page, "Retry this run").click()
        page.wait_for_url(f"**/runs/{run}")
        assert set(ended(home, run, 2).values()) == {"succeeded"}
    assert home.status()["steps"]["fetch"]["stale"]


def test_what_is_lifted_is_answered_for(home: Home, browser: Browser) -> None:
    careful = ORDERS.replace("depends: check\n", "depends: check\n        idempotent: false\n")
    home.dag("orders", careful)
    home.dagfs("run", "orders").exits(1)
    run = home.run.name
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        page.goto(f"/runs/{run}/edit")
        expect(page.locator(".note").filter(has_text="effects.ack")).to_be_visible()
        page.get_by_label("run transform again").check()
        expect(verdict(page)).to_have_text("compatible: 2 kept, 3 to run")
        expect(page.get_by_label("run transform again")).to_be_checked()

        last = text(page).index("  - name: report")
        write(page, text(page)[:last].replace(*MENDED))
        expect(page.locator(".note").filter(has_text="structure.remove")).to_be_visible()
        page.get_by_label("allow structure.remove").check()
        expect(verdict(page)).to_have_text("compatible: 2 kept, 2 to run")
        expect(button(page, "Retry this run")).to_be_disabled()
        page.get_by_label("Why").fill("nobody reads it")
        expect(page.locator("#plan .command")).to_contain_text("--allow structure.remove --ack transform")
        button(page, "Retry this run").click()
        page.wait_for_url(f"**/runs/{run}")
        assert ended(home, run, 2) == dict.fromkeys(["fetch", "check", "transform", "load"], "succeeded")


def test_two_tabs_do_not_overwrite_each_other(home: Home, browser: Browser) -> None:
    run = failed(home)
    with serving(home) as server, visiting(browser, server) as visitor:
        mine = visitor.page
        theirs = mine.context.new_page()
        for page in (mine, theirs):
            page.goto(f"/runs/{run}/edit")
        rewrite(theirs, ("fetching", "theirs"))
        button(theirs, "Save draft").click()
        expect(theirs.locator("#notice")).to_contain_text("Saved as spec.next.yaml")

        rewrite(mine, ("fetching", "mine"))
        expect(mine.locator("#conflict")).to_contain_text("changed by somebody else")
        button(mine, "Save draft").click()
        expect(mine.locator("#conflict mark")).to_have_text(["theirs", "mine"])
        assert "theirs" in pending(home).read_text()

        button(mine, "Load theirs, keep mine below").click()
        expect(mine.locator("#before")).to_be_visible()
        assert "theirs" in text(mine)
        assert "mine ${date}" in mine.get_by_label("The text that was here before").input_value()

        rewrite(mine, ("theirs", "both"))
        expect(mine.locator("#conflict")).to_have_count(0)
        button(mine, "Save draft").click()
        expect(mine.locator("#notice")).to_contain_text("Saved")
        assert "both" in pending(home).read_text()

        # Another program than a browser may do so too.
        pending(home).write_text(pending(home).read_text().replace("both", "disk"))
        rewrite(mine, ("both", "screen"))
        expect(mine.locator("#conflict")).to_be_visible()
        button(mine, "Save mine over it").click()
        expect(mine.locator("#notice")).to_contain_text("Saved")
        assert "screen" in pending(home).read_text()


def pending(home: Home) -> Path:
    return home.run / "spec.next.yaml"


def test_a_plan_that_has_moved_on_starts_nothing(home: Home, browser: Browser) -> None:
    run = failed(home)
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        page.goto(f"/runs/{run}/edit")
        rewrite(page, MENDED)
        expect(page.locator("#changes mark")).to_have_text(list(MENDED))
        expect(button(page, "Retry this run")).to_be_enabled()
        home.dagfs("mark", run, "transform", "succeeded", "-m", "sorted by hand").exits(0)
        button(page, "Retry this run").click()
        expect(page.locator("#notice")).to_contain_text("Nothing was started")
        expect(decision(page, "transform")).to_have_text("keep")
        assert RIGHT in text(page)
        assert len(home.dagfs("show", run, "--json").json["attempts"]) == 1


def test_what_is_no_yaml_is_marked_where_it_is_wrong_and_stays(home: Home, browser: Browser) -> None:
    run = failed(home)
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        page.goto(f"/runs/{run}/edit")
        rewrite(page, ("    depends: check\n", "    depends: [check\n"))
        expect(verdict(page)).to_contain_text("not a valid spec")
        page.locator(".note").get_by_role("link", name=re.compile("line 1[12]")).first.click()
        button(page, "Save draft").click()
        expect(page.locator("#notice")).to_contain_text("Saved")
        assert "depends: [check" in pending(home).read_text()

        write(page, text(page).replace("depends: [check", "dependz: check"))
        note = page.locator(".note").filter(has_text="dependz")
        expect(note).to_contain_text("line 11")
        expect(note).to_contain_text("did you mean 'depends'?")
        page.reload()
        button(page, "Discard").click()
        expect(page.locator("#notice")).to_contain_text("discarded")
        assert not pending(home).exists()
        assert "depends: [check" in page.get_by_label("The text that was here before").input_value()


def test_a_new_run_is_made_and_the_old_one_stays(home: Home, browser: Browser) -> None:
    run = failed(home)
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        page.goto(f"/runs/{run}/retry")
        page.get_by_text("As a new run instead").click()
        page.get_by_label("Its id").fill("orders-again")
        page.get_by_label("All of it").check()
        expect(page.locator("#does .command")).to_contain_text(f"dagfs rerun {run} --id orders-again")
        button(page, "What would it do?").click()
        expect(page.locator("#foreseen")).to_contain_text("transform")
        assert len(home.runs()) == 1
        button(page, "Make a new run").click()
        page.wait_for_url("**/runs/orders-again")
        home.dagfs("wait", "orders-again").exits(1)
    assert home.dagfs("show", "orders-again", "--json").json["parent"] == run


def test_an_older_version_is_gone_back_to(home: Home, browser: Browser) -> None:
    run = failed(home)
    home.edit(MENDED)
    home.dagfs("retry", run).exits(0)
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        page.goto(f"/runs/{run}/diff?from=1&to=2")
        expect(page.locator("mark")).to_have_text(list(MENDED))
        expect(page.locator(".meaning")).to_contain_text("step transform: command at line 12")
        page.goto(f"/runs/{run}/spec")
        with page.expect_download() as download:
            page.locator("#v1").get_by_role("link", name="Download").click()
        assert WRONG in Path(download.value.path()).read_text()
        page.locator("#v1").get_by_role("button", name="Go back to it").click()
        page.wait_for_url(f"**/runs/{run}/edit")
        assert WRONG in text(page)
        expect(verdict(page)).to_contain_text("needs an answer")
    assert WRONG in pending(home).read_text()


def test_the_spec_of_a_child_is_edited_on_its_own_page(home: Home, browser: Browser) -> None:
    home.dag("parts", "steps:\n  - name: inner\n    run: sort --field-seperator=, /dev/null\n")
    home.dag("whole", "steps: [{name: outer, call: parts}]")
    home.dagfs("run", "whole").exits(1)
    root = home.dagfs("runs", "--json").json[0]["run"]
    child = next((home.path / "runs" / root / "children").iterdir()).name
    with serving(home) as server, visiting(browser, server) as visitor:
        page = visitor.page
        page.goto(f"/runs/{root}/children/{child}/edit")
        expect(verdict(page)).to_have_text("compatible: 1 to run")
        rewrite(page, MENDED)
        expect(page.locator("#changes mark")).to_have_text(list(MENDED))
        button(page, "Save, and plan the whole run").click()
        page.wait_for_url(f"**/runs/{root}/retry")
        expect(page.locator(".decisions")).to_contain_text(child)
        button(page, "Retry this run").click()
        page.wait_for_url(f"**/runs/{root}")
        home.dagfs("wait", root).exits(0)
