"""`python -m bi.dashboard`: serve the live page until told to stop."""

from __future__ import annotations

import asyncio
import sys
import threading

from commerce360 import service
from commerce360.settings import Settings


def main(settings: Settings, stop: threading.Event) -> None:
    # The Snowflake connector and pyarrow load these when they find them, to no use here: together 50 MB and two seconds.
    for unused in ("pandas", "boto3", "botocore"):
        sys.modules.setdefault(unused, None)  # type: ignore[arg-type]  # None makes an import of it fail
    from bi.dashboard.server import serve

    asyncio.run(serve(settings, stop))


if __name__ == "__main__":
    service.run("page", main)
