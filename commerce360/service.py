"""What every long-running process of ours shares: settings, logging, a stop signal, exit codes for the supervisor."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable

from commerce360 import log
from commerce360.errors import C360Error
from commerce360.settings import Settings


def run(name: str, main: Callable[[Settings, threading.Event], None]) -> None:
    """Run `main(settings, stop)` until it returns; SIGTERM and SIGINT set `stop`. Answers `/metrics` meanwhile, if a port is set for it.

    Leaves with 0 after a stop, with the error's code after a C360Error; anything else keeps its traceback and leaves with 1.
    """
    settings = Settings()
    log.configure(settings.log_level, settings.log_json)
    logger = log.get(name)
    stop = threading.Event()
    if threading.current_thread() is threading.main_thread():  # elsewhere, such as in some notebooks' processes, there are no handlers
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, lambda *_: stop.set())
    logger.info("started_service")
    code = 0
    try:
        if settings.metrics.port:
            from commerce360.telemetry.export import serve

            serve(settings.metrics, settings.state, name)
        main(settings, stop)
    except C360Error as error:
        logger.error("failed_service", message=error.message, hint=error.hint)
        code = error.exit_code
    if code:  # not above: the error would keep clients alive until Python takes itself apart, and their native code fails then
        sys.exit(code)
    logger.info("stopped_service")
