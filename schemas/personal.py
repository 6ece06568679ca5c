"""Which columns hold what a person is called, lives at, or wrote; and what else of a record is kept when they are erased.

Personal values stand in the shop's own stores, in Kafka and bronze as received, in `dim_customer`, and a review's words in its tables. The
marts have a masked address. What ties a person's numbers together without naming them stays: ids, the visitor's cookie, amounts, times.
"""

from __future__ import annotations

from schemas.behaviour import FCT_REVIEWS
from schemas.columns import Table
from schemas.marts import MART_CUSTOMER_360
from schemas.tables import DIM_CUSTOMER, REVIEWS
from schemas.topics import CLICKSTREAM as CLICKSTREAM_TOPIC
from schemas.topics import CUSTOMERS as CUSTOMERS_TOPIC
from schemas.topics import REVIEWS as REVIEWS_TOPIC

ERASED = "erased:"  # begins what stands in the place of a value
# By table: texts that are replaced. Columns that the source got later are texts of the person too, unless they are kept below.
TEXTS: dict[Table, tuple[str, ...]] = {
    DIM_CUSTOMER: ("email", "full_name", "city"),
    REVIEWS: ("title", "body"),
    FCT_REVIEWS: ("title", "body"),
}
EMPTIED: dict[Table, tuple[str, ...]] = {MART_CUSTOMER_360: ("email_masked",)}
# By topic: what says nothing about who it is, in a row or a document. All else is replaced, columns that are not known yet as well.
KEPT: dict[str, frozenset[str]] = {
    CUSTOMERS_TOPIC.name: frozenset({"customer_id", "country", "tier", "marketing_consent", "points", "created_at", "last_login_at"}),
    REVIEWS_TOPIC.name: frozenset({"_id", "product_id", "customer_id", "rating", "language", "reviewed_at"}),
    CLICKSTREAM_TOPIC.name: frozenset(
        {"_id", "session_id", "visitor_id", "customer_id", "product_id", "event_type", "page", "device", "campaign_id", "occurred_at"},
    ),
}
# By which values bytes that nobody can decode are known as theirs. A city, or a title, is many people's.
NAMING = frozenset({"email", "full_name", "body"})
# Masked or hashed: may stand outside dim_customer. A test looks for others that sound personal.
MASKED = frozenset({(MART_CUSTOMER_360.name, "email_masked")})
