"""Secrets reach steps as variables, and nothing that is written down."""

from __future__ import annotations

from intg.home import Home

PASSWORD = "hunter2-hunter2"
KEY = "first line of a key\nsecond line of it"


def leaks(home: Home, *folders: str) -> list[str]:
    """Files below these folders that hold a piece of a secret."""
    pieces = (PASSWORD.encode(), *KEY.encode().splitlines())
    files = [path for folder in folders for path in (home.path / folder).rglob("*") if path.is_file()]
    return [path.name for path in files if any(piece in path.read_bytes() for piece in pieces)]


SPEC = """
type: graph
secrets:
  - {name: TOKEN, provider: env, key: MY_TOKEN}
  - {name: KEY, provider: file, key: secret/key.txt}
steps:
  - id: a
    run: |
      printf '%s' "$TOKEN" | head -c 8; sleep 0.1; printf '%s\\n' "$TOKEN" | tail -c +9
      echo "error ${TOKEN}" >&2
      echo "$KEY" | sed 's/^/  | /'
      printf '%s' "$TOKEN $KEY" > "$DAG_DESK/seen"
      echo "WRITTEN=is $TOKEN" > "$DAGFS_OUTPUT"
    output: SAID
    stdout: beside.txt
  - id: b
    depends: a
    run: echo "${SAID} and ${WRITTEN}"; exit 3
handler_on:
  exit: {run: echo "exit $TOKEN"}
"""


def keep(home: Home) -> None:
    (home.path / "dags" / "secret").mkdir(parents=True)
    (home.path / "dags" / "secret" / "key.txt").write_text(KEY + "\n")


def test_secrets_are_masked_before_they_reach_the_disk(home: Home) -> None:
    keep(home)
    home.dag("job", SPEC)
    home.dagfs("run", "job", "--id", "r", env={"MY_TOKEN": PASSWORD}).exits(1).never_says(PASSWORD)
    assert home.file("seen").read_text() == f"{PASSWORD} {KEY}", "the step itself has them as they are"
    assert leaks(home, "runs") == []
    assert PASSWORD not in (home.path / "dags" / "beside.txt").read_text()
    status = home.dagfs("status", "r", "--json").exits(0).json
    assert status["steps"]["a"]["outputs"] == {
        "SAID": "*****\n  | *****\n  | *****",
        "WRITTEN": "is *****",
    }
    assert home.log("a").startswith("*****\n")
    home.dagfs("retry", "r", env={"MY_TOKEN": PASSWORD}).exits(1)
    assert leaks(home, "runs") == []


def test_a_retry_reads_its_secrets_anew(home: Home) -> None:
    keep(home)
    home.dag("job", SPEC.replace("exit 3", 'printf %s "$TOKEN" > "$DAG_DESK/seen"'))
    home.dagfs("run", "job", "--id", "r", env={"MY_TOKEN": PASSWORD}).exits(0)
    home.dagfs("retry", "r", "--only", "b").exits(4).in_one_line().says("MY_TOKEN is not set")
    home.dagfs("retry", "r", "--only", "b", env={"MY_TOKEN": "another-one"}).exits(0)
    assert home.file("seen").read_text() == "another-one"
    assert leaks(home, "runs") == []


def test_a_missing_secret_refuses_to_start_and_leaves_no_run(home: Home) -> None:
    home.dag("job", SPEC)
    home.dagfs("run", "job").exits(4).in_one_line().says("secret TOKEN", "MY_TOKEN is not set")
    home.dagfs("run", "job", env={"MY_TOKEN": PASSWORD}).exits(4).says(
        "secret KEY", "key.txt", "No such file"
    )
    assert not list((home.path / "runs").glob("*/run.json"))


def test_an_unknown_provider_is_named(home: Home) -> None:
    home.dag("job", "secrets: [{name: A, provider: evn, key: X}]\nsteps: [{run: 'true'}]\n")
    home.dagfs("run", "job").exits(4).says("provider 'evn'", "did you mean 'env'?")


def test_a_plugin_brings_a_provider_and_what_it_raises_is_not_told(home: Home) -> None:
    (home.path / "plugins").mkdir()
    text = f"""
from dagfs.hooks import hookimpl

class Vault:
    name = "vault"

    def resolve(self, request):
        if request.key == "broken":
            raise RuntimeError("{PASSWORD}")
        return "{PASSWORD}"[: int(request.options["length"])]

@hookimpl
def secret_providers():
    return [Vault()]
"""
    (home.path / "plugins" / "vault.py").write_text(text)
    spec = "secrets: [{{name: A, provider: vault, key: {}, options: {{length: 7}}}}]\n"
    spec += "steps: [{{run: echo $A}}]\n"
    home.dag("good", spec.format("x"))
    home.dagfs("run", "good", "--id", "good").exits(0)
    assert "*****" in home.dagfs("logs", "good").out
    home.dag("bad", spec.format("broken"))
    home.dagfs("run", "bad").exits(4).says("provider 'vault' failed").never_says(PASSWORD)


def test_a_secret_is_never_put_into_a_program_text_or_handed_to_a_sub_dag(home: Home) -> None:
    home.dag(
        "job",
        """
        type: graph
        secrets: [{name: TOKEN, provider: env, key: MY_TOKEN}]
        steps:
          - {id: python, shell: python3, run: 'print("${TOKEN}")'}
          - {id: environ, shell: python3, run: 'import os; print("got", len(os.environ["TOKEN"]))'}
        """,
    )
    home.dagfs("run", "job", env={"MY_TOKEN": PASSWORD}).exits(1)
    home.dagfs("status").says("a secret would be put into the step's text")
    assert home.log("environ") == f"got {len(PASSWORD)}\n"
    assert leaks(home, "runs") == []


def test_an_error_that_holds_a_secret_is_masked(home: Home) -> None:
    home.dag(
        "job",
        """
        secrets: [{name: TOKEN, provider: env, key: MY_TOKEN}]
        steps: [{id: a, run: "true", stdout: "/nowhere/${TOKEN}/x"}]
        """,
    )
    home.dagfs("run", "job", env={"MY_TOKEN": PASSWORD}).exits(1).says("*****").never_says(PASSWORD)
    assert leaks(home, "runs") == []
