"""What is deployed byte for byte holds no place and no secret, and covers the topics of the contract."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from commerce360.errors import ConfigError
from connect_configs.files import CONFIGS, configurations
from schemas.topics import TOPICS

ALL = configurations()
ALLOWED = re.compile(r"^C360_SOURCE_.*")
WORKER = Path(__file__).parents[3] / "commerce360" / "local" / "services" / "config" / "connect.properties"


def topics_of(config: dict[str, str]) -> set[str]:
    prefix = config["topic.prefix"]
    if tables := config.get("table.include.list"):
        return {f"{prefix}.{table}" for table in tables.split(",")}
    return {f"{prefix}.{config['database']}.{config['collection']}"}


def test_connectors_feed_every_topic_but_the_producers_own() -> None:
    fed = [topic for config in ALL.values() for topic in topics_of(config)]
    assert sorted(fed) == sorted(t.name for t in TOPICS if t.system in ("postgres", "mongo"))


def test_partition_counts_agree_with_the_contract() -> None:
    partitions = {t.name: str(t.partitions) for t in TOPICS}
    for config in ALL.values():
        assert {partitions[t] for t in topics_of(config)} == {config["topic.creation.default.partitions"]}


@pytest.mark.parametrize("name", ALL)
def test_hosts_and_secrets_come_from_the_worker(name: str) -> None:
    for key, value in ALL[name].items():
        assert not re.search(r"127\.0\.0\.1|localhost", value), key
        if re.search(r"password|\buser\b|hostname|\buri\b|database\.port|replication\.factor", key):
            assert value.startswith("${env:C360_SOURCE_"), key
    named = re.findall(r"\$\{env:([^}]+)\}", str(ALL[name]))
    assert named
    assert all(ALLOWED.match(n) for n in named)
    assert f"param.allowlist.pattern={ALLOWED.pattern}" in WORKER.read_text()


@pytest.mark.parametrize("name", ALL)
def test_converters_are_the_workers_business(name: str) -> None:
    assert not any("converter" in key for key in ALL[name])
    assert not any(key.startswith("transforms") for key in ALL[name])  # the full envelope: history needs it


def test_offsets_of_two_connectors_never_meet() -> None:
    names = [c["offset.partition.name"] for c in ALL.values() if "offset.partition.name" in c]
    assert len(names) == len(set(names)) == 2


def test_a_file_that_is_not_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(ConfigError, match=r"bad\.json is not JSON"):
        configurations(tmp_path)
    assert {p.stem for p in CONFIGS.glob("*.json")} == set(ALL)
