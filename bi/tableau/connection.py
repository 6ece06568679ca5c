"""The live connection to Snowflake in Tableau's XML: made for an environment, and rewritten for another one.

The attributes are those of public workbooks with class `snowflake`; a connection's attributes are not in Tableau's schema, and none of
these was opened in Tableau here. `one-time-sql` is what Tableau calls Initial SQL: it runs at connect, not at a refresh of a view.
"""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from bi.tableau.environments import Environment
from bi.tableau.xml import add, document, hexadecimal
from commerce360.errors import ConfigError

AUTHENTICATION = {"oauth": "oauth", "keypair": "auth-keypair"}
TABLE = re.compile(r"\[(?P<database>[^\]]+)\]\.\[(?P<schema>[^\]]+)\]\.\[(?P<name>[^\]]+)\]")


def query_tag(**parts: str) -> str:
    """The statement after which QUERY_HISTORY says for each query where it comes from."""
    text = json.dumps({"app": "tableau", **parts}, separators=(",", ":")).replace("'", "''")
    return f"ALTER SESSION SET QUERY_TAG = '{text}'"


def connection(parent: Element, source: str, environment: Environment, initial_sql: str) -> tuple[Element, str]:
    """A federated connection with one named connection; the element, to be filled with relations, and the connection's name."""
    federated = add(parent, "connection", class_="federated")
    name = f"snowflake.{hexadecimal(source)[:28]}"
    named = add(add(federated, "named-connections"), "named-connection", caption=environment.host, name=name)
    made = add(named, "connection", class_="snowflake", odbc_connect_string_extras="", one_time_sql=initial_sql, schema="CORE")
    _point(made, environment)
    return federated, name


def for_environment(xml: bytes, environment: Environment) -> bytes:
    """The same file, asking the account, database, warehouse and role of `environment`. Raises ConfigError for a file without Snowflake."""
    root = ET.fromstring(xml)
    found = [c for c in root.iter("connection") if c.get("class") == "snowflake"]
    if not found:
        raise ConfigError("there is no connection to Snowflake in the file", "was it made by `c360 bi build`?")
    old = {c.get("dbname", "") for c in found}
    for made in found:
        _point(made, environment)
    for named in root.iter("named-connection"):
        named.set("caption", environment.host)
    for relation in root.iter("relation"):
        if (table := TABLE.fullmatch(relation.get("table", ""))) and table["database"] in old:
            relation.set("table", f"[{environment.database}].[{table['schema']}].[{table['name']}]")
    return document(root)


def _point(element: Element, environment: Environment) -> None:
    element.set("authentication", AUTHENTICATION[environment.authentication])
    element.set("server", environment.host)
    element.set("dbname", environment.database)
    element.set("service", environment.role)
    element.set("warehouse", environment.warehouse)
    element.set("username", environment.user)
