"""Records of a person, encoded anew with the schema that they name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lake_records import CUSTOMER_ID, MONGO_ID, SCHEMAS, Sent, change_event, envelope, framed

from commerce360.lake import Lake
from commerce360.privacy.records import People
from commerce360.privacy.tables import Theirs
from commerce360.privacy.tokens import Tokens
from commerce360.settings import Lake as LakeSettings
from schemas.tables import DIM_CUSTOMER
from schemas.topics import CLICKSTREAM, REVIEWS
from stream_jobs.entity import Record, RejectedError
from stream_jobs.wire import HEADER_BYTES, Decoder

AT = 1_790_000_000_000_000
BEFORE = {"customer_id": 7, "email": "ada@x.example", "full_name": "Ada Lovelace", "city": None, "country": "GB", "tier": "gold"}
BEFORE |= {"marketing_consent": True, "points": 3, "last_login_at": None, "created_at": "2026-01-01T00:00:00.000000Z"}
AFTER = {**BEFORE, "full_name": "Ada King", "points": 4}
REVIEW = {"product_id": 1, "customer_id": 7, "rating": 5, "title": "Ada likes it", "body": "So does Charles", "language": "en"}


def people(*ids: int) -> People:
    return People(frozenset(ids), Tokens(bytes(32)), SCHEMAS.get)


def received(sent: Sent, offset: int = 5) -> Record:
    topic, key, value = sent
    return Record(topic, 0, offset, AT, key, value)


def customer(before: dict[str, Any] | None, after: dict[str, Any] | None, op: str = "u", key: int = 7) -> Record:
    return received(envelope(CUSTOMER_ID, {"customer_id": key}, before, after, op, 1000, AT))


def decoded(record: Record, value: bytes | None) -> dict[str, Any]:
    assert value is not None
    _, found = Decoder(SCHEMAS.get).decode(record._replace(value=value, key=None))
    assert found is not None
    return found


def owns(them: People, record: Record) -> bool:
    return them.owns(them.look(record))


def erased(them: People, record: Record) -> bytes | None:
    return them.erased(them.look(record))


def test_both_images_of_a_customer_lose_their_words_and_nothing_else() -> None:
    them = people(7)
    record = customer(BEFORE, AFTER)
    assert owns(them, record)
    made = erased(them, record)
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
    assert not owns(people(8), customer(BEFORE, AFTER))
    assert owns(people(8), customer(BEFORE, {**AFTER, "customer_id": 8}))
    assert owns(people(7), customer(None, None, "d"))
    tombstone = customer(None, None, "d")._replace(value=None)
    assert owns(people(7), tombstone), "it has the key alone"
    assert erased(people(7), tombstone) is None


def test_a_second_time_the_bytes_are_the_same() -> None:
    record, them = customer(BEFORE, AFTER), people(7)
    made = erased(them, record)
    assert erased(them, record._replace(value=made)) == made
    other = People(frozenset({7}), Tokens(b"another key"), SCHEMAS.get)
    assert erased(other, record._replace(value=made)) == made


def test_a_review_keeps_its_numbers_and_its_deletion_is_told_by_its_key() -> None:
    them = people(7)
    record = received(change_event(REVIEWS.name, "r1", "insert", REVIEW, (1, 1)))
    assert owns(them, record)
    said = json.loads(decoded(record, erased(them, record))["fullDocument"])
    assert said == {"_id": "r1", **REVIEW, "title": them.tokens.of("Ada likes it"), "body": them.tokens.of("So does Charles")}
    gone = received(change_event(REVIEWS.name, "r1", "delete", None, (2, 1)))
    assert not owns(them, gone)
    assert them.look(gone).document == them.look(record).document == '{"_id": "r1"}'
    assert erased(them, gone) == gone.value


def test_what_an_edit_changed_loses_its_words_though_it_does_not_say_whose_they_are() -> None:
    them = people(7)
    topic, key, _ = change_event(REVIEWS.name, "r1", "update", None, (3, 1))
    event = {**dict.fromkeys(f["name"] for f in SCHEMAS[MONGO_ID]["fields"]), "_id": "x", "operationType": "update"}
    event |= {"documentKey": '{"_id": "r1"}', "fullDocument": json.dumps({"_id": "r1", **REVIEW, "body": "Ada again"})}
    event["updateDescription"] = {"updatedFields": '{"body": "Ada again"}', "removedFields": ["title"]}
    record = received((topic, key, framed(MONGO_ID, event)))
    made = decoded(record, erased(them, record))
    assert json.loads(made["updateDescription"]["updatedFields"]) == {"body": them.tokens.of("Ada again")}
    assert made["updateDescription"]["removedFields"] == ["title"]
    assert "Ada" not in json.dumps(made)


def test_fields_of_a_click_that_nobody_knows_yet_are_erased() -> None:
    them = people(7)
    click = {"session_id": "s", "visitor_id": "v", "customer_id": 7, "event_type": "view", "product_id": 3, "page": "/p", "device": "tv"}
    record = received(change_event(CLICKSTREAM.name, "c1", "insert", {**click, "typed": "Ada Love"}, (1, 1)))
    assert json.loads(decoded(record, erased(them, record))["fullDocument"]) == {"_id": "c1", **click, "typed": them.tokens.of("Ada Love")}


@pytest.mark.parametrize("customer_id", [{"$oid": "7"}, [7], "7", 7.0, True, None])
def test_a_number_of_another_kind_is_nobodys(customer_id: Any) -> None:
    record = received(change_event(REVIEWS.name, "r1", "insert", {**REVIEW, "customer_id": customer_id}, (1, 1)))
    assert not owns(people(7, 1), record)


def test_a_document_that_was_cut_off_is_theirs_if_it_names_them() -> None:
    them = people(7)
    event = {**dict.fromkeys(f["name"] for f in SCHEMAS[MONGO_ID]["fields"]), "_id": "x", "operationType": "insert"}
    event |= {"documentKey": '{"_id": "r9"}', "fullDocument": '{"_id": "r9", "customer_id": 7, "body": "Secret wor'}
    record = received((REVIEWS.name, None, framed(MONGO_ID, event)))
    assert owns(them, record)
    assert not owns(people(77), record)
    assert "Secret" not in decoded(record, erased(them, record))["fullDocument"]


BROKEN = b"\0\0\0\0\x63"


def broken(payload: bytes, topic: str = REVIEWS.name, key: bytes | None = None) -> Record:
    return Record(topic, 0, 0, AT, key, payload)


@pytest.mark.parametrize(
    ("payload", "is_theirs"),
    [
        (BROKEN + b"about Ada Lovelace", True),
        (BROKEN + b'{"customer_id": 7, "bo', True),
        (BROKEN + b'{\\"customer_id\\": 7, ', True),
        (BROKEN + b'key {"_id": "r1"}', True),
        (BROKEN + b'{"customer_id": 77}', False),
        (BROKEN + b"about Grace", False),
        (BROKEN + b"Rome, gold", False),  # where many people live
    ],
)
def test_bytes_that_nobody_can_decode_are_theirs_by_what_can_be_read_in_them(payload: bytes, is_theirs: bool) -> None:
    them = people(7)
    them.note_names(them.look(customer({**BEFORE, "city": "Rome"}, AFTER)))
    look = them.look(broken(payload))
    assert look.is_broken
    assert them.stands_in(look, {'{"_id": "r1"}'}) is is_theirs


def test_a_good_key_names_a_customer_whose_row_cannot_be_decoded() -> None:
    look = people(7).look(customer(BEFORE, AFTER)._replace(value=BROKEN + b"?"))
    assert people(7).stands_in(look, ())
    assert not people(8).stands_in(look, ())


@pytest.mark.parametrize("payload", [BROKEN + b"about Ada", b"Ada, no magic", b"\0\0\0\0\x02cut", b""])
def test_blanked_bytes_are_refused_for_the_same_reason(payload: bytes) -> None:
    def reason(value: bytes | None) -> str:
        with pytest.raises(RejectedError) as caught:
            Decoder(SCHEMAS.get).decode(broken(value or b""))
        return caught.value.reason

    left = people(7).blanked(payload)
    assert reason(left) == reason(payload)
    assert b"Ada" not in (left or b"")
    assert people(7).blanked(left) == left


def test_the_change_that_counts_where_two_differ_at_one_place_stays_the_same(tmp_path: Path) -> None:
    lake = Lake(LakeSettings(root=str(tmp_path)))
    lake.create(DIM_CUSTOMER)
    them = people(7)
    records = [
        received(envelope(CUSTOMER_ID, {"customer_id": 7}, None, {**AFTER, "full_name": name}, "u", 1000, AT), offset)
        for offset, name in enumerate(("Lima", "Rome"))
    ]
    theirs = Theirs(tuple(map(them.look, records)), ())
    kept = set()
    for number in range(64):
        them.tokens = Tokens(bytes([number]))
        kept.add(theirs.keeps_its_winners(lake, them))
    assert kept == {True, False}, "some keys do, so one of them can be taken"
    alone = Theirs(theirs.looks[:1], ())
    assert all(alone.keeps_its_winners(lake, People(frozenset({7}), Tokens(bytes([n])), SCHEMAS.get)) for n in range(8))
