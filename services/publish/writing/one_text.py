"""The rules of one text. Its figures are bound to facts or waived; it contradicts neither facts nor statements. Pure.

A cause is a fact, too: a text states none before one is established. An office that has no part in the matter stands in
it only by a fact or a waiver.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

from services.kernel.core.problems import Rejected
from services.publish.writing import binding
from services.publish.writing.binding import Sheet
from services.publish.writing.figures import Figure, find

What = Literal[
    "marker-malformed",
    "fact-not-bindable",
    "fact-words-missing",
    "differs-from-fact",
    "differs-from-statement",
    "cause-not-established",
    "free-office",
    "free-number",
]
_CAUSE = re.compile(
    r"因(?![此而应素果地人公私故])[^。；！？!?;\n]{1,40}?(?:而|导致|造成|致使|引发|引起)"
    r"|由于|原因(?:初步)?(?:查明|确定)?(?:是|为|系|在于)|(?:系|是|由)[^。；！？!?;\n，,]{1,40}?(?:所致|引起|引发|造成|导致)"
    r"|导致|致使|所致|\b(?:caused by|due to|because of|as a result of)\b",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(
    r"[^，。；！？,!?;\n]*(?:原因(?:正在|尚|还|仍|有待|待|不明|未)|不明原因|何种原因|什么原因"
    r"|(?:尚未|未能|没有|还未)(?:查明|查清|确定)"
    r"|正在(?:调查|核实|核查|查明|排查)|有待(?:调查|查明)|查明原因"
    r"|under investigation|not (?:yet )?known|cause is unknown)"
    r"[^，。；！？,!?;\n]*",
    re.IGNORECASE,
)
"""A clause that says of a cause that it is not known."""


class Said(NamedTuple):
    """What the office says in public in a statement of the matter."""

    id: str
    number: str
    text: str


class Offices(NamedTuple):
    """The offices by name, as a statement of one matter sees them."""

    near: frozenset[str] = frozenset()
    """Those that work on the matter or help, the one that speaks, and all above it."""
    others: frozenset[str] = frozenset()


class Finding(NamedTuple):
    """What stands against a text. `at` is the first character in `field`, counted from 1."""

    field: str
    at: int
    what: What
    figure: str
    """What is written there."""
    fact: str | None = None
    """The fact that differs, is not established, or could be bound there."""
    title: str | None = None
    """Its title."""
    says: str | None = None
    """What the fact or the statement says."""
    statement: str | None = None
    """The number of the statement that differs."""


NO_OFFICES = Offices()


def findings(
    texts: dict[str, str],
    sheet: Sheet,
    *,
    earlier: Sequence[Said] = (),
    named: Collection[str] = (),
    waived: Collection[str] = (),
    telephones: Collection[str] = (),
    offices: Offices = NO_OFFICES,
) -> list[Finding]:
    """All that stands against the texts of a statement, in order.

    A figure that says the value of a fact that the statement names is bound to it. `waived` are figures and names of
    offices that need none.
    """
    found: list[Finding] = []
    before = [(said.number, find(said.text, sheet.measures, telephones)) for said in earlier]
    for field, text in texts.items():
        plain = binding.without_markers(text)
        found += sorted(
            [
                *_markers(field, text, sheet),
                *_causes(field, plain, sheet),
                *_offices(field, plain, sheet, offices, waived),
                *(
                    finding
                    for figure in find(plain, sheet.measures, telephones)
                    if (finding := _figure(field, figure, sheet, before, named, waived))
                ),
            ],
            key=lambda one: one.at,
        )
    return found


def unbindable(texts: dict[str, str], sheet: Sheet) -> list[Finding]:
    """What stands against the texts of a notice. Nothing is established for it, so no marker can be bound."""
    return [finding for field, text in texts.items() for finding in _markers(field, text, sheet)]


def _markers(field: str, text: str, sheet: Sheet) -> Iterator[Finding]:
    for at, written, key in binding.markers(text):
        if key is None:
            yield Finding(field, at, "marker-malformed", written)
        elif (one := sheet.of(key)) is None:
            yield Finding(field, at, "fact-not-bindable", written, key, sheet.title(key))
        elif not sheet.said(one):
            yield Finding(field, at, "fact-words-missing", written, key, sheet.title(key))


def _causes(field: str, text: str, sheet: Sheet) -> Iterator[Finding]:
    kind = sheet.of("cause_kind")
    if sheet.of("cause") or (kind and kind.code != "unknown"):
        return
    known = _UNKNOWN.sub(lambda one: " " * len(one[0]), text)
    for one in _CAUSE.finditer(known):
        yield Finding(field, one.start() + 1, "cause-not-established", one[0], "cause", sheet.title("cause"))


def _offices(field: str, text: str, sheet: Sheet, offices: Offices, waived: Collection[str]) -> Iterator[Finding]:
    """Offices that have no part in the matter, and that no established words name. The longest name counts."""
    others = {name for name in offices.others - offices.near if name not in waived}
    if not others or not any(name in text for name in others):
        return
    told = [one.words for one in sheet.established if one.words]
    names = sorted(offices.near | offices.others, key=len, reverse=True)
    either = "|".join(map(re.escape, names))
    for one in re.finditer(f"(?<![A-Za-z0-9-])(?:{either})(?![A-Za-z0-9-])", text):
        if one[0] in others and not any(one[0] in words for words in told):
            yield Finding(field, one.start() + 1, "free-office", one[0])


def _figure(
    field: str,
    figure: Figure,
    sheet: Sheet,
    earlier: Sequence[tuple[str, Sequence[Figure]]],
    named: Collection[str],
    waived: Collection[str],
) -> Finding | None:
    at, written, measure = figure.at, figure.text, figure.measure
    facts = [
        one for one in sheet.established if one.number is not None and measure and sheet.measure(one.key) == measure
    ]
    alike = [one for one in facts if figure.agrees(one.number or Decimal(0))]
    if figure.kind == "day":
        alike += [one for one in sheet.established if one.kind == "time" and sheet.said(one) == written]
    same = next((one for one in alike if one.key in named), alike[0] if alike else None)
    if facts and same is None:
        other = facts[-1]
        says = sheet.said(other)
        return Finding(field, at, "differs-from-fact", written, other.key, sheet.title(other.key), says)
    if measure and not facts and (differing := _differing(figure, earlier)):
        statement, says = differing
        return Finding(field, at, "differs-from-statement", written, says=says, statement=statement)
    if written in waived or (same and same.key in named):
        return None
    return Finding(
        field, at, "free-number", written, *((same.key, sheet.title(same.key), sheet.said(same)) if same else ())
    )


def _differing(figure: Figure, earlier: Sequence[tuple[str, Sequence[Figure]]]) -> tuple[str, str] | None:
    """The newest earlier statement with figures of this measure, if none of them has this value."""
    for number, figures in reversed(earlier):
        others = [one for one in figures if one.measure == figure.measure]
        if any(_meet(figure, one) for one in others):
            return None
        if others:
            return number, "、".join(dict.fromkeys(one.text for one in others))
    return None


def _meet(one: Figure, other: Figure) -> bool:
    """Whether two figures can mean the same value."""
    return (other.value is not None and one.agrees(other.value)) or (one.value is not None and other.agrees(one.value))


_WORST: tuple[What, ...] = (
    "marker-malformed",
    "fact-not-bindable",
    "fact-words-missing",
    "differs-from-fact",
    "differs-from-statement",
    "cause-not-established",
    "free-office",
    "free-number",
)


def refusal(found: Sequence[Finding], sheet: Sheet) -> Rejected | None:
    """The refusal of the gravest finding; it names further ones of the same kind in `others`."""
    if not found:
        return None
    one = min(found, key=lambda finding: _WORST.index(finding.what))
    alike = list(
        dict.fromkeys(other.figure for other in found if other.what == one.what and other.figure != one.figure)
    )
    place = f"{one.field}, character {one.at}: {one.figure}"
    established = list(dict.fromkeys(fact.key for fact in sheet.established))
    members = {"field": one.field, "at": one.at, "figure": one.figure, "others": alike}
    match one.what:
        case "marker-malformed":
            sentence = f"{place} is no marker; write {{{{fact:KEY}}}} with a key of an established fact"
        case "fact-not-bindable":
            names = ", ".join(established) or "none"
            sentence = f"{place} binds {one.fact}, which is not established; established are: {names}"
            members |= {"fact": one.fact, "known": established}
        case "fact-words-missing":
            sentence = (
                f"{place} binds words that are not here: they have not arrived yet, or were erased; "
                "try again, or write what was found"
            )
            members |= {"fact": one.fact}
        case "differs-from-fact":
            sentence = (
                f"{place} differs from the established fact {one.fact} ({one.title}): {one.says}; bind the fact, or "
                "have it revised first"
            )
            members |= {"fact": one.fact, "title": one.title, "says": one.says}
        case "differs-from-statement":
            sentence = (
                f"{place} differs from statement {one.statement}, which says {one.says}; have the fact established and "
                "bind it, or correct that statement first"
            )
            members |= {"statement": one.statement, "says": one.says}
        case "cause-not-established":
            sentence = f"{place} states a cause, and none is established; have the cause established first, or say none"
        case "free-office":
            further = f" (also {', '.join(alike)})" if alike else ""
            sentence = (
                f"{place} is an office that has no part in this matter, and no fact names it{further}; have the fact "
                "established, write the office that is meant, or waive the name with a reason"
            )
        case _:
            further = f" (also {', '.join(alike)})" if alike else ""
            hint = f"bind it as {{{{fact:{one.fact}}}}}" if one.fact else "bind it to a fact"
            sentence = f"{place} is bound to no fact{further}; {hint}, or waive it with a reason"
            members |= {"fact": one.fact} if one.fact else {}
    return Rejected(sentence, code=one.what, **members)
