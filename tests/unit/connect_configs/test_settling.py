"""A failure that is started again gets the time to show it, before the next restart is spent on it."""

from __future__ import annotations

from commerce360.errors import C360Error
from connect_configs.client import Connect, _Settling
from connect_configs.model import Status, Task

FAILED = Status("a", "RUNNING", (Task(0, "FAILED", "w", "x.YException: no"),))


class Counting(Connect):
    """Takes the restarts down instead of sending them."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1")
        self.restarted: list[str] = []

    def restart_failed(self, name: str) -> None:
        self.restarted.append(name)


def test_restarts_are_not_spent_on_one_failure() -> None:
    client = Counting()
    settling = _Settling(client, "a", settle_s=0.0, restarts=2)
    assert [settling.see(FAILED) for _ in range(5)] == [None] * 5
    assert client.restarted == ["a"]
    settling.failure_counts_at = 0.0  # as if that time were over
    assert settling.see(FAILED) is None
    assert client.restarted == ["a", "a"]
    settling.failure_counts_at = 0.0
    end = settling.see(FAILED)
    assert isinstance(end, C360Error)
    assert "YException: no" in end.message
