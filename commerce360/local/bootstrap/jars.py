"""The locked jars: fetched in parallel into the user's cache, checked by sha256, laid out under `build/jars/<group>/`.

The lock holds repository paths, sizes and hashes; the repository's address comes from `C360_MAVEN_URL`, from the mirror of
`~/.m2/settings.xml`, or from jgo's constant. Resumable, and safe when two run at once: a file appears under its hash only when it
is whole.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import ssl
import tarfile
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from commerce360.errors import C360Error, UnavailableError
from commerce360.local.bootstrap.paths import JARS, cache

if TYPE_CHECKING:
    import httpx2

LOCK = Path(__file__).with_name("jars.lock")
PARALLEL = 8
Advance = Callable[[int], None]

# Found by `plugin.discovery=service_load` only with these manifests, which their makers left out.
SERVICES = {
    "plugins/mongo": {
        "org.apache.kafka.connect.source.SourceConnector": "com.mongodb.kafka.connect.MongoSourceConnector",
        "org.apache.kafka.connect.sink.SinkConnector": "com.mongodb.kafka.connect.MongoSinkConnector",
    }
}


class Item(NamedTuple):
    group: str
    sha256: str
    size: int
    path: str

    @property
    def cached(self) -> Path:
        return cache() / "jars" / self.sha256[:2] / self.sha256


def read_lock() -> list[Item]:
    rows = (line.split() for line in LOCK.read_text().splitlines() if line and not line.startswith("#"))
    return [Item(group, sha, int(size), path) for group, sha, size, path in rows]


def group_dir(group: str) -> Path:
    return JARS / group


def classpath(*groups: str) -> str:
    return ":".join(f"{group_dir(g)}/*" for g in groups)


def spark_jars() -> str:
    """Comma list for `spark.jars`."""
    return ",".join(str(p) for group in ("spark", "adls") for p in sorted(group_dir(group).glob("*.jar")))


def missing(items: Iterable[Item]) -> list[Item]:
    return [i for i in items if not (i.cached.is_file() and i.cached.stat().st_size == i.size)]


def fetch(items: list[Item], advance: Advance) -> None:
    """Bring every item into the cache. Raises UnavailableError without a network, C360Error for wrong content."""
    wanted = list({i.sha256: i for i in missing(items)}.values())
    if not wanted:
        return
    base = repository()
    with _client() as http, ThreadPoolExecutor(PARALLEL) as pool:
        futures = [pool.submit(_fetch_one, http, f"{base}/{item.path}", item, advance) for item in wanted]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def lay_out(items: Iterable[Item]) -> None:
    """Make `build/jars/<group>/` from the cache, whole groups at a time. Groups that are as locked are left alone."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.group, []).append(item)
    for group, members in groups.items():
        mark = "\n".join(sorted(f"{i.sha256} {i.path}" for i in members))
        stamp = group_dir(group) / ".locked"
        if stamp.is_file() and stamp.read_text() == mark:
            continue
        part = JARS / f".{group.replace('/', '-')}.{os.getpid()}"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for item in members:
            _place(item, part)
        if group in SERVICES:
            _write_services(part / "services.jar", SERVICES[group])
        (part / ".locked").write_text(mark)
        shutil.rmtree(group_dir(group), ignore_errors=True)
        group_dir(group).parent.mkdir(parents=True, exist_ok=True)
        part.rename(group_dir(group))


def repository() -> str:
    """Base address of the Maven repository, without a slash at the end."""
    if chosen := os.environ.get("C360_MAVEN_URL"):
        return chosen.rstrip("/")
    try:
        settings = Path.home() / ".m2" / "settings.xml"
    except RuntimeError:
        settings = Path("/nonexistent")
    if settings.is_file():
        for mirror in ET.parse(settings).iterfind(".//{*}mirror"):
            if {"central", "*", "external:*"} & set((mirror.findtext("{*}mirrorOf") or "").replace(" ", "").split(",")):
                return (mirror.findtext("{*}url") or "").strip().rstrip("/")
    from jgo.constants import MAVEN_CENTRAL_URL

    return str(MAVEN_CENTRAL_URL).rstrip("/")


def _client() -> httpx2.Client:
    """Trusts what the operating system trusts, so that company proxies work; SSL_CERT_FILE and *_PROXY count too."""
    import httpx2
    import truststore

    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx2.Client(verify=context, timeout=60, follow_redirects=True)


def _fetch_one(http: httpx2.Client, url: str, item: Item, advance: Advance) -> None:
    import httpx2
    import stamina

    item.cached.parent.mkdir(parents=True, exist_ok=True)
    part = item.cached.with_suffix(".part")
    try:
        for attempt in stamina.retry_context(on=_worth_another_try, attempts=5, wait_initial=0.5):
            with attempt:
                _download(http, url, part, item, advance)
    except httpx2.HTTPStatusError as error:
        raise C360Error(
            f"{Path(item.path).name}: the repository answers {error.response.status_code}", "set C360_MAVEN_URL to one that has it"
        ) from error
    except httpx2.HTTPError as error:
        raise UnavailableError(f"cannot fetch {Path(item.path).name}: {error}", "check the network, or set C360_MAVEN_URL") from error


def _worth_another_try(error: Exception) -> bool:
    import httpx2

    if isinstance(error, httpx2.HTTPStatusError):
        return error.response.status_code in {429, 500, 502, 503, 504}
    return isinstance(error, httpx2.TransportError)


def _download(http: httpx2.Client, url: str, part: Path, item: Item, advance: Advance) -> None:
    """Go on from the bytes that are there; the hash decides in the end."""
    have = part.stat().st_size if part.exists() else 0
    with http.stream("GET", url, headers={"Range": f"bytes={have}-"} if have else {}) as reply:
        if reply.status_code != 416:  # 416: the part is as long as the file already
            reply.raise_for_status()
            with part.open("ab" if reply.status_code == 206 else "wb") as file:
                for block in reply.iter_bytes(1 << 16):
                    advance(file.write(block))
    if (found := _sha256(part)) != item.sha256:
        part.unlink(missing_ok=True)
        raise C360Error(
            f"{Path(item.path).name} is not the locked file (sha256 {found[:12]}...)",
            "try again; if it stays so, the repository is not to be trusted",
        )
    part.replace(item.cached)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _place(item: Item, folder: Path) -> None:
    """Hashed once more: what a power failure left in the cache may have the right size and nothing else."""
    if _sha256(item.cached) != item.sha256:
        item.cached.unlink()
        raise C360Error(f"{Path(item.path).name} was damaged in the cache", "run the same command again: it is fetched anew")
    target = folder / Path(item.path).name
    if target.name.endswith(".tar.gz"):
        with tarfile.open(item.cached) as archive:
            if hasattr(tarfile, "data_filter"):
                archive.extractall(folder, filter="data")
            else:  # Python before 3.11.4, which Debian 12 has; the archive is the locked one
                archive.extractall(folder)  # noqa: S202
        return
    try:
        os.link(item.cached, target)
    except OSError:  # another file system
        shutil.copyfile(item.cached, target)


def _write_services(target: Path, services: dict[str, str]) -> None:
    with zipfile.ZipFile(target, "w") as jar:
        for interface, implementation in services.items():
            jar.writestr(f"META-INF/services/{interface}", implementation + "\n")
