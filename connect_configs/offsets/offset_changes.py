"""Change a connector's stored offsets and be able to undo it: backup, stop, alter, read back, resume, watch it start."""

from __future__ import annotations

import datetime as dt
import json
import os
import shlex
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import quote

from commerce360.errors import C360Error, ConfigError
from connect_configs import sources
from connect_configs.client import POLL_S, known
from connect_configs.cluster import Cluster
from connect_configs.model import Config, Status
from connect_configs.offsets import offset_meaning, offset_shapes
from connect_configs.offsets.offset_shapes import Entry
from connect_configs.variables import UnresolvedError

BACKUP, BACKUP_VERSION = "c360-connect-offsets", 1
SETTLES_S = 3.0  # a task that cannot read its offset fails well within that
STILL_S, MOVES_S = 1.0, 15.0
STATUS_TIMEOUT_S = 3.0  # to look once more when everything has gone wrong


@dataclass(frozen=True)
class Before:
    """A connector as it was found."""

    name: str
    config: Config
    status: Status
    offsets: list[Entry]

    @property
    def kind(self) -> offset_shapes.Kind:
        return sources.kind_of(self.config)


def read(cluster: Cluster, name: str) -> Before:
    """Raises ConnectError for an unknown connector."""
    status = known(cluster.client, name)
    return Before(name, cluster.client.config(name) or {}, status, cluster.client.offsets(name))


def read_still(cluster: Cluster, name: str) -> Before:
    """Of one that was told to stop: once its offsets no longer move.

    Connect says STOPPED, with no tasks, while the last task still stores and confirms its position.
    """
    found = read(cluster, name)
    deadline, since = time.monotonic() + MOVES_S, time.monotonic()
    while time.monotonic() < deadline and (time.monotonic() < since + STILL_S or _slot_is_read(cluster, found)):
        time.sleep(POLL_S)
        again = read(cluster, name)
        if not offset_shapes.same(found.offsets, again.offsets):
            since = time.monotonic()
        found = again
    return found


def _slot_is_read(cluster: Cluster, found: Before) -> bool:
    if found.kind != "postgres":
        return False
    try:
        return offset_meaning.slot_of(cluster, found.config).active
    except C360Error:
        return False


def partition_of(cluster: Cluster, config: Config) -> dict[str, str] | None:
    """The one partition that such a connector uses; None where its configuration does not tell, or not us."""
    kind = sources.kind_of(config)
    key, field_name = {"postgres": ("topic.prefix", "server"), "mongo": ("offset.partition.name", "ns")}.get(kind, ("", ""))
    if not config.get(key):
        return None
    try:
        return {field_name: cluster.variables.get(config, key)}
    except UnresolvedError:
        return None


# --- backup


@dataclass(frozen=True)
class Backup:
    version: int
    kind: str
    connector: str
    cluster: str
    kafka_cluster_id: str
    url: str
    time: str
    connector_class: str
    state: str
    offsets: list[Entry]


def default_folder(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_STATE_HOME") or os.path.join(environ.get("HOME", "."), ".local", "state")
    return Path(base) / "commerce360" / "connect-offsets"


def write_backup(cluster: Cluster, before: Before, folder: Path, now: dt.datetime) -> Path:
    """A new file that only its owner may read, on the disk when this returns. Raises C360Error: then nothing may be changed."""
    version = cluster.client.version()
    backup = Backup(
        BACKUP_VERSION,
        BACKUP,
        before.name,
        cluster.name,
        version.get("kafka_cluster_id", ""),
        cluster.client.url,
        f"{now:%Y-%m-%dT%H:%M:%SZ}",
        before.config.get("connector.class", ""),
        before.status.connector,
        before.offsets,
    )
    path = folder / quote(cluster.name, safe="") / f"{quote(before.name, safe='')}-{now:%Y%m%dT%H%M%S.%fZ}.json"
    _store(path, backup)
    return path


def back_up(cluster: Cluster, name: str, folder: Path) -> Path:
    """The offsets of a connector as they are now, in a new file below `folder`. Raises C360Error."""
    before = read(cluster, name)
    if before.status.connector == "STOPPED":
        before = read_still(cluster, name)
    return write_backup(cluster, before, folder, dt.datetime.now(dt.UTC))


def _store(path: Path, backup: Backup) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=".part-")  # made with mode 600
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(backup), file, indent=2, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        Path(part).replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise C360Error(
            f"no backup can be written to {path}: {error.strerror}", "nothing was changed; name a folder: --backup-dir"
        ) from error


def read_backup(path: Path) -> Backup:
    """Raises ConfigError for a file that is none of ours."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", "name a file that `c360 connect offsets` has written") from error
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON: {error}", "name a file that `c360 connect offsets` has written") from error
    if not isinstance(data, dict) or data.get("kind") != BACKUP:
        raise ConfigError(f"{path} is no backup of offsets", "`c360 connect offsets set NAME FILE` takes other files")
    if data.get("version") != BACKUP_VERSION or set(data) != set(Backup.__dataclass_fields__):
        raise ConfigError(f"{path} was written by another version of this command", "send its offsets with `c360 connect offsets set`")
    if data["offsets"]:
        offset_shapes.parse(json.dumps({"offsets": data["offsets"]}))
    return Backup(**data)


# --- doing it


class HaltedError(C360Error):
    """Ended between stop and resume: by a signal, or because Connect did not do its part."""

    def __init__(self, message: str, hint: str, exit_code: int) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Done:
    offsets: list[Entry]
    state: str
    sent: bool = True  # false: they were the stored ones already


class Change:
    """One change of offsets. `command`: how this user calls `c360 connect`, for the message that says how to go on."""

    def __init__(self, cluster: Cluster, name: str, backup: Path, command: str, tell: Callable[[str], None]) -> None:
        self.cluster, self.name, self.backup, self.tell = cluster, name, backup, tell
        self.restore = f"{command} offsets restore {shlex.quote(str(backup))}"
        self.resume = f"{command} resume {shlex.quote(name)}"
        self.pause = f"{command} pause {shlex.quote(name)}"
        self.step = "nothing was done"
        self.altered = False
        self._was = ""
        self._back = False  # in the state it was in

    def make(self, entries_for: Callable[[Before], list[Entry]], timeout_s: float = 60.0) -> Done:
        """`entries_for` is asked once the connector is stopped and its offsets stand still: what to send, `[]` to take all away; it
        raises to call the change off, and the connector then goes on as before.

        Raises HaltedError, which says how to go on, and C360Error when the connector does not start with the new offsets.
        """
        self._was = known(self.cluster.client, self.name).connector
        try:
            done = self._stopped(entries_for, timeout_s)
        except KeyboardInterrupt:
            raise self._halted("interrupted", 130) from None
        except _CalledOffError as error:
            raise error.cause from None
        except C360Error as error:
            raise self._halted(error.message, error.exit_code) from error
        if self._was not in ("STOPPED", "PAUSED"):
            self._watch(timeout_s)
        return done

    def _stopped(self, entries_for: Callable[[Before], list[Entry]], timeout_s: float) -> Done:
        client = self.cluster.client
        if self._was != "STOPPED":
            self._at("it was told to stop", "stopping")
            client.stop(self.name)
        client.wait_stopped(self.name, timeout_s)
        self._at("it is stopped, its offsets are as they were", "stopped")
        still = read_still(self.cluster, self.name)
        held = read_backup(self.backup)
        if not offset_shapes.same(still.offsets, held.offsets):  # it went on since, and stored its last ones while it stopped
            _store(self.backup, replace(held, offsets=still.offsets))
        try:
            entries = entries_for(still)
        except C360Error as error:
            self._put_back()
            raise _CalledOffError(error) from error
        expected = offset_shapes.changed(still.offsets, entries) if entries else []
        sent = not offset_shapes.same(still.offsets, expected)
        if sent:
            self._send(entries, expected)
        self._put_back()
        return Done(expected, self._was, sent)

    def _send(self, entries: list[Entry], expected: list[Entry]) -> None:
        client = self.cluster.client
        self.altered = True
        self._at("the new offsets were sent, and may be stored or not", "changing the offsets")
        if entries:
            client.alter_offsets(self.name, entries)
        else:
            client.reset_offsets(self.name)
        found = client.offsets(self.name)
        if not offset_shapes.same(found, expected):
            raise C360Error(f"Connect stored something else than was sent: {json.dumps(found)[:300]}")
        self._at("the new offsets are stored, it was not started again", "read back, they are what was sent")

    def _put_back(self) -> None:
        """To the state it was in; what had failed is started."""
        if self._was == "STOPPED":
            return
        if self._was == "PAUSED":
            self.cluster.client.pause(self.name)
            self._back = True
            self.step += ", and it is paused again"
            return
        self.cluster.client.resume(self.name)
        self._back = True
        self.step = self.step.replace(", it was not started again", "") + ", and it was told to go on"

    def _at(self, step: str, said: str) -> None:
        self.step = step
        self.tell(said)

    def _watch(self, timeout_s: float) -> None:
        """Until it runs and goes on running. Raises C360Error that names the cause and the way back."""
        try:
            self.tell("starting")
            self.cluster.client.wait_running(self.name, timeout_s, settle_s=SETTLES_S)
        except KeyboardInterrupt:
            raise self._halted("interrupted while it started", 130) from None
        except C360Error as error:
            raise C360Error(error.message, f"put the old offsets back: {self.restore}") from error

    def _halted(self, why: str, exit_code: int) -> HaltedError:
        state = self._state()
        ways = []
        if not self._back and self._was == "PAUSED":
            ways.append(f"{self.pause}   pauses it, as it was")
        elif not self._back and self._was != "STOPPED":
            ways.append(f"{self.resume}   goes on with the offsets that are stored")
        if self.altered:
            after = "" if self._back or self._was == "STOPPED" else "; then the command above"
            ways.append(f"{self.restore}   puts the offsets back as they were{after}")
        hint = "to go on:\n  " + "\n  ".join(ways) if ways else "nothing is left to do"
        return HaltedError(
            f"{why}: connector {self.name} is {state} (it was {self._was}); {self.step}; backup: {self.backup}", hint, exit_code
        )

    def _state(self) -> str:
        """Looked at once and shortly: Connect may be what is away."""
        http = self.cluster.client.http
        http.timeout_s, http.patience_s = STATUS_TIMEOUT_S, 0.0
        try:
            found = self.cluster.client.status(self.name)
        except (C360Error, KeyboardInterrupt):
            return "in a state that cannot be seen now"
        return found.connector if found else "gone"


class _CalledOffError(Exception):
    def __init__(self, cause: C360Error) -> None:
        super().__init__(str(cause))
        self.cause = cause
