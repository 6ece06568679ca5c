"""Resolve the jars and write `jars.lock`. For maintainers: needs Maven; users only read the lock.

python -m commerce360.local.bootstrap.lock_jars
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

from commerce360.local.bootstrap.jars import LOCK

PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>lock</groupId><artifactId>{name}</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>{dependencies}</dependencies></project>"""

# Resolved with everything below them; `!group` leaves that group out of what a coordinate brings.
KAFKA = "4.3.1"
RESOLVED = {
    "kafka": [
        f"org.apache.kafka:kafka_2.13:{KAFKA}",
        f"org.apache.kafka:connect-runtime:{KAFKA}",
        f"org.apache.kafka:connect-basic-auth-extension:{KAFKA}",
        f"org.apache.kafka:kafka-tools:{KAFKA}",
        "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",  # without it broker and Connect log nothing
    ],
    "plugins/avro": ["io.apicurio:apicurio-registry-utils-converter:2.6.13.Final"],
    "plugins/mongo": [
        "org.mongodb.kafka:mongo-kafka-connect:2.0.1!org.mongodb",
        # Newer than the connector asks for: the first that knows serverMonitoringMode.
        "org.mongodb:mongodb-driver-sync:5.9.2",
        "org.mongodb:mongodb-driver-core:5.9.2",
        "org.mongodb:bson:5.9.2",
    ],
}
# What Connect has already; a second copy in the plug-in breaks the worker.
WORKERS_OWN = ("org/apache/kafka/", "org/slf4j/", "com/github/luben/", "org/lz4/", "org/xerial/snappy/")
DROPPED = {"plugins/avro": WORKERS_OWN, "plugins/mongo": WORKERS_OWN}
# Taken as they are, nothing below them.
EXACT = {
    "plugins/postgres": ["io.debezium:debezium-connector-postgres:3.7.0.Final:plugin@tar.gz"],
    "registry": ["io.apicurio:apicurio-registry-app:2.6.13.Final:all@tar.gz"],
    "spark": [
        "io.delta:delta-spark_4.1_2.13:4.4.0",
        "io.delta:delta-storage:4.4.0",
        "org.apache.spark:spark-sql-kafka-0-10_2.13:4.1.3",  # 4.1.1 and 4.1.2 die after a crash
        "org.apache.spark:spark-token-provider-kafka-0-10_2.13:4.1.1",
        "org.apache.kafka:kafka-clients:3.9.1",
        "org.apache.commons:commons-pool2:2.12.1",
        "org.apache.spark:spark-avro_2.13:4.1.1",
    ],
    # Hadoop's ABFS driver, of the version that pyspark brings; what else it needs comes with pyspark.
    "adls": [
        "org.apache.hadoop:hadoop-azure:3.4.2",
        "com.microsoft.azure:azure-storage:7.0.1",
        "com.microsoft.azure:azure-keyvault-core:1.0.0",
        "org.wildfly.openssl:wildfly-openssl:2.1.4.Final",
        "org.eclipse.jetty:jetty-util:9.4.57.v20241219",
        "org.eclipse.jetty:jetty-util-ajax:9.4.57.v20241219",
    ],
    "ecj": ["org.eclipse.jdt:ecj:3.46.100"],
    "jmx": ["io.prometheus.jmx:jmx_prometheus_javaagent:1.0.1"],  # metrics of the brokers and of Connect, in containers
}


def repository_path(coordinate: str) -> str:
    """`group:artifact:version[:classifier][@extension]` as a path below a repository's root."""
    coordinate, _, extension = coordinate.partition("@")
    group, artifact, version, *classifier = coordinate.split(":")
    return f"{group.replace('.', '/')}/{artifact}/{version}/{'-'.join([artifact, version, *classifier])}.{extension or 'jar'}"


def dependency(coordinate: str) -> str:
    coordinate, _, excluded = coordinate.partition("!")
    group, artifact, version = coordinate.split(":")
    without = f"<exclusions><exclusion><groupId>{excluded}</groupId><artifactId>*</artifactId></exclusion></exclusions>" if excluded else ""
    return f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>{without}</dependency>"


def maven(*args: str) -> None:
    subprocess.run(["mvn", "-q", "-B", *args], check=True)


def resolve(name: str, coordinates: list[str], folder: Path, repo: Path) -> list[str]:
    """Every runtime jar of the coordinates, versions mediated by Maven."""
    plain = name.replace("/", "-")
    pom, out = folder / f"{plain}.xml", folder / f"{plain}.txt"
    pom.write_text(POM.format(name=plain, dependencies="".join(map(dependency, coordinates))))
    maven(
        "-f",
        str(pom),
        f"-Dmaven.repo.local={repo}",
        f"{PLUGIN}:build-classpath",
        "-DincludeScope=runtime",
        "-Dmdep.pathSeparator=\n",
        f"-Dmdep.outputFile={out}",
    )
    return [Path(line).relative_to(repo).as_posix() for line in out.read_text().split()]


def fetch_exact(coordinate: str, repo: Path) -> str:
    base, _, extension = coordinate.partition("@")
    group, artifact, version, *classifier = base.split(":")
    wanted = f"{group}:{artifact}:{version}:{extension or 'jar'}" + (f":{classifier[0]}" if classifier else "")
    maven(f"-Dmaven.repo.local={repo}", f"{PLUGIN}:get", f"-Dartifact={wanted}", "-Dtransitive=false")
    return repository_path(coordinate)


def main() -> None:
    lines = ["# Made by lock_jars.py; do not edit. Columns: group sha256 bytes path-below-the-repository"]
    with tempfile.TemporaryDirectory() as temp:
        repo = Path(temp) / "repo"
        found = {name: resolve(name, coordinates, Path(temp), repo) for name, coordinates in RESOLVED.items()}
        found.update({name: [fetch_exact(c, repo) for c in coordinates] for name, coordinates in EXACT.items()})
        for name, paths in found.items():
            kept = sorted(p for p in set(paths) if not p.startswith(DROPPED.get(name, ())))
            for path in kept:
                content = (repo / path).read_bytes()
                lines.append(f"{name} {hashlib.sha256(content).hexdigest()} {len(content)} {path}")
            print(f"{name}: {len(kept)} files", file=sys.stderr)
    LOCK.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
