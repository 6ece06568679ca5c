"""Commands that a scheduler calls: it must know which failures may pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from commerce360.errors import UnavailableError


class TryAgainError(UnavailableError):
    """As it is, with the exit code that says so: EX_TEMPFAIL of sysexits.h."""

    exit_code = 75


@contextmanager
def telling_what_passes() -> Iterator[None]:
    """Leave with 75 where something did not answer, so that the same command may be given again."""
    try:
        yield
    except UnavailableError as error:
        raise TryAgainError(error.message, error.hint) from error
