"""Which partition of an event hub a key belongs to, as Event Hubs itself decides it.

Bob Jenkins' lookup3 (public domain) over the key, both halves mixed and cut to 16 bits, remainder by the number of partitions. Microsoft's
.NET SDK says that its PartitionResolver is a port of the service's code; this gives what that gives. The Python SDK's own resolver (5.15)
has the same hash, but takes the remainder of a negative one in Python's way, so many keys go elsewhere there; it is not used.
"""

from __future__ import annotations

import struct

M = 0xFFFFFFFF
BLOCK = struct.Struct("<III")


def partition_of(key: bytes, partitions: int) -> int:
    """A number from 0 on. `key` is UTF-8 text."""
    return abs(hash_of(key)) % partitions


def hash_of(key: bytes) -> int:
    """From -32,768 to 32,767."""
    a = b = c = (0xDEADBEEF + len(key)) & M
    at, rest = 0, len(key)
    while rest > 12:
        a, b, c = _mixed(a, b, c, *BLOCK.unpack_from(key, at))
        at, rest = at + 12, rest - 12
    if rest:
        b, c = _finished(a, b, c, *BLOCK.unpack(key[at:].ljust(12, b"\0")))
    low = (c ^ b) & 0xFFFF
    return low - 0x10000 if low >= 0x8000 else low


def _mixed(a: int, b: int, c: int, x: int, y: int, z: int) -> tuple[int, int, int]:
    a, b, c = a + x & M, b + y & M, c + z & M
    a = (a - c & M) ^ (c << 4 & M | c >> 28)
    c = c + b & M
    b = (b - a & M) ^ (a << 6 & M | a >> 26)
    a = a + c & M
    c = (c - b & M) ^ (b << 8 & M | b >> 24)
    b = b + a & M
    a = (a - c & M) ^ (c << 16 & M | c >> 16)
    c = c + b & M
    b = (b - a & M) ^ (a << 19 & M | a >> 13)
    a = a + c & M
    c = (c - b & M) ^ (b << 4 & M | b >> 28)
    b = b + a & M
    return a, b, c


def _finished(a: int, b: int, c: int, x: int, y: int, z: int) -> tuple[int, int]:
    """The two halves of the hash."""
    a, b, c = a + x & M, b + y & M, c + z & M
    c = (c ^ b) - (b << 14 & M | b >> 18) & M
    a = (a ^ c) - (c << 11 & M | c >> 21) & M
    b = (b ^ a) - (a << 25 & M | a >> 7) & M
    c = (c ^ b) - (b << 16 & M | b >> 16) & M
    a = (a ^ c) - (c << 4 & M | c >> 28) & M
    b = (b ^ a) - (a << 14 & M | a >> 18) & M
    c = (c ^ b) - (b << 24 & M | b >> 8) & M
    return b, c
