"""One open store of locks: what a bench is for ``s3://…`` and ``dynamodb://…``."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Final

from cachewright.diagnosis.stores import beside_words, of_store
from cachewright.errors import AddressInvalid, BackendUnsupported, EntryUnknown, UnknownFormat
from cachewright.formats.registry import by_name, formats
from cachewright.formats.terraform_backends import SENTENCES
from cachewright.locks.object_store import Looked, look_all
from cachewright.model import CancelToken, CheckResult, Progress
from cachewright.repair.journal import Journal
from cachewright.repair.recover import recover
from cachewright.repair.stores import place_of, release_all, store_plan
from cachewright.repair.unlocking import unlock_plan
from cachewright.text import display
from cachewright.workbench.bench import Bench
from cachewright.workbench.leases import gap_words
from cachewright.workbench.watching import Options, Unwatched, Watcher

if TYPE_CHECKING:
    from cachewright.formats.base import Format
    from cachewright.inventory.tree import Tree
    from cachewright.locks.store import LockStore
    from cachewright.model import Gap, LockReport, Outcome, Plan, StepKind

_BACKENDS: Final[Mapping[str, str]] = {
    "gs": "gcs",
    "postgres": "pg",
    "postgresql": "pg",
    "https": "http",
    "azure": "azurerm",
    "k8s": "kubernetes",
}
"""Schemes that are not called as the backend is that keeps locks there."""


_USER: Final = re.compile(rb"(://)[^/?#]*@")
"""A name, and perhaps a password, before the host of an address."""


class StoreBench(Bench):
    """One open store of locks; it has no files, no entries and no staging.

    ``check`` and ``locks`` may run on different threads; what is asked of the store is asked
    each time anew.
    """

    tree: Tree | None = None

    def __init__(self, store: LockStore, form: Format, options: Options) -> None:
        self._store = store
        self._format = form
        self.options = options
        self.result: CheckResult | None = None
        self._looked: Looked | None = None

    @classmethod
    def open(
        cls, root: bytes, *, format_name: str | None = None, options: Options | None = None
    ) -> StoreBench:
        """Find the format that reads such a store; nothing is asked of the store yet.

        Raises ``BackendUnsupported`` with what is known of the place, ``AddressInvalid``,
        ``ExtraMissing`` or ``UnknownFormat``.
        """
        chosen = options or Options()
        try:
            address = root.decode("utf-8")
        except UnicodeDecodeError:
            raise AddressInvalid(path=root, reason="an address is UTF-8 text") from None
        scheme, _, rest = address.partition("://")
        form = _format_of(root, scheme.lower(), format_name)
        store = form.open_store(f"{scheme.lower()}://{rest}", chosen.access)
        return cls(store, form, chosen)

    @property
    def root(self) -> bytes:
        """The store's address."""
        return self._store.root

    @property
    def format_name(self) -> str:
        return self._format.name

    @property
    def title(self) -> str:
        """What a person calls such a store."""
        return self._format.title

    @property
    def holds_entries(self) -> bool:
        return False

    def check(
        self, watcher: Watcher | None = None, cancel: CancelToken | None = None
    ) -> CheckResult:
        """Read every lock and say what is known of it; remembers the result.

        Raises what ``LockStore.list`` raises where nothing could be read at all.
        """
        told = watcher or Unwatched()
        started_ns = time.time_ns()
        told.progress(Progress("locks"))
        looked = self._look(cancel)
        found = of_store(self.root, looked)
        told.locks(looked.locks)
        told.findings(found)
        self.result = CheckResult(
            root=self.root,
            format=self.format_name,
            title=self.title,
            entries=(),
            locks=looked.locks,
            staging=(),
            findings=found,
            gaps=looked.gaps,
            started_ns=started_ns,
            finished_ns=time.time_ns(),
        )
        return self.result

    def locks(self, *, decide: bool = False) -> tuple[LockReport, ...]:
        """Every lock as it is now; a store knows of no holder who could be disturbed."""
        del decide
        return self._look(None).locks

    def notes(self) -> tuple[str, ...]:
        """What lies beside the locks of the last look, and what it could not read."""
        looked = self._looked or self._look(None)
        beside = (beside_words(looked.beside),) if looked.beside else ()
        return (*beside, *gap_words(looked.gaps), *self._store.notes())

    def unread(self) -> tuple[Gap, ...]:
        """What the last look could not read."""
        return self._looked.gaps if self._looked else ()

    def _look(self, cancel: CancelToken | None) -> Looked:
        looked = look_all(self._store, cancel)
        self._looked = looked
        return looked

    def plan(
        self,
        *,
        only: Collection[StepKind] | None = None,
        stale_only: bool = False,
        findings: Collection[str] | None = None,
    ) -> Plan:
        """The releases that the last check's findings allow; checks first if none was made."""
        result = self.result or self.check()
        return store_plan(result, only=only, stale_only=stale_only, findings=findings)

    def unlocking(self, lock: LockReport) -> Plan:
        """The plan of one typed step that releases exactly this lock."""
        return unlock_plan(self.root, self.format_name, lock)

    def repair(
        self,
        plan: Plan,
        *,
        apply: bool,
        confirmations: Mapping[str, str] | None = None,
        watcher: Watcher | None = None,
        cancel: CancelToken | None = None,
    ) -> tuple[Outcome, ...]:
        """Run the plan's steps, each lock read anew right before it is released.  What was
        interrupted in this store before is ended first."""
        with closing(Journal.open()) as journal:
            if apply:
                recover(journal, root=self.root)
            return release_all(
                plan,
                place_of(self._store, self.format_name, self.options.access),
                format_name=self.format_name,
                journal=journal,
                confirmations=confirmations,
                apply=apply,
                progress=(watcher or Unwatched()).progress,
                cancel=cancel,
            )

    def publish(
        self, entry_name: str, source: bytes | None = None, cancel: CancelToken | None = None
    ) -> Outcome:
        """A store of locks has no entries: raises ``EntryUnknown``."""
        del source, cancel
        raise EntryUnknown(name=display(entry_name), path=self.root)

    def close(self) -> None:
        """Let go of the store; closing twice is harmless."""
        self._store.close()


def _format_of(root: bytes, scheme: str, name: str | None) -> Format:
    if name is not None:
        form = by_name(name)
        if scheme not in form.schemes:
            raise UnknownFormat(name=f"{name} for {scheme}://", known=_known(scheme))
        return form
    for form in formats().values():
        if scheme in form.schemes:
            return form
    sentence = SENTENCES.get(_BACKENDS.get(scheme, scheme))
    if sentence is None:
        schemes = sorted(f"{one}://" for form in formats().values() for one in form.schemes)
        sentence = f"Cachewright opens directories and {', '.join(schemes)}, but no {scheme}://."
    raise BackendUnsupported(path=_USER.sub(rb"\1", root), sentence=sentence)


def _known(scheme: str) -> str:
    return ", ".join(form.name for form in formats().values() if scheme in form.schemes) or "none"
