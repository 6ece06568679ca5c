"""The registry as tables, for docs/observability.md. Pure."""

from __future__ import annotations

from commerce360.telemetry.declared import CLIENT, METRICS
from commerce360.telemetry.metric import Kind, Metric

BEGIN = "<!-- metrics: made by `make docs` from commerce360/telemetry/declared.py; edit that -->"
END = "<!-- end of metrics -->"
TITLES = {
    "lake": "The lake job",
    "loader": "The loader",
    "sentiment": "Sentiment",
    "shop": "The shop",
    "page": "The live page, for all that tells nothing by itself",
    "process": "Every process of ours",
}
KINDS = {Kind.STATE: "gauge, 1 for the state that is", Kind.INFO: "gauge, always 1"}


def put_into(page: str) -> str:
    """The page with its part between the two marks made anew."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{tables()}\n{END}{tail}"


def tables() -> str:
    """Markdown, the same on every machine."""
    groups = {title: [m for m in METRICS if m.service == name and m not in CLIENT] for name, title in TITLES.items()}
    groups["Every process of ours, by prometheus-client"] = list(CLIENT)
    return "\n".join(f"### {title}\n\n{_table(found)}" for title, found in groups.items())


def _table(found: list[Metric]) -> str:
    rows = [f"| `{m.name}` | {KINDS.get(m.kind, m.kind.value)} | {_labels(m)} | {m.unit} | {m.help} |" for m in found]
    return "\n".join(["| metric | kind | labels | unit | meaning |", "|---|---|---|---|---|", *rows]) + "\n"


def _labels(metric: Metric) -> str:
    named = [f"`{label}`" for label in metric.labels]
    if metric.kind is Kind.STATE:
        named[-1] += f" ({', '.join(metric.states)})"
    return ", ".join(named)
