"""The language of conditions: its names and types, what it leaves out, and what is unknown."""

import time
from collections.abc import Collection, Iterator, Mapping
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from schemas.pack import PolicyPack
from schemas.pack.source import Model, Rule, When
from services.kernel.rules.conditions import Context, Figures, check, faults, holds
from tests.kit import spec

CODES: Mapping[str, Collection[str]] = {
    "flags": ["food"],
    "level": ["general", "major"],
    "unit.kind": ["town"],
    "periods": ["festival"],
}


def refusal(when: str) -> str:
    with pytest.raises(ValueError, match="column") as refused:
        check(when, CODES)
    return str(refused.value)


class TestNames:
    @pytest.mark.parametrize(
        "when",
        [
            "figures.clicks >= 1 || figures.comments >= 1 || figures.mainstream_sites >= 1",
            "figures.shares > 1 && figures.reports > 1",
            "figures.comments + figures.shares - 1 >= 500",
            "'food' in flags && size(flags) == 1 && harm == 2",
            "category == 'water' && channel != 'phone'",
            "unit.kind == 'town' || 'town' == unit.kind",
            "answer_kind == 'answer' && statement_kind == 'facts'",
            "level in ['general', \"major\"]",
            "doubtful || secret || major_information",
            "'festival' in periods && size(periods) == 1",
        ],
    )
    def test_each_name_of_the_context_has_its_type(self, when: str) -> None:
        check(when, CODES)

    @pytest.mark.parametrize(
        ("when", "place", "said"),
        [
            ("figures.clicks > 1 || figures.likes > 1", "line 1, column 23", "'figures.likes' is unknown"),
            ("secret &&\n  author == 'a'", "line 2, column 3", "'author' is unknown"),
            ("figures.clicks > 'a'", "line 1, column 16", "a number and a text"),
            ("figures.clicks == null", "line 1, column 16", "a number and null"),
            ("level > 1", "line 1, column 7", "a text and a number"),
            ("1 in flags", "line 1, column 3", "a number and a list of texts"),
            ("level == major", "line 1, column 10", "'major' is unknown"),
            ("level == 'majr'", "line 1, column 10", "'majr' is no code of level; known are general, major"),
            ("level in ['major', 'x']", "line 1, column 20", "'x' is no code of level"),
            ("'foo' in flags", "line 1, column 1", "'foo' is no code of flags; known are food"),
            (r"level == 'maj\x72'", "line 1, column 14", "write codes as they are"),
            ("secret || period == 'spring'", "line 1, column 11", "'period' is unknown; several can go on at once"),
            ("'spring' in periods", "line 1, column 1", "'spring' is no code of periods"),
            ("'a' == 'b'", "line 1, column 1", "compare 'a' with a name"),
            ("level == 'ma\\'jor'", "line 1, column", "with a name"),
            ("figures.clicks", "line 1, column 1", "true or false"),
        ],
    )
    def test_what_is_unknown_or_ill_typed_is_an_error_with_its_place(self, when: str, place: str, said: str) -> None:
        told = refusal(when)
        assert told.startswith(place)
        assert said in told


class TestLanguage:
    @pytest.mark.parametrize(
        "when",
        [
            "figures.clicks / figures.comments > 3",
            "figures.clicks * 2 > 3",
            "figures.clicks % 2 == 1",
            "-harm < 1",
            "doubtful ? secret : doubtful",
            "flags[0] == 'food'",
            "flags.exists(x, x == 'food')",
            "flags.all(x, flags.all(y, flags.all(z, true)))",
            "[1, 2].map(x, x) == []",
            "[1, 2].filter(x, true) == []",
            "has(figures.clicks)",
            "level.startsWith('m')",
            "level.matches('.*')",
            "level + 'a' == level",
            "level < 'major'",
            "size(level) > 3",
            "string(harm) == '3'",
            "int('3') == 3",
            "dyn(harm) == level",
            "timestamp('2026-01-01T00:00:00Z') == timestamp('2026-01-01T00:00:00Z')",
        ],
    )
    def test_it_has_no_division_product_macro_or_function_of_texts(self, when: str) -> None:
        refusal(when)

    def test_the_longest_conditions_are_checked_and_decided_at_once(self) -> None:
        began = time.perf_counter()
        for joined in (" && ", " || "):
            when = joined.join(["harm>1"] * 50)
            assert len(when) == 496
            check(when, CODES)
            assert holds(when, Context(harm=2))
        refusal("(" * 246 + "secret" + ")" * 246)
        check("!" * 494 + "secret", CODES)
        assert time.perf_counter() - began < 1


class TestUnknown:
    @pytest.mark.parametrize("operator", ["<", "<=", "==", "!=", ">=", ">"])
    @pytest.mark.parametrize("number", [0, 1])
    @pytest.mark.parametrize("name", [*(f"figures.{name}" for name in Figures.model_fields), "harm"])
    def test_no_comparison_with_it_holds(self, name: str, operator: str, number: int) -> None:
        when = f"{name} {operator} {number}"
        assert not holds(when, Context())
        assert not holds(f"!({when})", Context())
        assert holds(f"{when} || doubtful", Context(doubtful=True))
        assert holds(f"!({when} && doubtful)", Context())

    def test_it_is_never_zero(self) -> None:
        assert not holds("figures.clicks == 0", Context())
        assert holds("figures.clicks == 0", Context(figures=Figures(clicks=0)))
        assert not holds("figures.clicks + figures.shares > 1", Context(figures=Figures(clicks=5)))

    def test_a_text_that_is_none_is_empty(self) -> None:
        assert holds("level == '' && level != 'major'", Context())
        assert not holds("level in ['major']", Context())

    def test_a_sum_that_is_too_large_raises_nothing(self) -> None:
        assert not holds(f"harm + {2**63 - 1} > 0", Context(harm=1))

    @given(
        st.builds(
            Context,
            figures=st.builds(Figures, clicks=st.none() | st.integers(0, 10**12)),
            harm=st.none() | st.integers(0, 9),
            flags=st.frozensets(st.sampled_from(["food", "health"])),
            level=st.none() | st.text(max_size=5),
            category=st.none() | st.text(max_size=5),
            secret=st.booleans(),
        )
    )
    def test_no_context_raises(self, context: Context) -> None:
        when = "figures.clicks - 5 > harm && (level == 'a' || category != 'b') || 'food' in flags && !secret"
        assert holds(when, context) in (True, False)


def _fields(model: type[Model], seen: set[type[Model]]) -> Iterator[tuple[type[Model], str, FieldInfo]]:
    if model in seen:
        return
    seen.add(model)
    for name, field in model.model_fields.items():
        yield model, name, field
        for part in _parts(field.annotation):
            if isinstance(part, type) and issubclass(part, Model):
                yield from _fields(part, seen)


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def _is_condition(field: FieldInfo) -> bool:
    (constraint,) = get_args(When)[1:]
    optional = [part for part in get_args(field.annotation) if part is not NoneType]
    inner = get_args(optional[0])[1:] if optional and get_origin(optional[0]) is Annotated else ()
    return constraint in (*field.metadata, *inner)


def test_every_condition_of_a_pack_is_the_when_of_a_rule() -> None:
    """So the one walk over the rules finds it."""
    found = [(model, name) for model, name, field in _fields(PolicyPack, set()) if _is_condition(field)]
    assert {model.__name__ for model, _ in found} >= {"Condition", "ClockRule", "ReportRule", "Chain"}
    for model, name in found:
        assert name == "when", (model, name)
        assert issubclass(model, Rule), model


@pytest.mark.parametrize("name", ["doubtful", "secret", "harm > 1", "size(flags) > 0", "figures.clicks > 1"])
def test_conditions_of_limits_and_reports_name_only_what_escalation_knows(name: str) -> None:
    model = spec.offices().pack("city").model
    clock = model.clocks[0].model_copy(update={"when": name})
    (found,) = faults(model.model_copy(update={"clocks": (clock,)}))
    assert (found[0], "is unknown to limits and reports" in found[1]) == (("clocks", 0, "when"), True)
