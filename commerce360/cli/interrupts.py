"""Ctrl-C and SIGTERM alike: the first ends what runs, further ones must not leave half of it running."""

from __future__ import annotations

import signal

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def raise_on_signal() -> None:
    """From now on each of them raises KeyboardInterrupt in the main thread."""
    for signum in SIGNALS:
        if signal.getsignal(signum) is not signal.SIG_IGN:  # as nohup wants it
            signal.signal(signum, _interrupt)


def ignore_signals() -> None:
    """For the time in which everything is being stopped."""
    for signum in SIGNALS:
        signal.signal(signum, signal.SIG_IGN)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
