"""Make the captures anew, on real servers: `python tests/captures/make.py [NAME ...]`. Takes minutes; needs `make setup`.

Each capture is a folder with `records.jsonl` (what Debezium sent), `truth.json` (what the database says) and `roles.yaml`.
The files are committed; a run changes positions and times in them, and the tests must hold for whatever comes out.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from acts import ACTS
from faults import FAULTS
from scene import Scene
from servers import Servers

HOME = Path(__file__).parent


def main(names: list[str]) -> int:
    acts = {act.__name__: act for act in (*ACTS, *FAULTS)}
    if unknown := [name for name in names if name not in acts]:
        print(f"no such capture: {', '.join(unknown)}; there are {', '.join(acts)}")
        return 2
    failed = 0
    with tempfile.TemporaryDirectory(prefix="captures-", ignore_cleanup_errors=True) as root:
        Path(root).chmod(0o711)  # PostgreSQL runs under another account
        servers = Servers(Path(root) / "state")
        try:
            servers.start()
            for name in names or acts:
                scene = Scene(servers, name)
                try:
                    print(scene.save(HOME / name, acts[name](scene)), flush=True)
                except Exception as error:
                    failed += 1
                    print(f"{name} FAILED: {type(error).__name__}: {error}", flush=True)
                    if scene.connector and (status := servers.client.status(scene.connector)):
                        print(status)
                finally:
                    scene.close()
        finally:
            servers.stop()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
