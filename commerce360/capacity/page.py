"""The tables of docs/scale.md and of docs/event-hubs.md, made by the same code as the command's answer."""

from __future__ import annotations

from commerce360.capacity.figures import COSTS, PRICES, Figures, read
from commerce360.capacity.plan import Broker, Demand, Plan, plan
from commerce360.capacity.topics import budget, held

RATES = (1_000, 10_000, 100_000, 1_000_000)
BROKERS: tuple[tuple[Broker, str], ...] = (("eventhubs", "Event Hubs Premium"), ("kafka", "a Kafka of your own"))
BEGIN = "<!-- {}: made by `make docs`; edit commerce360/capacity -->"
END = "<!-- end of {} -->"


def scale(page: str) -> str:
    """The page with its tables made anew."""
    costs, prices = read(None, COSTS), read(None, PRICES)
    plans = {broker: [plan(Demand(rate, broker=broker), costs, prices, held()) for rate in RATES] for broker, _ in BROKERS}
    parts = {
        "plan": _lines(plans["eventhubs"]) + _only_kafka(plans["kafka"]),
        "cost": "\n".join(f"**With {title}**\n\n{_costs(plans[broker], prices)}" for broker, title in BROKERS),
        "warnings": _warnings(plans["eventhubs"]),
        "figures": _figures(costs, "measured or assumed") + "\n" + _figures(prices, "looked up, or an example"),
    }
    for name, text in parts.items():
        page = put_into(page, name, text)
    return page


def event_hubs(page: str) -> str:
    return put_into(page, "topic budget", budget(held()))


def put_into(page: str, name: str, text: str) -> str:
    """`text` between the two marks of that name. Raises ValueError when the page does not have them."""
    begin, end = BEGIN.format(name), END.format(name)
    head, _, rest = page.partition(begin)
    _, found, tail = rest.partition(end)
    if not found:
        raise ValueError(f"the page has no marks for {name}")
    return f"{head}{begin}\n\n{text.rstrip()}\n\n{end}{tail}"


def amount(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.3g}"


def _head(*first: str) -> list[str]:
    names = [*first, *(f"{rate:,}/s" for rate in RATES)]
    return ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]


def _lines(plans: list[Plan]) -> str:
    lines = _head("", "unit")
    for place, line in enumerate(plans[0].lines):
        cells = [amount(p.lines[place].amount) for p in plans]
        lines.append(f"| {line.area}: {line.what} | {line.unit} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _only_kafka(plans: list[Plan]) -> str:
    return f"| or, broker: Kafka brokers | brokers | {' | '.join(amount(p.amount('broker', 'Kafka brokers')) for p in plans)} |\n"


def _costs(plans: list[Plan], prices: Figures) -> str:
    lines = _head(f"{prices.about['currency']} a month")
    for place, cost in enumerate(plans[0].costs):
        lines.append(f"| {cost.item} | " + " | ".join(f"{p.costs[place].per_month:,.0f}" for p in plans) + " |")
    lines.append("| **all** | " + " | ".join(f"**{p.per_month:,.0f}**" for p in plans) + " |")
    return "\n".join(lines) + "\n"


def _warnings(plans: list[Plan]) -> str:
    return "\n".join(f"- **{rate:,}/s**: {'; '.join(p.warnings) or 'nothing'}." for rate, p in zip(RATES, plans, strict=True)) + "\n"


def _figures(figures: Figures, what: str) -> str:
    about = "; ".join(f"{k}: {v}" for k, v in figures.about.items())
    lines = [f"{about}.", "", f"| figure | value | unit | {what} |", "|---|---|---|---|"]
    lines += [f"| `{f.name}` | {f.value:g} | {f.unit} | {'**assumed** ' if f.example else ''}{f.source} |" for f in figures.values()]
    return "\n".join(lines) + "\n"
