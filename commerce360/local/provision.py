"""What a fresh set of servers needs before data flows: tables, roles, topics, schemas. Every step may be repeated."""

from __future__ import annotations

import json
from pathlib import Path

import requests

from commerce360.errors import C360Error, UnavailableError
from commerce360.local.services.postgres import Postgres
from commerce360.local.state import State
from commerce360.settings import Settings
from schemas.topics import BACKFILL, ORDER_EVENTS, SENTIMENT, TOPICS

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
OWN = (ORDER_EVENTS, SENTIMENT, BACKFILL)  # topics whose records we write ourselves: `avro/<entity>.avsc`
CAPTURED = ("customers", "products", "orders", "order_items")
REGISTRY_COMPATIBILITY = "BACKWARD"


class Provision:
    def __init__(self, state: State, settings: Settings, postgres: Postgres) -> None:
        self.state = state
        self.settings = settings
        self.postgres = postgres

    def database(self) -> None:
        """The shop's database, its schema, the roles of the shop and of Debezium, the publication."""
        import psycopg
        from psycopg import sql

        with psycopg.connect(self.postgres.conninfo(), autocommit=True) as server:
            for role, options in (("shop", "LOGIN"), ("debezium", "LOGIN REPLICATION")):
                if not server.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone():
                    server.execute(sql.SQL("CREATE ROLE {} " + options).format(sql.Identifier(role)))
                secret = sql.Literal(self.state.secret(f"postgres_{role}"))
                server.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), secret))
            if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", (self.settings.postgres.dbname,)).fetchone():
                server.execute(sql.SQL("CREATE DATABASE {} OWNER shop").format(sql.Identifier(self.settings.postgres.dbname)))
        with psycopg.connect(self.settings.postgres.conninfo(), autocommit=True) as shop:
            shop.execute((SCHEMAS / "oltp.sql").read_bytes())
            shop.execute("GRANT USAGE ON SCHEMA sales TO debezium; GRANT SELECT ON ALL TABLES IN SCHEMA sales TO debezium")
            shop.execute("GRANT INSERT, UPDATE, DELETE ON sales.dbz_signal, sales.dbz_heartbeat TO debezium")
        with psycopg.connect(self.postgres.conninfo(self.settings.postgres.dbname), autocommit=True) as owner:
            if not owner.execute("SELECT 1 FROM pg_publication WHERE pubname = 'dbz_publication'").fetchone():
                tables = ", ".join(f"sales.{t}" for t in (*CAPTURED, "dbz_signal", "dbz_heartbeat"))
                owner.execute(f"CREATE PUBLICATION dbz_publication FOR TABLE {tables}")

    def topics(self) -> None:
        """Made by us and before anybody writes, so that partition counts are those of the contract."""
        from confluent_kafka import KafkaError, KafkaException
        from confluent_kafka.admin import AdminClient, NewTopic

        admin = AdminClient(self.settings.kafka.client())
        kept = {"retention.ms": "-1"}  # here nothing is deleted: reconciliation reads the topics from their first record
        wanted = [NewTopic(t.name, num_partitions=t.partitions, replication_factor=1, config={**t.config(), **kept}) for t in TOPICS]
        for name, future in admin.create_topics(wanted, operation_timeout=30).items():
            try:
                future.result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise UnavailableError(f"cannot create topic {name}: {error.args[0].str()}", "see `c360 logs kafka`") from error

    def schemas(self) -> None:
        """Compatibility is set, not left to a default that differs between registries; our own schemas are registered by us."""
        registry = self.settings.registry
        url, access = registry.url, registry.http()
        try:
            requests.put(f"{url}/config", json={"compatibility": REGISTRY_COMPATIBILITY}, timeout=20, **access).raise_for_status()
            for topic in OWN:
                text = json.dumps(json.loads((SCHEMAS / "avro" / f"{topic.entity}.avsc").read_text()))
                reply = requests.post(f"{url}/subjects/{topic.name}-value/versions", json={"schema": text}, timeout=20, **access)
                if not reply.ok:
                    hint = "the schema must be compatible with its last version"
                    raise C360Error(f"the registry refuses {topic.name}: {reply.text[:300]}", hint)
        except requests.RequestException as error:
            raise UnavailableError(f"the registry does not answer: {error}", "see `c360 logs registry`") from error
