"""A browser without script: it follows links, fills in the forms of a page and sends them, with cookies."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
from starlette.types import ASGIApp

HOME = "/console"
WHERE = "http://127.0.0.1:8400"


@dataclass
class Form:
    """A form of a page: where it goes, and what stands in its fields."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self._select, self._area = "", ""
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        one = dict(attrs)
        if tag == "form":
            self.forms.append(Form(one.get("action") or "", one.get("method") or "get"))
        elif tag == "a" and one.get("href"):
            self.links.append(str(one["href"]))
        if not self.forms:
            return
        form, name = self.forms[-1], one.get("name") or ""
        if name and tag in ("input", "select", "textarea"):
            form.names.add(name)
        if tag == "input" and name and (one.get("type") not in ("checkbox", "radio") or "checked" in one):
            form.fields.append((name, one.get("value") or ""))
        elif tag == "select":
            self._select = name
        elif tag == "option" and "selected" in one:
            form.fields.append((self._select, one.get("value") or ""))
        elif tag == "textarea":
            self._area, self._text = name, ""

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._area:
            self.forms[-1].fields.append((self._area, self._text))
            self._area = ""


class Page:
    """An answer of the console."""

    def __init__(self, answer: httpx.Response) -> None:
        self.status, self.text, self.headers = answer.status_code, answer.text, answer.headers
        self.address, self.path = str(answer.url), answer.url.raw_path.decode()
        read = _Reader()
        # A file that is offered for download is no page: its bytes are not markup.
        if "html" in self.headers.get("content-type", ""):
            read.feed(self.text)
        self.forms, self.links = read.forms, read.links

    @property
    def said(self) -> str:
        """What a person reads, without tags."""
        return " ".join(re.sub(r"<[^>]+>", " ", self.text).split())

    def form(self, action: str) -> Form:
        """The form that goes to an address."""
        return next(form for form in self.forms if form.action.removeprefix(HOME) == action)


class Browser:
    """A browser of one person.

    `site` is the console as an application, or its address. `reaching` are addresses outside the console.
    """

    def __init__(self, site: ASGIApp | str, language: str = "zh-CN", reaching: Sequence[str] = ()) -> None:
        headers = {"Sec-Fetch-Site": "same-origin", "Accept-Language": language}
        outside = {f"all://{address.partition('://')[2]}": httpx.AsyncHTTPTransport() for address in reaching}
        self.client = httpx.AsyncClient(
            transport=None if isinstance(site, str) else httpx.ASGITransport(site),
            base_url=site if isinstance(site, str) else WHERE,
            timeout=30,
            headers=headers,
            follow_redirects=True,
            mounts=outside,
        )

    async def open(self, path: str) -> Page:
        """A page below `/console`."""
        return Page(await self.client.get(HOME + path))

    async def send(self, page: Page, action: str, **typed: Any) -> Page:
        """Fills in the form that goes to `action`, and sends it. `typed` may be lists."""
        form = page.form(action)
        sent: dict[str, Any] = {name: value for name, value in form.fields if name not in typed}
        return Page(await self.client.post(form.action, data=sent | typed))

    async def upload(self, page: Page, action: str, path: Path, **typed: Any) -> Page:
        """The same with a file in the field `file`. None unticks a box."""
        form = page.form(action)
        content = await asyncio.to_thread(path.read_bytes)
        said = {name: value for name, value in (dict(form.fields) | typed).items() if value is not None}
        said.pop("file", None)
        return Page(await self.client.post(form.action, data=said, files={"file": (path.name, content)}))

    async def sign_in(self, login: str, password: str, post: str = "") -> Page:
        """Signs in, and chooses the post if the person has several."""
        page = await self.send(await self.open("/sign-in"), "/sign-in", login=login, password=password)
        return await self.send(page, "/post", post=post) if page.path.startswith(f"{HOME}/post") else page
