"""What the public addresses show, compared with what was signed and with what the probe saw before. Pure.

Each function raises `Fault` for what is wrong, and returns what is to be remembered. Whoever wrote the answer may want
to stop the probe: the work grows with the size alone, and `looking` takes every other error for a fault of the answer.
"""

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

NEVER_SHOWN = frozenset({"applet", "base", "embed", "frame", "iframe", "object", "portal", "style", "video", "audio"})
"""Elements that no page of the bulletin has."""
OF_FORMS = frozenset({"button", "form", "input", "textarea", "select"})
"""Elements that only the front page has, to narrow the list."""
DEEPEST = 50
"""The most elements that are open at once. Pages of the bulletin have a dozen."""
_VALUE = r"""(?:"[^"<]*+"|'[^'<]*+'|[^\s"'<>=`]++)"""
_TAG = re.compile(
    rf"""<(?:!doctype html|/?[a-z][a-z0-9]*+(?:\s++[^\s"'<>/=]++(?:\s*+=\s*+{_VALUE})?+)*+\s*+/?)>""", re.IGNORECASE
)
"""Each < of the bulletin begins one of these; in texts and values it is written &lt;."""
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
    lines: tuple[str, ...]
    """Its texts, as `Page.lines`."""
    files: tuple[str, ...] = ()
    """The addresses of its files."""


class Signed(NamedTuple):
    """A statement as it was signed."""

    title: str
    texts: tuple[str, ...]
    """The text that holds, then the earlier ones, the latest first."""
    reasons: tuple[str, ...]
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


def feed(body: bytes, modified: Mapping[str, str]) -> list[Entry]:
    """The newest statements. `modified` are those seen before, with the time of the last change that was signed."""
    try:
        told = json.loads(body)
        found = [
            Entry(
                "statement-" + item["id"].removeprefix("urn:uuid:"),
                item["date_modified"],
                page(item["content_html"]).lines,
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
        tuple(content["text"] for content in reversed(texts)),
        tuple(content["reason"] for content in contents if content["reason"]),
        tuple(now),
        tuple(one["sha256"] for one in contents[-1]["attachments"]),
        proven.state["changed_at"],
    )


def statement_page(body: bytes, signed: Signed, host: str) -> None:
    """The page of a statement shows exactly what was signed."""
    shown = page(_text(body))
    must_be_ours(shown, host, forms=False)
    if shown.title != _normal(signed.title):
        raise altered("changed", "the page has another title than was signed")
    must_show(shown.lines, signed)
    for reason in signed.reasons:
        if _normal(reason) not in shown.everything:
            raise altered("changed", "the page lacks the reason of a release")
    for data in shown.linked:
        text = data.get("articleBody", data.get("text"))
        if text is not None and _normal(str(text)) != _normal(signed.texts[0]):
            raise altered("changed", "the data for search engines have another text than was signed")


def must_be_as_signed(entry: Entry, signed: Signed) -> None:
    """The entry of the feed shows exactly what was signed, and when."""
    must_show(entry.lines, signed)
    if parse_instant(entry.modified) != parse_instant(signed.changed_at):
        raise altered("changed", "the feed shows another time of the last change than was signed")


def must_show(lines: Sequence[str], signed: Signed) -> None:
    """The texts of a page or of an entry of the feed are those that were signed, in their order, and nothing else."""
    wanted = [_normal(line) for text in signed.texts for line in text.splitlines() if line.strip()]
    if list(lines) != wanted:
        raise altered("changed", "a text is not the one that was signed")


def front_page(body: bytes, entries: Sequence[Entry] | None, signed: Mapping[str, Signed], host: str) -> None:
    """The front page lists the newest statements of a feed, in its order, and shows signed titles.

    `entries` is None if the feed was bad in this round: what is wrong there is no fault of the front page.
    """
    shown = page(_text(body))
    must_be_ours(shown, host, forms=True)
    listed = list(shown.headings)
    if entries is not None and listed != [entry.statement for entry in entries[: max(len(listed), 1)]]:
        raise altered("changed", "the front page lists other statements than the feed")
    for statement, title in shown.headings.items():
        if statement in signed and title != _normal(signed[statement].title):
            raise altered("changed", f"the front page shows {statement} under another title than was signed")


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


def must_be_ours(shown: "Page", host: str, *, forms: bool) -> None:
    """The page has no element, handler or address that pages of the bulletin never have."""
    elements = set(shown.elements) & (NEVER_SHOWN if forms else NEVER_SHOWN | OF_FORMS)
    if elements or shown.scripts:
        raise altered("foreign", f"the page has {', '.join(sorted(elements) or ['a script'])}")
    for address in shown.addresses:
        parts = urlsplit(address)
        if (parts.scheme or parts.netloc) and (parts.scheme not in ("http", "https", "") or parts.netloc != host):
            raise altered("foreign", f"the page leads to {parts.scheme}://{parts.netloc}")


class Page(HTMLParser):
    """What a reader sees of a page of the bulletin, without white space."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.addresses: list[str] = []
        self.scripts = 0
        """Scripts, and what else runs or leads away by itself."""
        self._open: list[tuple[str, str]] = []
        self._text: list[str] = []
        self._title: list[str] = []
        self._lines: list[list[str]] = []
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
    def lines(self) -> tuple[str, ...]:
        """The lines of the texts of a statement."""
        return tuple(line for line in (_normal("".join(parts)) for parts in self._lines) if line)

    @property
    def everything(self) -> str:
        """All text."""
        return _normal("".join(self._text))

    @property
    def linked(self) -> list[dict[str, Any]]:
        """The data for search engines."""
        try:
            found = [json.loads("".join(parts)) for parts in self._linked]
        except ValueError:
            raise altered("changed", "the data for search engines are no JSON") from None
        return [data for data in found if isinstance(data, dict)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes an element."""
        told = {name: value or "" for name, value in attrs}
        self.elements.append(tag)
        self.addresses += [
            told[name].strip() for name in ("href", "src", "action", "formaction", "srcset") if name in told
        ]
        runs = any(name.startswith("on") or name in ("style", "srcdoc", "http-equiv") for name in told)
        if runs or (tag == "script" and told.get("type") != "application/ld+json"):
            self.scripts += 1
        if tag == "script":
            self._linked.append([])
        classes = told.get("class", "").split()
        if tag == "p" and self._in_text() and "why" not in classes:
            self._lines.append([])
        if tag == "h2" and told.get("id", "").startswith("statement-"):
            self._heading = told["id"]
            self._headings[self._heading] = []
        if tag not in ("area", "br", "hr", "img", "input", "link", "meta", "wbr"):
            is_line = tag == "p" and self._in_text() and "why" not in classes
            kind = "text" if tag in ("section", "div") and "text" in classes else "line" if is_line else ""
            self._open.append((tag, kind))
            if len(self._open) > DEEPEST:
                raise altered("changed", f"the page has more than {DEEPEST} elements within each other")

    def handle_endtag(self, tag: str) -> None:
        """Closes the newest element of this name."""
        for index in range(len(self._open) - 1, -1, -1):
            if self._open[index][0] == tag:
                del self._open[index:]
                break
        if tag == "h2":
            self._heading = ""

    def handle_data(self, data: str) -> None:
        """Notes text."""
        tags = [tag for tag, _ in self._open]
        if "script" in tags:
            self._linked[-1].append(data)
            return
        self._text.append(data)
        if "h1" in tags:
            self._title.append(data)
        if self._heading:
            self._headings[self._heading].append(data)
        kinds = [kind for _, kind in self._open]
        if "line" in kinds:
            self._lines[-1].append(data)
        elif self._in_text() and data.strip() and not {"h2", "h3", "ul", "p"} & set(tags[kinds.index("text") :]):
            self._lines.append([data])

    def _in_text(self) -> bool:
        return any(kind == "text" for _, kind in self._open)


def page(text: str) -> Page:
    """What a page shows. Raises `Fault` if it has tags that readers may take differently: the bulletin has none."""
    if "<" in _TAG.sub("", text):
        raise altered("changed", "the page has a tag in a form that the bulletin does not write")
    found = Page()
    found.feed(text)
    found.close()
    return found


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise altered("changed", "the page is no UTF-8") from None


def _normal(text: str) -> str:
    return "".join(text.split())
