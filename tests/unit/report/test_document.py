from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from cachewright.model import (
    CheckResult,
    EntryReport,
    EntryVerdict,
    Location,
    Outcome,
    Result,
    StepKind,
)
from cachewright.report import document

Validate = Callable[[dict[str, Any]], None]


def test_a_check_has_every_field_of_the_contract(result: CheckResult, validate: Validate) -> None:
    made = document.check(result)
    validate(made)
    assert made["schema"] == "cachewright.check/1"
    assert (made["root"], made["format"], made["complete"]) == ("/cache", "terraform", False)
    assert made["started"] == "2023-11-14T22:13:20.000Z"
    assert made["finished"] == "2023-11-14T22:13:21.500Z"
    assert made["gaps"] == [{"path": "/cache/secret", "reason": "permission denied"}]


def test_the_summary_counts_every_verdict_also_where_there_is_none(result: CheckResult) -> None:
    assert document.check(result)["summary"] == {
        "entries": 2,
        "bytes": 26,
        "ok": 1,
        "corrupt": 1,
        "incomplete": 0,
        "disputed": 0,
        "unverifiable": 0,
        "busy": 0,
        "unreadable": 0,
        "unchecked": 0,
        "total_bytes": 100,
        "total_files": 9,
        "locks": 1,
        "staging": 1,
        "problems": 1,
        "notices": 1,
        "uninspected": 4,
    }


def test_an_entry_tells_who_vouches_in_the_spelling_of_the_lock_file(entry: EntryReport) -> None:
    made = document.entry(entry)
    assert made["name"] == "h/n/t/1.0.0/linux_amd64"
    assert made["bytes"] == 19
    assert made["verdict"] == "ok"
    assert made["expected"] == [
        {"algorithm": "h1", "value": "AAA=", "source": "/p/.terraform.lock.hcl"}
    ]
    assert made["actual"] == [
        {"algorithm": "h1", "value": "AAA="},
        {"algorithm": "sha256", "value": "00ff"},
    ]
    assert made["users"] == ["/p"]
    assert made["link_target"] is None


def test_findings_only_leaves_what_is_fine_out_but_counts_it(result: CheckResult) -> None:
    made = document.check(result, findings_only=True)
    assert [one["verdict"] for one in made["entries"]] == ["corrupt"]
    assert made["summary"]["entries"] == 2
    assert made["summary"]["ok"] == 1


def test_a_finding_names_files_holders_and_repairs(result: CheckResult, validate: Validate) -> None:
    validate(document.check(result))
    made = document.finding(result.findings[0])
    assert made["id"] == result.findings[0].id
    assert (made["kind"], made["severity"], made["verdict"]) == (
        "corrupt-entry",
        "problem",
        "corrupt",
    )
    assert made["repair"] == {
        "step": "republish-entry",
        "confirm": "click",
        "why": "A copy fits.",
        "source": "/m/t.zip",
    }
    assert [one["step"] for one in made["repairs"]] == ["republish-entry", "quarantine-entry"]
    assert made["holders"] == [
        {
            "pid": 12,
            "started": "2023-11-14T22:13:20.000Z",
            "user": "ann",
            "command": "tofu init",
            "how": ["lock:write", "open:write"],
            "state": "stopped",
        }
    ]
    assert document.finding(result.findings[1])["repair"] is None


def test_a_path_that_is_no_text_carries_its_bytes_too(result: CheckResult) -> None:
    made = document.finding(result.findings[0])
    assert made["path"] == "/cache/bad\\xff"
    assert base64.b64decode(made["path_base64"]) == b"/cache/bad\xff"
    assert made["files"] == ["exe", "odd\\xfe"]
    assert [base64.b64decode(one) for one in made["files_base64"]] == [b"exe", b"odd\xfe"]
    assert "path_base64" not in document.finding(result.findings[1])
    assert "files_base64" not in document.finding(result.findings[1])


def test_every_path_of_every_document_survives_bytes_that_are_no_text(
    result: CheckResult, validate: Validate
) -> None:
    bad = b"/x\xff"
    entry = replace(result.entries[0], path=bad, users=(bad,), link_target=bad)
    odd = replace(
        result,
        root=bad,
        entries=(entry,),
        locks=(replace(result.locks[0], path=bad),),
        staging=(replace(result.staging[0], path=bad),),
        gaps=(replace(result.gaps[0], path=bad),),
    )
    made = document.check(odd)
    validate(made)
    spelled = base64.b64encode(bad).decode()
    assert made["root_base64"] == spelled
    assert made["entries"][0]["users_base64"] == [spelled]
    assert made["entries"][0]["link_target_base64"] == spelled
    for name in ("entries", "locks", "staging", "gaps"):
        assert made[name][0]["path_base64"] == spelled
    locks = document.locks(bad, odd.locks)
    validate(locks)
    assert locks["root_base64"] == spelled
    json.dumps(made).encode("utf-8")


def test_text_that_cannot_be_encoded_is_shown_instead(entry: EntryReport) -> None:
    made = document.entry(replace(entry, name="odd\udcff"))
    assert made["name"] == "odd\\xff"


def test_locks_outcomes_and_caches_fit_their_schemas(
    result: CheckResult, validate: Validate
) -> None:
    locks = document.locks(b"/cache", result.locks)
    validate(locks)
    assert locks["locks"][0]["owner"] == {"Who": "ann@host"}
    assert locks["locks"][0]["changed"] is None
    outcome = document.outcome(
        [
            Outcome(StepKind.QUARANTINE_ENTRY, b"/cache/e", Result.DONE, "", "op1", "e"),
            Outcome(None, b"/c\xff", Result.ROLLED_BACK, "disk full"),
        ]
    )
    validate(outcome)
    assert outcome["outcomes"][0] == {
        "step": "quarantine-entry",
        "subject": "e",
        "path": "/cache/e",
        "result": "done",
        "reason": "",
        "undo": "op1",
    }
    caches = document.discover([Location("terraform", b"/cache", "Plugin cache")])
    validate(caches)
    assert caches["caches"] == [{"format": "terraform", "root": "/cache", "name": "Plugin cache"}]


def test_an_error_is_an_object_of_its_own(validate: Validate) -> None:
    made = document.error("root-missing", "It does not exist.", 3)
    validate(made)
    assert made == {
        "schema": "cachewright.error/1",
        "error": {"kind": "root-missing", "message": "It does not exist.", "exit_code": 3},
    }


@pytest.mark.parametrize("missing", ["summary", "entries", "findings", "complete", "gaps"])
def test_the_schema_is_strict_about_what_must_be_there(
    result: CheckResult, validate: Validate, missing: str
) -> None:
    made = document.check(result)
    del made[missing]
    with pytest.raises(jsonschema.ValidationError, match=missing):
        validate(made)


def test_the_schema_lets_documents_grow(result: CheckResult, validate: Validate) -> None:
    made = document.check(result)
    made["entries"][0]["added_later"] = 1
    validate(made)


@pytest.mark.parametrize("verdict", list(EntryVerdict))
def test_every_verdict_is_known_to_the_schema(
    result: CheckResult, validate: Validate, verdict: EntryVerdict
) -> None:
    validate(
        document.check(replace(result, entries=(replace(result.entries[0], verdict=verdict),)))
    )
