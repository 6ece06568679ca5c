"""Marketing campaigns: how visits come to the shop, how well they convert, and how much of it comes back."""

from __future__ import annotations

import random
from collections.abc import Sequence

from producers.truth import TRUTH, Campaign, Truth

CAMPAIGNS = TRUTH.campaigns
BY_ID = {c.campaign_id: c for c in CAMPAIGNS}


def draw(rng: random.Random, running: Sequence[Campaign] = CAMPAIGNS) -> Campaign | None:
    """One of those that run, or None for somebody who just came."""
    at = rng.random()
    for campaign in running:
        at -= campaign.share
        if at < 0:
            return campaign
    return None


def running(truth: Truth, day: int) -> tuple[Campaign, ...]:
    """Those that run on a day, counted from 1970-01-01."""
    return tuple(c for c in truth.campaigns if (day + c.from_day) % c.of_days < c.runs_days)
