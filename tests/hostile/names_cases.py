"""More than fifty names that people, terminals, Qt and tools read wrongly."""

from __future__ import annotations

from typing import Final

LONGEST: Final = 255

NAMES: Final[dict[str, bytes]] = {
    "not UTF-8": b"n\xff\xfe",
    "latin-1": b"caf\xe9",
    "cut short in a character": b"cut\xe2\x82",
    "overlong slash": b"..\xc0\xaf..\xc0\xafetc",
    "surrogates as bytes": b"low\xed\xb0\x80high\xed\xa0\x80",
    "every byte above 127": bytes(range(0x80, 0xFF)),
    "replacement character": "n\ufffd".encode(),
    "line break": b"line\nbreak",
    "only a line break": b"\n",
    "line break at the end": b"end\n",
    "fake result line": b"ok\nAll is well.",
    "carriage return": b"real\rfake",
    "CR LF": b"a\r\nb",
    "tab": b"tab\there",
    "vertical tab and form feed": b"v\x0bt\x0cf",
    "backspaces": b"evil\b\b\b\bgood",
    "bell": b"bell\x07",
    "delete": b"del\x7fete",
    "clear the screen": b"\x1b[2J\x1b[1;1Hgone",
    "hide what follows": b"\x1b[8mhidden\x1b[0m",
    "clipboard by OSC 52": b"\x1b]52;c;cm0gLXJm\x07",
    "link by OSC 8": b"\x1b]8;;http:evil\x1b\\click\x1b]8;;\x1b\\",
    "window title": b"\x1b]0;owned\x07",
    "C1 CSI": "\x9b2Jc1".encode(),
    "C1 CSI as a byte": b"\x9b2Jraw",
    "next line": "a\x85b".encode(),
    "line separator": "a\u2028b".encode(),
    "paragraph separator": "a\u2029b".encode(),
    "right to left override": "evil\u202egnp.exe".encode(),
    "isolates": "a\u2067b\u2066c\u2069d".encode(),
    "right to left letters": "\u05e9\u05dc\u05d5\u05dd 123".encode(),
    "zero width": "na\u200bme\u200d\ufeff".encode(),
    "soft hyphen": "na\u00adme".encode(),
    "emoji joined": "\U0001f468\u200d\U0001f469\u200d\U0001f467".encode(),
    "tag characters": "flag\U000e0041\U000e0042".encode(),
    "composed": "e\u0301gal".encode(),
    "precomposed": "\u00e9gal".encode(),
    "image": b"<img src='canary.png' width=64 height=64>",
    "bold": b"<b>bold<b>",
    "struck out": b"<s>deleted<s> &amp; &lt;",
    "script": b"<script>alert(1)<script>",
    "ampersands": b"a & b && &c",
    "formula": b"=1+1|cmd",
    "options": b"-rf",
    "help": b"--help",
    "shell": b"$(id)`id`;id|id>id",
    "quotes": b"'\"\\'\\\"\\",
    "blanks around": b"  around  ",
    "only dots": b"...",
    "braces": b"{reason}{0}%s%n%(x)s",
    "as long as can be": b"<i>" + b"L" * (LONGEST - 3),
}
"""Each by what is hostile in it; none is longer than a file system allows."""

FEW: Final = (
    "not UTF-8", "clear the screen", "blanks around", "as long as can be", "image",
    "fake result line",
)  # fmt: skip
"""The worst of them, where each costs a repair."""

DECOYS: Final[dict[str, bytes]] = {
    "cut at the first bad byte": b"n",
    "replacement character": "n\ufffd".encode(),
    "two replacement characters": "n\ufffd\ufffd".encode(),
    "as it is shown": b"n\\xff\\xfe",
}
"""What a program would touch instead of ``n\\xff\\xfe`` that took its name through text."""

HOSTILE: Final = b"n\xff\xfe"
MARK: Final = "<img src='canary.png' width=64 height=64>"
"""What is drawn as a picture wherever markup is read as markup."""


def fitting(name: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
    """The name between two others, cut where a file system would not take the whole."""
    return before + name[: LONGEST - len(before) - len(after)] + after
