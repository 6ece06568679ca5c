"""Partitions, readers and signatures of the local Event Hubs, without a network."""

import base64
import hashlib
import hmac
from urllib.parse import quote_plus, urlencode

import pytest

from commerce360.local.doubles.eventhubs.broker import MAX_READERS, Hub, Partition, RefusedError
from commerce360.local.doubles.eventhubs.cbs import SAS, Claims, DeniedError, Keys
from commerce360.local.doubles.eventhubs.codec import Described, MalformedError, encode
from commerce360.local.doubles.eventhubs.faults import Faults
from commerce360.local.doubles.eventhubs.messages import DATA

SELECT = "amqp.annotation.x-opt-{}"


def event(body=b"v"):
    return encode(Described(DATA, body))


class Reader:
    def __init__(self, epoch=None):
        self.epoch, self.refused, self.woken = epoch, None, 0

    def wake(self):
        self.woken += 1

    def refuse(self, error):
        self.refused = error


@pytest.fixture
def partition():
    made = Partition("0", 10**6)
    made.append([event(b"x" * n) for n in range(5)])
    return made


def test_starts(partition):
    offset = partition.offsets[2]
    starts = {
        "offset > '-1'": 0,
        "offset > '@latest'": 5,
        f"offset > '{offset}'": 3,
        f"offset >= '{offset}'": 2,
        "sequence-number > '2'": 3,
        "sequence-number >= '2'": 2,
        "sequence-number > '4'": 5,
        f"enqueued-time > '{partition.times[0] - 1}'": 0,
        f"enqueued-time > '{partition.times[0] + 1}'": 5,
    }
    assert {selector: partition.start(SELECT.format(selector)) for selector in starts} == starts
    assert offset != 2  # an offset is no sequence number


@pytest.mark.parametrize("selector", ["sequence-number > '5'", "offset > '100000'", "offset > 'x'", "colour > '1'"])
def test_a_start_that_is_not_there_is_refused(partition, selector):
    with pytest.raises(RefusedError) as caught:
        partition.start(SELECT.format(selector))
    assert caught.value.condition == "com.microsoft:argument-error"


def test_the_oldest_go_when_there_is_no_room():
    made = Partition("0", 10_000)
    for n in range(100):
        made.append([event(b"%03d" % n + b"x" * 500)])
    assert made.next == 100
    assert 80 < made.first < 100
    assert made.held_bytes <= 10_000
    assert len(made.events) < 50
    assert b"%03d" % made.first in made.at(made.first)
    assert made.start(SELECT.format("offset > '-1'")) == made.first
    assert made.start(SELECT.format("sequence-number > '3'")) == made.first
    assert made.start(SELECT.format(f"offset >= '{made.offsets[-1]}'")) == 99


def test_a_batch_with_an_event_that_cannot_be_read_leaves_nothing(partition):
    with pytest.raises(MalformedError):
        partition.append([event(), b"\xff"])
    assert partition.next == 5


def test_the_highest_epoch_has_a_partition_for_itself(partition):
    shared, first, second = Reader(), Reader(0), Reader(1)
    partition.admit("$default", shared)
    partition.admit("$default", first)
    partition.admit("$default", second)
    assert shared.refused.condition == first.refused.condition == "amqp:link:stolen"
    for reader in (Reader(0), Reader()):
        with pytest.raises(RefusedError, match="higher epoch"):
            partition.admit("$default", reader)
    partition.admit("other", Reader())  # a group has its own


def test_a_partition_has_few_readers_without_an_epoch(partition):
    readers = [Reader() for _ in range(MAX_READERS)]
    for reader in readers:
        partition.admit("$default", reader)
    with pytest.raises(RefusedError, match="maximum number"):
        partition.admit("$default", Reader())
    partition.leave("$default", readers[0])
    partition.admit("$default", Reader())
    partition.append([event()])
    assert readers[1].woken == 1


def test_without_a_key_partitions_take_turns_and_a_key_keeps_to_one():
    hub = Hub("h", 4, 1000)
    assert {hub.choose(None).number for _ in range(4)} == {"0", "1", "2", "3"}
    assert len({hub.choose("k").number for _ in range(4)}) == 1


def test_faults_come_as_often_as_they_were_asked_for():
    faults = Faults(busy_every=2, cut_every=3, cut_when="after")
    assert [faults.next() for _ in range(6)] == [None, "busy", "cut_after", "busy", None, "cut_after"]


def token(resource="sb://h/orders", expiry=1000, key="right", policy="p", **other):
    signature = base64.b64encode(hmac.new(key.encode(), f"{quote_plus(resource)}\n{expiry}".encode(), hashlib.sha256).digest())
    return "SharedAccessSignature " + urlencode({"sr": resource, "sig": signature, "se": expiry, "skn": policy, **other})


@pytest.mark.parametrize(
    ("given", "name", "said"),
    [
        (token(key="wrong"), "sb://h/orders", "InvalidSignature"),
        (token(policy="other"), "sb://h/orders", "InvalidSignature"),
        (token(policy="other", key=""), "sb://h/orders", "InvalidSignature"),
        (token(se=2000), "sb://h/orders", "InvalidSignature"),
        (token(expiry=99), "sb://h/orders", "ExpiredToken"),
        (token(), "sb://h/others", "InvalidAudience"),
        (token(), "sb://h/ordersandmore", "InvalidAudience"),
        ("garbage", "sb://h/orders", "InvalidSignature"),
        (token(sig="ü"), "sb://h/orders", "InvalidSignature"),
    ],
)
def test_tokens_that_are_denied(given, name, said):
    with pytest.raises(DeniedError, match=said):
        Claims(Keys({"p": "right"}), lambda: 100.0).put({"name": name, "type": SAS}, given)


def test_a_token_holds_for_its_resource_until_it_ends():
    now = [100.0]
    claims = Claims(Keys({"p": "right"}), lambda: now[0])
    claims.put({"name": "sb://h/orders", "type": SAS}, token())
    assert claims.allows("orders")
    assert claims.allows("Orders/Partitions/1")
    assert not claims.allows("reviews")
    now[0] = 1000.0
    assert not claims.allows("orders")


def test_only_shared_access_signatures_are_known():
    with pytest.raises(DeniedError, match="InvalidToken"):
        Claims(Keys({"p": "right"}), lambda: 100.0).put({"name": "sb://h/orders", "type": "jwt"}, token())


def test_keys_do_not_show():
    assert "right" not in repr(Keys({"p": "right"}))
