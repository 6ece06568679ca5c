"""`stream_jobs.job`, but it kills itself where CRASH_AT says. CRASH_FREEZES_JVM: its JVM stays behind, and cannot notice.

CRASH_HALTS: it halts there instead, until somebody sends SIGCONT.
"""

from __future__ import annotations

import functools
import json
import os
import signal

from commerce360 import service
from commerce360.settings import Settings
from stream_jobs import job
from stream_jobs.batch import Batch

POINT = os.environ["CRASH_AT"]


def reached(point: str, batch_id: int) -> None:
    if point == POINT:
        if os.environ["CRASH_FREEZES_JVM"]:
            note = Settings().state / "run" / "lake.jvm.json"
            os.kill(json.loads(note.read_text())["pid"], signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP if os.environ["CRASH_HALTS"] else signal.SIGKILL)


class Crashing(Batch):
    def __call__(self, frame, batch_id):
        reached("start", batch_id)
        return super().__call__(frame, batch_id)


if __name__ == "__main__":
    job.Batch = functools.partial(Crashing, reached=reached)
    service.run("lake", job.main)
