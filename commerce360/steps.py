"""Steps on a terminal: one line each with a spinner and what is happening; plain lines where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

PLAIN_EVERY_S = 10.0


class Note(Protocol):
    """Says what happens inside a step; `share` (0 to 1) is how much of it is done, where that is known."""

    def __call__(self, text: str, share: float | None = None) -> None: ...


class Steps:
    def __init__(self, console: Console) -> None:
        self.console = console
        self._note: Note | None = None

    def say(self, line: str) -> None:
        self.console.print(line, markup=False, emoji=False)

    def event(self, line: str) -> None:
        """Something happened inside the running step, such as a service that became ready."""
        if self._note is not None and self.console.is_terminal:
            self._note(line)
        self._plain_line(f"  {line}", style="dim")

    @contextmanager
    def step(self, title: str, total_s: float | None = None) -> Iterator[Note]:
        """Show `title` until the block ends. The note that it yields replaces the text behind the title."""
        began = time.monotonic()
        shown = self._live(title, total_s) if self.console.is_terminal else self._plain(title)
        with shown as note:
            self._note = note
            try:
                yield note
            finally:
                self._note = None
        self.console.print(Text.assemble(("done", "green"), f" {title} ", (f"{time.monotonic() - began:.1f} s", "dim")))

    @contextmanager
    def _live(self, title: str, total_s: float | None) -> Iterator[Note]:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", style="dim", markup=False),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            task = progress.add_task(title, total=total_s, note="")
            began = time.monotonic()

            def note(text: str, share: float | None = None) -> None:
                if share is not None:
                    progress.update(task, note=text, total=1.0, completed=share)
                else:
                    progress.update(task, note=text, completed=time.monotonic() - began if total_s else None)

            yield note

    @contextmanager
    def _plain(self, title: str) -> Iterator[Note]:
        self._plain_line(f"{title} ...")
        said, shown = time.monotonic(), ""

        def note(text: str, share: float | None = None) -> None:
            nonlocal said, shown
            if text != shown and time.monotonic() - said >= PLAIN_EVERY_S:
                said, shown = time.monotonic(), text
                self._plain_line(f"  {text}")

        yield note

    def _plain_line(self, text: str, style: str = "") -> None:
        """As it is: `[x]` and `:100:` in a profile are no markup and no picture."""
        self.console.print(Text(text, style))
