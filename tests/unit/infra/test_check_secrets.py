"""The scan for secrets: nothing in what is committed, and each kind is found where it is planted. Nothing here is a real one."""

from __future__ import annotations

import base64
import hashlib
import random
import subprocess
import sys
from pathlib import Path

import pytest

from infra.checks import secrets
from infra.checks.__main__ import ROOT

RANDOM = random.Random(7)


def made_up(length: int) -> str:
    return base64.b64encode(RANDOM.randbytes(length)).decode()


# Put together here, so that the file itself holds none.
PLANTED = {
    "Private Key": f"-----BEGIN {'RSA'} PRIVATE KEY-----\n{made_up(48)}\n",
    "Azure Storage Account access key": f"DefaultEndpointsProtocol=https;AccountName=lake;Account{'Key'}={made_up(64)}\n",
    "Azure Connection String": f"Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=all;SharedAccess{'Key'}={made_up(32)}\n",
    "Azure SAS Token": f"https://lake.blob.core.windows.net/c?sv=2024-11-04&se=2027-01-01&si{'g'}={made_up(32).replace('+', '%2B')}\n",
    "Entra Client Secret": f"client: Ab_8{'Q~'}{made_up(30)[:34].replace('+', 'x').replace('/', 'y').replace('=', 'z')}\n",
    "Secret Keyword": f'db_pass{"word"}: "Tr0ub4dor-and-3"\n',
    "Basic Auth Credentials": f'url = "https://ann:{"hunter" + "22x"}@example.com/path"\n',
    "JSON Web Token": "x = "
    + ".".join(base64.urlsafe_b64encode(p).decode().rstrip("=") for p in (b'{"alg":"HS256"}', b'{"sub":"1234567890"}', b"x" * 32))
    + "\n",
}


def test_nothing_is_in_what_is_committed() -> None:
    assert [str(f) for f in secrets.check(ROOT)] == []


@pytest.mark.parametrize("kind", PLANTED)
def test_what_is_planted_is_found(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "infra" / "settings.yaml"
    file.parent.mkdir()
    file.write_text("harmless: 1\n" + PLANTED[kind])
    found = list(secrets.check(tmp_path))
    assert kind in " ".join(f.what for f in found)
    assert {(f.file, f.line) for f in found} == {(Path("infra/settings.yaml"), 2)}
    assert all("renew it" in f.hint for f in found)
    planted = PLANTED[kind].split("\n")[0][-12:]
    assert planted not in " ".join(str(f) for f in found)


@pytest.mark.parametrize(
    "harmless",
    [
        "database.password: ${env:C360_SOURCE_PG_PASSWORD}",
        "export C360_KAFKA__SASL_PASSWORD_FILE=/run/secrets/kafka",
        "pydantic==2.12.0 --hash=sha256:" + hashlib.sha256(b"x").hexdigest(),
        "mongodb://127.0.0.1:19017/?replicaSet=rs0",
        'password = os.environ["PGPASSWORD"]',
        "SharedAccessKey=<key>",
        "`C360_REGISTRY__USER` and `C360_REGISTRY__PASSWORD_FILE`, or password: `C360_KAFKA__SASL_PASSWORD_FILE`",
    ],
)
def test_what_only_tells_where_a_secret_is_passes(tmp_path: Path, harmless: str) -> None:
    (tmp_path / "a.py").write_text(harmless + "\n")
    assert list(secrets.check(tmp_path)) == []


def allow(root: Path, text: str) -> None:
    (root / secrets.ALLOWED).parent.mkdir(parents=True, exist_ok=True)
    (root / secrets.ALLOWED).write_text(text)


def test_an_entry_lets_one_secret_of_one_file_pass(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(PLANTED["Secret Keyword"])
    (one,) = list(secrets.scan(tmp_path))
    allow(tmp_path, f'[[allowed]]\nfile = "a.yaml"\nmarks = ["{one.mark}"]\nreason = "an example of the documentation"\n')
    assert list(secrets.check(tmp_path)) == []
    (tmp_path / "a.yaml").write_text(PLANTED["Secret Keyword"] + f"api_{'key'}: 'Another-0ne-entirely'\n")
    assert [f.line for f in secrets.check(tmp_path)] == [2]
    (tmp_path / "b.yaml").write_text(PLANTED["Secret Keyword"])
    assert Path("b.yaml") in {f.file for f in secrets.check(tmp_path)}


def test_an_entry_without_a_reason_or_without_a_secret_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("harmless: 1\n")
    allow(tmp_path, '[[allowed]]\nfile = "a.yaml"\nmarks = ["0123456789abcdef"]\n')
    texts = [f.what for f in secrets.check(tmp_path)]
    assert texts == ["the entry of a.yaml has no reason", "nothing in a.yaml has the mark 0123456789abcdef any more"]


def test_a_list_that_cannot_be_read_is_found(tmp_path: Path) -> None:
    allow(tmp_path, "allowed = [")
    assert "is not TOML" in next(iter(secrets.check(tmp_path))).what


def test_only_tracked_files_are_looked_at_in_a_checkout(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "mine.env").write_text(PLANTED["Secret Keyword"])
    (tmp_path / "a.py").write_text("x = 1\n")
    subprocess.run(["git", "-C", str(tmp_path), "add", "a.py"], check=True)
    assert list(secrets.check(tmp_path)) == []
    subprocess.run(["git", "-C", str(tmp_path), "add", "-f", "mine.env"], check=True)
    assert [f.file for f in secrets.check(tmp_path)] == [Path("mine.env")]


def test_the_command_ends_with_0_and_says_so() -> None:
    done = subprocess.run([sys.executable, "-m", "infra.checks", "secrets"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, "secrets: nothing found\n")
