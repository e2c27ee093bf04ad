"""What the errors of AWS, of stores that speak like it, and of boto3 mean, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cachewright.locks.deadline import Late
from cachewright.text import brief

SERVER_FAILED: Final = 500
_NOT_IMPLEMENTED: Final = 501
_SAID: Final = 200
_CODE: Final = 80

_DENIED: Final = frozenset({
    "AccessDenied", "AccessDeniedException", "AllAccessDisabled", "Forbidden", "403",
    "AccountProblem", "UnauthorizedOperation",
})  # fmt: skip
_EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
_NOT_ACCEPTED: Final = frozenset({
    "InvalidAccessKeyId", "SignatureDoesNotMatch", "UnrecognizedClientException", "InvalidToken",
    "InvalidClientTokenId", "InvalidSignatureException", "AuthFailure", "NotSignedUp", "401",
    "IncompleteSignature", "MissingAuthenticationToken", "MissingAuthenticationTokenException",
})  # fmt: skip
_ELSEWHERE: Final = frozenset({
    "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException",
})  # fmt: skip
_BUSY: Final = frozenset({
    "SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded",
    "ProvisionedThroughputExceededException", "TooManyRequestsException",
})  # fmt: skip
_BY_CODE: Final[tuple[tuple[frozenset[str], str], ...]] = (
    (frozenset({"NoSuchBucket"}), "there is no bucket of this name at {endpoint}"),
    (frozenset({"ResourceNotFoundException"}), "there is no table of this name at {endpoint}"),
    (_EXPIRED, "the credentials have expired: log in again"),
    (_NOT_ACCEPTED, "the credentials are not accepted at {endpoint} ({code})"),
    (_ELSEWHERE, "it lies in another region: name it with --region"),
    (_BUSY, "the store is too busy and wants to be asked again later"),
    (frozenset({"RequestTimeTooSkewed"}), "this computer's clock and the store's differ too much"),
    (_DENIED, "access is denied{said}"),
)

_BY_STATUS: Final = {
    401: "the credentials are not accepted at {endpoint} ({code})",
    403: "access is denied{said}",
}

_NO_CREDENTIALS: Final = (
    "no whole AWS credentials were found: set --profile, AWS_PROFILE or both of "
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
)
_NO_ANSWER: Final = "{endpoint} gave no answer within {timeout}"
_BROKE_OFF: Final = "{endpoint} broke off before its whole answer had come"

_BY_KIND: Final[Mapping[str, tuple[str, bool]]] = {
    "NoCredentialsError": (_NO_CREDENTIALS, False),
    "PartialCredentialsError": (_NO_CREDENTIALS, False),
    **dict.fromkeys(
        (
            "CredentialRetrievalError", "SSOError", "TokenRetrievalError", "NoAuthTokenError",
            "RefreshWithMFAUnsupportedError", "LoginError", "UnknownCredentialError",
            "MetadataRetrievalError", "InfiniteLoopConfigError", "InvalidConfigError",
        ),
        ("the credentials could not be obtained ({kind})", False),
    ),
    "ParamValidationError": ("it is no name that such a store can have", False),
    "SSLError": ("{endpoint} could not prove who it is (TLS)", False),
    "ConnectTimeoutError": (_NO_ANSWER, False),
    "EndpointConnectionError": ("nothing answers at {endpoint}", False),
    "ProxyConnectionError": ("the proxy on the way to {endpoint} does not answer", False),
    "ReadTimeoutError": (_NO_ANSWER, True),
    Late.__name__: (_NO_ANSWER, True),
    "ResponseParserError": ("{endpoint} gave an answer that makes no sense", True),
    "ConnectionError": (_BROKE_OFF, True),
    "HTTPClientError": (_BROKE_OFF, True),
    "IncompleteReadError": (_BROKE_OFF, True),
}  # fmt: skip
"""By the name of an error's class or of one it is derived from: why there is no answer, and
whether the request may have arrived all the same."""


def of_failure(error: Exception, endpoint: str, timeout_s: float) -> tuple[str, bool]:
    """Why there is no answer, and whether the request may have been carried out."""
    kind = type(error).__name__
    for one in type(error).__mro__:
        if one.__name__ in _BY_KIND:
            sentence, sent = _BY_KIND[one.__name__]
            return sentence.format(endpoint=endpoint, timeout=time_of(timeout_s), kind=kind), sent
    return f"{endpoint} could not be understood ({kind})", True


def time_of(seconds: float) -> str:
    """A time-out as it is said."""
    return f"{seconds:g} {'second' if seconds == 1 else 'seconds'}"


def of_answer(response: Mapping[str, Any], endpoint: str) -> str:
    """Why the service refused or failed."""
    told = response.get("Error", {}).get("Message") or ""
    said = f" ({brief(str(told), _SAID)})" if told else ""
    code, status = code_of(response), status_of(response)
    for codes, sentence in _BY_CODE:
        if code in codes:
            return sentence.format(endpoint=endpoint, code=code, said=said)
    if status in _BY_STATUS:
        return _BY_STATUS[status].format(endpoint=endpoint, code=status, said="")
    if status >= SERVER_FAILED and code == str(status):  # also for a cut-off answer, by boto3
        return f"{endpoint} failed, or gave an answer that makes no sense ({status})"
    verb = "failed with" if status >= SERVER_FAILED else "answered"
    return f"{endpoint} {verb} {status} {code}{said}"


def may_have_acted(response: Mapping[str, Any]) -> bool:
    """Whether a service that answered with this error may have done what was asked."""
    status = status_of(response)
    told = status == _NOT_IMPLEMENTED or code_of(response) in _BUSY
    return status >= SERVER_FAILED and not told


def code_of(response: Mapping[str, Any]) -> str:
    return brief(str(response.get("Error", {}).get("Code", "")), _CODE)


def status_of(response: Mapping[str, Any]) -> int:
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def first_line(error: Exception) -> str:
    """An error's own message, made short and safe to show."""
    return brief((str(error).splitlines() or [type(error).__name__])[0], _SAID)
