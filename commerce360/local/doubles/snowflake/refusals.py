"""How this server says no, with Snowflake's codes: clients tell "may not" from "is not there" by them."""

from __future__ import annotations

Name = tuple[str, ...]  # parts of an object's name, as kept: folded to upper case unless it names a role or a user in quotes


class RefusedError(Exception):
    """A statement that is not run."""

    def __init__(self, code: str, sql_state: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.sql_state = sql_state
        self.message = message


def unsupported(what: str) -> RefusedError:
    return RefusedError("000002", "0A000", f"Unsupported feature '{what}': the local Snowflake does not know it.")


def syntax(near: str) -> RefusedError:
    return RefusedError("001003", "42000", f"SQL compilation error:\nsyntax error, unexpected '{near}'.")


def invalid(message: str) -> RefusedError:
    return RefusedError("001008", "22023", f"SQL compilation error:\n{message}")


def exists_already(kind: str, name: Name) -> RefusedError:
    return RefusedError("002002", "42710", f"SQL compilation error:\n{kind.capitalize()} '{shown(name)}' already exists.")


def hidden(kind: str, name: Name) -> RefusedError:
    """Not there, or not for this role: a stranger cannot tell which."""
    return RefusedError("002003", "02000", f"SQL compilation error:\n{kind.capitalize()} '{shown(name)}' does not exist or not authorized.")


def insufficient(kind: str, name: Name) -> RefusedError:
    on = f"{kind.lower()} '{name[-1]}'" if name else "account"
    return RefusedError("003001", "42501", f"SQL access control error:\nInsufficient privileges to operate on {on}.")


def shown(name: Name) -> str:
    return ".".join(part if part.isidentifier() and part == part.upper() else quoted(part) for part in name)


def quoted(part: str) -> str:
    return '"' + part.replace('"', '""') + '"'
