"""OpenTofu's provider cache: Terraform's layout, and a lock beside each entry since 1.10
(terraform.md 3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cachewright.formats.terraform import Terraform
from cachewright.formats.terraform_layout import PLATFORM_LOCK, looks_like_cache
from cachewright.formats.terraform_settings import OPENTOFU, Product

if TYPE_CHECKING:
    from cachewright.storage.anchored import Directory


class OpenTofu(Terraform):
    """Recognised by ``OS_ARCH.lock`` files, which OpenTofu creates on every install and never
    deletes: their being there says nothing, and they are never removed."""

    name: ClassVar[str] = "opentofu"
    title: ClassVar[str] = "OpenTofu provider cache"
    refines: ClassVar[frozenset[str]] = frozenset({"terraform"})

    product: ClassVar[Product] = OPENTOFU
    makes_locks: ClassVar[bool] = True

    def recognise(self, root: Directory) -> bool:
        return looks_like_cache(root, PLATFORM_LOCK)
