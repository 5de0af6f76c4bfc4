"""The tree of units and the packs in force, as streams that only grow."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from schemas.offices import PolicyPackAssigned, PolicyPackLoaded, UnitPlaced, UnitPostPlaced
from services.kernel.core.decider import STAFF_ROLES
from services.kernel.core.problems import Forbidden, Malformed, Rejected
from services.kernel.rules.documents import DocumentError
from services.kernel.settings import ROOT
from services.triage.offices import packs, setup, tree, units
from services.triage.offices.office_commands import AssignPack, LoadPacks, Pack, PlaceUnits
from tests.kit import spec
from tests.kit.spec import NOW, given, offices

SINCE = datetime(2020, 1, 1, tzinfo=UTC)
LATER = SINCE + timedelta(days=100)
REF = offices().assigned["city"]
NAME = REF.partition("#")[0]
DIGEST = REF.partition("#")[2]


def placed(unit: str, kind: Any, parent: str | None = None, since: datetime = SINCE, **more: Any) -> UnitPlaced:
    """A place of a unit that has its code as its name."""
    return UnitPlaced(unit=unit, kind=kind, name=unit, parent=parent, since=since, **more)


CITY, COUNTY = placed("city", "city"), placed("county", "county", "city")
EAST, WEST = placed("east", "town", "county"), placed("west", "town", "county")
ROADS = placed("roads", "department", "east")


def place(past: Sequence[UnitPlaced], *wanted: UnitPlaced) -> Any:
    """Placing units on a tree."""
    return given(units.DECIDER, *past).when(PlaceUnits(units=wanted))


@pytest.mark.requirement("MUL-01")
def test_only_what_is_new_is_placed() -> None:
    place([], CITY, COUNTY, EAST).then(CITY, COUNTY, EAST)
    place([CITY, COUNTY], CITY, COUNTY, EAST).then(EAST)
    place([CITY, COUNTY], CITY, COUNTY).then_nothing()


@pytest.mark.requirement("MUL-01")
def test_a_unit_moves_by_a_later_place_and_ends_by_until() -> None:
    moved = placed("roads", "department", "west", LATER)
    past = [CITY, COUNTY, EAST, WEST, ROADS]
    place(past, ROADS, moved).then(moved)
    ended = ROADS.model_copy(update={"until": LATER})
    place(past, ended).then(ended)
    state = given(units.DECIDER, *past, moved).state
    assert tree.standing_at(state.places.values(), SINCE)["roads"].parent == "east"
    assert tree.standing_at(state.places.values(), LATER)["roads"].parent == "west"
    assert "roads" not in tree.standing_at([*past[:4], ended], LATER)


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ([CITY, EAST], "no unit at"),
        ([placed("county", "county")], "needs a parent"),
        ([CITY, placed("town", "town", "city")], "cannot be below city, a city"),
        ([placed("city", "city", "city")], "cannot be below"),
        ([CITY, COUNTY, placed("county", "county", "city")], "two places"),
        ([CITY, COUNTY.model_copy(update={"until": LATER}), placed("east", "town", "county", LATER)], "no unit at"),
        ([CITY, COUNTY.model_copy(update={"until": LATER}), EAST], "east is below county, which is no unit at 2020-04"),
        ([CITY.model_copy(update={"until": LATER})], "no unit is left at 2020-04"),
        ([CITY, COUNTY, placed("other", "city", since=LATER)], "city and other have no parent at 2020-04"),
    ],
)
@pytest.mark.requirement("MUL-01")
def test_what_is_no_tree(wanted: list[UnitPlaced], sentence: str) -> None:
    place([], *wanted).then_raises(Rejected, sentence)


def test_a_ring() -> None:
    ring = {("a", SINCE): placed("a", "department", "b"), ("b", SINCE): placed("b", "department", "a")}
    with pytest.raises(Rejected, match="department"):
        tree.check(ring)
    with pytest.raises(Rejected, match="ring"):
        tree._check_ring(ring["a", SINCE], {"a": ring["a", SINCE], "b": ring["b", SINCE]})


def test_the_past_is_not_rewritten() -> None:
    other = placed("roads", "department", "west")
    place([CITY, COUNTY, EAST, WEST, ROADS], other).then_raises(Rejected, "later since")
    ended = ROADS.model_copy(update={"until": LATER})
    place([CITY, COUNTY, EAST, ended], ROADS).then_nothing()
    another = ROADS.model_copy(update={"until": LATER + timedelta(days=1)})
    place([CITY, COUNTY, EAST, ended], another).then_raises(Rejected, "ends already")


def post(code: str, unit: str = "east", since: datetime = SINCE, **more: Any) -> UnitPostPlaced:
    """A post with the role of the same name."""
    return UnitPostPlaced(unit=unit, code=code, title=code, since=since, **{"roles": (code,), **more})


CHIEF, HANDLER = post("chief", head=True), post("handler")
TREE = (CITY, COUNTY, EAST)


def appoint(past: Sequence[Any], *wanted: UnitPostPlaced) -> Any:
    """Places posts for units that exist already."""
    return given(units.DECIDER, *TREE, *past).when(PlaceUnits(units=TREE, posts=wanted))


def test_only_posts_that_are_new_are_placed() -> None:
    appoint([], CHIEF, HANDLER).then(CHIEF, HANDLER)
    appoint([CHIEF], CHIEF, HANDLER).then(HANDLER)
    appoint([CHIEF, HANDLER], CHIEF, HANDLER).then_nothing()
    later = post("handler", since=LATER, roles=("handler", "verifier"))
    appoint([CHIEF, HANDLER], CHIEF, HANDLER, later).then(later)
    ended = HANDLER.model_copy(update={"until": LATER})
    appoint([CHIEF, HANDLER], CHIEF, ended).then(ended)
    appoint([CHIEF, ended], CHIEF, HANDLER).then_nothing()
    another = HANDLER.model_copy(update={"until": LATER + timedelta(days=1)})
    appoint([CHIEF, ended], CHIEF, another).then_raises(Rejected, "handler@east .* ends already")
    appoint([CHIEF, HANDLER], CHIEF, post("handler", roles=())).then_raises(Rejected, "handler@east .* later since")


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ([HANDLER], "east has 0 heads"),
        ([CHIEF, post("handler", head=True)], "east has 2 heads"),
        ([CHIEF.model_copy(update={"until": LATER}), HANDLER, post("verifier", since=LATER)], "east has 0 heads"),
        ([CHIEF.model_copy(update={"until": LATER}), HANDLER], "east has 0 heads at 2020-04"),
        (
            [
                CHIEF,
                HANDLER.model_copy(update={"until": LATER}),
                post("group", roles=(), members=("handler@east", "chief@east")),
            ],
            "names handler@east, which is no post at 2020-04",
        ),
        ([CHIEF, post("chief", "west", head=True)], "chief@west is a post of west, which is no unit"),
        ([post("chief", head=True, since=SINCE - timedelta(days=1))], "which is no unit"),
        ([CHIEF, CHIEF], "two places"),
        ([CHIEF, post("group", roles=(), members=("handler@east",))], "names handler@east"),
        ([CHIEF, post("group", roles=(), members=("chief@east",), duty_post="handler@east")], "names handler@east"),
        ([post("chief", head=True, duty_post="chief@east")], "only a body has a duty post"),
        ([CHIEF, post("group", roles=("chief",), members=("chief@east",))], "is a body"),
        (
            [
                CHIEF,
                post("group", roles=(), members=("chief@east",)),
                post("other", roles=(), members=("group@east",)),
            ],
            "names group@east",
        ),
    ],
)
def test_what_is_no_directory(wanted: list[UnitPostPlaced], sentence: str) -> None:
    appoint([], *wanted).then_raises(Rejected, sentence)


def test_a_body_is_its_members_and_a_post_ends_with_its_unit() -> None:
    group = post("group", "county", roles=(), members=("chief@county", "chief@east"))
    leader = post("chief", "county", head=True)
    appoint([], leader, CHIEF, group).then(leader, CHIEF, group)
    ended = EAST.model_copy(update={"until": LATER})
    moved = placed("county", "county", "city", LATER)
    past = given(units.DECIDER, *TREE, leader, CHIEF)
    past.when(PlaceUnits(units=(*TREE[:2], ended, moved), posts=(leader, CHIEF))).then(ended, moved)


@settings(max_examples=100, deadline=None)
@examples(st.lists(st.sampled_from([CITY, COUNTY, EAST, WEST, ROADS, placed("roads", "department", "west", LATER)])))
@pytest.mark.requirement("MUL-01")
def test_placing_again_changes_nothing(wanted: list[UnitPlaced]) -> None:
    try:
        decided = place([], *wanted).decided()
    except Rejected:
        return
    place(decided, *wanted).then_nothing()


def file(version: str = "2", digest: str = DIGEST) -> Pack:
    """A pack that passed all checks."""
    return Pack(pack="county-default", version=version, digest=digest, canonical="{}", effective_from=SINCE)


LOADED = PolicyPackLoaded(pack="county-default", version="2", digest=DIGEST, canonical="{}", effective_from=SINCE)


def test_packs_are_loaded_once_and_never_changed() -> None:
    given(packs.DECIDER).when(LoadPacks(packs=(file(),))).then(LOADED)
    given(packs.DECIDER, LOADED).when(LoadPacks(packs=(file(),))).then_nothing()
    other = LoadPacks(packs=(file(digest="1" * 64),))
    given(packs.DECIDER, LOADED).when(other).then_raises(Rejected, "give a changed pack a new version")


def test_only_the_first_pack_of_a_unit_reaches_back() -> None:
    first = PolicyPackAssigned(unit="city", policy=REF, since=SINCE)
    given(packs.DECIDER, LOADED).when(AssignPack(unit="city", pack=NAME, since=SINCE)).then(first)
    again = AssignPack(unit="city", pack=NAME, since=LATER)
    given(packs.DECIDER, LOADED, first).when(again).then_raises(Rejected, "works by county-default@2 already")
    second = PolicyPackLoaded(pack="county-default", version="3", digest="2" * 64, canonical="{}", effective_from=SINCE)
    policy, name = "county-default@3#" + "2" * 64, "county-default@3"
    for since, effective in ((SINCE, NOW), (NOW + timedelta(days=1), NOW + timedelta(days=1))):
        given(packs.DECIDER, LOADED, second, first).when(AssignPack(unit="city", pack=name, since=since)).then(
            PolicyPackAssigned(unit="city", policy=policy, since=effective)
        )


def test_no_unit_works_by_a_pack_before_it_is_in_effect() -> None:
    begins = NOW + timedelta(days=30)
    coming = LOADED.model_copy(update={"version": "3", "effective_from": begins})
    name, known = "county-default@3", given(packs.DECIDER, coming)
    early = AssignPack(unit="city", pack=name, since=NOW + timedelta(days=29))
    known.when(early).then_raises(Rejected, "county-default@3 is in effect from")
    then = PolicyPackAssigned(unit="city", policy=f"{name}#{DIGEST}", since=begins)
    known.when(AssignPack(unit="city", pack=name)).then(then)


def test_a_pack_that_is_not_loaded_and_a_unit_that_is_not_there() -> None:
    given(packs.DECIDER).when(AssignPack(unit="city", pack=NAME, since=SINCE)).then_raises(Rejected, "not loaded")
    nowhere = AssignPack(unit="nowhere", pack=NAME, since=SINCE)
    given(packs.DECIDER, LOADED).when(nowhere).then_raises(Malformed, "nowhere")


def test_a_unit_goes_back_to_an_earlier_pack() -> None:
    second = PolicyPackLoaded(pack="county-default", version="3", digest="2" * 64, canonical="{}", effective_from=SINCE)
    past = [
        PolicyPackAssigned(unit="city", policy=REF, since=SINCE),
        PolicyPackAssigned(unit="city", policy="county-default@3#" + "2" * 64, since=LATER),
    ]
    back = PolicyPackAssigned(unit="city", policy=REF, since=NOW)
    given(packs.DECIDER, LOADED, second, *past).when(AssignPack(unit="city", pack=NAME)).then(back)


def test_the_unit_above_assigns_and_the_root_loads() -> None:
    known = given(packs.DECIDER, LOADED)
    assign, load = AssignPack(unit="town-east", pack=NAME), LoadPacks(packs=(file("3"),))
    known.by(spec.staff("chief", unit="town-east")).when(assign).then_raises(Forbidden, "assign a pack")
    assert len(known.by(spec.staff("chief", unit="county")).when(assign).decided()) == 1
    known.by(spec.staff("chief", unit="county")).when(load).then_raises(Forbidden, "load a pack")
    assert len(known.by(spec.staff("admin", unit="city")).when(load).decided()) == 1


def test_the_shipped_file_is_a_tree_with_a_pack_on_top() -> None:
    shipped = setup.read(ROOT / "policies" / setup.FILE)
    decided = given(units.DECIDER).when(PlaceUnits(units=shipped.places(), posts=shipped.directory())).decided()
    posts = [post for post in decided if isinstance(post, UnitPostPlaced)]
    for place in shipped.places():
        roles = [role for post in posts if post.unit == place.unit for role in post.roles]
        assert set(roles) == set(STAFF_ROLES)
    assert [(of.unit, of.pack) for of in shipped.packs] == [("city", "county-default")]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("units: [", "not readable as YAML"),
        ("units: []\npacks: []", "since"),
        ('since: "2020-01-01T00:00:00"\nunits: []\npacks: []', "since"),
        ('since: "2020-01-01T00:00:00Z"\nunits: [{unit: A b, kind: city, name: x}]\npacks: []', r"units\.0\.unit"),
    ],
)
def test_a_file_that_cannot_be_used_says_where(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / setup.FILE
    with pytest.raises(DocumentError, match="is missing"):
        setup.read(path)
    path.write_text(text)
    with pytest.raises(DocumentError, match=sentence):
        setup.read(path)


def test_of_two_packs_that_begin_together_the_one_that_was_assigned_later_counts() -> None:
    other = PolicyPackAssigned(unit="city", policy=NAME + "#" + "0" * 64, since=LATER)
    again = PolicyPackAssigned(unit="city", policy=REF, since=LATER)
    state = given(packs.DECIDER, LOADED, other, again).state
    assert state.standing("city", LATER) == REF
