"""How far an incremental snapshot is, from what Debezium 3.7 stores."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from commerce360.errors import ConfigError
from connect_configs import snapshot
from connect_configs.java_keys import UnreadableKeyError, decode
from connect_configs.snapshot import Progress

ARRAY = "aced0005757200135b4c6a6176612e6c616e672e4f626a6563743b90ce589f1073296c0200007870"
NUMBER = "7872" + "00106a6176612e6c616e672e4e756d62657286ac951d0b94e08b0200007870"
INTEGER = ARRAY + "00000001" + "737200116a6176612e6c616e672e496e746567657212e2a0a4f781873802000149000576616c7565" + NUMBER + "000003e8"
TEXT_AND_LONG = ARRAY + "0000000274" + "00046b323238" + "7372000e6a6176612e6c616e672e4c6f6e673b8be490cc8f23df0200014a000576616c7565"
TEXT_AND_LONG += NUMBER + "00000000000000e4"
UUID = (
    ARRAY
    + "00000001"
    + "7372000e6a6176612e7574696c2e55554944bc9903f7986d852f0200024a000c6c65617374536967426974734a000b6d6f7374536967426974737870"
)
UUID += "8000000000000001" + "0123456789abcdef"


def stored(tables: list[str], **more: Any) -> list[dict[str, Any]]:
    listed = json.dumps([{"incremental_snapshot_collections_id": t} for t in tables])
    return [{"partition": {"server": "a"}, "offset": {"lsn": 100, "incremental_snapshot_collections": listed, **more}}]


def test_keys_are_read_from_javas_serialization() -> None:
    assert decode(INTEGER) == (1000,)
    assert decode(TEXT_AND_LONG) == ("k228", 228)
    assert decode(UUID) == (uuid.UUID("01234567-89ab-cdef-8000-000000000001"),)


@pytest.mark.parametrize(
    "text", ["", "zz", "aced", INTEGER[:-2], ARRAY + "00000001" + "77", INTEGER.replace("496e7465676572", "496e7465676571")[:60]]
)
def test_what_is_no_such_key_is_said(text: str) -> None:
    with pytest.raises(UnreadableKeyError):
        decode(text)


def test_tables_still_to_read() -> None:
    assert snapshot.left(stored(["public.items", "public.docs", "public.items"])) == ("public.items", "public.docs")
    assert snapshot.left([{"partition": {}, "offset": {"lsn": 1}}]) == snapshot.left([]) == ()
    assert snapshot.left([{"partition": {}, "offset": {"incremental_snapshot_collections": "x"}}])  # something runs


def test_progress_in_words() -> None:
    rows, estimates = {"public.items": 450, "public.docs": 0}, {"public.items": 800, "public.docs": 200}
    found = Progress(("public.items", "public.docs"), (450,), (800,), {"public.items": 9}, rows, estimates)
    assert found.summary == "public.items: about 45 %, key 450 of 800, then 1 more table"
    assert Progress(("public.items",)).summary == "public.items: begun"
    assert Progress().summary == "asked for, not begun"
    assert Progress(done=True).percent == 100


def test_an_old_estimate_never_says_more_than_all() -> None:
    assert Progress(("a.b",), rows={"a.b": 5000}, estimates={"a.b": 10}).percent == 99


def test_a_table_has_a_schema() -> None:
    assert snapshot.parse_table("public.items") == ("public", "items")
    for wrong in ("items", ".items", "public."):
        with pytest.raises(ConfigError, match="is no table"):
            snapshot.parse_table(wrong)
