"""The generated parts of docs/http-api.md: every operation with an example, and every code of an error."""

from __future__ import annotations

import json
from itertools import groupby
from urllib.parse import quote, urlencode

from dagfs.web.api import openapi
from dagfs.web.api.operation import Operation, Parameter
from dagfs.web.api.routes import OPERATIONS
from dagfs.web.problem import CODES
from dagfs.web.role import Role

TITLES = {
    "dags": "DAGs",
    "runs": "Runs",
    "steps": "Steps and logs",
    "artifacts": "Artifacts",
    "specs": "Specs and the pending edit",
    "plans": "Plan, retry, rerun",
    "answers": "Stop, mark, approve, reject",
    "queues": "Queues",
    "search": "Search",
    "scheduler": "Scheduler",
    "server": "The server",
    "routes": "The description",
}


def codes_part() -> str:
    rows = [f"| `{code}` | {status} | {about} |" for code, (status, about) in CODES.items()]
    return "\n".join(["| code | status | |", "|---|---|---|", *rows])


def operations_part() -> str:
    known = sorted(OPERATIONS, key=lambda each: list(TITLES).index(openapi.noun(each)))
    parts = []
    for noun, found in groupby(known, key=openapi.noun):
        parts.append(f"## {TITLES[noun]}")
        parts += [_operation(each) for each in found]
    return "\n\n".join(parts)


def _operation(operation: Operation) -> str:
    lines = [f"### {operation.summary}", "", f"`{operation.method} {openapi.address(operation)}`", ""]
    about = [operation.answer.about, operation.about]
    about += [f"Needs the role `{operation.role.word}`."] if operation.role is not Role.VIEW else []
    about += [f"On the command line: `{operation.shell}`."] if operation.shell else []
    lines += [" ".join(filter(None, about)), "", "```sh", _curl(operation), "```"]
    if rows := [_row(each) for each in operation.parameters if each.place != "path"]:
        lines += ["", "| parameter | takes | |", "|---|---|---|", *rows]
    if operation.body is not None and (fields := operation.body.schema.get("properties")):
        needed = operation.body.schema.get("required", ())
        lines += ["", "| in the body | takes | |", "|---|---|---|"]
        for name, schema in fields.items():
            word = " (needed)" if name in needed else ""
            lines.append(f"| `{name}`{word} | {_kind(schema)} | {schema.get('description', '')} |")
    if operation.errors:
        lines += ["", f"May also tell {', '.join(f'`{code}`' for code in operation.errors)}."]
    return "\n".join(lines)


def _row(parameter: Parameter) -> str:
    words = " (header)" if parameter.place == "header" else ""
    words += " (needed)" if parameter.required else ""
    default = parameter.schema.get("default")
    said = f"{_kind(parameter.schema)}" + (f", else `{default}`" if default is not None else "")
    return f"| `{parameter.name}`{words} | {said} | {parameter.about} |"


def _kind(schema: openapi.Data) -> str:
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if "anyOf" in schema:
        return "; or ".join(_kind(each) for each in schema["anyOf"])
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"a list: {_kind(schema['items'])}"
    if kind == "object":
        more = schema.get("additionalProperties")
        return f"an object: {_kind(more)}" if isinstance(more, dict) and more else "an object"
    names = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true`, `false`"}
    kinds = kind if isinstance(kind, list) else [kind]
    return " or ".join(names.get(each, each) for each in kinds)


def _curl(operation: Operation) -> str:
    path = openapi.address(operation)
    query = {}
    for each in operation.parameters:
        if each.place == "path":
            path = path.replace(f"{{{each.name}}}", quote(str(each.example or "v1"), safe="/"))
        elif each.place == "query" and each.example is not None and (each.required or not query):
            query[each.name] = each.example
    url = f"$DAGFS{path}" + (f"?{urlencode(query, doseq=True)}" if query else "")
    words = ["curl", "-H", '"Authorization: Bearer $TOKEN"']
    if operation.method != "GET":
        words += ["-X", operation.method]
    body = operation.body
    if body is not None and body.media == "application/json" and body.example is not None:
        words += [
            "-H",
            "'Content-Type: application/json'",
            "-d",
            f"'{json.dumps(body.example)}'",
        ]
    elif body is not None:
        words += ["-H", f"'Content-Type: {body.media}'", "--data-binary", "@spec.yaml"]
    return " ".join([*words, f'"{url}"'])
