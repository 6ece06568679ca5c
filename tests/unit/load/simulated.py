"""Runs as the platform would leave them, with a seed: what the tests of results and reports are made of."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from commerce360.load.hops import HOPS, HopRecorder
from commerce360.load.result import Counters, Environment, Event, Fault, Phase, Process, Reconciled, RunResult, Series

Floats = npt.NDArray[np.float64]
DEFINITION = """\
[load]
rate = 1000
warm_up_s = 20
measured_s = 120

[thresholds]
"gold.p99_s" = "<= 8"
"""
# What a run of the default shape holds.
HELD = {
    "sent.p99_ms": "<= 50",
    "kafka.p999_ms": "< 2000",
    "gold.p99_s": "<= 20",
    "gold.p99_over_p50": "<= 8",
    "warehouse.p50_s": "<= 10",
    "throughput.min_share": ">= 0.99",
    "lag.end_records": "<= 5000",
    "reconcile.equal": True,
    "lost": 0,
}


@dataclass(frozen=True)
class Shape:
    """Of a simulated run. `slower` multiplies the latencies of the lake and the warehouse, `busier` the processor time."""

    seed: int = 1
    rate: float = 200.0
    warm_up_s: int = 20
    measured_s: int = 120
    slower: float = 1.0
    busier: float = 1.0
    lost: int = 0  # of the last events, which never reach gold
    stopped: tuple[float, float] | None = None  # the lake stands still between these seconds
    batch_s: float = 3.0
    drift: float = 0.15  # how far the length of batches wanders, as a share
    memory: float = 0.8


def simulated(shape: Shape | None = None, name: str = "steady-1k") -> RunResult:
    shape = shape or Shape()
    dice = np.random.default_rng(shape.seed)
    length = shape.warm_up_s + shape.measured_s
    intended = np.sort(dice.uniform(0, length, int(length * shape.rate)))
    expected = dict(zip(*(v.tolist() for v in np.unique(intended.astype(int), return_counts=True)), strict=True))
    arrivals = _arrivals(shape, dice, intended)
    hops = []
    for hop in HOPS:
        recorder = HopRecorder(hop, shape.warm_up_s, shape.measured_s, expected)
        seen = len(intended) - (shape.lost if hop in ("gold", "warehouse") else 0)
        recorder.record(intended[:seen], (arrivals[hop] - intended)[:seen] * 1e6)
        hops.append(recorder.hop())
    n = len(intended)
    return RunResult(
        scenario=name,
        started_at=dt.datetime(2026, 11, 30, 2, 0, tzinfo=dt.UTC).timestamp(),
        warm_up_s=shape.warm_up_s,
        measured_s=shape.measured_s,
        definition=DEFINITION,
        phases=[Phase("warm-up", 0, shape.warm_up_s), Phase("steady", shape.warm_up_s, length)],
        hops=hops,
        counters=Counters(n, n, n, 0, n, n - shape.lost, n - shape.lost),
        series=_series(shape, dice, arrivals),
        processes=_processes(shape, dice, length),
        events=[Event(t, f"{verb} lake") for t, verb in zip(shape.stopped or (), ("stopped", "started"), strict=False)],
        faults=[Fault("lake stopped", *shape.stopped)] if shape.stopped else [],
        reconciled=Reconciled(True, 0, 0, 0, 0, {"sales.orders": True, "fct_sales": True}, []),
        environment=Environment(2, 7900, "Linux x86_64", "3.11.7", [0.4, 0.6, 0.9], {"kafka": "4.2.1", "spark": "4.1.1"}),
    )


def _arrivals(shape: Shape, dice: np.random.Generator, intended: Floats) -> dict[str, Floats]:
    n = len(intended)
    sent = intended + dice.lognormal(-8.5, 0.6, n)
    kafka = sent + dice.lognormal(-5.3, 0.5, n) + (dice.random(n) < 0.004) * dice.exponential(0.05, n)
    ends = _batch_ends(shape, dice, float(intended[-1]))
    gold = _next(ends, kafka + 0.4 * shape.slower)
    loads = np.sort(np.concatenate([ends + dice.uniform(0.5, 1.1, len(ends)) * shape.slower, ends[-1:] + 3 * shape.slower]))
    return {
        "sent": sent,
        "kafka": kafka,
        "consumer": kafka + dice.lognormal(-5.0, 0.5, n),
        "gold": gold,
        "warehouse": _next(loads, gold + 0.3),
    }


def _batch_ends(shape: Shape, dice: np.random.Generator, last: float) -> Floats:
    """Commits of the lake: the length of its batches wanders slowly (autocorrelated), and now and then one compacts."""
    ends, at, wander, i = [], 0.0, 0.0, 0
    while at < last + 4 * shape.batch_s * shape.slower:
        wander = 0.8 * wander + dice.normal(0, shape.drift * 0.6)
        compaction = 1.0 if i % 20 == 19 else 0.0
        at += (shape.batch_s * float(np.exp(wander)) + compaction) * shape.slower
        if shape.stopped and shape.stopped[0] <= at < shape.stopped[1]:
            at = shape.stopped[1] + 9
        ends.append(at)
        i += 1
    return np.array(ends)


def _next(ends: Floats, times: Floats) -> Floats:
    """The first end at or after each time."""
    return ends[np.minimum(np.searchsorted(ends, times), len(ends) - 1)]


def _series(shape: Shape, dice: np.random.Generator, arrivals: dict[str, Floats]) -> list[Series]:
    t = np.arange(1.0, shape.warm_up_s + shape.measured_s + 1)
    ends, loads = np.unique(arrivals["gold"]), np.unique(arrivals["warehouse"])
    waiting = (_until(arrivals["kafka"], t) - _until(arrivals["gold"], t)).astype(float).tolist()
    behind = np.maximum(0, _until(ends, t) - _until(loads, t)).astype(float).tolist()
    lengths = np.diff(ends, prepend=ends[0] - shape.batch_s)
    return [
        Series("lag", "lake", "records", t.tolist(), waiting),
        Series("lag", "loader", "batches", t.tolist(), behind),
        Series("batch", "lake", "s", ends.tolist(), lengths.tolist()),
        Series("batch", "loader", "s", (ends + 0.7).tolist(), dice.uniform(0.3, 0.6, len(ends)).tolist()),
    ]


def _until(times: Floats, t: Floats) -> npt.NDArray[np.intp]:
    return np.searchsorted(np.sort(times), t, side="right")


def _processes(shape: Shape, dice: np.random.Generator, length: int) -> list[Process]:
    t = np.arange(1.0, length + 1)
    sizes = {"kafka": (0.25, 620), "connect": (0.3, 710), "postgres": (0.1, 90), "mongo": (0.08, 160), "lake": (0.9, 1450)}
    made = []
    for name, (cores, mb) in {**sizes, "loader": (0.2, 240), "warehouse": (0.15, 310), "replay": (0.35, 70)}.items():
        cpu = np.clip(cores * shape.busier * (1 + 0.3 * dice.standard_normal(length)), 0, None)
        grown = mb * (shape.memory + 0.2 * (1 - np.exp(-t / 40)))
        made.append(Process(name, t.tolist(), cpu.tolist(), grown.tolist()))
    return made
