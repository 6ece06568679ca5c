"""Marketing campaigns: how visits come to the shop, how well they convert, and how much of it comes back."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Campaign:
    campaign_id: str
    share: float  # of visits and orders; the rest comes without a campaign
    conversion: float  # factor on the chance to buy
    returns: float  # factor on the chance of a return
    discount_percent: int


CAMPAIGNS = (
    Campaign("newsletter-autumn", 0.12, 1.5, 0.8, 5),
    Campaign("search-brand", 0.14, 1.3, 0.9, 0),
    Campaign("social-video", 0.16, 0.6, 1.5, 0),
    Campaign("flash-sale", 0.09, 1.9, 1.9, 20),
    Campaign("partner-blogs", 0.06, 0.9, 1.0, 0),
    Campaign("win-back", 0.04, 1.1, 1.1, 15),
)
BY_ID = {c.campaign_id: c for c in CAMPAIGNS}
_ENDS = tuple(accumulate(c.share for c in CAMPAIGNS))


def draw(rng: random.Random) -> Campaign | None:
    """A campaign, or None for somebody who just came."""
    at = rng.random()
    return next((c for c, end in zip(CAMPAIGNS, _ENDS, strict=True) if at < end), None)
