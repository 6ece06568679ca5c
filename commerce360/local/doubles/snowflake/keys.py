"""The private CA, the server's certificate and the administrator's RSA key pair; made once per state folder."""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import os
import secrets
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

YEARS = dt.timedelta(days=3650)


def ensure_keys(private_key: Path, ca: Path, host: str = "localhost") -> tuple[Path, Path]:
    """Make what is missing; the server's (certificate, key) files, which stand beside `ca`. `host`: a name by which clients call it."""
    ensure_private_key(private_key)
    certificate, server_key = ca.with_name("server.pem"), ca.with_name("server.key")
    if not (ca.exists() and certificate.exists() and server_key.exists()):
        _make_certificates(ca, certificate, server_key, host)
    return certificate, server_key


def ensure_private_key(path: Path) -> None:
    """An RSA key in PKCS#8 PEM, as the connector and the streaming SDK take it; one that is there stays."""
    if not path.exists():
        write_private(path, _pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)))


def kept_key(path: Path) -> bytes:
    """32 random bytes, made once and kept in `path`."""
    if not path.exists():
        write_private(path, secrets.token_bytes(32))
    return path.read_bytes()


def public_key(private_key: Path) -> str:
    """The public half as RSA_PUBLIC_KEY takes it: base64 of the DER, in one line."""
    key = serialization.load_pem_private_key(private_key.read_bytes(), None)
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def _make_certificates(ca: Path, certificate: Path, server_key: Path, host: str) -> None:
    """The CA's own key is not kept: nothing else is ever to be signed with it."""
    authority, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = _name("commerce360 local authority")
    root = (
        _builder(issuer, issuer, authority.public_key())
        .add_extension(x509.BasicConstraints(True, None), critical=True)
        .sign(authority, hashes.SHA256())
    )
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    hosts = [x509.DNSName(name) for name in dict.fromkeys(("localhost", host)) if name != "127.0.0.1"]
    names = x509.SubjectAlternativeName([*hosts, loopback])
    server = (
        _builder(_name("commerce360 local warehouse"), issuer, leaf.public_key())
        .add_extension(names, critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.BasicConstraints(False, None), critical=True)
        .sign(authority, hashes.SHA256())
    )
    write_private(server_key, _pem(leaf))
    write_private(certificate, server.public_bytes(serialization.Encoding.PEM))
    write_private(ca, root.public_bytes(serialization.Encoding.PEM))


def _builder(subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public_key)
    return builder.serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + YEARS)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def write_private(path: Path, content: bytes) -> None:
    """Whole or not at all, and for its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    part.replace(path)
