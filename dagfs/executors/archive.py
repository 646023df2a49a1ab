"""Makes, unpacks and lists archives; nothing leaves the folder it is unpacked into."""

from __future__ import annotations

from collections.abc import Sequence

from dagfs.executors.program import program
from dagfs.hooks import hookimpl
from dagfs.hooks.executor import Executor, Process, StepRequest
from dagfs.hooks.options import FLAG, NUMBER, TEXT, WORDS, Option, Options, refused
from dagfs.model.dag import Step

VERBS = ("create", "extract", "list")
FORMATS = ("zip", "tar", "tar.gz", "tgz", "tar.bz2", "tbz2", "tar.xz", "txz")
OPTIONS = Options(
    "archive",
    Option(
        "command",
        TEXT,
        "What to do, in place of the step's `command`.",
        "",
        ("", *VERBS),
        ("action", "operation"),
    ),
    Option("source", WORDS, "What to pack (files, folders), or the archive to unpack or list."),
    Option("destination", TEXT, "The archive to make, or the folder to unpack into (the step's directory)."),
    Option("format", TEXT, "The format; without it, by the archive's name.", "", ("", *FORMATS)),
    Option("compression_level", NUMBER, "0 to 9: quick to small.", 6),
    Option("overwrite", FLAG, "Replace files that are there.", False),
    Option(
        "preserve_paths", FLAG, "Unpack with the folders of the archive; false puts all files into one.", True
    ),
    Option("strip_components", NUMBER, "Leave out so many leading folders when unpacking.", 0),
    Option("include", WORDS, "Only names that fit one of these patterns (`*.csv`, `logs/*`)."),
    Option("exclude", WORDS, "Not the names that fit one of these patterns."),
    Option("dry_run", FLAG, "Say what would be done; write nothing.", False),
    Option("verbose", FLAG, "Print each name.", False),
    Option("follow_symlinks", FLAG, "Pack what links lead to in place of the links.", False),
    Option(
        "verify_integrity", FLAG, "Read all of the archive once it is made, or before it is unpacked.", False
    ),
    Option(
        "continue_on_error", FLAG, "Go on with the next file where one cannot be packed or unpacked.", False
    ),
    Option("max_bytes", NUMBER, "The most that unpacking may write; 0 is no bound.", 0),
    Option("password", TEXT, "The password of a zip to unpack (the old ZIP encryption)."),
)


class Archive:
    """`type: archive`."""

    name = "archive"
    options = OPTIONS
    command_is = "data"

    def check(self, step: Step) -> Sequence[str]:
        config = step.executor.config
        wrong = [*OPTIONS.wrong(config), *refused(self.name, script=step.script)]
        verb = config.get("command") or (step.command[0].strip() if step.command else "")
        if "$" not in str(verb) and verb not in VERBS:
            wrong.append(f"`command` must be {', '.join(VERBS[:-1])} or {VERBS[-1]}, not {str(verb)!r}")
        if not config.get("source"):
            wrong.append("archive needs `source`")
        if verb == "create" and not config.get("destination"):
            wrong.append("archive create needs `destination`")
        if verb == "create" and config.get("password"):
            wrong.append("archives cannot be made with a password; encrypt the file with a tool made for it")
        return wrong

    def prepare(self, request: StepRequest) -> Process:
        settings = OPTIONS.read(request.config)
        settings["command"] = settings["command"] or (request.command[0].strip() if request.command else "")
        if settings["command"] not in VERBS:
            raise ValueError(f"there is no {settings['command']!r}: use {', '.join(VERBS)}")
        if not settings["source"]:
            raise ValueError("`source` is empty")
        return program(request, "archive", settings)


@hookimpl
def executors() -> Sequence[Executor]:
    return [Archive()]
