"""The Python engine: the readable reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from commerce360.conformance.cases import Batch
from commerce360.conformance.runner import Row, Run
from commerce360.errors import ConfigError
from stream_jobs.scd2.facts import Target
from stream_jobs.scd2.history import History
from stream_jobs.scd2.roles import Roles


class PythonEngine:
    name = "python"

    def __init__(self) -> None:
        self.tables: dict[str, History] = {}

    def open(self, runs: Sequence[Run]) -> None:
        self.tables = {run.name: History(run.roles) for run in runs}

    def close(self) -> None: ...

    def settle(self) -> None: ...

    def deliver(self, step: Mapping[str, Batch]) -> dict[str, ConfigError]:
        errors = {}
        for name, batch in step.items():
            try:
                for _ in range(2 if batch.crash else 1):  # it has no inside to crash in: it gets the batch twice
                    self.tables[name].apply(batch.changes, batch.facts, None if batch.config is None else Roles.of(batch.config))
            except ConfigError as error:
                errors[name] = error
        return errors

    def rows(self, runs: Sequence[str]) -> Mapping[str, list[Row]]:
        return {name: self.tables[name].rows() for name in runs}

    def rejections(self, runs: Sequence[str]) -> Mapping[str, list[Row]]:
        return {name: self.tables[name].rejections() for name in runs}

    def targets(self, runs: Sequence[str]) -> Mapping[str, Mapping[Any, Target]]:
        return {name: self.tables[name].targets() for name in runs}
