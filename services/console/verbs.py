"""One way to send a command: a page with its form, and what follows when the service takes or refuses it."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import orjson
from fastapi import Request, Response
from starlette.datastructures import FormData

from schemas.fields import instant
from services.console import forms
from services.console.access.staff import Staff
from services.console.calls import Answer, Down, Refused, parts
from services.console.forms import Choices, Control, Operation
from services.console.labels import PARTS
from services.console.matters.timeline import AT_ONCE, EXACT, is_of_system
from services.console.page import Reader, go, reader, render
from services.console.site import Site, problem_of, site_of
from services.console.words import N_
from services.kernel.core.difference import Piece, difference

LONG = 20
"""Characters from which a table shows no two values beside each other, but their difference."""
PROPOSED = "huiying.incident.proposed.v1"
"""What a command says that its words wait for approvals."""
Body = dict[str, Any]
Adapt = Callable[[Body, list[Control], Choices, Reader], tuple[Body, list[Control]]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A command that a page offers."""

    operation: Operation
    verb: str
    """Its code, by which people read its title."""
    back: str
    """The page to which the command leads, below `/console`."""
    ids: Mapping[str, str] = field(default_factory=dict)
    """The parameters of the path."""
    choices: Choices = field(default_factory=dict)
    version: str = ""
    """The revision that the page shows; empty if the record has none."""
    without: Sequence[str] = ()
    """Fields that the page does not ask for."""
    needs: Sequence[str] = ()
    """Fields that the body may leave out in general, and not on this record."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Their values."""
    present: Mapping[str, Any] = field(default_factory=dict)
    """What stands in the fields at first."""
    adapt: Adapt | None = None
    """What the page makes of the body before it is sent."""
    about: Mapping[str, Any] | None = None
    """The matter that the command is about, for the head of the page."""
    named: str = ""
    """The unit, post or statement that the command is about, for the head of the page: nearer than the matter."""
    reads: str = ""
    """The text on which the command decides, in full."""
    signs: str | None = None
    """The post whose key signs it."""
    onward: str = ""
    """The page of what the command makes, instead of `back`: `statements/{id}`, with a field of the answer."""
    saves: bool = False
    """Whether the command answers with a file, which the browser saves."""
    is_long: bool = False
    """Whether the service may need far longer for it than for other commands."""
    more: Sequence[Control] = ()
    """Further fields, of which `adapt` makes a part of the body."""
    once: str = ""
    """The page that shows the `secret` of the answer, if it has one, instead of `back`."""
    face: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Name -> title and value of what the record shows now. A field of the same name is what a person makes of it."""
    template: str = "verb.html"
    """The page of the form."""
    beside: Mapping[str, Any] = field(default_factory=dict)
    """What this page shows besides the form."""

    def controls(self, me: Staff) -> list[Control]:
        """The empty form."""
        own = forms.controls(self.operation, self.choices, me.language, without=self.without, needs=self.needs)
        return [*own, *self.more]


class Seen(NamedTuple):
    """What the record showed when somebody opened a form. The form carries it until it is sent."""

    version: str
    opened: str
    """When that was."""
    was: str
    """JSON: name -> value of `Asked.face`."""


class Change(NamedTuple):
    """What a record showed when a form was opened, what it shows now, and what the person typed."""

    title: str
    was: str
    now: str
    typed: str

    @property
    def pieces(self) -> Sequence[Piece]:
        """The difference of what it was to what it is, for what is longer than a few words."""
        return difference(self.was, self.now) if max(len(self.was), len(self.now)) > LONG else ()


class Conflict(NamedTuple):
    """What others did while a person filled in a form."""

    changes: Sequence[Change]
    acts: Sequence[Mapping[str, Any]]
    """The entries of the timeline since then, as far as audit answers."""


def operation(site: Site, service: str, path: str, method: str = "post") -> Operation:
    """The command at a path. Raises `Refused` for what no service has."""
    found = site.documents.command(service, path, method)
    if found is None:
        raise Refused(Answer(404, {}))
    return found


async def form(request: Request, me: Staff, asked: Asked) -> Response:
    """The form. Query parameters fill fields in, such as the limit that the command is about.

    `seen` is the revision of the page from which the person comes.
    """
    made = forms.filled(asked.controls(me), {**asked.present, **request.query_params})
    if (typed := site_of(request).typed(request, me.session.account.id)) is not None:
        # It is what they saw before, so a conflict is told as ever.
        seen, key = _seen(request, asked, typed), secrets.token_urlsafe(18)
        return await _page(request, asked, forms.filled(made, typed), seen, key, is_kept=True)
    # Whoever decides on what they read is told if it changed since; then sending is deliberate.
    is_same = request.query_params.get("seen", asked.version) == asked.version
    conflict = None if is_same else Conflict((), ())
    return await _page(request, asked, made, _now(request, asked), secrets.token_urlsafe(18), conflict=conflict)


async def again(request: Request, me: Staff, asked: Asked) -> Response:
    """The form once more with what was typed, and nothing sent: a look at what the command would do."""
    sent = await request.form()
    made = forms.filled(asked.controls(me), sent)
    return await _page(request, asked, made, _seen(request, asked, sent), str(sent.get("form.key", "")))


async def act(request: Request, me: Staff, asked: Asked) -> Response:
    """Sends the command. A refusal brings the form back, with what was typed and what the rule says.

    What was typed goes out with the revision that the person saw. If another person was faster, the page says so and
    shows the record as it is now; sending again is then deliberate.
    """
    sent, look = await request.form(), await reader(request)
    made = forms.filled(asked.controls(me), sent)
    body, made = forms.body(made, look.zone, look.now, look.gettext)
    if asked.adapt is not None and not any(one.fault for one in made):
        body, made = asked.adapt(body, made, asked.choices, look)
    seen, key = _seen(request, asked, sent), str(sent.get("form.key", ""))
    if any(one.fault for one in made):
        return await _page(request, asked, made, seen, key, 422)
    headers = {name: value for name, value in (("If-Match", seen.version), ("Idempotency-Key", key)) if value}
    path = asked.operation.address(**asked.ids)
    method = asked.operation.method.upper()
    try:
        sends = me.calls.save if asked.saves else partial(me.calls.send, is_long=asked.is_long)
        answer = await sends(method, path, body={**body, **asked.fixed}, headers=headers)
    except Down as down:
        # The key stays: if the service did take it, the next send does it no second time.
        return await _page(request, asked, made, seen, key, 503, told_of(down, look))
    if isinstance(answer, Response):
        return answer
    if answer.ok and asked.once and answer.body.get("secret"):
        return await render(request, asked.once, made=answer.body, back=asked.back, named=asked.named)
    if answer.ok:
        to = asked.onward.format(**answer.body) if asked.onward else asked.back
        is_proposed = any(one["type"] == PROPOSED for one in answer.body.get("events", ()))
        return go(f"{to}{'&' if '?' in to else '?'}done={asked.verb}{'&proposed=yes' if is_proposed else ''}")
    conflict = None
    if answer.status in (412, 428):
        conflict = await _conflict(me, asked, made, seen)
        seen = _now(request, asked)._replace(version=str(answer.body.get("version", asked.version)))
    told = forms.named(problem_of(answer, me, asked.choices), forms.titles_of(made), me.language)
    made = forms.faults_of(answer.body | {"detail": told}, made)
    ruled = await site_of(request).ruled(answer, me.language)
    key = secrets.token_urlsafe(18)
    return await _page(request, asked, made, seen, key, answer.status, told, conflict, ruled=ruled)


def _now(request: Request, asked: Asked) -> Seen:
    """What the record shows now."""
    was = orjson.dumps({name: value for name, (_, value) in asked.face.items()}).decode()
    return Seen(asked.version, instant(site_of(request).now()), was)


def _seen(request: Request, asked: Asked, sent: FormData) -> Seen:
    """What the record showed when this form was opened."""
    now = _now(request, asked)
    return Seen(*(str(sent.get(f"form.{name}", usual)) for name, usual in zip(Seen._fields, now, strict=True)))


async def _conflict(me: Staff, asked: Asked, made: Sequence[Control], seen: Seen) -> Conflict:
    """What changed since the form was opened."""
    try:
        was = orjson.loads(seen.was)
    except ValueError:
        was = None
    was = was if isinstance(was, dict) else {}
    typed = {one.name: _said(one) for one in made}
    changes = [
        Change(title, str(was[name]), now, typed.get(name, ""))
        for name, (title, now) in asked.face.items()
        if name in was and was[name] != now
    ]
    acts: list[Mapping[str, Any]] = []
    if asked.about is not None and EXACT.fullmatch(seen.opened):
        path = f"/audit/v1/incidents/{asked.about['id']}/timeline"
        (found,) = await parts(me.calls.get(path, newest=True, limit=AT_ONCE))
        acts = [one for one in (found.value or {"items": ()})["items"] if one["event"]["recordedtime"] > seen.opened]
    return Conflict(changes, [one for one in acts if not is_of_system(one)])


def _said(one: Control) -> str:
    """What stands in a control, with titles for codes."""
    titles = dict(one.choices)
    given = one.value if isinstance(one.value, list) else [one.value]
    return "、".join(titles.get(str(value), str(value)) for value in given if value)


def told_of(down: Down, look: Reader) -> str:
    """The sentence at a form that a service could not take now."""
    told = look.gettext(N_("%(service)s暂时不能用。填写的内容还在下面，过一会儿再提交。"))
    return told % {"service": look.gettext(PARTS[down.service])}


async def _page(
    request: Request,
    asked: Asked,
    made: Sequence[Control],
    seen: Seen,
    key: str,
    status: int = 200,
    told: str | None = None,
    conflict: Conflict | None = None,
    *,
    is_kept: bool = False,
    ruled: Mapping[str, Any] | None = None,
) -> Response:
    return await render(
        request,
        asked.template,
        status,
        signs=asked.signs,
        **asked.beside,
        **seen._asdict(),
        verb=asked.verb,
        controls=made,
        key=key,
        back=asked.back,
        one=asked.about,
        named=asked.named,
        reads=asked.reads,
        conflict=conflict,
        is_kept=is_kept,
        ruled=ruled,
        error=told,
    )
