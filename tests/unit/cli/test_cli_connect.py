"""What `c360 connect` says of itself, and how it ends where no cluster is needed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from commerce360.cli import reference

VERBS = (
    *("validate", "plan", "diff", "apply", "delete", "status", "wait", "restart", "pause", "resume", "stop"),
    *("snapshot", "offsets", "plugins", "describe", "loggers", "context"),
)


def c360(*args: str, home: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, with no context and no stack."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("C360_", "XDG_"))}
    return subprocess.run(
        [sys.executable, "-m", "commerce360.cli.main", "connect", *args],
        capture_output=True,
        text=True,
        check=False,
        env={**clean, "HOME": str(home), **env},
        timeout=60,
    )


def test_the_page_of_commands_is_the_commands() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.connect(), "run `make docs`"


def test_every_verb_is_on_the_page() -> None:
    text = reference.connect()
    assert [v for v in VERBS if f"## `c360 connect {v}`" not in text] == []


def test_without_a_cluster_it_says_how_to_name_one(tmp_path: Path) -> None:
    done = c360("--state", str(tmp_path / "none"), "status", home=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"error: there is no stack in {tmp_path}/none, and no context is chosen",
        "hint: start one with `c360 up`, or name a cluster with --url or --context",
    ]


def test_a_cluster_that_is_away_is_exit_code_3(tmp_path: Path) -> None:
    done = c360("--url", "http://127.0.0.1:1", "--patience", "0", "status", home=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error: Kafka Connect at http://127.0.0.1:1 does not answer: nothing listens there\nhint: ")


def test_credentials_of_the_environment_go_with_an_address_and_never_in_plain_text(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2\n")
    login = {"C360_CONNECT__USER": "ops", "C360_CONNECT__PASSWORD_FILE": str(tmp_path / "password")}
    near = c360("--url", "http://127.0.0.1:1", "--patience", "0", "status", home=tmp_path, **login)
    assert near.returncode == 3, near.stderr
    for url in ("http://connect.example.com", "http://127.0.0.1:1,http://connect.example.com"):
        far = c360("--url", url, "--patience", "0", "status", home=tmp_path, **login)
        assert (far.returncode, "in plain text" in far.stderr, "hunter2" in far.stderr) == (2, True, False), far.stderr
    lost = c360("--url", "http://127.0.0.1:1", "status", home=tmp_path, **login | {"C360_CONNECT__PASSWORD_FILE": str(tmp_path / "none")})
    assert (lost.returncode, "password of ops" in lost.stderr) == (2, True), lost.stderr


class Listener(BaseHTTPRequestHandler):
    """What strangers are sent."""

    def do_GET(self) -> None:
        self.server.heard.append(self.headers.get("Authorization"))  # type: ignore[attr-defined]
        self.send_error(503)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(("meant_for", "sent"), [("", True), ("itself", True), ("https://connect.example", False)])
def test_credentials_go_to_no_other_address_than_theirs(tmp_path: Path, meant_for: str, sent: bool) -> None:
    (tmp_path / "password").write_text("hunter2\n")
    with ThreadingHTTPServer(("127.0.0.1", 0), Listener) as server:
        server.heard = heard = list[str | None]()  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        login = {"C360_CONNECT__USER": "ops", "C360_CONNECT__PASSWORD_FILE": str(tmp_path / "password")}
        theirs = {"C360_CONNECT__URL": url + "/" if meant_for == "itself" else meant_for} if meant_for else {}
        c360("--url", url, "--patience", "0", "status", home=tmp_path, **login, **theirs)
        server.shutdown()
    assert heard
    assert [bool(h) for h in heard] == [sent] * len(heard)


def test_contexts_on_the_command_line(tmp_path: Path) -> None:
    plain = c360("context", "add", "prod", "https://h", "--user", "u", "--password", "hunter2", home=tmp_path)
    assert plain.returncode == 2
    assert "hunter2" not in plain.stdout + plain.stderr
    added = c360("context", "add", "prod", "https://127.0.0.1:1", "--user", "u", "--password", "env:PW", home=tmp_path)
    assert added.returncode == 0, added.stderr
    assert "* prod" in c360("context", "list", home=tmp_path).stdout
    missing = c360("--patience", "0", "status", home=tmp_path)
    assert (missing.returncode, "is not at env:PW" in missing.stderr) == (2, True)
    away = c360("--patience", "0", "status", home=tmp_path, PW="hunter2")
    assert away.returncode == 3
    assert "hunter2" not in away.stdout + away.stderr
    assert c360("context", "use", "local", home=tmp_path).returncode == 0
    assert "* local" in c360("context", "list", home=tmp_path).stdout
    assert c360("context", "remove", "prod", home=tmp_path).returncode == 0
    gone = c360("--context", "prod", "status", home=tmp_path)
    assert (gone.returncode, "there is no context prod" in gone.stderr) == (2, True)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("plan", "none.json"), "no such file"),
        (("apply", "--create-state", "ASLEEP"), "no state for a new connector"),
        (("apply", "--allow-data-loss", "all"), "--allow-data-loss knows no all"),
    ],
)
def test_wrong_usage_is_exit_code_2(tmp_path: Path, args: tuple[str, ...], message: str) -> None:
    done = c360("--url", "http://127.0.0.1:1", "--patience", "0", *args, home=tmp_path)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr


def test_the_shell_completes_verbs_and_stays_silent_without_a_cluster(tmp_path: Path) -> None:
    def completed(line: str) -> list[str]:
        env = {"_C360_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
        made = [sys.executable, "-c", "import sys; sys.argv = ['c360']; from commerce360.cli.main import run; run()"]
        done = subprocess.run(
            made, capture_output=True, text=True, check=False, env={**os.environ, "HOME": str(tmp_path), **env}, timeout=60
        )
        assert done.stderr == ""
        return done.stdout.split()

    assert completed("c360 connect off") == ["offsets"]
    assert completed(f"c360 connect --state {tmp_path} status web") == []
