"""Figures from tallies: formulas, small numbers, and how the parts of a period add up."""

from collections import Counter
from collections.abc import Mapping
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.statistics.figures import FIGURES, NAMES, Cell, by_group, by_part, by_unit
from services.audit.statistics.periods import months
from services.audit.statistics.tally import COUNTS, TIMES, Tally, total
from services.kernel.core.units import Offices, Unit

UNITS = {"county": None, "east": "county", "west": "county", "east-a": "east", "east-b": "east"}
OFFICES = Offices({code: Unit(code, "town", code, parent) for code, parent in UNITS.items()})
COUNTED = st.dictionaries(st.sampled_from(COUNTS), st.integers(0, 40))
LENGTHS = st.dictionaries(st.sampled_from(TIMES), st.lists(st.integers(0, 500), max_size=30).map(Counter))
TALLIES = st.builds(lambda counts, times: Tally(Counter(counts), times), COUNTED, LENGTHS)


def tally(**counts: int) -> Tally:
    return Tally(Counter(counts))


@given(st.lists(TALLIES, max_size=6), st.integers(0, 6))
def test_a_period_may_be_cut_anywhere(parts: list[Tally], at: int) -> None:
    whole = total(parts)
    cut = total(parts[:at]) + total(parts[at:])
    assert +cut.counts == +whole.counts
    assert {name: +found for name, found in cut.times.items() if found} == {
        name: +found for name, found in whole.times.items() if found
    }
    # What stands in the table for all groups is the table of one group that has everything.
    groups = {str(number): part for number, part in enumerate(parts)}
    alone = by_group({"all": whole}, []).rows["all"]
    for name, cell in by_group(groups, []).whole.items():
        assert cell == alone[name] or cell.state == "small"


@given(st.lists(st.integers(0, 300), min_size=1, max_size=60))
def test_the_middle_and_the_tail_are_values_that_occurred(lengths: list[int]) -> None:
    found = Tally(times={"gap": Counter(lengths)})
    for percent in (50, 90, 99):
        value = found.quantile("gap", percent)
        assert value in lengths
        assert sum(one <= value for one in lengths) * 100 >= percent * len(lengths)
        assert sum(one < value for one in lengths) * 100 < percent * len(lengths)


@given(st.dictionaries(st.sampled_from(sorted(UNITS)), TALLIES))
def test_no_small_count_is_shown_and_what_is_shown_is_true(own: dict[str, Tally]) -> None:
    made = by_unit(own, sorted(UNITS, key=lambda code: (code != "county", code)), OFFICES.parent)
    for code, row in made.rows.items():
        below = total(tally for of, tally in own.items() if code in OFFICES.above(of))
        for figure in FIGURES:
            cell = row[figure.name]
            if figure.kind == "count" and cell.state == "shown":
                assert cell.value == below.counts[figure.of]
                assert not 0 < below.counts[figure.of] < 5
            if figure.kind != "count" and cell.state == "shown":
                assert cell.of is not None
                assert cell.of >= 5
            assert (cell.value is None) == (cell.state != "shown")


@given(st.dictionaries(st.sampled_from(sorted(UNITS)), st.integers(0, 12)))
def test_no_small_number_follows_from_a_unit_alone_beside_those_below_it(sizes: dict[str, int]) -> None:
    own = {code: tally(opened=size) for code, size in sizes.items()}
    made = by_unit(own, sorted(UNITS, key=lambda code: (code != "county", code)), OFFICES.parent, (NAMES["opened"],))

    def number(row: Mapping[str, Cell]) -> int | None:
        cell = row["opened"]
        return 0 if cell.state == "empty" else None if cell.value is None else int(cell.value)

    assert set(made.own) == {"county", "east"}
    for code, row in made.own.items():
        parts = [number(row), *(number(made.rows[one]) for one, parent in UNITS.items() if parent == code)]
        assert parts[0] in (None, sizes.get(code, 0))
        whole = number(made.rows[code])
        if whole is not None and parts.count(None) == 1:
            assert not 0 < whole - sum(one or 0 for one in parts) < 5
        if whole is None:
            assert None in parts, "what is hidden is the sum of what is shown"


def test_a_month_without_matters_is_empty_and_not_zero() -> None:
    rows = by_group({"2026-02": tally(opened=9)}, ["2026-01", "2026-02"]).rows
    assert {cell.state for cell in rows["2026-01"].values()} == {"empty"}
    assert rows["2026-02"]["returned"] == Cell(0, None, "shown")
    assert rows["2026-02"]["helped"].state == "empty"


@pytest.mark.parametrize(
    ("counts", "name", "shown"),
    [
        ({"in_time": 9, "late": 6, "opened": 20}, "in_time", Cell(0.6, 15, "shown")),
        ({"in_time": 9, "opened": 20}, "in_time", Cell(1.0, 9, "shown")),
        ({"in_time": 9, "late": 2, "opened": 20}, "in_time", Cell(None, None, "small")),
        ({"helped": 2, "unhelped": 1, "opened": 20}, "helped", Cell(None, None, "small")),
        ({"solved": 10, "opened": 20}, "solved", Cell(0.5, 20, "shown")),
        ({"reports": 4}, "reports", Cell(None, None, "small")),
        ({"reports": 5}, "reports", Cell(5, None, "shown")),
    ],
)
def test_a_share_is_shown_with_both_its_counts_only(counts: dict[str, int], name: str, shown: Cell) -> None:
    assert by_group({"a": Tally(Counter(counts))}, []).rows["a"][name] == shown


def test_a_small_group_cannot_be_worked_out_from_the_sum() -> None:
    made = by_group({"a": tally(opened=3), "b": tally(opened=30), "c": tally(opened=40)}, [])
    shown = {group: row["opened"].value for group, row in made.rows.items()}
    assert shown["a"] is None
    assert [shown["b"], shown["c"], made.whole["opened"].value].count(None) >= 1


@given(st.dictionaries(st.sampled_from("abc"), TALLIES, min_size=1))
def test_no_small_number_follows_from_all_that_is_shown_of_groups(own: dict[str, Tally]) -> None:
    made = by_group(own, [])
    for name in (*COUNTS, *TIMES):
        parts = {group: known(made.rows[group]).get(name) for group in own}
        whole, missing = known(made.whole).get(name), [group for group, number in parts.items() if number is None]
        if whole is not None and len(missing) == 1:
            assert not 0 < whole - sum(number or 0 for number in parts.values()) < 5, name


def test_a_number_that_is_hidden_does_not_stand_behind_a_length_of_time() -> None:
    sizes = {"a": 3, "b": 9, "c": 12}
    own = {group: Tally(Counter(reports=size), {"entry": Counter({7: size})}) for group, size in sizes.items()}
    made = by_group(own, [])
    assert [made.rows[group]["reports"].state for group in sizes] == ["small", "small", "shown"]
    assert [made.rows[group]["entry_p50"] for group in sizes] == [
        Cell(None, None, "small"),
        Cell(None, None, "small"),
        Cell(7, 12, "shown"),
    ]
    # Of b all were measured, and of a none: whoever knew that would know that b has nine reports at least.
    own["a"] = tally(reports=3)
    assert by_group(own, []).rows["b"]["entry_p50"].state == "small"
    offices = by_unit({"east-a": own["c"], "east-b": own["b"], "west": own["a"]}, list(UNITS), OFFICES.parent)
    assert all((row["reports"].value is None) == (row["entry_p50"].value is None) for row in offices.rows.values())


@given(
    st.dictionaries(
        st.sampled_from("abc"), st.dictionaries(st.sampled_from("12345"), st.integers(0, 12), min_size=1), min_size=1
    )
)
def test_no_small_number_follows_from_groups_beside_their_parts(sizes: dict[str, dict[str, int]]) -> None:
    opened = (NAMES["opened"],)
    parts = {
        group: {group + name: tally(opened=number) for name, number in some.items()} for group, some in sizes.items()
    }
    own = {group: total(some.values()) for group, some in parts.items()}
    groups, fine = by_part(own, [], parts, opened, opened)

    def number(cell: Cell) -> int | None:
        return 0 if cell.state == "empty" else None if cell.value is None else int(cell.value)

    for of, below in [
        (number(groups.whole["opened"]), [number(row["opened"]) for row in groups.rows.values()]),
        *(
            (number(groups.rows[group]["opened"]), [number(fine.rows[name]["opened"]) for name in some])
            for group, some in parts.items()
        ),
    ]:
        if of is not None and below.count(None) == 1:
            assert not 0 < of - sum(one or 0 for one in below) < 5
        if of is None and None not in below:
            raise AssertionError("what is hidden is the sum of what is shown")


def known(row: Mapping[str, Cell]) -> dict[str, int]:
    """The numbers that a reader of a row has or can compute."""
    found = dict[str, int]()
    for figure in FIGURES:
        cell = row[figure.name]
        if cell.state == "empty" and figure.kind != "share":
            found[figure.of] = 0
        if cell.value is None:
            continue
        if figure.kind == "count":
            found[figure.of] = int(cell.value)
        elif cell.of is not None and figure.kind == "minutes":
            found[figure.of] = cell.of
        elif cell.of is not None:
            found[figure.of] = round(cell.value * cell.of)
            found[figure.other or figure.all_of] = cell.of - (found[figure.of] if figure.other else 0)
    return found


def test_every_figure_says_how_it_is_computed_in_both_languages() -> None:
    for figure in FIGURES:
        assert all((figure.title.zh, figure.title.en, figure.formula.zh, figure.formula.en))
        assert NAMES[figure.name] is figure


def test_months_begin_at_midnight_of_the_zone() -> None:
    found = months("2025-12", "2026-02", ZoneInfo("Asia/Shanghai"))
    assert [month.name for month in found] == ["2025-12", "2026-01", "2026-02"]
    assert (found[0].begin, found[0].end) == ("2025-11-30T16:00:00.000000Z", "2025-12-31T16:00:00.000000Z")
    assert found[1].begin == found[0].end
    berlin = months("2026-03", "2026-04", ZoneInfo("Europe/Berlin"))
    assert (berlin[0].begin, berlin[0].end) == ("2026-02-28T23:00:00.000000Z", "2026-03-31T22:00:00.000000Z")
