"""What the public addresses show, compared with what was signed and with what the probe saw before. Pure.

Each function raises `Fault` for what is wrong, and returns what is to be remembered. Whoever wrote the answer may want
to stop the probe: the work grows with the size alone, and `looking` takes every other error for a fault of the answer.
"""

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from html.parser import HTMLParser
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from schemas.fields import UUID, parse_instant
from schemas.outages import Symptom, Trouble
from services.kernel.access import notary, signing
from services.kernel.sealed.trust import SplitView, Trust
from services.kernel.tlog import Refused
from services.kernel.tlog.note import Verifier

_WRITTEN = """
html: ; lang
head: html;
meta: head; charset content name
title: head;
link: head; href hreflang rel title type
script: head; type
body: html;
header: body; class
main: body; id tabindex
footer: body;
nav: main footer; aria-label class
article: main; aria-labelledby
section: article section; class
aside: article; aria-label class
div: header article dl; class
h1: main article;
h2: article section; id
h3: section;
p: div main article section aside footer; class role
dl: article; class
dt: div;
dd: div;
ul: section; aria-label class
ol: section;
li: ul ol;
figure: li;
figcaption: figure;
a: body p h2 dd li figure nav; aria-describedby class href hreflang lang rel
img: a aside; alt class height loading src width
strong: p; class
span: p li figcaption; class
time: p dd h3 li; datetime
code: dd;
br: p;
"""
_WRITTEN_IN_FORMS = """
form: main; action aria-label class method role
details: form; class
summary: details;
div: details;
p: form; id
label: p; for
input: p; aria-describedby id maxlength name type value
select: p; id name
option: select; value
button: p;
"""
"""Only the front page has them, to narrow the list."""


def _table(*written: str) -> dict[str, tuple[set[str], set[str]]]:
    """Element -> those that it stands in, and the attributes that it has."""
    made: dict[str, tuple[set[str], set[str]]] = {}
    for line in "".join(written).split("\n"):
        if line:
            element, _, told = line.partition(":")
            for known, more in zip(made.setdefault(element, (set(), set())), told.split(";"), strict=True):
                known.update(more.split())
    return made


OF_PAGES, OF_THE_FRONT = _table(_WRITTEN), _table(_WRITTEN, _WRITTEN_IN_FORMS)
"""All that pages of the bulletin write. What stands elsewhere, a browser may place as it likes."""
CLASSES = {
    "a": {"home", "language", "skip"},
    "aside": {"code"},
    "details": {"wide"},
    "div": {"text", "text void"},
    "dl": {"meta"},
    "form": {"filter"},
    "header": {"top"},
    "img": {"logo"},
    "nav": {"feeds", "pages"},
    "p": {
        "hint", "lead", "leads", "marks", "notice corrected", "notice follow", "notice withdrawn", "printed", "reason",
        "when", "why", "why reason", "wide", "wide act", "wide hint",
    },
    "section": {"earlier", "history", "notice corrected", "notice withdrawn", "text", "text void"},
    "span": {"hint", "printed"},
    "strong": {"mark corrected", "mark follow", "mark withdrawn"},
    "ul": {"files"},
}  # fmt: skip
"""The looks that they have."""
UNSEEN = frozenset({"printed", "skip"})
"""The looks that a reader does not see on a screen."""
IN_TEXTS = frozenset({"", "files", "hint", "why", "why reason"})
"""The looks within a text."""
RELATIONS = {"link": {"alternate", "canonical", "icon", "stylesheet"}, "a": {"next"}}
VOID = frozenset({"br", "img", "input", "link", "meta"})
DEEPEST = 50
"""The most elements that are open at once. Pages of the bulletin have a dozen."""
_VALUE = r"""(?:"[^"<]*+"|'[^'<]*+'|[^\s"'<>=`]++)"""
_TAG = re.compile(
    rf"""<(?:!doctype html|/?[a-z][a-z0-9]*+(?:\s++[^\s"'<>/=]++(?:\s*+=\s*+{_VALUE})?+)*+\s*+/?)>""", re.IGNORECASE
)
"""Each < of the bulletin begins one of these; in texts and values it is written &lt;."""
HEADINGS = {"published": "正文", "corrected": "现行文本", "withdrawn": "撤回前的文本"}
"""The heading of the text that holds, or held last, of a statement in each state."""
_is_earlier = re.compile(r"[0-9]+年[0-9]+月[0-9]+日[0-9]{2}:[0-9]{2}(?:发布|更正)").fullmatch
"""The heading of an earlier text."""
_SIZE = re.compile(r"(?:PDF|[A-Z]{3,4})[0-9.]+[KM]B$")
"""What stands behind the title of a file."""
_is_statement = re.compile(f"statement-{UUID}").fullmatch


class Fault(Exception):
    """Something is not as it should be. The sentence is for the probe's own log, which shows no control character."""

    def __init__(self, trouble: Trouble, symptom: Symptom, sentence: str, status: int | None = None) -> None:
        super().__init__(printable(sentence))
        self.trouble, self.symptom, self.status = trouble, symptom, status


def altered(symptom: Symptom, sentence: str) -> Fault:
    """A fault of an address that answers."""
    return Fault("altered", symptom, sentence)


def printable(text: str) -> str:
    """The beginning of a text that somebody else wrote, fit for a log and a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text[:300])


class Entry(NamedTuple):
    """A statement as the feed shows it."""

    statement: str
    modified: str
    shown: "Page"
    files: tuple[str, ...] = ()
    """The addresses of its files."""


class Signed(NamedTuple):
    """A statement as it was signed."""

    title: str
    heading: str
    """Of the text that holds."""
    texts: tuple[str, ...]
    """The text that holds, then the earlier ones, the latest first."""
    titles: tuple[str, ...]
    """Of all releases."""
    reasons: tuple[str, ...]
    names: tuple[str, ...]
    """The titles of all files, also earlier ones."""
    digests: tuple[str, ...]
    files: tuple[str, ...]
    """The digests of the files that hold."""
    changed_at: str
    """When the last release was made, as an instant."""


def public_keys(body: bytes, known: Mapping[str, Ed25519PublicKey]) -> dict[str, Ed25519PublicKey]:
    """The known keys that were not revoked. Without any known one, those that are shown."""
    try:
        text = body.decode()
        shown, told = signing.believed(text, "the page of keys"), json.loads(text)
        revoked = {one["kid"] for one in told["revoked"]}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise altered("changed", f"this is no list of public keys: {error}") from None
    if not known:
        return dict(shown)
    if unknown := sorted(shown.keys() - known.keys()):
        raise altered("wrong_signature", f"the key {unknown[0]} is none of those that the probe knows")
    return {kid: key for kid, key in known.items() if kid not in revoked}


def feed(body: bytes, modified: Mapping[str, str], home: str) -> list[Entry]:
    """The newest statements.

    `modified` are those seen before, with the time of the last change that was signed; `home` is the public address.
    """
    try:
        told = json.loads(body)
        found = [
            Entry(
                "statement-" + item["id"].removeprefix("urn:uuid:"),
                item["date_modified"],
                page(item["content_html"], home, is_part=True),
                tuple(one["url"] for one in item["attachments"]),
            )
            for item in told["items"]
        ]
        times = [parse_instant(entry.modified) for entry in found]
        is_whole = "next_url" not in told
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise altered("changed", f"this is no feed of the bulletin: {error}") from None
    if not all(_is_statement(entry.statement) for entry in found):
        raise altered("changed", "the feed has an id that no statement has")
    newest = max((parse_instant(at) for at in modified.values()), default=None)
    if newest is not None and (not times or max(times) < newest):
        raise altered("older", "the feed ends before a change that was shown already")
    for entry, at in zip(found, times, strict=True):
        if entry.statement in modified and at < parse_instant(modified[entry.statement]):
            raise altered("older", f"the feed shows {entry.statement} as it was before its last change")
    shown = {entry.statement for entry in found}
    last = min(times, default=None)
    for statement, at_text in modified.items():
        if statement not in shown and (is_whole or (last is not None and parse_instant(at_text) > last)):
            raise altered("missing", f"{statement} is not in the feed any more")
    return found


def manifest(body: bytes, statement: str, keys: Mapping[str, Ed25519PublicKey], digests: Sequence[str]) -> Signed:
    """A statement as it was signed. `digests` are those of the releases that were seen before."""
    try:
        proven = notary.proven(body, keys)
    except notary.NotSigned as error:
        raise altered("wrong_signature", str(error)) from None
    if proven.state["statement"] != statement:
        raise altered("changed", f"the file is of {proven.state['statement']}")
    now = proven.state["digests"]
    if now[: len(digests)] != list(digests):
        is_older = list(digests)[: len(now)] == now
        raise altered("older" if is_older else "changed", "a release that was seen before is not in the file")
    contents = [release["content"] for release in json.loads(body)["releases"]]
    texts = [content for content in contents if content["text"] is not None]
    return Signed(
        texts[-1]["title"],
        HEADINGS[proven.state["state"]],
        tuple(content["text"] for content in reversed(texts)),
        tuple(content["title"] for content in texts),
        tuple(content["reason"] for content in contents if content["reason"]),
        tuple(one["title"] for content in contents for one in content["attachments"]),
        tuple(now),
        tuple(one["sha256"] for one in contents[-1]["attachments"]),
        proven.state["changed_at"],
    )


def statement_page(body: bytes, signed: Signed, home: str) -> str:
    """The page of a statement shows title, texts, reasons and files as signed. Returns the style sheet's address."""
    shown = page(_text(body), home)
    if shown.title != _normal(signed.title):
        raise altered("changed", "the page has another title than was signed")
    must_show(shown, signed)
    data = shown.linked
    if _normal(str(data.get("articleBody", data.get("text")))) != _normal(signed.texts[0]):
        raise altered("changed", "the data for search engines have another text than was signed")
    if _normal(str(data.get("headline", data.get("name")))) != shown.title:
        raise altered("changed", "the data for search engines have another title than was signed")
    return shown.sheet


def must_be_as_signed(entry: Entry, signed: Signed) -> None:
    """The entry of the feed shows exactly what was signed, and when."""
    must_show(entry.shown, signed)
    if parse_instant(entry.modified) != parse_instant(signed.changed_at):
        raise altered("changed", "the feed shows another time of the last change than was signed")


def must_show(shown: "Page", signed: Signed) -> None:
    """The texts of a page or of an entry of the feed are those that were signed, in their order, and nothing else.

    Also what stands between their lines is signed, or one of the headings.
    """
    if shown.texts != tuple(map(_lines, signed.texts)):
        raise altered("changed", "a text is not the one that was signed")
    known = {_normal(f"标题：{title}") for title in signed.titles} | {
        _normal(f"更正理由：{one}") for one in signed.reasons
    }
    names = {_normal(name) for name in signed.names}
    for number, beside in enumerate(shown.beside):
        heading, others = "".join(beside[:1]), beside[1:]
        if not (_is_earlier(heading) if number else heading == signed.heading):
            raise altered("changed", "a text has another heading than it should")
        if not all(other in known or other in names or _SIZE.sub("", other) in names for other in others):
            raise altered("changed", "between the lines of a text is something that was not signed")
    if any(_normal(reason) not in shown.everything for reason in signed.reasons):
        raise altered("changed", "the reason of a release is not shown")


def front_page(body: bytes, entries: Sequence[Entry] | None, signed: Mapping[str, Signed], home: str) -> str:
    """The front page lists the newest statements of a feed, in its order, and shows signed titles and texts.

    `entries` is None if the feed was bad in this round: what is wrong there is no fault of the front page. Returns the
    address of the style sheet.
    """
    shown = page(_text(body), home, forms=True)
    listed = list(shown.headings)
    if entries is not None and listed != [entry.statement for entry in entries[: max(len(listed), 1)]]:
        raise altered("changed", "the front page lists other statements than the feed")
    if shown.beside != ((),) * len(listed):
        raise altered("changed", "the front page has not one text for each title, or something beside its lines")
    for (statement, title), text in zip(shown.headings.items(), shown.texts, strict=True):
        if statement not in signed:
            continue
        if title != _normal(signed[statement].title):
            raise altered("changed", f"the front page shows {statement} under another title than was signed")
        whole = signed[statement].texts[0]
        if text not in (_lines(whole), (_normal(f"{whole[:300]}……"), "阅读全文")):
            raise altered("changed", f"the front page shows another text of {statement} than was signed")
    return shown.sheet


def style_sheet(body: bytes, address: str) -> None:
    """The style sheet is the one that a page names by its digest."""
    if hashlib.sha256(body).hexdigest()[:32] != address.rpartition("?")[2]:
        raise altered("changed", "the style sheet is not the one that the page names")


def checkpoint(note: bytes, keys: Collection[Verifier], before: bytes | None) -> tuple[int, int] | None:
    """Judges a checkpoint by the log's keys and the one that was seen before.

    Returns the sizes between which a proof is needed; None if they are the same.
    """
    try:
        trust = Trust(tuple(keys))
        found = trust.open(note)
    except Refused as refused:
        raise altered("wrong_signature", str(refused)) from None
    if before is None:
        return None
    old = trust.open(before).size
    if found.size < old:
        raise altered("older", f"the log shows {found.size} events, and had {old}")
    if found.size > old:
        return old, found.size
    _joined(keys, note, before, ())
    return None


def consistent(note: bytes, keys: Collection[Verifier], before: bytes, proof: bytes) -> None:
    """The log of a checkpoint begins with that of the one seen before."""
    _joined(keys, note, before, (proof,))


def _joined(keys: Collection[Verifier], note: bytes, before: bytes, proofs: Sequence[bytes]) -> None:
    trust = Trust(tuple(keys))
    try:
        trust.see(before)
        trust.must_include_seen(trust.open(note), proofs)
    except SplitView as split:
        raise altered("forked", str(split)) from None
    except Refused as refused:
        raise altered("forked", str(refused)) from None


class Page(HTMLParser):
    """What a reader sees of a page of the bulletin, without white space. Raises `Fault` for what it never writes."""

    def __init__(self, home: str, *, forms: bool, is_part: bool) -> None:
        super().__init__()
        parts = urlsplit(home)
        origin, path = f"{parts.scheme}://{parts.netloc}", parts.path
        self._is_ours = re.compile(rf"#main|(?:{re.escape(origin)})?/(?!/)[^\s\\\x00-\x20\x7f]*").fullmatch
        self._is_sheet = re.compile(rf"{re.escape(path)}bulletin/style\.css\?[0-9a-f]{{32}}").fullmatch
        self._table = OF_THE_FRONT if forms else OF_PAGES
        self._is_part, self._around = is_part, [] if is_part else ["html", "body", "main", "article"]
        self.sheet = ""
        self._open: list[tuple[str, str]] = []
        """The elements that are open, with their classes."""
        self._text: list[str] = []
        self._title: list[str] = []
        self._texts: list[list[list[str]]] = []
        self._beside: list[list[list[str]]] = []
        self._linked: list[list[str]] = []
        self._headings: dict[str, list[str]] = {}
        self._heading = ""

    @property
    def title(self) -> str:
        """The heading of the page."""
        return _normal("".join(self._title))

    @property
    def headings(self) -> dict[str, str]:
        """Of a list: statement -> title."""
        return {statement: _normal("".join(parts)) for statement, parts in self._headings.items()}

    @property
    def texts(self) -> tuple[tuple[str, ...], ...]:
        """The lines of each text of a statement."""
        return tuple(_joined_lines(lines) for lines in self._texts)

    @property
    def beside(self) -> tuple[tuple[str, ...], ...]:
        """What stands within each text beside its lines: the heading, reasons, files."""
        return tuple(_joined_lines(others) for others in self._beside)

    @property
    def everything(self) -> str:
        """All text that a reader sees."""
        return _normal("".join(self._text))

    @property
    def linked(self) -> dict[str, Any]:
        """The data for search engines."""
        try:
            (found,) = ["".join(parts) for parts in self._linked]
            told = json.loads(found)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise altered("changed", "the data for search engines are not as the bulletin writes them")
        return told

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes an element."""
        told = {name: value or "" for name, value in attrs}
        look = told.get("class", "")
        self._must_be_written(tag, told, attrs)
        if "text" in look.split():
            if [name for name, _ in self._open if name != "section"] != self._around or any(
                kind not in ("", "earlier") for _, kind in self._open
            ):
                raise altered("changed", "a text is not where the bulletin shows it")
            self._texts.append([])
            self._beside.append([])
        elif self._in_text():
            if look not in IN_TEXTS:
                raise altered("changed", f"within a text is {tag} {look}")
            if tag in ("h2", "h3", "li") or (tag == "p" and look):
                self._beside[-1].append([])
            elif tag == "p":
                self._texts[-1].append([])
        if tag == "script":
            self._linked.append([])
        if tag == "h2" and "id" in told:
            self._heading = told["id"]
            if not _is_statement(self._heading) or self._heading in self._headings:
                raise altered("changed", "a heading is of no statement, or of one that has another")
            self._headings[self._heading] = []
        if tag not in VOID:
            self._open.append((tag, look))
            if len(self._open) > DEEPEST:
                raise altered("changed", f"the page has more than {DEEPEST} elements within each other")

    def _must_be_written(self, tag: str, told: Mapping[str, str], attrs: Sequence[Any]) -> None:
        """Whether the bulletin writes such an element at this place."""
        if tag not in self._table:
            raise altered("foreign", f"the page has {tag}")
        parents, known = self._table[tag]
        if unknown := sorted(told.keys() - known):
            raise altered("foreign", f"the page has {tag} {unknown[0]}")
        if "class" in told and told["class"] not in CLASSES.get(tag, ()):
            raise altered("foreign", f"the page has {tag} class={told['class']}")
        if len(told) != len(attrs):
            raise altered("changed", f"an attribute of {tag} is written twice")
        parent = self._open[-1][0] if self._open else ""
        if parent not in (parents or {""}) and not (self._is_part and not parent and tag in ("p", "section")):
            raise altered("changed", f"{tag} stands in {parent or 'nothing'}")
        for address in (told[name] for name in ("action", "href", "src") if name in told):
            if not self._is_ours(address):
                raise altered("foreign", f"the page leads to {address}")
        if "rel" in told and told["rel"] not in RELATIONS[tag]:
            raise altered("foreign", f"the page has {tag} rel={told['rel']}")
        if told.get("rel") == "stylesheet":
            if self.sheet or not self._is_sheet(told.get("href", "")):
                raise altered("foreign", "the page has another style sheet")
            self.sheet = told["href"]
        if tag == "script" and told.get("type") != "application/ld+json":
            raise altered("foreign", "the page has a script")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """No page has one: browsers take it for a start alone."""
        raise altered("changed", f"{tag} ends where it begins")

    def handle_endtag(self, tag: str) -> None:
        """Closes the innermost element."""
        if not self._open or self._open.pop()[0] != tag:
            raise altered("changed", f"{tag} ends where it is not the innermost element")
        if tag == "h2":
            self._heading = ""

    def handle_data(self, data: str) -> None:
        """Notes text."""
        tags, looks = [tag for tag, _ in self._open], [look for _, look in self._open]
        if "script" in tags:
            self._linked[-1].append(data)
            return
        if "title" not in tags and not UNSEEN.intersection(looks):
            self._text.append(data)
        if "h1" in tags:
            self._title.append(data)
        if self._heading:
            self._headings[self._heading].append(data)
        if not self._in_text() or not data.strip():
            return
        inner = [(tag, look) for tag, look in self._open if tag in ("h2", "h3", "li", "p")]
        if not inner:
            self._texts[-1].append([data])
        elif inner[-1] == ("p", ""):
            self._texts[-1][-1].append(data)
        else:
            self._beside[-1][-1].append(data)

    def _in_text(self) -> bool:
        return any(look in ("text", "text void") for _, look in self._open)

    def close(self) -> None:
        """The end of the page."""
        super().close()
        if self._open:
            raise altered("changed", f"{self._open[-1][0]} does not end")
        if not self._is_part and not self.sheet:
            raise altered("changed", "the page has no style sheet")


def page(text: str, home: str, *, forms: bool = False, is_part: bool = False) -> Page:
    """What a page below a public address shows, or a part of one.

    Raises `Fault` if it has anything that the bulletin does not write, or that readers may take differently.
    """
    if "<" in _TAG.sub("", text):
        raise altered("changed", "the page has a tag in a form that the bulletin does not write")
    found = Page(home, forms=forms, is_part=is_part)
    found.feed(text)
    found.close()
    return found


def _joined_lines(lines: Sequence[Sequence[str]]) -> tuple[str, ...]:
    return tuple(line for line in (_normal("".join(parts)) for parts in lines) if line)


def _lines(text: str) -> tuple[str, ...]:
    return _joined_lines([[line] for line in text.splitlines()])


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise altered("changed", "the page is no UTF-8") from None


def _normal(text: str) -> str:
    return "".join(text.split())
