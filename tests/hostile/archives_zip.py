"""Hostile zips."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

from tests.hostile.archives_cases import Case, Fate
from tests.hostile.archives_zip_writer import (
    DEFLATED,
    FULL,
    Part,
    deflate,
    end,
    end_64,
    listed,
    local_header,
    zip_of,
)

MIB = 1 << 20
_LINK = stat.S_IFLNK | 0o777


def zips(outside: Path) -> Iterator[Case]:
    """``outside``: a directory that none of them may reach."""
    yield from _names(os.fsencode(outside))
    yield from _kinds(os.fsencode(outside))
    yield from _plain()
    yield from _contradictions()
    yield from _lists()
    yield from _bombs()


def _names(outside: bytes) -> Iterator[Case]:
    names = {
        "parent": b"../outside/new",
        "deep parent": b"a/b/../../../outside/new",
        "parent directory": b"../outside/dir/",
        "absolute": outside + b"/new",
        "double slash": b"//outside/new",
        "backslash parent": b"..\\outside\\new",
        "UNC": b"\\\\server\\share\\new",
        "drive": b"C:\\outside\\new",
        "NUL": b"good\0",
        "NUL, then parent": b"good\0/../../outside/new",
        "empty": b"",
        "slash": b"/",
        "dot": b".",
        "inner dot": b"a/./b",
        "long component": b"n" * 256,
        "long path": b"/".join([b"n" * 200] * 30),
        "too deep": b"/".join([b"d"] * 2000),
    }
    for name, raw in names.items():
        directory = stat.S_IFDIR * raw.endswith(b"/")
        part = Part(raw, b"", directory) if directory else Part(raw)
        yield Case(f"zip: {name}", zip_of(Part(b"fine"), part))
    pairs = {
        "twice the same": (b"a", b"a"),
        "file below a file": (b"a", b"a/b"),
        "directory and file": (b"a/", b"a"),
    }
    for name, (one, other) in pairs.items():
        first = Part(one, b"" if one.endswith(b"/") else b"1", stat.S_IFDIR * one.endswith(b"/"))
        yield Case(f"zip: {name}", zip_of(first, Part(other)))


def _kinds(outside: bytes) -> Iterator[Case]:
    yield Case("zip: link", zip_of(Part(b"link", outside, _LINK)))
    through = Part(b"link", outside, _LINK), Part(b"link/new")
    yield Case("zip: link, then through it", zip_of(*through))
    over = Part(b"link", outside + b"/canary", _LINK), Part(b"link")
    yield Case("zip: link, then over it", zip_of(*over))
    up = [Part(b"u%d" % n, b"..", _LINK) for n in range(3)]
    yield Case("zip: chain of links", zip_of(*up, Part(b"u0/u1/u2/new")))
    for name, kind in {
        "character device": stat.S_IFCHR,
        "block device": stat.S_IFBLK,
        "pipe": stat.S_IFIFO,
        "socket": stat.S_IFSOCK,
        "directory without slash": stat.S_IFDIR,
    }.items():
        yield Case(f"zip: {name}", zip_of(Part(b"odd", b"", kind | 0o666)))
    yield Case("zip: file with slash", zip_of(Part(b"odd/", b"", stat.S_IFREG | 0o644)))
    yield Case("zip: directory with content", zip_of(Part(b"d/", b"x", stat.S_IFDIR | 0o755)))


def _plain() -> Iterator[Case]:
    """What is left of these are plain files of their own, in their own place."""
    special = stat.S_IFREG | stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX | 0o777
    yield Case("zip: set-ID", zip_of(Part(b"su", mode=special)), Fate.PLAIN)
    pairs = {
        "case": (b"Name", b"nAME"),
        "composed letters": ("é".encode(), "e\u0301".encode()),
        "trailing dots": (b"name", b"name..."),
        "trailing spaces": (b"name", b"name  "),
        "reserved elsewhere": (b"CON", b"a:stream"),
        "drive without backslash": (b"C:new", b"name"),
    }
    for name, pair in pairs.items():
        yield Case(f"zip: {name}", zip_of(*map(Part, pair)), Fate.PLAIN)
    hidden = Part(b"link", b"/etc/passwd", _LINK, system=0)
    yield Case("zip: link that another system would not see", zip_of(hidden), Fate.PLAIN)
    inner = zip_of(Part(b"../outside/new"))
    yield Case("zip: in a zip", zip_of(Part(b"inner.zip", inner)), Fate.PLAIN)


def _contradictions() -> Iterator[Case]:
    """Two readers of these would see two archives."""
    yield Case("zip: another local name", zip_of(Part(b"good", local_name=b"../x")))
    yield Case("zip: another local size", zip_of(Part(b"good", local_size=1)))
    yield Case("zip: too short for its size", zip_of(Part(b"a", b"x" * 99, 0, DEFLATED, size=100)))
    yield Case("zip: stored size lies", zip_of(Part(b"a", b"x" * 99, size=5)))
    yield Case("zip: wrong CRC", zip_of(Part(b"a", crc=1)))
    yield Case("zip: encrypted", zip_of(Part(b"a", flags=1)))
    yield Case("zip: masked", zip_of(Part(b"a", flags=0x2000)))
    yield Case("zip: unknown packing", zip_of(Part(b"a", method=93)))
    more = deflate(b"one") + b"hidden"
    yield Case("zip: more behind the packed", zip_of(Part(b"a", b"one", 0, DEFLATED, packed=more)))
    lie = Part(b"a", b"x" * 99, 0, DEFLATED, flags=8, size=3, descriptor=b"PK\7\x08" + bytes(12))
    yield Case("zip: data descriptor", zip_of(lie))
    long = struct.pack("<2HQ", 1, 8, 1 << 60)
    yield Case("zip: size of 64 bits", zip_of(Part(b"a", size=FULL, listed_extra=long)))
    yield Case("zip: size nowhere", zip_of(Part(b"a", size=FULL)))
    twice = struct.pack("<2HQ", 1, 8, 7) * 2
    yield Case("zip: size of 64 bits twice", zip_of(Part(b"a", size=FULL, listed_extra=twice)))


def _lists() -> Iterator[Case]:
    """The list and its end lie."""
    one = zip_of(Part(b"a"))
    yield Case("zip: two ends", zip_of(Part(b"a"), comment=one))
    yield Case("zip: something before it", b"stub" * 100 + one)
    yield Case("zip: something behind it", one + b"more")
    yield Case("zip: cut off", one[:-1])
    yield Case("zip: more than counted", zip_of(Part(b"a"), Part(b"../outside/new"), count=1))
    yield Case("zip: fewer than counted", zip_of(Part(b"a"), count=9))
    part = Part(b"a")
    body, lists = local_header(part) + part.data, listed(part, 0)
    yield Case("zip: several disks", body + lists + end(1, len(lists), len(body), disk=1))
    yield Case("zip: endless list", body + lists + end(1, FULL - 1, len(body)))
    yield Case("zip: list elsewhere", body + lists + end(1, len(lists), 0))
    at = len(body) + len(lists)
    long = end_64(1 << 40, len(lists), len(body), at)
    yield Case("zip: endless members", body + lists + long + end(0xFFFF, FULL, FULL))
    other = end_64(1, len(lists), len(body), at)
    yield Case("zip: two ends that differ", body + lists + other + end(2, len(lists), len(body)))
    yield Case("zip: member behind the list", zip_of(Part(b"a", offset=1 << 30)))
    yield Case("zip: member inside another", zip_of(Part(b"a", b"x" * 200), Part(b"b", offset=9)))
    yield Case("zip: members that share bytes", _quoting(b"shared", 2))


def _bombs() -> Iterator[Case]:
    zeros = bytes(80 * MIB)
    packed = deflate(zeros)
    bomb = Part(b"bomb", zeros, 0, DEFLATED, packed=packed)
    yield Case("zip: bomb", zip_of(bomb), bomb=True)
    packed = deflate(zeros[: 8 * MIB])
    many = [Part(b"%d" % n, zeros[: 8 * MIB], 0, DEFLATED, packed=packed) for n in range(12)]
    yield Case("zip: bomb of many members", zip_of(*many), bomb=True)
    same = Part(b"same", zeros[:MIB], 0, DEFLATED, listed_twice=60_000)
    yield Case("zip: bomb by one member listed often", zip_of(same), bomb=True)
    yield Case("zip: bomb by quoting", _quoting(zeros[:MIB], 100), bomb=True)
    lie = Part(b"lie", zeros, 0, DEFLATED, packed=bomb.packed, size=10)
    yield Case("zip: bomb that says it is small", zip_of(lie), bomb=True)


def _quoting(content: bytes, times: int) -> bytes:
    """Every member's data holds the next member, header and all, so that each is sound by itself
    (as in David Fifield's "better zip bomb")."""
    inner = Part(b"z", content, 0, DEFLATED)
    header = local_header(inner)
    data = header + inner.data
    parts = [(inner, 0)]
    for number in range(times):
        quote = struct.pack("<BHH", 0, len(header), ~len(header) & 0xFFFF)
        told = header + inner.content
        inner = Part(b"%d" % number, told, 0, DEFLATED, packed=quote + data)
        header = local_header(inner)
        parts = [(part, offset + len(header) + len(quote)) for part, offset in parts]
        parts.append((inner, 0))
        data = header + inner.data
    table = b"".join(listed(part, offset) for part, offset in parts)
    return data + table + end(len(parts), len(table), len(data))
