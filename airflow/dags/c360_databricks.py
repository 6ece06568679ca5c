"""Commands as Databricks jobs of the bundle: a job a command, its arguments as job parameters.

The workspace and who asks come from the variables of Databricks' own client (`DATABRICKS_HOST`, `DATABRICKS_CLIENT_ID`, ...).
Of a run are used (Jobs API 2.2): its state, `termination_details`, and of each task's output the log and the error.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from c360_engine import REFUSED, TRANSIENT, Outcome, Request, Tell

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.jobs import Run

POLL_S = 10.0
UNCLEAR = 1
PASSING = ("CLOUD_FAILURE", "INTERNAL_ERROR")  # ends of a run that are not the job's fault
SYSTEM_EXIT = re.compile(r"SystemExit: (\d+)")


class DatabricksEngine:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self.prefix = environment.get("C360_AIRFLOW_JOB_PREFIX") or "commerce360-"
        self.client: WorkspaceClient | None = None
        self.run_id: int | None = None

    def run(self, request: Request, tell: Tell) -> Outcome:
        from databricks.sdk import WorkspaceClient, errors

        try:
            self.client = client = WorkspaceClient()
            self.run_id = self._begin(client, request, tell)
            return self._outcome(client, self._wait(client, self.run_id, tell), tell)
        except (errors.TemporarilyUnavailable, errors.TooManyRequests, errors.InternalError, errors.DeadlineExceeded) as error:
            return Outcome(TRANSIENT, error=f"Databricks does not answer as it should: {error}")
        except errors.DatabricksError as error:
            return Outcome(REFUSED, error=f"Databricks refuses: {error}", hint="see docs/airflow.md, In the cloud")
        except (OSError, TimeoutError) as error:  # also those of requests
            return Outcome(TRANSIENT, error=f"Databricks cannot be reached: {error}")
        except ValueError as error:  # how the client says that its variables do not do
            return Outcome(REFUSED, error=str(error).splitlines()[0], hint="set DATABRICKS_HOST and a way to authenticate")

    def stop(self) -> None:
        if self.client is not None and self.run_id is not None:
            self.client.jobs.cancel_run(self.run_id)

    def _begin(self, client: WorkspaceClient, request: Request, tell: Tell) -> int:
        """The run of these parameters that is under way already, such as after the death of who waited for it; else a new one."""
        from databricks.sdk.errors import NotFound
        from databricks.sdk.service.jobs import QueueSettings

        name, wanted = self.prefix + "-".join(request.command), request.parameters()
        job = next(iter(client.jobs.list(name=name)), None)
        if job is None or job.job_id is None:
            raise NotFound(f"there is no job {name!r} that this client may see")
        for active in client.jobs.list_runs(job_id=job.job_id, active_only=True):
            given = {p.name: p.value if p.value is not None else p.default for p in active.job_parameters or ()}
            if active.run_id is not None and given == wanted:
                tell(f"run {active.run_id} of {name} does this already")
                return active.run_id
        started = client.jobs.run_now(job.job_id, job_parameters=wanted, queue=QueueSettings(enabled=True)).response.run_id
        assert started is not None
        tell(f"run {started} of {name}: {json.dumps(wanted)}")
        return started

    def _wait(self, client: WorkspaceClient, run_id: int, tell: Tell) -> Run:
        shown = ""
        while True:
            run = client.jobs.get_run(run_id)
            state = run.status.state.value if run.status and run.status.state else "PENDING"
            if state != shown:
                tell(f"{state.lower()}: {run.run_page_url or run_id}")
                shown = state
            if state == "TERMINATED":
                return run
            time.sleep(POLL_S)

    def _outcome(self, client: WorkspaceClient, run: Run, tell: Tell) -> Outcome:
        outcome, failed = Outcome(), ""
        for task in run.tasks or ():
            output = client.jobs.get_run_output(task.run_id or 0)
            failed = output.error or failed
            for line in (output.logs or "").splitlines():
                tell(outcome.take(line))
        details = run.status.termination_details if run.status else None
        kind = details.type.value if details and details.type else "SUCCESS"
        if kind != "SUCCESS":
            said = SYSTEM_EXIT.search(failed)
            outcome.exit_code = TRANSIENT if kind in PASSING else int(said[1]) if said else UNCLEAR
            outcome.error = outcome.error or failed or (details.message if details else "") or kind
            outcome.hint = outcome.hint or f"see {run.run_page_url}"
        return outcome
