"""Engines with what this machine has: the jars and the Java of the local stack, the account of the settings."""

from __future__ import annotations

from commerce360.conformance.runner import EngineError
from commerce360.conformance.snowflake import SnowflakeEngine
from commerce360.conformance.spark import SparkEngine
from commerce360.errors import C360Error
from commerce360.local import addresses
from commerce360.local.bootstrap import jars, java
from commerce360.settings import Lake, Settings


def spark() -> SparkEngine:
    return SparkEngine(_lake("spark"))


def snowflake() -> SnowflakeEngine:
    addresses.isolate()
    return SnowflakeEngine(_lake("snowflake"), Settings())


def _lake(engine: str) -> Lake:
    """Raises EngineError when Java or Spark's jars are not here."""
    given = Settings().lake
    if given.jars:
        return given
    hint = "run `c360 setup`"
    try:
        found, home = jars.spark_jars(), java.find_java(17)
    except C360Error as error:
        raise EngineError(f"engine {engine} cannot be started: {error.message}", hint) from error
    if not found:
        raise EngineError(f"engine {engine} cannot be started: Spark's jars are not here", hint)
    return given.model_copy(update={"jars": found, "java_home": str(java.spark_java_home(home))})
