import os

import pytest

from lakehouse_ml.java import java_version, missing_java


@pytest.mark.parametrize(
    ("told", "version"),
    [
        ('openjdk version "17.0.9" 2023-10-17', 17),
        ('java version "1.8.0_392"', 8),
        ('openjdk version "21" 2023-09-19', 21),
        ('openjdk version "25-ea" 2025-09-16', 25),
        ('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "11.0.2" 2019-01-15', 11),
        ("The operation couldn't be completed. Unable to locate a Java Runtime.", None),
        ("", None),
    ],
)
def test_the_major_version_is_read_from_what_java_tells(told, version):
    assert java_version(told) == version


@pytest.fixture
def java(tmp_path, monkeypatch):
    """Put a ``java`` on the PATH that tells these words."""

    def install(words: str | None) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        if words is not None:
            script = tmp_path / "java"
            script.write_text(f"#!/bin/sh\necho '{words}' >&2\n")
            script.chmod(0o755)

    return install


def test_a_new_enough_java_is_no_problem(java):
    java('openjdk version "17.0.9" 2023-10-17')
    assert missing_java() is None


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ('openjdk version "11.0.2" 2019-01-15', "is Java 11"),
        ('java version "1.8.0_392"', "is Java 8"),
        ("Unable to locate a Java Runtime", "tells no version"),
        (None, "no `java` is on the PATH"),
    ],
)
def test_a_java_that_will_not_do_is_one_sentence_with_the_way_out(java, words, problem):
    java(words)
    said = missing_java()
    assert problem in said
    assert said.startswith("Spark needs Java 17 or newer, and ")
    assert "install a JDK 17." in said
    assert "\n" not in said


def test_make_says_the_same_and_stops(java, tmp_path):
    import subprocess
    import sys

    from lakehouse_ml import java as module

    java('openjdk version "11.0.2" 2019-01-15')
    environment = {**os.environ, "PATH": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, module.__file__], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "is Java 11: install a JDK 17." in ended.stderr
    assert "Traceback" not in ended.stderr
