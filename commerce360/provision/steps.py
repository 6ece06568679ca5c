"""The steps of `c360 provision`, in the order in which they need each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from commerce360.errors import ConfigError
from commerce360.settings import Settings, read_secret
from connect_configs.cluster import Cluster, Login

Say = Callable[[str], None]
Step = Callable[[Settings, Mapping[str, str], Say], list[str]]


def _database(settings: Settings, _: Mapping[str, str], __: Say) -> list[str]:
    from commerce360.provision import database

    return database.prepare(settings)


def _topics(settings: Settings, _: Mapping[str, str], __: Say) -> list[str]:
    from commerce360.provision import topics

    return topics.prepare(settings)


def _schemas(settings: Settings, _: Mapping[str, str], __: Say) -> list[str]:
    from commerce360.provision import registry

    return registry.prepare(settings)


def _warehouse(settings: Settings, _: Mapping[str, str], say: Say) -> list[str]:
    from commerce360.provision import warehouse

    return warehouse.prepare(settings, say)


def _connectors(settings: Settings, environ: Mapping[str, str], say: Say) -> list[str]:
    from commerce360.provision import connectors

    return connectors.prepare(cluster(settings, environ), settings.state / "data" / "connect" / "offsets", say)


STEPS: Mapping[str, Step] = {
    "database": _database,
    "topics": _topics,
    "schemas": _schemas,
    "warehouse": _warehouse,
    "connectors": _connectors,
}


def named(names: list[str]) -> list[str]:
    """In their order; all for none. Raises ConfigError for one that there is not."""
    if unknown := [name for name in names if name not in STEPS]:
        raise ConfigError(f"there is no step {', '.join(unknown)}", f"the steps are {', '.join(STEPS)}")
    return [name for name in STEPS if name in names or not names]


def cluster(settings: Settings, environ: Mapping[str, str]) -> Cluster:
    """The Connect cluster, with what its worker sees of the sources: the `C360_SOURCE_*` variables, which must be given here, too."""
    from connect_configs.client import Connect
    from connect_configs.http import Access
    from connect_configs.variables import Variables, of_environment

    admin = read_secret(settings.provision.postgres_password_file, "password of PostgreSQL's administrator").get_secret_value()
    return Cluster(
        "provision",
        Connect(settings.connect.url, access=Access.of(settings.connect), patience_s=60.0),
        Variables(of_environment(environ)),
        Login(settings.provision.postgres_user, admin),
        {name: str(value) for name, value in settings.kafka.client().items()},
        settings.registry.url,
    )
