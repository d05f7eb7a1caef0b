import os

import pytest

from lakehouse_ml.whole_file import write_whole


def test_the_file_holds_the_text_and_nothing_lies_beside_it(tmp_path):
    file = tmp_path / "new" / "record.json"
    write_whole(file, "first")
    write_whole(file, "second")
    assert file.read_text() == "second"
    assert os.listdir(file.parent) == ["record.json"]


def test_a_kill_while_writing_leaves_what_was_there(tmp_path, monkeypatch):
    file = tmp_path / "record.json"
    write_whole(file, "first")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_whole(file, "second")
    assert file.read_text() == "first"
