"""The 360 view over a lake on disk: any order, any cuts, repeats, crashes and restarts give what one look at everything gives."""

import datetime as dt
from random import Random

import pyarrow as pa
import pytest
from view_worlds import T0, Change, World, filled

from commerce360.lake import Lake
from commerce360.reconcile import recompute
from commerce360.settings import Lake as LakeSettings
from schemas import behaviour, tables
from schemas.marts import MART_ATTRIBUTION, MART_CUSTOMER_360
from schemas.tables import TABLES
from stream_jobs.dimensions import CUSTOMERS, PRODUCTS
from stream_jobs.keyed import KeyedLog, Outcome
from stream_jobs.sales import SALES
from stream_jobs.sentiments import SENTIMENTS
from stream_jobs.view360.view import TABLES as VIEW
from stream_jobs.view360.view import Changes, View

ENTITIES = (CUSTOMERS, PRODUCTS, SALES, SENTIMENTS)
AS_OF = T0 + dt.timedelta(days=45)


class Job:
    """What the lake job does with the base tables and the view, batch by batch, without Spark."""

    def __init__(self, root):
        self.lake = Lake(LakeSettings(root=str(root)))
        for table in TABLES:
            self.lake.create(table)
        self.batch_id = 0
        self.number = {}
        self.start()

    def start(self):
        self.logs = {e.table.name: KeyedLog(e, lambda e=e: self._stored(e)) for e in ENTITIES}
        self.view = View(self.lake, self.logs)

    def batch(self, changes, at=AS_OF, crash_after=None):
        """`crash_after`: how many tables get their rows before the job dies. The next batch repeats this one."""
        newest = {}
        for change in changes:
            place = (change.table.name, change.key)
            if change.table in (tables.CLICKSTREAM, tables.REVIEWS) or self.number.get(place, -1) <= change.number:
                if place not in newest or newest[place].number < change.number:
                    newest[place] = change
                self.number[place] = max(self.number.get(place, -1), change.number)
        records = [{"topic": "t", "partition": 0, "offset": self.batch_id, "kafka_ts": at}]
        self.append(tables.RECORDS, records)
        silver = {t: [c.rows[0] for c in newest.values() if c.table is t] for t in (tables.CLICKSTREAM, tables.REVIEWS)}
        outcomes = {}
        for name, log in self.logs.items():
            after = {c.key: list(c.rows) for c in newest.values() if c.table.name == name}
            log._staged = dict(after)
            outcomes[name] = Outcome(after=after)
        rows = {
            **silver,
            **{log.entity.table: [r for k in outcomes[n].after for r in outcomes[n].after[k]] for n, log in self.logs.items()},
        }
        for table, found in rows.items():
            self.append(table, found)
        made = self.view.apply(Changes(silver[tables.CLICKSTREAM], silver[tables.REVIEWS], outcomes, at))
        for number, (table, found) in enumerate(made.items()):
            if crash_after is not None and number >= crash_after:
                self.start()
                return made
            self.append(table, found)
        for name, log in self.logs.items():
            log._changed = [(k, r) for k, found in outcomes[name].after.items() for r in found]
            log.commit()
        self.view.commit()
        self.batch_id += 1
        return made

    def append(self, table, rows):
        if rows:
            self.lake.append(
                table, [{**{c.name: None for c in table.columns}, **r, "batch_id": self.batch_id} for r in rows], "q", self.batch_id
            )

    def shown(self):
        """{table: its visible rows as sorted texts, without batch and lineage}"""
        return {t.name: texts(t, self.lake.newest(t, where=t.visible).to_pylist()) for t in VIEW}

    def _stored(self, entity):
        for row in self.lake.newest(entity.table).to_pylist():
            yield entity.key_of(row), row


def texts(table, rows):
    lineage = {"event_ts", "kafka_ts", "origin", "batch_id"}
    names = [c.name for c in table.columns if c.name not in lineage]
    return sorted(repr([str(r[n]) if n != "is_deleted" else bool(r[n]) for n in names]) for r in rows)


def plain(lake):
    """What a plain look at the base tables says."""
    found = recompute.recompute(recompute.read_base(lake))
    return {t.name: texts(t, [{**dict.fromkeys(c.name for c in t.columns), **r} for r in found[t.name].to_pylist()]) for t in VIEW}


def cuts(random: Random, changes: list[Change]):
    while changes:
        count = random.randint(1, 12)
        yield changes[:count]
        changes = changes[count:]


@pytest.mark.parametrize("seed", range(12))
def test_any_order_and_any_cuts_give_what_a_plain_look_gives(tmp_path, seed):
    world, random = World(seed), Random(seed)
    job = Job(tmp_path)
    shuffled = random.sample(world.changes, len(world.changes)) + random.sample(world.changes, 10)
    for number, changes in enumerate(cuts(random, shuffled)):
        job.batch(changes)
        if number % 5 == 0:
            job.start()
    assert plain(job.lake) == job.shown()
    straight = Job(tmp_path / "straight")
    straight.batch(world.changes)
    named = behaviour.DIM_CAMPAIGN.name  # the straight one never hears of a campaign that was corrected in between
    shown, other = job.shown(), straight.shown()
    assert set(other.pop(named)) <= set(shown.pop(named))
    assert shown == other


@pytest.mark.parametrize("seed", range(20, 24))
def test_a_job_that_dies_between_two_commits_makes_it_whole(tmp_path, seed):
    world, random = World(seed, 40), Random(seed)
    job = Job(tmp_path)
    for changes in cuts(random, list(world.changes)):
        job.batch(changes, crash_after=random.randrange(0, 6))
        job.batch(changes)
    assert plain(job.lake) == job.shown()


def test_a_repeated_batch_appends_nothing(tmp_path):
    world, job = World(1), Job(tmp_path)
    assert sum(map(len, job.batch(world.changes).values())) > 60
    assert job.batch(world.changes) == {}
    job.start()
    assert job.batch([]) == {}


def test_a_batch_touches_only_what_it_changes(tmp_path):
    world, job = World(2, 200), Job(tmp_path)
    job.batch(world.changes)
    last = max((c for c in world.changes if c.table is tables.CLICKSTREAM and c.rows[0]["visitor_id"]), key=lambda c: c.number)
    row = {**last.rows[0], "event_id": "new", "visitor_id": "nobody", "customer_id": None, "event_type": "search", "product_id": None}
    made = job.batch([Change(tables.CLICKSTREAM, ("new",), 9999, ({**row, "occurred_at": AS_OF},))])
    assert {t.entity: len(rows) for t, rows in made.items()} == {"fct_page_events": 1, "fct_sessions": 1, "mart_funnel": 1}


def test_a_document_that_was_stored_before_such_were_refused_does_not_stop_the_job(tmp_path):
    """Python has no words for its time, and its rating fits no average."""
    world, job = World(5), Job(tmp_path)
    job.batch(world.changes)
    beyond = [-(2**62), 2**62, None]
    for table, time in ((tables.CLICKSTREAM, "occurred_at"), (tables.REVIEWS, "reviewed_at")):
        known = next(c.rows[0] for c in world.changes if c.table is table and not c.rows[0]["is_deleted"])
        rows = [{**known, table.key[0]: f"old{n}", "customer_id": 1, "product_id": 1, "batch_id": 0} for n in range(3)]
        rows = [{**r, "visitor_id": "a"} if table is tables.CLICKSTREAM else {**r, "rating": 2**31 - 1} for r in rows]
        found = job.lake.arrow(table, rows)
        at = found.schema.get_field_index(time)
        job.lake.append(table, found.set_column(at, found.schema.field(at), pa.array(beyond, found.schema.field(at).type)), "q", 0)
    job.start()
    job.batch([])
    assert plain(job.lake) == job.shown()
    ended = [r["last_contact_at"] for r in job.lake.newest(MART_CUSTOMER_360).to_pylist() if r["customer_id"] == 1]
    assert ended == [behaviour.END_OF_TIME - dt.timedelta(microseconds=1)]


def test_a_session_of_nobody_that_was_said_before_is_gone_after_the_next_start(tmp_path):
    job = Job(tmp_path)
    said = {"session_id": "s", "is_deleted": False, "visitor_id": "", "started_at": T0, "ended_at": T0, "day": T0.date(), "events": 1}
    job.append(behaviour.FCT_SESSIONS, [said])
    job.start()
    job.batch([])
    assert job.shown() == plain(job.lake)
    assert job.shown()[behaviour.FCT_SESSIONS.name] == []


def click(event_id, visitor_id, customer_id, at, campaign_id=None):
    row = filled(tables.CLICKSTREAM, event_id=event_id, seq=1, source_offset=1, is_deleted=False, event_type="view", occurred_at=at)
    row |= {"visitor_id": visitor_id, "customer_id": customer_id, "campaign_id": campaign_id}
    return Change(tables.CLICKSTREAM, (event_id,), 1, (row,))


def test_an_order_is_owed_to_the_visit_it_was_placed_in_whatever_comes_late(tmp_path):
    """Each step changes which visit that is, or what is known of it, and nothing else of the order."""
    job, ordered = Job(tmp_path), T0 + dt.timedelta(minutes=20)
    head = {
        "order_id": "o",
        "customer_id": 1,
        "visitor_id": "a",
        "status": "paid",
        "currency": "EUR",
        "source": "web",
        "ordered_at": ordered,
    }
    line = filled(tables.FCT_SALES, **head, campaign_id="own", line_no=1, quantity=1, is_complete=True, is_deleted=False)
    steps = [
        (Change(tables.FCT_SALES, ("o",), 1, (line,)), "own"),
        (click("e1", "a", 2, T0 - dt.timedelta(minutes=11), "c1"), "own"),  # ended 31 minutes before the order
        (click("e2", "a", None, T0), "c1"),  # it goes on
        (click("e3", "a", 3, T0 + dt.timedelta(minutes=10)), "own"),  # somebody else took over, whom no campaign brought
        (click("e4", "a", None, T0 + dt.timedelta(minutes=20), "c2"), "c2"),
    ]
    for change, campaign in steps:
        job.batch([change])
        [found] = job.lake.newest(MART_ATTRIBUTION, where="NOT is_deleted").to_pylist()
        assert found["campaign_id"] == campaign
        assert plain(job.lake) == job.shown()


@pytest.mark.parametrize("days", [1, 8, 31, 62, 200])
def test_as_time_goes_by_customers_change_on_their_day(tmp_path, days):
    """A day that passes touches those whose counts, scores or reasons turn; a fresh look says the same."""
    world, job = World(3), Job(tmp_path)
    job.batch(world.changes, at=T0 + dt.timedelta(days=2))
    job.batch([], at=T0 + dt.timedelta(days=2 + days))
    assert plain(job.lake) == job.shown()
