"""What tools really write, small: the beginnings of hostile input."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from typing import Final

import msgpack

from cachewright.baseline.record import Baseline, FileRecord, LeftOut
from cachewright.baseline.record import document as baseline_document
from cachewright.model import Confirm, Identity, Plan, PlanStep, StepKind
from cachewright.repair.plan_file import document as plan_document
from cachewright.repair.records import GENESIS, Event, make

DIGEST: Final = hashlib.sha256(b"content").hexdigest()
_ID: Final = "4f1b6dc4-9d5b-0f2a-8a8d-52a94ee7d7a1"

LOCK_INFO: Final = (
    json.dumps(
        {
            "ID": _ID, "Operation": "OperationTypeApply", "Info": "", "Who": "ann@build-7",
            "Version": "1.11.4", "Created": "2026-11-20T10:02:07.123456789Z",
            "Path": "terraform.tfstate",
        }
    ).encode(),
    b'{"id":"x","WHO":"\\ud83d\\ude00@h","Created":"2026-01-01T00:00:00+02:00","Extra":{"a":[1,2.5,null]}}',
)  # fmt: skip
LOCK_FILE: Final = (
    (
        b'# This file is maintained automatically by "terraform init".\n\n'
        b'provider "registry.terraform.io/hashicorp/null" {\n  version     = "3.2.4"\n'
        b'  constraints = "~> 3.2"\n  hashes = [\n'
        b'    "h1:hkf5w5B6q8e2A42ND2CjAvgvSN3puAosDmOJb3zCVQM=",\n'
        b'    "zh:59f6b52ab4ff35739647f9509ee6d93d7c032985d9f8c6237d1f8a59471bbbe2",\n  ]\n}\n\n'
        b'provider "registry.opentofu.org/acme/toy" {\n'
        b'  version = "1.0.0"\n  hashes = ["zh:00"]\n}\n'
    ),
)
SETTINGS: Final = (
    (
        b'plugin_cache_dir = "$HOME/.terraform.d/plugin-cache"\ndisable_checkpoint = true\n'
        b'credentials "app.terraform.io" {\n  token = "x.atlasv1.y"\n}\nprovider_installation {\n'
        b"  filesystem_mirror {\n"
        b'    path    = "/srv/mirror"\n    include = ["example.com/*/*"]\n  }\n'
        b'  direct {\n    exclude = ["example.com/*/*"]\n  }\n}\n'
    ),
    (
        b'{"plugin_cache_dir": "/srv/cache", "provider_installation": [{"filesystem_mirror":'
        b' [{"path": "/srv/mirror", "include": ["a/*/*"]}], "direct": [{}]}]}'
    ),
)
BACKEND: Final = (
    b'{"version": 3, "serial": 1, "lineage": "'
    + _ID.encode()
    + b'", "backend": {"type": "s3", "config":'
    b' {"bucket": "states", "key": "prod/network.tfstate", "dynamodb_table": "locks",'
    b' "region": null,'
    b' "endpoints": null, "workspace_key_prefix": "env:"}, "hash": 3949572312}}',
    (
        b'{"version": 3, "backend": {"type": "local", "config": '
        b'{"path": "a.tfstate", "workspace_dir": "w"}}}'
    ),
)
INDEX: Final = (
    (
        b'{"archives": {"linux_amd64":'
        b' {"hashes": ["h1:hkf5w5B6q8e2A42ND2CjAvgvSN3puAosDmOJb3zCVQM="],'
        b' "url": "terraform-provider-null_3.2.4_linux_amd64.zip"},'
        b' "darwin_arm64": {"hashes": ["zh:0"], "url": "x"}}}'
    ),
)


def _newer(content: bytes) -> bytes:
    rules, length = b"rules of how long it holds" * 4, struct.pack("<Q", len(content))
    return content + rules + struct.pack("<I", zlib.crc32(rules + length)) + length


_POINTER: Final = ["AAAAAAAAAAAAAAAA", [{"Sha256": DIGEST}], "toy-1.0-py3-none-any.whl", 0, 77]
_NAMED: Final = {
    "id": "BBBBBBBBBBBBBBBB", "version": 0, "size": 5,
    "hashes": [{"algorithm": "sha256", "digest": DIGEST}, ["md5", "0" * 32]],
}  # fmt: skip
UV_POINTERS: Final = (
    msgpack.packb(_POINTER),
    _newer(msgpack.packb(_POINTER)),
    _newer(msgpack.packb(_NAMED)),
    msgpack.packb([1763700000.5, _POINTER]),
    msgpack.packb({"timestamp": msgpack.Timestamp(1, 2), "archive": _NAMED}),
    msgpack.packb(
        {"revision": {"id": "CCCCCCCCCCCCCCCC"}, "x": [b"bytes", None, True, -1, {"y": {}}]}
    ),
)
UV_RECORD: Final = (
    (
        b"toy/__init__.py,sha256=7XACtDnprIRfIjV9giusFERzD722AW0-yUMil7nsn3M,77\n"
        b'"toy/a,b.py",sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n'
        b"toy-1.0.dist-info/METADATA,md5=1B2M2Y8AsgTpgAmY7PhCfg,0\ntoy-1.0.dist-info/RECORD,,\n"
    ),
)
_KEY: Final = "0123456789abcdef0123456789abcdef"
CLCACHE: Final = (
    json.dumps(
        {
            "entries": [
                {
                    "includeFiles": ["?shapes.h", "/usr/a.h"],
                    "includesContentHash": _KEY,
                    "objectHash": _KEY,
                }
            ]
        }
    ).encode(),
    (
        b'{\n    "CacheEntries": 3,\n    "CacheHits": 9,\n    "CacheSize": 123456,\n'
        b'    "EvictedMisses": 0\n}'
    ),
    b'{"MaximumCacheSize": 1073741824}',
)
MANIFEST: Final = (
    json.dumps(
        {
            "files": [
                {"name": "data/a.csv", "size": 5, "sha256": DIGEST},
                {"path": "b c.bin", "bytes": 7, "hashes": {"md5": "0" * 32}},
                {"file": "d", "digest": "sha256:" + DIGEST},
            ]
        }
    ).encode(),
    json.dumps({"a.csv": {"size": 1}, "b": DIGEST}).encode(),
    b"name\tsize\tsha256\na.csv\t5\t"
    + DIGEST.encode()
    + b'\nb.csv;7\n"c d",9,'
    + DIGEST.encode()
    + b"\n",
)
_DIGESTS: Final = {b"a": DIGEST.encode(), b"b": b"0" * 32}
CHECKSUMS: Final = (
    b"%(a)b  a.txt\n%(a)b *b c.bin\n\\%(a)b  d\\nb\n" % _DIGESTS,
    b"SHA256 (a.txt) = %(a)b\nMD5 (b) = %(b)b\n# c\n%(a)b" % _DIGESTS,
    b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n" + DIGEST.encode()
    + b"  a\n-----BEGIN PGP SIGNATURE-----\n\nxx\n-----END PGP SIGNATURE-----\n",
    DIGEST.encode() + b"  a\0" + DIGEST.encode() + b"  b\nc\0",
)  # fmt: skip
GLANCE_CONF: Final = (
    (
        b"# a comment\n[DEFAULT]\nstate_path = /srv/glance\nenabled_backends = fast:file,\n"
        b"  slow:file, ceph:rbd\n"
        b"image_cache_dir = $state_path/cache\nb = ${DEFAULT.state_path}/$$/${b}\n\n[database]\n"
        b'connection = "mysql+pymysql://glance:pa$$word@db/glance"\n'
        b"[fast]\nfilesystem_store_datadir = /data/fast/\n"
        b"[slow]\nfilesystem_store_datadirs = /data/slow one:200\n"
        b"filesystem_store_datadirs = /data/two:100\n"
    ),
)
GLANCE_ROWS: Final = (
    json.dumps(
        {
            "image_id": _ID, "task": _ID, "taken": "2026-11-20 10:00:00.000000", "changed": None,
            "image_name": "an image", "status": "processing",
            "heartbeat": "2026-11-20 10:05:00", "begun": None,
            "input": '{"backend": ["fast", "slow"]}', "message": "",
        }
    ).encode(),
    b'{"store": "fast"}', b'{"backend": ["fast", "slow"], "image_id": "x"}',
    b"2026-11-20 10:00:00.000000",
)  # fmt: skip

_IDENTITY: Final = Identity(**dict.fromkeys(Identity.__slots__, 33188))
_STEP: Final = PlanStep(
    id="quarantine-lock:1",
    step=StepKind.QUARANTINE_LOCK,
    subject="lock",
    path=b"/srv/\xff\xfe",
    identity=_IDENTITY,
    confirm=Confirm.CLICK,
    why="Nobody holds it.",
    signature="s",
    source=None,
    size=5,
    detail={"a": [1, "b", None]},
    typed="",
)
PLAN: Final = (
    json.dumps(
        plan_document(Plan(b"/srv", "terraform", (_STEP,), 1_763_700_000_000_000_000)), indent=2
    ).encode(),
)
BASELINE: Final = (
    json.dumps(
        baseline_document(
            Baseline(
                b"/srv", 7, "uv", 1_763_700_000_000_000_000,
                {"a": {b"x": FileRecord(5, DIGEST), b"\xff": FileRecord(0, DIGEST)}},
                (LeftOut("b", "busy"),),
            )
        )
    ).encode(),
)  # fmt: skip
JOURNAL: Final = tuple(
    make(
        number=1, at_ns=1_763_700_000_000_000_000, operation="20261121-1", event=event,
        fields={"step": "quarantine-entry", "path": "L3Nydg==", "detail": {"a": [1, {"b": None}]}},
        previous=GENESIS,
    )[1].rstrip(b"\n")
    for event in (Event.STARTED, Event.DONE)
)  # fmt: skip
