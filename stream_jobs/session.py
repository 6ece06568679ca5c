"""The Spark session of the lake job, tuned for many small batches on few cores, and the end of a JVM that outlived its driver."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from commerce360.adls import hadoop_options
from commerce360.errors import ConfigError, UnavailableError
from commerce360.settings import Lake

if TYPE_CHECKING:
    import psutil
    from pyspark.sql import SparkSession

# Measured on two slow cores, Spark 4.1.1 with Delta 4.4.0: a batch costs by the job and by the commit, not by the row.
# These may be set on a session at any time; the others only where Spark starts.
TUNED = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.adaptive.enabled": "false",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.databricks.delta.stalenessLimit": "0",
    # The plans change with every new schema id and batch number: compiling them costs more than it saves.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.streaming.metricsEnabled": "false",
    "spark.sql.streaming.stopTimeout": "15s",
    "spark.sql.streaming.pollingDelay": "25ms",
    "spark.sql.streaming.noDataMicroBatches.enabled": "false",
    "spark.sql.files.openCostInBytes": "65536",
}
AT_START = {
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    "spark.sql.ui.retainedExecutions": "5",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.cleaner.periodicGC.interval": "10min",
}
TRUST_PASSWORD = b"changeit"  # Java's own default; the store holds certificates only


def configuration(lake: Lake, scratch: Path) -> dict[str, str]:
    """All Spark settings. Jars come as local paths, so that nothing is resolved or fetched at start."""
    options = [
        "-XX:+UseSerialGC",
        "-XX:-UsePerfData",  # its counters would be files in /tmp
        "-XX:MaxMetaspaceSize=256m",
        "-XX:ReservedCodeCacheSize=128m",
        "-XX:MaxDirectMemorySize=256m",
        "-Xss2m",
        "-Djava.net.preferIPv4Stack=true",
        f'"-Djava.io.tmpdir={scratch}"',  # quoted: a path may have spaces
        f'"-Divy.home={scratch}"',
        f'"-Dderby.system.home={scratch}"',
        *(_trusting(trust_store(lake, scratch)) if lake.ca_file else ()),
    ]
    base = {
        "spark.app.name": "c360-lake",
        "spark.master": f"local[{lake.cores}]",
        "spark.driver.memory": lake.driver_memory,
        "spark.driver.extraJavaOptions": " ".join(options),
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.local.dir": str(scratch),
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    }
    jars = {"spark.jars": lake.jars} if lake.jars else {}
    return {**base, **jars, **AT_START, **TUNED}


def _trusting(store: Path) -> tuple[str, str]:
    return f'"-Djavax.net.ssl.trustStore={store}"', f"-Djavax.net.ssl.trustStorePassword={TRUST_PASSWORD.decode()}"


def trust_store(lake: Lake, scratch: Path) -> Path:
    """The CA that `ca_file` names as Java reads it: PKCS#12, which needs a password, though a certificate is no secret."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
    from cryptography.hazmat.primitives.serialization.pkcs12 import PKCS12Certificate, serialize_java_truststore

    assert lake.ca_file is not None
    certificate = x509.load_pem_x509_certificate(lake.ca_file.read_bytes())
    target = scratch / "trust.p12"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(serialize_java_truststore([PKCS12Certificate(certificate, b"c360")], BestAvailableEncryption(TRUST_PASSWORD)))
    return target


def open_session(lake: Lake, scratch: Path) -> SparkSession:
    """Start Spark in this process, or take the cluster's, of which only the session is changed.

    `scratch` is the folder for all that a Spark of our own writes outside tables. Raises ConfigError where the key of the storage account
    would stand in the configuration of a session that others can read: Spark does not mask it.
    """
    if lake.session == "running" and lake.auth == "key":
        raise ConfigError(
            "C360_LAKE__AUTH is key, and C360_LAKE__SESSION is running: whoever reads the session's configuration would see the key",
            "use principal, managed or workload",
        )
    from pyspark.sql import SparkSession

    if lake.session == "running":
        running = SparkSession.builder.getOrCreate()
        for key, value in {**TUNED, **hadoop_options(lake)}.items():
            running.conf.set(key, value)
        return running
    scratch.mkdir(parents=True, exist_ok=True)
    if lake.java_home:
        os.environ["JAVA_HOME"] = lake.java_home
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ["SPARK_LAUNCHER_OPTS"] = "-XX:-UsePerfData"
    builder = SparkSession.builder
    for key, value in configuration(lake, scratch).items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    for key, value in hadoop_options(lake).items():
        session.sparkContext._jsc.hadoopConfiguration().set(key, value)
    return session


def jvm_pid(session: SparkSession) -> int:
    jvm = session.sparkContext._jvm
    return int(jvm.java.lang.ProcessHandle.current().pid())


def _runs(process: psutil.Process) -> bool:
    """A zombie writes nothing; it stays where nobody asks for the exit code of an orphan, as in many containers."""
    return process.is_running() and process.status() != "zombie"


class Fence:
    """Ends the JVM of a driver that was killed, before its successor reads what was committed.

    A JVM notices the death of its Python driver by itself, but until then it may still finish a commit: a second writer.
    """

    def __init__(self, note: Path) -> None:
        self.note = note

    def mark(self, pid: int) -> None:
        import psutil

        self.note.parent.mkdir(parents=True, exist_ok=True)
        self.note.write_text(json.dumps({"pid": pid, "started": psutil.Process(pid).create_time()}))

    def clear(self, timeout_s: float = 10.0) -> bool:
        """True when a JVM was still there (it is gone now). The start time tells it from a stranger with a reused pid.

        Raises UnavailableError when it does not end in time.
        """
        import psutil

        try:
            noted = json.loads(self.note.read_text())
            process = psutil.Process(int(noted["pid"]))
            if abs(process.create_time() - float(noted["started"])) > 0.01 or not _runs(process):
                return False
            process.kill()
            deadline = time.monotonic() + timeout_s
            while _runs(process):
                if time.monotonic() > deadline:
                    raise UnavailableError(f"the JVM {process.pid} of the last run does not end", "it may still write: end it first")
                time.sleep(0.02)
        except (FileNotFoundError, ValueError, KeyError, psutil.NoSuchProcess):
            return False
        return True
