"""A provider of OpenID Connect on a port of its own, with a few ways to go wrong."""

import base64
import hashlib
import json
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import flask
import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import RSAAlgorithm
from werkzeug.serving import make_server

from services.console.access import claims
from services.console.access.provider import Provider as Known
from services.console.site import Site
from services.kernel.settings import Settings

Forged = Callable[[dict[str, Any]], str]


class Provider:
    """The running provider. It checks PKCE itself, since oidc-provider-mock does not."""

    def __init__(self, app: flask.Flask) -> None:
        self.app, self.address, self._storage = app, "", None
        self.asked: list[str] = []
        """The paths that were asked for."""
        self.forge: Forged | None = None
        """Makes another identity token of the claims."""
        self.tells: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
        """Makes other claims of the page of a person."""
        self.answers: Callable[[], None] = lambda: None
        """What happens before each answer; it may wait."""
        self.published: list[dict[str, Any]] = []
        """Further keys that it publishes."""
        self._challenges: dict[str, str] = {}
        app.before_request(self._before)
        app.after_request(self._after)

    @property
    def key(self) -> Any:
        """The private key that signs, for PyJWT."""
        return RSAAlgorithm.from_jwk(self._storage.jwk.as_dict(is_private=True))  # type: ignore[attr-defined]

    @property
    def kid(self) -> str:
        """The name of that key."""
        return str(self._storage.jwk.as_dict()["kid"])  # type: ignore[attr-defined]

    def rotate(self) -> None:
        """Another key signs from now on, and alone is published."""
        kept: Any = self._storage
        kept.jwk = type(kept.jwk).generate_key(is_private=True)

    def knows(self, person: str, **claims: Any) -> None:
        """A person with these claims."""
        answer = httpx.put(f"{self.address}/users/{person}", json=claims)
        assert answer.status_code == 204

    def signed(self, claims: dict[str, Any], **header: Any) -> str:
        """A token of this provider."""
        return jwt.encode(claims, self.key, "RS256", headers={"kid": self.kid} | header)

    def signs(self, algorithm: str) -> None:
        """Another key of this algorithm is published besides, and signs identity tokens from now on."""
        key: Any
        match algorithm:
            case "ES256":
                key = ec.generate_private_key(ec.SECP256R1())
            case "EdDSA":
                key = ed25519.Ed25519PrivateKey.generate()
            case _:
                key = foreign_key()
        kind = jwt.get_algorithm_by_name(algorithm)
        public = json.loads(kind.to_jwk(key.public_key())) | {"kid": algorithm, "alg": algorithm, "use": "sig"}
        self.published = [*self.published, public]
        self.forge = lambda claims: jwt.encode(claims, key, algorithm, headers={"kid": algorithm})

    def _before(self) -> Any:
        self._storage = flask.g.oidc_provider_mock_storage
        self.asked.append(flask.request.path)
        self.answers()
        if flask.request.path != "/oauth2/token":
            return None
        code, verifier = flask.request.form.get("code", ""), flask.request.form.get("code_verifier", "")
        made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        return None if self._challenges.get(code) == made else ({"error": "invalid_grant"}, 400)

    def _after(self, answer: flask.Response) -> flask.Response:
        code = parse_qs(urlsplit(answer.headers.get("Location", "")).query).get("code")
        if flask.request.path == "/oauth2/authorize" and code:
            assert flask.request.args["code_challenge_method"] == "S256"
            self._challenges[code[0]] = flask.request.args["code_challenge"]
        if flask.request.path == "/oauth2/token" and answer.status_code == 200 and self.forge:
            told = answer.get_json()
            claims = jwt.decode(told["id_token"], options={"verify_signature": False})
            answer.set_data(flask.json.dumps(told | {"id_token": self.forge(claims)}))
        if flask.request.path == "/jwks" and self.published:
            told = answer.get_json()
            answer.set_data(flask.json.dumps(told | {"keys": [*told["keys"], *self.published]}))
        if flask.request.path == "/userinfo":
            answer.set_data(flask.json.dumps(self.tells(answer.get_json())))
        return answer


@contextmanager
def serving() -> Iterator[Provider]:
    """A provider on a free port."""
    with warnings.catch_warnings(record=True):  # it stands on parts of Authlib that are to go
        from oidc_provider_mock import app as made

    provider = Provider(made(require_nonce=True))
    provider.app.debug = False
    server = make_server("127.0.0.1", 0, provider.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    provider.address = f"http://127.0.0.1:{server.server_port}"
    try:
        httpx.get(f"{provider.address}/jwks")
        yield provider
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


async def configured(site: Site, plain: Settings, **settings: Any) -> None:
    """Gives a running console other settings, as after a restart: plain ones, or plain ones and these."""
    if site.provider is not None:
        await site.provider.close()
    site.provider, site.settings = None, Settings(**plain.model_dump(exclude_unset=True) | settings)
    if site.settings.oidc_issuer:
        site.provider = Known(site.settings, claims.wanted(site.settings))


def foreign_key() -> Any:
    """A private key that the provider does not have."""
    return rsa.generate_private_key(65537, 2048)


def late(claims: dict[str, Any]) -> dict[str, Any]:
    """The claims of a token that ended an hour ago."""
    now = int(time.time())
    return claims | {"iat": now - 7200, "exp": now - 3600}
