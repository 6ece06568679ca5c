"""The local Event Hubs when things go wrong, as a process."""

import base64
import hashlib
import hmac
import random
import socket
import time
from urllib.parse import quote_plus, urlencode

import pytest
from azure.eventhub import EventData
from azure.eventhub.exceptions import AuthenticationError
from event_hubs import HUB, KEY, local_hubs, producer, read

from commerce360.local.doubles.eventhubs import frames

POLICY = "RootManageSharedAccessKey"


def signed(hubs, resource, expiry):
    signature = base64.b64encode(hmac.new(KEY.encode(), f"{quote_plus(resource)}\n{expiry}".encode(), hashlib.sha256).digest())
    token = "SharedAccessSignature " + urlencode({"sr": resource, "sig": signature, "se": expiry, "skn": POLICY})
    return f"Endpoint=sb://127.0.0.1:{hubs.port}/;SharedAccessSignature={token};UseDevelopmentEmulator=true"


@pytest.fixture(scope="module")
def hubs(tmp_path_factory):
    with local_hubs(tmp_path_factory.mktemp("hubs")) as made:
        yield made


def test_a_signature_that_has_ended_or_is_for_another_hub_is_refused(hubs):
    host, now = f"sb://127.0.0.1:{hubs.port}", int(time.time())
    for resource, expiry in ((f"{host}/{HUB}", now - 10), (f"{host}/other", now + 600)):
        with producer(signed(hubs, resource, expiry)) as client, pytest.raises(AuthenticationError):
            client.get_partition_ids()
    with producer(signed(hubs, f"{host}/{HUB}", now + 600)) as client:
        client.send_event(EventData("x"))


HEADERS = frames.SASL_PROTOCOL + frames.frame(0, frames.SASL_INIT, ["ANONYMOUS"], kind=frames.SASL_FRAME) + frames.AMQP_PROTOCOL
OPENED = HEADERS + frames.frame(0, frames.OPEN, ["c", "h", 65536, 10, None])
BEGUN = OPENED + frames.frame(0, frames.BEGIN, [None, 0, 10, 10])


def begins():
    rng = random.Random(360)
    yield b"GET / HTTP/1.1\r\n\r\n"
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"  # TLS
    yield b"AMQP\x00\x00\x09\x01"
    yield frames.SASL_PROTOCOL + frames.frame(0, frames.SASL_INIT, ["PLAIN", b"\0u\0p"], kind=frames.SASL_FRAME)
    yield HEADERS + frames.frame(0, frames.BEGIN, [None])
    yield OPENED + OPENED
    for performative in range(0x10, 0x19):
        for fields in ([], [None] * 14, ["x"] * 14, [1] * 14, [[{}]] * 14, [-1] * 14):
            yield BEGUN + frames.frame(0, performative, fields, b"\xff\x00")
    for prefix in (b"", HEADERS, OPENED, BEGUN):
        yield from (prefix + rng.randbytes(rng.randrange(1, 400)) for _ in range(15))


def test_no_bytes_end_it(hubs):
    for sent in begins():
        with socket.create_connection(("127.0.0.1", hubs.port), timeout=5) as stranger:
            stranger.sendall(sent)
            stranger.shutdown(socket.SHUT_WR)
            try:
                while stranger.recv(65536):
                    pass
            except ConnectionResetError:
                pass
    assert hubs.process.poll() is None
    with producer(hubs.connection_string) as client:
        client.send_event(EventData("x"))


def test_it_holds_only_so_much_and_says_what_is_left(tmp_path):
    with local_hubs(tmp_path, "--retain-mib", "1", hub=f"{HUB}:1") as hubs:
        with producer(hubs.connection_string) as client:
            for n in range(30):
                client.send_event(EventData(b"%02d" % n + b"x" * 100_000), partition_id="0")
            found = client.get_partition_properties("0")
        assert found["last_enqueued_sequence_number"] == 29
        assert 15 < found["beginning_sequence_number"] < 25
        left = range(found["beginning_sequence_number"], 30)
        events = [event for _, event in read(hubs.connection_string, len(left))]
        assert [(event.sequence_number, b"".join(event.body)[:2]) for event in events] == [(n, b"%02d" % n) for n in left]


def test_it_leaves_in_peace_when_it_is_told_to(tmp_path):
    with local_hubs(tmp_path) as hubs, producer(hubs.connection_string) as client:
        client.send_event(EventData("x"))
        hubs.process.terminate()
        assert hubs.process.wait(10) == 0
