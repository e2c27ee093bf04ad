"""Hostile tars, plain and packed."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from collections.abc import Iterator
from pathlib import Path

from tests.hostile.archives_cases import Case, Fate
from tests.hostile.archives_tar_writer import (
    BLOCK,
    END,
    GNU,
    ahead,
    extended,
    file,
    header,
    link,
    long_link,
    padded,
    record,
    tar_of,
)

MIB = 1 << 20


def tars(outside: Path) -> Iterator[Case]:
    """``outside``: a directory that none of them may reach.  Each also packed with gzip."""
    target = os.fsencode(outside)
    every = [_names(target), _links(target), _kinds(), _ahead(target), _sizes(), _ends(), _plain()]
    for cases in every:
        for case in cases:
            yield case
            packed = gzip.compress(case.content, 1, mtime=0)
            yield Case(f"{case.name}, packed", packed, case.fate)
    yield from _packed()
    yield from _bombs()


def _names(outside: bytes) -> Iterator[Case]:
    names = {
        "parent": b"../outside/new",
        "deep parent": b"a/b/../../../outside/new",
        "parent behind a dot": b"./../outside/new",
        "absolute": outside + b"/new",
        "double slash": b"//outside/new",
        "backslash parent": b"..\\outside\\new",
        "empty": b"",
        "dot": b".",
        "inner dot": b"a/./b",
        "file with slash": b"a/",
    }
    for name, raw in names.items():
        yield Case(f"tar: {name}", tar_of(file(b"fine"), file(raw)))
    below = header(b"new", prefix=b"../outside")
    yield Case("tar: parent in the prefix", tar_of(below))
    yield Case("tar: parent directory", tar_of(header(b"../outside/dir/", b"5")))
    yield Case("tar: twice the same", tar_of(file(b"a"), file(b"a")))
    yield Case("tar: file below a file", tar_of(file(b"a"), file(b"a/b")))
    yield Case("tar: directory and file", tar_of(header(b"a/", b"5"), file(b"a")))


def _links(outside: bytes) -> Iterator[Case]:
    canary = outside + b"/canary"
    yield Case("tar: link", tar_of(link(b"link", outside)))
    yield Case("tar: link, then through it", tar_of(link(b"link", outside), file(b"link/new")))
    yield Case("tar: link, then over it", tar_of(link(b"link", canary), file(b"link")))
    up = [link(b"u%d" % n, b"..") for n in range(3)]
    yield Case("tar: chain of links", tar_of(*up, file(b"u0/outside/new")))
    turned = header(b"d/", b"5"), link(b"d", outside), file(b"d/new")
    yield Case("tar: directory turned into a link", tar_of(*turned))
    case = link(b"Link", outside), file(b"link/new")
    yield Case("tar: link that differs in case", tar_of(*case))
    yield Case("tar: hard link", tar_of(link(b"hard", canary, b"1")))
    yield Case("tar: hard link, then over it", tar_of(link(b"hard", canary, b"1"), file(b"hard")))
    to_link = link(b"soft", canary), link(b"hard", b"soft", b"1"), file(b"hard")
    yield Case("tar: hard link to a link", tar_of(*to_link))
    yield Case("tar: long path of links", tar_of(*_long_path(outside)))


def _long_path(outside: bytes) -> list[bytes]:
    """CVE-2025-4517: links that resolve to more than PATH_MAX, where realpath gives up and lets
    the rest, with its ``..``, pass."""
    long = b"d" * 247
    members, path = [], b""
    for step in b"abcdefghijklmnop":
        members.append(extended(path=path + long) + header(b"d", b"5", mode=0o755))
        members.append(link(path + bytes([step]), long))
        path += bytes([step]) + b"/"
    last = path + b"l" * 254
    members.append(extended(path=last, linkpath=b"../" * 16) + link(b"l", b"../"))
    escape = last + b"/../../" + os.path.basename(outside)
    members.append(long_link(b"escape", escape))
    return [*members, link(b"hard", b"escape/canary", b"1"), file(b"hard", b"overwritten")]


def _kinds() -> Iterator[Case]:
    kinds = {
        "character device": b"3",
        "block device": b"4",
        "pipe": b"6",
        "contiguous": b"7",
        "dump directory": b"D",
        "volume part": b"M",
        "volume name": b"V",
        "old extended": b"X",
        "unknown kind": b"Z",
    }
    for name, kind in kinds.items():
        yield Case(f"tar: {name}", tar_of(header(b"odd", kind, mode=0o666)))
    yield Case("tar: sparse", tar_of(header(b"odd", b"S", magic=GNU)))
    major = extended(GNU__sparse__major=b"1", GNU__sparse__realsize=b"%d" % (1 << 50))
    yield Case("tar: sparse by header", tar_of(major, file(b"odd")))
    yield Case("tar: directory with content", tar_of(header(b"d/", b"5", 7), padded(b"content")))


def _ahead(outside: bytes) -> Iterator[Case]:
    """Headers in front of a member's own."""
    fine = file(b"fine")
    yield Case("tar: path that leads out", tar_of(extended(path=b"../outside/new"), fine))
    yield Case("tar: path with NUL", tar_of(extended(path=b"good\0"), fine))
    yield Case("tar: empty path", tar_of(extended(path=b""), fine))
    yield Case("tar: link path", tar_of(extended(linkpath=outside), fine))
    yield Case("tar: path for all", tar_of(extended(b"g", path=b"../outside/new"), fine))
    yield Case("tar: size for all", tar_of(extended(b"g", size=b"512"), fine))
    yield Case("tar: long name that leads out", tar_of(ahead(b"L", b"../outside/new\0"), fine))
    yield Case("tar: long link", tar_of(ahead(b"K", outside + b"\0"), link(b"link", b"x")))
    yield Case("tar: overlong name", tar_of(ahead(b"L", b"n/" * 3000 + b"n\0"), fine))
    both = extended(path=b"one"), ahead(b"L", b"other\0")
    yield Case("tar: two long names", tar_of(*both, fine))
    yield Case("tar: two headers", tar_of(extended(path=b"a"), extended(path=b"b"), fine))
    yield Case("tar: header of nothing", tar_of(fine, extended(path=b"more")))
    twice = record(b"path", b"fine") + record(b"path", b"../outside/new")
    yield Case("tar: path twice", tar_of(ahead(b"x", twice), fine))
    for name, content in {
        "length lies": b"999 path=../outside/new\n",
        "length of zero": b"0 path=x\n",
        "length missing": b"path=../outside/new\n",
        "length signed": b"-9 path=x\n",
        "length endless": b"9" * 4000 + b" path=x\n",
        "no line end": b"11 path=fin",
    }.items():
        yield Case(f"tar: header whose {name}", tar_of(ahead(b"x", content), fine))


def _sizes() -> Iterator[Case]:
    endless = header(b"x", b"x", 1 << 30)
    yield Case("tar: endless extended header", endless + bytes(4 * BLOCK))
    yield Case("tar: endless long name", header(b"x", b"L", 1 << 30) + bytes(4 * BLOCK))
    huge = b"\x80" + bytes(3) + (1 << 62).to_bytes(8, "big")
    yield Case("tar: endless member", tar_of(header(b"a", size_field=huge)))
    yield Case("tar: negative size", tar_of(header(b"a", size_field=b"\xff" * 12)))
    yield Case("tar: size of letters", tar_of(header(b"a", size_field=b"0000000007x\0")))
    said = extended(size=b"0"), file(b"a", file(b"hidden"))
    yield Case("tar: two sizes", tar_of(*said))
    yield Case("tar: size with a sign", tar_of(extended(size=b"+7"), header(b"a"), padded(b"c")))


def _ends() -> Iterator[Case]:
    fine, out = file(b"fine"), file(b"../outside/new")
    yield Case("tar: no end", fine)
    yield Case("tar: half an end", fine + bytes(BLOCK))
    yield Case("tar: cut off in a member", tar_of(file(b"a", bytes(9000)))[:4000])
    yield Case("tar: cut off in a header", tar_of(fine)[:300])
    yield Case("tar: another behind its end", tar_of(fine) + tar_of(out))
    yield Case("tar: one zero block between", fine + bytes(BLOCK) + out + END)
    broken = bytearray(tar_of(fine))
    broken[0] ^= 1
    yield Case("tar: wrong checksum", bytes(broken))


def _plain() -> Iterator[Case]:
    """What is left of these are plain files of their own, in their own place."""
    special = file(b"su", mode=0o7777), header(b"d/", b"5", mode=0o7777)
    yield Case("tar: set-ID", tar_of(*special), Fate.PLAIN)
    yield Case("tar: case", tar_of(file(b"Name"), file(b"nAME")), Fate.PLAIN)
    letters = file("é".encode()), file("e\u0301".encode())
    yield Case("tar: composed letters", tar_of(*letters), Fate.PLAIN)
    yield Case("tar: trailing dots", tar_of(file(b"name"), file(b"name...")), Fate.PLAIN)
    owned = extended(uid=b"0", SCHILY__xattr__security__capability=b"\1\0\0\2" + bytes(16))
    yield Case("tar: capability", tar_of(owned, file(b"cap")), Fate.PLAIN)
    inner = file(b"inner.tar", tar_of(file(b"../outside/new")))
    yield Case("tar: in a tar", tar_of(inner), Fate.PLAIN)


def _packed() -> Iterator[Case]:
    whole = gzip.compress(tar_of(file(b"fine", os.urandom(5000))), mtime=0)
    yield Case("tar.gz: wrong CRC", whole[:-8] + bytes(4) + whole[-4:])
    yield Case("tar.gz: cut off", whole[:-9])
    yield Case("tar.gz: something behind it", whole + b"more")
    yield Case("tar.gz: endless name", b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * (4 * MIB))
    yield Case("tar.bz2: damaged", bz2.compress(tar_of(file(b"a")))[:-4] + b"xxxx")
    yield Case("tar.xz: damaged", lzma.compress(tar_of(file(b"a")))[:-12] + bytes(12))
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 29}]
    greedy = lzma.compress(tar_of(file(b"a")), filters=filters)
    yield Case("tar.xz: wants 512 MiB to be read", greedy, bomb=True)
    yield Case("tar.zst: not read here", b"\x28\xb5\x2f\xfd" + bytes(100))
    zipped = gzip.compress(b"PK\3\4" + bytes(600), mtime=0)
    yield Case("tar.gz: no tar in it", zipped)


def _bombs() -> Iterator[Case]:
    tar = tar_of(file(b"zeros", bytes(80 * MIB)))
    yield Case("tar.gz: bomb", gzip.compress(tar, mtime=0), bomb=True)
    yield Case("tar.bz2: bomb", bz2.compress(tar), bomb=True)
    yield Case("tar.xz: bomb", lzma.compress(tar, preset=1), bomb=True)
    padding = tar_of(file(b"a")) + bytes(200 * MIB)
    yield Case("tar.gz: bomb behind its end", gzip.compress(padding, mtime=0), bomb=True)
    one = gzip.compress(bytes(8 * MIB), mtime=0)
    start = gzip.compress(header(b"a", size_field=b"\x80" + (1 << 35).to_bytes(11, "big")), mtime=0)
    yield Case("tar.gz: bomb of many streams", start + one * 12, bomb=True)
    empty = gzip.compress(b"", mtime=0) * 100_000
    yield Case("tar.gz: bomb of empty streams", empty, bomb=True)
    zeros = bytes(80 * MIB)
    yield Case("tar.gz: bomb in a header", gzip.compress(ahead(b"x", zeros), mtime=0), bomb=True)
    many = b"".join(header(b"d%d" % n, b"5") for n in range(20_000)) + bytes(80 * MIB)
    yield Case("tar.gz: bomb of headers", gzip.compress(many, mtime=0), bomb=True)
