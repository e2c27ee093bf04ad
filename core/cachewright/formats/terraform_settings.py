"""Reads terraform's and OpenTofu's own settings: where the cache is, which mirrors they name
(terraform.md 1.1).  A broken file is told of and otherwise left out, as terraform does."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cachewright.errors import CachewrightError, TooLarge
from cachewright.formats import hcl
from cachewright.formats.hcl import (
    Attribute,
    Block,
    Broken,
    Computed,
    Listed,
    Scalar,
    Text,
    Value,
    broken_at,
)
from cachewright.model import EntryVerdict, Finding, FindingKind, Severity
from cachewright.storage.anchored import Directory
from cachewright.strict_json import Fault, JsonRefused, read
from cachewright.text import brief, display

LIMIT: Final = 64 * 1024
"""Real files hold a few lines."""

_VARIABLE: Final = re.compile(r"\$(?:\{([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_FULL_PATTERN: Final = 3


@dataclass(frozen=True, slots=True)
class Product:
    """Which files one of the two products reads."""

    files: tuple[str, ...]
    xdg_file: str | None = None
    xdg_directory: str | None = None


TERRAFORM: Final = Product((".terraformrc",))
OPENTOFU: Final = Product((".tofurc", ".terraformrc"), "opentofu/tofurc", "opentofu")


@dataclass(frozen=True, slots=True)
class Mirror:
    """A directory of providers that the tool installs from, and which providers it is for."""

    path: bytes
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def serves(self, address: bytes) -> bool:
        """Whether the tool would look there for ``HOST/NAMESPACE/TYPE``.

        A pattern without host means the product's own default host, which is not known here:
        it includes any host and excludes none, since a mirror speaks only of what it holds.
        """
        name = address.decode("utf-8", "replace")
        included = not self.include or any(_fits(name, one, True) for one in self.include)
        return included and not any(_fits(name, one, False) for one in self.exclude)


def _fits(name: str, pattern: str, without_host: bool) -> bool:
    parts, wanted = name.split("/"), pattern.lower().split("/")
    if len(wanted) < _FULL_PATTERN:
        return without_host and _fits(name, "*/" + pattern, without_host)
    return len(wanted) == len(parts) and all(
        want in {"*", part} for part, want in zip(parts, wanted, strict=True)
    )


@dataclass(slots=True)
class Settings:
    """What was found; ``mirrors`` in the tool's own order."""

    cache: bytes | None = None
    mirrors: tuple[Mirror, ...] = ()
    findings: list[Finding] = field(default_factory=list)


def read_settings(environment: Mapping[str, str], product: Product) -> Settings:
    """The settings in force; never raises for what a file holds."""
    settings = Settings()
    documents = [
        document
        for path in _files(environment, product)
        if (document := _document(path, settings)) is not None
    ]
    from_environment = environment.get("TF_PLUGIN_CACHE_DIR", "")
    if from_environment:
        settings.cache = os.fsencode(from_environment)
    for document in documents:
        value = document.get("plugin_cache_dir")
        if settings.cache is None and isinstance(value, str) and value:
            settings.cache = os.fsencode(_expand(value, environment))
    blocks = [one for document in documents for one in _blocks(document, "provider_installation")]
    if blocks:
        settings.mirrors = tuple(_mirrors(blocks[0]))
    else:
        settings.mirrors = tuple(Mirror(path) for path in _implied(environment, product))
    return settings


def home(environment: Mapping[str, str]) -> str | None:
    """The user's home directory, as the tools find it: from the environment only."""
    return environment.get("HOME") or None


def customary_cache(environment: Mapping[str, str]) -> bytes | None:
    """The cache directory that the documentation uses as its example; nobody's default."""
    directory = home(environment)
    return (
        os.fsencode(os.path.join(directory, ".terraform.d", "plugin-cache")) if directory else None
    )


def _expand(value: str, environment: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: environment.get(found[1] or found[2], ""), value)


def _files(environment: Mapping[str, str], product: Product) -> Iterator[str]:
    override = environment.get("TF_CLI_CONFIG_FILE") or environment.get("TERRAFORM_CONFIG")
    if override:
        yield override
        return
    directory = home(environment)
    xdg = environment.get("XDG_CONFIG_HOME")
    candidates = [os.path.join(directory, name) for name in product.files] if directory else []
    if xdg and product.xdg_file:
        candidates.append(os.path.join(xdg, product.xdg_file))
    yield from [path for path in candidates if os.path.exists(path)][:1]
    for folder in _directories(environment, product)[:1]:
        yield from _settings_in(folder)


def _directories(environment: Mapping[str, str], product: Product) -> list[str]:
    directory = home(environment)
    xdg = environment.get("XDG_CONFIG_HOME")
    candidates = [os.path.join(directory, ".terraform.d")] if directory else []
    if xdg and product.xdg_directory:
        candidates.append(os.path.join(xdg, product.xdg_directory))
    return [path for path in candidates if os.path.isdir(path)]


def _settings_in(folder: str) -> Iterable[str]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    patterns = ("*.tfrc", "*.tfrc.json")
    return [
        os.path.join(folder, name)
        for name in names
        if any(fnmatch.fnmatchcase(name, one) for one in patterns)
    ]


def _implied(environment: Mapping[str, str], product: Product) -> Iterator[bytes]:
    """Mirrors that both products look into where no ``provider_installation`` is set."""
    yield os.path.join(os.getcwdb(), b"terraform.d", b"plugins")
    for folder in _directories(environment, product)[:1]:
        yield os.fsencode(os.path.join(folder, "plugins"))
    directory = home(environment)
    data = environment.get("XDG_DATA_HOME") or (
        os.path.join(directory, ".local", "share") if directory else ""
    )
    shared = environment.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    for place in [data, *shared.split(":")]:
        if place:
            yield os.fsencode(os.path.join(place, "terraform", "plugins"))


def _document(path: str, settings: Settings) -> dict[str, Any] | None:
    """A settings file as JSON-like values; None and a finding where it cannot be read."""
    where = os.fsencode(os.path.abspath(path))
    try:
        with Directory.open(os.path.dirname(where)) as folder:
            # The file itself may be a link: people keep their settings elsewhere.
            name = os.path.basename(where)
            real = os.path.realpath(where)
            if os.path.dirname(real) != folder.path or os.path.basename(real) != name:
                with Directory.open(os.path.dirname(real)) as elsewhere:
                    content = elsewhere.read(os.path.basename(real), LIMIT)
            else:
                content = folder.read(name, LIMIT)
        return _values(content)
    except TooLarge:
        reason = "it is larger than 64 KiB and was not read"
    except FileNotFoundError:
        reason = "it does not exist"
    except (OSError, CachewrightError) as error:
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
    except Broken as error:
        reason = str(error)
    settings.findings.append(_notice(where, reason))
    return None


def _notice(path: bytes, reason: str) -> Finding:
    return Finding(
        kind=FindingKind.DAMAGED_METADATA,
        severity=Severity.NOTICE,
        verdict=EntryVerdict.UNREADABLE,
        subject=display(path),
        path=path,
        explanation=f"These settings were left out: {reason}.",
    )


def _values(content: bytes) -> dict[str, Any]:
    if not content.lstrip().startswith(b"{"):
        return _tree(hcl.read(content), content)
    try:
        found = read(content, LIMIT)
    except JsonRefused as error:
        if error.fault is not Fault.NOT_JSON:
            raise Broken(f"it {error}") from None
        where = f" (line {error.line})" if error.line else ""
        raise Broken(f"it is not written in a way that can be read{where}") from None
    if not isinstance(found, dict):
        raise Broken("it holds no settings")
    return found


def _tree(statements: Sequence[Attribute | Block], content: bytes) -> dict[str, Any]:
    """As the same settings would be in JSON.  Blocks nest no deeper than ``hcl.read`` allows."""
    values: dict[str, Any] = {}
    blocks: dict[str, list[dict[str, Any]]] = {}
    for one in statements:
        if isinstance(one, Block):
            blocks.setdefault(one.name, []).append(_tree(one.statements, content))
        elif one.name in values:
            raise broken_at(content, one.start, f"a second value for {brief(one.name, 40)}")
        else:
            values[one.name] = _value(one.value, content)
    return {**values, **blocks}


def _value(value: Value, content: bytes) -> Any:
    if isinstance(value, Text):
        return value.text
    if isinstance(value, Listed):
        return [_value(one, content) for one in value.items]
    if isinstance(value, Computed) and value.template:
        # The old HCL of these files knows no templates: ${HOME} is an environment variable.
        return content[value.start + 1 : value.end - 1].decode("utf-8")
    return value.value if isinstance(value, Scalar) else None


def _blocks(document: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = document.get(name, [])
    listed = found if isinstance(found, list) else [found]
    return [one for one in listed if isinstance(one, dict)]


def _texts(value: object) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else []
    return tuple(one for one in listed if isinstance(one, str))


def _mirrors(block: Mapping[str, Any]) -> Iterator[Mirror]:
    for one in _blocks(block, "filesystem_mirror"):
        path = one.get("path")
        if isinstance(path, str) and path:
            where = os.path.abspath(os.fsencode(path))
            yield Mirror(where, _texts(one.get("include")), _texts(one.get("exclude")))
