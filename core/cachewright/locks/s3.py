"""Locks that are objects of an S3 bucket: Terraform's ``.tflock`` and what else ends as told.

Every request is made once.  Bodies are read to a limit; nothing is deleted but the very version
that was judged, and own scratch objects.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from cachewright.errors import AddressInvalid, AnswerLost, CachewrightError, StoreUnreadable
from cachewright.locks.aws import UNTOUCHED, Answered, Connection, clock_ns, moment_ns
from cachewright.locks.store import Condition, Stored
from cachewright.model import Access, CancelToken, Claim, Gap
from cachewright.text import display

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SCHEME: Final = "s3://"
BODY_LIMIT: Final = 64 << 10
"""Bytes of a body that are read; no lock comes near."""
SCRATCH: Final = ".cachewright-probe-"

_PAGES_AT_MOST: Final = 100_000
_KEPT: Final = ("ContentType", "ContentEncoding", "ServerSideEncryption", "SSEKMSKeyId")
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}", re.ASCII)
_ARN: Final = re.compile(r"arn:[\w.:\-]+:accesspoint[\w.:/\-]+", re.ASCII)
_GONE: Final = frozenset({"NoSuchKey", "404", "NotFound"})
_UNFIT: Final = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
_OTHER_VERSION: Final = '"00000000000000000000000000000000"'
_SCRATCH_BODY: Final = b"Cachewright tries whether this store heeds conditions. Delete freely.\n"


class S3Store:
    """The objects below ``s3://bucket/prefix`` whose names end in ``suffix``.

    A prefix ends where a component of a name ends, or is the name of one state or lock.
    """

    def __init__(
        self,
        address: str,
        access: Access,
        claim: Callable[[Stored], Claim],
        *,
        suffix: str,
        note_below: str = "",
    ) -> None:
        """Asks nobody yet; ``AddressInvalid`` and ``ExtraMissing`` as ``Connection``.

        ``note_below`` is what must be known where only a part of the bucket is looked at.
        """
        self.bucket, self.prefix = _parts(address)
        self._note = note_below if self.prefix else ""
        self._suffix = suffix
        self._claim = claim
        self._connection: Connection[S3Client] = Connection("s3", self.root, access)

    @property
    def root(self) -> bytes:
        return self.where(self.prefix) if self.prefix else f"{SCHEME}{self.bucket}".encode()

    def where(self, key: str) -> bytes:
        return f"{SCHEME}{self.bucket}/{key}".encode()

    def claim(self, stored: Stored) -> Claim:
        return self._claim(stored)

    def close(self) -> None:
        self._connection.close()

    def notes(self) -> Sequence[str]:
        return (self._note,) if self._note else ()

    def list(self, cancel: CancelToken | None = None) -> tuple[Sequence[Stored], Sequence[Gap]]:
        """As ``LockStore.list``; a bucket of a million objects takes a thousand requests."""
        token = cancel or CancelToken()
        found: list[Stored] = []
        gaps: list[Gap] = []
        for key in self._keys(token):
            token.check()
            try:
                stored = self.read(key)
            except Answered as error:
                gaps.append(Gap(self.where(key), error.values["reason"]))
            except StoreUnreadable as error:
                # It would be waited for as long again for each of the others.
                reason = f"{error.values['reason']}, so no more locks were read"
                return found, [*gaps, Gap(self.where(key), reason)]
            else:
                found += [stored] if stored else []
        return found, gaps

    def _keys(self, cancel: CancelToken) -> Iterator[str]:
        """Names of lock objects, page by page."""
        more: dict[str, str] = {}
        told: set[str] = set()
        for _page in range(_PAGES_AT_MOST):
            cancel.check()
            page = self._page(more)
            for one in page.get("Contents") or ():
                key = one.get("Key")
                if isinstance(key, str) and self._is_lock(key):
                    yield key
            if not page["IsTruncated"]:
                return
            following = page.get("NextContinuationToken")
            if not following or following in told:
                break
            told.add(following)
            more = {"ContinuationToken": following}
        raise self._connection.nonsense(self.root)

    def _page(self, more: Mapping[str, str]) -> Mapping[str, Any]:
        page: Mapping[str, Any] = self._connection.ask(
            self.root,
            lambda s3: s3.list_objects_v2(
                Bucket=self.bucket,
                Prefix=self.prefix,
                **more,  # type: ignore[arg-type]
            ),
        )
        if not isinstance(page.get("IsTruncated"), bool):
            raise self._connection.nonsense(self.root)
        return page

    def _is_lock(self, key: str) -> bool:
        if not (key.startswith(self.prefix) and key.endswith(self._suffix)):
            return False
        rest = key[len(self.prefix) :]
        whole = not self.prefix or self.prefix.endswith("/")
        return whole or rest.startswith("/") or rest in {"", self._suffix}

    def read(self, key: str) -> Stored | None:
        """The body to ``BODY_LIMIT``, whatever its size; None where there is no such object."""
        try:
            return self._get(key, {"Range": f"bytes=0-{BODY_LIMIT - 1}"})
        except Answered as error:
            if error.code == "InvalidRange":  # of an empty object there is no first byte
                return self._get(key, {})
            if error.code in _GONE:
                return None
            raise

    def _get(self, key: str, how: Mapping[str, str]) -> Stored:
        where = self.where(key)
        answer, body = self._connection.ask(where, lambda s3: self._fetch(s3, key, how))
        version = answer.get("ETag")
        size = _whole_size(answer)
        if not version or size is None or len(body) != min(size, BODY_LIMIT):
            raise self._connection.nonsense(where)
        return Stored(
            key=key,
            body=body,
            version=version,
            size=size,
            changed_ns=moment_ns(answer.get("LastModified")),
            attributes={name: str(answer[name]) for name in _KEPT if answer.get(name)},
            read_ns=clock_ns(answer),
        )

    def _fetch(
        self, s3: S3Client, key: str, how: Mapping[str, str]
    ) -> tuple[Mapping[str, Any], bytes]:
        answer: Mapping[str, Any] = s3.get_object(
            Bucket=self.bucket,
            Key=key,
            **how,  # type: ignore[arg-type]
        )
        with closing(answer["Body"]) as stream:
            return answer, stream.read(BODY_LIMIT)

    def delete(self, stored: Stored, *, conditional: bool = True) -> bool:
        if not conditional:
            now = self.read(stored.key)
            if now is None or (now.version, now.body) != (stored.version, stored.body):
                return False
        return self._delete(stored.key, {"IfMatch": stored.version} if conditional else {})

    def _delete(self, key: str, how: Mapping[str, str]) -> bool:
        where = self.where(key)
        try:
            self._connection.ask(
                where,
                lambda s3: s3.delete_object(
                    Bucket=self.bucket,
                    Key=key,
                    **how,  # type: ignore[arg-type]
                ),
                left="The object was left untouched.",
                acts=True,
            )
        except Answered as error:
            if error.code in _GONE | _UNFIT:
                return False
            raise
        return True

    def put_back(self, stored: Stored) -> bool:
        if stored.size != len(stored.body):
            reason = f"only the first {len(stored.body)} of its {stored.size} bytes are known"
            raise StoreUnreadable(path=self.where(stored.key), reason=reason, left=UNTOUCHED)
        attributes = {name: stored.attributes[name] for name in _KEPT if name in stored.attributes}
        return self._create(stored.key, stored.body, attributes) is not None

    def _create(self, key: str, body: bytes, attributes: Mapping[str, str]) -> str | None:
        """The new object's version; None where something has the name already."""
        where = self.where(key)
        try:
            answer: Mapping[str, Any] = self._connection.ask(
                where,
                lambda s3: s3.put_object(
                    Bucket=self.bucket,
                    Key=key,
                    Body=body,
                    IfNoneMatch="*",
                    **attributes,  # type: ignore[arg-type]
                ),
                acts=True,
            )
        except Answered as error:
            if error.code in _UNFIT:
                return None
            raise
        return str(answer.get("ETag") or "")

    def condition(self, key: str) -> Condition:
        """On an own object ``<key>.cachewright-probe-<random>``, gone again afterwards."""
        scratch = f"{key}{SCRATCH}{secrets.token_hex(8)}"
        try:
            version = self._create(scratch, _SCRATCH_BODY, {"ContentType": "text/plain"})
            if version is None:
                return Condition(None, "An object to try it on could not be made.")
        except AnswerLost as error:
            self._clean(scratch, None)
            return Condition(None, f"An object to try it on could not be made: {error}")
        except CachewrightError as error:
            return Condition(None, f"An object to try it on could not be made: {error}")
        answer = self._tried(scratch)
        left = self._clean(scratch, version)
        return Condition(answer.heeded, f"{answer.why}{left}")

    def _tried(self, scratch: str) -> Condition:
        """Delete with a version that it has not: it must be refused and still be there."""
        try:
            deleted = self._delete(scratch, {"IfMatch": _OTHER_VERSION})
            there = self.read(scratch) is not None
        except Answered as error:
            why = f"The store does not take a condition with a delete: {error.values['reason']}."
            return Condition(False, why)
        except CachewrightError as error:
            return Condition(None, f"It could not be tried: {error}")
        if not there:
            why = "The store deletes without regard to conditions: an own object was deleted"
            return Condition(False, f"{why} although another version was asked for.")
        if deleted:
            why = "The store says that it deleted an own object, which is still there."
            return Condition(False, why)
        return Condition(True, "The store compares before it deletes: it was tried.")

    def _clean(self, scratch: str, version: str | None) -> str:
        """Take the own object away; what to say where it may be left."""
        left = f" The object that it was tried on may be left: {display(self.where(scratch))}."
        try:
            now = self.read(scratch)
            if now is None:
                return ""
            if version is not None and now.version != version:
                return left
            return "" if self._delete(scratch, {"IfMatch": now.version}) else left
        except Answered:
            return self._clean_plainly(scratch, left)
        except CachewrightError:
            return left

    def _clean_plainly(self, scratch: str, left: str) -> str:
        """For a store that takes no conditions; nobody else has the name, which is random."""
        try:
            return "" if self._delete(scratch, {}) else left
        except CachewrightError:
            return left


def _parts(address: str) -> tuple[str, str]:
    """Bucket and prefix; access points are named by their ARN, whose last slash is theirs."""
    path = address.removeprefix(SCHEME)
    arn = _ARN.match(path)
    if arn is not None:
        head, _, rest = path.partition("/")
        name, _, prefix = rest.partition("/")
        return f"{head}/{name}", prefix
    bucket, _, prefix = path.partition("/")
    if _BUCKET.fullmatch(bucket) is None:
        raise AddressInvalid(path=address, reason="it names no bucket, as s3://bucket/prefix does")
    return bucket, prefix


def _whole_size(answer: Mapping[str, Any]) -> int | None:
    """The size of the object, of which the answer may hold the beginning; None if untold."""
    told = str(answer.get("ContentRange") or "").rpartition("/")[2]
    if told.isascii() and told.isdigit():
        return int(told)
    length = answer.get("ContentLength")
    return length if isinstance(length, int) else None
