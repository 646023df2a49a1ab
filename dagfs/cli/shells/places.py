"""The part of a completion script that looks into the home. The same text serves bash and zsh."""

LOOKS = r"""
# The home: -C DIR on the line, $DAGFS_HOME, the nearest folder upwards with a dagfs.yaml, the user's own.
__dagfs_home() {
    local home=$1 folder
    home=${home:-$DAGFS_HOME}
    case $home in
    '~') home=$HOME ;;
    '~/'*) home=$HOME/${home#*/} ;;
    esac
    if [ -z "$home" ]; then
        folder=$PWD
        while :; do
            [ -f "$folder/dagfs.yaml" ] && home=${folder:-/} && break
            [ -n "$folder" ] || break
            folder=${folder%/*}
        done
    fi
    printf '%s\n' "${home:-${XDG_DATA_HOME:-$HOME/.local/share}/dagfs}"
}

# Run ids, one a line, newest first.
__dagfs_runs() {
    command ls -1r "$1/runs" 2>/dev/null
}

# Names of DAG files.
__dagfs_dags() {
    command find "$1/dags/" -name '.?*' -prune -o \( -name '*.yaml' -o -name '*.yml' \) -print 2>/dev/null |
        command sed 's|.*/||; s|\.ya\{0,1\}ml$||' | command sort -u
}

# The run that a word means: @, an id, the beginning of one, or a DAG's name (its newest).
__dagfs_run() {
    case $2 in
    '' | @) __dagfs_runs "$1" | command grep '^[0-9]' | command head -n 1 ;;
    *) if [ -d "$1/runs/$2" ]; then
        printf '%s\n' "$2"
    else
        __dagfs_runs "$1" | command awk -v word="$2" '
            index($0, word) == 1 && begins == "" { begins = $0 }
            match($0, /^[0-9]+-[0-9]+-/) {
                name = substr($0, RLENGTH + 1); sub(/-[^-]*$/, "", name)
                if (name == word && dag == "") dag = $0
            }
            END { print (begins != "" ? begins : dag) }'
    fi ;;
    esac
}

# The steps of a run, as its status.json names them.
__dagfs_steps() {
    local run
    run=$(__dagfs_run "$1" "$2")
    [ -n "$run" ] || return
    command sed -n '/^ "steps": {/,/^ }/s/^  "\(.*\)": {$/\1/p' "$1/runs/$run/status.json" 2>/dev/null |
        command sed 's/\\\(["\\]\)/\1/g'
}
"""
