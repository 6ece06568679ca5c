"""Which topics a broker must hold, read from the files that make them, and which tier of Event Hubs does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from commerce360.capacity import page
from commerce360.capacity.tiers import BASIC, DEDICATED, PREMIUM, STANDARD
from commerce360.capacity.topics import Held, budget, held, misfits, smallest
from commerce360.cli import reference
from connect_configs.files import CONFIGS
from schemas.topics import TOPICS

ALL = held()
DATA = tuple(t for t in ALL if t.kind == "data")


def test_all_topics_are_counted() -> None:
    assert {t.name for t in DATA} == {t.name for t in TOPICS}
    assert {t.name for t in ALL if t.kind == "heartbeat"} == {
        "__debezium-heartbeat.oltp",
        "__mongo-heartbeat.clickstream",
        "__mongo-heartbeat.reviews",
    }
    assert {(t.name, t.partitions) for t in ALL if t.compacted} == {("connect-configs", 1), ("connect-offsets", 5), ("connect-status", 2)}


def test_a_connector_more_is_a_topic_more(tmp_path: Path) -> None:
    for file in CONFIGS.glob("*.json"):
        (tmp_path / file.name).write_text(file.read_text())
    more = json.loads((CONFIGS / "web-reviews.json").read_text()) | {"heartbeat.topic.name": "beat"}
    (tmp_path / "web-other.json").write_text(json.dumps(more))
    silent = json.loads((CONFIGS / "web-clickstream.json").read_text()) | {"heartbeat.interval.ms": "0"}
    (tmp_path / "web-clickstream.json").write_text(json.dumps(silent))
    names = {t.name for t in held(tmp_path)}
    assert "beat" in names
    assert "__mongo-heartbeat.clickstream" not in names


def test_where_they_fit() -> None:
    assert smallest(ALL, BASIC) is None
    assert smallest(ALL, STANDARD) is None
    assert misfits(ALL, STANDARD) == ["15 topics, and a namespace has 10"]
    assert misfits(DATA, STANDARD) == []
    assert (smallest(ALL, PREMIUM), smallest(ALL, DEDICATED)) == (1, 1)


def test_each_limit_is_a_limit() -> None:
    wide = (replace(ALL[0], partitions=101),)
    assert misfits(wide, PREMIUM, 16) == ["a hub has at most 100 partitions"]
    many = tuple(Held(f"t{i}", "data", 90) for i in range(5))
    assert misfits(many, PREMIUM, 2) == ["450 partitions, and 2 PU has 400"]
    assert smallest(many, PREMIUM) == 4
    assert "it has no compaction" in misfits(ALL, BASIC)


def test_the_pages_show_what_the_code_says() -> None:
    for file, text in reference.capacity().items():
        assert file.read_text(encoding="utf-8") == text, "run `make docs`"
    assert budget(ALL).strip() in reference.EVENT_HUBS_PAGE.read_text(encoding="utf-8")


def test_a_page_without_its_marks_is_refused() -> None:
    import pytest

    with pytest.raises(ValueError, match="no marks for plan"):
        page.put_into("text", "plan", "x")
