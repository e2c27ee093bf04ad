"""OpenStack Glance: images in stores, staging and image cache, with their records in a database.

Its root is the API's configuration (``glance-api.conf``, or the directory that holds it), or the
address of its database with the directories named beside it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from cachewright.errors import AddressInvalid, CachewrightError, StoreUnreadable
from cachewright.formats.base import Format, Knowledge, References
from cachewright.formats.glance_config import (
    CONFIG,
    Settings,
    StoreDirectory,
    find_config,
    read_settings,
)
from cachewright.formats.glance_image_cache import ImageCacheFormat
from cachewright.formats.glance_locks import ImportLocks
from cachewright.formats.glance_parts import IMAGE
from cachewright.formats.glance_records import Image, Records
from cachewright.formats.glance_staging import StagingFormat
from cachewright.formats.glance_store import StoreFormat
from cachewright.formats.glance_stuck import stuck
from cachewright.formats.spread import Asked, InUse, Part, Spread, Work
from cachewright.locks.database import PASSWORD, Database
from cachewright.model import (
    Access,
    Claim,
    Directories,
    Finding,
    Gap,
    Location,
    LockReport,
    Rule,
)
from cachewright.text import display, is_address, public_address

if TYPE_CHECKING:
    from cachewright.inventory.tree import Tree
    from cachewright.locks.store import LockStore
    from cachewright.storage.anchored import Directory

_SCHEMES: Final = frozenset({
    "sqlite", "sqlite+pysqlite", "postgresql+psycopg2", "postgresql+psycopg", "mysql+pymysql",
    "mysql+mysqldb", "mariadb+pymysql", "mariadb+mysqldb",
})  # fmt: skip
_BY_NAME: Final = frozenset({"postgresql", "mysql", "mariadb"})
"""Addresses that other tools have too: Glance's only where the format is named."""
_WHOLE: Final = 12
"""How many times longer all records may take than the first of them."""
_DEFAULT_DIRECTORY: Final = "/etc/glance"


class Glance(Format):
    """The image service's own view: its parts are formats of their own."""

    name: ClassVar[str] = "glance"
    title: ClassVar[str] = "Glance"
    rules: ClassVar[tuple[Rule, ...]] = ()
    algorithms: ClassVar[frozenset[str]] = frozenset()

    def recognise(self, root: Directory) -> bool:
        """A directory with the configuration; stores by themselves are any files by any ID."""
        return root.exists(CONFIG)

    def default_locations(self, environment: Mapping[str, str]) -> Iterable[Location]:
        folder = environment.get("OS_GLANCE_CONFIG_DIR") or _DEFAULT_DIRECTORY
        found = find_config(os.path.abspath(os.fsencode(folder)))
        if found is not None:
            yield Location(self.name, found, "Glance")

    def read(self, root: Directory, tree: Tree, references: References) -> Knowledge:
        del tree, references
        reason = "it is no directory of images but Glance's configuration"
        raise AddressInvalid(path=root.path, reason=reason)

    def spreads(self, root: bytes, *, named: bool) -> bool:
        if is_address(root):
            scheme = root.partition(b"://")[0].decode("ascii", "replace").lower()
            return scheme in _SCHEMES or (named and scheme in _BY_NAME)
        found = find_config(root)
        return found is not None and (named or os.path.basename(found) == CONFIG)

    def open_spread(self, root: bytes, asked: Asked) -> Spread:
        if is_address(root):
            return GlanceSpread(*_by_address(root, asked), asked)
        found = find_config(root)
        if found is None:
            raise AddressInvalid(path=root, reason="it is no configuration of Glance")
        path = os.path.realpath(found)
        try:
            settings = read_settings(path)
        except (CachewrightError, OSError) as error:
            reason = getattr(error, "strerror", None) or str(error).rstrip(".")
            raise StoreUnreadable(path=path, reason=reason, left="Nothing was read.") from error
        return GlanceSpread(path, _with(settings, asked.directories), asked)

    def open_store(self, address: str, access: Access) -> LockStore:
        """The import locks again, as an undo wants them."""
        root = os.fsencode(address)
        opened = self.open_spread(root, Asked(access=access, environment=dict(os.environ)))
        store = opened.leases()
        if store is None:
            raise AddressInvalid(path=root, reason="it names no database any more")
        return store


def _by_address(root: bytes, asked: Asked) -> tuple[bytes, Settings]:
    address = asked.directories.address or os.fsdecode(root)
    return public_address(root), _with(Settings(address), asked.directories)


def _with(settings: Settings, said: Directories) -> Settings:
    """The settings, and what a person says beside them: that goes first."""
    named = {name: StoreDirectory(name, name, path) for name, path in said.stores}
    return Settings(
        settings.address,
        (*(one for one in settings.stores if one.store not in named), *named.values()),
        said.staging or settings.staging,
        said.image_cache or settings.image_cache,
        settings.elsewhere,
        settings.wrong,
    )


class GlanceSpread(Spread):
    """One Glance: its directories, and what its database said last."""

    def __init__(self, root: bytes, settings: Settings, asked: Asked) -> None:
        self.root = root
        self._settings = settings
        self._access = asked.access
        self.records = Records(why_not="it was not asked yet")
        self._locked = self.records
        self._database = self._opened(asked)
        self.parts = tuple(self._parts())

    def _opened(self, asked: Asked) -> Database | None:
        if not self._settings.address:
            return None
        password = asked.environment.get(PASSWORD, "")
        return Database(self._settings.address, password=password, timeout_s=asked.access.timeout_s)

    @property
    def source(self) -> bytes:
        return self._database.shown if self._database else self.root

    def _parts(self) -> Iterable[Part]:
        settings = self._settings
        for one in settings.stores:
            yield Part(one.name, one.path, StoreFormat(self, one.name, one.store))
        if settings.staging is not None:
            yield Part("staging", settings.staging, StagingFormat(self))
        if settings.image_cache is not None:
            yield Part("image-cache", settings.image_cache, ImageCacheFormat(self))

    def refresh(self) -> Gap | None:
        from cachewright.formats.glance_rows import read_records, take_part

        def read(database: Database) -> Records:
            # Whether it answers at all shows soon; a million rows may take longer than that.
            database.read(take_part)
            return database.read(read_records, times=_WHOLE)

        self.records, gap = self._read(read)
        self._locked = self.records
        return gap

    def refresh_leases(self) -> Gap | None:
        from cachewright.formats.glance_rows import read_lock_records

        self._locked, gap = self._read(lambda database: database.read(read_lock_records))
        return gap

    def _read(self, read: Callable[[Database], Records]) -> tuple[Records, Gap | None]:
        if self._database is None:
            why = "the configuration names no database ([database] connection)"
            return Records(why_not=why), Gap(self.root, why)
        try:
            return read(self._database), None
        except CachewrightError as error:
            why = error.values.get("reason", str(error))
            return Records(why_not=why), Gap(self.source, why)

    def leases(self) -> LockStore | None:
        return ImportLocks(self._database) if self._database else None

    def work(self, claim: Claim) -> Work:
        image = claim.owner.get("Image", "")
        known = self._locked
        lock = known.locks.get(image)
        if lock is None or lock.task != claim.id:
            return Work()
        # Whether it may still be written is told by how long such a lock lasts.
        why = "Its task was never written or is purged, and none is begun before it is."
        never = why if lock.status is None else ""
        wanted = {*lock.stores, *known.to_stores.get(image, ())}
        has = {one.store for one in known.of_image.get(image, ()) if one.active}
        name = image.encode("utf-8", "surrogateescape")
        stores = [
            os.path.join(one.path, name)
            for one in self._settings.stores
            if one.store not in has and (not wanted or one.store in wanted)
        ]
        staging = self._settings.staging
        fills = () if staging is None else (os.path.join(staging, name),)
        return Work(fills, tuple(stores), lock.since_ns, never)

    def _files_of(self, image: str) -> Sequence[bytes]:
        name = image.encode("utf-8", "surrogateescape")
        if IMAGE.fullmatch(name) is None:
            return ()  # nothing that the service makes is called so
        staging = (self._settings.staging,) if self._settings.staging else ()
        folders = (*(one.path for one in self._settings.stores), *staging)
        return [os.path.join(folder, name) for folder in folders]

    def _staged(self, image: Image) -> bool:
        """Whether what was uploaded lies in staging, whole."""
        staging = self._settings.staging
        if staging is None or image.size is None:
            return False
        try:
            found = os.lstat(os.path.join(staging, os.fsencode(image.id)))
        except (OSError, ValueError):
            return False
        return stat.S_ISREG(found.st_mode) and found.st_size == image.size

    def findings(self, locks: Sequence[LockReport], in_use: InUse) -> Iterable[Finding]:
        return stuck(
            self.records,
            self.source,
            files_of=self._files_of,
            staged=self._staged,
            locks=locks,
            in_use=in_use,
        )

    def close(self) -> None:
        """Nothing is kept open between two questions."""

    def notes(self) -> Sequence[str]:
        notes = list(self._settings.wrong)
        if self._settings.elsewhere:
            names = ", ".join(display(one) for one in self._settings.elsewhere)
            notes.append(f"These stores are no directories and were not looked at: {names}.")
        if not self._settings.stores and is_address(self.root):
            notes.append("No store was named: say --store NAME=DIR for each.")
        return notes
