import subprocess

import pytest

from lakehouse_ml.cli.packaging import stamped
from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.pipelines.training.provenance import (
    Code,
    code_of,
    feature_fingerprint,
    hash_of,
    installed_packages,
)


def git(folder, *arguments):
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(("git", *identity, *arguments), cwd=folder, check=True, capture_output=True)


def test_outside_a_checkout_the_commit_is_unknown(tmp_path):
    assert code_of(tmp_path) == Code("unknown", is_dirty=False)


@pytest.mark.parametrize(
    ("stamp", "code"), [("c0ffee", Code("c0ffee", False)), ("c0ffee-dirty", Code("c0ffee", True))]
)
def test_a_wheel_tells_the_commit_that_is_stamped_on_it_even_within_somebodys_checkout(tmp_path, stamp, code):
    git(tmp_path, "init")
    (tmp_path / "other.txt").write_text("1")
    git(tmp_path, "add", "other.txt")
    git(tmp_path, "commit", "-m", "somebody's")
    installed = tmp_path / "site-packages"
    installed.mkdir()
    (tmp_path / "commit.txt").write_text(f"{stamp}\n")
    assert code_of(installed, tmp_path / "commit.txt") == code
    assert code.name == stamp


def test_the_package_is_stamped_while_its_wheel_is_built(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    with stamped(package):
        assert not (package / "commit.txt").exists()
    git(tmp_path, "init")
    (package / "module.py").write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "one")
    (package / "module.py").write_text("2")
    with stamped(package):
        assert (package / "commit.txt").read_text() == f"{code_of(package).commit}-dirty\n"
    assert not (package / "commit.txt").exists()


def test_without_git_the_commit_is_unknown(tmp_path, monkeypatch):
    git(tmp_path, "init")
    monkeypatch.setenv("PATH", "")
    assert code_of(tmp_path).commit == "unknown"


def test_changed_files_make_a_commit_dirty(tmp_path):
    git(tmp_path, "init")
    (tmp_path / "a.txt").write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "one")
    clean = code_of(tmp_path)
    assert len(clean.commit) == 40
    assert not clean.is_dirty
    (tmp_path / "a.txt").write_text("2")
    assert code_of(tmp_path) == Code(clean.commit, is_dirty=True)


def test_what_is_installed_is_listed_with_versions():
    packages = installed_packages()
    assert packages == sorted(packages)
    assert any(package.startswith("scikit-learn==") for package in packages)


def test_fingerprints_do_not_depend_on_the_order_of_keys():
    assert hash_of({"a": 1, "b": 2}) == hash_of({"b": 2, "a": 1})
    assert hash_of({"a": 1}) != hash_of({"a": 2})


def test_the_feature_fingerprint_is_that_of_the_use_case():
    assert len(feature_fingerprint(USE_CASE)) == 64
