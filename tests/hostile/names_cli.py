"""Hostile names through every verb of the command line, as text, as JSON and as plan files."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from unittest import mock

from tests.counts import Row
from tests.hostile.names_cases import NAMES
from tests.hostile.names_judging import (
    ALL,
    Counts,
    Spelled,
    judge_document,
    judge_json,
    judge_safe,
    judge_text,
    missing,
)
from tests.hostile.names_terminal import Answer, command, escapes, fast
from tests.hostile.names_world import World, held_name, lock_name, staged_name, text

from cachewright.cli.lock_view import LockView
from cachewright.repair.journal import Journal
from cachewright.repair.records import Event, Record
from cachewright.text import display
from cachewright.workbench import Options, open_bench

Arguments = Sequence[str | bytes]
_TOLD: Final = 196


class Lines:
    """Counts for the command line, a row for each form in which it answers."""

    def __init__(self) -> None:
        self.text = Counts("command line, text of every verb")
        self.json = Counts("command line, JSON of every verb")
        self.plans = Counts("plan files, run again")
        self.drawn = Counts("progress and lock screen on a terminal")
        self.errors = Counts("command line, sentences of refusal")

    def rows(self, aim: int, repaired: int) -> list[Row]:
        every = (self.text, self.json, self.drawn, self.errors)
        return [self.plans.row(repaired), *(one.row(aim) for one in every)]

    def both(self, *verb: str | bytes, of: Spelled | None = None, options: Arguments = ()) -> None:
        """As text and as JSON; both name every name."""
        place = " ".join(display(one)[-24:] for one in verb[:2])
        judge_text(self.text, place, command(*verb, *options), of)
        judge_json(self.json, place, command(*verb, "--json", *options), of)


def run(world: World, *, quick: bool) -> list[Row]:
    lines = Lines()
    _looked(world, lines)
    _locks(world, lines)
    _drawn(world, lines)
    _refused(world, lines, quick=quick)
    _repaired(world, lines, quick=quick)
    _interrupted(world, lines, quick=quick)
    _unlocked(world, lines, quick=quick)
    _asked(world, lines)
    return [*lines.rows(len(NAMES), len(world.some)), _naive(world)]


def _looked(world: World, lines: Lines) -> None:
    """What only looks; the folders of ``providers`` have all of the names."""
    os.environ["TF_PLUGIN_CACHE_DIR"] = os.fsdecode(world.providers)
    lines.both("discover")
    del os.environ["TF_PLUGIN_CACHE_DIR"]
    files, near = ("--source", world.mirror), world.provider_options
    lines.both("check", world.files, options=fast(files))
    judge_safe(lines.text, "check --no-verify", command("check", world.files, "--no-verify"))
    lines.both("check", world.providers, options=fast(near))
    checked = json.loads(command("check", world.providers, "--json", *fast(near)).out)
    for place, form in (("staging", staged_name), ("foreign files", None)):
        part = {"staging": checked["staging"], "foreign files": checked["findings"]}[place]
        judge_document(lines.json, place, part, form)
    lines.both("plan", world.files, options=fast(files))
    lines.both("plan", world.providers, options=fast(near))
    lines.both("repair", world.files, options=fast(files))
    sound = ("baseline", world.mirror, "--format", "checksums", *fast())
    baseline = command(*sound, "--json")
    lines.json.add("baseline", missing(_every_text(baseline)), len(NAMES))
    judge_safe(lines.text, "baseline", command(*sound, "--replace"))
    judge_text(lines.text, "baseline refused", _as_told(command("baseline", world.providers)))


def _as_told(answer: Answer) -> Answer:
    """What was said on stderr, to be judged like an answer."""
    return Answer(answer.code, answer.err, b"")


def _every_text(answer: Answer) -> str:
    """All strings of a document, safe to be compared with what is shown."""
    found: list[str] = []

    def gather(value: Any) -> None:
        if isinstance(value, str):
            found.append(display(value))
        for one in value.values() if isinstance(value, dict) else ():
            gather(one)
        for one in value if isinstance(value, list) else ():
            gather(one)

    gather(json.loads(answer.out))
    return "\n".join(found)


def _locks(world: World, lines: Lines) -> None:
    """Names of locks, what their records say, and the commands of those who hold them."""
    for verb in ("check", "locks"):
        options = fast() if verb == "check" else ()
        for form in (lock_name, held_name):
            lines.both(verb, world.locks, of=form, options=options)
        lines.both(verb, world.project, options=options)
    told = command("locks", world.locks, "--json")
    judge_held(lines.json, json.loads(told.out)["locks"])
    judge_text(lines.text, "who holds it", command("locks", world.locks))


def judge_held(counts: Counts, locks: Sequence[dict[str, Any]]) -> None:
    said = {display(name) for one in locks for name in one["owner"].values()}
    ran = {display(one["command"]) for lock in locks for one in lock["holders"]}
    owners = [f"owner {what}" for what, name in NAMES.items() if display(name) not in said]
    commands = " ".join(sorted(ran))
    holders = missing(commands, _program)
    counts.add("owners", owners, len(NAMES))
    counts.add("commands", holders, len(NAMES))


def _program(name: bytes) -> bytes:
    """Of a command line of more than 200 characters the middle is left out."""
    return name.split(b" ")[0] if len(display(name)) <= _TOLD else name[:10]


def _drawn(world: World, lines: Lines) -> None:
    answer = command("check", world.files, *fast(), progress=True)
    odd = escapes(answer.err, drawn=True)
    lines.drawn.add("progress", [f"writes {odd[:3]!r}"] if odd else [], len(NAMES))
    with open_bench(world.locks, format_name="stranger", options=Options()) as bench:
        found = bench.locks()
        view = LockView(world.locks, bench.title, "")
        view.note((), ())
        view.note(found, [text(name) for name in NAMES.values()])
        _judge_screen(lines.drawn, "locks --watch", view, lock_name)
        view.note((), ())
        _judge_screen(lines.drawn, "locks that went", view, held_name)


def _judge_screen(counts: Counts, place: str, view: LockView, form: Spelled) -> None:
    shown = "\n".join(line for line, _bold in view.lines())
    odd = escapes(shown.encode("utf-8", "surrogatepass"))
    counts.add(place, [f"writes {odd[:3]!r}"] if odd else [])
    counts.add(place, missing(shown, form), len(NAMES))


def _refused(world: World, lines: Lines, *, quick: bool) -> None:
    """What is said of arguments that name nothing."""
    slow = world.some[:3] if quick else ALL
    for name in NAMES.values():
        absent = os.path.join(world.top, b"absent", name)
        for verb in (
            ("check", absent),
            ("undo", "--", name),
            ("quarantine", "restore", "--", name),
            ("check", world.files, "--format", name),
            ("check", world.files, f"--floor={text(name)}"),
            ("plan", world.files, f"--only={text(name)}"),
            ("journal", f"--{text(name).replace('=', '')}"),
            ("repair", world.files, "--plan", absent),
        ):
            _refuse(lines, name, *verb)
        if name in slow:
            _refuse(lines, name, "publish", "--from", world.mirror, "--", world.files, b"x" + name)
            _refuse(lines, name, "unlock", "--confirm=1", "--", world.locks, b"x" + name)
            _refuse(lines, name, "repair", world.files, f"--finding={text(name)}")


def _refuse(lines: Lines, name: bytes, *verb: str | bytes) -> None:
    answer = command(*verb)
    lines.errors.trials += 1
    place = " ".join(display(one)[-20:] for one in verb[:2])
    spelled = {display(name), repr(text(name))[1:-1]}
    spelled |= {one.replace("=", "") for one in spelled if verb[0] == "journal"}
    said = answer.err.decode()
    if not answer.code or not any(one in said for one in spelled):
        lines.errors.add(place, [f"{display(name)[:20]}: {said[:60]!r}"], 0)
    judge_safe(lines.errors, place, answer)


def _repaired(world: World, lines: Lines, *, quick: bool) -> None:
    """Repairs by a plan file, what is kept of them, and everything taken back."""
    roots = [
        (world.repaired, _near(world), world.some),
        (world.providers, world.provider_options, ALL),
    ]
    done_of = world.some if quick else ALL
    for root, options, names in roots[:1] if quick else roots:
        plan = os.path.join(os.path.dirname(root), b"plan.json")
        command("plan", root, "-o", plan, *fast(options))
        document = json.loads(Path(os.fsdecode(plan)).read_bytes())
        judge_document(lines.plans, "plan -o", document, names=names)
        answer = command("repair", root, "--plan", plan, "--apply", *fast(options))
        judge_text(lines.plans, "repair --plan", answer, names=names)
        done = answer.out.count(b"Done")
        wanted = [one for one in document["steps"] if one["confirm"] == "click"]
        told = [] if done == len(wanted) else [f"{done} of {len(wanted)} done"]
        lines.plans.add("repair --plan", told, len(wanted))
    for verb in (("quarantine", "list"), ("journal", "--verify")):
        judge_text(lines.text, verb[0], command(*verb), names=done_of)
        judge_json(lines.json, verb[0], command(*verb, "--json"), names=done_of)
    _taken_back(lines)
    name = world.some[0]
    source = os.path.join(world.mirror, name)
    published = command("publish", world.files, display(name), "--from", source)
    judge_safe(lines.text, "publish", published)
    lines.text.add("publish", [] if published.code == 0 else [published.err.decode()])
    purged = command("quarantine", "purge", "--older-than", "0", "--yes")
    judge_text(lines.text, "purge", purged, names=[name])
    judge_text(lines.text, "journal", command("journal"), names=done_of)


def _near(world: World) -> list[str | bytes]:
    return ["--source", world.at(b"mirror-of-some")]


def _taken_back(lines: Lines) -> None:
    """Undo the half of them, and restore the others."""
    kept = json.loads(command("quarantine", "list", "--json").out)["items"]
    told = b""
    for number, one in enumerate(kept):
        verb = ("undo",) if number % 2 else ("quarantine", "restore")
        answer = command(*verb, one["id"], *(("--json",) if number % 4 > 1 else ()))
        told += answer.out
        judge_safe(lines.text, verb[-1], answer)
    lines.text.trials += len(kept)


@contextlib.contextmanager
def _without_ends() -> Iterator[None]:
    """Repairs that are made and never recorded as done, as a crash leaves them."""
    append = Journal.append

    def forgetful(self: Journal, operation: str, event: Event, fields: Any) -> Record:
        if event is Event.DONE:
            return self.records()[-1]
        return append(self, operation, event, fields)

    with mock.patch.object(Journal, "append", forgetful):
        yield


def _interrupted(world: World, lines: Lines, *, quick: bool) -> None:
    """Recovery of all repairs at once."""
    for form in ("text",) if quick else ("text", "json"):
        with _without_ends():
            command("repair", world.repaired, "--apply", *fast(_near(world)))
        if form == "text":
            judge_text(lines.text, "recover", command("recover"), names=world.some)
        else:
            judge_json(lines.json, "recover", command("recover", "--json"), names=world.some)
        for _ in world.some:
            judge_safe(lines.text, "undo", command("undo"))


def _unlocked(world: World, lines: Lines, *, quick: bool) -> None:
    """Release by the ID, which a lock's own record chose; then all back by undo."""
    for name in world.some[:4] if quick else ALL:
        said = f"id-{text(name)}"
        answer = command("unlock", f"--confirm={said}", "--", world.locks, said)
        place = os.path.join(world.locks, lock_name(name))
        gone = not os.path.lexists(place)
        lines.text.add("unlock", [] if gone else [f"{said!r}: {answer.err.decode()}"])
        judge_safe(lines.text, "unlock", answer)
        back = command("undo")
        lines.text.add("undo", [] if os.path.lexists(place) else [back.err.decode()])


class _Typist(io.StringIO):
    """Somebody at a terminal."""

    def isatty(self) -> bool:
        return True


def _asked(world: World, lines: Lines) -> None:
    """Steps of which the name must be typed as it is shown: typed so, each is done."""
    only = (world.repaired, "--only", "quarantine-entry")
    steps = json.loads(command("plan", *only, "--json", *fast()).out)["steps"]
    answers = "".join(f"{display(one['typed'] or one['subject'])}\n" for one in steps)
    with mock.patch.object(sys, "stdin", _Typist(answers)):
        answer = command("repair", *only, "--apply", *fast(), progress=True)
    odd = [*escapes(answer.out), *escapes(answer.err, drawn=True)]
    lines.drawn.add("typed on a terminal", [f"writes {odd[:3]!r}"] if odd else [])
    left = [one for one in world.some if os.path.lexists(os.path.join(world.repaired, one))]
    wrong = [f"{display(one)} was not taken" for one in left]
    lines.drawn.add("typed on a terminal", wrong, len(world.some))
    shown = Answer(answer.code, answer.out, b"")
    judge_text(lines.text, "typed on a terminal", shown, names=world.some)


def _naive(world: World) -> Row:
    """Names printed as they are: what this harness is there to see."""
    del world
    counts = Counts("names printed as they are")
    for what, name in NAMES.items():
        found = escapes(name + b"\n") or ([what] if b"\n" in name else [])
        counts.add("print", [what] if found else [])
    return counts.row(len(NAMES), expects_bad=True)
