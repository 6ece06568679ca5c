"""ADLS Gen2 of a local stack: Azurite, Microsoft's own stand-in, on loopback with TLS and an account of this stack.

| | Azurite 3.35 (Blob API) | ADLS Gen2 |
|---|---|---|
| namespace | flat: a rename of a folder is copies and deletes | hierarchical: a rename is atomic |
| endpoint | Blob only; Data Lake Storage clients other than Hadoop's driver cannot write | Blob and DFS |
| signs in | with the account's key | with identities of Entra ID; keys are switched off |
| what it acknowledged | in memory for up to 5 seconds: lost when it is killed with SIGKILL | is kept |
| listings | know no `startFrom` | know it |
"""

from __future__ import annotations

import os
import signal

from commerce360.local import AZURITE
from commerce360.local.bootstrap import azurite
from commerce360.local.process import Command
from commerce360.local.state import STORAGE_KEY, State

ACCOUNT, CONTAINER = "c360lake", "lake"
ADDRESS = f"abfss://{CONTAINER}@{ACCOUNT}.dfs.core.windows.net"


class Azurite:
    name = AZURITE
    stop_signal = signal.SIGTERM
    ready_timeout_s = 60.0

    def __init__(self, state: State) -> None:
        self.state = state
        self.home = state.data("azurite")
        self.port = state.ports["azurite"]
        self.endpoint = f"https://127.0.0.1:{self.port}"

    def prepare(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)

    def command(self) -> Command:
        from commerce360.local.doubles.snowflake.keys import ensure_keys

        certificate, key = ensure_keys(self.state.secret_file("snowflake_admin.p8"), self.state.authority)
        at = ["--blobHost", "127.0.0.1", "--blobPort", str(self.port), "--location", str(self.home)]
        quiet = ["--silent", "--disableTelemetry", "--skipApiVersionCheck"]  # its clients are newer than it is
        env = {**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{self.state.secret(STORAGE_KEY)}"}
        return Command(
            [str(azurite.find_node()), str(azurite.PROGRAM), *at, "--cert", str(certificate), "--key", str(key), *quiet], env, self.home
        )

    def ready(self) -> bool:
        """Its container is there, made if need be."""
        from azure.core.exceptions import AzureError, ResourceExistsError
        from azure.storage.blob import BlobServiceClient

        account = {"account_name": ACCOUNT, "account_key": self.state.secret(STORAGE_KEY)}
        url, trust = f"{self.endpoint}/{ACCOUNT}", str(self.state.authority)
        try:
            with BlobServiceClient(url, account, connection_verify=trust, retry_total=0, connection_timeout=3) as client:
                client.create_container(CONTAINER)
        except ResourceExistsError:
            return True
        except AzureError:
            return False
        return True
