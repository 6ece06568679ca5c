"""What steps print is what was said: brackets and colons are no markup."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from commerce360.steps import Steps

ODD = "replaying ramp:20-100:20s,soak:100:40s [bold]"


@pytest.mark.parametrize("terminal", [False, True])
def test_titles_and_notes_come_out_as_they_are(terminal: bool) -> None:
    out = io.StringIO()
    steps = Steps(Console(file=out, force_terminal=terminal, width=200, no_color=True, legacy_windows=False))
    with steps.step(ODD) as note:
        note(ODD, 0.5)
        steps.event(ODD)
    steps.say(ODD)
    lines = [line for line in out.getvalue().splitlines() if ODD in line]
    assert len(lines) >= 3
    assert "\N{HUNDRED POINTS SYMBOL}" not in out.getvalue()
