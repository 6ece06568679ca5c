"""The whole stack of one state folder: what runs, in which order it starts, and how it is told apart from another one."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import IO, Any

from commerce360.errors import C360Error
from commerce360.lake import Lake
from commerce360.local import AZURITE, EVERY, SERVICES, addresses, environment, process, warehouse
from commerce360.local.bootstrap import java, prepare
from commerce360.local.bootstrap.paths import BUILD
from commerce360.local.claim import claim, end_leftovers
from commerce360.local.cluster import cluster
from commerce360.local.hold import holders
from commerce360.local.process import Identity
from commerce360.local.services.azurite import Azurite
from commerce360.local.services.java import Connect, Kafka, Registry
from commerce360.local.services.mongo import Mongo
from commerce360.local.services.postgres import Postgres
from commerce360.local.services.python import PythonService, answers, publishes
from commerce360.local.state import State
from commerce360.local.supervisor import Service, Supervisor
from commerce360.provision import connectors
from commerce360.settings import Settings
from schemas.access import CARE, LOADER, TRANSFORMER

FIRST = ("page", "postgres", "mongo", "kafka", "registry", "warehouse", "lake", "sentiment")  # need nobody, or wait by themselves
INGEST = ("postgres", "mongo", "kafka", "registry", "connect")  # from the shop's stores to Kafka
STATUS_EVERY_S = 1.0
MEMORY_EVERY_S = 5.0  # the system walks through all pages of a process for its share, and holds it up meanwhile
Event = Callable[[str], None]


class Stack:
    """Start, watch and stop. One supervisor a state folder; a second one is refused."""

    def __init__(self, state: State, settings: Settings, on_event: Event = lambda _: None) -> None:
        self.state = state
        self._settings = settings
        self.on_event: Event = on_event
        self.phase = "stopped"
        self.supervisor = Supervisor(state.root / "run", state.root / "logs", self._services(), lambda line: self.on_event(line))
        self._lock: IO[str] | None = None
        self._resting: set[str] = set()
        self._watching = threading.Event()
        self._watchers: list[threading.Thread] = []

    @classmethod
    def open(cls, root: Path, shop: Mapping[str, Any] | None = None, lake: Mapping[str, Any] | None = None, lake_on: str = "") -> Stack:
        """Open the state for running it. Ends what a killed run left. Raises ConfigError while another supervisor runs it.

        `shop`, `lake`: settings of theirs that are not those of the environment. `lake_on`: see `State.open`.
        Before anything else starts, column roles must make sense and be those of the lake's tables.
        """
        addresses.isolate()
        lock = claim(root)
        end_leftovers(root)
        Identity.of(os.getpid()).save(root / "run" / "supervisor.pid")
        state = State.open(root, lake=lake_on)
        stack = cls(state, environment.settings_of(state, shop, lake))
        if state.lake != "adls":  # a lake there is not to be asked before its server runs
            stack._refuse_roles()
        stack._lock = lock
        return stack

    def _refuse_roles(self) -> None:
        """Raises ConfigInvalidError and ConfigDriftError."""
        from stream_jobs.dimensions import DIMENSIONS
        from stream_jobs.rebuild import check

        lake = Lake(self._settings.lake)
        for dimension in DIMENSIONS:
            if lake.exists(dimension.table):
                check(lake, dimension.table, dimension.roles)

    @staticmethod
    def end_leftovers(root: Path) -> int:
        """End what a killed supervisor left; how many processes. Raises ConfigError while a stack runs there."""
        with claim(root):
            return end_leftovers(root)

    @staticmethod
    def clear(root: Path) -> None:
        """Remove a state folder, with everything that a killed run left running. Raises ConfigError while its stack runs."""
        with claim(root):
            end_leftovers(root)
            for path in sorted(root.iterdir(), key=lambda p: p.name.startswith(".")):  # marks of who made it outlive an interruption
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            root.rmdir()

    def settings(self) -> Settings:
        return self._settings

    def start(self, on_event: Event | None = None, traffic: bool = False, services: Collection[str] = SERVICES) -> None:
        """Those `services` but the shop, provisioned and ready; the five of INGEST are always among them.

        `traffic` starts the shop as well. Raises the first error; `stop` cleans up after it.
        """
        self.on_event = on_event or self.on_event
        self.phase = "starting"
        self._watch()
        if AZURITE in self.supervisor.order:  # the lake job's first step is to look for its tables
            self.start_service(AZURITE)
            self._refuse_roles()
        wanted = [name for name in SERVICES if name in services or name in INGEST]
        for name in FIRST:
            if name in wanted:
                self.supervisor.start(name)
        sources = _Background(self._prepare_sources)
        feed = _Background(lambda: self._prepare_warehouse() if "loader" in wanted else None)
        self._prepare_topics()
        sources.join()
        self.supervisor.wait_ready("connect")
        connect = cluster(self.state)
        deployed = connectors.deploy(connect, self.state.data("connect") / "offsets", self.on_event)
        feed.join()
        for name in ("page", "lake", "sentiment", "loader"):
            if name in wanted:
                self.supervisor.wait_ready(name)
        connectors.wait_loaded(connect, deployed)
        self.phase = "running"
        if traffic:
            self.start_service("shop")

    def stop(self) -> None:
        self.phase = "stopping"
        self.supervisor.stop_all()
        self._watching.set()
        for thread in self._watchers:
            thread.join()
        self.phase = "stopped"
        (self.state.root / "run" / "supervisor.pid").unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # a full disk
            self._write_status()
        if self._lock:
            self._lock.close()

    def obey(self, idle: Callable[[], None]) -> None:
        """Do what `Held` asks of this stack from another process, until an exception ends it."""
        while True:
            idle()
            for name in self.supervisor.order:
                held, runs = bool(holders(self.state.root, name)), self.supervisor.running[name].wanted.is_set()
                if held and runs:
                    self.stop_service(name)
                    self._resting.add(name)
                elif not held and name in self._resting:
                    self._resting.discard(name)
                    self.supervisor.start(name)

    def start_service(self, name: str) -> None:
        self.supervisor.start(name)
        self.supervisor.wait_ready(name)

    def stop_service(self, name: str) -> None:
        self.supervisor.stop(name)

    def wait_ready(self, name: str) -> None:
        self.supervisor.wait_ready(name)

    def kill(self, name: str, signum: int) -> int:
        return self.supervisor.kill(name, signum)

    def pids(self, name: str) -> list[int]:
        """The service's own process first, then its children; empty while it does not run."""
        identity = self.supervisor.running[name].identity
        return [p.pid for p in process.tree(identity)] if identity else []

    def restart_count(self, name: str) -> int:
        """How often it died and was started again."""
        return self.supervisor.running[name].restarts

    def peak_memory_mb(self) -> dict[str, float]:
        return {name: round(entry.peak_mb, 1) for name, entry in self.supervisor.running.items() if entry.starts}

    def memory_mb(self) -> dict[str, float]:
        """Proportional set size of each service with its children, as of the last seconds."""
        return {name: round(entry.memory_mb, 1) for name, entry in self.supervisor.running.items() if entry.starts}

    def versions(self) -> dict[str, str]:
        return prepare.versions(java.find_java(17))

    def _services(self) -> list[Service]:
        state, settings = self.state, self._settings
        home = java.find_java(17)
        self._postgres = Postgres(state)
        run = state.root / "run"

        def ours(name: str, module: str, path: str = "", user: str = TRANSFORMER) -> PythonService:
            """`path` of the address that answers once it works; a service without one publishes metrics. `user` of the warehouse."""
            env = environment.variables(settings.model_copy(update={"warehouse": warehouse.of_user(settings, user)}))
            port = state.ports[name] if path else None
            ready = answers(f"http://127.0.0.1:{port}{path}") if path else publishes(state.root, name, run / f"{name}.pid")
            return PythonService(name, module, env, state.data(name), ready, port)

        lake = ours("lake", "stream_jobs.job")
        lake.ready_timeout_s += settings.lake.lease_s  # of a job that was killed on a machine of another name
        made: dict[str, Service] = {
            "postgres": self._postgres,
            "mongo": Mongo(state, BUILD / "venv-mongo"),
            "kafka": Kafka(state, home),
            "registry": Registry(state, home),
            "connect": Connect(state, home, addresses.source_variables(state)),
            "page": ours("page", "bi.dashboard", "/", CARE),
            "warehouse": ours("warehouse", "commerce360.local.doubles.snowflake", "/health"),
            "lake": lake,
            "sentiment": ours("sentiment", "stream_jobs.sentiment"),
            "loader": ours("loader", "warehouse.loader", user=LOADER),
            "shop": ours("shop", "producers.shop"),
        }
        if state.lake == "adls":
            made[AZURITE] = Azurite(state)
        return [made[name] for name in EVERY if name in made]

    def _prepare_topics(self) -> None:
        for name in ("kafka", "registry"):
            self.supervisor.wait_ready(name)
        from commerce360.provision import registry, topics  # not before, see `_prepare_sources`

        topics.prepare(self._settings)
        registry.prepare(self._settings)
        self.supervisor.start("connect")

    def _prepare_warehouse(self) -> None:
        self.supervisor.wait_ready("warehouse")
        warehouse.prepare(self._settings)
        self.supervisor.start("loader")

    def _prepare_sources(self) -> None:
        for name in ("postgres", "mongo"):
            self.supervisor.wait_ready(name)
        # Not before: the threads that wait import the same packages, and one that two threads import at once may fail half-way.
        from commerce360.provision import database
        from producers import seed

        database.prepare(self._settings)
        self.on_event(f"seeded the shop: {seed.run(self._settings)}")

    def _watch(self) -> None:
        self._watching.clear()
        self._watchers = [threading.Thread(target=w, daemon=True) for w in (self._keep_status, self._keep_connectors)]
        for thread in self._watchers:
            thread.start()

    def _keep_status(self) -> None:
        sampled = 0.0
        while not self._watching.wait(STATUS_EVERY_S):
            try:
                if time.monotonic() - sampled >= MEMORY_EVERY_S:
                    self.supervisor.sample_memory()
                    sampled = time.monotonic()
                self._write_status()
            except Exception as error:  # such as a full disk: it may pass, and who asks for the status must see it again then
                self.on_event(f"cannot tell the status: {type(error).__name__}: {error}")

    def _write_status(self) -> None:
        services = {name: entry.as_json() for name, entry in self.supervisor.running.items()}
        path = self.state.root / "run" / "status.json"
        part = path.with_suffix(".part")
        part.write_text(json.dumps({"phase": self.phase, "at": time.time(), "pid": os.getpid(), "services": services}))
        part.replace(path)

    def _keep_connectors(self) -> None:
        """A failed task stays failed, and its connector goes on saying RUNNING: start it again."""
        from connect_configs.client import Connect as Client
        from connect_configs.files import configurations
        from connect_configs.http import Access

        client = Client(self._settings.connect.url, timeout_s=5, access=Access.of(self._settings.connect), patience_s=0)
        while not self._watching.wait(2.0):
            if self.phase != "running" or not self.supervisor.running["connect"].is_ready.is_set():
                continue
            for name in configurations():
                try:
                    status = client.status(name)
                    if status and status.failed:
                        self.on_event(f"connector {name} failed ({status.cause[:120]}), starting it again")
                        client.restart_failed(name)
                except C360Error:
                    continue


class _Background:
    """A call in a thread whose exception comes back at `join`."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, args=(call,), daemon=True)
        self.thread.start()

    def _run(self, call: Callable[[], None]) -> None:
        try:
            call()
        except BaseException as error:
            self.error = error

    def join(self) -> None:
        self.thread.join()
        if self.error:
            raise self.error


def settings_of_running(root: Path) -> Settings:
    """Settings of a stack that another process runs."""
    addresses.isolate()
    return environment.settings_of(State.open(root, running=True))
