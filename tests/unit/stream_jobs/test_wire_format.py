from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import fastavro
import pytest
import stamina
from hypothesis import given
from hypothesis import strategies as st

from commerce360.errors import UnavailableError
from commerce360.settings import Registry
from stream_jobs.entity import Record, RejectedError
from stream_jobs.wire import MAX_MISSES, PLACEHOLDER, Decoder, RegistrySchemas, raw_change, sequence

ROW = {"type": "record", "name": "Row", "fields": [{"name": "id", "type": "long"}, {"name": "city", "type": ["null", "string"]}]}
KEY = {"type": "record", "name": "Key", "fields": [{"name": "id", "type": "long"}]}
SCHEMAS: dict[int, Any] = {1: ROW, 2: KEY, 3: {"type": "string"}, 4: {"type": "not Avro"}}


def framed(schema_id: int, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(dict(SCHEMAS[schema_id])), value)
    return b"\0" + schema_id.to_bytes(4, "big") + out.getvalue()


def record(value: bytes | None, key: bytes | None = None, topic: str = "oltp.sales.customers", headers: Any = ()) -> Record:
    return Record(topic, 0, 7, 1_790_000_000_000_000, key, value, headers)


def rejection(value: bytes | None, key: bytes | None = None) -> tuple[str, str]:
    with pytest.raises(RejectedError) as caught:
        Decoder(SCHEMAS.get).decode(record(value, key))
    return caught.value.reason, caught.value.detail


OSLO = framed(1, {"id": 5, "city": "Oslo"})


def test_key_and_value_are_read_with_the_schemas_they_name():
    assert Decoder(SCHEMAS.get).decode(record(OSLO, framed(2, {"id": 5}))) == ({"id": 5}, {"id": 5, "city": "Oslo"})


def test_a_tombstone_has_a_key_and_no_value():
    assert Decoder(SCHEMAS.get).decode(record(None, framed(2, {"id": 5}))) == ({"id": 5}, None)


def test_a_web_orders_key_is_plain_text_and_is_not_read():
    assert Decoder(SCHEMAS.get).decode(record(OSLO, b"W000001", "shop.orders.events")) == (None, {"id": 5, "city": "Oslo"})


@pytest.mark.parametrize("payload", [b"", b"\0", b"\0\0\0\0", b"\x01" + OSLO[1:], b'{"id": 5}'])
def test_bytes_without_the_frame_are_bad_magic(payload: bytes):
    assert rejection(payload)[0] == "bad_magic"
    assert rejection(OSLO, payload)[0] == "bad_magic"


def test_an_id_that_the_registry_does_not_know_is_named():
    assert rejection(b"\0\0\0\0\x63abc") == ("unknown_schema", "the value names schema 99")


@pytest.mark.parametrize("payload", [OSLO + b"\0", OSLO[:-1], OSLO[:5], b"\0\0\0\0\x01\x0a\x07", b"\0\0\0\0\x01\x0a\x02\x04\xff\xfe"])
def test_bytes_that_do_not_fit_their_schema_are_undecodable(payload: bytes):
    assert rejection(payload)[0] == "undecodable"


@pytest.mark.parametrize("payload", [framed(3, "plain"), b"\0\0\0\0\x04abc"])
def test_a_schema_that_is_no_record_makes_the_record_bad_and_not_the_job(payload: bytes):
    assert rejection(payload)[0] == "undecodable"


@given(st.binary(max_size=40), st.sampled_from(sorted(SCHEMAS)))
def test_no_bytes_raise_anything_but_a_rejection(garbage: bytes, schema_id: int):
    for payload in (garbage, b"\0" + schema_id.to_bytes(4, "big") + garbage):
        outcome: Any
        try:
            outcome = tuple(Decoder(SCHEMAS.get).decode(record(payload))[1] or ())
        except RejectedError as error:
            outcome = error.reason
        assert outcome in ("bad_magic", "unknown_schema", "undecodable", ("id",), ("id", "city"))


def source(sequence_text: str | None, lsn: int | None, snapshot: str | None = "false") -> dict[str, Any]:
    return {"sequence": sequence_text, "lsn": lsn, "snapshot": snapshot}


@pytest.mark.parametrize(
    ("case", "op", "expected"),
    [
        (source('["100","120"]', 120), "u", (120, 120)),
        (source('["300","120"]', 120), "c", (300, 120)),  # logged before the commit it waited for
        (source('[null,"120"]', 120), "d", (120, 120)),  # nothing was committed since the start
        (source(None, 120), "t", (120, 120)),
        (source('["300","300"]', None, "incremental"), "r", (300, 0)),
        (source(None, 500, "first"), "r", (500, 0)),
        (source('["300","500"]', 500, "last"), "r", (500, 0)),
    ],
)
def test_the_place_of_a_change_in_commit_order(case: dict[str, Any], op: str, expected: tuple[int, int]):
    assert sequence(case, op) == expected


def test_a_read_of_a_chunk_stands_right_behind_the_last_commit_and_before_the_next():
    read = sequence(source('["300","300"]', None, "incremental"), "r")
    committed_before = sequence(source('["280","296"]', 296), "u")
    next_transaction = sequence(source('["300","299"]', 299), "u")  # its row may be logged before 300
    assert committed_before < read < next_transaction


@pytest.mark.parametrize(
    "case",
    [
        source(None, None),
        source("[", 5),
        source('["x"]', 5),
        source("7", 5),
        source('{"a":1}', 5),
        source(None, 2**63),
        source("[" * 100_000, 5),
        source(None, float("inf")),
        {},
    ],
)
def test_a_change_without_a_position_is_rejected(case: dict[str, Any]):
    with pytest.raises(RejectedError) as caught:
        sequence(case, "u")
    assert caught.value.reason == "null_seq"


def links(*headers: tuple[str, bytes | None]) -> dict[str, Any]:
    envelope = {"source": {**source(None, 5), "ts_us": 9}, "op": "d", "after": None}
    return raw_change(record(None, headers=headers), {"a": 1, "b": "x"}, envelope, ("a", "b"))["link"]


def test_the_other_key_of_a_move_is_read_from_either_spelling():
    assert links(("__debezium.newkey", b"Struct{a=-12,b=north 1}")) == {"new_key": [-12, "north 1"]}
    assert links(("__debezium.oldkey", b'{"b": "x", "a": 3}')) == {"old_key": [3, "x"]}


def test_the_other_key_has_the_types_of_the_records_own():
    """`Struct{...}` has no types: digits in a text are no number, and a comma in a text ends nothing."""
    assert links(("__debezium.newkey", b"Struct{a=7,b=007}")) == {"new_key": [7, "007"]}
    assert links(("__debezium.newkey", b"Struct{a=7,b=x, y=1\nz}")) == {"new_key": [7, "x, y=1\nz"]}
    assert links(("__debezium.newkey", b"Struct{a=7}")) == {"new_key": [7, None]}  # Connect leaves a NULL out


def test_the_json_converter_wraps_the_other_key_in_its_schema():
    assert links(("__debezium.oldkey", b'{"schema": {"type": "struct"}, "payload": {"a": 3, "b": "x"}}')) == {"old_key": [3, "x"]}


def test_headers_that_say_nothing_are_no_links():
    assert links(("trace", b"Struct{a=1}"), ("__debezium.newkey", None)) == {}
    assert links(("__debezium.newkey", b"not json")) == {"new_key": [None, None]}


def sent(value: Any, texts: tuple[str, ...] = ()) -> Any:
    envelope = {"source": {**source(None, 5), "ts_us": 9}, "op": "u", "after": {"a": 1, "c": value}}
    return raw_change(record(None), {"a": 1}, envelope, ("a",), texts)["after"]["c"]


@pytest.mark.parametrize(
    "value",
    [
        PLACEHOLDER,
        PLACEHOLDER.encode(),
        base64.b64encode(PLACEHOLDER.encode()).decode(),
        [PLACEHOLDER],
        [PLACEHOLDER.encode()],
        [base64.b64encode(PLACEHOLDER.encode()).decode()],
        [ord(letter) for letter in PLACEHOLDER],
        ["b68a35a7-17ad-35b3-af2a-ae46edb4545a"],  # as Debezium 3.7 sent it for uuid[]
        {PLACEHOLDER: PLACEHOLDER},
        f'{{"{PLACEHOLDER}":"{PLACEHOLDER}"}}',
    ],
)
def test_what_stands_for_a_value_that_was_not_sent_is_one_text_for_every_type(value: Any):
    assert sent(value) == PLACEHOLDER


@pytest.mark.parametrize(
    "value",
    [
        None,
        0,
        True,
        "",
        b"",
        [],
        {},
        [None],
        f"{PLACEHOLDER}!",
        [PLACEHOLDER, "more"],
        [PLACEHOLDER, PLACEHOLDER],
        [ord(letter) for letter in PLACEHOLDER[:-1]],
        {PLACEHOLDER: "x"},
        {PLACEHOLDER: PLACEHOLDER, "more": "x"},
        "b68a35a7-17ad-35b3-af2a-ae46edb4545a",  # a uuid is never too large for the log
        {"inner": PLACEHOLDER},
    ],
)
def test_other_values_are_as_they_were_sent(value: Any):
    assert sent(value) == value
    assert type(sent(value)) is type(value)


def test_a_column_that_is_known_to_be_text_keeps_what_looks_like_the_bytes():
    text = base64.b64encode(PLACEHOLDER.encode()).decode()
    assert sent(text, texts=("c",)) == text
    assert sent(text, texts=("d",)) == PLACEHOLDER
    assert sent(PLACEHOLDER, texts=("c",)) == PLACEHOLDER  # Debezium's word for a text


class Answers(BaseHTTPRequestHandler):
    """A registry's answers: id -> (status, body)."""

    texts: ClassVar = {
        1: (200, json.dumps(ROW)),
        2: (200, '"string"'),
        3: (200, 'syntax = "proto3";'),
        4: (503, ""),
        5: (200, '["null", "long"]'),
    }

    def do_GET(self) -> None:
        status, text = self.texts.get(int(self.path.rsplit("/", 1)[1]), (404, ""))
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        body = json.dumps({"schema": text}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as found:
        found.asked = []  # type: ignore[attr-defined]
        threading.Thread(target=found.serve_forever, daemon=True).start()
        with stamina.set_testing(True):
            yield found
        found.shutdown()


@pytest.fixture
def schemas(server: ThreadingHTTPServer) -> RegistrySchemas:
    return RegistrySchemas(Registry(url=f"http://127.0.0.1:{server.server_port}/"))


def test_a_known_schema_is_asked_for_once_and_an_unknown_one_again(schemas: RegistrySchemas, server: Any):
    assert (schemas(1), schemas(1), schemas(9), schemas(9), schemas(2**31)) == (ROW, ROW, None, None, None)
    assert server.asked == ["/schemas/ids/1", "/schemas/ids/9", "/schemas/ids/9"]


def test_a_flood_of_unknown_ids_does_not_reach_the_registry_and_known_ones_are_still_read(schemas: RegistrySchemas, server: Any):
    assert schemas(1) == ROW
    assert {schemas(number) for number in range(100, 400)} == {None}
    assert len(server.asked) == 1 + MAX_MISSES
    assert schemas(1) == ROW


@pytest.mark.parametrize("schema_id", [2, 3, 5])
def test_what_is_no_record_in_the_registry_is_nothing_to_decode_with(schemas: RegistrySchemas, schema_id: int):
    with pytest.raises(RejectedError) as caught:
        Decoder(schemas).decode(record(b"\0\0\0\0" + bytes([schema_id]) + b"\x02a"))
    assert caught.value.reason == "undecodable"


def test_a_registry_in_trouble_is_no_unknown_schema(schemas: RegistrySchemas, server: Any):
    with pytest.raises(UnavailableError, match="answered 503"):
        schemas(4)
    server.server_close()
    server.shutdown()
    with pytest.raises(UnavailableError, match="does not answer"):
        schemas(8)
