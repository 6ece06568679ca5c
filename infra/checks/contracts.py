"""`infra/terraform/contracts.json`: what Terraform takes from the code, so that no name stands twice.

Topics, the warehouse's roles, users and sizes, and the lake job's Spark settings. `python -m infra.checks.contracts` writes the file, as
`make docs` does, and the check `terraform` finds one that is out of date.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from schemas import access
from schemas.topics import TOPICS, Topic
from stream_jobs.session import TUNED
from warehouse import account

ROOT = Path(__file__).resolve().parents[2]
FILE = Path("infra/terraform/contracts.json")
WORKER = Path("commerce360/local/services/config/connect.properties")
# Of TUNED, what a cluster of Databricks takes at its start; the rest is of a local Spark, or hides the cluster's own pages.
OF_CLUSTER = (
    "spark.sql.shuffle.partitions",
    "spark.sql.adaptive.enabled",
    "spark.sql.streaming.metricsEnabled",
    "spark.sql.streaming.stopTimeout",
    "spark.sql.streaming.pollingDelay",
    "spark.sql.streaming.noDataMicroBatches.enabled",
    "spark.sql.files.openCostInBytes",
)


def made(root: Path = ROOT) -> dict[str, Any]:
    """What the file should hold; names as the code has them, times in the units of Event Hubs."""
    return {
        "made_by": "python -m infra.checks.contracts, from schemas/, warehouse/account.py and stream_jobs/session.py: change it there",
        "topics": {topic.name: _hub(topic) for topic in TOPICS},
        "connect_topics": _connect_topics((root / WORKER).read_text(encoding="utf-8")),
        "snowflake": {
            "roles": access.ROLES,
            "users": {user: {"role": user, "warehouse": access.WAREHOUSE_OF[user]} for user in access.USERS},
            "warehouses": {
                name: {"comment": about, "statement_timeout_s": account.TIMEOUT_S[name]} for name, about in access.WAREHOUSES.items()
            },
            "warehouse_of": access.WAREHOUSE_OF,
            "owner": access.TRANSFORMER,
            "monitor": account.MONITOR,
            "network_policy": account.NETWORK,
        },
        "spark_conf": {"spark.sql.session.timeZone": "UTC", **{key: TUNED[key] for key in OF_CLUSTER}},
    }


def text(root: Path = ROOT) -> str:
    return json.dumps(made(root), indent=2, ensure_ascii=False) + "\n"


def _hub(topic: Topic) -> dict[str, Any]:
    config = topic.config()
    return {
        "partitions": topic.partitions,
        "cleanup_policy": config["cleanup.policy"],
        "retention_hours": int(config["retention.ms"]) // 3_600_000,
    }


def _connect_topics(properties: str) -> dict[str, Any]:
    """The worker's own three. Kafka Connect asks for compaction, and for one partition of its configuration."""
    given = dict(line.split("=", 1) for line in properties.splitlines() if "=" in line and not line.startswith("#"))
    return {
        given[f"{kind}.storage.topic"]: {"partitions": int(given.get(f"{kind}.storage.partitions", 1)), "cleanup_policy": "compact"}
        for kind in ("config", "offset", "status")
    }


if __name__ == "__main__":
    (ROOT / FILE).write_text(text(), encoding="utf-8")
