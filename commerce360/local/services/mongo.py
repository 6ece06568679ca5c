"""The MongoDB-compatible server: secantusdb in an environment and process of its own (GPL: never imported)."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from commerce360.errors import ConfigError
from commerce360.local.addresses import mongo_uri
from commerce360.local.process import Command
from commerce360.local.state import State


class Mongo:
    name = "mongo"
    stop_signal = signal.SIGTERM
    ready_timeout_s = 60.0

    def __init__(self, state: State, venv: Path) -> None:
        self.state = state
        self.program = venv / "bin" / "secantusd-py"
        self.home = state.data("mongo")
        self.port = state.ports["mongo"]

    def prepare(self) -> None:
        if not self.program.exists():
            raise ConfigError("the MongoDB stand-in is not installed", "run `make setup`")
        (self.home / "data").mkdir(parents=True, exist_ok=True)

    def command(self) -> Command:
        # Without --sync-on-commit a kill loses acknowledged writes that the change stream has delivered already.
        flags = ["--sync-on-commit", "--oplog-max-entries", "1000000", "--oplog-retention-seconds", "2592000"]
        at = ["--host", "127.0.0.1", "--port", str(self.state.ports["mongo"]), "--storage-path", str(self.home / "data")]
        return Command([str(self.program), *at, *flags], dict(os.environ), self.home)

    def ready(self) -> bool:
        import pymongo
        from pymongo.errors import PyMongoError

        try:
            with pymongo.MongoClient[dict[str, object]](mongo_uri(self.state.ports["mongo"]), serverSelectionTimeoutMS=1500) as client:
                return bool(client.admin.command("hello").get("isWritablePrimary"))
        except PyMongoError:
            return False
