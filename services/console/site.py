"""The console of a deployment: what all pages share, and who is signed in."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import httpx
import structlog
from fastapi import Depends, Request, Response
from pydantic import AfterValidator
from starlette.datastructures import FormData

from schemas.titles import Language
from services.console.access.accounts import Accounts
from services.console.access.claims import wanted
from services.console.access.handshakes import Handshakes
from services.console.access.provider import Provider
from services.console.access.sessions import Session, Sessions, digest
from services.console.access.staff import Offices, Staff, token
from services.console.calls import Answer, Calls, Down, Refused, part_of_path
from services.console.forms import Documents
from services.console.labels import FIELDS
from services.console.packs.drafts import Drafts
from services.console.words import N_, translations
from services.console.worklist.following import Followers
from services.kernel.access import signing
from services.kernel.access.keys import Keys
from services.kernel.access.signing import SigningKey
from services.kernel.rules import pack_words
from services.kernel.rules.documents import DocumentError
from services.kernel.serving.problems import language_of
from services.kernel.settings import Settings
from services.kernel.store.database import Database

HOME = "/console"
"""The path of the console."""
FRESH = 30.0
"""Seconds for which the offices and packs of a page may be old."""
FORMS = (
    "/incidents/",
    "/statements/",
    "/findings/",
    "/record/inspections/",
    "/record/referrals/",
    "/record/drills/",
    "/record/trainings/",
    "/record/matters/",
    "/roster",
    "/reports/new",
    "/paper/enter",
    "/periods/",
    "/packs/",
    "/setup/pack/",
    "/subscriptions/",
    "/forms/",
)
"""Pages whose typed words outlast a session and a service that is down. No password is among them."""
NO_FORM = "/preview"
"""The end of an address that takes a form of another page."""
logger = structlog.get_logger()
TYPED = 3600.0
"""Seconds for which they do."""
MOST_TYPED = 200
"""Forms that are kept at the same time."""
LONGEST_TYPED = 120_000
"""Characters of a form that is kept. The longest text of a statement has fewer."""
PAUSE = 5.0
"""Seconds for which pages show what is known, after triage did not answer."""
KEPT = 240.0
"""Seconds for which a token is used again. It is believed a minute longer."""
CHOICES = {"submitted": "level", "previous": "level", "levels": "level", "clock": "clocks", "missing": "key"}
"""Member of a refusal -> the choices to which its codes belong, if they have another name."""
ZONE = "Asia/Shanghai"
"""The time zone where no pack names one."""


class SignedOut(Exception):
    """Nobody is signed in, or a further step is missing. `to` is the page that goes on."""

    def __init__(self, to: str) -> None:
        super().__init__(to)
        self.to = to


class Site:
    """The console: its accounts and sessions, and the services behind it."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        secret: bytes,
        clients: Mapping[str, httpx.AsyncClient],
        now: Callable[[], datetime],
    ) -> None:
        self.settings, self.database, self.clients, self.now = settings, database, clients, now
        self.keys = Keys(secret)
        self.accounts, self.sessions = Accounts(database, self.keys), Sessions(database)
        self.handshakes = Handshakes(database)
        self.drafts = Drafts(database)
        self.provider = Provider(settings, wanted(settings)) if settings.oidc_issuer else None
        self.documents = Documents()
        self.followers = Followers()
        self._offices = Offices()
        self._packs: list[dict[str, Any]] = []
        self._said: dict[str, list[dict[str, Any]]] = {}
        """Language -> the packs in it."""
        self._rules: dict[str, dict[str, dict[str, Any]]] = {}
        self._typed: dict[tuple[str, str], tuple[FormData, float]] = {}
        self._asked = -FRESH
        self.on_duty: dict[str, tuple[Any, float]] = {}
        """Post -> who is on duty in its unit, and until when that is believed."""
        self._tokens: dict[tuple[str, str], tuple[str, float]] = {}
        self._signing: tuple[tuple[int, int], SigningKey] | None = None
        """The key that signed them, and by what its file is told from another one."""

    async def keep(self, request: Request) -> bool:
        """Keeps what somebody typed and could not send, in memory and for their own account alone.

        Their session ended meanwhile, or a service is down. Returns whether it is kept.
        """
        path, told = request.scope["path"].removeprefix(HOME), request.cookies.get(self.cookie)
        if not path.startswith(FORMS) or path.endswith(NO_FORM) or not told:
            return False
        if (owner := await self.sessions.owner(told)) is None:
            return False
        form = await request.form()
        typed: list[tuple[str, Any]] = [
            (name, text) for name, text in form.multi_items() if isinstance(text, str) and name != "csrf"
        ]
        # One form for each person, and none that nobody would type again: nobody takes the room of others.
        since = time.monotonic() - TYPED
        self._typed = {(of, at): one for (of, at), one in self._typed.items() if of != owner and one[1] > since}
        if len(self._typed) >= MOST_TYPED or sum(len(text) for _, text in typed) > LONGEST_TYPED:
            return False
        self._typed[owner, here(request)] = FormData(typed), time.monotonic()
        return True

    def typed(self, request: Request, account: str) -> FormData | None:
        """What this person had typed in the form of a page and could not send. It is given once."""
        found = self._typed.pop((account, here(request)), None)
        return found[0] if found and found[1] > time.monotonic() - TYPED else None

    @property
    def is_secure(self) -> bool:
        """Whether the public reaches the console over HTTPS. Cookies are then sent over it alone."""
        return self.settings.public_url.startswith("https://")

    @property
    def cookie(self) -> str:
        """The name of the session's cookie."""
        return "__Host-huiying" if self.is_secure else "huiying"

    @property
    def browser_cookie(self) -> str:
        """The name of the cookie of a browser that signs in at the provider."""
        return f"{self.cookie}-browser"

    def set_cookie(self, answer: Response, name: str, value: str, lasts: int | None = None) -> None:
        """A cookie that no script reads; for `lasts` seconds, or until the browser ends."""
        path = "/" if self.is_secure else HOME
        answer.set_cookie(name, value, lasts, httponly=True, samesite="lax", secure=self.is_secure, path=path)

    def subject(self, claim: str, value: str) -> str:
        """The digest under which a person of the provider is known here."""
        return self.keys.digest("provider", self.settings.oidc_issuer, claim, value)

    def provider_session(self, sid: str) -> str:
        """The digest under which a session of the provider is known here."""
        return self.keys.digest("provider-session", self.settings.oidc_issuer, sid)

    def first_code(self) -> str | None:
        """The code with which the first account is made: who can read the deployment's secret knows it.

        None where there are no local accounts.
        """
        if not self.settings.local_accounts:
            return None
        found = self.keys.digest("set-up", self.settings.deployment)[:16]
        return "-".join(found[at : at + 4] for at in range(0, 16, 4))

    def csrf(self, session: str) -> str:
        """The word that a form of this session carries. `session` is the session's digest."""
        return self.keys.digest("form", session)

    def token(self, account: str, post: str) -> str:
        """A token for a post, made anew before it ends, and as soon as another key signs."""
        signs, key, now = self._signing_key(), (account, post), time.monotonic()
        if key not in self._tokens or self._tokens[key][1] < now:
            if len(self._tokens) > 1000:
                self._tokens.clear()
            made = token(signs, self.settings.deployment, account, post)
            self._tokens[key] = made, now + KEPT
        return self._tokens[key][0]

    def operator(self) -> Calls:
        """The services, as the operator asks them: for the directory, before anybody has a post."""
        from services.kernel.access import tokens

        def made() -> str:
            return tokens.sign(self._signing_key(), tokens.claims(self.settings.deployment, person="console"))

        return Calls(self.clients, made, "zh")

    async def offices(self) -> Offices:
        """The present units and posts; the last ones that are known while triage is down."""
        await self._look()
        return self._offices

    async def packs(self, language: Language = "zh") -> list[dict[str, Any]]:
        """The packs of the record in a language; the last ones that are known while triage is down."""
        await self._look()
        if language not in self._said:
            self._said[language] = [self.spoken(one, language) for one in self._packs]
        return self._said[language]

    def spoken(self, said: Mapping[str, Any], language: Language) -> dict[str, Any]:
        """A pack, or a rule of one, with its titles and reasons in a language."""
        found: dict[str, Any] = pack_words.in_language(said, language, self._pack_words)
        return found

    @cached_property
    def _pack_words(self) -> pack_words.PackWords:
        """The words of packs in the other language. Pages go without them while their file is faulty."""
        try:
            return pack_words.words(self.settings.policies)
        except DocumentError as error:
            logger.warning("packs.without_words", error=str(error))
            return pack_words.PackWords(titles={}, reasons={})

    async def name(self) -> str:
        """The name of the pages, which the bulletin bears too. That of the settings while triage never told it."""
        try:
            offices = await self.offices()
        except Down:
            return self.settings.site_name
        return offices.site_name or self.settings.site_name

    def look_again(self) -> None:
        """Makes the next page ask for the offices anew, after somebody changed them here."""
        self._asked = -FRESH

    async def _look(self) -> None:
        if time.monotonic() - self._asked < FRESH:
            return
        calls = self.operator()
        try:
            units = await calls.get("/triage/v1/units")
            self._packs, self._said = (await calls.get("/triage/v1/packs"))["items"], {}
        except Down:
            if not self._offices.units:
                raise
            self._asked = time.monotonic() - FRESH + PAUSE
            return
        self._offices = Offices(
            {one["unit"]: one for one in units["items"]},
            {one["unit"]: one for one in units["former"]},
            units["site_name"],
            titles(*self._packs),
        )
        self._asked = time.monotonic()

    async def pack_of(self, unit: str | None, policy: str | None = None, language: Language = "zh") -> dict[str, Any]:
        """The pack of a matter, or the pack by which a unit works now, in a language; empty if it has none."""
        packs = {one["policy"]: one for one in await self.packs(language)}
        units, named = (await self.offices()).units, packs.get(policy or "")
        while named is None and unit in units:
            named, unit = packs.get(units[unit]["policy"] or ""), units[unit]["parent"]
        return named or {}

    async def rules_of(self, pack: Mapping[str, Any], language: Language = "zh") -> Mapping[str, Mapping[str, Any]]:
        """Place -> rule of a pack, with its source, in a language.

        A version of a pack never changes, so it is asked for once. Empty for no pack, and while triage does not answer.
        """
        policy, known = pack.get("policy"), f"{language} {pack.get('policy')}"
        if policy is not None and known not in self._rules:
            try:
                whole = await self.operator().get(f"/triage/v1/packs/{pack['pack']}@{pack['version']}")
            except (Down, Refused):
                return {}
            self._rules[known] = {rule["place"]: self.spoken(rule, language) for rule in whole["rules"]}
        return self._rules.get(known, {})

    async def ruled(self, answer: Answer, language: Language) -> Mapping[str, Any] | None:
        """The rule of a pack by which a service refused, with the titles of the pack and its documents.

        None if the refusal names no rule. A part of a rule that has no source of its own has the source of the rule.
        """
        place, named = answer.body.get("rule"), answer.body.get("pack")
        if not place or not named:
            return None
        try:
            packs = await self.packs(language)
        except Down:
            return None
        pack = next((one for one in packs if f"{one['pack']}@{one['version']}" == named), {})
        rules = await self.rules_of(pack, language)
        while place and place not in rules:
            place = place.rpartition(".")[0]
        if not place:
            return None
        documents = {one["document"]: one["title"] for one in pack.get("documents", ())}
        return {"rule": rules[place], "pack": pack["title"], "documents": documents}

    async def zone(self, unit: str | None) -> ZoneInfo:
        """The time zone of a unit, by its pack."""
        return ZoneInfo((await self.pack_of(unit)).get("timezone") or ZONE)

    def _signing_key(self) -> SigningKey:
        """The key of the file as it is now. Tokens of a former one may be refused from one moment to the next."""
        path = signing.signing_key_file(self.settings)
        status = path.stat() if path.exists() else None
        seen = (status.st_mtime_ns, status.st_ino) if status else (0, 0)
        if self._signing is None or self._signing[0] != seen:
            self._signing = seen, SigningKey.read(path)
            self._tokens.clear()
        return self._signing[1]


def site_of(request: Request) -> Site:
    """The console of a request."""
    found: Site = request.app.state.site
    return found


def seconds() -> int:
    """The real time in seconds, UTC. Sessions never go by the moved clock of tests."""
    return int(datetime.now(UTC).timestamp())


def language(request: Request) -> Language:
    """The language that the person chose, else the browser's, else Chinese."""
    if (chosen := request.cookies.get("language")) in ("zh", "en"):
        return "en" if chosen == "en" else "zh"
    return language_of(request) if request.headers.get("accept-language") else "zh"


async def session_of(request: Request, *, used: bool = True) -> Session | None:
    """The session of the browser, if it lasts. `used`: somebody works in it, so it lasts longer."""
    site = site_of(request)
    if not (told := request.cookies.get(site.cookie)):
        return None
    found = await site.sessions.find(told, seconds(), used=used)
    if found is None:
        return None
    is_open = site.settings.local_accounts if found.account.is_local else site.provider is not None
    return found if is_open else None


async def leave(request: Request) -> None:
    """Ends the session of the browser, if it has one: whoever signs in anew leaves no former session behind."""
    if told := request.cookies.get(site_of(request).cookie):
        await site_of(request).sessions.end(digest(told))


def is_here(address: str) -> bool:
    """Whether an address is a page of the console, and no other site's."""
    return address.startswith(f"{HOME}/") and "\\" not in address and "//" not in address and ":" not in address


def onward(path: str, back: str) -> str:
    """A page that leads on to another one, if that is a page of the console."""
    return f"{path}?next={quote(back, safe='')}" if is_here(back) else path


def here(request: Request) -> str:
    """The address of this page within the console, to come back to."""
    query = request.scope["query_string"].decode("latin-1")
    path = str(request.scope["path"])
    return path + (f"?{query}" if query else "")


async def entered(request: Request) -> Session:
    """Somebody who gave the password and the second factor. Raises `SignedOut`."""
    return await _entered(request, used=True)


async def _entered(request: Request, *, used: bool) -> Session:
    session = await session_of(request, used=used)
    if session is None:
        is_form = request.scope["path"].removeprefix(HOME).startswith(FORMS)
        if request.method == "POST":
            await site_of(request).keep(request)
        back = f"?next={quote(here(request))}" if request.method == "GET" or is_form else ""
        raise SignedOut(f"{HOME}/sign-in{back}")
    if not session.passed:
        raise SignedOut(f"{HOME}/sign-in/code")
    request.state.session = session
    return session


async def staff(request: Request) -> Staff:
    """Who looks at the page, with the post that acts. Raises `SignedOut` with what is missing."""
    return await _staff(request, await entered(request))


async def watching(request: Request) -> Staff:
    """The same for what a page asks for by itself. That does not make the session last longer."""
    return await _staff(request, await _entered(request, used=False))


async def still_watching(request: Request, post: str) -> bool:
    """Whether the session of a request lasts, and the post acts in it."""
    try:
        return (await watching(request)).post == post
    except SignedOut:
        return False
    except Down:
        return True


async def _staff(request: Request, session: Session) -> Staff:
    site = site_of(request)
    if session.account.must_change:
        raise SignedOut(f"{HOME}/account/password")
    offices = await site.offices()
    roles = offices.roles(session.post) if session.post in session.account.posts else ()
    if session.post is None or not roles:
        raise SignedOut(f"{HOME}/post")
    post, spoken = session.post, language(request)
    calls = Calls(site.clients, lambda: site.token(session.account.id, post), spoken)
    found = Staff(session, post, roles, spoken, site.csrf(session.digest), calls, offices)
    request.state.staff = found
    return found


Id = Annotated[str, AfterValidator(part_of_path)]
"""The number or id of a record, from the address of a page."""
Signed = Annotated[Staff, Depends(staff)]
Watching = Annotated[Staff, Depends(watching)]
Entered = Annotated[Session, Depends(entered)]


def problem_of(answer: Answer, me: Staff | None, choices: Mapping[str, Sequence[tuple[str, str]]] | None = None) -> str:
    """The sentence of a refusal, with names of posts and units for their codes; empty if the service says none.

    `choices` are those of the form. In Chinese their titles, and those of the packs, stand for the codes that the
    sentence names.
    """
    told = str(answer.body.get("detail") or answer.body.get("title") or "")
    if me is None:
        return told
    if str(answer.body.get("type")).endswith(":malformed") and (title := FIELDS.get(str(answer.body.get("field")))):
        text = translations(me.language).gettext
        told = text(N_("“%(title)s”：%(told)s")) % {"title": text(title), "told": told}
    if me.language == "zh":
        told = _titled(told, answer.body, me.offices.choices() | dict(choices or {}))
    return me.offices.named(told, me.language)


def _titled(told: str, problem: Mapping[str, Any], choices: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    names = {CHOICES.get(name, name) for name in (*problem, str(problem.get("field")))}
    # A number is a code of harm alone: elsewhere it counts something.
    titles = {
        code: title for name in names for code, title in choices.get(name, ()) if name == "harm" or not code.isdecimal()
    }
    if not titles:
        return told
    codes = "|".join(re.escape(code) for code in sorted(titles, key=len, reverse=True))
    return re.sub(rf"(?<![\w@./-])({codes})(?![\w@./-])", lambda found: titles[found[1]], told, flags=re.ASCII)


def titles(*packs: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The titles of the codes of packs: levels, clocks, flags, kinds of answer, grounds of a return.

    A list shows matters of several packs; where two of them give one code different titles, that of
    the last one counts by which units work, so that pages of one office name a limit alike.
    """
    kinds = {"levels": "level", "clocks": "clock", "flags": "flag", "answer_kinds": "answer_kind"}
    kinds |= {"return_grounds": "ground", "periods": "period", "harm_scale": "harm"}
    turn = sorted(packs, key=lambda pack: bool(pack.get("units")))
    return {
        kind: {one[code]: one["title"] for pack in turn for one in pack.get(kind, ())} for kind, code in kinds.items()
    }
