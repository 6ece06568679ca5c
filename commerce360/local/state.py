"""The folder of one local stack: ports and ids in `stack.json`, minted secrets, and where everything else goes."""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import uuid
from dataclasses import dataclass
from pathlib import Path

from commerce360.errors import ConfigError

PORTS = {
    "postgres": 19032,
    "mongo": 19017,
    "kafka": 19092,
    "kafka_controller": 19093,
    "registry": 19081,
    "connect": 19083,
    "warehouse": 19085,
    "warehouse_streaming": 19086,
    "page": 19080,
    "azurite": 19087,
}
PORT_SHIFT = "C360_PORT_SHIFT"  # added to every port of a new stack, to keep stacks of one machine apart
LAST_PORT = 65_535
CONNECT_USER = "c360"  # who may ask the Connect worker
SECRETS = ("postgres_superuser", "postgres_shop", "postgres_debezium", "connect")
STORAGE_KEY = "azurite_key"  # of the storage account: base64 of 64 bytes
LAKES = ("files", "adls")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@dataclass(frozen=True)
class State:
    """Paths and minted values of one stack. `root` is absolute."""

    root: Path
    ports: dict[str, int]
    ids: dict[str, str]
    lake: str = LAKES[0]  # where its lake is: on this machine's files, or on a stand-in of ADLS

    @classmethod
    def open(cls, root: Path, running: bool = False, lake: str = "") -> State:
        """Load or make the state. Unless its stack runs, every port that is taken is replaced by the next free one.

        `lake`: one of LAKES; empty: as the state has it, and files for a new one. Raises ConfigError for another than the state has.
        """
        root = root.resolve()
        for folder in ("data", "logs", "run", "secrets", "tls", "ledger", "reports"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        os.chmod(root / "secrets", 0o700)
        file = root / "stack.json"
        try:
            known = json.loads(file.read_text()) if file.exists() else {}
        except ValueError as error:
            raise ConfigError(f"{file} is damaged: {error}", "remove the state folder and start again") from error
        has = known.get("lake", LAKES[0]) if known else lake or LAKES[0]
        if lake and lake != has:
            raise ConfigError(f"the lake of {root} is on {has}, not on {lake}", "give another --state, or leave --lake out")
        shift = port_shift()
        ports = {**{name: port + shift for name, port in PORTS.items()}, **known.get("ports", {})}
        if not running:
            ports = _free_ports(ports)
        ids = {"cluster": _kafka_id(), "mongo_partition": uuid.uuid4().hex[:12], **known.get("ids", {})}
        state = cls(root, ports, ids, has)
        for name in SECRETS:
            state._mint(name, secrets.token_urlsafe(24))
        state._mint(STORAGE_KEY, base64.b64encode(secrets.token_bytes(64)).decode())
        part = file.with_suffix(".part")
        part.write_text(json.dumps({"ports": ports, "ids": ids, "lake": has}, indent=2) + "\n")
        part.replace(file)
        return state

    @property
    def authority(self) -> Path:
        """The private CA of those services here that speak TLS."""
        return self.root / "tls" / "ca.pem"

    def data(self, service: str) -> Path:
        return self.root / "data" / service

    def secret_file(self, name: str) -> Path:
        return self.root / "secrets" / name

    def secret(self, name: str) -> str:
        return self.secret_file(name).read_text().strip()

    def _mint(self, name: str, text: str) -> None:
        path = self.secret_file(name)
        if not path.exists():
            part = path.with_suffix(".part")
            write_private(part, text + "\n")
            part.replace(path)


def port_shift() -> int:
    """Of the environment. Raises ConfigError for what is no number, or leads out of the ports there are."""
    given = os.environ.get(PORT_SHIFT, "0")
    low, high = 1024 - min(PORTS.values()), LAST_PORT - max(PORTS.values())
    if not given.lstrip("-").isdigit() or not low <= int(given) <= high:
        raise ConfigError(f"{PORT_SHIFT} is {given!r}", f"give it a whole number from {low} to {high}")
    return int(given)


def write_private(path: Path, text: str) -> None:
    """Readable by nobody else from the first moment on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, 0o600)
        file.write(text)


def _free_ports(wanted: dict[str, int]) -> dict[str, int]:
    taken: set[int] = set()
    for name, port in wanted.items():
        while port in taken or not is_free(port):
            port += 1
            if port > LAST_PORT:
                raise ConfigError(f"there is no free port for {name}", f"set {PORT_SHIFT} to another number")
        taken.add(port)
        wanted[name] = port
    return wanted


def _kafka_id() -> str:
    """KRaft wants a base64 UUID of 22 characters that does not begin with a dash."""
    while (made := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[:22]).startswith("-"):
        pass
    return made
