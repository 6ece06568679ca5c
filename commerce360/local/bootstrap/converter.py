"""Compile the Connect converter without a JDK: the Eclipse compiler's jar on any Java 17+, then a jar with fixed dates.

The same source gives the same bytes on every runtime, so the result is checked against the hash that is committed beside it.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
import zipfile
from pathlib import Path

from commerce360.errors import C360Error
from commerce360.local.bootstrap import jars, java
from commerce360.local.bootstrap.paths import BUILD, ROOT

SOURCE = ROOT / "infra" / "connect" / "src" / "commerce360" / "connect" / "AvroConverter.java"
EXPECTED = ROOT / "infra" / "connect" / "avro-converter.sha256"
JAR = "c360-avro-converter.jar"
SERVICE = "META-INF/services/org.apache.kafka.connect.storage.Converter"


def target() -> Path:
    return jars.group_dir("plugins/avro") / JAR


def build(java_home: Path) -> str:
    """Make the jar if it is not there or not as expected; its sha256. Raises C360Error when compiled bytes differ."""
    expected = EXPECTED.read_text().strip() if EXPECTED.exists() else ""
    if target().exists() and (made := _sha256(target())) == expected:
        return made
    part = target().with_suffix(".part")
    _write_jar(part, compile_classes(java_home))
    made = _sha256(part)
    if expected and made != expected:
        part.unlink()
        raise C360Error(
            f"the compiled converter has sha256 {made[:12]}..., not the committed one",
            f"after a change of its source, write {made} to {EXPECTED.name}",
        )
    part.replace(target())
    return made


def compile_classes(java_home: Path) -> dict[str, bytes]:
    (compiler,) = jars.group_dir("ecj").glob("ecj-*.jar")
    # The compiler does not expand `dir/*`; --release wants a file that small runtimes lack.
    path = ":".join(str(p) for g in ("plugins/avro", "kafka") for p in sorted(jars.group_dir(g).glob("*.jar")) if p.name != JAR)
    with tempfile.TemporaryDirectory(dir=BUILD) as temp:
        options = ["-source", "17", "-target", "17", "-proc:none", "-nowarn", "-encoding", "UTF-8", "-g:lines,source,vars"]
        runtime = [str(java_home / "bin" / "java"), *java.QUIET, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-jar", str(compiler)]
        done = subprocess.run([*runtime, *options, "-cp", path, "-d", temp, str(SOURCE)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise C360Error(f"the converter does not compile: {done.stderr.strip()[-500:]}", "see infra/connect")
        return {p.relative_to(temp).as_posix(): p.read_bytes() for p in Path(temp).rglob("*.class")}


def _write_jar(path: Path, classes: dict[str, bytes]) -> None:
    files = {**classes, SERVICE: b"commerce360.connect.AvroConverter\n"}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as jar:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.external_attr, info.create_system = 0o644 << 16, 3
            jar.writestr(info, files[name])


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
