"""How clients sign in to ADLS Gen2: delta-rs and obstore by the options of Rust's object_store, Spark by those of Hadoop's ABFS driver.

One address serves all of them, `abfss://<container>@<account>.dfs.core.windows.net/<path>`. With a path on this machine nothing is needed.
Names of options: object_store 0.13 (`AzureConfigKey`), hadoop-azure 3.4.2 (`ConfigurationKeys`, docs "abfs").
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from commerce360.errors import ConfigError
from commerce360.settings import Lake, read_secret

if TYPE_CHECKING:
    from obstore.store import ObjectStore

ADDRESS = re.compile(
    r"(?P<scheme>abfss?)://(?P<container>[a-z0-9-]{3,63})@(?P<account>[a-z0-9]{3,24})\.dfs\.(?P<suffix>core\.windows\.net)(/.*)?"
)
LOGIN = "https://login.microsoftonline.com"
OAUTH2 = "org.apache.hadoop.fs.azurebfs.oauth2"
PROVIDERS = {"workload": "WorkloadIdentityTokenProvider", "managed": "MsiTokenProvider", "principal": "ClientCredsTokenProvider"}
POD_TENANT, POD_CLIENT, POD_TOKEN = "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE"


def is_remote(uri: str) -> bool:
    return "://" in uri and not uri.startswith("file://")


def storage_options(lake: Lake) -> dict[str, str]:
    """For delta-rs and obstore; they hold secrets: never log them. Empty for paths, and for `auth` none.

    A stand-in is told to object_store by the environment of this process, and so is its CA: there are no options for either.
    """
    if not is_remote(lake.root) or lake.auth == "none":
        return {}
    if lake.endpoint:
        os.environ["AZURITE_BLOB_STORAGE_URL"] = lake.endpoint
    if lake.ca_file is not None:
        os.environ["SSL_CERT_FILE"] = str(lake.ca_file)
    return {"azure_storage_account_name": _asked(lake)["account"], **_signing_in(lake), **_stand_in(lake)}


def _stand_in(lake: Lake) -> dict[str, str]:
    """It knows no `startFrom` of listings, and object_store does without one only where it is told that this is an emulator."""
    return {"azure_storage_use_emulator": "true"} if lake.endpoint else {}


def _signing_in(lake: Lake) -> dict[str, str]:
    if lake.auth == "key":
        return {"azure_storage_account_key": _secret(lake.account_key_file, "key of the storage account")}
    named = {"azure_storage_tenant_id": lake.tenant_id, "azure_storage_client_id": lake.client_id}
    made = {key: value for key, value in named.items() if value}  # what is missing is the environment's own
    if lake.auth == "principal":
        _require(lake, "tenant_id", "client_id")
        made["azure_storage_client_secret"] = _secret(lake.client_secret_file, "secret of the service principal")
    if lake.auth == "workload" and lake.token_file is not None:
        made["azure_federated_token_file"] = str(lake.token_file)
    return made


def hadoop_options(lake: Lake) -> dict[str, str]:
    """For Hadoop's configuration, once the JVM runs: as arguments of its start, secrets would stand in the list of processes."""
    if not is_remote(lake.root) or lake.auth == "none":
        return {}
    found = _asked(lake)
    host = f"{found['account']}.dfs.{found['suffix']}"
    made = _hadoop_sign_in(lake, host)
    if lake.endpoint:
        made |= {
            "fs.azure.abfs.endpoint": lake.endpoint.partition("://")[2],
            "fs.azure.always.use.https": "false",  # abfss does in any case
            "fs.azure.account.hns.enabled": "false",  # Azurite has no hierarchical namespace
            "fs.azure.fns.account.service.type": "BLOB",
        }
    if lake.ca_file is not None:
        made["fs.azure.ssl.channel.mode"] = "Default_JSSE"  # OpenSSL would not ask Java's trust store
    return made


def _hadoop_sign_in(lake: Lake, host: str) -> dict[str, str]:
    if lake.auth == "key":
        key = _secret(lake.account_key_file, "key of the storage account")
        return {f"fs.azure.account.auth.type.{host}": "SharedKey", f"fs.azure.account.key.{host}": key}
    tenant, client = lake.tenant_id, lake.client_id
    if lake.auth == "workload":
        tenant, client = tenant or os.environ.get(POD_TENANT, ""), client or os.environ.get(POD_CLIENT, "")
    made = {
        f"fs.azure.account.auth.type.{host}": "OAuth",
        f"fs.azure.account.oauth.provider.type.{host}": f"{OAUTH2}.{PROVIDERS[lake.auth]}",
        f"fs.azure.account.oauth2.client.id.{host}": client,
    }
    if lake.auth == "principal":
        _require(lake, "tenant_id", "client_id")
        made[f"fs.azure.account.oauth2.client.endpoint.{host}"] = f"{LOGIN}/{tenant}/oauth2/token"
        made[f"fs.azure.account.oauth2.client.secret.{host}"] = _secret(lake.client_secret_file, "secret of the service principal")
    else:
        made[f"fs.azure.account.oauth2.msi.tenant.{host}"] = tenant
    if lake.auth == "workload":
        made[f"fs.azure.account.oauth2.token.file.{host}"] = str(lake.token_file or os.environ.get(POD_TOKEN, ""))
    return {key: value for key, value in made.items() if value}


def open_store(uri: str, lake: Lake) -> ObjectStore:
    """The objects below `uri`, on disk (the folder is made) or on ADLS. Reading what is not there is a FileNotFoundError.

    Raises ConfigError for another account than the lake's: nobody is told how to sign in there.
    """
    from obstore.store import AzureStore, LocalStore

    if is_remote(uri) and (not is_remote(lake.root) or _address(uri)["account"] != _address(lake.root)["account"]):
        raise ConfigError(f"{uri!r} is not on the storage account of the lake, {lake.root!r}", "keep both on one account")
    if not is_remote(uri):
        return LocalStore(Path(uri.removeprefix("file://")).absolute(), mkdir=True)
    address = _address(uri)
    path = uri.partition(f".dfs.{address['suffix']}")[2].strip("/")
    config = storage_options(lake) or {"azure_storage_account_name": address["account"]}
    return AzureStore(address["container"], prefix=path or None, config=config)  # type: ignore[arg-type]  # keys are those of delta-rs


def _address(uri: str) -> re.Match[str]:
    if (found := ADDRESS.fullmatch(uri)) is None:
        raise ConfigError(f"{uri!r} is no address of ADLS", "write abfss://<container>@<account>.dfs.core.windows.net/<path>")
    return found


def _asked(lake: Lake) -> re.Match[str]:
    """Only a stand-in on a network of one's own may be asked without TLS, and the address says so: abfs, as Hadoop's driver wants it."""
    found, secure = _address(lake.root), not lake.endpoint.startswith("http://")
    if secure != (found["scheme"] == "abfss"):
        wanted = "abfss" if secure else "abfs"
        raise ConfigError(f"{lake.root!r} does not fit the endpoint {lake.endpoint or 'of Azure'}", f"write {wanted}://")
    return found


def _secret(path: Path | None, what: str) -> str:
    return read_secret(path, what).get_secret_value()


def _require(lake: Lake, *names: str) -> None:
    if missing := [f"C360_LAKE__{n.upper()}" for n in names if not getattr(lake, n)]:
        raise ConfigError(f"{', '.join(missing)} is not set, and C360_LAKE__AUTH is {lake.auth}", "see docs/adls.md")
