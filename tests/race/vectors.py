"""The ways to attack, what of ours they meet, and what the naive way to do the same would be."""

from __future__ import annotations

from typing import Final

from tests.race.acts import moving, publishing, reading, recovering, removing, writing
from tests.race.acts.finding import lost
from tests.race.arena import Vector

_EVIL: Final = "evil-0"

VECTORS: Final[dict[str, Vector]] = {
    "remove: a directory in it": Vector(
        (("p/tree/d1", _EVIL), ("p/tree/d2", _EVIL)), "d", removing.remove, removing.list_and_unlink
    ),
    "remove: its parent": Vector((("p", _EVIL),), "q", removing.remove, removing.rmtree),
    "remove: a directory moved out": Vector(
        (("p/tree/d1", f"{_EVIL}/d1"),),
        "../arena/beside",
        removing.remove_beside,
        removing.walk_up_and_down,
        removing.beside_touched,
    ),
    "purge: a directory in it": Vector(
        ((".cachewright-quarantine/*/item/sub", _EVIL),),
        "p/entry/sub",
        removing.purge_kept,
        removing.unlink_kept,
        pause_s=0.001,
    ),
    "purge: its place": Vector(
        ((".cachewright-quarantine/*", _EVIL),), "p", removing.purge_kept, removing.rmtree_kept
    ),
    "quarantine: the entry": Vector(
        (("cache/bad", _EVIL),),
        "p/entry",
        moving.quarantine,
        moving.look_and_rename,
        lost,
        pause_s=0.002,
    ),
    "quarantine: its parent": Vector(
        (("cache/p", _EVIL),), "p", moving.quarantine_below, moving.look_and_rename_below, lost
    ),
    "publish: the target": Vector(
        (("cache/bad", _EVIL),),
        "p/entry",
        publishing.publish_entry,
        publishing.copy_over,
        publishing.mispublished,
        pause_s=0.004,
    ),
    "publish: its parent": Vector(
        (("cache/p", _EVIL),),
        "p",
        publishing.publish_below,
        publishing.rename_in,
        publishing.mispublished,
    ),
    "rewrite: the record": Vector(
        (("project/record", _EVIL),),
        "record",
        writing.rewrite,
        writing.read_and_write,
        writing.spoilt,
        pause_s=0.002,
    ),
    "rewrite: its parent": Vector(
        (("project", _EVIL),), "", writing.rewrite, writing.read_and_write, writing.spoilt
    ),
    "recover: a moved entry's parent": Vector(
        (("cache/p", _EVIL),),
        "p",
        recovering.quarantining,
        recovering.move_back,
        recovering.lost,
        journal=1,
    ),
    "recover: a new entry's parent": Vector(
        (("cache/p", _EVIL),), "p", recovering.published, None, recovering.lost, journal=1
    ),
    "recover: a record's parent": Vector(
        (("project", _EVIL),), "", recovering.rewriting, None, writing.spoilt, journal=1
    ),
    "mode: the file": Vector(
        (("cache/good/run", _EVIL),),
        "p/entry/run",
        writing.restore_exec_bit,
        writing.chmod,
        pause_s=0.001,
    ),
    "mode: by a hard link": Vector(
        (("cache/good/run", _EVIL),),
        "p/entry/run",
        writing.restore_exec_bit,
        writing.chmod,
        hard=True,
        pause_s=0.001,
    ),
    "mode: its parent": Vector(
        (("cache/good", _EVIL),), "p/entry", writing.restore_exec_bit, writing.chmod, pause_s=0.001
    ),
    "hash: a directory": Vector(
        (("cache/bad/sub", _EVIL),), "p/entry/sub", reading.walk_and_hash, reading.walk_and_open
    ),
    "hash: a file": Vector(
        (("cache/bad/data", _EVIL),), "record", reading.walk_and_hash, reading.walk_and_open
    ),
    "verify: a directory": Vector(
        tuple((f"cache/e{number:02}/sub", f"evil-{number}") for number in range(reading.MANY)),
        "p/entry/sub",
        reading.verify_many,
        None,
        links=reading.MANY,
        trials=reading.MANY,
        pause_s=0.002,
    ),
}
