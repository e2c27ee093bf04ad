"""Every parser of what others wrote, with what it accepts at most and how it may refuse."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.hostile import parsers_seeds as seeds

from cachewright import strict_json
from cachewright.baseline import record as baseline
from cachewright.errors import PlanInvalid
from cachewright.formats import (
    checksums_bags,
    checksums_lists,
    clcache_records,
    glance_config,
    glance_locks,
    glance_records,
    glance_rows,
    handoff_manifests,
    hcl,
    terraform_backend,
    terraform_lock_info,
    terraform_lockfile,
    terraform_settings,
    terraform_sources,
    uv_pointers,
    uv_record,
)
from cachewright.formats.checksums_claims import LIMIT as LIST_LIMIT
from cachewright.formats.checksums_claims import ListFile
from cachewright.formats.terraform_store import claim_of_item
from cachewright.locks import dynamodb
from cachewright.repair import plan_file, records
from cachewright.text import display

_MOST: Final = 1 << 20
"""Bytes of the largest inputs, where more would be accepted."""


@dataclass(frozen=True)
class Parser:
    """``call`` answers, or raises one of ``refusals``; anything else is a defect."""

    name: str
    seeds: Sequence[bytes]
    call: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...] = ()
    largest: int = _MOST


class Mistaken(Exception):
    """It answered, and the answer is wrong."""


def _json(content: bytes) -> Any:
    value = strict_json.read(content, _MOST)
    if json.dumps(json.loads(content)) != json.dumps(value, allow_nan=False):
        raise Mistaken
    return value


def _lock_info(content: bytes) -> object:
    claim = terraform_lock_info.parse(content)
    if bool(claim.id) == bool(claim.garbage) or not claim.garbage.isprintable():
        raise Mistaken
    return claim


def _item(content: bytes) -> object:
    """An item of a table with that text in it."""
    text = content.decode("utf-8", "surrogatepass") if b"\xed" not in content else content.hex()
    item = {"LockID": {"S": "b/k"}, "Info": {"S": text}, "x": {"M": {"hex": {"B": content}}}}
    stored = dynamodb._stored(item, 0)
    if stored is None or dynamodb._item(stored) != item:
        raise Mistaken
    return claim_of_item(stored)


def _uv(content: bytes) -> object:
    for read in (
        uv_pointers.of_http,
        uv_pointers.of_rev,
        lambda one: uv_pointers.check_revision(one, http=True),
        lambda one: uv_pointers.check_revision(one, http=False),
    ):
        with contextlib.suppress(uv_pointers.PointerDamaged):
            read(content)
    uv_pointers.guarded(content)
    return uv_pointers.unpack(content)


def _clcache(content: bytes) -> object:
    for read in (clcache_records.statistics, clcache_records.configuration):
        with contextlib.suppress(clcache_records.Damaged):
            read(content)
    json.loads(clcache_records.recounted(content, 1, 2))
    return clcache_records.manifest(content)


def _manifest(content: bytes) -> object:
    about = ListFile(b"manifest.json")
    return handoff_manifests._of_json(content, about), handoff_manifests._of_lines(content, about)


def _lists(content: bytes) -> object:
    checksums_lists.parse(content, "sha256")
    checksums_bags._OXUM.search(content)
    for number, line in checksums_bags._lines(content):
        if number > checksums_lists.TROUBLES:
            break
        checksums_bags._FETCHED.fullmatch(line)
        checksums_bags._LINE.fullmatch(line)
    return checksums_lists.parse(content, None)


def _glance_rows(content: bytes) -> object:
    text = content.decode("utf-8", "replace")
    glance_records.moment_ns(text)
    glance_records.moment_ns(content)
    glance_records.Copy.of("i", text, text, active=True, doomed=False)
    glance_rows._backends(text)
    claim = glance_locks.claim_of(content)
    if not all(display(value) == value for value in claim.owner.values()):
        raise Mistaken
    return claim


def _settings_of(content: bytes) -> object:
    return glance_config.settings_of(content.decode("utf-8", "surrogateescape"))


def _backend(content: bytes) -> object:
    """All that follows the reading of the file."""
    found = strict_json.read(content, terraform_backend.LIMIT, halves=True)
    backend = found.get("backend") if isinstance(found, dict) else None
    if isinstance(backend, dict) and isinstance(backend.get("type"), str):
        config = backend.get("config")
        terraform_backend._backend(backend["type"], config if isinstance(config, dict) else {})
    return found


def _index(content: bytes) -> object:
    return terraform_sources._platforms(strict_json.read(content, terraform_sources._INDEX_LIMIT))


def _sealed(content: bytes) -> object:
    """A baseline whose seal fits again."""
    record = strict_json.read(content, _MOST)
    if isinstance(record, dict):
        record.pop("seal", None)
        record["seal"] = baseline._seal_of(record)
    return baseline.parse(json.dumps(record).encode())


def _chained(content: bytes) -> object:
    """A record of the journal whose hash fits again."""
    record = strict_json.read(content, _MOST)
    if isinstance(record, dict):
        record.pop("hash", None)
        record["hash"] = records._hash(record)
    return records.parse(records._canonical(record), 1, records.GENESIS)


_refused = strict_json.JsonRefused
_JSON_SEEDS: Final = (*seeds.LOCK_INFO, *seeds.BACKEND, *seeds.PLAN, *seeds.MANIFEST[:2])
_HCL_SEEDS: Final = (*seeds.LOCK_FILE, seeds.SETTINGS[0])

PARSERS: Final = (
    Parser("JSON", _JSON_SEEDS, _json, (_refused,)),
    Parser("lock info", seeds.LOCK_INFO, _lock_info, (), terraform_lock_info.LIMIT + 1),
    Parser("table item", seeds.LOCK_INFO, _item, (UnicodeDecodeError,), 64 << 10),
    Parser("HCL", _HCL_SEEDS, hcl.read, (hcl.Broken,), terraform_lockfile.LIMIT),
    Parser(
        "lock file",
        seeds.LOCK_FILE,
        terraform_lockfile.parse,
        (hcl.Broken,),
        terraform_lockfile.LIMIT,
    ),
    Parser(
        "settings",
        seeds.SETTINGS,
        terraform_settings._values,
        (hcl.Broken,),
        terraform_settings.LIMIT,
    ),
    Parser("backend", seeds.BACKEND, _backend, (_refused,)),
    Parser("mirror index", seeds.INDEX, _index, (_refused, TypeError, KeyError)),
    Parser("uv pointer", seeds.UV_POINTERS, _uv, (uv_pointers.PointerDamaged,)),
    Parser(
        "uv RECORD",
        seeds.UV_RECORD,
        lambda one: uv_record.read_record(one, b"toy-1.0.dist-info/RECORD"),
        (uv_record.RecordDamaged,),
    ),
    Parser("clcache", seeds.CLCACHE, _clcache, (clcache_records.Damaged,)),
    Parser("manifest", seeds.MANIFEST, _manifest),
    Parser("checksums", seeds.CHECKSUMS, _lists, (), min(_MOST, LIST_LIMIT)),
    Parser("Glance settings", seeds.GLANCE_CONF, _settings_of),
    Parser("Glance rows", seeds.GLANCE_ROWS, _glance_rows),
    Parser("plan", seeds.PLAN, plan_file.parse, (PlanInvalid,)),
    Parser("baseline", seeds.BASELINE, baseline.parse, (ValueError,)),
    Parser("baseline, sealed", seeds.BASELINE, _sealed, (ValueError,)),
    Parser("journal, chained", seeds.JOURNAL, _chained, (ValueError,)),
    Parser(
        "journal", seeds.JOURNAL, lambda one: records.parse(one, 1, records.GENESIS), (ValueError,)
    ),
)

NAIVE: Final = Parser(
    "JSON by itself", _JSON_SEEDS, json.loads, (json.JSONDecodeError, UnicodeError)
)
"""What all of this is for: it must be seen to fail."""
