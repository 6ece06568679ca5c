"""`stream_jobs.job`, but it kills itself where CRASH_AT says: at the "start" of a batch, behind a commit (of a table, by its name), or
"inside" one, when it may write and is about to ("inside gold.dim_product"). CRASH_FREEZES_JVM: its JVM stays behind, and cannot notice.

CRASH_HALTS: it halts there instead, until somebody sends SIGCONT.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import threading

import deltalake
from deltalake import write_deltalake

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
        # To this thread: of a process, another one would be told first, and this one would go on for a moment.
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP if os.environ["CRASH_HALTS"] else signal.SIGKILL)


def write(target, *args, **options):
    """delta-rs' own, but for the crash: all that comes before a commit has been done."""
    reached("inside " + ".".join(target.table_uri.rstrip("/").split("/")[-2:]), -1)
    return write_deltalake(target, *args, **options)


class Crashing(Batch):
    def __call__(self, frame, batch_id):
        reached("start", batch_id)
        return super().__call__(frame, batch_id)


if __name__ == "__main__":
    deltalake.write_deltalake = write
    job.Batch = functools.partial(Crashing, reached=reached)
    service.run("lake", job.main)
