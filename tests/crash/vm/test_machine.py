from __future__ import annotations

from pathlib import Path

import pytest
from tests.crash.vm import packages
from tests.crash.vm.initrd import Job


def test_every_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "path", lambda: "/nowhere")
    with pytest.raises(packages.Missing, match=r"apt-get install kmod qemu-system-x86$"):
        packages.require(["qemu-system-x86_64", "modprobe", "depmod"])


def test_a_job_takes_any_word_as_it_is() -> None:
    script = Job(["echo", "a b", "$(c)"], Path("/x y"), {"V": "'"}).script()
    assert "cd '/x y' && echo 'a b' '$(c)' >" in script
    assert """V=''"'"''""" in script
