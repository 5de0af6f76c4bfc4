"""The first 24 hours in an archive: the verifier writes them anew from the record, whatever the seal says."""

import hashlib
from datetime import timedelta
from functools import cache

import orjson
import pytest

from schemas.envelope import Event
from schemas.fields import instant
from services.kernel.sealed import archive, first_day, matter
from services.kernel.sealed.first_day import Ended, Told, Window
from tests.kernel.sealed.small import must_refuse
from tests.kernel.sealed.test_archive import (
    MATTER,
    OTHER,
    PICTURE,
    REF,
    REPORT,
    SALT,
    TOKEN,
    TOLD,
    event,
    read,
    sealed,
    words,
    zipped_of,
)
from tests.kit.logs import Log
from tests.kit.spec import NOW

pytestmark = pytest.mark.requirement("AUD-01")
SINCE, LOST = instant(NOW - timedelta(minutes=30)), "b" * 32
SHOWN = {"file": TOKEN, "sha256": hashlib.sha256(PICTURE).hexdigest(), "size": 1, "media_type": "image/png"}
WITHIN = Window(SINCE, (), {"pack": "county-default@2", "flag": "sudden"})


@cache
def past() -> tuple[Event, ...]:
    """A report with words, a picture, and a sound that is not here; its words are erased; two hours later a note."""
    received = event(1, "report.received", REPORT, 1, text=words(REF, TOLD), subject=words(OTHER, "标题"))
    picture = event(2, "report.evidence_attached", REPORT, 2, received, **SHOWN)
    sound = {**SHOWN, "file": LOST, "sha256": "0" * 64, "media_type": "audio/mpeg"}
    heard = event(3, "report.evidence_attached", REPORT, 3, picture, **sound)
    opened = event(4, "incident.opened", MATTER, 1, report=REPORT, discovered_at=SINCE)
    erased = event(120, "report.erased", REPORT, 4, heard, refs=[OTHER], files=[], cause="asked")
    late = event(24 * 60, "incident.flag_set", MATTER, 2, opened, flag="sudden")
    return received, picture, heard, opened, erased, late


def rows() -> list[bytes]:
    """The lines of the part as they must be."""
    found = [WITHIN.line]
    lacks = {
        0: {
            f"{archive.WORDS}{OTHER}.txt": {"why": "erased", "erasure": past()[4].id, "cause": "asked", "reason": None}
        },
        2: {f"{archive.FILES}{LOST}": {"why": "not_here"}},
    }
    hours = {1: [0, 1, 2, 3], 3: [4]}
    for hour in range(1, 25):
        for at in hours.get(hour, ()):
            one = past()[at]
            found.append(first_day.event_line(hour, at, one, first_day.evidence(one, archive.WORDS, archive.FILES)))
            found += [first_day.lacking_line(hour, path, why) for path, why in lacks.get(at, {}).items()]
        if hour not in hours:
            found.append(first_day.empty_line(hour, "nothing_recorded"))
    return [*found, first_day.end_line(Told(SINCE, 5, 22, 2))]


def made(day: list[bytes], *lacks: str, of: tuple[Event, ...] | None = None) -> bytes:
    """An archive with this part, sealed by the log: whoever makes it holds the key."""
    of = of or past()
    size, log = len(of), Log(of)
    record = [matter.line(at, log.path(at, size), one.bytes) for at, one in enumerate(of)]
    files = {
        archive.RECORD: matter.head(log.checkpoint(size)) + b"".join(record) + matter.end(size),
        f"{archive.WORDS}{REF}.txt": archive.words_file(SALT, TOLD),
        f"{archive.FILES}{TOKEN}": PICTURE,
        first_day.PATH: b"".join(day),
        first_day.PAGE: b"<!doctype html>",
    }
    whole, seal = sealed({path: told for path, told in files.items() if path not in lacks}, size)
    log = Log([*of, seal])
    proofs = {archive.SEAL: seal.bytes, archive.SEAL_PROOF: log.proof(size), archive.JOINED: log.consistency(size)}
    return zipped_of(whole | proofs)


def test_the_first_day_with_its_holes() -> None:
    held = read(made(rows()))
    assert held.day == Told(SINCE, events=5, empty=22, lacking=2)
    assert (held.words, held.files, held.elsewhere) == (1, 1, 1)
    kinds = [one["kind"] for row in rows() for one in orjson.loads(row).get("evidence", ())]
    assert kinds == ["text", "text", "picture", "sound"]


def test_no_line_of_it_can_be_left_out_doubled_moved_or_altered() -> None:
    for at, row in enumerate(rows()):
        for changed in ([], [row, row], [row[:-2] + b" }\n"], [row.replace(b":", b": ", 1)]):
            must_refuse(read, made([*rows()[:at], *changed, *rows()[at + 1 :]]), "first_day|line 1")
    swapped = [rows()[0], *rows()[2:4], rows()[1], *rows()[4:]]
    must_refuse(read, made(swapped), "hour 1, position 0: it is not the event of the record")


def test_nobody_chooses_another_day_or_says_that_it_ended() -> None:
    for window, why in (
        (WITHIN._replace(since=instant(NOW)), "no event of the record says that the matter was discovered"),
        (WITHIN._replace(ended=(Ended(SINCE, None),)), "had ended at other times"),
    ):
        must_refuse(read, made([window.line, *rows()[1:]]), why)
    forged = orjson.loads(rows()[0]) | {"until": instant(NOW)}
    must_refuse(read, made([orjson.dumps(forged) + b"\n", *rows()[1:]]), "are not the first 24 hours")


def test_an_earlier_report_and_a_later_end_are_not_passed_over() -> None:
    """Whoever holds the key cannot begin the day with a later report, or let it end with the first of two ends."""
    earlier, other = instant(NOW - timedelta(hours=2)), f"{REPORT[:-1]}0"
    first = event(24 * 60 + 1, "report.received", other, 1, discovered_at=earlier)
    split = event(24 * 60 + 2, "incident.split", MATTER, 3, past()[5], into=f"{MATTER[:-1]}0", reports=[other])
    closed = event(24 * 60 + 3, "incident.closed", MATTER, 3, past()[5])
    again = event(24 * 60 + 5, "incident.reopened", MATTER, 4, closed)
    last = event(24 * 60 + 9, "incident.closed", MATTER, 5, again)
    whole = (Ended(closed.time_text, again.time_text), Ended(last.time_text, None))
    others = ((), whole[:1], whole[1:], (Ended(closed.time_text, None),), (Ended(closed.time_text, last.time_text),))
    for more, ended, why in (
        ((first,), (), f"says that the matter was discovered at {earlier}"),
        *(((closed, again, last), other, "had ended at other times") for other in others),
    ):
        must_refuse(read, made([WITHIN._replace(ended=ended).line, *rows()[1:]], of=(*past(), *more)), why)
    day = [WITHIN._replace(ended=whole).line, *rows()[1:]]
    assert read(made(day, of=(*past(), closed, again, last))).day
    assert read(made(rows(), of=(*past(), first, split))).day, "a report that left was discovered for another matter"


def test_nothing_was_due_from_an_end_until_the_matter_was_owed_again() -> None:
    def at(hours: int) -> str:
        return instant(NOW + timedelta(hours=hours))

    def has(hours: int, type_: str, **data: str) -> Event:
        return event(60 * hours, f"incident.{type_}", MATTER, hours, past()[3], **data)

    back = has(9, "reopened", discovered_at=at(7))
    own = (has(2, "closed"), has(3, "merged"), has(4, "reopened"), has(5, "dismissed"), back)
    assert first_day.ended(own) == (Ended(at(2), at(4)), Ended(at(5), at(7)))
    within = Window(SINCE, first_day.ended(own), {})
    assert [hour for hour in range(1, 25) if within.empty(hour) == "ended"] == [4, 7], "only those that lie within"
    assert not first_day.ended((has(5, "closed"), has(6, "reopened", discovered_at=at(5)))), "owed all the time"


def test_what_lacks_is_neither_silent_nor_without_its_reason() -> None:
    raw = b"".join(rows())
    for old, new in ((b'"not_here"', b'"erased"'), (b'"not_here"', b'"lost"'), (LOST.encode(), TOKEN.encode())):
        must_refuse(read, made([raw.replace(b'"why":' + old, b'"why":' + new) if old != LOST.encode()
                                else raw.replace(b'"lacks":"data/files/' + old, b'"lacks":"data/files/' + new)]),
                    "does not say why")  # fmt: skip
    must_refuse(read, made(rows(), f"{archive.FILES}{TOKEN}"), "first_day.ndjson: hour 1, position 1 does not say why")
    must_refuse(read, made(rows(), first_day.PAGE), "stand together")
