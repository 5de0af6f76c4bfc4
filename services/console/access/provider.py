"""The OpenID Connect provider at which people sign in: its addresses, its keys, and what its tokens prove.

The flow is the authorization code with PKCE. Nothing that a browser carries is believed: the code is redeemed at the
provider, and an identity token counts only with a known signature, for this client, of this provider and this sign-in.
"""

import asyncio
import base64
import hashlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal
from urllib.parse import quote

import httpx
import jwt
import structlog

from services.console.access.handshakes import Handshake
from services.kernel.settings import Settings

SECONDS = 8.0
"""How long a sign-in waits for the provider, all requests together."""
ADDRESSES_KEPT, KEYS_KEPT = 3600.0, 600.0
"""Seconds after which addresses and keys are asked for again."""
AGAIN = 10.0
"""Seconds between two looks for a key that is not known. Whoever sends forged tokens causes no more requests."""
LEEWAY = 30
"""Seconds by which the provider's clock may differ."""
ALGORITHMS = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
"""Signatures that are believed, with the kind of their key. None of them can be made with the client's secret."""
NEEDED = ("iss", "aud", "exp", "iat")
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
logger = structlog.get_logger()

Why = Literal["down", "refused", "untrusted", "client", "cancelled", "nobody", "mapping"]


class Failed(Exception):
    """The sign-in did not succeed. Nothing was changed.

    `down`: the provider does not answer, or not in its language. `refused`: it does not take the code. `untrusted`: its
    token proves nothing. `client`: it does not take the console's name or secret. `cancelled`: the person went back.
    `nobody`: the claims name no person. `mapping`: the file of posts is faulty.
    """

    def __init__(self, why: Why, told: str) -> None:
        super().__init__(told)
        self.why = why


class _UnknownKey(Exception):
    """No key fits the token."""


class Provider:
    """The provider of the settings. `wanted` are the claims that a sign-in needs."""

    def __init__(self, settings: Settings, wanted: Sequence[str]) -> None:
        self.issuer, self._id = settings.oidc_issuer, settings.oidc_client_id
        self._secret, self._scopes = settings.oidc_client_secret.get_secret_value(), settings.oidc_scopes
        self._callback = settings.link("console/provider/callback")
        self._after = settings.link("console/sign-in")
        self._wanted = wanted
        self._client = httpx.AsyncClient(timeout=SECONDS)
        self._addresses: dict[str, Any] = {}
        self._keys: list[dict[str, Any]] = []
        self._addresses_until = self._keys_until = self._again_from = 0.0

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def sign_in_address(self, handshake: Handshake) -> str:
        """Where the browser goes to sign in. Raises `Failed`."""
        asked = {
            "response_type": "code",
            "client_id": self._id,
            "redirect_uri": self._callback,
            "scope": self._scopes,
            "state": handshake.state,
            "nonce": handshake.nonce,
            "code_challenge": challenge(handshake.verifier),
            "code_challenge_method": "S256",
        }
        async with _in_time():
            known = await self._known()
        return str(httpx.URL(known["authorization_endpoint"]).copy_merge_params(asked))

    async def sign_out_address(self) -> str | None:
        """Where the browser goes to end the provider's session, too; None if it offers none. Raises `Failed`.

        The provider asks the person, since the console keeps no identity token that could name them.
        """
        async with _in_time():
            end = (await self._known()).get("end_session_endpoint")
        asked = {"client_id": self._id, "post_logout_redirect_uri": self._after}
        return str(httpx.URL(str(end)).copy_merge_params(asked)) if self._is_address(end) else None

    async def check_issuer(self, named: str) -> None:
        """Checks the issuer that a callback names, if it names one. Raises `Failed`."""
        async with _in_time():
            must_name = (await self._known()).get("authorization_response_iss_parameter_supported") is True
        if named != self.issuer and (named or must_name):
            raise Failed("untrusted", "the answer is of another issuer")

    async def redeem(self, code: str, problem: str, handshake: Handshake) -> dict[str, Any]:
        """What the provider says of the person for whom it gave the code, or a `problem` instead. Raises `Failed`."""
        if problem or not code:
            why: Why = "cancelled" if problem == "access_denied" else "refused"
            raise Failed(why, f"the provider gives no code: {problem[:60]}")
        async with _in_time():
            known = await self._known()
            tokens = await self._tokens(known, code, handshake.verifier)
            claims = await self._proved(tokens.get("id_token"), (*NEEDED, "sub"))
            if claims.get("nonce") != handshake.nonce:
                raise Failed("untrusted", "the identity token belongs to another sign-in")
            if any(name not in claims for name in self._wanted):
                claims = await self._more(known, tokens.get("access_token"), claims)
            return claims

    async def ended(self, token: str) -> dict[str, Any]:
        """The claims of a logout token: `iat`, and `sub`, `sid` or both. Raises `Failed`."""
        async with _in_time():
            claims = await self._proved(token, (*NEEDED, "jti"))
        events = claims.get("events")
        if not isinstance(events, dict) or LOGOUT not in events or "nonce" in claims:
            raise Failed("untrusted", "this is no logout token")
        if not claims.get("sub") and not claims.get("sid"):
            raise Failed("untrusted", "the logout token names neither a person nor a session")
        return claims

    async def _tokens(self, known: Mapping[str, Any], code: str, verifier: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._callback,
            "code_verifier": verifier,
        }
        auth = None
        methods = known.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if self._secret and "client_secret_basic" in methods:
            auth = httpx.BasicAuth(quote(self._id, safe=""), quote(self._secret, safe=""))
        else:
            form["client_id"] = self._id
            if self._secret:
                form["client_secret"] = self._secret
        answer = await self._ask("POST", known["token_endpoint"], data=form, auth=auth)
        if answer.status_code == 200:
            return _object(answer)
        if answer.status_code == 401 or _problem(answer) in ("invalid_client", "unauthorized_client"):
            raise Failed("client", "the provider does not take the client's name or secret")
        raise Failed("refused", "the provider does not take the code")

    async def _more(self, known: Mapping[str, Any], access: Any, claims: dict[str, Any]) -> dict[str, Any]:
        """The claims, with those that only the provider's page of the person has."""
        if not self._is_address(known.get("userinfo_endpoint")) or not isinstance(access, str):
            return claims
        answer = await self._ask("GET", known["userinfo_endpoint"], headers={"Authorization": f"Bearer {access}"})
        if answer.status_code != 200:
            logger.warning("console.provider_tells_no_more", status=answer.status_code)
            return claims
        more = _object(answer)
        if more.get("sub") != claims["sub"]:
            raise Failed("untrusted", "the provider tells of another person than the identity token")
        return {**more, **claims}

    async def _proved(self, token: Any, needed: Sequence[str]) -> dict[str, Any]:
        """The claims of a token of the provider for this client. An unknown key makes it look for new ones once."""
        if not isinstance(token, str):
            raise Failed("down", "the answer has no identity token")
        for anew in (False, True):
            try:
                return self._decoded(token, await self._known_keys(anew=anew), needed)
            except (_UnknownKey, jwt.InvalidSignatureError):
                continue
            except (jwt.PyJWTError, ValueError, TypeError) as error:
                raise Failed("untrusted", f"the token is not valid: {type(error).__name__}") from None
        raise Failed("untrusted", "no key of the provider fits the token")

    def _decoded(self, token: str, keys: Sequence[dict[str, Any]], needed: Sequence[str]) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        kid, algorithm = header.get("kid"), str(header.get("alg"))
        if algorithm not in ALGORITHMS:
            raise jwt.InvalidAlgorithmError(algorithm)
        fitting = [
            key
            for key in keys
            if key.get("kty") == ALGORITHMS[algorithm]
            and key.get("use", "sig") == "sig"
            and key.get("alg", algorithm) == algorithm
            and kid in (None, key.get("kid"))
        ]
        if not fitting or (kid is None and len(fitting) > 1):
            raise _UnknownKey
        claims: dict[str, Any] = jwt.decode(
            token,
            jwt.PyJWK(fitting[0], algorithm),
            algorithms=[algorithm],
            audience=self._id,
            issuer=self.issuer,
            leeway=LEEWAY,
            options={"require": list(needed)},
        )
        others = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if others else self._id) != self._id:
            raise jwt.InvalidAudienceError("the token is for another client")
        return claims

    async def _known(self) -> dict[str, Any]:
        """What the provider publishes of itself. A former answer serves while it does not answer."""
        if time.monotonic() < self._addresses_until:
            return self._addresses
        try:
            self._addresses = await self._published()
        except Failed as error:
            if not self._addresses:
                raise
            logger.warning("console.provider_failed", why=error.why, problem=str(error))
            return self._addresses
        self._addresses_until = time.monotonic() + ADDRESSES_KEPT
        return self._addresses

    async def _published(self) -> dict[str, Any]:
        answer = await self._ask("GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        found = _object(answer) if answer.status_code == 200 else {}
        if found.get("issuer") != self.issuer:
            raise Failed(
                "down", f"the provider calls itself {found.get('issuer')!r}; HUIYING_OIDC_ISSUER says otherwise"
            )
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not self._is_address(found.get(name)):
                raise Failed("down", f"the provider publishes no {name}")
        return found

    async def _known_keys(self, *, anew: bool) -> list[dict[str, Any]]:
        now = time.monotonic()
        if anew and now < self._again_from:
            return self._keys
        if anew or now > self._keys_until:
            answer = await self._ask("GET", (await self._known())["jwks_uri"])
            found = _object(answer).get("keys") if answer.status_code == 200 else None
            if not isinstance(found, list):
                raise Failed("down", "the provider publishes no keys")
            self._keys = [key for key in found if isinstance(key, dict)]
            self._keys_until = now + KEYS_KEPT
            if anew:
                self._again_from = now + AGAIN
        return self._keys

    def _is_address(self, given: Any) -> bool:
        """Whether this is an address that is as safe as the issuer's."""
        is_safe = "https://" if self.issuer.startswith("https://") else ("http://", "https://")
        return isinstance(given, str) and given.startswith(is_safe)

    async def _ask(self, method: str, address: str, **sent: Any) -> httpx.Response:
        try:
            answer = await self._client.request(method, address, **sent)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Failed("down", f"the provider cannot be reached: {type(error).__name__}") from None
        if answer.status_code >= 500 or answer.is_redirect:
            raise Failed("down", f"the provider answers {answer.status_code}")
        return answer


def challenge(verifier: str) -> str:
    """The challenge of PKCE for a verifier, by S256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    """Limits what a sign-in asks the provider, however slowly it drips."""
    try:
        async with asyncio.timeout(SECONDS):
            yield
    except TimeoutError:
        raise Failed("down", f"the provider did not answer within {SECONDS:g} s") from None


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Failed("down", "the provider's answer is no JSON object")
    return body


def _problem(answer: httpx.Response) -> str:
    """The code of an OAuth refusal; empty if there is none."""
    try:
        return str(_object(answer).get("error", ""))
    except Failed:
        return ""
