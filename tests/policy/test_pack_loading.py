"""The form of a pack file, and the messages to its author."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.pack import PolicyPack
from schemas.pack.clocks import Limit
from schemas.pack.source import Source, rules
from services.kernel.core.units import LoadedPack
from services.kernel.rules import pack_words
from services.kernel.rules.documents import MAX_FAULTS, DocumentError
from services.kernel.rules.packs import NO_PACKS, load_pack, load_packs, must_be_alone, parse_pack

POLICIES = Path(__file__).parents[2] / "policies"
HAN = re.compile(r"[\u3400-\u9fff]")
BOMB = "a0: &a0 [x, x, x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
COUNTY = (POLICIES / "county-default.yaml").read_text("utf-8")
DECLINED = ("監控", "监控", "引導", "引导", "疏導", "疏导", "刪", "删", "網評", "网评", "黑名單", "黑名单", "形象")


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def refusal(text: str) -> DocumentError:
    with pytest.raises(DocumentError) as refused:
        parse_pack(text, "county.yaml")
    return refused.value


def changed(old: str, new: str) -> str:
    assert old in COUNTY
    return COUNTY.replace(old, new, 1)


PACKS = sorted(path for path in POLICIES.glob("*.yaml") if path.name not in NO_PACKS)


@pytest.fixture(scope="module", params=PACKS, ids=lambda path: path.stem)
def pack(request: pytest.FixtureRequest) -> LoadedPack:
    return load_pack(request.param)


class TestEveryPack:
    def test_each_rule_has_a_source_that_says_enough(self, pack: LoadedPack) -> None:
        found = list(rules(pack.model))
        assert len(found) > len(pack.model.clocks)
        for place, rule in found:
            assert isinstance(rule.source, Source), place
            if rule.source.kind == "stated":
                assert rule.source.document, place
                assert rule.source.clause, place
            if rule.source.kind in ("reading", "derived"):
                assert rule.source.reason, place

    def test_each_rule_stands_where_its_place_says(self, pack: LoadedPack) -> None:
        for place, rule in rules(pack.model):
            at: object = pack.model
            for part in place.split("."):
                match at:
                    case dict():
                        at = at[part]
                    case tuple():
                        at = at[int(part)]
                    case _:
                        at = getattr(at, part)
            assert at is rule

    def test_its_name_is_its_content(self, pack: LoadedPack) -> None:
        model = pack.model
        assert pack.ref == f"{model.id}@{model.version}#{pack.digest}"
        assert len(pack.digest) == 64
        assert parse_pack(pack.canonical) == pack

    def test_it_asks_for_nothing_that_is_declined(self, pack: LoadedPack) -> None:
        assert [word for word in DECLINED if word in pack.canonical] == []


class TestDigest:
    def test_layout_and_comments_do_not_change_it(self) -> None:
        other = "# another comment\n" + changed(
            "limit: {mode: elapsed, duration: PT2H}", "limit:\n      {duration: PT2H, mode: elapsed}"
        )
        assert parse_pack(other) == parse_pack(COUNTY)

    def test_a_value_changes_it(self) -> None:
        assert parse_pack(changed("duration: PT2H", "duration: PT3H")).digest != parse_pack(COUNTY).digest


class TestFaults:
    def test_an_unknown_field_is_refused_with_its_line(self) -> None:
        text = changed("    first_answer: true\n", "    first_answer: true\n    author: somebody\n")
        error = refusal(text)
        (fault,) = error.faults
        assert (fault.line, fault.field) == (line_of(text, "author: somebody"), "clocks.1.author")
        assert str(error) == f"county.yaml:{fault.line}:5: clocks.1.author: is unknown; correct its name or remove it"

    def test_a_rule_without_source_is_refused(self) -> None:
        text = changed(
            "    source: {kind: stated, document: 002/7, clause: L152 二, quote: 統一對外信息發布內容口徑}\n", ""
        )
        (fault,) = refusal(text).faults
        assert (fault.field, fault.message) == ("publication.single_text.source", "is missing; add it")

    def test_every_fault_is_told_at_once(self) -> None:
        text = changed("version: 2", "version: one").replace("duration: PT3H", "duration: 3 hours")
        faults = refusal(text).faults
        assert [(fault.line, fault.field) for fault in faults] == [
            (line_of(text, "version: one"), "version"),
            (line_of(text, "limit: {mode: elapsed, duration: 3 hours}"), "clocks.2.limit.duration"),
        ]

    def test_a_faulty_entry_is_no_missing_entry(self) -> None:
        text = changed("who: [leader_in_charge, principal_leader]", "who: [leader_in_charge]\n          needs: 3")
        (fault,) = refusal(text).faults
        assert (fault.field, fault.message) == ("approval.chains.3.steps.0", "needs: 3 of 1 cannot agree")
        (fault,) = refusal(changed("to: [accepted]", "to: []")).faults
        assert (fault.field, fault.message) == ("clocks.0.to", "should have at least 1 of them")

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("id: county-default", "id: 县", "letters and digits, with single hyphens between, for example county"),
            ("  - code: general", "  - code: General", "letters, digits and underscores, first a letter"),
        ],
    )
    def test_a_code_in_another_form_is_told_the_form(self, old: str, new: str, message: str) -> None:
        assert message in str(refusal(changed(old, new)))

    @pytest.mark.parametrize(
        ("when", "place", "message"),
        [
            ('harm >= "two"', "line 1, column 6", "'>=' does not take a number and a text here; compare numbers with"),
            ("harm in flags", "line 1, column 6", "'in' does not take a number and a list of texts here"),
            ("figures.clicks >= ", "line 1, column 18", "mismatched input"),
            ("figures.clicks >=\n          >= 3", "line 1, column 19", "extraneous input"),
            ("harm > 1 && about_leaders", "line 1, column 13", "known are figures.clicks, figures.comments"),
            ("harm > 1 && 'fod' in flags", "line 1, column 13", "'fod' is no code of flags; known are sudden, "),
            ("category == 'complaint'", "line 1, column 1", "'category' is unknown to levels"),
            ("harm", "line 1, column 1", "true or false"),
            ("(" * 100 + "harm > 1" + ")" * 100, "line 1, column 1", "too deep"),
            ("harm > 1" + " && harm > 1" * 50, "", "should have at most 500 characters"),
        ],
    )
    def test_a_bad_condition_is_refused_when_the_pack_is_loaded(self, when: str, place: str, message: str) -> None:
        text = changed("when: harm >= 2", f"when: {when}")
        (fault,) = refusal(text).faults
        assert (fault.line, fault.field) == (line_of(text, f"when: {when}\n"), "levels.1.conditions.4.when")
        assert fault.message.startswith(place)
        assert message in fault.message

    def test_the_condition_of_every_rule_is_checked(self) -> None:
        text = changed('when: level in ["major", "extraordinary"]', "when: level == 'majr' && figures.clicks / 2 > 1")
        (fault,) = refusal(text).faults
        assert (fault.line, fault.field) == (line_of(text, "when: level == 'majr'"), "approval.chains.2.when")
        assert fault.message.startswith("line 1, column 35: '/' is no part of conditions")

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            (
                "levels: [general]\n    limit: {mode: elapsed, duration: PT2H}",
                "levels: [generl]\n    limit: {mode: end_of_day}",
                "'generl' is no level",
            ),
            (
                "  - code: extraordinary\n    rank: 3",
                "  - code: extraordinary\n    rank: 1",
                "from the lowest to the highest",
            ),
            ("mode: elapsed, duration: PT2H", "mode: working_time, duration: PT2H", "give the working hours"),
            ("rung: circular", "rung: reminder", "write the rungs in this order"),
            ('  "002/15": 篇十五 學院網絡輿情管理制度\n', "", "the document '002/15' is missing"),
            ("name: explanation", "name: transfer", "each code may stand only once"),
            ("single_text:\n    value: true", "single_text:\n    value: false", "holds in every pack"),
            ("speaks_as:\n    value: unit", "speaks_as:\n    value: citizen", "'unit'"),
        ],
    )
    def test_a_pack_that_does_not_hold_together_is_refused(self, old: str, new: str, message: str) -> None:
        assert message in str(refusal(changed(old, new)))

    @pytest.mark.parametrize(
        ("field", "written"),
        [
            ("effective_from: 2026-01-01", "0001-01-01"),
            ("effective_from: 2026-01-01", "9999-12-31T00:00:00"),
            ("effective_from: 2026-01-01", "1767225600"),
            ("timezone: Asia/Shanghai", "localtime"),
            ("timezone: Asia/Shanghai", "America"),
            ("timezone: Asia/Shanghai", "A" * 300),
        ],
    )
    def test_a_date_or_zone_in_another_form_is_refused(self, field: str, written: str) -> None:
        name, _, _ = field.partition(":")
        fault = refusal(changed(field, f"{name}: {written}")).faults[0]
        assert (fault.field, fault.line) == (name, line_of(COUNTY, field))
        assert "write a " in fault.message

    @pytest.mark.parametrize("window", ['{from: "08:00+08:00", to: "12:00"}', '{from: "00:00Z", to: "04:00Z"}'])
    def test_working_hours_carry_no_offset(self, window: str) -> None:
        text = Path(__file__).with_name("whole.yaml").read_text("utf-8")
        fault = refusal(text.replace('{from: "08:00", to: "12:00"}', window, 1)).faults[0]
        assert (fault.field, "in the pack's time zone" in fault.message) == ("workday.windows.0.from", True)

    def test_a_key_that_stands_twice_is_refused(self) -> None:
        text = changed("version: 2\n", "version: 2\nversion: 3\n")
        (fault,) = refusal(text).faults
        assert (fault.line, fault.message) == (
            line_of(text, "version: 3"),
            "not readable as YAML: 'version' stands twice; keep one",
        )

    @pytest.mark.parametrize("text", ["", "- a list", "id: [", "? [a]\n: b", "\x00"])
    def test_what_is_no_pack_is_refused(self, text: str) -> None:
        assert str(refusal(text)).startswith("county.yaml:")


class TestWhatIsNoDocument:
    """Nothing of these is read further, however little of it a reader would need to run out of memory or stack."""

    @pytest.mark.parametrize(
        ("text", "place", "message"),
        [
            ("a: [1\nb: 2", (2, 2), "not readable as YAML: did not find expected ',' or ']'"),
            ("id: x\nparts: " + "[" * 200_000, (2, 37), "parts stand in each other more than 30 deep"),
            ("- " * 100_000, (1, 61), "parts stand in each other more than 30 deep"),
            ("a: &a [*a]", (1, 4), "an alias stands for a part around it"),
            (BOMB, (11, 6), "has more than 262,144 characters, with each alias as what it stands for"),
            ("a: &a " + "x" * 9_000 + "\nb: [" + "*a," * 30 + "]", (2, 4), "has more than 262,144 characters"),
            ("id: x\n---\nid: y", (2, 1), "another document"),
        ],
        ids=["broken", "deep", "deep-lists", "endless", "bomb", "long", "two"],
    )
    def test_it_is_refused_with_its_place(self, text: str, place: tuple[int, int], message: str) -> None:
        (fault,) = refusal(text).faults
        assert ((fault.line, fault.column), message in fault.message) == (place, True), fault

    def test_a_file_of_five_megabytes_is_refused_unread(self, tmp_path: Path) -> None:
        path = tmp_path / "large.yaml"
        path.write_bytes(b"# \n" * 1_700_000)
        with pytest.raises(DocumentError, match=r"large\.yaml:1:1: is larger than 262,144 bytes"):
            load_pack(path)

    def test_an_alias_stays_allowed(self) -> None:
        text = changed("duration: PT2H}", "duration: PT2H, source: &same {kind: derived, reason: a}}")
        assert (
            parse_pack(text.replace("duration: PT1H}", "duration: PT1H, source: *same}")).model.id == "county-default"
        )

    def test_a_check_of_the_whole_pack_names_the_place_too(self) -> None:
        text = changed("rank: 3", "rank: 1")
        (fault,) = refusal(text).faults
        assert (fault.field, fault.line, fault.column) == ("levels", line_of(text, "\nlevels:") + 1, 1)


class TestSources:
    @pytest.mark.parametrize(
        "source",
        [
            {"kind": "stated", "document": "000"},
            {"kind": "stated", "clause": "L1"},
            {"kind": "reading", "document": "000", "clause": "L1"},
            {"kind": "derived"},
            {"kind": "combined", "document": "000"},
            {"kind": "unset", "quote": "立即"},
            {"kind": "guessed"},
        ],
    )
    def test_a_source_that_says_too_little_is_refused(self, source: dict[str, str]) -> None:
        with pytest.raises(ValueError, match="validation error"):
            Source.model_validate(source)

    @pytest.mark.parametrize("kind", ["unset", "lost"])
    def test_a_setting_of_the_office_needs_no_document(self, kind: str) -> None:
        assert Source.model_validate({"kind": kind}).documents == ()


class TestLimits:
    @pytest.mark.parametrize("duration", ["7200", "2 hours", "P", "PT", "P1Y", "P1M", "-P1D", "P0D", "PT0S", "PT0.5H"])
    def test_a_duration_that_is_not_plain_iso_8601_is_refused(self, duration: str) -> None:
        with pytest.raises(ValueError, match="duration"):
            Limit.model_validate({"mode": "elapsed", "duration": duration})

    @pytest.mark.parametrize(
        "limit",
        [
            {"mode": "elapsed"},
            {"mode": "working_time"},
            {"mode": "end_of_day", "duration": "PT2H"},
            {"mode": "working_time", "duration": "PT24H"},
        ],
    )
    def test_a_limit_that_its_mode_cannot_count_is_refused(self, limit: dict[str, str]) -> None:
        with pytest.raises(ValueError, match="validation error"):
            Limit.model_validate(limit)


class TestFolder:
    def test_packs_are_found_by_their_reference(self) -> None:
        packs = load_packs(POLICIES)
        assert all(pack.ref == ref for ref, pack in packs.items())
        assert "county-default" in {pack.model.id for pack in packs.values()}

    def test_one_name_for_two_contents_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_text(COUNTY, "utf-8")
        (tmp_path / "b.yaml").write_text(changed("duration: PT2H", "duration: PT3H"), "utf-8")
        line = line_of(COUNTY, "\nversion: ") + 1
        told = rf"b\.yaml:{line}:1: version: .*a\.yaml is county-default@2 too; raise the version of one"
        with pytest.raises(DocumentError, match=told):
            load_packs(tmp_path)
        with pytest.raises(DocumentError, match=told):
            must_be_alone(tmp_path / "b.yaml")

    def test_a_folder_without_packs_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DocumentError, match="no policy pack"):
            load_packs(tmp_path)

    def test_a_file_in_another_encoding_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_bytes("title: 县".encode("gb18030"))
        with pytest.raises(DocumentError, match="not UTF-8"):
            load_packs(tmp_path)


def test_the_pack_has_a_json_schema() -> None:
    assert PolicyPack.model_json_schema()["additionalProperties"] is False


def test_a_text_of_another_kind_is_refused_with_its_first_faults() -> None:
    """Each unknown name is a fault, and each fault is looked up in the text: a whole list of them took a minute."""
    wrong = COUNTY + "".join(f"field_{number}: 1\n" for number in range(1_000))
    *told, last = refusal(wrong).faults
    assert len(told) == MAX_FAULTS and told[-1].field == f"field_{MAX_FAULTS - 1}"
    assert (last.field, last.message) == (f"field_{MAX_FAULTS}", "here, and in other places, are 900 more faults")
    assert last.line == line_of(wrong, f"field_{MAX_FAULTS}:")


def test_every_pack_is_told_in_both_languages(pack: LoadedPack) -> None:
    known = pack_words.words(POLICIES)
    timed = [{"title": one.title_zh} for one in pack.model.timed.values()]
    whole = pack.model.model_dump(mode="json") | {"timed": timed}
    texts = list(_texts(pack_words.in_language(whole, "en", known)))
    left = [(name, text) for name, text in texts if name in pack_words.TITLES and HAN.search(text)]
    assert not [one for one in left if one[1] not in pack.model.documents.values()], "write the English into words.yaml"
    for name, text in _texts(pack_words.in_language(whole, "zh", known)):
        if name == "reason":
            assert HAN.search(text), "write the Chinese into words.yaml"
        assert name != "clause" or not re.search(r"\bL\d", text), text


def test_no_two_limits_of_a_pack_have_one_title(pack: LoadedPack) -> None:
    titles = [one.title_zh for one in pack.model.timed.values()]
    assert len(titles) == len(set(titles))


def _texts(said: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a pack with the name of its field."""
    match said:
        case dict():
            for key, inner in said.items():
                yield from _texts(inner, key)
        case list():
            for inner in said:
                yield from _texts(inner, name)
        case str():
            yield name, said
