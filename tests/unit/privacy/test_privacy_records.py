"""Records of a person, encoded anew with the schema that they name."""

from __future__ import annotations

import json
from typing import Any

from lake_records import CUSTOMER_ID, MONGO_ID, SCHEMAS, Sent, change_event, envelope, framed

from commerce360.privacy.records import BLANK, People
from commerce360.privacy.tokens import Tokens
from schemas.topics import CLICKSTREAM, CUSTOMERS, REVIEWS
from stream_jobs.entity import Record
from stream_jobs.wire import HEADER_BYTES, Decoder

AT = 1_790_000_000_000_000
BEFORE = {"customer_id": 7, "email": "ada@x.example", "full_name": "Ada Lovelace", "city": None, "country": "GB", "tier": "gold"}
BEFORE |= {"marketing_consent": True, "points": 3, "last_login_at": None, "created_at": "2026-01-01T00:00:00.000000Z"}
AFTER = {**BEFORE, "full_name": "Ada King", "points": 4}
REVIEW = {"product_id": 1, "customer_id": 7, "rating": 5, "title": "Ada likes it", "body": "So does Charles", "language": "en"}


def people(*ids: int) -> People:
    return People(frozenset(ids), Tokens(bytes(32)), SCHEMAS.get)


def received(sent: Sent) -> Record:
    topic, key, value = sent
    return Record(topic, 0, 5, AT, key, value)


def customer(before: dict[str, Any] | None, after: dict[str, Any] | None, op: str = "u", key: int = 7) -> Record:
    return received(envelope(CUSTOMER_ID, {"customer_id": key}, before, after, op, 1000, AT))


def decoded(record: Record, value: bytes | None) -> dict[str, Any]:
    assert value is not None
    _, found = Decoder(SCHEMAS.get).decode(record._replace(value=value, key=None))
    assert found is not None
    return found


def test_both_images_of_a_customer_lose_their_words_and_nothing_else() -> None:
    them = people(7)
    record = customer(BEFORE, AFTER)
    assert them.owns(record)
    made = them.erased(record)
    names = {"email", "full_name"}
    for image, was in (("before", BEFORE), ("after", AFTER)):
        now = decoded(record, made)[image]
        assert {k: v for k, v in now.items() if k not in names} == {k: v for k, v in was.items() if k not in names}
        assert {now[n] for n in names} == {them.tokens.of(str(was[n])) for n in names}
    rest = [{k: v for k, v in decoded(record, value).items() if k not in ("before", "after")} for value in (record.value, made)]
    assert rest[0] == rest[1]
    assert made is not None
    assert made[:HEADER_BYTES] == (record.value or b"")[:HEADER_BYTES]
    assert not any(word in made for word in (b"Ada", b"King", b"ada@"))


def test_records_of_others_and_moves_of_a_number() -> None:
    assert not people(8).owns(customer(BEFORE, AFTER))
    assert people(8).owns(customer(BEFORE, {**AFTER, "customer_id": 8}))
    assert people(7).owns(customer(None, None, "d"))
    assert people(7).owns(customer(None, None, "d")._replace(value=None)), "a tombstone has the key alone"
    assert people(7).erased(customer(None, None, "d")._replace(value=None)) is None


def test_a_second_time_the_bytes_are_the_same() -> None:
    record, them = customer(BEFORE, AFTER), people(7)
    made = them.erased(record)
    assert them.erased(record._replace(value=made)) == made
    assert people(7).erased(record._replace(value=made)) == made


def test_a_review_keeps_its_numbers_and_its_deletion_is_told_by_its_key() -> None:
    them = people(7)
    record = received(change_event(REVIEWS.name, "r1", "insert", REVIEW, (1, 1)))
    assert them.owns(record)
    said = json.loads(decoded(record, them.erased(record))["fullDocument"])
    assert said == {"_id": "r1", **REVIEW, "title": them.tokens.of("Ada likes it"), "body": them.tokens.of("So does Charles")}
    gone = received(change_event(REVIEWS.name, "r1", "delete", None, (2, 1)))
    assert not them.owns(gone)
    assert them.key_of(gone) == them.key_of(record) == '{"_id": "r1"}'
    assert them.erased(gone) == gone.value


def test_what_an_edit_changed_loses_its_words_though_it_does_not_say_whose_they_are() -> None:
    them = people(7)
    topic, key, _ = change_event(REVIEWS.name, "r1", "update", None, (3, 1))
    event = {**dict.fromkeys(f["name"] for f in SCHEMAS[MONGO_ID]["fields"]), "_id": "x", "operationType": "update"}
    event |= {"documentKey": '{"_id": "r1"}', "fullDocument": json.dumps({"_id": "r1", **REVIEW, "body": "Ada again"})}
    event["updateDescription"] = {"updatedFields": '{"body": "Ada again"}', "removedFields": ["title"]}
    record = received((topic, key, framed(MONGO_ID, event)))
    made = decoded(record, them.erased(record))
    assert json.loads(made["updateDescription"]["updatedFields"]) == {"body": them.tokens.of("Ada again")}
    assert made["updateDescription"]["removedFields"] == ["title"]
    assert "Ada" not in json.dumps(made)


def test_fields_of_a_click_that_nobody_knows_yet_are_erased() -> None:
    them = people(7)
    click = {"session_id": "s", "visitor_id": "v", "customer_id": 7, "event_type": "view", "product_id": 3, "page": "/p", "device": "tv"}
    record = received(change_event(CLICKSTREAM.name, "c1", "insert", {**click, "typed": "Ada Love"}, (1, 1)))
    assert json.loads(decoded(record, them.erased(record))["fullDocument"]) == {"_id": "c1", **click, "typed": them.tokens.of("Ada Love")}


def test_bytes_that_nobody_can_decode_are_blanked_if_the_persons_words_stand_in_them() -> None:
    them = people(7)
    them.erased(customer(BEFORE, AFTER))
    broken = b"\0\0\0\0\x63 about Ada Lovelace"
    assert them.blanked(broken) == broken[:HEADER_BYTES] + BLANK * (len(broken) - HEADER_BYTES)
    assert them.blanked(b"\0\0\0\0\x63 about Grace") == b"\0\0\0\0\x63 about Grace"
    assert them.blanked(None) is None
    assert not them.owns(Record(CUSTOMERS.name, 0, 0, AT, None, broken))
