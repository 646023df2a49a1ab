"""Completion for zsh."""

from __future__ import annotations

from collections.abc import Sequence

from dagfs.cli.completion import DAG, FILE, FOLDER, RUN, STEP, VERB, Option, Place, Verb
from dagfs.cli.shells.places import LOOKS

_HEAD = """#compdef dagfs
# Completion of dagfs for zsh: put it into a folder of $fpath as _dagfs
"""
_BODY = r"""
__dagfs_where() {
    __dagfs_home "${opt_args[-C]}"
}

__dagfs_offer_runs() {
    local home=$(__dagfs_where)
    local -a runs dags
    runs=(@ ${(f)"$(__dagfs_runs $home)"})
    dags=(${(f)"$(__dagfs_dags $home)"})
    _describe -V run runs
    _describe dag dags
}

__dagfs_offer_dags() {
    local -a dags
    dags=(${(f)"$(__dagfs_dags "$(__dagfs_where)")"})
    _describe dag dags
    _files -g '*.y(a|)ml'
}

__dagfs_offer_steps() {
    local -a steps
    steps=(${(f)"$(__dagfs_steps "$(__dagfs_where)" "$line[1]")"})
    # Names may hold colons, which _describe would read as the beginning of a description.
    compadd -a steps
}

__dagfs_offer_verbs() {
    local -a others
    _describe command __dagfs_verbs
    others=(${${(k)commands[(I)dagfs-*]}#dagfs-})
    (( $#others )) && _describe 'other command' others
}

_dagfs() {
    local curcontext=$curcontext state line
    typeset -A opt_args
    _arguments -C -S $__dagfs_common '1:command:__dagfs_offer_verbs' '*::argument:->rest' && return
    [[ $state == rest ]] || return 1
    local -A before
    before=("${(@kv)opt_args}")
    __dagfs_of "$words[1]"
}
"""
_TAIL = r"""
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _dagfs "$@"
else
    compdef _dagfs dagfs
fi
"""
_OFFERS = {
    RUN: "__dagfs_offer_runs",
    DAG: "__dagfs_offer_dags",
    STEP: "__dagfs_offer_steps",
    FILE: "_files",
    FOLDER: "_files -/",
    VERB: "__dagfs_offer_verbs",
}


def script(verbs: Sequence[Verb], common: Sequence[Option]) -> str:
    """The whole script."""
    lines = [_HEAD.strip("\n"), LOOKS.strip("\n"), "", "typeset -ga __dagfs_verbs __dagfs_common"]
    lines += ["__dagfs_verbs=(", *(f"    {_quoted(f'{v.name}:{v.about}')}" for v in verbs), ")"]
    lines += ["__dagfs_common=(", *(f"    {each}" for option in common for each in _option(option)), ")"]
    lines += [_BODY.strip("\n"), "", "__dagfs_of() {", "    case $1 in"]
    for verb in verbs:
        specs = [each for option in verb.options for each in _option(option)]
        specs += [_place(number, place) for number, place in enumerate(verb.places, 1)]
        lines += [f"    {verb.name})", *_call(specs), "        ;;"]
    lines += ["    *) _files ;;", "    esac", "}"]
    return "\n".join(lines) + "\n" + _TAIL.lstrip("\n")


def _call(specs: Sequence[str]) -> list[str]:
    return [
        "        _arguments -S $__dagfs_common \\",
        *(f"            {each} \\" for each in specs),
        "            && return",
    ]


def _option(option: Option) -> list[str]:
    """One spec for each spelling; one that may be given again is not told apart from others."""
    about = _escaped(option.about).replace("[", r"\[").replace("]", r"\]")
    value = "" if option.value is None else f":{_message(option.value)}:{_offer(option.value)}"
    return [_quoted(f"*{name}[{about}]{value}") for name in option.names]


def _place(number: int, place: Place) -> str:
    where = "*" if place.many else str(number)
    return _quoted(f"{where}:{_message(place)}:{_offer(place)}")


def _message(place: Place) -> str:
    return place.kind


def _offer(place: Place) -> str:
    if place.choices:
        return f"({' '.join(place.choices)})"
    return _OFFERS.get(place.kind, " ")


def _escaped(text: str) -> str:
    return text.replace(":", r"\:")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
