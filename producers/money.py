"""Money is whole cents inside the simulation, decimal text in events, Decimal in PostgreSQL; never a float."""

from __future__ import annotations

from decimal import Decimal

CENT = Decimal("0.01")


def text(cents: int) -> str:
    """`1999` -> `"19.99"`, for amounts that are not negative."""
    return f"{cents // 100}.{cents % 100:02d}"


def decimal(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)


def cents(amount: Decimal) -> int:
    return int(amount.quantize(CENT).scaleb(2))


def price_point(amount: int) -> int:
    """The nearest price below that ends in 9, as shops like them; at least 0.99."""
    return max(99, amount // 10 * 10 + 9 if amount < 10_000 else amount // 100 * 100 + 99)
