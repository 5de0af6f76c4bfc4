"""The table of a week. Pure."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from services.console.rosters.week import week


def test_the_table_of_a_week_keeps_what_was_planned_and_says_what_became_of_it() -> None:
    zone, first = ZoneInfo("Asia/Shanghai"), date(2026, 11, 23)

    def at(text: str) -> str:
        return datetime.fromisoformat(f"2026-11-{text}+08:00").astimezone(UTC).isoformat().replace("+00:00", "Z")

    def duty(post: str, since: str, until: str, **more: object) -> dict[str, object]:
        empty = dict.fromkeys(("by", "signed_on", "handed_over", "substitute", "planned_until"))
        return {"post": post, "since": at(since), "until": at(until), "note_missing": False, **empty, **more}

    found = {
        "duties": [
            duty("a", "22T20:00", "23T08:00", by="a", handed_over=at("23T08:00")),
            duty("a", "23T20:00", "24T00:00", by="b"),
            duty("c", "24T08:00", "25T08:00"),
            duty("c", "26T08:00", "26T20:00", planned_until=at("27T08:00")),
        ],
        "cancelled": [{"post": "c", "since": at("27T08:00"), "until": at("27T20:00"), "at": at("23T09:00")}],
        "gaps": [{"since": at("25T20:00"), "until": at("26T08:00"), "cause": "not_planned", "post": None}],
        "uncovered": [
            {"since": at("25T21:00"), "until": at("26T08:00")},
            {"since": at("28T20:00"), "until": at("29T00:00")},
        ],
        "periods": [{"unit": "county", "period": "special", "since": at("28T12:00"), "until": None}],
    }
    made = week(found, first, zone, datetime.fromisoformat("2026-11-25T22:00:00+08:00"))
    kinds = {post: [(day, e.kind, e.span.begin, e.span.end, e.of, e.is_next, e.old_end)
                    for day, of in enumerate(placed) for e in of] for post, placed in made.rows.items()}  # fmt: skip
    assert kinds == {
        "a": [(0, "handed", "11-22 20:00", "08:00", "", False, ""), (0, "replaced", "20:00", "24:00", "", False, "")],
        "b": [(0, "ended", "20:00", "24:00", "a", False, "")],
        "c": [
            (1, "missed", "08:00", "11-25 08:00", "", False, ""),
            (3, "planned", "08:00", "20:00", "", True, "11-27 08:00"),
            (4, "cancelled", "08:00", "20:00", "", False, ""),
        ],
    }
    gaps = [(day, at.begin, at.end) for day, some in enumerate(made.gaps["not_planned"]) for at, _ in some]
    assert gaps == [(2, "20:00", "11-26 08:00"), (5, "20:00", "24:00")], "a gap on record stands there once"
    assert [bool(some) for some in made.periods] == [False] * 5 + [True, True]
