import contextlib
import ssl
import stat

import pytest

from commerce360.local.doubles.snowflake import keys


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """(private key, CA), with what `ensure_keys` puts beside them."""
    folder = tmp_path_factory.mktemp("keys")
    keys.ensure_keys(folder / "secrets" / "key.p8", folder / "tls" / "ca.pem")
    return folder / "secrets" / "key.p8", folder / "tls" / "ca.pem"


def test_keys_are_made_once_and_belong_to_their_owner(files):
    key, ca = files
    before = {path: path.read_bytes() for path in (key, *ca.parent.iterdir())}
    assert keys.ensure_keys(key, ca) == (ca.with_name("server.pem"), ca.with_name("server.key"))
    assert before == {path: path.read_bytes() for path in before}
    assert {stat.S_IMODE(path.stat().st_mode) for path in before} == {0o600}


def test_the_servers_certificate_is_the_authoritys_and_both_can_be_loaded(files):
    ca = files[1]
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(ca.with_name("server.pem"), ca.with_name("server.key"))
    client = ssl.create_default_context(cafile=str(ca))
    incoming, outgoing = (ssl.MemoryBIO(), ssl.MemoryBIO()), (ssl.MemoryBIO(), ssl.MemoryBIO())
    ours = client.wrap_bio(incoming[0], incoming[1], server_hostname="127.0.0.1")
    theirs = server.wrap_bio(outgoing[0], outgoing[1], server_side=True)
    for _ in range(4):
        for side, source, sink in ((ours, incoming[1], outgoing[0]), (theirs, outgoing[1], incoming[0])):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
            sink.write(source.read())
    assert ours.version() == "TLSv1.3"
    assert ours.getpeercert()["subject"] == (((("commonName", "commerce360 local warehouse")),),)


def test_a_kept_key_stays_the_same(tmp_path):
    made = keys.kept_key(tmp_path / "stage" / "pipe.key")
    assert len(made) == 32
    assert keys.kept_key(tmp_path / "stage" / "pipe.key") == made
    assert keys.kept_key(tmp_path / "other.key") != made


@pytest.mark.parametrize(
    ("host", "names"), [("warehouse.c360.internal", {"localhost", "warehouse.c360.internal"}), ("127.0.0.1", {"localhost"})]
)
def test_the_certificate_is_for_the_name_by_which_clients_call(tmp_path, host, names):
    from cryptography import x509

    certificate, _ = keys.ensure_keys(tmp_path / "key.p8", tmp_path / "ca.pem", host)
    found = x509.load_pem_x509_certificate(certificate.read_bytes()).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(found.get_values_for_type(x509.DNSName)) == names
    assert [str(ip) for ip in found.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
