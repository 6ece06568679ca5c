"""The file of a year: zstandard-compressed JSON lines, in order of time. Format 1.

The first line is the header:

    {"format": 1, "kind": "shop-year", "seed": 360, "customers": 100000, "products": 500, "days": 365, "start_us": ..., "end_us": ...,
     "truth": "<digest of the parameters>", "counts": {"click": 123, ...}}

Each further line is one happening. `at` is its time in epoch microseconds UTC and comes first; lines are sorted by their bytes, that is by
time. Amounts are whole cents of the shop's currency. An id that is null is not known to the shop.

| kind | facts |
|---|---|
| `customer` | the columns of sales.customers as they are at `at` = `created_at` |
| `product` | the columns of sales.products, at the list price |
| `price` | `product_id`, `before`, `after` |
| `tier` | `customer_id`, `before`, `after` |
| `click` | a document of the clickstream but for its time: `_id`, `session_id`, `visitor_id`, `device`, `campaign_id`, `customer_id`, `event_type`, `product_id`, `page` |
| `order` | `order_id`, `customer_id` (null: a guest), `campaign_id`, `visitor_id` (null: at the counter), `status`, `lines`: lists of line_no, product_id, quantity, unit_price, discount, unit_cost |
| `status` | `order_id`, `before`, `after` |
| `review` | a document of the reviews but for its time: `_id`, `product_id`, `customer_id`, `rating`, `title`, `body`, `language` |

Customers and products that were there before the span come first, at the times at which they were made. The same plan and parameters give the
same bytes, whatever the number of processes (with one version of the zstandard library, which decides how bytes are compressed).

It is written in two steps, so that memory stays small: shards of customers go to temporary files, day by day; then the days of all shards are
sorted and joined, one day at a time.
"""  # noqa: E501

from __future__ import annotations

import json
import multiprocessing
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import zstandard

from commerce360.errors import C360Error, ConfigError
from producers.seasons import DAY_US
from producers.truth import TRUTH, Truth
from producers.year import Line, Plan, Year

FORMAT = 1
KIND = "shop-year"
SHARDS = 200  # at most; each is a temporary file that stays open while the days are joined
LEVEL, SHARD_LEVEL = 3, 1
Happening = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Made:
    """What `write` has written."""

    counts: dict[str, int]  # by kind
    raw_bytes: int

    @property
    def rows(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class _Shard:
    path: str
    blocks: dict[int, tuple[int, int]]  # day (-1: before the span) -> where it begins, how long it is
    counts: dict[str, int]


def write(plan: Plan, out: Path, truth: Truth = TRUTH, processes: int = 1) -> Made:
    """Raises OSError when there is no room. The file appears when it is complete."""
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        size = max(100, -(-plan.customers // SHARDS))
        tasks = [(number, min(number + size, plan.customers), folder) for number in range(0, plan.customers, size)]
        shards = _make_all(plan, truth, tasks, processes)
        counts: Counter[str] = Counter()
        for shard in shards:
            counts.update(shard.counts)
        part = Path(folder) / "year"
        with part.open("wb") as target:
            raw_bytes = _join(plan, truth, shards, dict(sorted(counts.items())), target)
        part.replace(out)
    return Made(dict(sorted(counts.items())), raw_bytes)


def _make_all(plan: Plan, truth: Truth, tasks: list[tuple[int, int, str]], processes: int) -> list[_Shard]:
    if processes == 1:
        _begin(plan, truth)
        return [_make_shard(task) for task in tasks]
    with multiprocessing.get_context("spawn").Pool(processes, _begin, (plan, truth)) as pool:
        return pool.map(_make_shard, tasks, chunksize=1)


_year: list[Year] = []  # of this process: made once, used for each of its shards


def _begin(plan: Plan, truth: Truth) -> None:
    _year[:] = [Year(plan, truth)]


def _make_shard(task: tuple[int, int, str]) -> _Shard:
    first, end, folder = task
    year = _year[0]
    path = Path(folder) / f"shard-{first}"
    days: dict[int, list[bytes]] = {}
    counts: Counter[str] = Counter()
    for line in _lines(year, first, end):
        days.setdefault(max(-1, (line.at_us - year.plan.start_us) // DAY_US), []).append(line.text.encode())
        counts[line.text[31 : line.text.index('"', 31)]] += 1  # {"at":1234567890123456,"kind":"
    blocks: dict[int, tuple[int, int]] = {}
    squeeze = zstandard.ZstdCompressor(SHARD_LEVEL).compress
    with path.open("wb") as target:
        for day in sorted(days):
            block = squeeze(b"\n".join(days.pop(day)))
            blocks[day] = (target.tell(), len(block))
            target.write(block)
    return _Shard(str(path), blocks, dict(counts))


def _lines(year: Year, first: int, end: int) -> Iterator[Line]:
    if first == 0:
        yield from year.lines_of_products()
    for number in range(first, end):
        yield from year.lines_of_customer(number)


def _join(plan: Plan, truth: Truth, shards: list[_Shard], counts: dict[str, int], target: BinaryIO) -> int:
    header = {"format": FORMAT, "kind": KIND, **asdict(plan), "start_us": plan.start_us, "truth": truth.digest(), "counts": counts}
    raw_bytes = 0
    expand = zstandard.ZstdDecompressor().decompress
    files = [open(shard.path, "rb") for shard in shards]  # noqa: SIM115 - closed below
    try:
        with zstandard.ZstdCompressor(LEVEL).stream_writer(target, closefd=False) as writer:
            raw_bytes += writer.write(json.dumps(header).encode() + b"\n")
            for day in range(-1, plan.days):
                lines: list[bytes] = []
                for shard, file in zip(shards, files, strict=True):
                    if day in shard.blocks:
                        at, length = shard.blocks[day]
                        file.seek(at)
                        lines += expand(file.read(length)).split(b"\n")
                if lines:
                    lines.sort()
                    raw_bytes += writer.write(b"\n".join(lines) + b"\n")
    finally:
        for file in files:
            file.close()
    return raw_bytes


def read(path: Path) -> tuple[Happening, Iterator[Happening]]:
    """The header, and the happenings as they are read. Raises ConfigError for another file, C360Error (while reading) for a torn one."""
    lines = _read_lines(path)
    try:
        header = json.loads(next(lines, b"null"))
    except (ValueError, zstandard.ZstdError):
        header = None
    if not isinstance(header, dict) or header.get("kind") != KIND or header.get("format") != FORMAT:
        raise ConfigError(f"{path} is not a year of the shop in format {FORMAT}", "make one with `c360 shop generate`")
    return header, _whole(path, header, lines)


def plan_of(header: Happening) -> Plan:
    return Plan(*(header[name] for name in ("seed", "customers", "products", "days", "end_us")))


def _whole(path: Path, header: Happening, lines: Iterable[bytes]) -> Iterator[Happening]:
    left = sum(header["counts"].values())
    try:
        for line in lines:
            left -= 1
            yield json.loads(line)
    except zstandard.ZstdError as error:
        raise C360Error(f"{path} is damaged: {error}", "make it again") from error
    if left:
        raise C360Error(f"{path} ends {left:,} lines too early", "make it again")


def _read_lines(path: Path) -> Iterator[bytes]:
    rest = b""
    with path.open("rb") as source, zstandard.ZstdDecompressor().stream_reader(source) as reader:
        while chunk := reader.read(1 << 20):
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
