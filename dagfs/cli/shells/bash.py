"""Completion for bash."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dagfs.cli.completion import Option, Place, Verb
from dagfs.cli.shells.places import LOOKS

_HEAD = r"""# Completion of dagfs for bash: source it, or put it into
# ~/.local/share/bash-completion/completions/dagfs
"""
_BODY = r"""
# Puts the lines that begin with the word under the cursor into COMPREPLY, quoted for the command line.
__dagfs_offer() {
    local line
    while IFS= read -r line; do
        [[ -n $line && $line == "$cur"* ]] && COMPREPLY+=("$(printf '%q' "$line")")
    done
}

__dagfs_offer_runs() {
    # Ids need no quoting, and there may be thousands.
    COMPREPLY+=($(compgen -W "@ $(__dagfs_runs "$home")" -- "$cur"))
}

__dagfs_offer_kind() {
    case $1 in
    run) __dagfs_offer_runs; __dagfs_offer < <(__dagfs_dags "$home") ;;
    dag) __dagfs_offer < <(__dagfs_dags "$home"); __dagfs_offer < <(compgen -f -- "$cur") ;;
    step) __dagfs_offer < <(__dagfs_steps "$home" "${places[0]}") ;;
    file) __dagfs_offer < <(compgen -f -- "$cur") ;;
    folder) __dagfs_offer < <(compgen -d -- "$cur") ;;
    verb) __dagfs_offer <<<"${verbs// /$'\n'}" ;;
    =*) __dagfs_offer <<<"${1:1}" ;;
    esac
}

_dagfs() {
    local cur=${COMP_WORDS[COMP_CWORD]} verb= home= value= option= word place
    local -a places=()
    # A word that was begun with an unquoted ~ or quoted is left alone but for its quotes.
    cur=${cur#[\"\']}
    COMPREPLY=()
    for ((place = 1; place < COMP_CWORD; place++)); do
        word=${COMP_WORDS[place]}
        # bash breaks --option=value into three.
        [[ $word == = && -n $value ]] && continue
        if [[ -n $value ]]; then
            [[ $value == home ]] && home=$word
            value=
            continue
        fi
        case $word in
        -C) value=home ;;
        -*) option=$word && [[ -n $(__dagfs_value "$verb" "$word") ]] && value=other ;;
        *) if [[ -z $verb ]]; then verb=$word; else places+=("$word"); fi ;;
        esac
    done
    home=$(__dagfs_home "$home")
    [[ $cur == = && -n $value ]] && cur=
    if [[ -n $value ]]; then
        [[ $value == home ]] && __dagfs_offer_kind folder
        [[ $value == other ]] && __dagfs_offer_kind "$(__dagfs_value "$verb" "$option")"
    elif [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$(__dagfs_options "$verb")" -- "$cur"))
    elif [[ -z $verb ]]; then
        __dagfs_offer_kind verb
        __dagfs_offer < <(compgen -c -- dagfs- | command sed 's/^dagfs-//' | command sort -u)
    else
        __dagfs_offer_kind "$(__dagfs_place "$verb" "${#places[@]}")"
    fi
}

complete -o nosort -F _dagfs dagfs 2>/dev/null || complete -F _dagfs dagfs
"""


def script(verbs: Sequence[Verb], common: Sequence[Option]) -> str:
    """The whole script."""
    everywhere = [name for option in common for name in option.names]
    options = [(verb.name, [n for o in verb.options for n in o.names if n != "-h"]) for verb in verbs]
    lines = [_HEAD.strip("\n"), LOOKS.strip("\n"), ""]
    lines += [f"__dagfs_verbs='{' '.join(verb.name for verb in verbs)}'", ""]
    lines += _function(
        "__dagfs_options",
        "The options of a verb.",
        [(name, f"echo '{' '.join([*own, *everywhere])}'") for name, own in options]
        + [("*", f"echo '{' '.join(everywhere)}'")],
        "$1",
    )
    lines += _function(
        "__dagfs_value",
        "What the value of an option is; nothing for one without.",
        _values(verbs, common),
        "$1 $2",
    )
    lines += _function("__dagfs_place", "What stands behind a verb, in which place.", _places(verbs), "$1 $2")
    return "\n".join(lines) + _BODY.replace("${verbs//", "${__dagfs_verbs//")


def _function(name: str, about: str, cases: Iterable[tuple[str, str]], subject: str) -> list[str]:
    arms = [f"    {pattern}) {body} ;;" for pattern, body in cases]
    return [f"# {about}", f"{name}() {{", f'    case "{subject}" in', *arms, "    esac", "}", ""]


def _values(verbs: Sequence[Verb], common: Sequence[Option]) -> list[tuple[str, str]]:
    found = []
    for prefix, options in (*((f"'{verb.name} '", verb.options) for verb in verbs), ("*' '", common)):
        for option in options:
            if option.value is not None:
                pattern = " | ".join(f"{prefix}{name}" for name in option.names)
                found.append((pattern, f"printf '%s\\n' {_kind(option.value)}"))
    return found


def _places(verbs: Sequence[Verb]) -> list[tuple[str, str]]:
    found = []
    for verb in verbs:
        for number, place in enumerate(verb.places):
            pattern = f"'{verb.name} '*" if place.many else f"'{verb.name} {number}'"
            found.append((pattern, f"printf '%s\\n' {_kind(place)}"))
    return found


def _kind(place: Place) -> str:
    """A kind, or the words there are, each on a line, behind a `=`."""
    if not place.choices:
        return place.kind
    words = "\\n".join(place.choices)
    return f"$'={words}'"
