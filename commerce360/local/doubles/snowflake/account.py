"""The account: users, roles, what there is and who may do what with it. One JSON file beside the databases, written whole and renamed.

Role hierarchy and privileges as of https://docs.snowflake.com/en/user-guide/security-access-control-overview (read 2026-11); secondary
roles and managed access schemas are not kept.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from commerce360.local.doubles.snowflake import tokens
from commerce360.local.doubles.snowflake.keys import write_private
from commerce360.local.doubles.snowflake.refusals import Name, hidden

ADMIN_USER, ADMIN, PUBLIC = "C360_ADMIN", "ACCOUNTADMIN", "PUBLIC"
PREDEFINED = {  # role -> (roles granted to it, privileges on the account)
    ADMIN: (("SYSADMIN", "SECURITYADMIN"), ()),
    "SYSADMIN": ((), ("CREATE DATABASE", "CREATE WAREHOUSE")),
    "SECURITYADMIN": (("USERADMIN",), ("MANAGE GRANTS", "CREATE NETWORK POLICY")),
    "USERADMIN": ((), ("CREATE USER", "CREATE ROLE")),
    PUBLIC: ((), ()),
}
ACCOUNT: tuple[str, Name] = ("ACCOUNT", ())
CONTAINED = {"DATABASE": 1, "SCHEMA": 2}  # others with more parts than one live in a schema
Key = tuple[str, Name]  # kind and name


@dataclass
class Object:
    """Anything that is owned: a database, a table, a role, a user, a policy ..."""

    kind: str
    name: Name
    owner: str
    grants: dict[str, list[str]] = field(default_factory=dict)  # role -> privileges
    properties: dict[str, Any] = field(default_factory=dict)
    created: float = field(default_factory=time.time)


@dataclass(frozen=True)
class Future:
    """A privilege on everything of a kind that is yet to be made in a database or schema."""

    scope: Name
    kind: str
    privilege: str
    role: str


@dataclass(frozen=True)
class User:
    name: str
    public_keys: tuple[str, ...]  # base64 of the DER, as in RSA_PUBLIC_KEY
    default_role: str
    default_warehouse: str
    disabled: bool


class Account:
    """Decisions read memory; whatever changes goes through `change` and is on disk when that ends. Any thread may ask."""

    def __init__(self, file: Path, name: str = "LOCAL", admin_key: str = "") -> None:
        """`admin_key`: public key (base64 DER) of C360_ADMIN, who is made with the account."""
        self.file = file
        self.name = name.upper()
        self.version = 0
        self.objects: dict[Key, Object] = {}
        self.members: dict[Key, list[str]] = {}  # role or user -> roles granted to it
        self.futures: list[Future] = []
        self._lock = threading.RLock()
        self._closures: dict[str, frozenset[str]] = {}
        if file.exists():
            self._load()
        else:
            self._found()
        if admin_key and self.objects["USER", (ADMIN_USER,)].properties.get("RSA_PUBLIC_KEY") != admin_key:
            with self.change():
                self.objects["USER", (ADMIN_USER,)].properties["RSA_PUBLIC_KEY"] = admin_key

    @contextmanager
    def change(self) -> Iterator[None]:
        """All of what is done inside is kept, or none of it."""
        with self._lock:
            try:
                yield
                self._save()
            except BaseException:
                if self.file.exists():
                    self._load()
                raise
            finally:
                self.version += 1
                self._closures = {}

    # Questions

    def user(self, name: str) -> User | None:
        found = self.objects.get(("USER", (name,)))
        if found is None:
            return None
        p = found.properties
        keys = tuple(p[k] for k in ("RSA_PUBLIC_KEY", "RSA_PUBLIC_KEY_2") if p.get(k))
        disabled = str(p.get("DISABLED", "false")).lower() == "true"
        return User(name, keys, p.get("DEFAULT_ROLE", ""), p.get("DEFAULT_WAREHOUSE", ""), disabled)

    def user_of(self, jwt: str) -> User | None:
        """Whose key pair signed this token, when it is for this account, not expired, and the user is not disabled."""
        claimed = tokens.claims(jwt)
        account, _, name = str(claimed.get("sub", "")).partition(".")
        user = self.user(name)
        if user is None or user.disabled or account != self.name:
            return None
        return user if any(tokens.valid(jwt, claimed, key) for key in user.public_keys) else None

    def roles_of(self, user: User | str) -> frozenset[str]:
        """Every role that the user may take: granted ones, those below them, and PUBLIC."""
        name = user if isinstance(user, str) else user.name
        found = {PUBLIC}
        for role in self.members.get(("USER", (name,)), ()):
            found |= self.below(role)
        return frozenset(found)

    def below(self, role: str) -> frozenset[str]:
        """The role, all that it inherits from, and PUBLIC; nothing for a role that is gone."""
        known = self._closures.get(role)
        if known is None:
            found: set[str] = set()
            todo = [role] if ("ROLE", (role,)) in self.objects else []
            while todo:
                one = todo.pop()
                if one not in found:
                    found.add(one)
                    todo += self.members.get(("ROLE", (one,)), ())
            known = self._closures[role] = frozenset(found | {PUBLIC}) if found else frozenset()
        return known

    def privileges(self, role: str, kind: str, name: Name) -> frozenset[str]:
        """What the role holds on this very object, OWNERSHIP too; what its database and schema say is not asked."""
        held, found = self.below(role), set()
        target = self.objects.get((kind, name))
        if target is None:
            return frozenset()
        if target.owner in held:
            found.add("OWNERSHIP")
        for one in held:
            found.update(target.grants.get(one, ()))
        return frozenset(found)

    def reaches(self, role: str, kind: str, name: Name) -> bool:
        """USAGE on the database and the schema around it."""
        if ADMIN in self.below(role):
            return True
        around = [("DATABASE", name[:1])] if len(name) > CONTAINED.get(kind, 1) or kind == "SCHEMA" else []
        if kind not in CONTAINED and len(name) > 2:
            around.append(("SCHEMA", name[:2]))
        return all(self.privileges(role, *one) & {"USAGE", "OWNERSHIP"} for one in around)

    def may(self, role: str, privilege: str, kind: str, name: Name) -> bool:
        """Name in upper case parts, `()` for the account. An owner may do everything with it, ACCOUNTADMIN everything."""
        if ADMIN in self.below(role):
            return True
        return self.reaches(role, kind, name) and bool(self.privileges(role, kind, name) & {privilege, "OWNERSHIP"})

    # Changes; inside `change`

    def add(self, kind: str, name: Name, owner: str, **properties: Any) -> Object:
        """New, or in the place of one of that name: nobody keeps a privilege on what was replaced."""
        made = Object(kind, name, owner, properties=properties)
        for future in self.futures:
            if future.kind == kind and name[: len(future.scope)] == future.scope and self._nearest(future, name):
                made.grants.setdefault(future.role, []).append(future.privilege)
                if future.privilege == "OWNERSHIP":
                    made.owner = future.role
        self.objects[kind, name] = made
        return made

    def _nearest(self, future: Future, name: Name) -> bool:
        """Future grants of a schema hide those of its database."""
        return len(future.scope) == 2 or not any(f.scope == name[:2] and f.kind == future.kind for f in self.futures)

    def get(self, kind: str, name: Name) -> Object:
        try:
            return self.objects[kind, name]
        except KeyError:
            raise hidden(kind, name) from None

    def remove(self, kind: str, name: Name) -> None:
        """With everything inside it; a role or user leaves no grant behind."""
        inside = [k for k in self.objects if kind in CONTAINED and k[1][: len(name)] == name and len(k[1]) > len(name)]
        for key in [*inside, (kind, name)]:
            self.objects.pop(key, None)
        self.futures = [f for f in self.futures if f.scope[: len(name)] != name or kind not in CONTAINED]
        self.members.pop((kind, name), None)
        if kind == "ROLE":
            role = name[0]
            self.futures = [f for f in self.futures if f.role != role]
            for held in self.members.values():
                held[:] = [r for r in held if r != role]
            for other in self.objects.values():
                other.grants.pop(role, None)
                other.owner = ADMIN if other.owner == role else other.owner

    # Disk

    def _found(self) -> None:
        with self.change():
            self.objects[ACCOUNT] = Object(*ACCOUNT, owner=ADMIN)
            for role, (granted, privileges) in PREDEFINED.items():
                self.objects["ROLE", (role,)] = Object("ROLE", (role,), owner="")
                self.members["ROLE", (role,)] = list(granted)
                if privileges:
                    self.objects[ACCOUNT].grants[role] = list(privileges)
            self.objects["USER", (ADMIN_USER,)] = Object("USER", (ADMIN_USER,), ADMIN, properties={"DEFAULT_ROLE": ADMIN})
            self.members["USER", (ADMIN_USER,)] = [ADMIN]

    def _save(self) -> None:
        content = {
            "name": self.name,
            "objects": [asdict(o) for o in self.objects.values()],
            "members": [[kind, name, roles] for (kind, name), roles in self.members.items()],
            "futures": [asdict(f) for f in self.futures],
        }
        write_private(self.file, json.dumps(content, indent=1).encode())

    def _load(self) -> None:
        content = json.loads(self.file.read_text())
        objects = [Object(**{**o, "name": tuple(o["name"])}) for o in content["objects"]]
        self.objects = {(o.kind, o.name): o for o in objects}
        self.members = {(kind, tuple(name)): roles for kind, name, roles in content["members"]}
        self.futures = [Future(**{**f, "scope": tuple(f["scope"])}) for f in content["futures"]]
