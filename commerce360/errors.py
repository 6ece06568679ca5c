"""What went wrong and what to do next: the one error base of the project."""

from __future__ import annotations


class C360Error(Exception):
    """A failure that a user can act on.

    `message` says what happened, `hint` what to do next. The CLI prints these two lines, without a traceback, and leaves
    with `exit_code`. `transient` errors may be tried again at the edge; the others may not.
    """

    exit_code = 1
    transient = False

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(C360Error):
    """A setting, an argument or a file is wrong. Exit code 2, as for wrong usage."""

    exit_code = 2


class UnavailableError(C360Error):
    """A server did not answer in time; the same call may succeed later. Exit code: EX_TEMPFAIL of sysexits.h, for whoever tries again."""

    exit_code = 75
    transient = True
