"""The pages say what the code does: generated parts are compared, tables are complete, examples work.

`UPDATE_DOCS=1 pytest tests/test_docs.py` rewrites the generated parts.
"""

from __future__ import annotations

import argparse
import inspect
import os
import re
import textwrap
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from dagfs.cli.main import VERBS, verb_parser
from dagfs.engine.bootstrap import open_home
from dagfs.engine.configuration import read_settings
from dagfs.engine.settings import SETTINGS
from dagfs.errors import ExitCode
from dagfs.executors import archive, docker, http, jq, mail, python, ssh
from dagfs.hooks import notifier
from dagfs.hooks import specs as hook_specs
from dagfs.hooks.command import CommandContext, CommandSpec
from dagfs.hooks.executor import Process, StepRequest
from dagfs.hooks.manager import HOOKS, PluginManager
from dagfs.hooks.notifier import News
from dagfs.hooks.options import Options
from dagfs.hooks.page import PageAnswer, PageRequest, PageSpec
from dagfs.model import event
from dagfs.model.dag import Dag, Step
from dagfs.model.edit import Action, Edit, Severity
from dagfs.model.run import Attempt, AttemptHeader, Run, RunHeader, StepRun
from dagfs.model.state import RunState, StepState
from dagfs.planning.compat import Basis, compare
from dagfs.spec import actions, keys
from dagfs.spec.fields import PLACES, Place
from dagfs.spec.parse import Options as Reading
from dagfs.spec.parse import parse, read
from dagfs.store.layout import AttemptPaths, RunPaths, StepPaths
from dagfs.store.status import status_document
from tests.cases import CASES, Case
from tests.web import apipage

ROOT = Path(__file__).parent.parent
PAGES = sorted(path.name for path in ROOT.glob("*.md")) + sorted(
    f"docs/{path.name}" for path in ROOT.glob("docs/*.md")
)
UPDATE = os.environ.get("UPDATE_DOCS") == "1"


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    """What stands below a heading, up to the next one of its level or above; code left out."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    found = re.search(rf"^(#+) {re.escape(title)}$", text, re.MULTILINE)
    assert found, f"no heading {title!r}"
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def first_cells(text: str) -> list[str]:
    """The words in backquotes of each table's first column."""
    rows = re.findall(r"^\| (.*?) \|", text, re.MULTILINE)
    return [word for row in rows for word in re.findall(r"`([^`]+)`", row)]


@pytest.fixture(scope="module")
def built_in() -> PluginManager:
    manager = PluginManager()
    manager.load_built_ins()
    return manager


# -- generated parts -----------------------------------------------------------------------------


def rules_part(manager: PluginManager) -> str:
    parts = []
    for rule in manager.rules.values():
        lines = [f"### {rule.id}", "", rule.summary, ""]
        for word, text in (
            ("lets pass", rule.accepted),
            ("stops", rule.refused),
            ("lifted by", rule.loosened_by),
        ):
            lines += [f"- {word}: {text}"] if text else []
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def fields_part(manager: PluginManager) -> str:
    """Every field of steps and DAGs under its class, as the rules plugin gives it."""
    names = {
        "dag": [each.name for each in fields(Dag) if each.name not in ("steps", "marks")],
        "step": [
            name
            for each in fields(Step)
            if each.name != "marks"
            for name in (("executor.type", "executor.config") if each.name == "executor" else (each.name,))
        ],
    }
    found: dict[str, dict[str, list[str]]] = {}
    for owner, paths in names.items():
        for path in paths:
            kind = str(manager.classify(owner, path))
            found.setdefault(kind, {"dag": [], "step": []})[owner].append(f"`{path}`")
    rows = ["| class | fields of a step | fields of the DAG |", "|---|---|---|"]
    for kind in ("identity", "wiring", "semantic", "operational", "cosmetic", "handler"):
        both = found.pop(kind)
        rows.append(f"| {kind} | {', '.join(both['step'])} | {', '.join(both['dag'])} |")
    assert not found
    return "\n".join(rows)


def hooks_part(_: PluginManager) -> str:
    parts = []
    for name in HOOKS:
        hook = getattr(hook_specs, name)
        signature = str(inspect.signature(hook)).replace("'", "")
        doc = "\n\n".join(
            textwrap.fill(part, 118) for part in inspect.cleandoc(hook.__doc__ or "").split("\n\n")
        )
        parts.append(f"### {name}\n\n```python\ndef {name}{signature}: ...\n```\n\n{doc}")
    return "\n\n".join(parts)


def cli_part(_: PluginManager) -> str:
    return "\n\n".join(map(_verb_part, VERBS))


def _verb_part(verb: str) -> str:
    module, parser = verb_parser(verb)
    # argparse lays its help out differently from one Python to the next; its actions are the same.
    shown = [action for action in parser._actions if action.help != argparse.SUPPRESS]
    options = [action for action in shown if action.option_strings and action.dest != "help"]
    places = [action for action in shown if not action.option_strings]
    words = ["dagfs", verb, *(["[options]"] if options else []), *map(_place, places)]
    lines = [f"## {verb}", "", parser.description or "", "", "```", " ".join(words), "```", ""]
    rows = [f"| `{_cell(_value(each))}` | {_cell(each.help or '')} |" for each in places]
    for each in options:
        value = "" if each.nargs == 0 else f" {_value(each)}"
        rows.append(f"| `{_cell(', '.join(each.option_strings) + value)}` | {_cell(each.help or '')} |")
    lines += ["| | |", "|---|---|", *rows, ""] if rows else []
    return "\n".join([*lines, "```text", module.EXAMPLES.strip("\n"), "```"])


def _value(action: argparse.Action) -> str:
    if action.metavar:
        return str(action.metavar)
    return "|".join(map(str, action.choices)) if action.choices else action.dest.upper()


def _place(action: argparse.Action) -> str:
    name = _value(action)
    return {"?": f"[{name}]", "*": f"[{name} …]"}.get(str(action.nargs), name)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def dagu_keys_part(_: PluginManager) -> str:
    """Every key of the root and of a step in both spellings, and whether it is honoured."""
    parts = []
    for title, place in (("Of a DAG", PLACES[0]), ("Of a step", _place_of("steps"))):
        rows = [f"### {title}", "", "| 2.x | 1.x | |", "|---|---|---|"]
        one = {key.spelled for key in place.table.of("dagu1").values()}
        for name, key in place.table.every.items():
            old = keys.camel(name) if keys.camel(name) in one else ""
            new = "" if name in place.table.only1.split() else f"`{name}`"
            said = "ignored, with a warning" if key.use == "unused" else "honoured"
            said = f"as `{key.field}`" if key.field != name else said
            if place.table.aliases1.get(name):
                said += f"; in 1.x as `{place.table.aliases1[name]}`"
            rows.append(f"| {new} | {f'`{old}`' if old else ''} | {said} |")
        parts.append("\n".join(rows))
    return "\n\n".join(parts)


def _place_of(path: str) -> Place:
    return next(place for place in PLACES if place.path == path)


def dagu_actions_part(_: PluginManager) -> str:
    rows = ["| action | runs as | from `with` |", "|---|---|---|"]
    special = {
        "exec": ("a program, no shell", "`command`, `args`"),
        "log.write": ("a command that prints it", "`message`"),
        "wait.duration": ("the program `sleep`", "`duration`"),
        "outputs.write": ("`noop`, with outputs", "`values`"),
    }
    for name in actions.known_actions():
        action = actions.ACTIONS.get(name)
        if action is None:
            what, given = special[name]
        else:
            what = f"`{action.type}`" if action.type else "keys of the step"
            what += f" with `command: {action.command}`" if action.command else ""
            given = ", ".join(
                f"`{here}`" if here == there else f"`{here}` as `{there}`"
                for here, there in sorted(action.moved)
            )
        rows.append(f"| `{name}` | {what} | {given} |")
    return "\n".join(rows)


def dagu_outside_part(_: PluginManager) -> str:
    return textwrap.fill(", ".join(f"`{name}`" for name in sorted(actions.OUTSIDE_TYPES)) + ".", 118)


def options_part(options: Options) -> Callable[[PluginManager], str]:
    def made(_: PluginManager) -> str:
        rows = ["| setting | takes | default | |", "|---|---|---|---|"]
        for row in options.rows:
            default = "" if row.default in (None, "", (), []) else f"`{_plain_default(row.default)}`"
            takes = ", ".join(f"`{each}`" for each in row.choices if each) or row.kind
            rows.append(f"| `{row.name}` | {takes} | {default} | {row.doc} |")
        return "\n".join(rows)

    return made


def _plain_default(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def cases_part(_: PluginManager) -> str:
    parts = []
    for title, cases in CASES.items():
        rows = [f"| {each.case} | {each.default} | {each.otherwise} | {_rules(each)} |" for each in cases]
        parts.append(
            "\n".join(
                [f"### {title}", "", "| case | by default | otherwise | rules |", "|---|---|---|---|", *rows]
            )
        )
    return "\n\n".join(parts)


def _rules(case: Case) -> str:
    return ", ".join(f"[`{rule}`](#{rule.replace('.', '')})" for rule in case.rules)


EXECUTORS = {each.OPTIONS.owner: each.OPTIONS for each in (docker, ssh, http, mail, jq, archive, python)}
GENERATED = {
    "docs/executors.md": {
        name: options_part(each) for name, each in {**EXECUTORS, "smtp": mail.SMTP}.items()
    },
    "docs/dagu.md": {"keys": dagu_keys_part, "actions": dagu_actions_part, "outside": dagu_outside_part},
    "docs/retry.md": {"cases": cases_part, "rules": rules_part, "fields": fields_part},
    "docs/plugins.md": {"hooks": hooks_part},
    "docs/cli.md": {"cli": cli_part},
    "docs/http-api.md": {
        "codes": lambda _: apipage.codes_part(),
        "operations": lambda _: apipage.operations_part(),
    },
}


@pytest.mark.parametrize(("name", "part"), [(name, part) for name in GENERATED for part in GENERATED[name]])
def test_a_generated_part_is_up_to_date(name: str, part: str, built_in: PluginManager) -> None:
    made = GENERATED[name][part](built_in)
    text = page(name)
    place = re.compile(rf"(<!-- generated: {part} -->\n)(.*?)(<!-- end -->)", re.DOTALL)
    found = place.search(text)
    assert found
    if UPDATE:
        (ROOT / name).write_text(place.sub(lambda m: f"{m[1]}\n{made}\n\n{m[3]}", text), encoding="utf-8")
    else:
        assert found[2].strip() == made, "run UPDATE_DOCS=1 pytest tests/test_docs.py"


@pytest.mark.parametrize(
    "case", [case for cases in CASES.values() for case in cases], ids=lambda case: case.case
)
def test_every_case_of_a_retry_is_real(case: Case, built_in: PluginManager) -> None:
    """Its rules and options exist, and so does the test that shows it."""
    assert set(case.rules) <= built_in.rules.keys()
    options = {word for action in verb_parser("retry")[1]._actions for word in action.option_strings}
    said = re.findall(r"--[a-z][a-z-]*", case.otherwise)
    assert set(said) <= options, set(said) - options
    assert set(re.findall(r"--allow ([a-z.]+)", case.otherwise)) <= built_in.rules.keys()
    file, _, name = case.test.partition("::")
    assert re.search(rf"^def {name}\(", page(file), re.MULTILINE), case.test


def test_every_rule_has_its_case(built_in: PluginManager) -> None:
    cases = [case for each in CASES.values() for case in each]
    assert {rule for case in cases for rule in case.rules} == set(built_in.rules)


# -- links and examples --------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    """What headings can be linked as."""
    titles = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", PAGES)
def test_every_relative_link_leads_somewhere(name: str) -> None:
    text = re.sub(r"^```.*?^```$|`[^`\n]*`", "", page(name), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / name).parent / path if path else ROOT / name
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), target


def test_the_readme_leads_to_every_page() -> None:
    text = page("README.md")
    assert [name for name in PAGES if name != "README.md" and f"({name})" not in text] in (
        [],
        ["docs/design.md"],
    )


@pytest.mark.parametrize("name", PAGES)
def test_every_yaml_example_is_valid(name: str, tmp_path: Path) -> None:
    known = (*PluginManager().executors, "shell", "nice")
    for text in blocks(page(name), "yaml"):
        if re.search(r"^steps:", text, re.MULTILINE):
            assert parse(text.encode(), name, options=Reading(executors=known)).problems == ()
        elif text.startswith("# dagfs.yaml"):
            (tmp_path / "dagfs.yaml").write_text(text)
            read_settings(tmp_path / "dagfs.yaml")


def test_examples_of_commands_use_options_that_exist() -> None:
    for name in PAGES:
        for line in [
            line for text in blocks(page(name), "(?:sh|console|text)?") for line in text.splitlines()
        ]:
            for verb, rest in re.findall(r"\bdagfs ([a-z]+)((?: (?:-{1,2}[\w-]+|[^\s|;&#)]+))*)", line):
                if verb in VERBS:
                    known = {o for action in verb_parser(verb)[1]._actions for o in action.option_strings}
                    used = re.findall(r" (--[a-z][a-z-]+)", rest)
                    assert set(used) <= known | {"--color"}, line


# -- completeness --------------------------------------------------------------------------------


def test_every_verb_is_on_the_page_of_commands_and_in_order() -> None:
    assert re.findall(r"^## (.*)$", page("docs/cli.md"), re.MULTILINE) == list(VERBS)


def test_every_exit_code_is_documented() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| \S", page("docs/exit-codes.md"), re.MULTILINE)
    assert [(int(code), name) for code, name in rows] == [(code.value, code.name) for code in ExitCode]


def test_every_rule_is_documented(built_in: PluginManager) -> None:
    for rule in built_in.rules:
        assert section(page("docs/retry.md"), rule).strip()


def test_every_action_and_severity_is_documented() -> None:
    text = section(page("docs/retry.md"), "What becomes of each step")
    assert set(first_cells(text)) == {action.replace("_", " ") for action in Action}
    assert all(f"`{severity.name}`" in page("docs/plugins.md") for severity in Severity)


def test_every_field_class_has_a_meaning() -> None:
    text = section(page("docs/retry.md"), "Which change matters to finished work")
    assert re.findall(r"^\| (\w+) \| (?!fields)[^|]*\|$", text, re.MULTILINE)[1:] == [
        "identity",
        "wiring",
        "semantic",
        "operational",
        "cosmetic",
        "handler",
    ]


def test_every_setting_is_documented_with_its_default() -> None:
    rows = re.findall(r"^\| `([\w.]+)` \| (.*?) \|", page("docs/settings.md"), re.MULTILINE)
    assert [key for key, _ in rows] == [*dict.fromkeys(key for key, _ in rows)]
    assert {key for key, _ in rows} == set(SETTINGS)
    for key, said in rows:
        default = SETTINGS[key].default
        text = (
            str(default).lower() if isinstance(default, bool) else f"{default:g}" if default == 0 else default
        )
        text = f"{text:g}" if isinstance(text, float) else str(text) if text else "none"
        assert said.strip("`") == text, key


SECTIONS = {
    "The DAG": keys.ROOT,
    "A step": keys.STEP,
    "Handlers": keys.HANDLER_ON,
    "continue_on": keys.CONTINUE_ON,
    "retry_policy": keys.RETRY_POLICY,
    "repeat_policy": keys.REPEAT_POLICY,
    "preconditions": keys.PRECONDITION,
    "Outputs": keys.OUTPUT,
    "Parameters and env": keys.PARAM,
    "Sub-DAGs": keys.PARALLEL,
    "foreach": keys.FOREACH,
    "Approvals": keys.APPROVAL,
    "Secrets": keys.SECRET,
}


@pytest.mark.parametrize("title", SECTIONS)
def test_every_key_is_documented_in_both_spellings(title: str) -> None:
    table, text = SECTIONS[title], section(page("docs/specs.md"), title)
    for name in [*table.used.split(), *table.aliases]:
        assert f"`{name}`" in text, name
        if name not in table.only2.split() and "| 1.x |" in text:
            assert f"`{keys.camel(name)}`" in text, keys.camel(name)
    known = {word for name in table.every for word in (name, keys.camel(name))}
    strange = [word for word in first_cells(text) if word.isidentifier() and word not in known | {"output"}]
    assert strange == []


@pytest.mark.parametrize("table", ["ROOT", "STEP", "OUTPUT"])
def test_every_key_that_is_ignored_is_named(table: str) -> None:
    found = re.search(rf"<!-- keys: {table} unused -->\n(.*?)<!-- end -->", page("docs/specs.md"), re.DOTALL)
    assert found
    assert re.findall(r"`(\w+)`", found[1]) == getattr(keys, table).unused.split()


def test_every_ignored_key_of_other_places_is_named() -> None:
    text = page("docs/specs.md")
    for place in PLACES:
        assert all(f"`{name}`" in text for name in place.table.unused.split())


def test_every_variable_that_steps_get_is_documented() -> None:
    source = "".join(path.read_text() for path in (ROOT / "dagfs/engine").glob("*.py"))
    names = set(re.findall(r'"((?:DAGFS|DAG|DAGU)_[A-Z_]*[A-Z])"', source)) - {"DAGFS_CONDITION", "DAGFS_V"}
    assert len(names) > 10
    told = set(first_cells(section(page("docs/specs.md"), "The environment of a step")))
    assert names <= told
    assert told - names <= {"PWD", "DAGFS_V1"}


def test_every_event_is_documented() -> None:
    text = section(page("docs/concepts.md"), "journal.jsonl")
    names = {value for key, value in vars(event).items() if key.isupper() and isinstance(value, str)}
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == names


def test_every_key_of_status_json_is_documented() -> None:
    step = StepRun("a", kept=True, stale=True, tolerated=True, signal=9, until="x")
    run = Run(RunHeader(), (Attempt(AttemptHeader(), steps={"a": step}),))
    document = status_document(run, as_of=(1, 2))
    text = section(page("docs/concepts.md"), "status.json")
    for key in ["format", "truncated", *document, *document["steps"]["a"]]:
        assert f"`{key}`" in text, key


def test_every_state_is_documented() -> None:
    run, step = section(page("docs/concepts.md"), "States").strip().split("\n\n")
    assert set(RunState) <= set(re.findall(r"`(\w+)`", run))
    assert set(StepState) <= set(re.findall(r"`(\w+)`", step))


def test_every_file_of_a_run_is_documented() -> None:
    text = section(page("docs/concepts.md"), "The run's folder, file by file")
    root = Path("r")
    for paths in (RunPaths(root), AttemptPaths(root), StepPaths(root)):
        for name in [n for n, each in vars(type(paths)).items() if isinstance(each, property)]:
            assert getattr(paths, name).name in text, name
    for path in (RunPaths(root).spec(1), StepPaths(root).record(1), StepPaths(root).output_file(1)):
        assert f"`{path.name}`" in text


# -- plugins -------------------------------------------------------------------------------------


SEEN = {
    StepRequest: "An executor",
    Process: "An executor",
    Edit: "A rule",
    News: "A notifier",
    CommandSpec: "A command",
    CommandContext: "A command",
    PageSpec: "A page",
    PageRequest: "A page",
    PageAnswer: "A page",
}


@pytest.mark.parametrize(("value", "title"), SEEN.items())
def test_every_field_that_plugins_see_is_documented(value: type, title: str) -> None:
    told = first_cells(section(page("docs/plugins.md"), title))
    assert {each.name for each in fields(value)} <= set(told)


def test_every_kind_of_trouble_is_documented() -> None:
    kinds = {name for name in vars(notifier) if name.isupper()} - {
        "SUCCESS",
        "FAILURE",
        "WAIT",
        "ABORT",
        "STEP",
    }
    text = section(page("docs/plugins.md"), "A notifier")
    for kind in kinds:
        assert f"`{getattr(notifier, kind)}`" in text


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> PluginManager:
    """A home with the plugins of the page."""
    home = tmp_path_factory.mktemp("home")
    (home / "plugins").mkdir(mode=0o755)
    for text in blocks(page("docs/plugins.md"), "python"):
        if found := re.match(r"# (plugins/\w+\.py)\n", text):
            (home / found[1]).write_text(text)
            (home / found[1]).chmod(0o644)
    return open_home(home).plugins


def test_the_plugins_of_the_page_load(examples: PluginManager) -> None:
    assert [plugin.error for plugin in examples.plugins if plugin.error] == []
    assert {"nice", "freeze", "ring", "failures"} <= {plugin.name for plugin in examples.plugins}


def test_the_executor_of_the_page_prepares_a_process(examples: PluginManager) -> None:
    text = next(text for text in blocks(page("docs/plugins.md"), "yaml") if "nice" in text)
    step = read(text.encode(), "crunch.yaml", options=Reading(executors=examples.executors)).steps[0]
    nice = examples.executors["nice"]
    assert list(nice.check(step)) == []
    process = nice.prepare(
        StepRequest("r", 1, step.name, 1, step.command, config=step.executor.config, folder="/f")
    )
    assert list(process.argv) == ["nice", "-n", "15", "/bin/sh", "/f/nice-script.1"]


def test_the_rule_of_the_page_refuses_what_it_says(examples: PluginManager) -> None:
    old, new = (
        read(f"steps: [{{name: book-orders, run: {word}}}]".encode(), "x.yaml") for word in ("a", "b")
    )
    attempt = Attempt(AttemptHeader(), steps={"book-orders": StepRun("book-orders")})
    edit = compare(attempt, {1: Basis(old)}, Basis(new), examples.classify)
    found = [each for each in examples.check_edit(edit) if each.rule == "freeze.books"]
    assert [(each.severity, each.step, each.field) for each in found] == [
        (Severity.REJECT, "book-orders", "command")
    ]
