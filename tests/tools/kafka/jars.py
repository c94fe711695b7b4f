"""Kafka's jars, from Maven: resolved once and kept in `.kafka/`."""

import fcntl
import hashlib
import re
import shutil
import subprocess
from pathlib import Path

from tests.places import REPOSITORY

POM = Path(__file__).with_name("pom.xml")
FOLDER = REPOSITORY / ".kafka"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
OLDEST_JAVA = 17
RESOLVING_SECONDS = 900


class NoKafka(Exception):
    """Kafka cannot run on this machine. One sentence that says what is missing."""


def classpath() -> str:
    """The Java class path of Kafka's server and tools. Raises: NoKafka."""
    _check_java()
    jars = FOLDER / hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:  # the tests run in two processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jars.is_dir():
            _resolve(jars)
    return f"{jars}/*"


def _check_java() -> None:
    java = shutil.which("java")
    if java is None:
        raise NoKafka(f"Java is missing: Kafka needs Java {OLDEST_JAVA} or later (Debian: openjdk-17-jre-headless).")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < OLDEST_JAVA:
        raise NoKafka(
            f"This Java is too old: Kafka needs Java {OLDEST_JAVA} or later, and `java -version` says: {said}"
        )


def _resolve(jars: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise NoKafka("Maven is missing: the command `mvn` fetches Kafka's jars (Debian: apt-get install maven).")
    unfinished = jars.with_suffix(".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    command = [maven, "-q", "-B", "-f", POM, PLUGIN, f"-DoutputDirectory={unfinished}", "-DincludeScope=runtime"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=RESOLVING_SECONDS)
    if ran.returncode != 0:
        raise NoKafka(f"Maven could not fetch Kafka's jars: {ran.stdout[-2000:]}{ran.stderr[-500:]}")
    unfinished.rename(jars)
