"""Steps on a terminal: one line each with a spinner and what is happening; plain lines where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

PLAIN_EVERY_S = 10.0


class Note(Protocol):
    """Says what happens inside a step; `share` (0 to 1) is how much of it is done, where that is known."""

    def __call__(self, text: str, share: float | None = None) -> None: ...


class Steps:
    def __init__(self, console: Console) -> None:
        self.console = console
        self._note: Note | None = None

    def say(self, line: str) -> None:
        self.console.print(escape(line))

    def event(self, line: str) -> None:
        """Something happened inside the running step, such as a service that became ready."""
        if self._note is not None and self.console.is_terminal:
            self._note(line)
        self.console.print(f"  {escape(line)}", style="dim", highlight=False)

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
        self.console.print(f"[green]done[/] {escape(title)} [dim]{time.monotonic() - began:.1f} s[/]", highlight=False)

    @contextmanager
    def _live(self, title: str, total_s: float | None) -> Iterator[Note]:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[note]}"),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            task = progress.add_task(escape(title), total=total_s, note="")
            began = time.monotonic()

            def note(text: str, share: float | None = None) -> None:
                if share is not None:
                    progress.update(task, note=escape(text), total=1.0, completed=share)
                else:
                    progress.update(task, note=escape(text), completed=time.monotonic() - began if total_s else None)

            yield note

    @contextmanager
    def _plain(self, title: str) -> Iterator[Note]:
        self.console.print(f"{title} ...", highlight=False, markup=False)
        said, shown = time.monotonic(), ""

        def note(text: str, share: float | None = None) -> None:
            nonlocal said, shown
            if text != shown and time.monotonic() - said >= PLAIN_EVERY_S:
                said, shown = time.monotonic(), text
                self.console.print(f"  {text}", highlight=False, markup=False)

        yield note
