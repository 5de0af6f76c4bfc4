"""The public accounts: figures from events, months that are over, small numbers left out, CSV, charts."""

import csv
import io
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe

from schemas.envelope import Event
from schemas.escalation import ClockBreachAnnulled, ClockBreached, ClockMet, ClockStarted
from schemas.fields import Fact
from schemas.publish import StatementPublished
from schemas.triage import (
    IncidentClosed,
    IncidentOpened,
    IncidentReopened,
    IncidentReplied,
    IncidentTransferred,
)
from services.kernel.core.ids import derived
from services.kernel.serving.sheets import plain
from services.kernel.store.views import folded
from services.publish.accounts import views
from services.publish.accounts.ledger import Ledger, Ledgers, finished
from services.publish.accounts.views import unit_at
from services.publish.views import METADATA
from tests.console.conftest import RULES
from tests.kit import spec
from tests.publish.conftest import Office
from tests.publish.test_bulletin import Texts
from tests.publish.test_pages import browser, opened, served

MARCH = datetime.fromisoformat("2026-03-10T10:00:00+08:00")
REPLIED = IncidentReplied.model_validate({"text": "已修好"})
CLOSED = IncidentClosed.model_validate({"reason": "已办结"})


async def matter(
    office: Office, name: str, *later: tuple[Fact, datetime], unit: str = "town-east", category: str | None = None
) -> str:
    """A matter that was opened on 10 March, with what followed."""
    uuid = derived(name)
    first = IncidentOpened(unit=unit, report=f"report-{uuid}", discovered_at=MARCH, category=category)
    told = [(first, MARCH), *later]
    events = spec.events("incident", [spec.At(fact, unit=unit) for fact, _ in told], uuid=uuid)
    await office.hear([_at(event, at) for event, (_, at) in zip(events, told, strict=True)])
    return uuid


def _at(event: Event, at: datetime) -> Event:
    text = at.astimezone(spec.NOW.tzinfo).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    return Event({**event.attributes, "recordedtime": text, "time": text}, event.bytes)


async def limits(office: Office, uuid: str, *facts: Fact) -> None:
    due = MARCH + timedelta(hours=24)
    first = ClockStarted(clock="explanation", unit="town-east", since=MARCH, due=due, first_answer=True)
    events = spec.events("clock", [spec.At(fact, unit="town-east") for fact in (first, *facts)], uuid=uuid)
    await office.hear([_at(event, due) for event in events])


MET = ClockMet(clock="explanation", met_at=MARCH + timedelta(hours=3), late=False)
MISSED = ClockBreached(
    clock="explanation", unit="town-east", due=MARCH + timedelta(hours=24), detected_at=MARCH + timedelta(hours=24)
)


async def ledger(office: Office, year: int | None = 2026) -> Ledger:
    async with office.runtime.database.read() as connection:
        found = await Ledgers(office.runtime).of(connection, await office.runtime.offices(connection), year)
    assert found is not None
    return found


async def figures(office: Office, unit: str, month: str) -> Any:
    (found,) = [row for row in (await ledger(office)).of[unit] if row.month.name == month]
    return found


@pytest.mark.requirement("PUB-13")
async def test_a_month_is_counted_from_events_for_a_unit_and_those_above_it(office: Office) -> None:
    for at in range(6):
        answered = MARCH + timedelta(hours=1 + at)
        uuid = await matter(office, f"m{at}", (REPLIED, answered), (CLOSED, MARCH + timedelta(days=30 + at)))
        await limits(office, uuid, MET if at else MISSED)
    for unit in ("town-east", "county", "city"):
        march = await figures(office, unit, "2026-03")
        counts = [march.counts[name] for name in ("opened", "open", "kept")]
        assert counts == [7, 7, 5], "with the matter of the office"
    march = await figures(office, "town-east", "2026-03")
    assert march.median == timedelta(hours=3.5).total_seconds()
    assert march.counts["missed"] is None, "one is a small number"
    assert march.share is None, "the share of five and a hidden number would tell it"
    april = await figures(office, "town-east", "2026-04")
    assert (april.counts["opened"], april.counts["open"]) == (0, None), "the one that is still open is a small number"
    assert (await figures(office, "town-west", "2026-03")).counts["opened"] == 0


async def test_a_breach_that_does_not_stand_is_none_and_the_share_is_shown(office: Office) -> None:
    for at in range(6):
        uuid = await matter(office, f"m{at}", (REPLIED, MARCH + timedelta(hours=1)))
        annulled = ClockBreachAnnulled(clock="explanation", cause="recorded_in_time")
        await limits(office, uuid, *((MISSED, annulled, MET) if at == 0 else (MET,)))
    march = await figures(office, "town-east", "2026-03")
    assert (march.counts["kept"], march.counts["missed"], march.share) == (6, 0, 1.0)


async def test_a_matter_that_moved_or_came_back_is_open_where_and_when_it_was(office: Office) -> None:
    moved = IncidentTransferred.model_validate({"unit": "town-west", "previous": "town-east", "reason": "属地"})
    again = IncidentReopened.model_validate({"reason": "又出现"})
    for at in range(5):
        await matter(
            office,
            f"m{at}",
            (moved, MARCH + timedelta(days=35)),
            (CLOSED, MARCH + timedelta(days=60)),
            (again, MARCH + timedelta(days=100)),
        )
    for at in range(5):
        await matter(office, f"stays{at}", unit="town-east")
    open_ = {
        unit: [row.counts["open"] for row in (await ledger(office)).of[unit]][:5] for unit in ("town-east", "town-west")
    }
    assert open_ == {"town-east": [11, 6, 6, 6, 6], "town-west": [0, 5, 0, 5, 5]}


def test_turns_are_read_by_instant() -> None:
    turns = "2026-03-01T=east;2026-04-01T=west;2026-05-01T=;"
    assert [unit_at(turns, f"2026-0{month}-15T") for month in (2, 3, 4, 5)] == [None, "east", "west", None]


async def test_only_months_that_are_over_are_counted_and_exercises_never(office: Office) -> None:
    async with office.runtime.database.read() as connection:
        offices = await office.runtime.offices(connection)
    now = datetime.fromisoformat("2026-04-01T00:30:00+08:00")
    assert [month.name for month in finished(2026, offices, now)] == ["2026-01", "2026-02"]
    assert [month.name for month in finished(2026, offices, now + timedelta(hours=1))][-1] == "2026-03"
    assert finished(2026, offices, now)[0].begin == "2025-12-31T16:00:00.000000Z"
    for at in range(6):
        first = IncidentOpened(unit="town-west", report=f"report-{spec.UUID}", discovered_at=MARCH)
        (event,) = spec.events("incident", [spec.At(first, unit="county")], uuid=derived(f"drill{at}"))
        await office.hear([Event({**event.attributes, "drill": True}, event.bytes)])
    assert (await figures(office, "town-west", "2026-03")).counts["opened"] == 0


async def test_the_page_and_the_sheet_show_the_same_with_formulas_and_hide_what_is_small(office: Office) -> None:
    for at in range(7):
        await matter(office, f"m{at}", (REPLIED, MARCH + timedelta(hours=2)), category="roads.lighting")
    await matter(office, "west", unit="town-west", category="health")
    page = await office.client.get("/bulletin/accountability?year=2026")
    assert page.status_code == 200
    assert {"path", "rect", "svg", "table"} <= set(Texts(page.text).tags)
    assert not {"script", "style"} & set(Texts(page.text).tags)
    assert "style=" not in page.text
    again = {"If-None-Match": page.headers["etag"]}
    assert (await office.client.get("/bulletin/accountability?year=2026", headers=again)).status_code == 304
    shown = Texts(page.text).text
    for text in ("首次答复按时率", "按时首次答复 ÷", "不公布", "立案事项按类别", "2026年3月"):
        assert text in shown
    sheet = await office.client.get("/bulletin/accountability.csv?year=2026")
    assert sheet.content.startswith(b"\xef\xbb\xbf")
    assert sheet.headers["content-disposition"] == 'attachment; filename="accountability-2026.csv"'
    rows = list(csv.DictReader(io.StringIO(sheet.content.decode("utf-8-sig"))))
    assert all(row["formula"] and row["computed_until"] for row in rows)
    opened_ = {
        row["unit"]: row["value"]
        for row in rows
        if (row["figure"], row["month"], row["category"]) == ("opened", "2026-03", "")
    }
    assert (opened_["town-west"], opened_["town-east"]) == ("", ""), "county and one part would tell the other"
    by_category = [row["value"] for row in rows if row["category"] and row["month"] == "2026-03"]
    assert not set(by_category) & {"1", "2", "3", "4"}
    english = await office.client.get("/bulletin/accountability.csv?year=2026&lang=en")
    assert "Matters opened" in english.text


async def test_without_a_finished_month_it_says_so_and_unknown_years_and_units_are_no_page(office: Office) -> None:
    assert (await office.client.get("/bulletin/accountability")).status_code == 200
    for query in ("year=1999", "year=x", "unit=nowhere", "lang=fr"):
        assert (await office.client.get(f"/bulletin/accountability?{query}")).status_code == 404


@pytest.mark.parametrize(
    "begin", ["=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n", " =", "\u3000＝", "\ufeff="]
)
def test_no_cell_of_the_sheet_is_a_formula(begin: str) -> None:
    assert plain(f"{begin}HYPERLINK(1)") == f"'{begin}HYPERLINK(1)"
    for cell in ("东镇", "", " ", " 东镇", "a=1"):
        assert plain(cell) == cell


@pytest.mark.chromium
@pytest.mark.parametrize(("scheme", "lang"), [("light", "zh"), ("dark", "en")])
async def test_the_accounts_on_a_small_telephone_and_on_paper(
    office: Office, chromium: str, scheme: str, lang: str
) -> None:
    for at in range(7):
        uuid = await matter(office, f"m{at}", (REPLIED, MARCH + timedelta(hours=2 + at)))
        await limits(office, uuid, MET)
    async with served(office) as address, browser(chromium) as chrome:
        page, complaints = await opened(chrome, 320, color_scheme=scheme)
        await page.goto(f"{address}/bulletin/accountability?year=2026&lang={lang}")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320
        found = await Axe().run(page, options=RULES)
        assert [one["id"] for one in found.response["violations"]] == []
        label = await page.locator("svg").first.get_attribute("aria-label")
        assert label is not None
        assert re.search(r"\b8\b", label)
        assert await page.locator(".formula").first.is_visible(), "the formula stands beside the number"
        await page.emulate_media(media="print")
        assert not await page.locator("nav.units").first.is_visible()
        assert complaints == []


@pytest.mark.parametrize("first", [0, 1])
def test_the_first_answer_is_the_earliest_in_whatever_order_the_topics_come(first: int) -> None:
    """A statement comes on publish's own topic, a reply on triage's."""
    (view,) = views.views(METADATA)
    said = StatementPublished(
        incident=f"incident-{spec.UUID}",
        unit="town-east",
        kind="status",
        title="路灯处置",
        text="正在抢修。",
        by="0" * 64,
    )
    (published,) = spec.events("statement", [spec.At(said, unit="town-east")], uuid=derived("s"))
    start, replied = spec.events(
        "incident",
        [
            spec.At(IncidentOpened(unit="county", report=f"report-{spec.UUID}", discovered_at=MARCH), unit="county"),
            spec.At(REPLIED, unit="county-roads"),
        ],
    )
    published = _at(published, MARCH + timedelta(hours=1 + 2 * first))
    start, replied = _at(start, MARCH), _at(replied, MARCH + timedelta(hours=2))
    rows = [
        folded(view, order)
        for order in ([published, start, replied], [start, published, replied], [start, replied, published])
    ]
    assert rows[0] == rows[1] == rows[2]
    assert rows[0][0]["answered_by"] == ("county-roads" if first else "town-east")
