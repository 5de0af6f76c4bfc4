"""One way to send a command: a page with its form, and what follows when the service takes or refuses it."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request, Response

from services.console import forms
from services.console.calls import Answer, Down, Refused
from services.console.forms import Choices, Control, Operation
from services.console.labels import PARTS
from services.console.page import Reader, go, reader, render
from services.console.site import Site, problem_of
from services.console.staff import Staff
from services.console.words import N_

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
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Their values."""
    present: Mapping[str, Any] = field(default_factory=dict)
    """What stands in the fields at first."""
    adapt: Adapt | None = None
    """What the page makes of the body before it is sent."""
    about: Mapping[str, Any] | None = None
    """The matter that the command is about, for the head of the page."""


def operation(site: Site, service: str, path: str, method: str = "post") -> Operation:
    """The command at a path. Raises `Refused` for what no service has."""
    found = site.documents.command(service, path, method)
    if found is None:
        raise Refused(Answer(404, {}))
    return found


async def form(request: Request, me: Staff, asked: Asked) -> Response:
    """The form. Query parameters fill fields in, such as the limit that the command is about."""
    made = forms.controls(asked.operation, asked.choices, me.language, without=asked.without)
    made = forms.filled(made, {**asked.present, **request.query_params})
    return await _page(request, asked, made, asked.version, secrets.token_urlsafe(18))


async def act(request: Request, me: Staff, asked: Asked) -> Response:
    """Sends the command. A refusal brings the form back, with what was typed and what the rule says.

    What was typed goes out with the revision that the person saw. If another person was faster, the page says so and
    shows the record as it is now; sending again is then deliberate.
    """
    sent, look = await request.form(), await reader(request)
    made = forms.filled(forms.controls(asked.operation, asked.choices, me.language, without=asked.without), sent)
    body, made = forms.body(made, look.zone, look.now, look.gettext)
    if asked.adapt is not None and not any(one.fault for one in made):
        body, made = asked.adapt(body, made, asked.choices, look)
    version, key = str(sent.get("version", "")), str(sent.get("key", ""))
    if any(one.fault for one in made):
        return await _page(request, asked, made, version, key, 422)
    headers = {name: value for name, value in (("If-Match", version), ("Idempotency-Key", key)) if value}
    path = asked.operation.address(**asked.ids)
    method = asked.operation.method.upper()
    try:
        answer = await me.calls.send(method, path, body={**body, **asked.fixed}, headers=headers)
    except Down as down:
        # The key stays: if the service did take it, the next send does it no second time.
        return await _page(request, asked, made, version, key, 503, told_of(down, look))
    if answer.ok:
        joint = "&" if "?" in asked.back else "?"
        return go(f"{asked.back}{joint}done={asked.verb}")
    if answer.status == 412:
        version = str(answer.body.get("version", asked.version))
    told = problem_of(answer, me)
    made = forms.faults_of(answer.body | {"detail": told}, made)
    return await _page(request, asked, made, version, secrets.token_urlsafe(18), answer.status, told)


def told_of(down: Down, look: Reader) -> str:
    """The sentence at a form that a service could not take now."""
    told = look.gettext(N_("%(service)s暂时不能用。填写的内容还在下面，过一会儿再提交。"))
    return told % {"service": look.gettext(PARTS[down.service])}


async def _page(
    request: Request,
    asked: Asked,
    made: Sequence[Control],
    version: str,
    key: str,
    status: int = 200,
    told: str | None = None,
) -> Response:
    return await render(
        request,
        "verb.html",
        status,
        verb=asked.verb,
        controls=made,
        version=version,
        key=key,
        back=asked.back,
        one=asked.about,
        is_stale=status == 412,
        error=told,
    )
