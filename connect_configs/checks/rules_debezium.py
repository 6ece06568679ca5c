"""Rules on a Debezium PostgreSQL connector (read from and run with Debezium 3.7)."""

from __future__ import annotations

import re

from connect_configs.checks.ruleset import REFERENCE_BEGINS, Rule, Told, is_number_below, parts_of, setting
from connect_configs.model import Config

SLOT_NAME = re.compile(r"[a-z0-9_]{1,63}")
READS_ROWS_AT_START = ("initial", "always", "initial_only", "when_needed")
READS_NO_ROWS = ("no_data", "never")
READ_ONLY_CHANNELS = frozenset({"kafka", "file", "jmx"})  # signals of a connector that writes nothing into its database
LISTS = ("table", "schema", "column")
HOW_TO_LOAD = "set snapshot.mode to no_data, with a signal table, and load with `c360 connect snapshot`"


def _slot_name(value: str) -> bool:
    return bool(value) and not SLOT_NAME.fullmatch(value)


def _include_and_exclude(config: Config) -> Told:
    for what in LISTS:
        if f"{what}.include.list" in config and f"{what}.exclude.list" in config:
            yield f"{what}.exclude.list", f"{what}.include.list and {what}.exclude.list are both set: Debezium refuses that"


def _captures_everything(config: Config) -> Told:
    if not any(f"{what}.{kind}.list" in config for what in ("table", "schema") for kind in ("include", "exclude")):
        yield "table.include.list", "table.include.list is not set: every table of the database is captured, also tomorrow's"


def _operations_lost(config: Config) -> Told:
    if lost := sorted(set(parts_of(config.get("skipped.operations", ""))) & {"c", "u", "d"}):
        yield "skipped.operations", f"skipped.operations drops {', '.join(lost)}: those changes are never sent"


def _truncates_skipped(config: Config) -> Told:
    value = config.get("skipped.operations", "t")
    if "t" in parts_of(value):
        state = "drops t" if "skipped.operations" in config else "is not set, which drops t"
        yield "skipped.operations", f"skipped.operations {state}: a TRUNCATE is never sent, and its rows stay open in the history"


def _no_way_to_load(config: Config) -> Told:
    if config.get("snapshot.mode", "initial").lower() not in READS_NO_ROWS:
        return
    channels = config.get("signal.enabled.channels", "source")
    if REFERENCE_BEGINS in channels + config.get("read.only", ""):
        return
    if config.get("read.only", "").lower() == "true" and READ_ONLY_CHANNELS & set(parts_of(channels)):
        return
    if not config.get("signal.data.collection", "").strip():
        said = (
            "snapshot.mode reads no rows and there is no signal.data.collection: only changes are sent, rows that are there are never read"
        )
        yield "signal.data.collection", said
    elif "source" not in parts_of(channels):
        said = f"signal.enabled.channels is {channels!r} without source: only changes are sent, rows that are there are never read"
        yield "signal.enabled.channels", said


POSTGRES: tuple[Rule, ...] = (
    setting(
        "plugin-name", "warning", "plugin.name", lambda v: v != "pgoutput",
        "only pgoutput is part of PostgreSQL, any other plugin must be built into the server", "set it to pgoutput", "decoderbufs",
    ),
    setting(
        "slot-name", "error", "slot.name", _slot_name,
        "PostgreSQL takes lower-case letters, digits and underscores, 63 at most", "choose such a name",
    ),
    setting(
        "slot-name-default", "warning", "slot.name", lambda v: v in ("", "debezium"),
        "a second connector on this server would take the same slot", "name it after the connector, such as c360_oltp", "debezium",
    ),
    setting(
        "slot-dropped", "error", "slot.drop.on.stop", {"true"},
        "every stop drops the slot, and changes until the next start are lost", "leave it out; `c360 connect delete --purge` drops slots",
    ),
    setting(
        "publication-autocreate", "warning", "publication.autocreate.mode", lambda v: v.lower() != "disabled",
        "the connector makes its publication itself, and needs a superuser or the tables' owner for that",
        "make the publication with the tables' migrations and set this to disabled", "all_tables",
    ),
    setting(
        "heartbeat-off", "warning", "heartbeat.interval.ms", is_number_below(1),
        "while the captured tables are quiet the slot keeps all WAL of the server", "set it to 10000 or less", "0",
    ),
    setting(
        "heartbeat-query-missing", "warning", "heartbeat.action.query", {""},
        "in an idle database on a busy server the slot cannot move on, and WAL grows",
        "give it an UPDATE of a small table that is in the publication",
    ),
    Rule("operations-dropped", "error", "`skipped.operations` drops inserts, updates or deletes", "set it to none", _operations_lost),
    Rule(
        "truncates-skipped", "warning", "`skipped.operations` is not set or has t: a TRUNCATE is never sent", "set it to none",
        _truncates_skipped,
    ),
    setting(
        "tombstones-off", "warning", "tombstones.on.delete", {"false"},
        "a compacted topic keeps deleted keys for ever", "leave it out", "true",
    ),
    setting(
        "decimals-as-double", "warning", "decimal.handling.mode", {"double"},
        "amounts lose precision", "set it to string or precise", "precise",
    ),
    setting(
        "time-as-connect", "warning", "time.precision.mode", {"connect"},
        "microseconds are cut off", "set it to adaptive, microseconds or isostring", "adaptive",
    ),
    setting(
        "binary-as-text", "warning", "binary.handling.mode", {"base64", "base64-url-safe", "hex"},
        "a large value that an update left alone is sent as NULL, not as the placeholder, and looks deleted", "set it to bytes", "bytes",
    ),
    setting(
        "snapshot-at-start", "warning", "snapshot.mode", READS_ROWS_AT_START,
        "a change by a transaction that is open when the snapshot begins can get a place before the row that it changes",
        HOW_TO_LOAD, "initial",
    ),
    Rule(
        "snapshot-impossible", "warning",
        "`snapshot.mode` reads no rows, and there is no signal table to load them by: only changes are sent",
        "fine if that is meant; else name a signal table and the channel source",
        _no_way_to_load,
    ),
    setting(
        "signal-name", "error", "signal.data.collection", lambda v: bool(v) and len(v.split(".")) != 2,
        "Debezium looks for schema.table here, and would never see a signal", "write it as schema.table",
    ),
    setting(
        "retries-limited", "warning", "errors.max.retries", lambda v: v.isdigit(),
        "after so many failures in a row the task fails for good, and a server that is away for long is enough", "set it to -1", "-1",
    ),
    Rule(
        "include-and-exclude", "error", "An include list and an exclude list of one kind: Debezium refuses both", "keep one",
        _include_and_exclude,
    ),
    Rule(
        "captures-everything", "warning", "No include or exclude list: every table is captured", "list the tables in table.include.list",
        _captures_everything,
    ),
    setting(
        "errors-tolerated-source", "warning", "errors.tolerance", {"all"},
        "records that cannot be converted are left out, and a source has no dead letters", "leave it out", "none",
    ),
)  # fmt: skip
