import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from commerce360.local.doubles.snowflake import keys, tokens
from commerce360.local.doubles.snowflake.account import ADMIN_USER, Account


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "admin.p8"
    keys.ensure_private_key(path)
    return path


@pytest.fixture
def account(tmp_path, private):
    return Account(tmp_path / "account.json", "local", keys.public_key(private))


def token(private, **claims):
    issuer = f"LOCAL.C360_ADMIN.{tokens.fingerprint(keys.public_key(private))}"
    told = {"iss": issuer, "sub": "LOCAL.C360_ADMIN", "iat": int(time.time()), "exp": int(time.time()) + 60}
    return jwt.encode({k: v for k, v in (told | claims).items() if v is not None}, private.read_text(), "RS256")


def test_a_token_of_the_users_key_tells_the_user_in_seconds_and_in_milliseconds(account, private):
    found = account.user_of(token(private))
    assert found is not None
    assert (found.name, found.default_role) == (ADMIN_USER, "ACCOUNTADMIN")
    now = int(time.time() * 1000)
    assert account.user_of(token(private, iat=now, exp=now + 60_000)) == found


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 2},
        {"exp": 1_700_000_000_000},
        {"exp": None},
        {"exp": "soon"},
        {"sub": "OTHER.C360_ADMIN"},
        {"sub": "LOCAL.NOBODY"},
        {"sub": None},
        {"iss": "LOCAL.C360_ADMIN.SHA256:x"},
        {"iss": None},
    ],
)
def test_what_is_not_for_this_account_and_user_and_now_is_refused(account, private, claims):
    assert account.user_of(token(private, **claims)) is None


def test_another_key_or_method_or_a_changed_token_is_refused(account, private, tmp_path):
    keys.ensure_private_key(tmp_path / "other.p8")
    claims = jwt.decode(token(private), options={"verify_signature": False})
    assert account.user_of(jwt.encode(claims, (tmp_path / "other.p8").read_text(), "RS256")) is None
    assert account.user_of(jwt.encode(claims, None, "none")) is None
    assert account.user_of(jwt.encode(claims, keys.public_key(private) * 2, "HS256")) is None
    head, body, signature = token(private).split(".")
    assert account.user_of(f"{head}.{body[:-4]}{signature[:4]}.{signature}") is None


@pytest.mark.parametrize("text", ["", ".", "a.b.c", "a.b.!", "ü.ü.ü", "a" * 10_000, "e30.e30.e30", "W10.W10.W10"])
def test_what_is_no_token_is_refused(account, text):
    assert account.user_of(text) is None


def test_a_disabled_user_is_refused_and_a_second_key_serves_while_keys_change(account, private, tmp_path):
    keys.ensure_private_key(tmp_path / "new.p8")
    with account.change():
        account.objects["USER", (ADMIN_USER,)].properties["RSA_PUBLIC_KEY_2"] = keys.public_key(tmp_path / "new.p8")
    assert account.user_of(token(tmp_path / "new.p8")) is not None
    assert account.user_of(token(private)) is not None
    with account.change():
        account.objects["USER", (ADMIN_USER,)].properties["DISABLED"] = "TRUE"
    assert account.user_of(token(private)) is None


def test_a_public_key_may_come_in_the_lines_of_a_file_and_must_be_one(private):
    plain = keys.public_key(private)
    lines = "\n".join(plain[i : i + 64] for i in range(0, len(plain), 64))
    pem = serialization.load_pem_private_key(private.read_bytes(), None).public_key()
    text = pem.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    assert tokens.readable_key(lines) == tokens.readable_key(text) == plain
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    other = curve.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    assert [tokens.readable_key(t) for t in ("", "x", plain[:-8], other)] == [None] * 4
