"""CREATE, ALTER and DROP of what stands above databases: roles, users, warehouses, network policies and rules, resource monitors."""

from __future__ import annotations

from commerce360.local.doubles.snowflake import tokens
from commerce360.local.doubles.snowflake.account import ACCOUNT, ADMIN_USER, PREDEFINED
from commerce360.local.doubles.snowflake.answers import Answer, done
from commerce360.local.doubles.snowflake.refusals import Name, exists_already, insufficient, invalid, shown
from commerce360.local.doubles.snowflake.session import Session
from commerce360.local.doubles.snowflake.words import Words

USER_PROPERTIES = (
    *(
        "RSA_PUBLIC_KEY",
        "RSA_PUBLIC_KEY_2",
        "DEFAULT_ROLE",
        "DEFAULT_WAREHOUSE",
        "DEFAULT_NAMESPACE",
        "DEFAULT_SECONDARY_ROLES",
        "TYPE",
        "COMMENT",
    ),
    *("DISABLED", "NETWORK_POLICY", "LOGIN_NAME", "DISPLAY_NAME", "EMAIL", "MUST_CHANGE_PASSWORD"),
)
MONITOR_PROPERTIES = ("CREDIT_QUOTA", "FREQUENCY", "START_TIMESTAMP", "END_TIMESTAMP", "NOTIFY_USERS", "TRIGGERS")
PROPERTIES: dict[str, tuple[str, ...]] = {  # () is every one: kept and shown, nothing here acts on them
    "ROLE": ("COMMENT",),
    "USER": USER_PROPERTIES,
    "WAREHOUSE": (
        *("WAREHOUSE_TYPE", "WAREHOUSE_SIZE", "MAX_CLUSTER_COUNT", "MIN_CLUSTER_COUNT", "SCALING_POLICY", "AUTO_SUSPEND", "AUTO_RESUME"),
        *("INITIALLY_SUSPENDED", "RESOURCE_MONITOR", "COMMENT", "ENABLE_QUERY_ACCELERATION", "QUERY_ACCELERATION_MAX_SCALE_FACTOR"),
        *("MAX_CONCURRENCY_LEVEL", "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS", "STATEMENT_TIMEOUT_IN_SECONDS", "GENERATION"),
    ),
    "NETWORK POLICY": ("ALLOWED_NETWORK_RULE_LIST", "BLOCKED_NETWORK_RULE_LIST", "ALLOWED_IP_LIST", "BLOCKED_IP_LIST", "COMMENT"),
    "NETWORK RULE": ("TYPE", "VALUE_LIST", "MODE", "COMMENT"),
    "RESOURCE MONITOR": MONITOR_PROPERTIES,
}
KINDS = tuple(PROPERTIES)


def run(session: Session, words: Words) -> Answer | None:
    if words.take("ALTER", "ACCOUNT"):
        return _alter_account(session, words)
    verb = words.take_any("CREATE", "ALTER", "DROP")
    replace = verb == "CREATE" and words.take("OR", "REPLACE")
    kind = words.take_any(*KINDS)
    if not kind:
        return None
    if verb == "CREATE":
        return _create(session, words, kind, replace)
    return (_alter if verb == "ALTER" else _drop)(session, words, kind)


def _create(session: Session, words: Words, kind: str, replace: bool) -> Answer:
    account, lenient = session.account, words.take("IF", "NOT", "EXISTS")
    name = session.resolve(kind, words.name())
    around, on = (name[:2], "SCHEMA") if kind == "NETWORK RULE" else ((), "ACCOUNT")
    if around:
        account.get(on, around)
    session.need(f"CREATE {kind}", on, around)
    words.take("WITH")
    properties = _properties(words, kind)
    if (kind, name) in account.objects:
        if lenient and not replace:
            return done(f"{shown(name)} already exists, statement succeeded.")
        if not replace:
            raise exists_already(kind, name)
        _check_owner(session, kind, name)
        _check_replaceable(kind, name)
    with account.change():
        account.remove(kind, name)
        account.add(kind, name, session.role, **properties)
    return done(f"{kind.capitalize()} {shown(name)} successfully created.")


def _alter(session: Session, words: Words, kind: str) -> Answer:
    account, lenient = session.account, words.take("IF", "EXISTS")
    name = session.resolve(kind, words.name())
    if lenient and (kind, name) not in account.objects:
        return done()
    found = account.get(kind, name)
    if not (kind == "WAREHOUSE" and (session.may("MODIFY", kind, name) or session.may("OPERATE", kind, name))):
        _check_owner(session, kind, name)
    if kind == "WAREHOUSE" and words.take_any("SUSPEND", "RESUME IF SUSPENDED", "RESUME", "ABORT ALL QUERIES"):
        words.end()
        return done()
    if words.take("UNSET"):
        with account.change():
            while words.next is not None:
                found.properties.pop(words.part(), None)
                words.take(",")
        return done()
    words.need("SET")
    properties = _properties(words, kind)
    with account.change():
        found.properties.update(properties)
    return done()


def _alter_account(session: Session, words: Words) -> Answer:
    session.need("OWNERSHIP", *ACCOUNT)
    properties = session.account.get(*ACCOUNT).properties
    with session.account.change():
        if words.take("UNSET"):
            properties.pop(words.part(), None)
        else:
            words.need("SET")
            properties.update(words.properties())
    return done()


def _drop(session: Session, words: Words, kind: str) -> Answer:
    account, lenient = session.account, words.take("IF", "EXISTS")
    name = session.resolve(kind, words.name())
    words.end()
    if lenient and (kind, name) not in account.objects:
        return done(f"Drop statement executed successfully ({shown(name)} already dropped).")
    account.get(kind, name)
    _check_owner(session, kind, name)
    _check_replaceable(kind, name)
    with account.change():
        account.remove(kind, name)
    return done(f"{shown(name)} successfully dropped.")


def _properties(words: Words, kind: str) -> dict[str, str]:
    found = {}
    if kind == "RESOURCE MONITOR":
        words.take("WITH")
    while words.next is not None:
        key = words.part()
        if kind == "RESOURCE MONITOR" and key == "TRIGGERS":
            found[key] = words.rest()
            continue
        words.need("=")
        if key not in PROPERTIES[kind]:
            raise invalid(f"invalid property '{key}' for '{kind}'")
        found[key] = words.value()
        words.take(",")
    return _checked(found)


def _checked(properties: dict[str, str]) -> dict[str, str]:
    for key in ("RSA_PUBLIC_KEY", "RSA_PUBLIC_KEY_2"):
        if properties.get(key):
            readable = tokens.readable_key(properties[key])
            if readable is None:
                raise invalid("New public key rejected by current policy. Reason: 'Invalid public key'")
            properties[key] = readable
    for key in ("DEFAULT_ROLE", "DEFAULT_WAREHOUSE", "NETWORK_POLICY", "RESOURCE_MONITOR"):
        if key in properties:
            properties[key] = properties[key].upper() if properties[key].isidentifier() else properties[key]
    return properties


def _check_owner(session: Session, kind: str, name: Name) -> None:
    if not session.may("OWNERSHIP", kind, name):
        raise insufficient(kind, name)


def _check_replaceable(kind: str, name: Name) -> None:
    if (kind == "ROLE" and name[0] in PREDEFINED) or (kind, name) == ("USER", (ADMIN_USER,)):
        raise insufficient(kind, name)
