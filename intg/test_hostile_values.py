"""Ten thousand hostile texts go through everything that hands values on, and come out byte for byte.

Each run takes two thousand of them through parameters, env, outputs, JSON paths and single quotes at once.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from intg.home import Home

RUNS, PER_RUN = 5, 2000
PIECES = [
    "'", '"', "\\", "`", "$", "$$", "$(", ")", "${", "}", ";", "&", "|", "<", ">", "\n", "\r", "\t", " ",
    "*", "?", "[a-z]", "~", "~root", "#", "!", "!!", "%s", "%n", "{a,b}", "{1..9}", "--", "-rf", "-", "=",
    "\x01", "\x1b[2J", "\x7f", "é", "☃", "𝄞", "\u202e", "\u2028", "\ufeff", "$HOME", "${PATH}", "$1", "$@",
    "$0", "$IFS", "${#HOME}", "${HOME:-x}", "${params.P0}", "${E1}", "${J[0]}", "${ITEM}", "\\$X", "\\n",
    "END", "EOF", "\nEOF\n", "DAGFS_V1", "${DAGFS_V1}", "DAGFS_END_OF_TEXT", "*****", "null", "true",
    "1e999", "{{x}}", "<%= x %>", "word", "two words", '{"a": 1}', "[1, 2]", "key: value", "- item",
    "&anchor", "*alias", "!!python/object", "%PATH%", "'; true '", "$(touch pwned)", "`touch pwned`",
    ";touch pwned;", '"; touch pwned; "', "'; touch pwned; '", "\ntouch pwned\n", "|touch pwned",
    "&& touch pwned", "$(touch $DAG_DESK/pwned)", "<(touch pwned)", "$((`touch pwned`))",
]  # fmt: skip
END = "_END_OF_VALUE_"


def texts(seed: int) -> list[str]:
    """Short ones of any pieces, some long ones, and the few that are nothing but an end of line or so."""
    source = random.Random(seed)
    found = ["", " ", "\n", "\n\n", "-n", "-e", "x" * 50_000, "$(touch pwned)" * 1000]
    while len(found) < PER_RUN:
        found.append("".join(source.choices(PIECES, k=source.randint(1, 6))))
    return found


def spec(shell: str, count: int) -> Iterator[str]:
    """Every text by five ways, each behind a zero byte."""
    yield f"type: graph\nshell: {shell}\nparams:\n  - J: '[]'\n"
    yield from (f"  - P{n}: none\n" for n in range(count))
    yield "env:\n"
    yield from (f'  - E{n}: "${{P{n}}}"\n' for n in range(count))
    yield "steps:\n  - id: give\n    script: |\n"
    yield from (f'      printf \'%s\\0\' "${{P{n}}}" >> "$DAG_DESK/param"\n' for n in range(count))
    yield from (f'      printf \'%s\\0\' "$E{n}" >> "$DAG_DESK/env"\n' for n in range(count))
    yield from (
        f"      printf '%s\\0' 'a ${{params.P{n}}} z' >> \"$DAG_DESK/quoted\"\n" for n in range(count)
    )
    yield "      {\n"
    yield from (f"      printf 'O{n}<<{END}\\n%s\\n{END}\\n' \"$P{n}\"\n" for n in range(count))
    yield '      } > "$DAGFS_OUTPUT"\n'
    yield "  - id: take\n    depends: give\n    script: |\n"
    yield from (
        f'      printf \'%s\\0\' "${{steps.give.outputs.O{n}}}" >> "$DAG_DESK/output"\n' for n in range(count)
    )
    yield "  - id: json\n    depends: give\n    script: |\n"
    yield from (f'      printf \'%s\\0\' "${{J[{n}]}}" >> "$DAG_DESK/json"\n' for n in range(0, count, 20))


@pytest.mark.parametrize("number", range(RUNS))
def test_hostile_values_arrive_as_they_are(home: Home, tmp_path: Path, number: int) -> None:
    values = texts(number)
    picked = values[::20]
    home.dag("hostile", "".join(spec("bash" if number % 2 else "sh", len(values))))
    given = [word for n, value in enumerate(values) for word in ("-p", f"P{n}={value}")]
    whole = json.dumps([value if n % 20 == 0 else 0 for n, value in enumerate(values)], ensure_ascii=False)
    home.dagfs("run", "hostile", *given, "-p", f"J={whole}").exits(0)
    expected = {
        "param": values,
        "env": values,
        "quoted": [f"a {value} z" for value in values],
        "output": values,
        "json": picked,
    }
    for name, texts_ in expected.items():
        found = home.file(name).read_bytes().split(b"\0")[:-1]
        assert len(found) == len(texts_), name
        wrong = [n for n, text in enumerate(texts_) if found[n] != text.encode()]
        assert not wrong, (name, [(texts_[n], found[n]) for n in wrong[:3]])
    assert not list(home.path.rglob("pwned")) + list(tmp_path.rglob("pwned"))


FIELDS, ITEMS = 100, 5
NUL = "printf '%s\\0'"


def fan_out() -> str:
    """Items that are maps, handed to sub-DAGs as parameters, and to the body of a `foreach`."""
    fields = range(FIELDS)
    lines = [
        "type: graph",
        "params:\n  - ITEMS: '[]'",
        "steps:",
        "  - id: call",
        "    action: dag.run",
        "    with: {dag: child}",
        "    parallel: ${ITEMS}",
        "  - id: text",
        "    action: dag.run",
        '    with: {dag: one, params: {V: "${ITEM.f1}", W: "a ${ITEM.f2} z", N: "${ITEM.n}"}}',
        "    parallel: ${ITEMS}",
        "  - id: loop",
        "    foreach:",
        "      items: ${ITEMS}",
        "      as: row",
        "      key: ${foreach.row.n}",
        "      steps:",
        "        - id: tell",
        "          script: |",
        *(
            f'            {NUL} "${{foreach.row.f{n}}}" >> "$DAG_DESK/loop.${{foreach.row.n}}"'
            for n in fields
        ),
        "          output: SAID",
        "      collect: {f: '${foreach.row.f1}'}",
        "  - id: join",
        "    depends: [loop]",
        f'    run: for n in 1; do {NUL} "${{steps.loop.outputs.f[0]}}" "${{steps.loop.outputs.f[4]}}"; done'
        ' > "$DAG_DESK/join"',
        "---",
        "name: child",
        "params: [n: '', " + ", ".join(f"f{n}: ''" for n in fields) + "]",
        "steps:",
        "  - id: tell",
        "    script: |",
        *(f'      {NUL} "${{params.f{n}}}" "$f{n}" >> "$DAG_DESK/child.$n"' for n in fields),
        "---",
        "name: one",
        "params: [V: '', W: '', N: '']",
        "steps:",
        f'  - {{id: tell, run: \'{NUL} "$V" "$W" > "$DAG_DESK/one.$N"\'}}',
    ]
    return "\n".join(lines).replace(f"'{NUL} ", '\'printf "%s\\0" ') + "\n"


def test_hostile_items_reach_children_as_they_are(home: Home, tmp_path: Path) -> None:
    source = random.Random(7)
    items = [
        {"n": str(n), **{f"f{place}": "".join(source.choices(PIECES, k=3)) for place in range(FIELDS)}}
        for n in range(ITEMS)
    ]
    home.dag("fan", fan_out())
    home.dagfs("run", "fan", "-p", f"ITEMS={json.dumps(items, ensure_ascii=False)}").exits(0)
    for item in items:
        values = [item[f"f{place}"] for place in range(FIELDS)]
        assert parts(home, f"loop.{item['n']}") == values
        assert parts(home, f"child.{item['n']}") == [value for value in values for _ in range(2)]
        assert parts(home, f"one.{item['n']}") == [item["f1"], f"a {item['f2']} z"]
    assert parts(home, "join") == [items[0]["f1"], items[4]["f1"]]
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith("pwned")]


def parts(home: Home, name: str) -> list[str]:
    """The texts of a file, each of which ends with a zero byte."""
    return [text.decode() for text in home.file(name).read_bytes().split(b"\0")[:-1]]
