"""Decisions are signed by their posts, and each way to forge one is refused by the one check that all services use."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import jwt
import orjson
import pytest

from schemas import deeds
from schemas.claims import Claims, to_sign
from schemas.envelope import Event, Undecodable, seal
from schemas.fields import Fact, WordsRef, instant
from schemas.publish import Signature, StatementApproved, StatementDrafted
from services.kernel.access import signatures
from services.kernel.access.signatures import Awaited, Unproven, prove
from services.kernel.access.signing import SigningKey
from services.kernel.core.ids import derived
from services.kernel.core.problems import Rejected
from services.kernel.core.units import Delegation, Offices, PostKey
from services.publish.approving import signing
from services.publish.approving.signing import Signer
from services.publish.commands import Approve, CannotJudge, Correct, Publish, Reject, Submit, Withdraw
from services.publish.decider import DECIDER
from services.publish.state import State
from tests.kit import spec
from tests.publish.test_approval import PACK, at, offices
from tests.publish.test_decider import INCIDENT, MATTER, STREAM, TEXT, TITLE

SALTS = {name: derived("salt", name).replace("-", "") for name in ("title", "text")}
OTHER = "statement-01890a5d-1829-53a4-8fb0-2b3c4d5e6f70"
FIRST = spec.NOW - timedelta(days=1)
"""When the keys were made."""


def words(name: str, text: str) -> WordsRef:
    return WordsRef(ref=derived("ref", name), digest=deeds.salted(SALTS[name], text))


def person(name: str) -> str:
    return derived("by", STREAM, name).replace("-", "") * 2


@dataclass
class Office:
    """A statement that is brought forward by posts with keys, and what every service knows of these."""

    stream: str = STREAM
    text: str = TEXT
    keys: dict[str, SigningKey] = field(default_factory=dict)
    known: Offices = field(default_factory=offices)
    events: list[Event] = field(default_factory=list)
    now: Any = spec.NOW

    def key(self, post: str) -> SigningKey:
        if post not in self.keys:
            self.keys[post] = key = SigningKey.new()
            made = PostKey(post, key.public_hex, FIRST)
            self.known = replace(self.known, post_keys={**self.known.post_keys, key.kid: made})
        return self.keys[post]

    @property
    def state(self) -> State:
        state: State = DECIDER.initial_state()
        for event in self.events:
            state = DECIDER.evolve(state, event)
        return state

    def add(self, fact: Fact, actor: str, policy: str | None = None) -> Event:
        last = self.events[-1] if self.events else None
        self.now += timedelta(seconds=1)
        event = seal(
            spec._plain(fact),
            id=derived(self.stream, str(len(self.events))),
            source="/huiying/test/publish",
            stream=self.stream,
            version=len(self.events) + 1,
            previous=last.digest if last else None,
            time=self.now,
            recorded=self.now,
            partitionkey=INCIDENT,
            actor=actor,
            unit="town-east",
            policy=policy,
        )
        event.__dict__.pop("data")
        self.events.append(event)
        return event

    def does(self, post: str, command: Any, who: str = "") -> Event:
        """The signed event of a decision."""
        actor = at(post, who)
        key = self.key(actor.post)
        salts = {derived("ref", name): salt for name, salt in SALTS.items()}
        signer = Signer(key.kid, key.sign_detached, actor.post, len(self.events) + 1, salts)
        seen = {"stream": self.stream, "incident": MATTER, "title": TITLE, "text": self.text, "signer": signer}
        context = replace(spec.ctx(actor, self.now + timedelta(seconds=1), seen=seen), offices=self.known)
        [item] = DECIDER.decide(self.state, command, context)
        return self.add(item.data, actor.post, item.policy)

    def submitted(self) -> "Office":
        drafted = {"incident": INCIDENT, "unit": "town-east", "kind": "status", "by": person("handler of town-east")}
        begun = {**drafted, "title": words("title", TITLE), "draft": words("text", self.text)}
        self.add(StatementDrafted.model_validate(begun), "handler@town-east")
        self.does("handler", Submit())
        return self

    def approved(self) -> "Office":
        for post in ("approver", "chief"):
            self.does(post, Approve())
        return self

    def published(self) -> Event:
        return self.submitted().approved().does("spokesperson", Publish())


def check(office: Office, event: Event) -> None:
    """As each service does."""
    claims = deeds.claims(event)
    if claims is not None:
        prove(claims, event, office.known)


def altered(event: Event, attributes: dict[str, Any] | None = None, **data: Any) -> Event:
    """The event with other attributes or data, as a forger would write it."""
    changed = {**event.attributes, **(attributes or {}), "data": {**event.attributes["data"], **data}}
    return Event.parse(orjson.dumps(changed))


def signed_anew(office: Office, event: Event, post: str = "spokesperson@town-east", **data: Any) -> Event:
    """Altered by somebody who has the publisher's key."""
    bare = altered(event, **data)
    place = deeds.Place(bare.stream, bare.version, bare.actor, bare.time_text)
    key = office.key(post)
    said = bare.data.model_copy(update={"signature": None})
    value = key.sign_detached(deeds.content_of(said, place))
    return altered(bare, signature={"key": key.kid, "post": post, "value": value})


def test_every_decision_is_signed_and_every_reader_can_check_it() -> None:
    office = Office()
    published = office.published()
    office.does("spokesperson", Correct(text="已全部修复。", reason="补充", waive=()), "another")
    office.does("spokesperson", Withdraw(reason="另行通报"), "a third")
    for event in office.events:
        check(office, event)
    assert [event.data.signature is not None for event in office.events[2:]] == [True] * 5
    assert [one.post for one in published.data.approvals] == ["approver@town-east", "chief@town-east"]
    assert published.data.submission.version == 2
    assert published.data.submission.writers == (person("handler of town-east"),)


def test_what_cannot_be_judged_is_signed_and_goes_up_to_the_post_of_the_pack() -> None:
    office = Office().submitted()
    office.does("approver", CannotJudge(reason="看不准"))
    office.does("chief", Approve())
    published = office.does("spokesperson", Publish())
    check(office, published)
    assert [(one.act, one.who, one.to) for one in published.data.approvals] == [
        ("referred", "leader_in_charge", "principal_leader"),
        ("approved", "principal_leader", None),
    ]
    rejected = Office().submitted()
    check(rejected, rejected.does("approver", Reject(reason="数字不准")))


def test_a_deputy_signs_with_the_key_of_the_own_post_while_the_delegation_holds() -> None:
    office = Office()
    loan = Delegation("approver@town-east", "verifier@town-east", spec.NOW, spec.NOW + timedelta(hours=1))
    office.known = replace(office.known, delegations=(loan,))
    said = office.submitted().does("verifier", Approve())
    assert (said.data.post, said.data.signature.post) == ("approver@town-east", "verifier@town-east")
    assert said.data.signature.key == office.key("verifier@town-east").kid
    check(office, said)
    late = Office().submitted()
    late.known, late.now = replace(late.known, delegations=(loan,)), loan.until
    with pytest.raises(Exception, match="approve"):
        late.does("verifier", Approve())


def revoke(office: Office, post: str, at_: Any) -> None:
    kid = office.key(post).kid
    ended = replace(office.known.post_keys[kid], revoked_at=at_)
    office.known = replace(office.known, post_keys={**office.known.post_keys, kid: ended})


def of_another_text(office: Office) -> Event:
    """The publisher publishes something else than what was approved."""
    return signed_anew(office, office.published(), text="路面已全部修复。")


def with_the_words_moved_into_the_salt(office: Office) -> Event:
    """A salt of another length could take words out of the text."""
    event = office.published()
    sub = event.attributes["data"]["submission"]
    return altered(event, submission={**sub, "text_salt": sub["text_salt"] + TEXT[0].encode().hex()}, text=TEXT[1:])


def without_a_step(office: Office) -> Event:
    event = office.published()
    return signed_anew(office, event, approvals=event.attributes["data"]["approvals"][:1])


def with_a_shorter_chain(office: Office) -> Event:
    """The step that is missing is not even named. So every approval is of something else."""
    event = office.published()
    data = event.attributes["data"]
    return signed_anew(office, event, steps=data["steps"][:1], approvals=data["approvals"][:1])


def with_no_chain_at_all(office: Office) -> Event:
    return signed_anew(office, office.published(), steps=[], approvals=[])


def not_by_its_publisher(office: Office) -> Event:
    """Somebody adds a publication with true approvals, and has no key."""
    signature = office.published().attributes["data"]["signature"]
    return altered(office.events[-1], signature={**signature, "value": "0" * 128})


def with_the_key_of_another_post(office: Office) -> Event:
    """The handler signs as spokesperson."""
    event = office.published()
    key = office.key("handler@town-east")
    place = deeds.Place(event.stream, event.version, event.actor, event.time_text)
    value = key.sign_detached(deeds.content_of(event.data.model_copy(update={"signature": None}), place))
    return altered(event, signature={"key": key.kid, "post": event.actor, "value": value})


def by_another_actor(office: Office) -> Event:
    return altered(office.published(), {"actor": "chief@town-east"})


def transplanted(office: Office) -> Event:
    """The approvals of another statement with the same text."""
    other = Office(OTHER, keys=office.keys, known=office.known)
    taken = other.submitted().approved().does("spokesperson", Publish()).attributes["data"]
    office.known = other.known
    event = office.published()
    return signed_anew(office, event, **{name: taken[name] for name in ("submission", "steps", "approvals")})


def replayed(office: Office) -> Event:
    """An approval of the first submission, after the text was sent back and submitted again."""
    office.submitted()
    first = office.does("approver", Approve()).attributes["data"]
    office.does("chief", Reject(reason="改一下"), "the chief")
    office.does("handler", Submit())
    again = office.does("approver", Approve(), "another approver")
    return altered(again, **first)


def published_twice(office: Office) -> Event:
    """The whole publication once more, after its withdrawal."""
    event = office.published()
    withdrawn = office.does("spokesperson", Withdraw(reason="另行通报"), "another")
    return altered(event, {"streamversion": withdrawn.version + 1, "previousdigest": withdrawn.digest})


def out_of_order(office: Office) -> Event:
    event = office.published()
    return signed_anew(office, event, approvals=event.attributes["data"]["approvals"][::-1])


def with_an_approval_after_the_revocation(office: Office) -> Event:
    event = office.published()
    revoke(office, "approver@town-east", event.data.approvals[0].at)
    return event


def published_after_the_revocation(office: Office) -> Event:
    event = office.published()
    revoke(office, "spokesperson@town-east", event.time)
    return event


def unsigned(office: Office) -> Event:
    event = office.published()
    data = {name: value for name, value in event.attributes["data"].items() if name != "signature"}
    return Event.parse(orjson.dumps({**event.attributes, "data": data}))


def separated(office: Office, first: str, second: str) -> Event:
    """True signatures over a text, by persons that the pack keeps apart. No rule of the service stood before them."""
    office.submitted()
    state = office.state
    for post, who, step in (("approver", first, state.course.steps[0]), ("chief", second, state.course.steps[1])):
        name, key = f"{post}@town-east", office.key(f"{post}@town-east")
        subject = office.events[-1].data.subject if len(office.events) > 2 else None
        given = {"step": step.code, "who": step.who[0], "post": name, "last": post == "chief", "by": person(who)}
        fact = StatementApproved.model_validate(given | {"subject": subject or _subject(office)})
        office.now += timedelta(seconds=1)
        place = deeds.Place(STREAM, len(office.events) + 1, name, instant(office.now + timedelta(seconds=1)))
        value = key.sign_detached(deeds.content_of(fact, place))
        signed = fact.model_copy(update={"signature": Signature(key=key.kid, post=name, value=value)})
        office.add(signed, name)
    return office.does("spokesperson", Publish())


def _subject(office: Office) -> str:
    """The subject of the last submission."""
    state = office.state
    used, steps, writers = state.used, state.course.steps, state.writers
    digests = [words(name, text).digest for name, text in (("title", TITLE), ("text", office.text))]
    return deeds.subject_of(STREAM, "town-east", state.submitted, *digests, used=used, steps=steps, writers=writers)


def approved_by_its_writer(office: Office) -> Event:
    return separated(office, "handler of town-east", "the chief")


def approved_twice_by_one_person(office: Office) -> Event:
    return separated(office, "the chief", "the chief")


def with_a_corrected_correction(office: Office) -> Event:
    office.published()
    office.does("spokesperson", Correct(text="已全部修复。", reason="补充"), "another")
    return altered(office.events[-1], text="没有修复。")


def with_another_reason_to_withdraw(office: Office) -> Event:
    office.published()
    office.does("spokesperson", Withdraw(reason="另行通报"), "another")
    return altered(office.events[-1], reason="本来就是错的")


def agreed_as_somebody_else(office: Office) -> Event:
    """Who agreed for whom stands under the signature."""
    office.submitted().does("approver", Approve())
    return altered(office.events[-1], who="principal_leader", step="judged")


def says(answer: Any) -> Callable[..., Any]:
    return lambda *_: answer


OVER = "the signature is over something else"
VERIFIES = (signatures, "verifies", says(True))
ATTACKS: dict[Callable[[Office], Event], tuple[str, tuple[tuple[Any, str, Any], ...]]] = {
    of_another_text: ("not the text that was submitted", ((deeds, "_has_words", says(True)),)),
    without_a_step: ("judged lacks the agreement of principal_leader", ((signatures, "must_be_whole", says(None)),)),
    with_a_shorter_chain: (OVER, (VERIFIES, (signatures, "must_be_a_chain", says(None)))),
    with_no_chain_at_all: ("no chain of trial@1", ((signatures, "must_be_a_chain", says(None)),)),
    not_by_its_publisher: (OVER, (VERIFIES,)),
    with_the_key_of_another_post: ("the key of handler@town-east", ((signatures, "belongs", says(True)),)),
    by_another_actor: ("chief@town-east decided", ((deeds, "_may_sign", says(True)), VERIFIES)),
    transplanted: (OVER, (VERIFIES,)),
    replayed: (OVER, (VERIFIES,)),
    published_twice: (OVER, (VERIFIES,)),
    out_of_order: ("in the order", ((deeds, "_is_in_order", says(True)),)),
    with_an_approval_after_the_revocation: ("had been revoked", ((signatures, "had_ended", says(False)),)),
    published_after_the_revocation: ("had been revoked", ((signatures, "had_ended", says(False)),)),
    unsigned: ("nobody signed it", ((signatures, "must_be_early", says(None)),)),
    approved_by_its_writer: ("keeps apart", ((signatures, "must_be_apart", says(None)),)),
    approved_twice_by_one_person: ("keeps apart", ((signatures, "must_be_apart", says(None)),)),
    with_a_corrected_correction: (OVER, (VERIFIES,)),
    with_another_reason_to_withdraw: (OVER, (VERIFIES,)),
    agreed_as_somebody_else: (OVER, (VERIFIES,)),
}
"""Attack -> what every service says of it, and the checks without which it would be believed."""


@pytest.mark.requirement("PUB-06")
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_a_forged_decision_is_refused(attack: Callable[[Office], Event], monkeypatch: pytest.MonkeyPatch) -> None:
    office, (sentence, guards) = Office(), ATTACKS[attack]
    # The service itself would not decide it. Here it must be the readers who refuse.
    monkeypatch.setattr(signing, "_must_prove", says(None))
    forged = attack(office)
    with pytest.raises(Unproven, match=sentence):
        check(office, forged)
    for module, name, off in guards:
        monkeypatch.setattr(module, name, off)
    check(office, forged)


def test_a_pack_with_chains_for_other_things_alone_asks_for_no_approval() -> None:
    of_measures = PACK[: PACK.index("    - code: doubtful")] + PACK[PACK.index("    - code: plain") :]
    known = offices(of_measures.replace("code: plain", "code: plain\n      of: measure"))
    office = Office(known=known)
    check(office, office.submitted().does("spokesperson", Publish()))


def test_a_salt_of_another_length_is_no_event() -> None:
    with pytest.raises(Undecodable, match="text_salt"):
        _ = with_the_words_moved_into_the_salt(Office()).data


def test_a_key_that_has_not_come_is_awaited() -> None:
    office = Office()
    event = office.published()
    kid = office.key("chief@town-east").kid
    office.known = replace(
        office.known, post_keys={name: key for name, key in office.known.post_keys.items() if name != kid}
    )
    with pytest.raises(Awaited, match=f"the key {kid} of chief@town-east"):
        check(office, event)
    without = replace(Office().known, post_keys=Office().known.post_keys)
    with pytest.raises(Awaited):
        prove(deeds.claims(event) or Claims(), event, without)


def test_a_pack_that_has_not_come_is_awaited() -> None:
    office = Office()
    event = office.published()
    office.known = replace(office.known, packs={})
    with pytest.raises(Awaited, match="the pack trial@1#"):
        check(office, event)


def test_what_was_recorded_before_the_first_key_needs_no_signature() -> None:
    office = Office()
    event = unsigned(office)
    later = {kid: replace(key, made_at=event.recorded) for kid, key in office.known.post_keys.items()}
    office.known = replace(office.known, post_keys=later)
    check(office, event)


def test_a_signature_before_the_revocation_stays_valid() -> None:
    office = Office()
    event = office.published()
    revoke(office, "approver@town-east", event.data.approvals[0].at + timedelta(microseconds=1))
    check(office, event)


def test_the_service_does_not_publish_what_readers_would_refuse() -> None:
    office = Office().submitted().approved()
    revoke(office, "approver@town-east", FIRST)
    with pytest.raises(Rejected, match="had been revoked") as refused:
        office.does("spokesperson", Publish())
    assert refused.value.code == "approvals-unproven"
    # The sentence says to submit it again, and then it goes its way.
    office.does("handler", Submit())
    del office.keys["approver@town-east"]
    check(office, office.approved().does("spokesperson", Publish()))


def test_a_signature_has_its_own_type_and_is_a_standard_one() -> None:
    """RFC 7515, appendix F: with its header and its content beside it, every library checks it."""
    office = Office()
    claims = deeds.claims(office.published())
    assert claims is not None
    one = claims.signed[0]
    header, payload = one.content.split(b".")
    mark = base64.urlsafe_b64encode(bytes.fromhex(one.value)).rstrip(b"=")
    whole = b".".join((header, payload, mark)).decode()
    key = jwt.PyJWK(office.key("spokesperson@town-east").public)
    told = jwt.PyJWS().decode_complete(whole, key, algorithms=["EdDSA"])
    assert told["header"] == {"alg": "EdDSA", "kid": one.key, "typ": "huiying-act+jws"}
    assert to_sign(one.key, json.loads(told["payload"])) == one.content
    with pytest.raises(jwt.InvalidTokenError):
        jwt.decode(whole, key, algorithms=["EdDSA"], options={"require": ["exp"]})
