"""Each rule document is a pack: what it says stands where its pack says, and what it does not say is not made up."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.pack import PolicyPack
from schemas.pack.clocks import Limit
from schemas.pack.source import Model, Source
from services.kernel.rules.packs import load_pack

POLICIES = Path(__file__).parents[2] / "policies"
QUOTATIONS = json.loads(Path(__file__).with_name("quotations.json").read_text("utf-8"))
"""Document -> what stands in it, each with its clause."""
DOCUMENTS = {
    "company-000": "000",
    "suggestions-001": "001",
    "rectification-002-1": "002/1",
    "group-002-2": "002/2",
    "school-002-7": "002/7",
    "zone-002-10": "002/10",
    "duty-002-12": "002/12",
    "matters-002-13": "002/13",
    "college-002-15": "002/15",
    "school-003": "003a",
    "power-003": "003b",
    "bureau-004": "004",
}
PACKS: dict[str, PolicyPack] = {
    code: load_pack(POLICIES / f"{code}.yaml").model for code in (*DOCUMENTS, "county-default", "national-answer")
}


def sources(part: object) -> Iterator[Source]:
    if isinstance(part, Source):
        yield part
    elif isinstance(part, Model):
        for name in type(part).model_fields:
            yield from sources(getattr(part, name))
    elif isinstance(part, tuple):
        for item in part:
            yield from sources(item)


def stands(source: Source) -> bool:
    """Whether the document has these words in this clause. An ellipsis leaves words out."""
    assert source.quote and source.clause
    words = re.compile(".*".join(map(re.escape, source.quote.split("…"))))
    clauses = {clause.strip() for clause in source.clause.split(";")}
    return any(
        said["clause"] in clauses and words.search(said["quote"])
        for document in source.documents
        for said in QUOTATIONS.get(document, ())
    )


@pytest.fixture(params=PACKS)
def pack(request: pytest.FixtureRequest) -> PolicyPack:
    return PACKS[request.param]


class TestEveryPack:
    @pytest.mark.requirement("MUL-03")
    def test_every_quotation_stands_in_its_document_and_clause(self, pack: PolicyPack) -> None:
        assert [source for source in sources(pack) if source.quote and not stands(source)] == []

    def test_every_value_from_a_document_quotes_it(self, pack: PolicyPack) -> None:
        """Except a page that is lost, and instruments that were not read in full."""
        if pack.id == "national-answer":
            assert all(source.quote is None for source in sources(pack))
            assert all(source.kind in ("reading", "derived") for source in sources(pack))
            return
        named = [source for source in sources(pack) if source.document and source.kind != "lost"]
        assert [source for source in named if not (source.quote and source.clause)] == []

    def test_it_is_named_by_its_file_and_read_from_its_document(self, pack: PolicyPack) -> None:
        assert PACKS[pack.id] is pack
        if pack.id in DOCUMENTS:
            assert list(pack.documents) == [DOCUMENTS[pack.id]]


LIMITS = {
    "company-000": {
        "public_statement": "elapsed 3:00:00",
        "interim_reply": "end_of_day",
        "result_reply": "end_of_day",
    },
    "group-002-2": {"report_to_leading_group": "elapsed 1:00:00"},
    "school-002-7": {
        "transfer": "elapsed 2:00:00",
        "explanation": "elapsed 1 day, 0:00:00",
        "result_to_party_branch": "elapsed 1 day, 0:00:00",
    },
    "national-answer": {
        "authoritative_information": "elapsed 5:00:00",
        "press_conference": "elapsed 1 day, 0:00:00",
        "answer": "elapsed 2 days, 0:00:00",
        "petition_told": "end_of_day 15 days, 0:00:00",
        "petition": "end_of_day 60 days, 0:00:00",
        "disclosure": "working_days 20",
    },
}
"""Every limit that runs, by its clock or hop. The documents that are missing here give no number for any."""


@pytest.mark.parametrize("code", [*DOCUMENTS, "national-answer"])
def test_no_limit_runs_that_the_document_does_not_give(code: str) -> None:
    pack = PACKS[code]
    limits = {clock.name: clock.limit for clock in pack.clocks}
    limits |= {hop.code: hop.limit for report in pack.reports for hop in report.hops}
    limits |= {rung.rung: rung.after for rung in pack.ladder if rung.after}
    running = {name: limit for name, limit in limits.items() if not limit.is_open}
    assert {name: _words(limit) for name, limit in running.items()} == LIMITS.get(code, {})


def _words(limit: Limit) -> str:
    many = limit.days or limit.duration
    return f"{limit.mode} {many}" if many else str(limit.mode)


def test_the_documents_without_numbers_have_no_clock_at_all() -> None:
    for code in ("suggestions-001", "matters-002-13", "school-003", "bureau-004"):
        assert PACKS[code].clocks == (), code


@pytest.mark.requirement("TRI-05")
def test_grades_differ_from_document_to_document() -> None:
    grades = {code: [level.code for level in pack.levels] for code, pack in PACKS.items() if pack.levels}
    assert grades["company-000"] == ["general", "major"]
    assert grades["school-002-7"] == ["general", "major", "extraordinary"]
    assert grades["bureau-004"] == ["iv", "iii", "ii", "i"]
    assert "group-002-2" not in grades
    for code in ("company-000", "suggestions-001", "bureau-004"):
        assert not any(level.conditions for level in PACKS[code].levels), "no figures, so a person judges"


def test_the_county_maps_the_levels_of_every_pack_that_has_them() -> None:
    county = PACKS["county-default"]
    maps = {one.pack: one.levels for one in county.level_maps}
    assert set(maps) == {code for code, pack in PACKS.items() if pack.levels} - {"county-default"}
    for code, levels in maps.items():
        ranks = [county.level(levels[level.code]).rank for level in PACKS[code].levels]
        assert ranks == sorted(ranks), f"{code}: a higher level never maps lower"


def test_what_the_county_adds_to_the_documents_is_marked_as_its_own() -> None:
    county = PACKS["county-default"]
    kinds = {
        f"{level.code}/{condition.code}": condition.source.kind
        for level in county.levels
        for condition in level.conditions
    }
    assert kinds.pop("major/subject") == "derived"
    assert {kind for name, kind in kinds.items() if not name.endswith("/harm")} == {"reading"}


def test_the_county_staffs_its_desk_twelve_hours_and_in_special_times_round_the_clock() -> None:
    roster = PACKS["county-default"].roster
    assert roster is not None and roster.coverage.value is not None
    assert roster.coverage.value.total_seconds() == 12 * 3600
    assert [(one.period, one.hours.days) for one in roster.special] == [("special", 1)]
    cited = {*roster.coverage.source.documents, *roster.special[0].source.documents}
    assert cited == {"002/12", "002/2"}
