"""Signed files of statements: made by the bulletin, and checked by anybody with its public keys, without a service.

A signature is a JSON Web Signature (RFC 7515, compact) whose content is the canonical JSON of a manifest.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from schemas.manifest import FILE, RELEASE, STATE, Release, canonical, digest_of, manifest_of, standing_of, state_of
from services.kernel.access.signing import ALGORITHM, SigningKey

KIND = "huiying-statement+jws"
"""The `typ` of each signature. A signed token never counts as a signed statement."""


class NotSigned(Exception):
    """A file that does not prove what it says. The sentence says where."""


class Proven(NamedTuple):
    """What a checked file says."""

    manifests: list[dict[str, Any]]
    state: dict[str, Any]
    kids: frozenset[str]
    """The keys that signed it."""


def sealed_file(found: Sequence[Release], names: Sequence[str], deployment: str, key: SigningKey) -> dict[str, Any]:
    """The file of a statement: all releases with their signed manifests, and the signed state.

    `names` are the unit's names at the times of the releases.
    """
    standing = standing_of(found, deployment)
    told = [
        {
            "content": release.content,
            "digest": digest_of(release.content),
            "signed": key.sign_bytes(canonical(manifest_of(release, deployment, name)), KIND),
        }
        for release, name in zip(found, names, strict=True)
    ]
    named = {name: standing[name] for name in ("statement", "number", "state")}
    return {"format": FILE, **named, "releases": told, "signed_state": key.sign_bytes(canonical(standing), KIND)}


def proven(file: bytes, keys: Mapping[str, Ed25519PublicKey]) -> Proven:
    """Checks a file to its last character. Raises `NotSigned`.

    `keys` are the believed public keys by their ids. Everything in the file follows from what is signed.
    """
    try:
        told = json.loads(file, object_pairs_hook=_once)
        kids: set[str] = set()
        state = _signed(told["signed_state"], keys, kids)
        manifests = [_signed(release["signed"], keys, kids) for release in told["releases"]]
        contents = [release["content"] for release in told["releases"]]
        digests = [digest_of(content) for content in contents]
    except NotSigned:
        raise
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise NotSigned(f"this is no file of a statement: {type(error).__name__} {error}") from None
    named = {name: state.get(name) for name in ("statement", "number", "state")}
    whole = [
        {"content": content, "digest": digest, "signed": release["signed"]}
        for content, digest, release in zip(contents, digests, told["releases"], strict=True)
    ]
    again = {"format": FILE, **named, "releases": whole, "signed_state": told["signed_state"]}
    if state.get("format") != STATE or state.get("digests") != digests or not contents:
        raise NotSigned("the releases are not those of the signed state: one was altered, added or left out")
    if told != again or state["state"] != state_of(contents):
        raise NotSigned("the file says something that is not signed")
    for content, digest, manifest in zip(contents, digests, manifests, strict=True):
        if manifest.get("format") != RELEASE or manifest.get("digest") != digest:
            raise NotSigned(f"release {content.get('release')} is not what its manifest names")
        same = ("statement", "number", "unit", "release", "kind")
        if any(manifest.get(name) != content.get(name) for name in same):
            raise NotSigned(f"release {content.get('release')} and its manifest say different things")
        if (manifest["statement"], manifest["deployment"]) != (state["statement"], state["deployment"]):
            raise NotSigned("the releases are of another statement than the signed state")
    return Proven(manifests, state, frozenset(kids))


def _signed(signature: str, keys: Mapping[str, Ed25519PublicKey], kids: set[str]) -> dict[str, Any]:
    """The content of a signature by one of the keys. Raises `NotSigned`."""
    head, body, mark = map(_decoded, signature.split("."))
    header = json.loads(head, object_pairs_hook=_once)
    if header.get("alg") != ALGORITHM or header.get("typ") != KIND or set(header) != {"alg", "kid", "typ"}:
        raise NotSigned("this is no signature of a statement")
    key = keys.get(header["kid"])
    if key is None:
        raise NotSigned(f"the key {str(header['kid'])[:64]} is none of the given public keys, or it was revoked")
    try:
        key.verify(mark, signature.rpartition(".")[0].encode())
    except InvalidSignature:
        raise NotSigned("a signature does not hold: the file was altered, or somebody else signed it") from None
    content = json.loads(body, object_pairs_hook=_once)
    if canonical(content) != body:
        raise NotSigned("the signed content is not in its canonical form")
    kids.add(header["kid"])
    return dict(content)


def _decoded(part: str) -> bytes:
    """Base64url in its only form: a last character with other spare bits is refused."""
    raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != part:
        raise ValueError("a signature is not written in base64url")
    return raw


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found
