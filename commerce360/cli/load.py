"""`c360 load record | replay`: order events recorded to a file, and sent again at a rate of one's own."""

from __future__ import annotations

import datetime as dt
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commerce360.cli import load_report, load_run
from commerce360.cli.output import writable, write_json
from commerce360.cli.stack import DEFAULT, StateOption, running_settings
from commerce360.errors import C360Error, ConfigError
from schemas.topics import ORDER_EVENTS

if TYPE_CHECKING:
    from commerce360.settings import Settings
    from producers.load_replay import Outcome
    from producers.profile import Profile
    from producers.recording import Recording

app = typer.Typer(no_args_is_help=True)
FileArgument = Annotated[Path, typer.Argument(help="Recording of order events.", metavar="FILE")]
MOMENTS = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"]


class Sink(StrEnum):
    KAFKA = "kafka"
    EVENTHUBS = "eventhubs"


for command in (load_run.run, load_report.report, load_report.compare):
    app.command()(command)
app.command("find-max")(load_run.find_max)


@app.callback()
def group() -> None:
    """Load tests: record order events, replay them, measure to the moment a number is visible."""


@app.command()
def record(
    file: FileArgument,
    from_topic: Annotated[bool, typer.Option("--from-topic", help="Take them from a topic of a running stack.")] = False,
    topic: Annotated[str, typer.Option(help="Which one; of order events.")] = ORDER_EVENTS.name,
    since: Annotated[dt.datetime | None, typer.Option("--from", formats=MOMENTS, help="Only orders placed from then on (UTC).")] = None,
    until: Annotated[dt.datetime | None, typer.Option("--until", formats=MOMENTS, help="Only orders placed before then (UTC).")] = None,
    last: Annotated[int | None, typer.Option(min=1, help="Of them only the last so many.")] = None,
    generate: Annotated[int | None, typer.Option(min=1, help="Draw so many orders, as the shop does, instead.")] = None,
    rate: Annotated[str | None, typer.Option(help="Orders per second of --generate; 1000 if not given.")] = None,
    seed: Annotated[int, typer.Option(help="Of --generate: the same seed gives the same bytes.")] = 360,
    customers: Annotated[int | None, typer.Option(min=1, help="Of --generate; those of a new stack if not given.")] = None,
    products: Annotated[int | None, typer.Option(min=1, help="Of --generate; those of a new stack if not given.")] = None,
    state: StateOption = DEFAULT,
) -> None:
    """Record order events to a file, each with the time at which it was placed."""
    from producers import recorded

    if from_topic == (generate is not None):
        raise ConfigError("say where the events come from", "give either --from-topic or --generate N")
    writable(file)
    if generate is None:
        if any(given is not None for given in (rate, customers, products)):
            raise ConfigError("--rate, --customers and --products are for --generate", "leave them out")
        _record_topic(file, topic, since, until, last, state)
        return
    from commerce360.settings import Shop
    from producers.profile import parse_rate

    if any(given is not None for given in (since, until, last)):
        raise ConfigError("--from, --until and --last are for --from-topic", "leave them out")
    people, goods = customers or Shop().customers, products or Shop().products
    _tell_recording(recorded.generated(file, generate, float(parse_rate(rate or "1000")), seed, people, goods))


def _record_topic(file: Path, topic: str, since: dt.datetime | None, until: dt.datetime | None, last: int | None, state: Path) -> None:
    from rich.console import Console

    from commerce360.reconcile import topics
    from commerce360.steps import Steps
    from producers import recorded, wire

    settings = running_settings(state)
    schema_id = wire.find_schema_id(settings.registry, wire.order_schema(), topic)
    times = [None if given is None else int(given.replace(tzinfo=dt.UTC).timestamp() * 1_000_000) for given in (since, until)]
    origin: dict[str, object] = {"topic": topic, "from_us": times[0], "until_us": times[1], "last": last}
    records = ((r.key, r.value) for r in topics.read_all(settings.kafka, [topic]))
    with Steps(Console()).step("recording") as note:
        made, left_out = recorded.from_records(file, records, schema_id, origin, times[0], times[1], last, note)
    _tell_recording(made)
    for reason, count in left_out.most_common():
        typer.echo(f"left out: {count:,} records, {reason}")


def _tell_recording(made: Recording) -> None:
    size = made.path.stat().st_size
    typer.echo(
        f"{made.count:,} events over {made.span_us / 1e6:,.1f} s, {size / 1e6:,.1f} MB; replay them with: c360 load replay {made.path}"
    )


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="Recording of order events.", metavar="FILE", exists=True, dir_okay=False, readable=True)],
    speed: Annotated[str | None, typer.Option(help="As recorded, but so many times as fast: 10x, 0.5x. 1x if no other is given.")] = None,
    rate: Annotated[str | None, typer.Option(help="Events per second; or max: all are due at once.")] = None,
    profile: Annotated[
        str | None, typer.Option(help="Rates in their order, such as ramp:0-2000:60s,spike:5000:10s,soak:1000:600s.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="So many events of --speed or --rate; all of the file if not given.")] = None,
    lasting: Annotated[str | None, typer.Option("--for", help="So long, such as 60s or 5m, instead of --count; for --rate.")] = None,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Each sends the events of its share of the keys.")] = 1,
    as_is: Annotated[bool, typer.Option("--as-is", help="Keep ids and times: what is there already must stay as it is.")] = False,
    sink: Annotated[Sink, typer.Option(help="eventhubs: Azure Event Hubs by its own client.")] = Sink.KAFKA,
    bootstrap: Annotated[str | None, typer.Option(help="HOST:PORT of a Kafka that is not a stack's; without a ledger.")] = None,
    topic: Annotated[str, typer.Option(help="Where to.")] = ORDER_EVENTS.name,
    schema_id: Annotated[int | None, typer.Option(min=0, help="What the registry there calls the schema of the events.")] = None,
    registry: Annotated[str | None, typer.Option(help="Address of the registry there, to ask for it.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result to this file.")] = None,
    state: StateOption = DEFAULT,
) -> None:
    """Send recorded order events, each when it is due, however the others fare; tell how late each was, and when acknowledged.

    Ids begin with a tag of their own, times are those at which they are due, so they are new orders. Into a running stack they go by the
    shop's ledger, and live traffic goes on. Exit code 1 if an event was not acknowledged.
    """
    from rich.console import Console

    from commerce360.cli.interrupts import raise_on_signal
    from commerce360.steps import Steps
    from producers import load_replay
    from producers.recording import Recording

    writable(json_file)
    recording = Recording.open(file)
    wanted = _profile(recording, speed, rate, profile, count, lasting)
    settings, ledger = _target(state, bootstrap, sink)
    number = schema_id if schema_id is not None else _schema_id(recording, settings, topic, registry, elsewhere=ledger is None)
    job = load_replay.Replay(settings, file, wanted, topic, number, processes, sink.value, as_is, ledger)
    raise_on_signal()
    with Steps(Console()).step("replaying") as note:
        outcome = load_replay.replay(job, note)
    write_json(json_file, outcome.result)
    _tell_result(outcome.result)
    _leave(outcome)


def _profile(
    recording: Recording, speed: str | None, rate: str | None, profile: str | None, count: int | None, lasting: str | None
) -> Profile:
    from producers import profile as profiles

    if sum(given is not None for given in (speed, rate, profile)) > 1:
        raise ConfigError("--speed, --rate and --profile exclude each other", "give one of them")
    if (count is not None and lasting is not None) or (profile is not None and (count or lasting)):
        raise ConfigError("--count, --for and --profile each say how much", "give one of them")
    if profile is not None:
        return profiles.parse_phases(profile)
    total = count or recording.count
    if rate is None or rate == "max":
        if lasting is not None:
            raise ConfigError("--for needs a rate", "give --rate 2000, or say how many with --count")
        return profiles.Unlimited(total) if rate else profiles.Speed(total, profiles.parse_speed(speed or "1x"))
    per_s = profiles.parse_rate(rate)
    if lasting is not None:
        return profiles.parse_phases(f"soak:{rate.strip()}:{lasting}")
    return profiles.Constant(total, per_s)


def _target(state: Path, bootstrap: str | None, sink: Sink) -> tuple[Settings, Path | None]:
    """Where to, and the folder of the ledger that has to know."""
    from commerce360.settings import Settings

    if sink is Sink.EVENTHUBS:
        if bootstrap:
            raise ConfigError("--bootstrap is for --sink kafka", "the address of Event Hubs is a setting, see the docs")
        return Settings(), None
    if bootstrap is None:
        settings = running_settings(state)
        return settings, settings.state / "ledger"
    given = Settings()
    return given.model_copy(update={"kafka": given.kafka.model_copy(update={"bootstrap": bootstrap})}), None


def _schema_id(recording: Recording, settings: Settings, topic: str, registry: str | None, elsewhere: bool) -> int:
    from commerce360.settings import Registry
    from producers import wire

    if elsewhere and registry is None:
        raise ConfigError("which schema id do the events get there?", "give --schema-id N, or --registry URL to ask for it")
    # Another registry does not get the credentials of the configured one.
    there = settings.registry if registry in (None, settings.registry.url) else Registry(url=str(registry))
    return wire.find_schema_id(there, recording.schema, topic)


def _tell_result(result: dict[str, Any]) -> None:
    from producers import latency

    took_s = max(result["took_s"], 1e-6)
    begun = "as it was recorded" if result["as_is"] else f"tag {result['tag']}"
    typer.echo(f"{begun}: {result['sent']:,} of {result['planned']:,} events sent, {result['acked']:,} acknowledged", nl=False)
    typer.echo(f" in {took_s:,.1f} s, {result['acked'] / took_s:,.0f}/s; the senders took {result['cpu_s'] / took_s:.0%} of a core")
    late, acked = (latency.Latencies.decode(result[name]).told() for name in ("lateness_us", "ack_us"))
    if result["unlimited"]:
        typer.echo("everything was due at once: how late an event was tells only when its turn came")
    else:
        typer.echo(f"late by: {latency.line(late)}")
    if acked["count"]:
        typer.echo(f"acknowledged after: {latency.line(acked)}")


def _leave(outcome: Outcome) -> None:
    """Raises C360Error for what went wrong; ends with exit code 130 after an interruption."""
    if outcome.problems:
        raise C360Error("; ".join(outcome.problems), outcome.hint or "what a ledger holds is sent again by the next start of the shop")
    if not outcome.result["complete"]:
        typer.secho("stopped", err=True)
        sys.exit(130)
