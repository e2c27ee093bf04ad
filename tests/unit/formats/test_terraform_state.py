"""Project folders: what is recognised, and where the locks of their state are."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cachewright.formats import registry
from cachewright.formats.base import Knowledge, References, Role
from cachewright.formats.terraform_state import TerraformState
from cachewright.formats.terraform_state_layout import info_name, states_of
from cachewright.inventory.tree import Tree, scan_subtree
from cachewright.model import (
    Access,
    FindingKind,
    Gate,
    HoldVerdict,
    LockKind,
    LockPlace,
    Severity,
)
from cachewright.storage.anchored import Directory
from cachewright.workbench import Options, Workbench

INFO = {"ID": "1", "Operation": "OperationTypeApply", "Who": "a@b", "Path": "terraform.tfstate"}


@dataclass
class Project:
    """A project folder in the making."""

    top: Path
    environment: dict[str, str] = field(default_factory=dict)

    def file(self, name: str, content: str = "") -> Path:
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def settings(self, kind: str, folder: str = ".terraform", **config: object) -> Path:
        backend = {"type": kind, "config": config, "hash": 1}
        return self.file(f"{folder}/terraform.tfstate", json.dumps({"backend": backend}))

    def read(self, root: Directory) -> tuple[Tree, Knowledge]:
        form = TerraformState()
        tree = scan_subtree(root, b"", Role.CONTAINER, form.rules)
        return tree, form.read(root, tree, References(environment=self.environment))

    def places(self) -> dict[str, LockPlace]:
        with Directory.open(os.fsencode(self.top)) as root:
            _tree, knowledge = self.read(root)
            return {os.fsdecode(one.relative): one for one in knowledge.locks()}

    def findings(self) -> list[tuple[FindingKind, str, str]]:
        with Directory.open(os.fsencode(self.top)) as root:
            _tree, knowledge = self.read(root)
            found = list(knowledge.findings())
            assert [one.explanation for one in found] == list(knowledge.notes())
            assert {one.severity for one in found} <= {Severity.NOTICE}
            return [(one.kind, os.fsdecode(one.path), one.explanation) for one in found]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    top = tmp_path / "project"
    top.mkdir()
    return Project(top)


def recognised(top: Path) -> str | None:
    with Directory.open(os.fsencode(top)) as root:
        form = registry.recognise(root)
        return None if form is None else form.name


@pytest.mark.parametrize(
    "name",
    [
        "main.tf", "main.tf.json", "main.tofu", "main.tofu.json", "terraform.tfstate",
        ".terraform.lock.hcl", ".terraform.tfstate.lock.info", ".bar.state.lock.info",
        ".terraform/environment", "terraform.tfstate.d/blue/terraform.tfstate",
    ],
)  # fmt: skip
def test_a_project_folder_is_recognised_by_any_of_its_signs(name: str, project: Project) -> None:
    assert recognised(project.top) is None
    project.file(name)
    assert recognised(project.top) == "terraform-state"


@pytest.mark.parametrize("name", ["main.tf", "terraform.tfstate", ".terraform.tfstate.lock.info"])
def test_a_directory_of_such_a_name_is_no_sign(name: str, project: Project) -> None:
    (project.top / name).mkdir()
    assert recognised(project.top) is None


@pytest.mark.parametrize("name", [".terraform", "terraform.tfstate.d"])
def test_a_file_named_like_a_directory_of_the_tools_is_no_sign(name: str, project: Project) -> None:
    project.file(name)
    assert recognised(project.top) is None


def test_a_provider_cache_stays_one(project: Project) -> None:
    project.file("tf.example.com/acme/toy/1.2.3/linux_amd64/terraform-provider-toy")
    project.file("notes.tf")
    assert recognised(project.top) == "terraform"
    project.file("tf.example.com/acme/toy/1.2.3/linux_amd64.lock")
    assert recognised(project.top) == "opentofu"


def test_the_provider_directory_of_a_project_is_no_project(project: Project) -> None:
    project.file(".terraform/providers/tf.example.com/acme/toy/1.2.3/linux_amd64/x")
    assert recognised(project.top) == "terraform-state"
    assert recognised(project.top / ".terraform" / "providers") == "terraform"


def test_a_home_directory_is_none_whatever_lies_in_it(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.file("main.tf")
    (tmp_path / "home").symlink_to(project.top)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert recognised(project.top) is None


def test_the_top_of_the_file_tree_is_none(
    monkeypatch: pytest.MonkeyPatch, project: Project
) -> None:
    project.file("main.tf")
    with Directory.open(os.fsencode(project.top)) as root:
        root.path = b"/"
        assert not TerraformState().recognise(root)
    del monkeypatch


def test_the_whole_disk_is_not_searched() -> None:
    assert list(TerraformState().default_locations({"HOME": "/"})) == []


@pytest.mark.parametrize(
    ("state", "info"),
    [
        (b"terraform.tfstate", b".terraform.tfstate.lock.info"),
        (b"bar.state", b".bar.state.lock.info"),
        (b".bar", b".bar.lock.info"),
        (b"..bar", b"..bar.lock.info"),
        (b"a\nb", b".a\nb.lock.info"),
    ],
)
def test_the_names_of_info_files_are_the_tools_own(state: bytes, info: bytes) -> None:
    """``lockInfoPath``: a dot, the name without one leading dot, and ``.lock.info``."""
    assert info_name(state) == info
    assert state in states_of(info)


def test_names_of_something_else_speak_of_no_state() -> None:
    for name in (b".lock.info", b"x.lock.info", b".x.lock.info.bak", b"terraform.tfstate"):
        assert states_of(name) == ()


def gate(state: str) -> Gate:
    return Gate(LockKind.POSIX, os.fsencode(state), create=False, read_only=True)


def test_each_state_has_its_lock_and_its_info_file_there_or_not(project: Project) -> None:
    project.file("terraform.tfstate")
    places = project.places()
    assert list(places) == ["terraform.tfstate", ".terraform.tfstate.lock.info"]
    lock, info = places.values()
    assert (lock.kind, lock.id, lock.guards) == (LockKind.POSIX, "terraform.tfstate", None)
    assert lock.row > 0
    assert (info.kind, info.id) == (LockKind.INFO_FILE, ".terraform.tfstate.lock.info")
    assert info.guards == gate("terraform.tfstate")
    assert info.row == -1
    assert {lock.subject, info.subject} == {"State terraform.tfstate"}


def test_workspaces_and_deeper_projects_are_named(project: Project) -> None:
    project.file("terraform.tfstate")
    project.file("terraform.tfstate.d/blue/terraform.tfstate")
    (project.top / "terraform.tfstate.d/empty").mkdir()
    project.file("terraform.tfstate.d/notes.txt")
    project.file("live/prod/terraform.tfstate.d/green/terraform.tfstate")
    project.file("live/prod/terraform.tfstate")
    places = project.places()
    subjects = {name: one.subject for name, one in places.items() if one.kind is LockKind.POSIX}
    assert subjects == {
        "live/prod/terraform.tfstate": "State live/prod/terraform.tfstate",
        "live/prod/terraform.tfstate.d/green/terraform.tfstate": (
            "State live/prod/terraform.tfstate, workspace green"
        ),
        "terraform.tfstate": "State terraform.tfstate",
        "terraform.tfstate.d/blue/terraform.tfstate": "State terraform.tfstate, workspace blue",
        "terraform.tfstate.d/empty/terraform.tfstate": "State terraform.tfstate, workspace empty",
    }
    info = places["terraform.tfstate.d/blue/.terraform.tfstate.lock.info"]
    assert info.guards == gate("terraform.tfstate.d/blue/terraform.tfstate")
    assert len(places) == 2 * len(subjects)


def test_a_state_of_another_name_is_known_by_its_info_file(project: Project) -> None:
    project.file("foo/bar.state")
    assert project.places() == {}
    project.file("foo/.bar.state.lock.info", json.dumps(INFO))
    places = project.places()
    assert list(places) == ["foo/bar.state", "foo/.bar.state.lock.info"]
    assert places["foo/.bar.state.lock.info"].guards == gate("foo/bar.state")
    assert places["foo/bar.state"].subject == "State foo/bar.state"


def test_a_state_whose_name_begins_with_a_dot(project: Project) -> None:
    project.file(".bar")
    project.file(".bar.lock.info")
    assert project.places()[".bar.lock.info"].guards == gate(".bar")


def test_where_two_states_share_an_info_file_it_says_whose_it_is(project: Project) -> None:
    project.file("bar")
    project.file(".bar")
    for named in (".bar", "bar", "../elsewhere/.bar"):
        project.file(".bar.lock.info", json.dumps({**INFO, "Path": named}))
        assert project.places()[".bar.lock.info"].guards == gate(named.rpartition("/")[2])
    for content in ("", "garbage", json.dumps({**INFO, "Path": "other"}), "x" * 100_000):
        project.file(".bar.lock.info", content)
        assert project.places()[".bar.lock.info"].guards is None, content[:20]
    assert {"bar", ".bar"} <= set(project.places())


def test_an_info_file_without_its_state_is_listed_too(project: Project) -> None:
    project.file(".gone.tfstate.lock.info", json.dumps(INFO))
    places = project.places()
    assert list(places) == [".gone.tfstate.lock.info"]
    assert places[".gone.tfstate.lock.info"].guards == gate("gone.tfstate")


def test_settings_are_locked_only_while_their_info_file_is_there(project: Project) -> None:
    project.settings("s3", bucket="bucket", key="key")
    assert project.places() == {}
    project.file(".terraform/.terraform.tfstate.lock.info")
    places = project.places()
    assert list(places) == [
        ".terraform/terraform.tfstate",
        ".terraform/.terraform.tfstate.lock.info",
    ]
    assert {one.subject for one in places.values()} == {
        "Backend settings .terraform/terraform.tfstate"
    }


def test_the_local_backends_own_paths_are_followed_inside(project: Project) -> None:
    project.settings("local", path="states/prod.tfstate", workspace_dir="states/more")
    project.file("states/more/blue/terraform.tfstate")
    places = project.places()
    assert places["states/prod.tfstate"].row == -1
    assert places["states/.prod.tfstate.lock.info"].guards == gate("states/prod.tfstate")
    subject = places["states/more/blue/terraform.tfstate"].subject
    assert subject == "State states/terraform.tfstate, workspace blue"
    assert "terraform.tfstate" not in places
    assert project.findings() == []


def test_the_folder_of_the_backends_state_is_looked_into_too(project: Project) -> None:
    project.settings("local", path="states/prod.tfstate")
    with Directory.open(os.fsencode(project.top)) as root:
        _tree, knowledge = project.read(root)
        project.file("states/other.state")
        project.file("states/.other.state.lock.info")
        names = [os.fsdecode(one.relative) for one in knowledge.locks()]
        assert {"states/prod.tfstate", "states/other.state"} <= set(names)


def test_an_absolute_path_inside_is_inside(project: Project) -> None:
    project.settings("local", path=str(project.top / "deep/x.tfstate"))
    assert "deep/x.tfstate" in project.places()


def test_a_local_backend_that_keeps_state_outside_names_the_folder(project: Project) -> None:
    project.settings("local", path="../there/x.tfstate", workspace_dir="/elsewhere/w")
    kinds, paths, said = zip(*project.findings(), strict=True)
    assert set(kinds) == {FindingKind.STATE_ELSEWHERE}
    assert set(paths) == {str(project.top / ".terraform/terraform.tfstate")}
    assert f"keeps its state in {project.top.parent / 'there'}, outside" in said[0]
    assert "keeps its workspaces in /elsewhere/w, outside" in said[1]
    assert project.places() == {}


def test_a_deeper_projects_paths_are_its_own(project: Project) -> None:
    project.settings("local", "live/prod/.terraform", path="../shared/x.tfstate")
    assert next(iter(project.places())) == "live/shared/x.tfstate"


def test_the_data_directory_that_the_environment_names(project: Project) -> None:
    project.settings("local", ".tfdata", path="one.tfstate")
    project.settings("local", "live/.tfdata", path="two.tfstate")
    assert "one.tfstate" not in project.places()
    project.environment["TF_DATA_DIR"] = ".tfdata/"
    assert {"one.tfstate", "live/two.tfstate"} <= set(project.places())


def test_a_data_directory_in_another_place_belongs_to_the_top(
    project: Project, tmp_path: Path
) -> None:
    Project(tmp_path).settings("local", "data", path="one.tfstate")
    for named in (str(tmp_path / "data"), "../data"):
        project.environment["TF_DATA_DIR"] = named
        assert "one.tfstate" in project.places()
    project.environment["TF_DATA_DIR"] = str(tmp_path / "missing")
    assert "one.tfstate" not in project.places()
    project.environment["TF_DATA_DIR"] = str(project.top / "in")
    project.settings("local", "in", path="three.tfstate")
    project.file("in/.terraform.tfstate.lock.info")
    assert {"three.tfstate", "in/terraform.tfstate"} <= set(project.places())


OTHERS = (
    ".git", "node_modules", ".terraform/modules/m", ".terraform/providers/h/n/t", ".venv/x",
    ".terragrunt-cache/a/b", ".cachewright-quarantine",
)  # fmt: skip


@pytest.mark.parametrize("folder", OTHERS)
def test_others_files_are_not_searched(folder: str, project: Project) -> None:
    project.file("main.tf")
    for name in (
        "terraform.tfstate", ".terraform.tfstate.lock.info", "x/.terraform/terraform.tfstate",
        "terraform.tfstate.d/blue/terraform.tfstate",
    ):  # fmt: skip
        project.file(f"{folder}/{name}", json.dumps({"backend": {"type": "gcs"}}))
    assert all("/" not in name for name in project.places())
    assert project.findings() == []


def test_what_comes_and_goes_between_two_scans_is_seen(project: Project) -> None:
    project.file("main.tf")
    project.file("mod/main.tf")
    with Directory.open(os.fsencode(project.top)) as root:
        _tree, knowledge = project.read(root)
        assert knowledge.locks() == []
        project.file("terraform.tfstate")
        project.file("terraform.tfstate.d/blue/terraform.tfstate")
        project.file("mod/.x.state.lock.info")
        project.file("mod/x.state")
        places = {os.fsdecode(one.relative): one.subject for one in knowledge.locks()}
        assert {
            "terraform.tfstate", "terraform.tfstate.d/blue/terraform.tfstate", "mod/x.state",
            "mod/.x.state.lock.info",
        } <= places.keys()  # fmt: skip
        blue = places["terraform.tfstate.d/blue/terraform.tfstate"]
        assert blue == "State terraform.tfstate, workspace blue"
        assert knowledge.gate(b"mod/.x.state.lock.info") == gate("mod/x.state")
        assert knowledge.gate(b"mod/x.state") is None
        assert knowledge.gate(b"main.tf") is None


def test_linked_folders_are_not_followed(project: Project, tmp_path: Path) -> None:
    outside = Project(tmp_path / "outside")
    outside.file("terraform.tfstate")
    outside.file("blue/terraform.tfstate")
    (project.top / "linked").symlink_to(outside.top)
    (project.top / "terraform.tfstate.d").symlink_to(outside.top)
    (project.top / ".terraform").symlink_to(outside.top)
    assert project.places() == {}
    (project.top / "terraform.tfstate.d").unlink()
    (project.top / "terraform.tfstate.d").mkdir()
    (project.top / "terraform.tfstate.d/green").symlink_to(outside.top)
    assert project.places() == {}


def test_hostile_names_are_shown_safely(project: Project) -> None:
    name = "terraform.tfstate.d/a\x1b[31m\n/terraform.tfstate"
    project.file(name)
    place = project.places()[name]
    assert "\x1b" not in place.id + place.subject
    assert "\n" not in place.id + place.subject


def test_entries_are_none(project: Project) -> None:
    project.file("terraform.tfstate")
    with Directory.open(os.fsencode(project.top)) as root:
        _tree, knowledge = project.read(root)
    assert list(knowledge.entries) == []
    assert list(knowledge.staging()) == []


def test_what_a_record_says_is_read_as_a_state_locks(project: Project) -> None:
    project.file("terraform.tfstate")
    place = project.places()["terraform.tfstate"]
    with Directory.open(os.fsencode(project.top)) as root:
        _tree, knowledge = project.read(root)
        assert knowledge.claim(place, json.dumps(INFO).encode()).owner["Who"] == "a@b"
        assert knowledge.claim(place, b"").garbage


def test_buckets_and_tables_are_opened_by_their_address() -> None:
    form = TerraformState()
    assert form.schemes == {"s3", "dynamodb"}
    store = form.open_store("s3://bucket/key", Access(region="x", timeout_s=1))
    assert store.root == b"s3://bucket/key"


def checked(project: Project, **environment: str) -> Workbench:
    options = Options(environment={"HOME": "/nowhere", **environment})
    return Workbench.open(os.fsencode(project.top), options=options)


@pytest.fixture
def strange(project: Project) -> Project:
    """A person's own folder, with all that may lie in one."""
    project.file("main.tf")
    project.file("scripts/run.sh")
    project.file("/".join(["deep"] * 20) + "/file")
    project.file(".git/objects/ab/cdef")
    project.file(".terraform/providers/h/n/t/1.0.0/linux_amd64/x")
    os.mkfifo(project.top / "pipe")
    os.mkfifo(project.top / "scripts/pipe")
    (project.top / "link").symlink_to("/nowhere")
    with socket.socket(socket.AF_UNIX) as one:
        folder = os.open(project.top, os.O_RDONLY | os.O_DIRECTORY)
        try:
            one.bind(f"/proc/self/fd/{folder}/socket")
        finally:
            os.close(folder)
    return project


def test_nothing_of_a_persons_own_folder_is_called_foreign(strange: Project) -> None:
    with checked(strange) as bench:
        result = bench.check()
    assert result.findings == ()
    assert (result.entries, result.complete) == ((), True)
    assert result.format == "terraform-state"


def verdicts(project: Project) -> Mapping[str, HoldVerdict]:
    with checked(project) as bench:
        return {os.path.basename(os.fsdecode(one.path)): one.verdict for one in bench.locks()}


def test_a_stale_info_file_is_the_one_problem(project: Project) -> None:
    project.file("terraform.tfstate")
    project.file(".terraform.tfstate.lock.info", json.dumps(INFO))
    with checked(project) as bench:
        result = bench.check()
    assert [one.kind for one in result.findings] == [FindingKind.STALE_LOCK]
    assert verdicts(project) == {
        "terraform.tfstate": HoldVerdict.FREE,
        ".terraform.tfstate.lock.info": HoldVerdict.STALE,
    }


def test_where_no_info_file_lies_only_the_lock_shows(project: Project) -> None:
    project.file("terraform.tfstate")
    assert verdicts(project) == {"terraform.tfstate": HoldVerdict.FREE}


@pytest.mark.parametrize("kind", ["directory", "pipe", "link", "dangling"])
def test_a_state_file_that_is_none_is_told_of_and_left_alone(
    kind: str, project: Project, tmp_path: Path
) -> None:
    state = project.top / "terraform.tfstate"
    outside = tmp_path / "outside.tfstate"
    outside.write_text("{}")
    if kind == "directory":
        state.mkdir()
    elif kind == "pipe":
        os.mkfifo(state)
    else:
        state.symlink_to(outside if kind == "link" else tmp_path / "nothing")
    project.file("main.tf")
    project.file(".terraform.tfstate.lock.info", json.dumps(INFO))
    with checked(project) as bench:
        result = bench.check()
        (finding,) = result.findings
        assert (finding.kind, finding.repairs) == (FindingKind.UNPROVEN_LOCK, ())
        assert "terraform.tfstate, which is a" in finding.explanation
        assert bench.plan().steps == ()
    assert {one.verdict for one in result.locks} == {HoldVerdict.UNPROVEN}


def test_a_project_that_vanishes_while_it_is_read_is_a_sentence(project: Project) -> None:
    project.file("terraform.tfstate")
    with Directory.open(os.fsencode(project.top)) as root:
        _tree, knowledge = project.read(root)
        (project.top / "terraform.tfstate").unlink()
        project.top.rmdir()
        assert knowledge.locks() == []


def test_a_file_in_place_of_the_data_directory_tells_nothing(project: Project) -> None:
    project.file("main.tf")
    project.file(".terraform")
    assert project.places() == {}
    assert project.findings() == []


def test_settings_that_cannot_be_read_are_told_of(project: Project) -> None:
    project.file("main.tf")
    settings = project.file(".terraform/terraform.tfstate", "garbage")
    ((kind, path, said),) = project.findings()
    assert (kind, path) == (FindingKind.DAMAGED_METADATA, str(settings))
    assert said == (
        "The backend settings could not be read, so where the state is kept is not known: they "
        "are not JSON."
    )
    assert project.places() == {}


def test_state_elsewhere_is_a_notice_for_each_project(project: Project) -> None:
    project.settings("s3", bucket="bucket", key="key")
    project.settings("gcs", "live/.terraform", bucket="bucket")
    assert [kind for kind, _path, _said in project.findings()] == [FindingKind.STATE_ELSEWHERE] * 2
    with checked(project) as bench:
        result = bench.check()
        assert {one.subject for one in result.findings} == {
            ".terraform/terraform.tfstate",
            "live/.terraform/terraform.tfstate",
        }
        assert result.problems == ()
        assert len(bench.notes()) == 2
