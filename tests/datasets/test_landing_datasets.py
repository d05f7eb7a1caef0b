from contextlib import nullcontext

import pytest
from kedro.io import DatasetError

from lakehouse_ml.datasets import LandingFiles, LandingListing


@pytest.fixture
def listing(tmp_path) -> LandingListing:
    return LandingListing(catalog="dev", folder=str(tmp_path / "landed"))


def land(tmp_path, file: str, content: bytes = b"x") -> None:
    path = tmp_path / "landed" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_files_are_listed_in_order_of_source_and_period_with_their_size(listing, tmp_path):
    land(tmp_path, "weather/2013-01-02.jsonl.gz", b"1234")
    land(tmp_path, "weather/2013-01-01.jsonl.gz", b"")
    land(tmp_path, "planes/2013-01-01T05.jsonl.gz")
    assert [(file.file, file.size_bytes) for file in listing.load()] == [
        ("planes/2013-01-01T05.jsonl.gz", 1),
        ("weather/2013-01-01.jsonl.gz", 0),
        ("weather/2013-01-02.jsonl.gz", 4),
    ]


def test_files_that_are_still_written_and_those_beside_the_sources_are_passed_over(listing, tmp_path):
    land(tmp_path, "weather/.2013-01-01.jsonl.gz.part")
    land(tmp_path, "weather/_SUCCESS")
    land(tmp_path, "_manifest.json")
    assert listing.load() == []


def test_a_folder_among_the_files_is_listed_as_one_that_is_not_taken(listing, tmp_path):
    land(tmp_path, "weather/2013-01-01.jsonl.gz", b"1234")
    land(tmp_path, "weather/old/2012-12-31.jsonl.gz")
    land(tmp_path, "weather/.staging/2013-01-02.jsonl.gz")
    assert [(file.file, file.size_bytes, file.is_named) for file in listing.load()] == [
        ("weather/2013-01-01.jsonl.gz", 4, True),
        ("weather/old/", 0, False),
    ]


def test_a_file_that_no_stream_takes_is_named_in_the_log(listing, tmp_path, caplog):
    land(tmp_path, "weather/_2013-01-01.jsonl.gz")
    land(tmp_path, "weather/2013-01-02.jsonl.gz")
    assert [file.file for file in listing.load()] == ["weather/2013-01-02.jsonl.gz"]
    (told,) = [record.getMessage() for record in caplog.records]
    assert "weather/_2013-01-01.jsonl.gz" in told


def test_no_landing_folder_is_an_error_with_the_command_that_makes_one(listing):
    with pytest.raises(
        DatasetError, match=r"No landing folder .*landed: play the feed with `kedro land --env=dev"
    ):
        listing.load()


@pytest.mark.parametrize(("platform", "is_made"), [("local", True), ("databricks", False)])
def test_a_sources_folder_is_made_on_a_laptop_and_never_in_a_volume(platform, is_made, spark, tmp_path):
    folder = tmp_path / "landed/weather"
    landed = LandingFiles(folder=str(folder), format="binaryFile", options={}, platform=platform)
    with nullcontext() if is_made else pytest.raises(DatasetError, match="PATH_NOT_FOUND"):
        landed.load()
    assert folder.is_dir() == is_made


@pytest.mark.parametrize(
    "dataset",
    [
        LandingListing(catalog="dev", folder="dev"),
        LandingFiles(folder="dev", format="binaryFile", options={}),
    ],
    ids=["listing", "files"],
)
def test_nobody_writes_to_the_landing_folder(dataset):
    with pytest.raises(DatasetError, match="read-only"):
        dataset.save([])
