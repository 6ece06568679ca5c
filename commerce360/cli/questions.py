"""`c360 questions`: business questions and their answers, asked of the running stack's warehouse. Each is one file of bi/queries."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commerce360.errors import C360Error, ConfigError
from commerce360.local.bootstrap.paths import BUILD

if TYPE_CHECKING:
    from commerce360.settings import Warehouse
    from producers.truth import Truth

    Ask = Callable[[str], "list[dict[str, Any]]"]

SHORT = 8  # rows of an answer on the documentation's page
CELL = 60  # characters of a text there
TIMEOUT_S = 60
HEAD = """# Questions with answers

Each question is one file of SQL on the warehouse's views, the same that the live page and `c360 questions` use. The answers below
are those of one run of the local stack, shortened to a few rows: a year of 1,500 customers was played into it, beside a little live
traffic.

    c360 shop generate --out year.jsonl.zst --customers 1500 --products 200 --end 2026-11-25
    c360 up --rate 2
    c360 shop replay year.jsonl.zst
    c360 questions --markdown

`c360 questions NAME` asks one again. **The truth** is what the shop was made with ([shop-model.md](shop-model.md)), which the warehouse
does not know; answers scatter around it, the more the smaller or younger the shop. Days and hours are those of the shop's clock; money is
EUR, amounts in other currencies are left out.
"""


def questions(
    name: Annotated[str, typer.Argument(help="Answer this one; without a name all are listed.")] = "",
    state: Annotated[Path, typer.Option("--state", help="Folder of the running stack.")] = BUILD / "state" / "default",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="All answers as a page, as in docs/questions.md.")] = False,
) -> None:
    """List the business questions, or answer one from the warehouse of a running stack."""
    from bi.queries import questions as known
    from bi.queries import sql

    titles = known()
    if as_markdown and (name or as_json):
        raise ConfigError("--markdown answers all questions", "leave out the name and --json")
    if name and name not in titles:
        raise ConfigError(f"there is no question {name!r}", f"choose one of {', '.join(titles)}")
    if as_markdown:
        from producers.truth import TRUTH

        typer.echo(page(titles, answers(_warehouse(state), titles), truths(TRUTH)), nl=False)
    elif not name:
        typer.echo(json.dumps(titles, indent=2) if as_json else "\n".join(f"{n:30} {title}" for n, title in titles.items()))
    else:
        rows = answers(_warehouse(state), [name])[name]
        if as_json:
            found = {"name": name, "question": titles[name], "sql": sql(name), "rows": [_plain(row) for row in rows]}
            typer.echo(json.dumps(found, ensure_ascii=False))
        else:
            _show(titles[name], rows)


def answers(settings: Warehouse, names: Sequence[str] | Mapping[str, str]) -> dict[str, list[dict[str, Any]]]:
    """The rows of each, asked one after the other. Raises C360Error when the warehouse does not answer."""
    from bi.queries import sql
    from commerce360 import snowflake

    try:
        connection = snowflake.connect(settings, login_timeout_s=10, network_timeout_s=TIMEOUT_S)
        with connection:
            return {name: snowflake.rows(connection, sql(name), timeout_s=TIMEOUT_S) for name in names}
    except C360Error:
        raise
    except Exception as error:  # the connector has many kinds
        raise C360Error(f"the warehouse does not answer: {error}", "is the stack up? see `c360 status`") from error


def page(titles: Mapping[str, str], found: Mapping[str, Sequence[Mapping[str, Any]]], known: Mapping[str, str]) -> str:
    """docs/questions.md: each question with its file, the first rows of the answer, and what the shop was made with."""
    made = [
        HEAD,
        *(f"- [{title}](#{name.replace('_', '-')})" for name, title in titles.items()),
        "",
    ]
    for name, title in titles.items():
        rows = found[name]
        more = f"{len(rows)} rows, the first {SHORT}:" if len(rows) > SHORT else ""
        made += [f'<a id="{name.replace("_", "-")}"></a>', "", f"## {title}", ""]
        made += [f"[`bi/queries/{name}.sql`](../bi/queries/{name}.sql)", ""]
        made += [*([more, ""] if more else []), *_table(rows[:SHORT]), ""]
        if name in known:
            made += [f"**The truth**: {known[name]}", ""]
    return "\n".join(made)


def truths(truth: Truth) -> dict[str, str]:
    """By question, what the shop was made with, in words."""
    funnel, identity, quality, churn = truth.funnel, truth.identity, truth.quality, truth.churn
    campaigns = truth.campaigns
    back = ", ".join(f"{c.campaign_id} {c.returns:g}" for c in sorted(campaigns, key=lambda c: -c.returns))
    cut = ", ".join(f"{c.campaign_id} {c.discount_percent} %" for c in campaigns if c.discount_percent)
    cost = ", ".join(f"{c.name} {c.cost_share:g}" for c in truth.categories)
    pay = ", ".join(f"{c.campaign_id} {c.conversion:g}" for c in sorted(campaigns, key=lambda c: -c.conversion))
    peak = sorted(range(24), key=lambda hour: -truth.seasons.hours[hour])[:3]
    worst, best = quality.return_base + quality.return_slope, quality.return_base
    return {
        "campaigns_that_return": f"factors on the chance of a return, 1 without a campaign: {back}.",
        "campaign_margin": f"discounts: {cut}.",
        "funnel_by_campaign_and_device": f"a cart goes to the checkout with a chance of {funnel.checkout:g} times a factor, 1 without a "
        f"campaign: {pay}. The device has none of its own; personas prefer one.",
        "channel_worth": "shares of visits while they run: " + ", ".join(f"{c.campaign_id} {c.share:g}" for c in campaigns) + ".",
        "rating_and_sales": f"ratings follow quality (1 + 4 q stars, give or take {quality.rating_noise:g}); a product goes into the cart "
        f"with {quality.appeal:g} + q times the usual chance, and comes back with {best:g} (q = 1) to {worst:g} (q = 0), before factors.",
        "bad_review_effect": "nobody reads reviews here: sales follow a product's quality, not its last review. More than chance would be "
        "a mistake of the model.",
        "about_to_leave": f"after a return or a rating of 1 or 2 a customer leaves for good with a chance of {churn.after_bad:g}, "
        f"after a good order with {churn.after_good:g}: {truth.hazard_ratio:g} times as often.",
        "visits_that_became_known": f"{identity.anonymous:g} of visits are by people unknown to the shop; a customer is known at once in "
        f"{identity.known_at_once:g} of visits, and otherwise logs in with a cart with a chance of {identity.login_with_cart:g}.",
        "abandoned_carts": f"without a campaign {1 - funnel.checkout:g} of carts are abandoned.",
        "tiers": "factors on how often they visit: " + ", ".join(f"{t.name} {t.frequency:g}" for t in truth.tiers) + ".",
        "best_hours": f"most traffic at {', '.join(map(str, peak))} o'clock UTC in the past; live traffic comes at any hour.",
        "words_against_stars": f"{truth.reviews.sarcasm:g} of ratings of 1 and 2 come with words that praise.",
        "returns_by_category": f"returns follow the quality of products, not their category. Cost as a part of the list price: {cost}.",
        "seen_before_buying": "a visit buys nothing that it did not look at first.",
        "views_that_do_not_sell": f"a product goes into the cart with {quality.appeal:g} + its quality (0 to 1) times the usual chance.",
        "first_visit_to_first_order": f"at most {identity.prospect_visits} unknown visits in the fortnight before the account.",
    }


def _warehouse(state: Path) -> Warehouse:
    if not (state / "stack.json").exists():
        raise ConfigError(f"there is no stack in {state}", "start one with `c360 up`, or name its folder with --state")
    from commerce360.local.stack import settings_of_running

    return settings_of_running(state).warehouse


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """JSON-able: money and times as text."""
    return {k: str(v) if isinstance(v, Decimal | dt.date) else v for k, v in row.items()}


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, dt.datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return ["No rows: nothing of this kind was there."]
    short = [[_text(v).replace("|", "\\|").replace("\n", " ") for v in row.values()] for row in rows]
    cells = [[v if len(v) <= CELL else f"{v[: CELL - 1]}…" for v in row] for row in short]
    marks = ["---:" if isinstance(v, int | float | Decimal) else "---" for v in rows[0].values()]
    return [f"| {' | '.join(line)} |" for line in ([*rows[0]], marks, *cells)]


def _show(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    typer.echo(title)
    if not rows:
        typer.echo("no rows: nothing of this kind is in the warehouse (yet)")
        return
    table = Table()
    for name, value in rows[0].items():
        table.add_column(name.replace("_", " "), justify="right" if isinstance(value, int | float | Decimal) else "left")
    for row in rows:
        table.add_row(*(escape(_text(v)) for v in row.values()))
    Console().print(table)
