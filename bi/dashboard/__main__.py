"""`python -m bi.dashboard`: serve the live page until told to stop."""

from __future__ import annotations

import asyncio
import sys
import threading
from importlib.abc import MetaPathFinder

from commerce360 import service
from commerce360.settings import Settings

# The Snowflake connector and pyarrow load these when they find them, to no use here: together 50 MB and two seconds.
UNUSED = ("pandas", "boto3", "botocore")


class Refuse(MetaPathFinder):
    """Makes modules look as if they were not installed. None in `sys.modules` would not do: Cython takes it for the module."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname in self.names:
            raise ModuleNotFoundError(f"{fullname} is not used here", name=fullname)


def main(settings: Settings, stop: threading.Event) -> None:
    sys.meta_path.insert(0, Refuse(*UNUSED))
    from bi.dashboard.server import serve

    asyncio.run(serve(settings, stop))


if __name__ == "__main__":
    service.run("page", main)
