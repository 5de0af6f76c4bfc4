"""What a file of the policy folder is, and whether it can be used."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel

from schemas.lists import CategoryList, ChannelList, FactList, PeerList, SiteList, TelephoneList
from schemas.pack import PolicyPack
from schemas.pack.approval import ApprovalStep, Chain
from schemas.pack.clocks import ClockRule, Limit
from schemas.pack.gates import Gate
from schemas.pack.levels import Level
from schemas.pack.office import Archive
from schemas.pack.source import Source
from schemas.pack.templates import Template
from schemas.titles import FORMS, TITLES
from services.apps.terminal import CannotDo
from services.kernel.core.problems import Rejected
from services.kernel.core.units import LoadedPack
from services.kernel.rules import pack_words
from services.kernel.rules.documents import DocumentError, Fault, read_file
from services.kernel.rules.lists import load_peers
from services.kernel.rules.packs import load_pack, load_packs, must_be_alone, unanswered
from services.kernel.rules.scenarios import FOLDER, load_scenario
from services.triage.offices import setup
from services.triage.offices.tree import placed

LISTS: Mapping[str, tuple[str, type[BaseModel]]] = {
    "categories.yaml": ("the list of categories", CategoryList),
    "facts.yaml": ("the list of facts", FactList),
    "channels.yaml": ("the list of channels", ChannelList),
    "peers.yaml": ("the list of other deployments", PeerList),
    "sites.yaml": ("the list of sites", SiteList),
    "telephones.yaml": ("the list of telephones", TelephoneList),
    pack_words.FILE: ("the words of packs in the other language", pack_words.PackWords),
}


def read(path: Path) -> str:
    """What the file is, in words. Raises `DocumentError` with each fault, or `OSError`.

    The tree of units is checked as the start checks it, with the packs beside it.
    """
    if path.name == "units.yaml":
        return f"the tree of units, with {_places(path)} places,"
    if path.name in LISTS:
        words, model = LISTS[path.name]
        read_file(path).model(model)
        if model is PeerList:
            load_peers(path)
        return words
    if path.parent.name == FOLDER:
        return f"the scenario {load_scenario(path).model.id} of a drill"
    must_be_alone(path)
    return f"the policy pack {load_pack(path).ref}"


def remarks(path: Path, folder: Path) -> list[str]:
    """What is odd about a usable file: a pack's addressees that the policy folder's directory does not have."""
    tree = folder / "units.yaml"
    if path.name == "units.yaml" or path.name in LISTS or path.parent.name == FOLDER or not tree.exists():
        return []
    return list(unanswered(load_pack(path).model, setup.read(tree).directory()))


class Row(NamedTuple):
    """A rule of a pack, for readers."""

    name: str
    title: str
    source: Source
    value: str = ""

    @property
    def clause(self) -> str:
        """Document, clause and quotation, or the reason of a rule of our own."""
        quote = f"「{self.source.quote}」" if self.source.quote else ""
        return " ".join(part for part in (self.source.document, self.source.clause, quote) if part) or (
            self.source.reason or ""
        )


def rows(pack: PolicyPack) -> dict[str, list[Row]]:
    """The rules of a pack in the order in which it is read: section -> its rules."""
    chains = pack.approval.chains if pack.approval else ()
    return {
        "levels": [row for level in pack.levels for row in _level(level)],
        "answers": [Row(one.kind, one.title_zh, one.source) for one in pack.answers],
        "limits": [row for clock in pack.clocks for row in _clock(clock)],
        "reports": [
            _limited(hop.code, report.title_zh, hop.limit, hop.source, f"{hop.to} at {hop.at}, {hop.form} within")
            for report in pack.reports
            for hop in report.hops
        ],
        "ladder": [
            _limited(rung.rung, TITLES[rung.rung][0], rung.after, rung.source, f"tells {', '.join(rung.tells)} after")
            for rung in pack.ladder
        ],
        "notice": [Row(part.code, part.title_zh, part.source) for part in (pack.notice.parts if pack.notice else ())],
        "assigning": list(_assigning(pack)),
        "answering": list(_answering(pack)),
        "approval": [row for chain in chains for row in _chain(chain)],
        "checks": [row for gate in pack.gates for row in _gate(gate)],
        "templates": [_template(one) for one in pack.templates],
        "speaking": list(_speaking(pack)),
        "afterwards": list(_afterwards(pack)),
        "file": list(_file(pack.archive)),
    }


def _file(archive: Archive | None) -> Iterator[Row]:
    """The parts of a matter's file, and how many years it is kept."""
    if archive is None:
        return
    yield from (Row(part.code, part.title_zh, part.source) for part in archive.parts)
    if kept := archive.kept:
        yield Row(
            "kept",
            "保存期限",
            kept.source,
            f"{kept.value} years" if isinstance(kept.value, int) else kept.value or "open",
        )


def _level(level: Level) -> Iterator[Row]:
    yield Row(level.code, level.title_zh, level.source)
    for one in level.conditions:
        yield Row(f"{level.code}/{one.code}", level.title_zh, one.source, one.when)
    if lead := level.leads:
        yield Row(f"{level.code}.leads", lead.title_zh, lead.source, f"{lead.who} at {lead.at}, {lead.how}")


def _chain(chain: Chain) -> Iterator[Row]:
    """A chain, and its steps."""
    yield Row(
        chain.code, chain.title_zh, chain.source, f"of a {chain.of}" + (f" if {chain.when}" if chain.when else "")
    )
    for step in chain.steps:
        yield Row(f"{chain.code}.{step.code}", step.title_zh, step.source, _agreeing(step))


def _gate(gate: Gate) -> Iterator[Row]:
    """A check before the last approval, and the lines of its list."""
    who = f"by {' / '.join(gate.by)}" if gate.by else "by the record"
    yield Row(gate.code, gate.title_zh, gate.source, who + _if(gate.when))
    yield from (Row(f"{gate.code}.{item.code}", item.title_zh, gate.source) for item in gate.items)


def _template(one: Template) -> Row:
    return Row(one.code, one.title_zh, one.source, f"{one.form} of {one.kind}" + _if(one.when))


def _if(condition: str | None) -> str:
    return f" if {condition}" if condition else ""


def _speaking(pack: PolicyPack) -> Iterator[Row]:
    """Who speaks on a matter, and what is said further after a publication."""
    if one := pack.press.speakers:
        only = f", among {' / '.join(one.speaks)}" if one.speaks else ""
        yield Row("speakers", TITLES["fix-speakers"][0], one.source, f"{one.by} at {one.at} fixes them{only}")
    if called := pack.press.conference:
        yield Row("conference", TITLES["call-conference"][0], called.source, _at(called.levels))
    if (said := pack.publication) is None:
        return
    if next_one := said.progress:
        named = "names the next one" if next_one.names_next else "need not name the next one"
        yield Row("progress", FORMS["progress"][0], next_one.source, named)
    if update := said.update:
        yield _limited("update", TITLES["statement_update"][0], update.limit, update.source, "within")
    if account := said.closing_account:
        yield Row("closing_account", FORMS["closing_account"][0], account.source, _at(account.levels))


def _at(levels: tuple[str, ...] | None) -> str:
    return "at every level" if levels is None else f"at {', '.join(levels)}"


def _assigning(pack: PolicyPack) -> Iterator[Row]:
    """How a matter is given to units, and what follows if they give it back."""
    if (rule := pack.assigning) is None:
        return
    yield Row("lead", "主办单位", rule.lead.source, rule.lead.value or "open")
    if one := rule.instruction:
        at = "at every level" if one.levels is None else f"at {', '.join(one.levels) or 'no level'}"
        yield Row("instruction", TITLES["instruct"][0], one.source, f"{' / '.join(one.who)} {at}")
    if back := rule.returning:
        yield _limited("returning", TITLES["return"][0], back.limit, back.source, "within")
        yield from (Row(f"returning.{reason.code}", reason.title_zh, reason.source) for reason in back.reasons)
    if team := rule.team:
        where = "at every level" if team.levels is None else f"at {', '.join(team.levels)}"
        yield Row("team", TITLES["name-team"][0], team.source, where)
    if most := rule.dispatches:
        yield Row("dispatches", TITLES["designate"][0], most.source, f"after {most.value or 'open'}")


def _answering(pack: PolicyPack) -> Iterator[Row]:
    """Which messages need a reply, and what the unit concerned explains to the office."""
    if screening := pack.answering.screening:
        ends = f", ends {', '.join(screening.ends)}" if screening.ends else ""
        told = f"reviewed by {' / '.join(screening.reviewed_by)}{ends}"
        yield Row("screening", TITLES["screen"][0], screening.source, told)
        yield from (Row(f"screening.{one.code}", one.title_zh, one.source) for one in screening.reasons)
    if material := pack.answering.material:
        asked = [("signed by the head", material.signed_by_head), ("sealed", material.sealed)]
        told = " and ".join(what for what, needed in asked if needed)
        yield Row("material", TITLES["receive-material"][0], material.source, told)
    for rule in pack.answering.explaining:
        at = "at every level" if rule.levels is None else f"at {', '.join(rule.levels)}"
        reply = ", with a proposed reply" if rule.proposed_reply else ""
        ordered = f", ordered by {' / '.join(rule.ordered_by)}" if rule.ordered_by else ""
        yield Row("explaining", TITLES["explain-to-office"][0], rule.source, f"{at}{reply}{ordered}")


def _afterwards(pack: PolicyPack) -> Iterator[Row]:
    """What follows the handling: who looks at the matter again, and who evaluates it."""
    if watched := pack.follow_up:
        dedicated, asked = (
            watched.dedicated_post,
            {True: "a post of its own", False: "no post of its own", None: "open"},
        )
        yield Row("follow_up", TITLES["follow-up"][0], dedicated.source, asked[dedicated.value])
    if one := pack.review.evaluation:
        at = f" at {', '.join(one.levels)}" if one.levels else ""
        yield Row("evaluation", one.title_zh, one.source, f"{', '.join(one.who)}{at}")


def _clock(clock: ClockRule) -> Iterator[Row]:
    """A clock, and what people may decide on it."""
    name, title = clock.name, clock.title_zh
    yield _limited(name, title, clock.limit, clock.source)
    if one := clock.extension:
        yield _limited(f"{name}.extension", title, one.at_most, one.source, f"{one.approved_by} grants at most")
    if clock.pause:
        reasons = ", ".join(reason.title_zh for reason in clock.pause.reasons)
        yield Row(f"{name}.pause", title, clock.pause.source, f"stands still for {reasons}")
    if clock.deferral:
        yield _limited(f"{name}.deferral", title, clock.deferral.review, clock.deferral.source, "review within")


def _agreeing(step: ApprovalStep) -> str:
    """Who agrees at a step: `a / b` is one of them, `2 of a, b` are both."""
    who = " / ".join(step.who) if step.needs == 1 else f"{step.needs} of {', '.join(step.who)}"
    return who + (f" (quorum {step.quorum})" if step.quorum else "")


def _limited(name: str, title: str, limit: Limit | None, source: Source, told: str = "") -> Row:
    """A rule with a limit. An open limit is told by its own source. `told` stands before the limit."""
    if limit is None:
        return Row(name, title, source, f"{told.removesuffix(' after')} at once")
    if limit.is_open and limit.source:
        return Row(name, title, limit.source, f"{told} open".strip())
    value = limit.model_dump(mode="json", include={"mode", "duration", "days"}, exclude_none=True)
    return Row(name, title, source, " ".join(part for part in (told, *map(str, value.values())) if part))


def chosen(name: str, *places: Callable[[], Mapping[str, LoadedPack]]) -> LoadedPack:
    """The pack of a name: `id` (its newest version), `id@version`, `id@version#digest`, or a file.

    The first of the places that has it counts.

    Raises `DocumentError`, `OSError`, or `CannotDo` with the packs that there are.
    """
    if is_file(name):
        return load_pack(Path(name))
    known = set[str]()
    for place in places:
        packs = place()
        known.update(pack.name for pack in packs.values())
        found = [pack for ref, pack in packs.items() if name in (ref, pack.name, pack.model.id)]
        if found:
            return max(found, key=lambda pack: pack.model.version)
    raise CannotDo(f"no pack {name!r}; there are {', '.join(sorted(known))}")


def beside(name: str, folder: Path) -> Path:
    """The folder in which the cases of a pack stand: that of its file, or the policy folder."""
    return Path(name).parent if is_file(name) else folder


def is_file(name: str) -> bool:
    """Whether the name of a pack is that of a file."""
    return Path(name).suffix in (".yaml", ".yml") or Path(name).is_file()


def _places(path: Path) -> int:
    file = setup.read(path)
    places, packs = file.places(), {pack.model.id for pack in load_packs(path.parent).values()}
    try:
        placed({}, {}, places, file.directory())
    except Rejected as error:
        raise DocumentError(str(path), Fault(0, "", error.detail)) from None
    for of in file.packs:
        if of.unit not in {place.unit for place in places}:
            raise DocumentError(str(path), Fault(0, "packs", f"there is no unit {of.unit}; correct its code"))
        if of.pack not in packs:
            told = f"no pack in {path.parent} has the id {of.pack!r}; there are {', '.join(sorted(packs))}"
            raise DocumentError(str(path), Fault(0, "packs", told))
    return len(places)
