"""The POSIX sh programs that own a job in another place: one that starts and follows it, one that ends it.

They are read by `/bin/sh -s` from standard input, so nothing in them is ever an argument there, and nothing
of them is done before all has arrived. A job is a folder of its own over there:

    definition   what the job was made from
    claim/       made by the job's own process, once, as the first thing it does
    live         "PID START" of that process, which leads a session and a process group
    exit.CODE    what `live` is renamed to at the end: a rename needs no room on a full disk
    out err      what the command printed
    output       what it wrote to $DAGFS_OUTPUT

What comes back are frames: a line with a letter, and bytes where the line names a number of them.

    s            the job is there, begun now or before       o N, e N, v N   N bytes of out, err, output
    x CODE       it ended with CODE, and all is sent         n TEXT          it cannot be begun, and why
    l            it is gone without a trace of its end       .               all quiet
    k            its folder is removed
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

JOB = "\0job\0"
"""Stands for the job's folder, which only the other place knows; no text of a step can hold it."""

_COMMON = r"""
say() { printf '%s\n' "$*"; }
no() { say "n $*"; exit 0; }
ours() { [ -d "$1" ] && [ ! -L "$1" ] && [ -O "$1" ]; }
look() {
  j=
  for b in "$@"; do if ours "$b" && ours "$b/$k"; then j=$b/$k; return; fi; done
}
code() {
  c=
  for f in "$j"/exit.*; do if [ -e "$f" ]; then c=${f##*.}; fi; done
}
stat() {
  z= g= t=
  if read -r l 2>/dev/null <"/proc/$1/stat"; then set -- ${l##*) }; z=$1 g=$3 t=${20}; fi
}
who() {
  p= q=
  if [ -f "$j/live" ]; then read -r p q <"$j/live" || :; fi
}
alive() {
  who
  [ -n "$p" ] || return 1
  kill -0 "$p" 2>/dev/null || return 1
  [ -d /proc/self ] || return 0
  stat "$p"
  [ "$t" = "$q" ] && [ "$z" != Z ]
}
rest() { sleep "$1" 2>/dev/null || sleep 1; }
members() {
  if [ ! -d /proc/self ]; then
    if [ -n "$p" ] && kill -0 "-$p" 2>/dev/null; then echo "-$p"; fi
    return
  fi
  for f in /proc/[0-9]*; do
    stat "${f#/proc/}"
    if [ -n "$p" ] && [ "$g" = "$p" ] && [ "$z" != Z ]; then echo "${f#/proc/}"; fi
  done
  grep -l -s -F -e "DAGFS_JOB=$k" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3
}
finish() {
  i=0 p=
  if [ -n "$j" ]; then alive || p=; fi
  while m=$(members) && [ -n "$m" ]; do
    kill -9 $m 2>/dev/null
    i=$((i+1))
    if [ $i -gt 100 ]; then no "processes of it cannot be ended:" $m; fi
    rest 0.1
  done
  if [ -n "$j" ]; then rm -rf "$j"; fi
}
"""

_OWN = r"""
trap : HUP INT QUIT TERM USR1 USR2 ALRM PIPE
j=$1; shift
mkdir "$j/claim" 2>/dev/null || exit
t=
if read -r l 2>/dev/null <"/proc/$$/stat"; then
  t=$(set -- ${l##*) }; echo "${20}")
fi
if echo "$$ $t" >"$j/live.new" && mv "$j/live.new" "$j/live"; then
  (
    if [ -n "${DAGFS_JOB_PATH+x}" ]; then PATH=$DAGFS_JOB_PATH; unset DAGFS_JOB_PATH; export PATH; fi
    exec "$@"
  ) </dev/null >"$j/out" 2>"$j/err"
  mv "$j/live" "$j/exit.$?"
else
  rm -f "$j/live.new"; mkdir "$j/full"
fi
"""
"""The job's own process. Its traps do nothing; unlike ignored signals the command does not inherit them."""

_DETACH = r"""
way() {
  if setsid -f true 2>/dev/null; then way=fork
  elif command -v perl >/dev/null 2>&1; then way=perl
  elif command -v setsid >/dev/null 2>&1; then way=plain
  else no "neither setsid nor perl is there"; fi
}
detach() {
  case $way in
    fork) setsid -f "$@";;
    perl) perl -e 'use POSIX; fork and exit; POSIX::setsid(); exec @ARGV' "$@";;
    *) setsid "$@" &
  esac
}
"""

_FOLLOW = r"""
settle() {
  i=0
  while [ ! -d "$j/full" ]; do
    code
    if [ -n "$c" ] || [ -f "$j/live" ]; then return; fi
    i=$((i+1))
    if [ $i -gt 50 ] && mkdir "$j/claim" 2>/dev/null; then break; fi
    if [ $i -gt 300 ]; then break; fi
    rest 0.1
  done
  if [ "$1" = again ]; then rm -rf "$j"; j=; return; fi
  rm -rf "$j"; no "the job's folder cannot be written: is the disk full?"
}
size() { n=0; if [ -f "$1" ]; then n=$(($(wc -c <"$1"))); fi; }
send() {
  size "$2"
  n=$((n - $3))
  if [ $n -gt 1000000 ]; then n=1000000; fi
  if [ $n -gt 0 ]; then say "$1 $n"; tail -c "+$(($3 + 1))" "$2" | head -c "$n"; else n=0; fi
}
follow() {
  w=0.05
  while :; do
    code
    lost=
    if [ -z "$c" ] && ! alive; then code; if [ -z "$c" ]; then lost=1; fi; fi
    send o "$j/out" $o; o=$((o + n)); m=$n
    send e "$j/err" $e; e=$((e + n)); m=$((m + n))
    if [ $m -gt 0 ]; then w=0.05; continue; fi
    if [ -n "$c" ]; then break; fi
    if [ -n "$lost" ]; then finish; say l; exit 0; fi
    say .
    rest $w
    case $w in 0.05) w=0.1;; 0.1) w=0.2;; 0.2) w=0.5;; *) w=1;; esac
  done
  send v "$j/output" 0
  say "x $c"
  if read -r a && [ "$a" = ok ]; then finish; say k; fi
}
"""

_START = r"""
start() {
  way
  for b in "$@"; do
    mkdir -p -- "$b" 2>/dev/null
    if ours "$b"; then j=$b/$k; break; fi
  done
  [ -n "$j" ] || no "no folder for jobs can be made at" "$@"
  mkdir "$j" 2>/dev/null || no "cannot make $j: is the disk full?"
  if ! printf '%s' "$d" >"$j/definition" || ! files; then
    rm -rf "$j"; no "cannot write in $j: is the disk full?"
  fi
  if [ -n "$cwd" ]; then
    cd -- "$cwd" 2>/dev/null || { rm -rf "$j"; no "cannot enter $cwd"; }
  fi
  launch
}
main() {
  look "$@"
  if [ -n "$j" ] && [ "$(cat "$j/definition" 2>/dev/null)" != "$d" ]; then
    finish; j=
  fi
  if [ -n "$j" ]; then settle again; fi
  if [ -z "$j" ]; then
    if [ $may = 0 ]; then say l; exit 0; fi
    start "$@"
    settle
  fi
  say s
  follow
}
"""

_END = r"""
main() {
  look "$@"
  finish
  say k
}
"""

_SIGNAL = r"""
main() {
  look "$@"
  if [ -n "$j" ] && alive; then
    kill -s "$sig" -- "-$p" 2>/dev/null || kill "-$sig" "-$p" 2>/dev/null
    say k
  fi
}
"""


def begin(
    key: str,
    definition: str,
    argv: Sequence[str],
    env: Mapping[str, str],
    files: Mapping[str, str],
    *,
    folder: str = "",
    cwd: str = "",
    may_start: bool = True,
    offsets: tuple[int, int] = (0, 0),
) -> str:
    """Start the job unless it is there, and follow it from `offsets`.

    Where a word of `argv` or a value of `env` holds `JOB`, that becomes the job's folder; `env` is what the
    command gets beside what is there. Without `may_start` a job that is not there is lost.
    """
    known = {"k": key, "d": definition, "cwd": cwd}
    lines = [
        _head(known),
        f"may={int(may_start)}; o={offsets[0]}; e={offsets[1]}",
        _COMMON,
        _DETACH,
        _FOLLOW,
        _files(files),
        _launch(argv, {**env, "DAGFS_JOB": key}),
        _START,
        _call(folder),
    ]
    return "\n".join(lines)


def end(key: str, folder: str = "") -> str:
    """End every process of the job, and remove its folder once none is left."""
    return "\n".join([_head({"k": key}), _COMMON, _END, _call(folder)])


def send_signal(key: str, name: str, folder: str = "") -> str:
    """Send a signal, `TERM` for example, to the job's process group."""
    return "\n".join([_head({"k": key, "sig": name}), _COMMON, _SIGNAL, _call(folder)])


def _head(known: Mapping[str, str]) -> str:
    values = "\n".join(f"{name}={shlex.quote(value)}" for name, value in known.items())
    return f"mask=$(umask)\numask 077\nPATH=${{PATH:-/usr/local/bin:/usr/bin:/bin}}\n{values}"


def _call(folder: str) -> str:
    # The braces make the shell read to the last line before it does anything.
    places = _quoted(folder) if folder else '"${HOME:-/}/.dagfs" "/tmp/.dagfs-$(id -u)"'
    return f"{{ main {places}; exit 0; }}\n"


def _quoted(folder: str) -> str:
    """An absolute path, or one below the home there."""
    if folder.startswith("/"):
        return shlex.quote(folder)
    return '"${HOME:-/}"/' + shlex.quote(folder.removeprefix("~/"))


def _files(files: Mapping[str, str]) -> str:
    written = [
        f'printf %s {shlex.quote(text)} >"$j"/{shlex.quote(name)} && chmod 700 "$j"/{shlex.quote(name)}'
        for name, text in files.items()
    ]
    return "files() {\n" + " &&\n".join([":", *written]) + "\n}"


def _launch(argv: Sequence[str], env: Mapping[str, str]) -> str:
    # The command's own PATH is not to keep us from finding what starts it.
    named = {("DAGFS_JOB_PATH" if name == "PATH" else name): value for name, value in env.items()}
    values = "\n".join(f"export {name}={_with_job(value)}" for name, value in named.items())
    words = " ".join(_with_job(word) for word in argv)
    # In a subshell: the follower itself is not to be found by the mark of the job.
    call = f'detach /bin/sh -c {shlex.quote(_OWN)} dagfs-job "$j" {words} </dev/null >/dev/null 2>&1'
    return f"launch() (\numask $mask\n{values}\n{call}\n)"


def _with_job(text: str) -> str:
    """The text quoted, `JOB` made the job's folder."""
    return '"$j"'.join(shlex.quote(part) for part in text.split(JOB))
