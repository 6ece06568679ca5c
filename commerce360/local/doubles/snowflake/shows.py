"""SHOW, DESCRIBE USER, USE and ALTER SESSION: what the engine does not know of sessions and the account."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable
from typing import Any

from commerce360.local.doubles.snowflake import tokens
from commerce360.local.doubles.snowflake.account import Account, Object
from commerce360.local.doubles.snowflake.answers import Answer, done, moment, table
from commerce360.local.doubles.snowflake.privileges import OF
from commerce360.local.doubles.snowflake.refusals import Name, hidden, invalid, shown, unsupported
from commerce360.local.doubles.snowflake.session import Session, literal
from commerce360.local.doubles.snowflake.words import Words

GRANTS = ("created_on", "privilege", "granted_on", "name", "granted_to", "grantee_name", "grant_option", "granted_by")
MEMBERS = ("created_on", "role", "granted_to", "grantee_name", "granted_by")
FUTURE = ("created_on", "privilege", "grant_on", "name", "grant_to", "grantee_name", "grant_option")
OWN = {  # what is listed -> kind
    "ROLES": "ROLE",
    "USERS": "USER",
    "WAREHOUSES": "WAREHOUSE",
    "MASKING POLICIES": "MASKING POLICY",
    "ROW ACCESS POLICIES": "ROW ACCESS POLICY",
    "NETWORK POLICIES": "NETWORK POLICY",
    "NETWORK RULES": "NETWORK RULE",
    "RESOURCE MONITORS": "RESOURCE MONITOR",
}
ENGINE = (
    "TABLES",
    "VIEWS",
    "OBJECTS",
    "SCHEMAS",
    "DATABASES",
    "COLUMNS",
    "STAGES",
    "SEQUENCES",
    "FILE",
    "PRIMARY",
    "UNIQUE",
    "IMPORTED",
    "TERSE",
)


def run(session: Session, words: Words) -> Answer | None:
    if words.take("SHOW"):
        return _show(session, words)
    if words.take("USE"):
        return _use(session, words)
    if words.take("ALTER", "SESSION"):
        return _alter_session(session, words)
    if words.take_any("DESCRIBE USER", "DESC USER"):
        return _describe_user(session, words.part())
    return None


def _show(session: Session, words: Words) -> Answer | None:
    if words.take("GRANTS"):
        return _grants(session, words)
    if words.take("FUTURE", "GRANTS"):
        return _future(session, words)
    if words.take("PARAMETERS"):
        found = sorted(session.parameters.items())
        return _like(words, table(("key", "value", "default", "level"), ((k, v, "", "SESSION") for k, v in found)), 0)
    if listed := words.take_any(*OWN):
        return _listed(session, words, OWN[listed])
    if not any(words.sees(w) for w in ENGINE):
        raise unsupported(f"SHOW {words.next.text if words.next else ''}")
    return None


def _listed(session: Session, words: Words, kind: str) -> Answer:
    account = session.account
    found = [o for (k, _), o in sorted(account.objects.items()) if k == kind and _may_see(session, o)]
    columns = LISTS.get(kind, _plain_columns(kind))
    return _like(
        words, table(tuple(columns), ([value(account, o) for value in columns.values()] for o in found)), list(columns).index("name")
    )


def _may_see(session: Session, one: Object) -> bool:
    """Roles and users are seen by everybody, as in Snowflake; other things with any privilege on them."""
    return session.admin or one.kind in ("ROLE", "USER") or bool(session.account.privileges(session.role, one.kind, one.name))


Columns = dict[str, Callable[[Account, Object], Any]]


def _property(key: str, default: str = "") -> Callable[[Account, Object], Any]:
    return lambda _, one: one.properties.get(key, default)


def _plain_columns(kind: str) -> Columns:
    columns: Columns = {"created_on": lambda _, o: moment(o.created), "name": lambda _, o: o.name[-1]}
    if kind.endswith(("POLICY", "RULE")) and kind != "NETWORK POLICY":
        columns |= {
            "database_name": lambda _, o: o.name[0],
            "schema_name": lambda _, o: o.name[1],
            "kind": lambda _, o: o.kind.replace(" ", "_"),
        }
    columns |= {"owner": lambda _, o: o.owner, "comment": _property("COMMENT")}
    return columns | {"properties": lambda _, o: _text(o.properties)}


LISTS: dict[str, Columns] = {
    "ROLE": {
        "created_on": lambda _, o: moment(o.created),
        "name": lambda _, o: o.name[-1],
        "assigned_to_users": lambda a, o: sum(k[0] == "USER" and o.name[0] in m for k, m in a.members.items()),
        "granted_to_roles": lambda a, o: sum(k[0] == "ROLE" and o.name[0] in m for k, m in a.members.items()),
        "granted_roles": lambda a, o: len(a.members.get(("ROLE", o.name), ())),
        "owner": lambda _, o: o.owner,
        "comment": _property("COMMENT"),
    },
    "USER": {
        "name": lambda _, o: o.name[-1],
        "created_on": lambda _, o: moment(o.created),
        "login_name": lambda _, o: o.properties.get("LOGIN_NAME", o.name[-1]),
        "disabled": _property("DISABLED", "false"),
        "comment": _property("COMMENT"),
        "default_warehouse": _property("DEFAULT_WAREHOUSE"),
        "default_namespace": _property("DEFAULT_NAMESPACE"),
        "default_role": _property("DEFAULT_ROLE"),
        "default_secondary_roles": _property("DEFAULT_SECONDARY_ROLES"),
        "owner": lambda _, o: o.owner,
        "has_rsa_public_key": lambda _, o: str(bool(o.properties.get("RSA_PUBLIC_KEY"))).lower(),
        "type": _property("TYPE"),
    },
    "WAREHOUSE": {
        "name": lambda _, o: o.name[-1],
        "state": lambda _, __: "STARTED",
        "type": _property("WAREHOUSE_TYPE", "STANDARD"),
        "size": _property("WAREHOUSE_SIZE", "XSMALL"),
        "auto_suspend": _property("AUTO_SUSPEND", "600"),
        "auto_resume": _property("AUTO_RESUME", "true"),
        "created_on": lambda _, o: moment(o.created),
        "owner": lambda _, o: o.owner,
        "comment": _property("COMMENT"),
        "resource_monitor": _property("RESOURCE_MONITOR", "null"),
    },
}


def _grants(session: Session, words: Words) -> Answer:
    account = session.account
    if words.take("TO", "USER"):
        user = words.part()
        account.get("USER", (user,))
        return table(MEMBERS, ((None, r, "USER", user, "") for r in sorted(account.members.get(("USER", (user,)), ()))))
    if words.take("OF", "ROLE"):
        role = words.part()
        account.get("ROLE", (role,))
        held = sorted(key for key, members in account.members.items() if role in members)
        return table(MEMBERS, ((None, role, kind, name[-1], "") for kind, name in held))
    if words.take("ON"):
        return _grants_on(session, words)
    words.take("TO", "ROLE")
    role = words.part() if words.next else session.role
    account.get("ROLE", (role,))
    rows: list[tuple[str, str, Name]] = [("USAGE", "ROLE", (r,)) for r in account.members.get(("ROLE", (role,)), ())]
    for (kind, name), one in account.objects.items():
        rows += [(p, kind, name) for p in one.grants.get(role, ())] + ([("OWNERSHIP", kind, name)] if one.owner == role else [])
    return table(GRANTS, ((None, p, k.replace(" ", "_"), shown(n) or account.name, "ROLE", role, "false", "") for p, k, n in sorted(rows)))


def _grants_on(session: Session, words: Words) -> Answer:
    kind = words.take_any(*sorted(OF, key=len, reverse=True))
    if not kind:
        raise words.wrong()
    name = () if kind == "ACCOUNT" else session.resolve(kind, words.name())
    one = session.account.get(kind, name)
    if not _may_see(session, one):
        raise hidden(kind, name)
    rows = sorted([(p, r) for r, privileges in one.grants.items() for p in privileges] + [("OWNERSHIP", one.owner)])
    return table(GRANTS, ((None, p, kind.replace(" ", "_"), shown(name), "ROLE", r, "false", one.owner) for p, r in rows))


def _future(session: Session, words: Words) -> Answer:
    futures: Iterable[Any] = session.account.futures
    if words.take("TO", "ROLE"):
        role = words.part()
        futures = [f for f in futures if f.role == role]
    else:
        words.need("IN")
        kind = words.take_any("SCHEMA", "DATABASE")
        scope = session.resolve(kind, words.name())
        futures = [f for f in futures if f.scope == scope]
    found = sorted((f.privilege, f.kind.replace(" ", "_"), f"{shown(f.scope)}.<{f.kind}>", f.role) for f in futures)
    return table(FUTURE, ((None, p, k, n, "ROLE", r, "false") for p, k, n, r in found))


def _like(words: Words, answer: Answer, column: int) -> Answer:
    if words.take("LIKE"):
        pattern = words.string().upper().replace("%", "*").replace("_", "?")
        answer = Answer(answer.columns, [r for r in answer.rows if fnmatch.fnmatchcase(str(r[column]).upper(), pattern)])
    if words.take("IN"):
        words.rest()
    words.end()
    return answer


def _describe_user(session: Session, name: str) -> Answer:
    found = session.account.get("USER", (name,))
    if not (session.may("OWNERSHIP", "USER", (name,)) or name == session.user):
        raise hidden("USER", (name,))
    known = {"NAME": name, **found.properties}
    for key in ("RSA_PUBLIC_KEY", "RSA_PUBLIC_KEY_2"):
        if known.get(key):
            known[f"{key}_FP"] = tokens.fingerprint(known[key])
    return table(("property", "value", "default", "description"), ((k, v, None, "") for k, v in sorted(known.items())))


def _use(session: Session, words: Words) -> Answer | None:
    if words.take("ROLE"):
        (role,) = words.name()
        if role not in session.account.roles_of(session.user):
            raise hidden("ROLE", (role,))
        session.role = role
        return done()
    if words.take("WAREHOUSE"):
        name = words.name()
        if not session.account.privileges(session.role, "WAREHOUSE", name) and not (
            session.admin and ("WAREHOUSE", name) in session.account.objects
        ):
            raise hidden("WAREHOUSE", name)
        session.warehouse = name[0]
        return done()
    if words.take("SECONDARY", "ROLES"):
        if not words.take("NONE"):
            raise unsupported("SECONDARY ROLES")
        return done()
    kind = words.take_any("DATABASE", "SCHEMA") or ("SCHEMA" if len(words.tokens) > 2 else "DATABASE")
    name = session.resolve(kind, words.name())
    words.end()
    account = session.account
    if not account.reaches(session.role, kind, name) or not (session.admin or account.privileges(session.role, kind, name)):
        raise hidden(kind, name)
    account.get(kind, name)
    return None


def _alter_session(session: Session, words: Words) -> Answer | None:
    if words.sees("SET", "AUTOCOMMIT"):
        return None
    if words.take("UNSET"):
        session.parameters.pop(words.part(), None)
        return done()
    words.need("SET")
    for key, value in words.properties().items():
        if key == "TIMEZONE" and value.upper() not in ("UTC", "ETC/UTC"):
            raise invalid(f"The local Snowflake has no time zone but UTC, not {literal(value)}.")
        session.parameters[key] = value
    return done()


def _text(properties: dict[str, Any]) -> str:
    return ", ".join(f"{k}={v}" for k, v in sorted(properties.items()) if k != "COMMENT")
