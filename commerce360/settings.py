"""Every address, path and secret the platform needs, from the environment (`C360_`, nested with `__`).

The local stack computes the same variables for its services, so that a service cannot tell a laptop from a cloud.
Secrets are read from files that the settings name; their values stand in no argument list and no log.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, StringConstraints, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from commerce360 import kafka
from commerce360.errors import ConfigError

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def read_secret(path: Path | None, what: str) -> SecretStr:
    """The content of a secret file without its line end. Raises ConfigError when it is not there."""
    if path is None or not path.is_file():
        raise ConfigError(f"the {what} is not set: no file at {path}", "run `c360 up` first, or set the *_FILE variable of that secret")
    return SecretStr(path.read_text().rstrip("\n"))


def _list(given: object) -> object:
    """Text, as the environment has it, as a list. Raises ValueError."""
    if not isinstance(given, str):
        return given
    text = given.strip()
    try:
        return json.loads(text) if text.startswith("[") else [part.strip() for part in text.split(",") if part.strip()]
    except ValueError:
        raise ValueError(f'{text!r} is no list: write DE,FR or ["DE", "FR"]') from None


class Kafka(BaseModel):
    bootstrap: str = "127.0.0.1:19092"
    profile: Literal["plain", "eventhubs"] = "plain"  # what clients are told: nothing more, or what Azure Event Hubs needs
    auth: Literal["password", "entra"] = "password"  # at Event Hubs: a connection string in the password file, or Microsoft Entra ID
    config: dict[str, str] = Field(default={}, repr=False)  # more of librdkafka, stronger than the profile; JSON in the environment
    sasl_password_file: Path | None = None  # with sasl.password, which has no place in the environment
    shaded: str = ""  # before the names of Kafka's classes in Spark: `kafkashaded.` on Databricks

    def client(self, **more: str | int | float | bool) -> kafka.Config:
        """librdkafka configuration; names as in its CONFIGURATION.md. Consumers read committed records only (its default).

        No broker.address.family: librdkafka would ask for addresses of that family with AI_ADDRCONFIG, and a machine without a network
        has none but loopback, which does not count.
        """
        return {**self._own(), "log_level": 3, **more}

    def producer(self, **defaults: str | int | float | bool) -> kafka.Config:
        """As `client`, but what is configured is stronger than `defaults`: which compression a server takes is not the program's choice."""
        return {"log_level": 3, **defaults, **self._own()}

    def spark(self) -> dict[str, str]:
        """Options of Spark's Kafka source: where, and how to sign in. It holds the password: never log it.

        Raises ConfigError for what Spark's client cannot do.
        """
        own = self._own(tokens=False)
        return {"kafka.bootstrap.servers": self.bootstrap, **{f"kafka.{k}": v for k, v in kafka.java(own, self.shaded).items()}}

    def _own(self, tokens: bool = True) -> kafka.Config:
        """It holds the password: never log it. With `tokens`, what fetches those of Entra ID is in it."""
        made: kafka.Config = {}
        if self.profile == "eventhubs":
            made |= {**kafka.EVENT_HUBS, **(kafka.ENTRA if self.auth == "entra" else kafka.CONNECTION_STRING)}
        made |= {**self.config, "bootstrap.servers": self.bootstrap}
        signs_in = self.profile == "eventhubs" and self.auth == "password" and "sasl.password" not in made
        if self.sasl_password_file is not None or signs_in:
            made["sasl.password"] = read_secret(self.sasl_password_file, "SASL password of Kafka").get_secret_value()
        if self.auth == "entra" and tokens:
            made["oauth_cb"] = kafka.entra(self.bootstrap)
        return made

    @model_validator(mode="after")
    def _fitting(self) -> Kafka:
        if self.auth == "entra" and (self.profile != "eventhubs" or self.sasl_password_file is not None):
            raise ValueError("entra is of the profile eventhubs, and has no password file")
        return self


class EventHubs(BaseModel):
    """Azure Event Hubs by its own protocol. By Kafka's, it is a `Kafka` like any other."""

    connection_string_file: Path | None = None  # of the namespace or of one hub; it says where and who
    namespace: str = ""  # <name>.servicebus.windows.net: without a connection string, by azure-identity's default credential
    name: str = ""  # of the hub; empty is the connection string's, or else the topic's
    transport: Literal["amqp", "websocket"] = "amqp"  # port 5671 or 443
    delivery_timeout_s: float = Field(default=120.0, gt=0)  # from sending to an acknowledgement, retries included
    max_open_events: int = Field(default=20_000, ge=1)  # sent and not acknowledged
    max_open_bytes: int = Field(default=64 * 1024 * 1024, ge=1)


def _is_private(url: str) -> bool:
    """Whether a password may be sent there."""
    address = urlsplit(url)
    return address.scheme == "https" or (address.scheme == "http" and address.hostname in LOOPBACK)


class Endpoint(BaseModel):
    """A server that is asked by HTTP, and how it lets us in: not at all, by name and password, or by a token."""

    url: str
    user: str = ""
    password_file: Path | None = None  # of the user
    token_file: Path | None = None  # a bearer token, instead
    ca_file: Path | None = None  # whom its certificate must be signed by; None: the machine's own list

    def password(self) -> str:
        """Never log it."""
        return read_secret(self.password_file, f"password of {self.user} at {self.url}").get_secret_value() if self.user else ""

    def token(self) -> str:
        """Never log it."""
        return read_secret(self.token_file, f"token for {self.url}").get_secret_value() if self.token_file else ""

    def http(self) -> dict[str, Any]:
        """Arguments of a call of `requests`; read anew at each, so that a secret may be renewed. Never log them."""
        made: dict[str, Any] = {"verify": str(self.ca_file)} if self.ca_file else {}
        if self.user:
            made["auth"] = (self.user, self.password())
        elif token := self.token():
            made["headers"] = {"Authorization": f"Bearer {token}"}
        return made

    @field_validator("url")
    @classmethod
    def _bare(cls, given: str) -> str:
        """An address is shown in messages."""
        if any("@" in address.partition("://")[2].partition("/")[0] for address in given.split(",")):
            raise ValueError("the address holds a user or a password: set *__USER and *__PASSWORD_FILE")
        return given

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if self.token_file and (self.user or self.password_file):
            raise ValueError("a user or a token, not both")
        if self.password_file and not self.user:
            raise ValueError("a password file without a user: set *__USER")
        if (self.user or self.token_file) and not all(_is_private(address.strip()) for address in self.url.split(",")):
            raise ValueError("a password or a token would go over the network in plain text: the address must begin with https://")
        return self


class Registry(Endpoint):
    url: str = "http://127.0.0.1:19081/apis/ccompat/v7"  # Confluent-compatible API root


class Connect(Endpoint):
    url: str = "http://127.0.0.1:19083"


class Postgres(BaseModel):
    host: str = "127.0.0.1"
    port: int = 19032
    dbname: str = "commerce"
    user: str = "shop"
    password_file: Path | None = None
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = "prefer"  # in a cloud: verify-full
    sslrootcert: str = ""  # a file of authorities, or `system` for the machine's own list; empty is libpq's own place

    def conninfo(self) -> str:
        """A libpq connection string for psycopg. It holds the password: never log it."""
        from psycopg.conninfo import make_conninfo

        secret = read_secret(self.password_file, f"PostgreSQL password of {self.user}").get_secret_value()
        tls = {"sslmode": self.sslmode, **({"sslrootcert": self.sslrootcert} if self.sslrootcert else {})}
        return make_conninfo("", host=self.host, port=self.port, dbname=self.dbname, user=self.user, password=secret, **tls)


class Mongo(BaseModel):
    uri: str = "mongodb://127.0.0.1:19017/?replicaSet=secantus&retryWrites=false&serverMonitoringMode=poll"
    uri_file: Path | None = None  # with the whole address, where it holds a password; stronger than `uri`
    database: str = "shop"

    def address(self) -> str:
        """For pymongo. It may hold a password: never log it."""
        return self.uri if self.uri_file is None else read_secret(self.uri_file, "address of MongoDB").get_secret_value()


class Lake(BaseModel):
    root: str = "build/state/default/data/lake"  # a path, file:// or abfss:// address
    checkpoint: str = "build/state/default/data/lake-checkpoint"  # the same kinds
    # How ADLS is asked. none: files, or whoever runs the process sees to it.
    auth: Literal["none", "key", "workload", "managed", "principal"] = "none"
    account_key_file: Path | None = None  # key
    tenant_id: str = ""  # workload, principal; empty: the environment's own, as in a pod with workload identity
    client_id: str = ""  # workload, principal; of a user-assigned identity also for managed
    client_secret_file: Path | None = None  # principal
    token_file: Path | None = None  # workload: the federated token
    endpoint: str = ""  # https://host:port of a stand-in of ADLS; empty: Azure
    ca_file: Path | None = None  # private CA of the stand-in
    lease_s: float = Field(default=60.0, ge=1.0)  # without a sign of life of the lake job of another machine, until a new one takes over
    trigger_s: float = 0.0
    max_offsets_per_trigger: int = 20_000
    driver_memory: str = "1g"
    cores: int = 2
    session: Literal["own", "running"] = "own"  # of Spark: started here, or that of the cluster, whose master and memory stay as they are
    jars: str = ""  # comma list of local jar paths for spark.jars; empty on a cluster that has them
    java_home: str = ""

    def path(self, table: str) -> str:
        """`gold.dim_customer` -> `<root>/gold/dim_customer`."""
        return f"{self.root.rstrip('/')}/{table.replace('.', '/')}"


class Warehouse(BaseModel):
    account: str = "local"
    host: str = "127.0.0.1"
    port: int = 19085
    protocol: str = "http"
    user: str = "c360_loader"
    role: str = "C360_LOADER"
    warehouse: str = "C360_LOAD"
    database: Annotated[str, StringConstraints(to_upper=True)] = "COMMERCE360"  # part of checksums and of names that are compared
    private_key_file: Path | None = None  # PKCS#8 PEM, for both the connector and the streaming SDK
    streaming_url: str = "https://127.0.0.1:19086"
    ca_file: Path | None = None  # private CA of the local server; None in the cloud
    poll_s: float = 0.2


class Page(BaseModel):
    """It reads alone, but personal data too: beyond loopback, put a proxy in front that signs people in, and a token between the two."""

    host: str = "127.0.0.1"
    port: int = 19080
    names: Annotated[tuple[str, ...], NoDecode] = ()  # by which others reach it, such as a proxy's; a comma list in the environment
    token_file: Path | None = None  # `Authorization: Bearer <token>` that every request must have

    @field_validator("names", mode="before")
    @classmethod
    def _listed(cls, given: object) -> object:
        return _list(given)


class Metrics(BaseModel):
    """Where each process of ours answers Prometheus at `/metrics`."""

    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65_535)  # 0: nowhere


class Shop(BaseModel):
    seed: int = 360
    customers: int = 2_000
    products: int = 200
    past_orders: int = 3_000
    past_clicks: int = 5_000
    past_reviews: int = 500
    orders_per_s: float = 50.0
    both_ways_share: float = 0.2  # share of web orders that the back office also books in PostgreSQL
    row_changes_per_s: float = 60.0  # bound of all changes in PostgreSQL; above it, web orders stay unbooked
    clicks_per_s: float = 40.0
    reviews_per_s: float = 2.0


class Sentiment(BaseModel):
    engine: Literal["local", "azure", "off"] = "local"
    endpoint: str = ""  # of Azure AI Language, https://<resource>.cognitiveservices.azure.com
    key_file: Path | None = None
    model_version: str = "latest"  # of Azure's model; the local one has its own
    max_documents: int = Field(default=10, ge=1, le=10)  # in one request
    max_characters: int = Field(default=5_120, ge=1, le=5_120)  # of one text; the rest is left out
    wait_s: float = Field(default=0.2, gt=0)  # for more texts, before a request that is not full
    timeout_s: float = Field(default=10.0, gt=0)  # for the answer to a request; a longer one may be billed again
    retry_s: float = Field(default=60.0, gt=0)  # after a key or a setting that the API refused


class Calendar(BaseModel):
    """What the calendar's tables are made from. A fiscal year is named after the calendar year in which it ends."""

    fiscal_year_start: int = Field(default=1, ge=1, le=12)  # month in which it begins
    # Whose public holidays; a comma list or JSON in the environment. Those that the shop sells to.
    countries: Annotated[tuple[str, ...], NoDecode] = ("DE", "FR", "GB", "IT", "ES", "NL", "AT", "IE")

    @field_validator("countries", mode="before")
    @classmethod
    def _listed(cls, given: object) -> object:
        return _list(given)

    @field_validator("countries")
    @classmethod
    def _coded(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        """In capitals, each once."""
        made = tuple(dict.fromkeys(code.strip().upper() for code in given))
        if wrong := [code for code in made if not re.fullmatch(r"[A-Z]{2}", code)]:
            raise ValueError(f"{', '.join(map(repr, wrong))}: a country is two letters of ISO 3166-1 alpha-2, such as DE or GB")
        return made


class Tableau(BaseModel):
    server: str = ""  # https://...; empty is the environment's, see bi/tableau/environments.toml
    token_name: str = ""  # of a personal access token
    token_file: Path | None = None  # with its secret
    environments: Path | None = None  # a file like bi/tableau/environments.toml, instead of that one
    xsd: Path | None = None  # Tableau's schema of workbooks, such as twb_2026.2.0.xsd
    timeout_s: float = Field(default=120.0, gt=0)  # for one answer of the server; publishing waits for its check of the file


class Provision(BaseModel):
    """What `c360 provision` needs beside the addresses: accounts that may make others, and how much there is to be of everything."""

    postgres_user: str = "postgres"  # may make roles that replicate, and databases
    postgres_password_file: Path | None = None
    debezium_password_file: Path | None = None  # of the role that it makes for Debezium
    replication_factor: int = Field(default=1, ge=1)  # of our topics
    retention_ms: int | None = Field(default=None, ge=-1)  # of our topics; None: that of schemas/topics.py, -1: for ever
    # Sets up the account as ACCOUNTADMIN; empty where somebody did with `c360 warehouse account`: then only migrations are run.
    warehouse_user: str = ""
    warehouse_key_file: Path | None = None
    warehouse_keys: Path | None = None  # folder of the users' key pairs, <user>.p8; those that are missing are made
    allowed_ips: Annotated[tuple[str, ...], NoDecode] = ("127.0.0.1",)  # from where users of the warehouse may come; a comma list
    credits: int = Field(default=100, ge=1)  # of the warehouse in a month

    @field_validator("allowed_ips", mode="before")
    @classmethod
    def _listed(cls, given: object) -> object:
        return _list(given)


class Settings(BaseSettings):
    """All settings of one process. `Settings()` reads the environment; nothing below the entry points does."""

    model_config = SettingsConfigDict(env_prefix="C360_", env_nested_delimiter="__", extra="ignore")

    state: Path = Path("build/state/default")  # data, logs, secrets and run files of the local stack
    log_level: str = "INFO"
    log_json: bool = False
    kafka: Kafka = Kafka()
    eventhubs: EventHubs = EventHubs()
    registry: Registry = Registry()
    connect: Connect = Connect()
    postgres: Postgres = Postgres()
    mongo: Mongo = Mongo()
    lake: Lake = Lake()
    warehouse: Warehouse = Warehouse()
    page: Page = Page()
    metrics: Metrics = Metrics()
    shop: Shop = Shop()
    sentiment: Sentiment = Sentiment()
    calendar: Calendar = Calendar()
    tableau: Tableau = Tableau()
    provision: Provision = Provision()
