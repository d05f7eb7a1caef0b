"""Put Delta's jars beside Spark's own, checked against the committed hashes.

Resolved once here, they cost a session nothing; resolved by the session, they cost every start some seconds.
"""

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

import pyspark

PINS = Path(__file__).with_name("jars.sha256")
PACKAGE = "io.delta:delta-spark_4.2_2.13:4.4.0"
RESOLVE = """
import sys
from pyspark.sql import SparkSession
ivy, package = sys.argv[1:]
builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
builder.config("spark.jars.ivy", ivy).config("spark.jars.packages", package).getOrCreate().stop()
"""


def pinned() -> dict[str, str]:
    """SHA-256 by jar."""
    lines = (line.split() for line in PINS.read_text().splitlines())
    return {name: digest for digest, name in lines}


def checked(content: bytes, name: str, digest: str) -> bytes:
    """The content of a jar.

    Raises:
        SystemExit: It is not the pinned one.
    """
    if hashlib.sha256(content).hexdigest() != digest:
        sys.exit(f"Jar {name} is not the one pinned in {PINS}: refusing to use it")
    return content


def main() -> None:
    """Fetch what is missing.

    Raises:
        SystemExit: A jar was not found, or is not the pinned one.
    """
    jars = Path(pyspark.__file__).parent / "jars"
    wanted = pinned()
    if all((jars / name).exists() for name in wanted):
        return
    with tempfile.TemporaryDirectory() as ivy:
        command = [sys.executable, "-c", RESOLVE, ivy, PACKAGE]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        for name, digest in wanted.items():
            found = next(Path(ivy).glob(f"jars/*{name}"), None)
            if found is None:
                sys.exit(f"Jar {name} of {PACKAGE} could not be fetched:\n{told.stderr[-2000:]}")
            (jars / name).write_bytes(checked(found.read_bytes(), name, digest))


if __name__ == "__main__":
    main()
