from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from cachewright.model import Directories
from cachewright_gui.dialogs.open_cache import OpenCache
from cachewright_gui.store import Recent

FORMATS = (("terraform", "Terraform providers"), ("opentofu", "OpenTofu providers"))


def test_only_a_directory_that_exists_can_be_opened(qtbot: QtBot, tmp_path: Path) -> None:
    dialog = OpenCache(FORMATS, None)
    qtbot.addWidget(dialog)
    assert not dialog.go.isEnabled()
    dialog.path.setText(str(tmp_path / "none"))
    assert not dialog.go.isEnabled()
    assert dialog.problem.text() == "There is no such directory or file."
    dialog.path.setText(str(tmp_path))
    assert dialog.go.isEnabled()
    dialog.kind.setCurrentIndex(2)
    assert dialog.picked == Recent(os.fsencode(tmp_path), "", "opentofu")


def test_a_path_that_text_cannot_carry_is_kept_as_it_is(qtbot: QtBot, tmp_path: Path) -> None:
    root = os.fsencode(tmp_path) + b"/n\xff"
    os.mkdir(root)
    os.mkdir(os.fsencode(tmp_path) + b"/n")
    dialog = OpenCache(FORMATS, Recent(root, "", "terraform", (b"/p\xfe",), ()))
    qtbot.addWidget(dialog)
    assert dialog.go.isEnabled()
    assert dialog.picked == Recent(root, "", "terraform", (b"/p\xfe",), ())


@pytest.mark.parametrize("name", ["blank ", " blank", "a\nb", "a\tb", "a\u2028b"])
def test_a_picked_name_is_opened_and_not_one_that_looks_like_it(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A line edit changes some characters, and blanks around a path are usually nothing."""
    root = tmp_path / name
    for folder in (root, tmp_path / "blank", tmp_path / "a b"):
        folder.mkdir()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(root))
    dialog = OpenCache(FORMATS, None)
    qtbot.addWidget(dialog)
    dialog.browse.click()
    assert dialog.picked.root == os.fsencode(root)
    again = OpenCache(FORMATS, Recent(os.fsencode(root)))
    qtbot.addWidget(again)
    assert again.picked.root == os.fsencode(root)


def test_blanks_around_a_typed_path_are_part_of_it_only_where_that_is_there(
    qtbot: QtBot, tmp_path: Path
) -> None:
    for name in ("blank", "blank "):
        (tmp_path / name).mkdir()
    dialog = OpenCache(FORMATS, None)
    qtbot.addWidget(dialog)
    for typed, opened in (("blank ", "blank "), ("blank", "blank"), ("blank  ", "blank")):
        dialog.path.setText(str(tmp_path / typed))
        assert dialog.picked.root == os.fsencode(tmp_path / opened)


def test_projects_are_added_and_removed(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pick(*_: Any) -> str:
        return str(tmp_path)

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", pick)
    dialog = OpenCache(FORMATS, None)
    qtbot.addWidget(dialog)
    qtbot.mouseClick(dialog.browse, Qt.MouseButton.LeftButton)
    assert dialog.root == os.fsencode(tmp_path)
    qtbot.mouseClick(dialog.projects.add, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(dialog.projects.add, Qt.MouseButton.LeftButton)
    assert dialog.projects.paths == (os.fsencode(tmp_path),)
    dialog.projects.list.setCurrentRow(0)
    qtbot.mouseClick(dialog.projects.remove, Qt.MouseButton.LeftButton)
    assert dialog.projects.paths == ()


def test_a_configuration_file_can_be_opened(qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "glance-api.conf").touch()
    dialog = OpenCache(FORMATS, None)
    qtbot.addWidget(dialog)
    dialog.path.setText(str(tmp_path / "glance-api.conf"))
    assert dialog.go.isEnabled()
    assert dialog.picked.root == os.fsencode(tmp_path / "glance-api.conf")


def test_a_database_is_opened_with_its_directories(qtbot: QtBot, tmp_path: Path) -> None:
    for name in ("fast", "staging"):
        (tmp_path / name).mkdir()
    dialog = OpenCache(FORMATS, None)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.path.setText("mysql+pymysql://glance:secret@localhost/glance")
    assert dialog.places.isVisible()
    assert not dialog.access.isVisible()
    dialog.places.stores.setPlainText("fast")
    assert dialog.problem.text() == "Each store is a name, an equals sign and a directory."
    dialog.places.stores.setPlainText(f"fast={tmp_path}/gone")
    assert dialog.problem.text() == f"There is no directory {tmp_path}/gone."
    assert not dialog.go.isEnabled()
    dialog.places.stores.setPlainText(f"fast = {tmp_path}/fast\n")
    dialog.places.staging.setText(f"{tmp_path}/staging")
    assert dialog.go.isEnabled()
    picked = dialog.picked
    assert picked.root == b"mysql+pymysql://glance@localhost/glance"
    assert picked.in_database
    assert not picked.only_locks
    assert picked.directories == Directories(
        (("fast", os.fsencode(tmp_path / "fast")),),
        os.fsencode(tmp_path / "staging"),
        None,
        "mysql+pymysql://glance:secret@localhost/glance",
    )
    assert "secret" not in picked.as_text() + repr(picked)
    again = Recent.from_text(picked.as_text())
    assert again == replace(picked, directories=replace(picked.directories, address=""))
