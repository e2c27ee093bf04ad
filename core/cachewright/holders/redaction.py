"""Command lines without their secrets (reliability.md T14).

A command line is shown so that a person recognises a process.  Whatever looks like a secret, or
stands where one is usually given, is replaced before the text leaves this module.  Too much may
be hidden; too little must not.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from cachewright.text import display, elide

REDACTED: Final = "[hidden]"
_LIMIT: Final = 200
_RAW_LIMIT: Final = 16_384

_TELLING: Final = re.compile(
    "password|passwd|passphrase|secret|token|credential|bearer|authorization|signature"
    "|apikey|accesskey|privatekey|accountkey|authkey|sharedkey|connectionstring|cookie"
)
"""Words that make any name that holds them a secret's name, whatever stands around them."""

_AMBIGUOUS: Final = frozenset({
    "pass", "pwd", "pw", "key", "keys", "auth", "sig", "pin", "otp", "sas", "dsn", "jwt",
    "session", "creds", "cred", "passcode", "psk", "passin", "passout",
})  # fmt: skip
"""Words that make a secret's name only as the last word of it: --db-pass, not --pass-through."""

_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_ASSIGNMENT: Final = re.compile(
    r"(?P<name>[\w.\-/\[\]]+)(?P<sign>\s*[=:]\s*)(?P<value>.+)", re.DOTALL
)
_NAME: Final = re.compile(r"[\w.\-]+")
_INSIDE: Final = re.compile(
    r"(?<![\w.\-])(?P<name>[\w.\-]+)(?P<sign>[\"']?\s*[=:]\s*)(?P<value>\"[^\"]*\"|'[^']*'|[^\s,;&}\"']+)"
)
_CREDENTIALS_IN_URL: Final = re.compile(
    r"(?P<scheme>(?<![a-z0-9+.\-])[a-z][a-z0-9+.\-]*://)[^/?#\s]*@", re.IGNORECASE
)
_USER_FLAGS: Final = frozenset({"-u", "--user", "--proxy-user", "-U"})
_PASSWORD_FLAGS: Final = {
    "mysql": "-p", "mysqldump": "-p", "mysqladmin": "-p", "mariadb": "-p", "mariadb-dump": "-p",
    "sshpass": "-p", "docker": "-p", "podman": "-p", "redis-cli": "-a",
}  # fmt: skip
"""Programs whose short flag takes a password, as the next argument or in the same one."""

_SHAPES: Final = re.compile(
    r"-----BEGIN.*?(?:-----END[^-]*-----|\Z)"  # PEM
    r"|\b(?:AKIA|ASIA|AGPA|AROA|AIDA|ANPA|ANVA|AIPA)[A-Z0-9]{12,}\b"  # AWS identifiers
    r"|\bgh[pousr]_\w{16,}|\bgithub_pat_\w{16,}"  # GitHub
    r"|\bglpat-[\w\-]{16,}"  # GitLab
    r"|\bnpm_\w{16,}|\bhf_\w{16,}|\bpypi-[\w\-]{16,}"  # registries
    r"|\bxox[abposr]-[\w\-]{8,}"  # Slack
    r"|\b[srp]k[-_][\w\-]{16,}"  # payment and model services
    r"|\bAIza[\w\-]{30,}|\bya29\.[\w\-]{16,}"  # Google
    r"|\b\w{14}\.atlasv1\.[\w\-]{20,}|\bhv[sb]\.[\w\-]{20,}"  # Terraform Cloud, Vault
    r"|\beyJ[\w\-]{8,}\.[\w\-]{4,}(?:\.[\w\-]*)?"  # JWT
    r"|\b(?:Bearer|Basic)\s+[\w\-.=+/]{6,}",
    re.DOTALL,
)
_DENSE: Final = re.compile(r"(?<![\w+/.\-])[A-Za-z0-9+/_\-]{32,}={0,2}(?![\w+/=.\-])")


def _names_secret(name: str) -> bool:
    words = [word.lower() for word in _WORD.findall(name)]
    return bool(_TELLING.search("".join(words))) or (bool(words) and words[-1] in _AMBIGUOUS)


def _looks_random(text: str) -> bool:
    """Mixed case and digits in one long run: a key, rather than a word, a path or a digest."""
    kinds = (str.islower, str.isupper, str.isdigit)
    path_like = text.count("/") > len(text) // 16
    return not path_like and all(any(map(kind, text)) for kind in kinds)


def _hide_values(text: str) -> str:
    """Without the values of names within the text: ``a=secret_key=...``, ``?x=1&sig=...``."""
    shown, at = "", 0
    while found := _INSIDE.search(text, at):
        secret = _names_secret(found["name"])
        value = found.start("value")
        shown += text[at:value] + (REDACTED if secret else "")
        at = found.end() if secret else value
    return shown + text[at:]


def _redact_text(text: str) -> str:
    text = _CREDENTIALS_IN_URL.sub(rf"\g<scheme>{REDACTED}@", text)
    text = _SHAPES.sub(REDACTED, text)
    text = _hide_values(text)
    return _DENSE.sub(
        lambda found: REDACTED if _looks_random(found.group()) else found.group(), text
    )


def _announces_secret(before: str, argument: str, program: str) -> bool:
    """Whether the argument after ``before`` is a secret as a whole."""
    bare = before.rstrip(":= ")
    return (
        (before[:1] == "-" or before != bare)
        and _NAME.fullmatch(bare) is not None
        and _names_secret(bare)
    ) or (
        before.casefold() in {"bearer", "basic"}
        or (before in _USER_FLAGS and ":" in argument)
        or before == _PASSWORD_FLAGS.get(program)
    )


def _redact_argument(argument: str, before: str, program: str) -> str:
    if _announces_secret(before, argument, program):
        return REDACTED
    flag = _PASSWORD_FLAGS.get(program)
    if flag is not None and argument.startswith(flag) and argument != flag:
        return flag + REDACTED
    assignment = _ASSIGNMENT.fullmatch(argument)
    if assignment and _names_secret(assignment["name"]):
        return f"{assignment['name']}{assignment['sign']}{REDACTED}"
    return _redact_text(argument)


@lru_cache(maxsize=4096)
def _redact(raw: bytes) -> str:
    """``raw`` is like /proc/PID/cmdline; cached, since watching asks for the same again."""
    arguments = raw[:_RAW_LIMIT].rstrip(b"\0").decode("utf-8", "surrogateescape").split("\0")
    if len(arguments) == 1:  # a process that rewrote its title: arguments no longer apart
        arguments = arguments[0].split(" ")
    program = arguments[0].rpartition("/")[2]
    shown = [_redact_text(arguments[0])]
    for before, argument in itertools.pairwise(arguments):
        shown.append(_redact_argument(argument, before, program))
    text = " ".join(shown) + ("…" if len(raw) > _RAW_LIMIT else "")
    return elide(display(text), _LIMIT)


def redact(arguments: Sequence[bytes]) -> str:
    """One line of at most 200 characters, safe to show anywhere, without known kinds of secret.

    Replaced are: values of flags and assignments named like a secret, credentials in addresses,
    tokens of known shape (AWS, GitHub, npm, JWT, PEM ...) and long random-looking words.
    """
    return _redact(b"\0".join(arguments))
