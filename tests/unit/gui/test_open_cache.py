from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from cachewright_gui.dialogs.open_cache import OpenCache
from cachewright_gui.store import Recent

FORMATS = (("terraform", "Terraform providers"), ("opentofu", "OpenTofu providers"))


def test_only_a_directory_that_exists_can_be_opened(qtbot: QtBot, tmp_path: Path) -> None:
    dialog = OpenCache(FORMATS, None)
    qtbot.addWidget(dialog)
    assert not dialog.go.isEnabled()
    dialog.path.setText(str(tmp_path / "none"))
    assert not dialog.go.isEnabled()
    assert dialog.problem.text() == "There is no such directory."
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
