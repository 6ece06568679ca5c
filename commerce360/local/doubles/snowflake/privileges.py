"""GRANT and REVOKE."""

from __future__ import annotations

from dataclasses import dataclass

from commerce360.local.doubles.snowflake.account import ACCOUNT, Account, Future, Object
from commerce360.local.doubles.snowflake.answers import Answer, done
from commerce360.local.doubles.snowflake.refusals import Name, RefusedError, hidden, insufficient, invalid, shown, unsupported
from commerce360.local.doubles.snowflake.session import Session
from commerce360.local.doubles.snowflake.words import Words

IN_SCHEMA = (
    *("TABLE", "VIEW", "STAGE", "FILE FORMAT", "SEQUENCE", "MASKING POLICY", "ROW ACCESS POLICY", "NETWORK RULE", "PIPE", "STREAM", "TASK"),
    *("FUNCTION", "PROCEDURE", "DYNAMIC TABLE", "MATERIALIZED VIEW", "EXTERNAL TABLE", "TAG", "SECRET"),
)
OF = {
    "ACCOUNT": (
        *("CREATE DATABASE", "CREATE WAREHOUSE", "CREATE ROLE", "CREATE USER", "CREATE NETWORK POLICY", "CREATE INTEGRATION"),
        *("MANAGE GRANTS", "MONITOR USAGE", "MONITOR EXECUTION", "EXECUTE TASK", "EXECUTE MANAGED TASK"),
        *("APPLY MASKING POLICY", "APPLY ROW ACCESS POLICY"),
    ),
    "DATABASE": ("USAGE", "MODIFY", "MONITOR", "CREATE SCHEMA"),
    "SCHEMA": ("USAGE", "MODIFY", "MONITOR", *(f"CREATE {kind}" for kind in IN_SCHEMA)),
    "TABLE": ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "EVOLVE SCHEMA"),
    "VIEW": ("SELECT", "REFERENCES"),
    "STAGE": ("READ", "WRITE", "USAGE"),
    "FILE FORMAT": ("USAGE",),
    "SEQUENCE": ("USAGE",),
    "MASKING POLICY": ("APPLY",),
    "ROW ACCESS POLICY": ("APPLY",),
    "WAREHOUSE": ("USAGE", "OPERATE", "MODIFY", "MONITOR"),
    "RESOURCE MONITOR": ("MONITOR", "MODIFY"),
    "NETWORK POLICY": ("USAGE",),
    "NETWORK RULE": ("USAGE",),
    "USER": ("MONITOR",),
    "ROLE": (),
}
PLURALS = {("POLICIES" if k.endswith("POLICY") else "").join(k.rsplit("POLICY", 1)) if k.endswith("POLICY") else f"{k}S": k for k in OF}
CARRIED = ("", "COPY", "REVOKE")


@dataclass(frozen=True)
class Target:
    """What a grant is on: objects that are there, or those to come in a scope."""

    kind: str
    names: tuple[Name, ...]
    scope: Name | None = None


def run(session: Session, words: Words) -> Answer | None:
    if words.take("GRANT", "ROLE"):
        return _role(session, words, "TO")
    if words.take("REVOKE", "ROLE"):
        return _role(session, words, "FROM")
    if words.take("GRANT", "OWNERSHIP", "ON"):
        return _ownership(session, words)
    if verb := words.take_any("GRANT", "REVOKE"):
        return _privileges(session, words, verb)
    return None


def _role(session: Session, words: Words, link: str) -> Answer:
    account, role = session.account, words.part()
    words.need(link)
    kind = words.take_any("USER", "ROLE")
    if not kind:
        raise words.wrong()
    grantee = (words.part(),)
    words.end()
    target = account.get("ROLE", (role,))
    account.get(kind, grantee)
    if not (_owns(session, target) or session.may("MANAGE GRANTS", "ACCOUNT")):
        raise insufficient("ROLE", (role,))
    if link == "TO" and kind == "ROLE" and grantee[0] in account.below(role):
        raise invalid(f"Role '{role}' cannot be granted to '{grantee[0]}': that would be a circle.")
    with account.change():
        held = account.members.setdefault((kind, grantee), [])
        if link == "TO":
            held += [role] if role not in held else []
        elif role in held:
            held.remove(role)
    return done()


def _ownership(session: Session, words: Words) -> Answer:
    account, target = session.account, _target(session, words)
    role = _grantee(session, words, "TO")
    carried = words.take_any("COPY", "REVOKE")
    if carried:
        words.need("CURRENT", "GRANTS")
    words.end()
    _check_grantor(session, target)
    with account.change():
        if target.scope is not None:
            account.futures = [f for f in account.futures if (f.scope, f.kind, f.privilege) != (target.scope, target.kind, "OWNERSHIP")]
            account.futures.append(Future(target.scope, target.kind, "OWNERSHIP", role))
        for name in target.names:
            found = account.get(target.kind, name)
            if found.grants and not carried and found.owner != role:
                raise RefusedError(
                    "003036", "0A000", f"SQL execution error:\nDependent grant of privilege on '{shown(name)}' must be revoked first."
                )
            if carried == "REVOKE":
                found.grants.clear()
            found.owner = role
    return done()


def _privileges(session: Session, words: Words, verb: str) -> Answer:
    if words.take("GRANT", "OPTION"):
        raise unsupported("GRANT OPTION")
    asked = _asked(words)
    target = _target(session, words)
    role = _grantee(session, words, "TO" if verb == "GRANT" else "FROM")
    if words.take("WITH", "GRANT", "OPTION"):
        raise unsupported("WITH GRANT OPTION")
    if verb == "REVOKE":
        words.take_any("RESTRICT", "CASCADE")
    words.end()
    known = OF[target.kind]
    wanted = list(known) if asked in (["ALL"], ["ALL PRIVILEGES"]) else asked
    for privilege in wanted:
        if privilege not in known and not (verb == "REVOKE" and privilege == "OWNERSHIP" and target.scope is not None):
            raise invalid(f"Privilege {privilege} is not valid on {target.kind}.")
    _check_grantor(session, target)
    with session.account.change():
        (_give if verb == "GRANT" else _take)(session.account, target, wanted, role)
    return done()


def _give(account: Account, target: Target, wanted: list[str], role: str) -> None:
    for name in target.names:
        held = account.get(target.kind, name).grants.setdefault(role, [])
        held += [p for p in wanted if p not in held]
    if target.scope is not None:
        made = [Future(target.scope, target.kind, p, role) for p in wanted]
        account.futures += [f for f in made if f not in account.futures]


def _take(account: Account, target: Target, wanted: list[str], role: str) -> None:
    for name in target.names:
        grants = account.get(target.kind, name).grants
        left = [p for p in grants.pop(role, []) if p not in wanted]
        if left:
            grants[role] = left
    gone = {Future(target.scope, target.kind, p, role) for p in wanted} if target.scope is not None else set()
    account.futures = [f for f in account.futures if f not in gone]


def _asked(words: Words) -> list[str]:
    found, one = [], ""
    while not words.take("ON"):
        if words.take(","):
            found.append(one)
            one = ""
        else:
            one = f"{one} {words.part()}".strip()
    return [*found, one]


def _target(session: Session, words: Words) -> Target:
    account = session.account
    if words.take("ACCOUNT"):
        return Target("ACCOUNT", ((),))
    if many := words.take_any("ALL", "FUTURE"):
        plural = words.take_any(*sorted(PLURALS, key=len, reverse=True))
        words.need("IN")
        within = words.take_any("SCHEMA", "DATABASE")
        if not plural or not within or (PLURALS[plural], within) == ("SCHEMA", "SCHEMA"):
            raise words.wrong()
        scope, kind = session.resolve(within, words.name()), PLURALS[plural]
        account.get(within, scope)
        if many == "FUTURE":
            return Target(kind, (), scope)
        return Target(kind, tuple(n for k, n in account.objects if k == kind and n[: len(scope)] == scope))
    kind = words.take_any(*sorted(OF, key=len, reverse=True))
    if not kind:
        raise words.wrong()
    name = session.resolve(kind, words.name())
    if not (session.admin or session.may("MANAGE GRANTS", "ACCOUNT")) and not account.privileges(session.role, kind, name):
        raise hidden(kind, name)
    account.get(kind, name)
    return Target(kind, (name,))


def _grantee(session: Session, words: Words, link: str) -> str:
    words.need(link)
    words.take("ROLE")
    role = words.part()
    session.account.get("ROLE", (role,))
    return role


def _check_grantor(session: Session, target: Target) -> None:
    if session.may("MANAGE GRANTS", "ACCOUNT"):
        return
    if target.scope is not None or target.kind == ACCOUNT[0]:
        raise insufficient("ACCOUNT", ())  # to come, or the account's own: only who manages grants
    for name in target.names:
        if not _owns(session, session.account.get(target.kind, name)):
            raise insufficient(target.kind, name)


def _owns(session: Session, target: Object) -> bool:
    return session.admin or target.owner in session.account.below(session.role)
