"""`c360` in the test's own process: a start of Python takes seconds on a busy machine, and there are hundreds of commands.

Those that are killed, interrupted or watched are real processes in their tests, and some of each kind are.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
from unittest.mock import patch

from commerce360.cli.main import run

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def c360(*args: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """How `c360 ARGS` ends and what it prints, without a terminal. `env`: variables beside those that there are."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        with (
            patch.dict(os.environ, env),
            patch.object(sys, "argv", ["c360", *args]),
            patch.object(sys, "stdin", io.StringIO(stdin)),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            run()
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return subprocess.CompletedProcess(["c360", *args], code, out.getvalue(), err.getvalue())
