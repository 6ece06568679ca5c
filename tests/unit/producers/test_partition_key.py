from azure.eventhub._buffered_producer._partition_resolver import generate_hash_code
from hypothesis import given
from hypothesis import strategies as st

from producers.partition_key import hash_of, partition_of


@given(st.text(st.characters(max_codepoint=127), min_size=1, max_size=80))
def test_the_hash_is_that_of_the_sdk(key):
    assert hash_of(key.encode()) == generate_hash_code(key)


def test_the_remainder_of_a_negative_hash_is_taken_as_the_service_does():
    key = next(b"k%d" % n for n in range(1000) if hash_of(b"k%d" % n) % 4 == 1 and hash_of(b"k%d" % n) < 0)
    assert partition_of(key, 4) == 3  # C# cuts towards zero: abs(-7 % 4) is 3, where Python's -7 % 4 is 1


def test_keys_spread():
    counts = [0] * 4
    for n in range(4000):
        counts[partition_of(b"W-run-%d" % n, 4)] += 1
    assert min(counts) > 500
