"""Hostile values arrive as they are: they are never code, never cut, never changed."""

from __future__ import annotations

import pytest

from intg.home import Home

HOSTILE = [
    "plain",
    "two words",
    "'",
    '"',
    "\\",
    "a'b\"c\\d",
    "$(touch pwned)",
    "`touch pwned`",
    "${HOME} $PATH $$ $0",
    "; touch pwned #",
    "line one\nline two",
    "--flag=x",
    "a=b",
    "*",
    "~",
    "%s %d\\n",
    "{1..3}",
    "!!",
    "\t\x1b[31mred",
    "naïve ☃ 𝄞",
    "END",
    "x" * 20_000,
]


def chain(n: int) -> str:
    """Three steps that hand the value of `v<n>` on in every way there is."""
    return f"""
  - name: a{n}
    run: |
      printf '%s' "${{v{n}}}" > "$DAG_DESK/param.{n}"
      printf '%s' "$c{n}" > "$DAG_DESK/env.{n}"
      printf '%s' 'a ${{params.v{n}}} b' > "$DAG_DESK/quoted.{n}"
      printf 'x%sx' "${{v{n}}}"
    output: SAID{n}
  - name: b{n}
    depends: a{n}
    run: |
      printf '%s' "${{SAID{n}}}" > "$DAG_DESK/output.{n}"
      cat > "$DAG_DESK/heredoc.{n}" <<EOT
      ${{SAID{n}}}
      EOT
      {{ echo 'WRITTEN{n}<<_EOV_'; printf '%s\\n' "${{v{n}}}"; echo _EOV_; }} > "$DAGFS_OUTPUT"
  - name: c{n}
    depends: b{n}
    env:
      - OWN: "${{WRITTEN{n}}}"
    run: printf '%s' "$OWN" > "$DAG_DESK/own.{n}"
"""


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_values_pass_through_params_env_and_outputs_unchanged(home: Home, shell: str) -> None:
    numbers = range(len(HOSTILE))
    params = "".join(f"  - v{n}: none\n" for n in numbers)
    env = "".join(f'  - c{n}: "${{v{n}}}"\n' for n in numbers)
    steps = "".join(map(chain, numbers))
    home.dag("pass", f"type: graph\nshell: {shell}\nparams:\n{params}env:\n{env}steps:\n{steps}")
    given = [word for n, value in enumerate(HOSTILE) for word in ("-p", f"v{n}={value}")]
    home.dagfs("run", "pass", *given).exits(0)
    for n, value in enumerate(HOSTILE):
        expected = {
            "param": value,
            "env": value,
            "quoted": f"a {value} b",
            "output": f"x{value}x",
            "heredoc": f"x{value}x\n",
            "own": value,
        }
        found = {name: home.file(f"{name}.{n}").read_bytes() for name in expected}
        assert found == {name: text.encode() for name, text in expected.items()}, value[:80]
    assert not list(home.path.rglob("pwned"))
    assert not list(home.path.parent.glob("pwned"))


def test_a_hostile_value_cannot_drive_the_terminal(home: Home) -> None:
    home.dag(
        "job", 'params: [{p: x}]\nsteps: [{name: a, run: "printf \'%s\' \\"${p}\\"; false", output: O}]\n'
    )
    home.dagfs("run", "job", "-p", "p=\x1b[31mred\x07").exits(1)
    for words in (["status"], ["show"], ["runs"], ["plan"]):
        assert "\x1b" not in home.dagfs(*words).out
    assert home.dagfs("status", "--json").json["params"]["p"] == "\x1b[31mred\x07"


def test_params_stand_in_any_of_their_forms(home: Home) -> None:
    home.dag("job", 'params: one two K=v\nsteps: [{name: a, run: echo "$1 $2 $K"}]\n')
    home.dagfs("run", "job", "--id", "a").exits(0)
    home.dagfs("run", "job", "--id", "b", "-p", "K=w", "--", "uno", "due").exits(0)
    logs = [(home.path / f"runs/{run}/attempts/1/steps/a/stdout.log").read_text() for run in "ab"]
    assert logs == ["one two v\n", "uno due w\n"]


def test_an_output_too_long_for_the_environment_fails_with_its_size(home: Home) -> None:
    home.dag(
        "big",
        """
        steps:
          - {name: a, run: "head -c 300000 /dev/zero | tr '\\\\0' x", output: BIG}
          - {name: b, depends: a, run: 'printf "%s" "${BIG}" | wc -c'}
        """,
    )
    home.dagfs("run", "big").exits(1)
    home.dagfs("status").says("BIG", "300,000 bytes")


def test_a_secret_of_the_engines_environment_does_not_reach_steps(home: Home) -> None:
    home.dag("job", "steps: [{name: a, run: env}]\n")
    home.dagfs("run", "job", env={"AWS_SECRET_ACCESS_KEY": "hunter2"}).exits(0)
    assert "hunter2" not in home.log("a")


def test_odd_step_names_are_just_names(home: Home) -> None:
    names = ["a b", "ä☃", ".a", "$(touch pwned)", "a-b", "CON", "%41", "a'b"]
    steps = "".join(f'  - name: "{name}"\n    run: echo ran\n' for name in names)
    home.dag("odd", f"type: graph\nsteps:\n{steps}")
    home.dagfs("run", "odd").exits(0)
    for name in names:
        assert home.dagfs("logs", "@", "--", name).exits(0).out == "ran\n", name
    assert not list(home.path.rglob("pwned"))
    assert sorted(home.states()) == sorted(names)


def test_several_commands_without_a_shell_run_in_turn_until_one_fails(home: Home) -> None:
    home.dag(
        "direct",
        """
        params: [WORD="two  blanks; $(touch here)"]
        steps:
          - name: a
            shell: direct
            run:
              - printf '<%s>' "$WORD" one 2 3 4 5 6 7 8 9
              - echo " $WORD"
              - 'false'
              - echo never
        """,
    )
    home.dagfs("run", "direct").exits(1)
    word = "two  blanks; $(touch here)"
    assert home.log("a") == f"<{word}>" + "".join(f"<{n}>" for n in ("one", *range(2, 10))) + f" {word}\n"
    assert not list(home.path.rglob("here"))


@pytest.mark.parametrize("key", ["run", "command"])
@pytest.mark.parametrize("more", ["", "shell: /bin/bash"], ids=["no shell", "the DAG's shell"])
def test_a_text_of_several_lines_is_run_by_its_first(home: Home, key: str, more: str) -> None:
    home.dag(
        "lines",
        f"""
        {more}
        params: {{P: "7"}}
        steps:
          - name: python
            {key}: |
              #!/usr/bin/env python3
              import os
              print("python", 6 * ${{P}}, os.environ["P"])
          - name: own
            shell: /bin/sh
            {key}: |
              #!/usr/bin/env python3
              echo shell $P
          - name: one
            {key}: "#!/usr/bin/env python3"
          - |
            #!/usr/bin/env python3
            print("bare")
        """,
    )
    home.dagfs("run", "lines").exits(0)
    assert home.log("python") == "python 42 7\n"
    assert home.log("own") == "shell 7\n"
    logs = [path.read_text() for path in home.run.glob("attempts/1/steps/*/stdout.log")]
    assert "bare\n" in logs
