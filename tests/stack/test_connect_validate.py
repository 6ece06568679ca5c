"""`c360 connect validate` on real servers: what is wrong with files, worker, database or MongoDB is said before anything is deployed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from connect_cluster import DEBEZIUM, ConnectCluster, connect_cluster, wait

from commerce360.local.services.postgres import SETTINGS
from connect_configs.checks import postgres_checks, validation
from connect_configs.checks.findings import Finding
from connect_configs.cluster import Cluster
from connect_configs.files import CONFIGS, configurations
from connect_configs.variables import Variables

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
SECRET = "hunter2-secret"
LIMIT = "max_slot_wal_keep_size"
Check = Callable[..., dict[str, Finding]]


@pytest.fixture(scope="module")
def connect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConnectCluster]:
    """The limit of kept WAL may be changed while the server runs: it stands in the server's file, not in its command line."""
    with pytest.MonkeyPatch.context() as patch:
        limit = SETTINGS[LIMIT]
        patch.delitem(SETTINGS, LIMIT)
        with connect_cluster(tmp_path_factory.mktemp("validate")) as cluster:
            with cluster.database("limits") as admin:
                keep_wal(admin, limit)
            yield cluster


def keep_wal(admin: psycopg.Connection[Any], limit: str) -> None:
    admin.execute(f"ALTER SYSTEM SET {LIMIT} = '{limit}'".encode())
    admin.execute("SELECT pg_reload_conf()")
    wait("the setting", lambda: admin.execute(f"SHOW {LIMIT}".encode()).fetchone() == (limit,), 10)


@pytest.fixture(scope="module")
def shop(connect: ConnectCluster) -> Iterator[psycopg.Connection[Any]]:
    with connect.database("looked") as connection:
        yield connection


@pytest.fixture
def check(connect: ConnectCluster, shop: psycopg.Connection[Any]) -> Check:
    """The findings about the database behind a connector that is not deployed, by rule."""

    def run(config: dict[str, str] | None = None, deployed: bool = False) -> dict[str, Finding]:
        return by_rule(postgres_checks.check(connect.cluster, "looked", config or connect.config("looked"), deployed))

    return run


def by_rule(findings: list[Finding]) -> dict[str, Finding]:
    return {f.rule: f for f in findings}


def levels(findings: dict[str, Finding]) -> dict[str, str]:
    return {rule: f.level for rule, f in findings.items()}


def test_nothing_is_found_about_the_projects_own_connectors(connect: ConnectCluster) -> None:
    done = connect.cli("validate")
    assert done.code == 0, done.out + done.err
    assert done.out.splitlines() == [
        "oltp-postgres, web-clickstream, web-reviews: nothing found",
        "3 connectors: 0 errors, 0 warnings, 0 unchecked",
    ]


def test_nor_about_a_database_that_is_as_it_should_be(check: Check) -> None:
    assert check() == {}


# --- publication


def test_a_publication_that_is_missing(connect: ConnectCluster, check: Check) -> None:
    config = connect.config("looked", publication__name="nowhere")
    found = check(config)
    assert levels(found) == {"publication-missing": "error"}
    assert found["publication-missing"].hint.startswith("CREATE PUBLICATION nowhere FOR TABLE public.items")
    reply = connect.client.validate({**config, "name": "looked"})
    assert reply["error_count"] == 0  # the worker does not look


@pytest.mark.parametrize("mode", ["all_tables", "filtered"])
def test_a_publication_that_the_connector_may_not_make(connect: ConnectCluster, check: Check, mode: str) -> None:
    found = check(connect.config("looked", publication__name="nowhere", publication__autocreate__mode=mode))
    assert levels(found) == {"publication-right": "error"}


def test_a_table_that_is_not_published(connect: ConnectCluster, check: Check, shop: psycopg.Connection[Any]) -> None:
    shop.execute("CREATE PUBLICATION signals_only FOR TABLE dbz_signal")
    found = check(connect.config("looked", publication__name="signals_only"))
    assert levels(found) == {"publication-tables": "error", "publication-heartbeat": "warning"}
    assert "public.items" in found["publication-tables"].message
    shop.execute("CREATE PUBLICATION items_only FOR TABLE items WITH (publish = 'insert, update')")
    found = check(connect.config("looked", publication__name="items_only"))
    assert levels(found) == {"publication-operations": "error", "publication-signal": "error", "publication-heartbeat": "warning"}
    assert "delete, truncate" in found["publication-operations"].message


@pytest.mark.parametrize(("mode", "level"), [("filtered", "warning"), ("all_tables", "error"), ("no_tables", "error")])
def test_a_table_is_added_to_a_publication_that_is_there_only_with_filtered(connect: ConnectCluster, mode: str, level: str) -> None:
    name = f"autocreate_{mode}"
    with connect.database(name) as admin:
        admin.execute(f"GRANT CREATE ON DATABASE {name} TO debezium".encode())
        admin.execute("CREATE PUBLICATION mine FOR TABLE dbz_signal, dbz_heartbeat")
        for owned in ("PUBLICATION mine", "TABLE items", "TABLE dbz_signal", "TABLE dbz_heartbeat"):
            admin.execute(f"ALTER {owned} OWNER TO debezium".encode())
        config = connect.config(name, publication__name="mine", publication__autocreate__mode=mode)
        found = by_rule(postgres_checks.check(connect.cluster, name, config, False))
        assert levels(found) == {"publication-tables": level}
        connect.client.put_config(name, config)
        try:
            connect.client.wait_running(name)
            wait(
                "the slot",
                lambda: admin.execute("SELECT active FROM pg_replication_slots WHERE slot_name = %s", (f"c360_{name}",)).fetchone(),
            )
            published = {row[0] for row in admin.execute("SELECT tablename FROM pg_publication_tables WHERE pubname = 'mine'")}
        finally:
            connect.client.stop(name)
            connect.client.wait_stopped(name)
            connect.client.delete(name)
            connect.client.wait_gone(name)
            admin.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s", (f"c360_{name}",))
    assert ("items" in published) == (mode == "filtered")


def test_another_decoder_reads_without_a_publication(check: Check, connect: ConnectCluster) -> None:
    assert check(connect.config("looked", publication__name="nowhere", plugin__name="decoderbufs")) == {}


def test_a_publication_of_a_whole_schema_or_database_holds_its_tables(
    connect: ConnectCluster, check: Check, shop: psycopg.Connection[Any]
) -> None:
    shop.execute("CREATE PUBLICATION whole FOR ALL TABLES")
    assert check(connect.config("looked", publication__name="whole")) == {}
    shop.execute("DROP PUBLICATION whole")
    shop.execute("CREATE PUBLICATION whole FOR TABLES IN SCHEMA public")
    assert check(connect.config("looked", publication__name="whole")) == {}


def test_a_publication_with_a_filter(connect: ConnectCluster, check: Check, shop: psycopg.Connection[Any]) -> None:
    shop.execute("CREATE PUBLICATION part FOR TABLE items WHERE (id > 5), dbz_signal, dbz_heartbeat")
    assert levels(check(connect.config("looked", publication__name="part"))) == {"publication-filtered": "warning"}


# --- tables, each in a database of its own


@pytest.mark.parametrize(
    ("name", "items", "expected"),
    [
        ("identity_default", "CREATE TABLE items (id integer PRIMARY KEY)", {"replica-identity-default": "warning"}),
        (
            "identity_index",
            "CREATE TABLE items (id integer PRIMARY KEY); ALTER TABLE items REPLICA IDENTITY USING INDEX items_pkey",
            {"replica-identity-default": "warning"},
        ),
        (
            "identity_none",
            "CREATE TABLE items (id integer PRIMARY KEY); ALTER TABLE items REPLICA IDENTITY NOTHING",
            {"replica-identity-none": "error"},
        ),
        ("keyless", "CREATE TABLE items (id integer)", {"replica-identity-none": "error", "primary-key-missing": "warning"}),
        ("keyless_full", "CREATE TABLE items (id integer); ALTER TABLE items REPLICA IDENTITY FULL", {"primary-key-missing": "warning"}),
        (
            "deferrable",
            "CREATE TABLE items (id integer PRIMARY KEY DEFERRABLE INITIALLY DEFERRED); ALTER TABLE items REPLICA IDENTITY FULL",
            {"primary-key-deferrable": "error"},
        ),
        (
            "partitioned",
            "CREATE TABLE items (id integer PRIMARY KEY) PARTITION BY RANGE (id);"
            "CREATE TABLE items_1 PARTITION OF items FOR VALUES FROM (1) TO (9); ALTER TABLE items REPLICA IDENTITY FULL",
            {"partitions-lost": "error", "replica-identity-default": "warning"},  # the partition's own counts
        ),
    ],
)
def test_tables_that_lose_something(connect: ConnectCluster, name: str, items: str, expected: dict[str, str]) -> None:
    with connect.database(name, items=items):
        assert levels(by_rule(postgres_checks.check(connect.cluster, name, connect.config(name), False))) == expected


def test_a_partitioned_table_is_fine_by_its_own_name_or_by_all_of_its_partitions(connect: ConnectCluster) -> None:
    items = (
        "CREATE TABLE items (id integer PRIMARY KEY) PARTITION BY RANGE (id); ALTER TABLE items REPLICA IDENTITY FULL;"
        "CREATE TABLE items_1 PARTITION OF items FOR VALUES FROM (1) TO (9); ALTER TABLE items_1 REPLICA IDENTITY FULL"
    )
    with connect.database("parts", items=items) as database:
        by_pattern = connect.config("parts", table__include__list="public.items.*,public.items_1")
        assert levels(by_rule(postgres_checks.check(connect.cluster, "parts", by_pattern, False))) == {"table-partitioned": "warning"}
        database.execute("ALTER PUBLICATION dbz_publication SET (publish_via_partition_root = true)")
        assert postgres_checks.check(connect.cluster, "parts", connect.config("parts"), False) == []


def test_what_is_claimed_of_a_table_without_identity_is_so(connect: ConnectCluster) -> None:
    with connect.database("claimed", items="CREATE TABLE items (id integer)") as database:
        database.execute("INSERT INTO items VALUES (1)")
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
            database.execute("UPDATE items SET id = 2")


def test_rights_that_are_missing(connect: ConnectCluster) -> None:
    debezium = "; ".join(line for line in DEBEZIUM.split(";") if "GRANT" not in line)
    with connect.database("rightless", debezium=debezium) as database:
        database.execute(
            "CREATE SCHEMA shut; CREATE TABLE shut.items (id integer PRIMARY KEY); ALTER TABLE shut.items REPLICA IDENTITY FULL"
        )
        database.execute("ALTER PUBLICATION dbz_publication ADD TABLE shut.items")
        config = connect.config("rightless", table__include__list="public.items,shut.items")
        found = by_rule(postgres_checks.check(connect.cluster, "rightless", config, False))
        assert levels(found) == dict.fromkeys(("schema-right", "select-right", "signal-right", "heartbeat-right"), "error")
        assert "shut" in found["schema-right"].message
        assert "public.items, shut.items" in found["select-right"].message


def test_names_that_match_nothing(connect: ConnectCluster, check: Check) -> None:
    config = connect.config(
        "looked", table__include__list="public.items,public.gone,public.x_.*", signal__data__collection="public.nosignal"
    )
    config["heartbeat.action.query"] = "INSERT INTO nobeat VALUES (1)"
    found = check(config)
    assert levels(found) == {"table-missing": "error", "pattern-unmatched": "warning", "signal-table": "error", "heartbeat-table": "error"}
    assert check(connect.config("looked", heartbeat__action__query="SELECT pg_logical_emit_message(false, 'a', 'b')")) == {}
    shaped = connect.config("looked", signal__data__collection="public.dbz_heartbeat")
    assert "type, data" in check(shaped)["signal-table"].message


# --- role and slot


def test_a_role_that_may_not_replicate(connect: ConnectCluster, check: Check, shop: psycopg.Connection[Any]) -> None:
    shop.execute("CREATE ROLE reader LOGIN PASSWORD 'read-only-role'")
    shop.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader; GRANT INSERT, UPDATE ON dbz_signal, dbz_heartbeat TO reader")
    variables = Variables({**connect.cluster.variables.env, "C360_SOURCE_PG_USER": "reader", "C360_SOURCE_PG_PASSWORD": "read-only-role"})
    cluster = Cluster("other", connect.client, variables)
    found = by_rule(postgres_checks.check(cluster, "looked", connect.config("looked"), False))
    assert levels(found) == {"replication-right": "error"}


def test_a_slot_that_is_not_free(connect: ConnectCluster, check: Check, shop: psycopg.Connection[Any]) -> None:
    config = connect.config("looked", slot__name="c360_oltp")  # of a connector that runs, in another database
    assert levels(check(config)) == {"slot-foreign": "error"}
    assert by_rule(postgres_checks.check(connect.cluster, "x", configurations()["oltp-postgres"], False))["slot-taken"].level == "error"
    for name, plugin in (("mine", "pgoutput"), ("decoded", "test_decoding")):
        shop.execute("SELECT pg_create_logical_replication_slot(%s, %s)", (name, plugin))
    try:
        assert levels(check(connect.config("looked", slot__name="mine"))) == {"slot-there": "warning"}
        assert levels(check(connect.config("looked", slot__name="mine"), deployed=True)) == {"slot-idle": "warning"}
        assert levels(check(connect.config("looked", slot__name="decoded"))) == {"slot-foreign": "error"}
    finally:
        shop.execute("SELECT pg_drop_replication_slot(s) FROM unnest(ARRAY['mine', 'decoded']) s")


def test_a_database_that_is_not_there(check: Check, connect: ConnectCluster) -> None:
    assert levels(check(connect.config("looked", database__dbname="nowhere"))) == {"postgres-login": "error"}


def test_that_only_we_are_not_let_in_is_no_error(connect: ConnectCluster, shop: psycopg.Connection[Any]) -> None:
    """What pg_hba.conf and free connections say to us is not what they say to the worker."""
    shop.execute("ALTER DATABASE looked CONNECTION LIMIT 0")
    try:
        found = by_rule(postgres_checks.check(connect.cluster, "looked", connect.config("looked"), False))
    finally:
        shop.execute("ALTER DATABASE looked CONNECTION LIMIT -1")
    assert levels(found) == {"postgres-unseen": "unchecked"}
    assert "too many connections" in found["postgres-unseen"].message


def test_wal_without_a_limit(check: Check, shop: psycopg.Connection[Any]) -> None:
    keep_wal(shop, "-1")
    try:
        assert levels(check()) == {"wal-unlimited": "warning"}
    finally:
        keep_wal(shop, "4GB")


def test_a_running_connector_that_is_to_take_another_slot(connect: ConnectCluster) -> None:
    config = {**configurations()["oltp-postgres"], "slot.name": "other"}
    with psycopg.connect(connect.stack._postgres.conninfo("commerce"), autocommit=True) as admin:
        admin.execute("SELECT pg_create_logical_replication_slot('other', 'pgoutput')")
        try:
            found = by_rule(validation.validate(connect.cluster, {"oltp-postgres": config}, ["oltp-postgres"]))
        finally:
            admin.execute("SELECT pg_drop_replication_slot('other')")
    assert levels(found) == {"slot-there": "warning"}


def test_no_slot_is_free(connect: ConnectCluster, check: Check, shop: psycopg.Connection[Any]) -> None:
    free = "SELECT current_setting('max_replication_slots')::int - count(*) FROM pg_replication_slots"
    try:
        shop.execute(f"SELECT pg_create_physical_replication_slot('filler_' || n) FROM generate_series(1, ({free})) n")
        assert levels(check()) == {"slots-used-up": "error"}
        assert check(deployed=True) == {}
    finally:
        shop.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name LIKE 'filler_%'")


# --- the worker, and the command


def validated(connect: ConnectCluster, folder: Path, *args: str, **configs: dict[str, str]) -> tuple[int, dict[str, list[dict[str, str]]]]:
    done = connect.cli("validate", str(connect.folder(folder, **configs)), "--json", *args)
    assert SECRET not in done.out + done.err
    found: dict[str, list[dict[str, str]]] = {}
    for finding in done.json["findings"]:
        found.setdefault(finding["connector"], []).append(finding)
    return done.code, found


def test_the_worker_s_refusals_come_by_field_and_hold_no_secret(connect: ConnectCluster, tmp_path: Path) -> None:
    reviews: dict[str, str] = json.loads((CONFIGS / "web-reviews.json").read_text())
    code, found = validated(
        connect,
        tmp_path / "configs",
        poll=connect.config("looked", poll__interval__ms="soon"),
        password=connect.config("looked", database__password=SECRET, topic__prefix="p", slot__name="c360_p"),
        address={**reviews, "offset.partition.name": "a", "connection.uri": f"mongodb://ann:{SECRET}%zz@h:1/"},
        away={**reviews, "offset.partition.name": "b", "connection.uri": f"mongodb://ann:{SECRET}@127.0.0.1:1/"},
        unknown={"connector.class": "io.debezium.connector.postgresql.PostgresConnectr"},
        slip=connect.config("looked", slot__name="c360_s", topic__prefix="s", max__bacth__size="9"),
    )
    assert code == 1
    refused = {name: [f for f in findings if f["rule"] == "server-refuses"] for name, findings in found.items()}
    assert {f["field"] for f in refused["poll"]} == {"poll.interval.ms"}
    assert [f["field"] for f in refused["password"]] == ["database.hostname"]
    assert "password authentication failed" in refused["password"][0]["message"]
    assert {"secret-plain", "postgres-login"} < {f["rule"] for f in found["password"]}
    assert [f["field"] for f in refused["address"]] == ["connection.uri"]
    assert refused["address"][0]["message"].startswith("Invalid value for configuration connection.uri: ")
    assert [f["field"] for f in refused["away"]] == ["connection.uri"]
    assert ("mongo-unseen", "unchecked") in {(f["rule"], f["level"]) for f in found["away"]}
    assert [(f["rule"], f["hint"]) for f in found["unknown"]] == [
        ("plugin-unknown", "did you mean io.debezium.connector.postgresql.PostgresConnector?")
    ]
    assert [(f["rule"], f["hint"]) for f in found["slip"]] == [("setting-unknown", "did you mean max.batch.size?")]


def test_a_secret_that_the_worker_does_not_have_looks_like_a_wrong_password(connect: ConnectCluster, tmp_path: Path) -> None:
    _, found = validated(connect, tmp_path / "configs", mine=connect.config("looked", database__password="${env:C360_SOURCE_NOT_THERE}"))
    said = {f["rule"]: f for f in found["mine"]}
    assert {rule: f["level"] for rule, f in said.items()} == {
        "server-refuses": "error",
        "secret-unresolved": "unchecked",
        "postgres-unseen": "unchecked",
    }
    assert "is the secret there?" in said["server-refuses"]["hint"]


def test_what_cannot_be_resolved_here_is_unchecked_and_no_error(connect: ConnectCluster) -> None:
    config = connect.config("looked")
    found = by_rule(validation.of_source(Cluster("blind", connect.client, Variables()), "looked", config, False))
    assert levels(found) == {"secret-unresolved": "unchecked", "postgres-unseen": "unchecked"}
    reviews = configurations()["web-reviews"]
    found = by_rule(validation.of_source(Cluster("blind", connect.client, Variables()), "web-reviews", reviews, False))
    assert levels(found) == {"secret-unresolved": "unchecked", "mongo-unseen": "unchecked"}


def test_a_collection_that_is_not_there_yet(connect: ConnectCluster, tmp_path: Path) -> None:
    reviews: dict[str, str] = json.loads((CONFIGS / "web-reviews.json").read_text())
    config = {**reviews, "collection": "tomorrow", "offset.partition.name": "t"}
    code, found = validated(connect, tmp_path / "configs", tomorrow=config)
    assert (code, [(f["rule"], f["level"]) for f in found["tomorrow"]]) == (0, [("mongo-nothing-there", "warning")])
    code, _ = validated(connect, tmp_path / "configs", "--strict", tomorrow=config)
    assert code == 1


def test_people_see_connector_rule_and_hint(connect: ConnectCluster, tmp_path: Path) -> None:
    folder = connect.folder(tmp_path / "configs", mine=connect.config("looked", publication__name="nowhere"))
    done = connect.cli("validate", str(folder))
    lines = done.out.splitlines()
    assert done.code == 1
    assert lines[0] == "mine"
    assert lines[1].split()[:2] == ["error", "publication-missing"]
    assert lines[2].strip().startswith("-> CREATE PUBLICATION nowhere")
    assert lines[-1] == "1 connector: 1 error, 0 warnings, 0 unchecked"


def test_a_worker_that_is_away_leaves_with_3_after_what_the_files_show(connect: ConnectCluster, tmp_path: Path) -> None:
    folder = connect.folder(tmp_path / "configs", mine=connect.config("looked", slot__name="No"))
    done = connect.cli("--url", "http://127.0.0.1:1", "--patience", "0", "validate", str(folder))
    assert done.code == 3
    assert "slot-name" in done.out
    assert "does not answer" in done.err


def test_without_a_cluster_the_way_out_is_said(connect: ConnectCluster, tmp_path: Path) -> None:
    done = connect.cli("--state", str(tmp_path / "none"), "validate")
    assert done.code == 2
    assert "--offline" in done.err


def test_a_slot_whose_wal_is_gone(check: Check, connect: ConnectCluster, shop: psycopg.Connection[Any]) -> None:
    """The last one: it takes the slots of the running connectors with it."""
    shop.execute("SELECT pg_create_logical_replication_slot('behind', 'pgoutput')")
    keep_wal(shop, "1MB")

    def lost() -> bool:
        shop.execute("SELECT pg_logical_emit_message(false, 'x', 'x')")
        shop.execute("SELECT pg_switch_wal()")
        shop.execute("CHECKPOINT")
        return "slot-lost" in check(connect.config("looked", slot__name="behind"))

    wait("the WAL to go", lost, 30)
    assert levels(check(connect.config("looked", slot__name="behind"))) == {"slot-there": "warning", "slot-lost": "error"}
