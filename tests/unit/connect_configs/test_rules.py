"""Each rule, by one change to the project's own connectors, which have nothing to be said about them."""

from __future__ import annotations

import json

import pytest

from connect_configs.checks import rules
from connect_configs.files import configurations
from connect_configs.model import Config

ALL = configurations()
POSTGRES, MONGO = ALL["oltp-postgres"], ALL["web-reviews"]
SECRET = "hunter2-secret"


def changed(config: Config, changes: dict[str, str | None]) -> Config:
    return {k: v for k, v in {**config, **changes}.items() if v is not None}


def found(config: Config) -> dict[str, tuple[str, str]]:
    return {f.rule: (f.level, f.field) for f in rules.check("a", config)}


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_said_about_our_own_connectors(name: str) -> None:
    assert rules.check(name, ALL[name]) == []


def test_nor_about_all_of_them_together() -> None:
    assert rules.check_all(ALL) == []


CASES: list[tuple[str, str, str, Config, dict[str, str | None]]] = [
    ("class-missing", "error", "connector.class", POSTGRES, {"connector.class": None}),
    ("secret-plain", "error", "database.password", POSTGRES, {"database.password": SECRET}),
    ("secret-plain", "error", "connection.uri", MONGO, {"connection.uri": f"mongodb://ann:{SECRET}@${{env:HOST}}/"}),
    ("secret-plain", "error", "x.url", POSTGRES, {"x.url": f"${{env:JDBC}}?user=a&password={SECRET}"}),
    ("secret-plain", "error", "sasl.jaas.config", POSTGRES, {"sasl.jaas.config": f'Module required username="a" password="{SECRET}";'}),
    ("reference-malformed", "error", "database.hostname", POSTGRES, {"database.hostname": "${env:HOST"}),
    ("reference-malformed", "error", "database.hostname", POSTGRES, {"database.hostname": "${HOST}"}),
    ("reference-malformed", "error", "database.dbname", POSTGRES, {"database.dbname": "${env:}"}),
    ("place-written-out", "warning", "database.hostname", POSTGRES, {"database.hostname": "db.example.com"}),
    ("place-written-out", "warning", "connection.uri", MONGO, {"connection.uri": "mongodb://db.example.com/"}),
    ("converter-named", "warning", "key.converter", POSTGRES, {"key.converter": "org.apache.kafka.connect.json.JsonConverter"}),
    ("tasks-max", "warning", "tasks.max", MONGO, {"tasks.max": "2"}),
    ("envelope-unwrapped", "warning", "transforms.u.type", POSTGRES, {"transforms.u.type": "io.debezium.transforms.ExtractNewRecordState"}),
    ("topic-creation", "warning", "topic.creation.default.replication.factor", MONGO, {"topic.creation.default.replication.factor": None}),
    ("retry-timeout", "warning", "errors.retry.timeout", POSTGRES, {"errors.retry.timeout": None}),
    ("plugin-name", "warning", "plugin.name", POSTGRES, {"plugin.name": None}),
    ("plugin-name", "warning", "plugin.name", POSTGRES, {"plugin.name": "decoderbufs"}),
    ("slot-name", "error", "slot.name", POSTGRES, {"slot.name": "C360-oltp"}),
    ("slot-name", "error", "slot.name", POSTGRES, {"slot.name": "s" * 64}),
    ("slot-name-default", "warning", "slot.name", POSTGRES, {"slot.name": None}),
    ("slot-dropped", "error", "slot.drop.on.stop", POSTGRES, {"slot.drop.on.stop": "true"}),
    ("publication-autocreate", "warning", "publication.autocreate.mode", POSTGRES, {"publication.autocreate.mode": None}),
    ("heartbeat-off", "warning", "heartbeat.interval.ms", POSTGRES, {"heartbeat.interval.ms": "0"}),
    ("heartbeat-off", "warning", "heartbeat.interval.ms", POSTGRES, {"heartbeat.interval.ms": None}),
    ("heartbeat-query-missing", "warning", "heartbeat.action.query", POSTGRES, {"heartbeat.action.query": None}),
    ("operations-dropped", "error", "skipped.operations", POSTGRES, {"skipped.operations": "d"}),
    ("truncates-skipped", "warning", "skipped.operations", POSTGRES, {"skipped.operations": None}),
    ("truncates-skipped", "warning", "skipped.operations", POSTGRES, {"skipped.operations": " T"}),
    ("tombstones-off", "warning", "tombstones.on.delete", POSTGRES, {"tombstones.on.delete": "false"}),
    ("decimals-as-double", "warning", "decimal.handling.mode", POSTGRES, {"decimal.handling.mode": "double"}),
    ("time-as-connect", "warning", "time.precision.mode", POSTGRES, {"time.precision.mode": "connect"}),
    ("binary-as-text", "warning", "binary.handling.mode", POSTGRES, {"binary.handling.mode": "base64"}),
    ("snapshot-at-start", "warning", "snapshot.mode", POSTGRES, {"snapshot.mode": None}),
    ("snapshot-impossible", "warning", "signal.enabled.channels", POSTGRES, {"signal.enabled.channels": "kafka"}),
    ("snapshot-impossible", "warning", "signal.data.collection", POSTGRES, {"signal.data.collection": None}),
    ("snapshot-impossible", "warning", "signal.data.collection", POSTGRES, {"signal.data.collection": None, "read.only": "true"}),
    ("signal-name", "error", "signal.data.collection", POSTGRES, {"signal.data.collection": "commerce.sales.dbz_signal"}),
    ("retries-limited", "warning", "errors.max.retries", POSTGRES, {"errors.max.retries": "3"}),
    ("include-and-exclude", "error", "table.exclude.list", POSTGRES, {"table.exclude.list": "a.b"}),
    ("captures-everything", "warning", "table.include.list", POSTGRES, {"table.include.list": None}),
    ("errors-tolerated-source", "warning", "errors.tolerance", POSTGRES, {"errors.tolerance": "all"}),
    ("mongo-key", "warning", "output.format.key", MONGO, {"output.format.key": None}),
    ("mongo-full-document", "warning", "change.stream.full.document", MONGO, {"change.stream.full.document": None}),
    ("mongo-document-only", "warning", "publish.full.document.only", MONGO, {"publish.full.document.only": "true"}),
    ("mongo-startup", "warning", "startup.mode", MONGO, {"startup.mode": None}),
    ("mongo-copy-database", "warning", "collection", MONGO, {"collection": ""}),
    ("mongo-heartbeat-off", "warning", "heartbeat.interval.ms", MONGO, {"heartbeat.interval.ms": None}),
    ("errors-tolerated", "error", "errors.tolerance", MONGO, {"errors.tolerance": "all"}),
    ("mongo-offset-partition", "warning", "offset.partition.name", MONGO, {"offset.partition.name": None}),
    ("mongo-exactly-once", "error", "exactly.once.support", MONGO, {"exactly.once.support": "required"}),
]


@pytest.mark.parametrize(("rule", "level", "field", "config", "changes"), CASES)
def test_a_rule_speaks_up(rule: str, level: str, field: str, config: Config, changes: dict[str, str | None]) -> None:
    findings = rules.check("a", changed(config, changes))
    assert [(f.rule, f.level, f.field, f.connector) for f in findings] == [(rule, level, field, "a")]  # that one, and no other
    assert findings[0].hint
    assert SECRET not in str(findings)


def test_a_password_that_looks_like_a_reference_is_not_shown() -> None:
    findings = rules.check("a", {**POSTGRES, "database.password": "a${hunter2}b"})
    assert {f.rule for f in findings} == {"secret-plain", "reference-malformed"}
    assert "hunter2" not in str(findings)


def test_every_rule_has_a_case_and_a_line() -> None:
    assert {case[0] for case in CASES} | set(rules.ACROSS) == set(rules.RULES)
    assert all(rules.RULES.values())


@pytest.mark.parametrize(
    ("config", "changes"),
    [
        (POSTGRES, {"slot.name": "${env:C360_SOURCE_SLOT}"}),  # only the worker knows it
        (POSTGRES, {"heartbeat.interval.ms": "${env:C360_SOURCE_BEAT}"}),
        (POSTGRES, {"transforms": "r", "transforms.r.regex": "(?<a>.*)", "transforms.r.replacement": "${a}"}),
        (POSTGRES, {"sasl.jaas.config": 'Module required username="a" password="${file:/run/secrets/kafka:password}";'}),
        (POSTGRES, {"oauth.token.required": "false"}),
        (POSTGRES, {"heartbeat.interval.ms": "soon"}),  # the server's business
        (POSTGRES, {"snapshot.mode": "no_data", "signal.enabled.channels": None}),  # source is its default
        (POSTGRES, {"read.only": "true", "signal.enabled.channels": "kafka", "signal.data.collection": None}),
        (POSTGRES, {"signal.data.collection": None, "signal.enabled.channels": "${env:CHANNELS}"}),
        (MONGO, {"connection.uri": "mongodb://ann:${env:PASSWORD}@${env:HOST}/"}),  # a name is no secret
        (MONGO, {"connection.uri": "mongodb://${env:USER}:${env:PASSWORD}@${env:HOST}/"}),
        (MONGO, {"errors.tolerance": "all", "errors.deadletterqueue.topic.name": "dlq"}),
    ],
)
def test_nothing_is_said_about_what_is_right_or_cannot_be_known(config: Config, changes: dict[str, str | None]) -> None:
    assert found(changed(config, changes)) == {}


def test_other_connectors_get_the_general_rules_only() -> None:
    sink = {"connector.class": "io.aiven.connect.jdbc.JdbcSinkConnector", "connection.password": SECRET, "table.name.format": "${topic}"}
    assert found(sink) == {"secret-plain": ("error", "connection.password")}


S3_SINK = {
    "connector.class": "io.confluent.connect.s3.S3SinkConnector",
    "topics": "oltp.sales.orders",
    "s3.bucket.name": "lake",
    "s3.region": "eu-central-1",
    "s3.credentials.provider.class": "com.amazonaws.auth.DefaultAWSCredentialsProviderChain",
    "s3.credentials.provider.role.arn": "arn:aws:iam::1:role/lake",
    "store.url": "${env:STORE}",
    "format.class": "io.confluent.connect.s3.format.parquet.ParquetFormat",
    "value.converter.basic.auth.credentials.source": "USER_INFO",
    "value.converter.basic.auth.user.info": "${env:REGISTRY_KEY}:${env:REGISTRY_SECRET}",
}
SNOWFLAKE_SINK = {
    "connector.class": "com.snowflake.kafka.connector.SnowflakeSinkConnector",
    "topics": "oltp.sales.orders",
    "snowflake.url.name": "org-account.snowflakecomputing.com:443",
    "snowflake.user.name": "loader",
    "snowflake.private.key": "${file:/run/secrets/snowflake.properties:key}",
    "snowflake.private.key.passphrase": "${file:/run/secrets/snowflake.properties:passphrase}",
    "snowflake.role.name": "LOADER",
    "snowflake.ingestion.method": "SNOWPIPE_STREAMING",
    "snowflake.oauth.token.endpoint": "${env:TOKENS}",
    "producer.override.sasl.mechanism": "PLAIN",
}
JDBC_SINK = {
    "connector.class": "io.aiven.connect.jdbc.JdbcSinkConnector",
    "topics": "oltp.sales.orders",
    "connection.url": "${env:JDBC}?user=admin@server&password=${env:JDBC_PASSWORD}",
    "connection.user": "loader",
    "connection.password": "${env:JDBC_PASSWORD}",
    "table.name.format": "${topic}",
    "insert.mode": "upsert",
    "pk.mode": "record_key",
}
BIGQUERY_SINK = {
    "connector.class": "com.wepay.kafka.connect.bigquery.BigQuerySinkConnector",
    "topics": "oltp.sales.orders",
    "project": "commerce",
    "defaultDataset": "raw",
    "keyfile": "/run/secrets/bigquery.json",
    "keySource": "FILE",
    "gcs.credentials.path": "/run/secrets/bigquery.json",
    "schemaRegistryClient.basic.auth.credentials.source": "USER_INFO",
}
KEY_IN_JSON = '{"type": "service_account", "private_key_id": "1", "private_key": "-----BEGIN PRIVATE KEY-----\\nhunter2-secret\\n-----END"}'


@pytest.mark.parametrize("sink", [S3_SINK, SNOWFLAKE_SINK, JDBC_SINK, BIGQUERY_SINK])
def test_nothing_is_said_about_sinks_that_keep_their_secrets_elsewhere(sink: Config) -> None:
    assert found(sink) == {}


@pytest.mark.parametrize(
    ("sink", "key", "value"),
    [
        (S3_SINK, "aws.access.key.id", SECRET),
        (S3_SINK, "aws.secret.access.key", SECRET),
        (S3_SINK, "s3.credentials.provider.secret.access.key", SECRET),
        (S3_SINK, "value.converter.basic.auth.user.info", f"key:{SECRET}"),
        (SNOWFLAKE_SINK, "snowflake.private.key", SECRET),
        (SNOWFLAKE_SINK, "snowflake.oauth.client.secret", SECRET),
        (JDBC_SINK, "connection.password", SECRET),
        (JDBC_SINK, "connection.url", f"${{env:JDBC}}?user=a&password={SECRET}"),
        (JDBC_SINK, "connection.url", f"jdbc:oracle:thin:scott/{SECRET}@//${{env:HOST}}/shop"),
        (BIGQUERY_SINK, "keyfile", KEY_IN_JSON),
        (JDBC_SINK, "http.headers", f"Authorization: Bearer {SECRET}"),
    ],
)
def test_but_of_a_secret_in_a_sink_it_is_told(sink: Config, key: str, value: str) -> None:
    assert found({**sink, key: value}) == {"secret-plain": ("error", key)}


def test_a_slot_feeds_one_connector_whatever_the_database() -> None:
    twice = {"a": POSTGRES, "b": {**POSTGRES, "database.dbname": "other", "topic.prefix": "other"}}
    assert {(f.connector, f.rule, f.level) for f in rules.check_all(twice)} == {(n, "slot-shared", "error") for n in twice}
    elsewhere = {"a": POSTGRES, "b": {**POSTGRES, "database.hostname": "${env:C360_SOURCE_OTHER}", "topic.prefix": "other"}}
    own_slot = {"a": POSTGRES, "b": {**POSTGRES, "slot.name": "c360_b", "topic.prefix": "other"}}  # the publication may be one
    assert rules.check_all(elsewhere) == rules.check_all(own_slot) == []


def test_one_topic_prefix_or_one_offset_partition_of_two_is_told() -> None:
    prefixes = {"a": POSTGRES, "b": {**POSTGRES, "slot.name": "c360_b"}}
    assert {f.rule for f in rules.check_all(prefixes)} == {"topic-prefix-shared"}
    partitions = {"a": MONGO, "b": {**MONGO, "collection": "other"}}
    assert {f.rule for f in rules.check_all(partitions)} == {"offset-partition-shared"}


def test_findings_are_json() -> None:
    (finding,) = rules.check("a", {**POSTGRES, "tasks.max": "4"})
    assert json.loads(json.dumps(finding.as_json()))["message"].startswith("tasks.max is '4'")
