"""The schema registry. Compatibility is set, as defaults differ between registries; our own schemas are registered by us."""

from __future__ import annotations

import json
from pathlib import Path

import requests

from commerce360.errors import C360Error, UnavailableError
from commerce360.settings import Settings
from schemas.topics import BACKFILL, ORDER_EVENTS, SENTIMENT

AVRO = Path(__file__).resolve().parents[2] / "schemas" / "avro"
OWN = (ORDER_EVENTS, SENTIMENT, BACKFILL)  # topics whose records we write ourselves: `avro/<entity>.avsc`
COMPATIBILITY = "BACKWARD"
TIMEOUT_S = 20


def prepare(settings: Settings) -> list[str]:
    """What was registered. Raises UnavailableError when it does not answer, C360Error when it refuses a schema."""
    url, access = settings.registry.url, settings.registry.http()
    done: list[str] = []
    try:
        requests.put(f"{url}/config", json={"compatibility": COMPATIBILITY}, timeout=TIMEOUT_S, **access).raise_for_status()
        for topic in OWN:
            subject = f"{url}/subjects/{topic.name}-value"
            body = {"schema": json.dumps(json.loads((AVRO / f"{topic.entity}.avsc").read_text()))}
            if requests.post(subject, json=body, timeout=TIMEOUT_S, **access).ok:
                continue  # it is there already
            reply = requests.post(f"{subject}/versions", json=body, timeout=TIMEOUT_S, **access)
            if not reply.ok:
                hint = "the schema must be compatible with its last version"
                raise C360Error(f"the registry refuses {topic.name}: {reply.text[:300]}", hint)
            done.append(f"registered the schema of {topic.name}")
    except requests.RequestException as error:
        raise UnavailableError(f"the registry does not answer: {error}", "check C360_REGISTRY__URL, and its log") from error
    return done
