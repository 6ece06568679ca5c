"""Makes the lake's container in Azurite; in Azure, Terraform does. May be repeated."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from pyarrow import fs

root, endpoint = urlsplit(os.environ["C360_LAKE__ROOT"]), urlsplit(os.environ["C360_LAKE__ENDPOINT"])
account = (root.hostname or "").partition(".")[0]
store = fs.AzureFileSystem(
    account_name=account,
    account_key=Path(os.environ["C360_LAKE__ACCOUNT_KEY_FILE"]).read_text().rstrip("\n"),
    blob_storage_authority=endpoint.netloc,
    blob_storage_scheme=endpoint.scheme,
    dfs_storage_authority=endpoint.netloc,
    dfs_storage_scheme=endpoint.scheme,
)
container = root.username or ""
store.create_dir(container)
sys.stdout.write(f"the container {container} of {account} is there\n")
