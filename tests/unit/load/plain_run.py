"""A run so plain that each of its figures is known beforehand."""

from __future__ import annotations

import numpy as np

from commerce360.load.hops import Hop, HopRecorder
from commerce360.load.result import Process, Reconciled, RunResult, Series

RATE = dict.fromkeys(range(20), 10)


def good() -> RunResult:
    """Ten events a second for twenty seconds, of which five are warm-up: each 100 ms late at every hop, and everything else fine."""
    at = np.repeat(np.arange(20), 10) + 0.05
    hops = [late(name, 100_000) for name in ("sent", "kafka", "consumer", "gold", "warehouse")]
    run = RunResult("good", 0.0, 5, 15, hops=hops, reconciled=Reconciled(True, 0, 0, 0, 0))
    for name in vars(run.counters):
        setattr(run.counters, name, 0 if name == "failed" else len(at))
    t = [float(second) for second in range(21)]
    run.series = [Series("lag", "lake", "records", t, [20.0] * 21), Series("lag", "loader", "batches", t, [1.0] * 21)]
    run.processes = [Process("lake", t, [0.5] * 21, [100.0] * 21)]
    return run


def late(name: str, latency_us: float, seconds: range = range(20)) -> Hop:
    """A hop at which the events of `seconds` were that late, and the others never seen."""
    recorder = HopRecorder(name, 5, 15, RATE)
    at = np.repeat(np.array(seconds, dtype=float), 10) + 0.05
    recorder.record(at, np.full(len(at), latency_us))
    return recorder.hop()
