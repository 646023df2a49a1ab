"""Completion for fish."""

from __future__ import annotations

from collections.abc import Sequence

from dagfs.cli.completion import DAG, FILE, FOLDER, RUN, STEP, VERB, Option, Place, Verb

_HEAD = r"""# Completion of dagfs for fish: put it into ~/.config/fish/completions/dagfs.fish

# The words on the line: the home given with -C, the verb, and what stands behind it without options.
function __dagfs_parse
    set -g __dagfs_given_home
    set -g __dagfs_verb
    set -g __dagfs_places
    set -l value
    for word in (commandline -opc)[2..-1]
        if test -n "$value"
            test $value = home; and set __dagfs_given_home $word
            set value
        else if test "$word" = -C
            set value home
        else if string match -q -- '-*' $word
            contains -- "$word" $__dagfs_with_value; and set value other
            contains -- "$__dagfs_verb $word" $__dagfs_with_value; and set value other
        else if test -z "$__dagfs_verb"
            set __dagfs_verb $word
        else
            set -a __dagfs_places $word
        end
    end
end

function __dagfs_has_no_verb
    __dagfs_parse
    test -z "$__dagfs_verb"
end

# Whether the verb is this one and so many words stand behind it; without a number, any.
function __dagfs_at
    __dagfs_parse
    test "$__dagfs_verb" = $argv[1]; or return 1
    test -z "$argv[2]"; or test (count $__dagfs_places) = $argv[2]
end

# The home: -C DIR on the line, $DAGFS_HOME, the nearest folder upwards with a dagfs.yaml, the user's own.
function __dagfs_home
    __dagfs_parse
    if test -n "$__dagfs_given_home"
        eval echo (string escape -n -- $__dagfs_given_home | string replace -r '^\\\\?~' '~')
        return
    end
    if set -q DAGFS_HOME; and test -n "$DAGFS_HOME"
        echo $DAGFS_HOME
        return
    end
    set -l folder $PWD
    while test -n "$folder"
        if test -f $folder/dagfs.yaml
            echo $folder
            return
        end
        set folder (string replace -r '/[^/]*$' '' -- $folder)
    end
    set -q XDG_DATA_HOME; and echo $XDG_DATA_HOME/dagfs; or echo $HOME/.local/share/dagfs
end

function __dagfs_runs
    echo @
    command ls -1r (__dagfs_home)/runs 2>/dev/null
end

function __dagfs_dags
    command find (__dagfs_home)/dags/ -name '.?*' -prune -o -name '*.y*ml' -print 2>/dev/null |
        string replace -rf '.*/(.*)\.ya?ml$' '$1'
end

# The run that the first word means: @, an id, the beginning of one, or a DAG's name (its newest).
function __dagfs_run
    set -l word $__dagfs_places[1]
    set -l ids (command ls -1 $argv[1]/runs 2>/dev/null)
    if contains -- "$word" $ids
        echo $word
        return
    end
    if test -z "$word"; or test "$word" = @
        string match -r -- '^[0-9].*' $ids | tail -n 1
        return
    end
    set -l found (string match -r -- '^'(string escape --style=regex -- $word)'.*' $ids)
    or set found (string match -r -- '^[0-9]+-[0-9]+-'(string escape --style=regex -- $word)'-[^-]*$' $ids)
    echo $found[-1]
end

function __dagfs_steps
    set -l home (__dagfs_home)
    set -l run (__dagfs_run $home)
    test -n "$run"; or return
    command sed -n '/^ "steps": {/,/^ }/s/^  "\(.*\)": {$/\1/p' $home/runs/$run/status.json 2>/dev/null |
        string replace -ra '\\\\(["\\\\])' '$1'
end

function __dagfs_others
    for folder in $PATH
        command ls -1 $folder 2>/dev/null | string match -r '^dagfs-.+'
    end | string replace dagfs- '' | sort -u
end

complete -c dagfs -e
complete -c dagfs -f
complete -c dagfs -n __dagfs_has_no_verb -a '(__dagfs_others)'
"""
_OFFERS = {
    RUN: "(__dagfs_runs; __dagfs_dags)",
    DAG: "(__dagfs_dags; __fish_complete_suffix .yaml)",
    STEP: "(__dagfs_steps)",
    FILE: "(__fish_complete_path)",
    FOLDER: "(__fish_complete_directories)",
}


def script(verbs: Sequence[Verb], common: Sequence[Option]) -> str:
    """The whole script."""
    valued = [
        f"{verb.name} {name}"
        for verb in verbs
        for option in verb.options
        if option.value is not None
        for name in option.names
    ]
    valued += [name for option in common if option.value is not None for name in option.names]
    names = " ".join(verb.name for verb in verbs)
    lines = [_HEAD.rstrip("\n"), "", f"set -g __dagfs_with_value {' '.join(map(_quoted, valued))}", ""]
    lines += [_line(_flags(option), _value(option.value, names), option.about) for option in common]
    for verb in verbs:
        lines += ["", _line("-n __dagfs_has_no_verb", f"-a {verb.name}", verb.about)]
        where = f"-n {_quoted(f'__dagfs_at {verb.name}')}"
        for option in verb.options:
            lines.append(_line(f"{where} {_flags(option)}", _value(option.value, names), option.about))
        for number, place in enumerate(verb.places):
            offer = _offer(place, names)
            if offer:
                at = f"__dagfs_at {verb.name}" + ("" if place.many else f" {number}")
                lines.append(_line(f"-n {_quoted(at)} -k", f"-a {_quoted(offer)}", ""))
    return "\n".join(lines) + "\n"


def _line(which: str, what: str, about: str) -> str:
    parts = ["complete -c dagfs", which, what, f"-d {_quoted(about)}" if about else ""]
    return " ".join(part for part in parts if part)


def _flags(option: Option) -> str:
    return " ".join(f"-l {n[2:]}" if n.startswith("--") else f"-s {n[1:]}" for n in option.names)


def _value(value: Place | None, verbs: str) -> str:
    if value is None:
        return ""
    offer = _offer(value, verbs)
    return "-x" + (f" -a {_quoted(offer)}" if offer else "")


def _offer(place: Place, verbs: str) -> str:
    if place.choices:
        return " ".join(place.choices)
    return verbs if place.kind == VERB else _OFFERS.get(place.kind, "")


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
