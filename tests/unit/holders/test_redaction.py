"""No secret leaves in a command line, and the rest stays readable."""

from __future__ import annotations

import pytest

from cachewright.holders.redaction import REDACTED, redact

SECRET = "hunter2-and-more"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"

PLANTED: list[tuple[str, ...]] = [
    ("tool", f"--token={SECRET}"),
    ("tool", "--token", SECRET),
    ("tool", f"--db-password={SECRET}"),
    ("tool", "--db-password", SECRET),
    ("tool", f"-dbPassword={SECRET}"),
    ("tool", f"--clientSecret:{SECRET}"),
    ("tool", f"PGPASSWORD={SECRET}"),
    ("env", f"AWS_SECRET_ACCESS_KEY={SECRET}", "aws"),
    ("tool", "--access-key", SECRET),
    ("tool", f"--secret-id={SECRET}"),
    ("tool", f"--api-key={SECRET}"),
    ("tool", f"--apikey={SECRET}"),
    ("tool", "--key", SECRET),
    ("tool", f"/password:{SECRET}"),
    ("openssl", "enc", "-pass", f"pass:{SECRET}"),
    ("openssl", "rsa", "-passin", f"pass:{SECRET}"),
    ("curl", "-u", f"me:{SECRET}"),
    ("curl", "--user", f"me:{SECRET}"),
    ("curl", "-H", f"Authorization: Bearer {SECRET}"),
    ("curl", "-H", f"X-Api-Key: {SECRET}"),
    ("curl", f"https://me:{SECRET}@example.com/x"),
    ("curl", f"https://{SECRET}@example.com/x"),
    ("git", "clone", f"https://oauth2:{SECRET}@gitlab.example.com/a.git"),
    ("terraform", "init", f"-backend-config=secret_key={SECRET}"),
    ("terraform", "apply", "-var", f"db_password={SECRET}"),
    ("terraform", "apply", f"-var=db_password={SECRET}"),
    ("psql", f"host=db user=me password={SECRET} dbname=x"),
    ("psql", f"postgresql://me:{SECRET}@db/x"),
    ("tool", f"Server=db;Uid=me;Pwd={SECRET};"),
    ("tool", f"DefaultEndpointsProtocol=https;AccountKey={SECRET};"),
    ("tool", f'{{"user": "me", "token": "{SECRET}"}}'),
    ("tool", f"{{'token': '{SECRET}'}}"),
    ("tool", f"https://example.com/?sig={SECRET}&x=1"),
    ("tool", f"https://example.com/?X-Amz-Signature={SECRET}&x=1"),
    ("mysql", f"-p{SECRET}"),
    ("/usr/bin/mysql", "-p", SECRET),
    ("sshpass", "-p", SECRET, "ssh", "host"),
    ("sshpass", f"-p{SECRET}", "ssh", "host"),
    ("docker", "login", "-u", "me", "-p", SECRET),
    ("redis-cli", "-a", SECRET),
    ("tool", "Authorization:", "Bearer", SECRET),
    ("tool", "Bearer", SECRET),
    (f"tool --token {SECRET} --verbose",),
    (f"postgres: worker password={SECRET}",),
]

SHAPES = [
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "gho_16C7e42F292c6912E7710c838347Ae178B4a",
    "github_pat_11ABCDEFG0abcdefghijkl_0123456789",
    "glpat-abcdefghijklmnopqrst",
    "npm_abcdefghijklmnopqrstuvwxyz0123456789",
    "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH",
    "pypi-AgEIcHlwaS5vcmcCJGFiY2RlZmdo",
    "xoxb-123456789012-abcdefghij",
    "rk_live_abcdefghij0123456789",
    "sk_live_abcdefghijklmnopqrstuvwx",
    "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "abcdefghijklmn.atlasv1.abcdefghijklmnopqrstuvwxyz0123456789",
    "hvs.CAESIabcdefghijklmnopqrstuvwxyz",
    JWT,
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhki\n-----END PRIVATE KEY-----",
    "qR7xW2mK9pL4vN8sT3yU6zA1bC5dE0fG",
]


def redacted(*arguments: str) -> str:
    return redact([argument.encode() for argument in arguments])


@pytest.mark.parametrize("arguments", PLANTED, ids=" ".join)
def test_a_secret_where_one_is_given_is_hidden(arguments: tuple[str, ...]) -> None:
    shown = redacted(*arguments)
    assert SECRET not in shown
    assert "hunter2" not in shown
    assert REDACTED in shown
    assert shown.startswith(arguments[0].split(maxsplit=1)[0])


@pytest.mark.parametrize("secret", SHAPES)
@pytest.mark.parametrize("form", ["{}", "--x={}", "a,{},b", "https://example.com/?q={}"])
def test_a_secret_of_known_shape_is_hidden_anywhere(secret: str, form: str) -> None:
    shown = redacted("tool", form.format(secret), "last")
    assert secret not in shown
    assert secret[8:24] not in shown
    assert REDACTED in shown
    assert shown.endswith(" last")


@pytest.mark.parametrize(
    "arguments",
    [
        ("/usr/bin/tofu", "init", "-input=false", "-plugin-dir=/a/b"),
        ("terraform", "apply", "-auto-approve", "-var-file=prod.tfvars"),
        ("python3", "-m", "pytest", "--keyword-only", "--monkey=1", "-k", "author"),
        ("/opt/tools/registry.example.com/acme/toy/1.2.3/linux_amd64/provider_v1.2.3_x5",),
        ("sha256sum", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("cat", "550e8400-e29b-41d4-a716-446655440000"),
        ("curl", "https://example.com/a/b?x=1"),
        ("docker", "run", "image"),
    ],
)
def test_what_is_no_secret_stays(arguments: tuple[str, ...]) -> None:
    assert redacted(*arguments) == " ".join(arguments)


def test_a_command_line_is_safe_to_show_and_short() -> None:
    shown = redact([b"tool\x1b[31m", b"n\xff\n", b"x" * 5000])
    assert shown.isprintable()
    assert shown.startswith("tool\\x1b[31m n\\xff\\n xxx")
    assert len(shown) == 200


def test_a_secret_cut_in_two_by_the_limit_is_hidden() -> None:
    shown = redacted("tool", "x" * 90, "--token", SECRET * 50)
    assert "hunter2" not in shown


def test_a_huge_command_line_is_cut_before_it_is_searched() -> None:
    shown = redacted(*["a=b"] * 100_000, "last")
    assert len(shown) == 200
    assert shown.endswith("=b…")
