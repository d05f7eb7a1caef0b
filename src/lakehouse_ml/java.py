"""Whether this machine has the Java that Spark needs; runs before anything is installed."""

import re
import shutil
import subprocess
import sys

OLDEST = 17


def missing_java() -> str | None:
    """What is wrong with this machine's Java, in one sentence; None: nothing."""
    java = shutil.which("java")
    if java is None:
        return f"Spark needs Java {OLDEST} or newer, and no `java` is on the PATH: install a JDK {OLDEST}."
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    version = java_version(told.stderr + told.stdout)
    if version is None:
        return f"Spark needs Java {OLDEST} or newer, and `{java} -version` tells no version: reinstall a JDK {OLDEST}."
    if version < OLDEST:
        return f"Spark needs Java {OLDEST} or newer, and `{java}` is Java {version}: install a JDK {OLDEST}."
    return None


def java_version(text: str) -> int | None:
    """Major version in the output of ``java -version``; 8 for the old ``1.8`` form, None where there is none."""
    match = re.search(r'version "(?:1\.)?(\d+)', text)
    return int(match[1]) if match else None


if __name__ == "__main__":
    sys.exit(missing_java())
