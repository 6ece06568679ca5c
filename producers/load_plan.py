"""What one process of a replay sends: its share of the recording, played as often as the profile asks, in chunks that are ready to go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from string import ascii_lowercase, digits

import numpy as np
import numpy.typing as npt

from commerce360.errors import ConfigError
from producers.profile import Profile
from producers.recording import ROOM, Block, Recording

Ints = npt.NDArray[np.int64]
TAG_LENGTH = 7
MAX_ROUNDS = 36**4


@dataclass(frozen=True)
class Stamp:
    """What becomes of the recorded bytes. `tag`: begins the new ids; None leaves ids and times as they are."""

    tag: str | None
    head: bytes
    started_us: int = 0  # epoch microseconds at which the intended time is 0


@dataclass
class Chunk:
    """Events in the order in which they are due; `tokens` are those that the ledger or the outlet gave, as far as it is."""

    due_us: Ints
    due: list[int]
    keys: list[bytes]
    values: list[bytes]
    tokens: list[int] = field(default_factory=list)


def chunks(recording: Recording, profile: Profile, stamp: Stamp, share: int = 0, of: int = 1) -> Iterator[Chunk]:
    """Share number `share` of `of`: the events of a recorded order id are all in the same one.

    Raises C360Error where the file is damaged.
    """
    for played in count():
        number = played * recording.count
        if number >= profile.total:
            return
        for block in recording.read():
            numbers = np.arange(number, number + len(block))
            number += len(block)
            if of > 1 or number > profile.total:
                chosen = (numbers < profile.total) & (block.hashes % of == share)
                block, numbers = block.only(chosen), numbers[chosen]
            if len(block):
                yield _chunk(block, profile.due_us(numbers, block.at_us + played * recording.period_us), stamp, played)
            if number >= profile.total:
                return


def _chunk(block: Block, due_us: Ints, stamp: Stamp, played: int) -> Chunk:
    if stamp.tag is None:
        keys, values = block.as_recorded(stamp.head)
    else:
        keys, values = block.stamped(stamp.head, prefix(stamp.tag, played), stamp.started_us + due_us)
    return Chunk(due_us, due_us.tolist(), keys, values)


def prefix(tag: str, played: int) -> bytes:
    """What ids of a repetition begin with: as long as the room that the recording has for it."""
    made = f"{tag}-{base36(played):0>4}-".encode()
    assert len(made) == len(ROOM)
    return made


def base36(number: int) -> str:
    letters = ""
    while number or not letters:
        number, digit = divmod(number, 36)
        letters = (digits + ascii_lowercase)[digit] + letters
    return letters


def tag_of(run: int) -> str:
    """Of a run of the ledger."""
    if run >= 10 ** (TAG_LENGTH - 1):
        raise ConfigError(f"run {run:,} of the ledger has too many digits for the ids of a replay", "move the ledger of years ago away")
    return f"L{run:06d}"


def check_rounds(recording: Recording, profile: Profile, as_is: bool) -> None:
    """Raises ConfigError for a profile with more events than the recording can give."""
    if as_is and profile.total > recording.count:
        raise ConfigError(
            f"{profile.total:,} events are asked for, and the file has {recording.count:,}",
            "--as-is plays each event once: leave it out to have new ones, or ask for less",
        )
    if profile.total > MAX_ROUNDS * recording.count:
        raise ConfigError(f"{profile.total:,} events would repeat the file more than {MAX_ROUNDS:,} times", "record more events")
