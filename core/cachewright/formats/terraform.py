"""Terraform's provider (plugin) cache."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from cachewright.digests import FileDigest, h1
from cachewright.formats.base import Format, Knowledge, References, Rule
from cachewright.formats.terraform_copies import Archives
from cachewright.formats.terraform_knowledge import TerraformKnowledge
from cachewright.formats.terraform_layout import ENTRY_OR_STAGING, RULES, looks_like_cache
from cachewright.formats.terraform_projects import read_projects
from cachewright.formats.terraform_rewrite import edits_from_json, rewrite
from cachewright.formats.terraform_settings import (
    TERRAFORM,
    Product,
    customary_cache,
    read_settings,
)
from cachewright.formats.terraform_sources import Sources
from cachewright.model import Location, StepKind

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree
    from cachewright.storage.anchored import Directory


class Terraform(Format):
    """Unpacked providers by host, namespace, type, version and platform; the expected digests
    lie in the projects' lock files, not in the cache."""

    name: ClassVar[str] = "terraform"
    title: ClassVar[str] = "Terraform provider cache"
    rules: ClassVar[tuple[Rule, ...]] = RULES
    algorithms: ClassVar[frozenset[str]] = frozenset({"sha256"})

    product: ClassVar[Product] = TERRAFORM
    makes_locks: ClassVar[bool] = False

    def __init__(self) -> None:
        self._archives = Archives()

    def recognise(self, root: Directory) -> bool:
        return looks_like_cache(root, ENTRY_OR_STAGING, or_empty=True)

    def default_locations(self, environment: Mapping[str, str]) -> Iterable[Location]:
        places = [read_settings(environment, self.product).cache, customary_cache(environment)]
        for place in dict.fromkeys(places):
            if place is not None and os.path.isdir(place):
                yield Location(self.name, os.path.abspath(place), self.title)

    def read(self, root: Directory, tree: Tree, references: References) -> Knowledge:
        settings = read_settings(references.environment, self.product)
        return TerraformKnowledge(
            root,
            tree,
            read_projects(references.projects, references.cancel),
            Sources(
                references.sources,
                settings.mirrors,
                root.path,
                self._archives,
                references.cancel,
            ),
            settings.findings,
            makes_locks=self.makes_locks,
        )

    def whole(self, files: Mapping[bytes, FileDigest]) -> Mapping[str, str]:
        try:
            return {"h1": h1(files)}
        except ValueError:
            return {}

    def rewrite(self, step: StepKind, detail: Mapping[str, Any], old: bytes) -> bytes:
        """``drop-poisoned-checksum``: ``detail`` is ``{"blocks": [{"provider", "version",
        "drop": [...], "add": [...]}]}``, checksums as in the file, with their scheme."""
        if step is not StepKind.DROP_POISONED_CHECKSUM:
            return super().rewrite(step, detail, old)
        return rewrite(old, edits_from_json(detail))
