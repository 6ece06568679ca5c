"""The task of all DAGs here: one `c360` command, with a failure that says which day, which step, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from c360_engine import REFUSED, TRANSIENT, Engine, Outcome, Request, Row, engine

if TYPE_CHECKING:
    from airflow.sdk import Context

DEFAULTS: dict[str, Any] = {
    "owner": "commerce360",
    "retries": 4,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=15),
    "execution_timeout": timedelta(hours=12),
}
AGAIN = "clear this task"
ADVICE = {
    REFUSED: f"nothing was changed, and it is not tried again: correct what the error names, then {AGAIN}; a day that is still open can "
    "be filled when it is over",
    TRANSIENT: f"it is tried again by itself while tries are left; when none is, see `c360 status`, then {AGAIN}",
    1: f"it is not tried again: see the lines above and run the command by hand with --dry-run, then {AGAIN}; what was done before stays, "
    "and doing it again changes nothing",
}
DRY = "a dry run, nothing was changed; to do it, make the same backfill with --reprocess-behavior completed, as this day counts as done"
KILLED = f"it was killed from outside (no memory left, or by hand) and is tried again while tries are left; when none is, {AGAIN}"


class C360Operator(BaseOperator):
    """Returns the command's lines of JSON, one a day and table. The run's parameters `source`, `files`, `dry_run` are handed on."""

    template_fields: Sequence[str] = ("first", "last", "tables")

    def __init__(
        self, *, command: Sequence[str], first: str, last: str, tables: Sequence[str] = (), flags: Sequence[str] = (), **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.command = tuple(command)
        self.first = first
        self.last = last
        self.tables = tuple(tables)
        self.flags = tuple(flags)
        self.engine: Engine | None = None

    def execute(self, context: Context) -> list[Row]:
        refuse_unknown(context)
        request = self.request(context["params"])
        self.engine = engine()
        outcome = self.engine.run(request, self.log.info)
        if outcome.exit_code:
            raise failure(self.task_id, request, outcome)
        self.log.info("done%s", f": {DRY}" if request.dry_run else "" if outcome.rows else ": there was nothing to do")
        return outcome.rows

    def on_kill(self) -> None:
        if self.engine is not None:
            self.engine.stop()

    def request(self, params: Any) -> Request:
        return Request(
            command=self.command,
            first=self.first,
            last=self.last,
            tables=tuple(self.tables),
            source=params.get("source") or "",
            files=params.get("files") or "",
            dry_run=bool(params.get("dry_run")),
            flags=self.flags,
        )


def refuse_unknown(context: Context) -> None:
    """Airflow keeps names in `--dag-run-conf` that are no parameter: a `dryrun` would be no dry run. Raises AirflowFailException."""
    known = set(context["dag"].params)
    if unknown := sorted(set(context["dag_run"].conf or {}) - known):
        raise AirflowFailException(f"there is no parameter {unknown[0]!r}: it is one of {', '.join(sorted(known))}; nothing was done")


def failure(step: str, request: Request, outcome: Outcome) -> AirflowException:
    """What a failed task says; only what is transient may be tried again."""
    days = request.first if request.first == request.last else f"{request.first} to {request.last}"
    ended = f"exit code {outcome.exit_code}" if outcome.exit_code > 0 else f"killed by signal {-outcome.exit_code}"
    lines = [
        f"{days}, {step}: {outcome.error or 'no error message'} ({ended})",
        *([f"hint: {outcome.hint}"] if outcome.hint else []),
        *([f"done before: {', '.join(str(row['table']) for row in outcome.rows)}"] if outcome.rows else []),
        f"what to do: {KILLED if outcome.exit_code < 0 else ADVICE.get(outcome.exit_code, ADVICE[1])}",
    ]
    kind = AirflowException if outcome.transient else AirflowFailException
    return kind("\n".join(lines))
