"""What the shop itself decides, and every stage must read alike: its time zone, its currency, its campaigns."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import yaml

ZONE = "Europe/Berlin"  # days are days of this zone; times stay UTC
CURRENCY = "EUR"  # money in another currency is counted, and never added


@cache
def campaigns() -> tuple[dict[str, Any], ...]:
    """campaign_id, name, channel, discount_percent of each campaign."""
    found = yaml.safe_load(resources.files(__package__).joinpath("campaigns.yaml").read_text("utf-8"))
    return tuple({"campaign_id": key, **values} for key, values in found.items())
