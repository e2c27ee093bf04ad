"""Asking a service that speaks as AWS does: once, in time, every failure told in a sentence.

boto3 is an extra and slow to import: it is imported when the first store is opened.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar
from urllib.parse import SplitResult, urlsplit

from cachewright.errors import (
    AddressInvalid,
    AnswerLost,
    CachewrightError,
    ExtraMissing,
    StoreUnreadable,
)
from cachewright.locks import aws_words
from cachewright.locks.deadline import Late, within
from cachewright.model import Access

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

C = TypeVar("C")
T = TypeVar("T")

UNTOUCHED: Final = "Nothing was changed."
DEFAULT_REGION: Final = "us-east-1"
_GRACE_S: Final = 0.5
"""What our own work on an answer may take beyond the wait for it."""


class Answered(StoreUnreadable):
    """{path}: {reason}. {left}"""

    code = ""
    status = 0


class Connection(Generic[C]):
    """One service at one endpoint.  Making it asks nobody, not even for credentials."""

    def __init__(self, service: str, address: bytes, access: Access, extra: str = "s3") -> None:
        """Raises ``ExtraMissing`` without boto3 and ``AddressInvalid`` for an access that leads
        nowhere, such as a profile that is not configured."""
        try:
            import boto3
            from botocore.config import Config
        except ImportError:
            raise ExtraMissing(path=address, library="boto3", extra=extra) from None
        if access.endpoint_url is not None:
            _check_endpoint(address, access.endpoint_url)
        self._path = address
        self._service = service
        self._access = access
        self._client: C | None = None
        self._config = Config(
            connect_timeout=access.timeout_s,
            read_timeout=access.timeout_s,
            # One attempt: a delete that is repeated may hit a lock that was taken in between.
            retries={"total_max_attempts": 1, "mode": "standard"},
            s3={"addressing_style": _addressing(access)},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        try:
            self._session = boto3.session.Session(
                profile_name=access.profile, region_name=access.region
            )
        except Exception as error:
            raise self._invalid(error) from error
        self._timeout_s = access.timeout_s

    @property
    def endpoint(self) -> str:
        """Where it asks, for messages."""
        if self._client is None:
            return self._access.endpoint_url or "AWS"
        client: Any = self._client
        return str(client.meta.endpoint_url)

    def close(self) -> None:
        """Close what is open and idle; harmless at any time."""
        client: Any = self._client
        if client is not None:
            client.close()

    def client(self) -> C:
        """boto3's client, made when it is first needed.

        Credentials may come from anywhere, such as a program that asks a person, so they are
        waited for like any answer.
        """
        if self._client is None:
            self._need_credentials()
            made: Any
            try:
                made = self._session.client(
                    self._service,
                    region_name=self._session.region_name or DEFAULT_REGION,
                    endpoint_url=self._access.endpoint_url,
                    config=self._config,
                )
            except Exception as error:
                raise self._invalid(error) from error
            self._client = made
        client: C = self._client
        return client

    def _need_credentials(self) -> None:
        from botocore.exceptions import NoCredentialsError

        try:
            found = within(self._timeout_s + _GRACE_S, self._session.get_credentials)
        except Late as error:
            reason = f"no credentials came within {aws_words.time_of(self._timeout_s)}"
            raise StoreUnreadable(path=self._path, reason=reason, left=UNTOUCHED) from error
        if found is None:
            raise NoCredentialsError

    def _invalid(self, error: Exception) -> AddressInvalid:
        reason = aws_words.first_line(error).rstrip(".")
        return AddressInvalid(path=self._path, reason=reason)

    def ask(
        self, what: bytes, call: Callable[[C], T], *, left: str = UNTOUCHED, acts: bool = False
    ) -> T:
        """What ``call`` returns for the client.  Raises ``Answered``, with ``code`` and
        ``status``, for an error that the service answered with; ``StoreUnreadable`` for
        anything else, ``AddressInvalid`` for an access that leads nowhere.

        ``what`` is the object's address, ``left`` says what was left untouched.  With ``acts``
        the request changes something, and ``AnswerLost`` is raised where it may have.
        """
        from botocore.exceptions import ClientError

        sent = False
        try:
            client = self.client()
            sent = True
            return within(self._timeout_s + _GRACE_S, lambda: call(client))
        except CachewrightError:
            raise
        except ClientError as error:
            raise self._answered(what, error, left, acts=acts) from error
        except Exception as error:
            reason, arrived = aws_words.of_failure(error, self.endpoint, self._timeout_s)
            if acts and sent and arrived:
                raise AnswerLost(path=what, reason=reason) from error
            raise StoreUnreadable(path=what, reason=reason, left=left) from error

    def nonsense(self, what: bytes, left: str = UNTOUCHED) -> StoreUnreadable:
        """The error for an answer that this service does not give."""
        reason = f"{self.endpoint} gave an answer that makes no sense"
        return StoreUnreadable(path=what, reason=reason, left=left)

    def _answered(
        self, what: bytes, error: ClientError, left: str, *, acts: bool
    ) -> Answered | AnswerLost:
        reason = aws_words.of_answer(error.response, self.endpoint)
        if acts and aws_words.may_have_acted(error.response):
            return AnswerLost(path=what, reason=reason)
        answered = Answered(path=what, reason=reason, left=left)
        answered.code = aws_words.code_of(error.response)
        answered.status = aws_words.status_of(error.response)
        return answered


def _check_endpoint(address: bytes, endpoint: str) -> None:
    parts = _split(endpoint)
    if parts is None:
        reason = "the endpoint is not the address of a web server, such as https://host:9000"
        raise AddressInvalid(path=address, reason=reason)
    if parts.username or parts.password or parts.query or parts.fragment:
        # It is journaled and shown, and must not carry a secret.
        reason = "the endpoint may not carry a user name, a password or a question"
        raise AddressInvalid(path=address, reason=reason)


def _split(endpoint: str) -> SplitResult | None:
    try:
        parts = urlsplit(endpoint)
        fine = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if fine else None


def _addressing(access: Access) -> Literal["auto", "path", "virtual"]:
    """A store that is not AWS's own seldom has a name of its own for each bucket."""
    if access.path_style is None:
        names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
        named = access.endpoint_url or any(os.environ.get(name) for name in names)
        return "path" if named else "auto"
    return "path" if access.path_style else "virtual"


def clock_ns(response: Mapping[str, Any]) -> int:
    """The service's own time when it answered; 0 where it does not say."""
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        return moment_ns(parsedate_to_datetime(headers["date"]))
    except (KeyError, ValueError, TypeError, IndexError, OverflowError):
        return 0


def moment_ns(moment: datetime | None) -> int:
    """Nanoseconds since the epoch; 0 for none, or one from before it."""
    return 0 if moment is None else max(0, int(moment.timestamp() * 1000) * 1_000_000)
