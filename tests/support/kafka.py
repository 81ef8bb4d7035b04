"""A real Kafka broker for tests: one KRaft node on free ports, from jars that Maven copied once.

Without java, or without the jars and mvn, tests are skipped and say so; with REQUIRE_ALL_BACK_ENDS=1 they fail.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from tests.support.process import free_port

HERE = Path(__file__).with_name("kafka")
LIBS = HERE / "libs"
START_TIMEOUT_S = 90
MAVEN_TIMEOUT_S = 600
JAVA = ("java", "-Xms64m", "-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
READY = "Kafka Server started"

_PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
log.cleaner.dedupe.buffer.size=4000000
log.cleaner.threads=1
broker.session.timeout.ms=1000
broker.heartbeat.interval.ms=200
num.network.threads=2
num.io.threads=2
"""


class MissingKafka(Exception):
    """What the broker needs and this machine lacks."""


def jars() -> Path:
    """The broker's jars, copied by Maven at first use. Raises MissingKafka."""
    if shutil.which("java") is None:
        raise MissingKafka("java is not installed")
    with (HERE / "pom.xml").open() as pom:
        fcntl.flock(pom, fcntl.LOCK_EX)
        if any(LIBS.glob("kafka_2.13-*.jar")):
            return LIBS
        if shutil.which("mvn") is None:
            raise MissingKafka("mvn is not installed and tests/support/kafka/libs is empty")
        command = ("mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime")
        partial = HERE / "target" / "libs"
        done = subprocess.run(
            [*command, f"-DoutputDirectory={partial}"], cwd=HERE, capture_output=True, text=True,
            timeout=MAVEN_TIMEOUT_S, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise MissingKafka(f"mvn could not fetch the broker: {done.stdout[-500:]}")
        partial.rename(LIBS)
    return LIBS


def require_jars() -> Path:
    """As `jars`, for fixtures: skips the test, or fails it where every back end is required."""
    try:
        return jars()
    except MissingKafka as missing:
        if os.environ.get("REQUIRE_ALL_BACK_ENDS") == "1":
            pytest.fail(f"Kafka is required: {missing}")
        pytest.skip(f"KAFKA NOT TESTED: {missing}")


class KafkaBroker:
    """One broker with its data in a directory; a restart keeps data and ports."""

    def __init__(self, home: Path, libs: Path) -> None:
        self._home = home
        self._classpath = f"{libs}/*"
        self._process: subprocess.Popen[bytes] | None = None
        self._log = home / "broker.log"
        port, controller = free_port(), free_port()
        self.bootstrap = f"127.0.0.1:{port}"
        home.mkdir(parents=True, exist_ok=True)
        self._config = home / "server.properties"
        self._config.write_text(_PROPERTIES.format(port=port, controller=controller, data=home / "data"))
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self._java("kafka.tools.StorageTool", "format", "-t", f"c{cluster[1:]}", "-c", str(self._config))

    @property
    def pid(self) -> int:
        """Of the server."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> KafkaBroker:
        """Returns when the broker serves."""
        with self._log.open("wb") as out:
            self._process = subprocess.Popen(
                self._command("kafka.Kafka", str(self._config)), stdout=out, stderr=out, cwd=self._home
            )
        begun = time.monotonic()
        while READY not in self._log.read_text(errors="replace"):
            if self._process.poll() is not None or time.monotonic() - begun > START_TIMEOUT_S:
                self.kill()
                raise RuntimeError(f"the broker did not start: {self._log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """Ends the broker in order; does nothing when it is down."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """The broker hangs: its sockets stay open, nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Ends a pause."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(30)

    def _command(self, *arguments: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}"
        return [*JAVA, logging, "-cp", self._classpath, *arguments]

    def _java(self, *arguments: str) -> None:
        subprocess.run(self._command(*arguments), check=True, capture_output=True, cwd=self._home, timeout=60)
