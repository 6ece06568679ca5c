"""One address and one way to sign in, told to two worlds: those of Rust's object_store and of Hadoop."""

from __future__ import annotations

from pathlib import Path

import obstore
import pytest

from commerce360.adls import hadoop_options, is_remote, open_store, storage_options
from commerce360.errors import ConfigError
from commerce360.settings import Lake
from stream_jobs.checkpoint import Checkpoint

ROOT = "abfss://lake@acme.dfs.core.windows.net/c360"
HOST = "acme.dfs.core.windows.net"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("c2VjcmV0\n")
    return path


@pytest.mark.parametrize(("root", "remote"), [("/data/lake", False), ("file:///data/lake", False), (ROOT, True)])
def test_a_path_needs_nothing(root: str, remote: bool):
    assert is_remote(root) is remote
    assert storage_options(Lake(root=root)) == hadoop_options(Lake(root=root)) == {}


def test_a_key_is_read_from_its_file(secret: Path):
    lake = Lake(root=ROOT, auth="key", account_key_file=secret)
    assert storage_options(lake) == {"azure_storage_account_name": "acme", "azure_storage_account_key": "c2VjcmV0"}
    assert hadoop_options(lake) == {f"fs.azure.account.auth.type.{HOST}": "SharedKey", f"fs.azure.account.key.{HOST}": "c2VjcmV0"}


def test_a_service_principal_signs_in_with_its_secret(secret: Path):
    lake = Lake(root=ROOT, auth="principal", tenant_id="t", client_id="c", client_secret_file=secret)
    assert storage_options(lake) == {
        "azure_storage_account_name": "acme",
        "azure_storage_tenant_id": "t",
        "azure_storage_client_id": "c",
        "azure_storage_client_secret": "c2VjcmV0",
    }
    made = hadoop_options(lake)
    assert made[f"fs.azure.account.oauth.provider.type.{HOST}"].endswith(".ClientCredsTokenProvider")
    assert made[f"fs.azure.account.oauth2.client.endpoint.{HOST}"] == "https://login.microsoftonline.com/t/oauth2/token"
    assert made[f"fs.azure.account.oauth2.client.secret.{HOST}"] == "c2VjcmV0"


def test_a_pod_with_workload_identity_says_by_its_environment_who_it_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AZURE_TENANT_ID", "t")
    monkeypatch.setenv("AZURE_CLIENT_ID", "c")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", "/var/run/token")
    lake = Lake(root=ROOT, auth="workload")
    assert storage_options(lake) == {"azure_storage_account_name": "acme"}
    assert hadoop_options(lake) == {
        f"fs.azure.account.auth.type.{HOST}": "OAuth",
        f"fs.azure.account.oauth.provider.type.{HOST}": "org.apache.hadoop.fs.azurebfs.oauth2.WorkloadIdentityTokenProvider",
        f"fs.azure.account.oauth2.client.id.{HOST}": "c",
        f"fs.azure.account.oauth2.msi.tenant.{HOST}": "t",
        f"fs.azure.account.oauth2.token.file.{HOST}": "/var/run/token",
    }


def test_a_managed_identity_may_be_named():
    assert storage_options(Lake(root=ROOT, auth="managed", client_id="c")) == {
        "azure_storage_account_name": "acme",
        "azure_storage_client_id": "c",
    }
    assert f"fs.azure.account.oauth2.client.id.{HOST}" not in hadoop_options(Lake(root=ROOT, auth="managed"))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"root": "abfss://acme/lake"}, "no address of ADLS"),
        ({"root": "s3://bucket/lake"}, "no address of ADLS"),
        ({"root": ROOT}, "key of the storage account is not set"),
        ({"root": ROOT, "auth": "principal", "tenant_id": "t"}, "C360_LAKE__CLIENT_ID is not set"),
    ],
)
def test_what_is_missing_is_said(wrong: dict[str, str], said: str):
    lake = Lake.model_validate({"auth": "key", **wrong})
    for options in (storage_options, hadoop_options):
        with pytest.raises(ConfigError, match=said):
            options(lake)


def test_a_checkpoint_is_kept_and_read(place: Lake):
    checkpoint = Checkpoint(place)
    assert (checkpoint.query_id(), checkpoint.completed(), checkpoint.ends(0)) == (None, -1, {})
    query_id = checkpoint.create()
    assert Checkpoint(place).create() == query_id
    store = open_store(place.checkpoint, place)
    for name in ("commits/9", "commits/10", "commits/10.tmp", "offsets/11"):
        obstore.put(store, name, b'v1\n{}\n{"t": {"0": 7}}')
    assert checkpoint.completed() == 10
    assert checkpoint.ends(11) == {"t": {0: 7}}
