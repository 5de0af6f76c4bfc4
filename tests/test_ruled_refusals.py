"""A refusal that a rule of a pack caused names the rule. Every other kind of refusal stands here with its reason."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.problems import TYPES
from tests.test_problems import raised

ROOT = Path(__file__).parents[1]
JUDGED = (403, 409, 422)
"""Statuses of a refusal that a rule may have caused. The others say that a request did not come through."""

UNRULED = {
    "how a request or a file must be written, whatever the office's rules are": """
        archive-reason-needed period-too-long lesson-number-needed
        malformed author-not-taken code-looks-personal cursor-invalid cursor-of-other-size late-reason-needed
        ends-before-it-begins days-end-early days-too-many days-say-nothing windows-out-of-order event-too-large
        field-missing field-together facts-unfit facts-or-matter field-unknown blank control-character digits-lost
        duty-ends-early field-twice figure-needed gzip-damaged form-unreadable header-malformed idempotency-key-reused
        level-not-needed one-value value-unfit log-size-unknown list-too-long word-too-short purpose-needed
        reading-needs-purpose
        list-too-short number-too-large number-too-small not-in-list parameter-twice parameter-unknown reason-needed
        text-too-long text-too-short time-out-of-range wrong-form more-than-one-line nested-too-deep no-web-address
        mapping-twice mapping-missing mapping-unusable header-missing columns-too-many column-missing column-twice
        row-cells quote-open characters-damaged value-unlisted time-unreadable sheet-missing
        workbook-damaged workbook-strict formula-unworked
        scenario-unusable parts-differ training-to-come
        null-character not-utf-8 picture-damaged redaction-outside redaction-page redactions-elsewhere
        redactions-unreadable file-empty plan-date address-unknown-way address-unusable
        place-or-report channel-unchanged webhook-address webhook-private channel-without-secret channel-of-other-kind
        invisible-character personal-number text-too-long-resolved marker-malformed
        check-item-unknown check-reason-needed
        document-damaged document-locked document-signed document-form document-personal-number
        document-personal-outline document-unread area-outside
        form-needed persons-unsaid persons-of-pictures not-a-picture persons-uncovered
        message-unreadable words-for-peer-needed
        incident-needed notice-without-facts notice-stays
        joint-of-one in-team-already signed-elsewhere own-office notice-needed degrees-malformed span-too-long""",
    "a name that the record or a list of the deployment does not have; the sentence says which it has": """
        no-question-of-it channel-not-of-it archive-part-not-missing evaluation-unknown
        clock-unknown evidence-unknown recurrence-unknown not-unhelpful helper-unknown proposal-unknown
        fact-not-bindable statement-file-unknown
        incident-not-seen incident-unknown period-unknown duty-unknown lesson-unknown pack-not-known post-unknown
        report-unknown decision-unknown words-unknown not-listed fact-of-another-kind fact-code-unknown notice-unknown
        conference-unknown statement-unknown events-unknown remark-unknown finding-of-other
        peer-takes-nothing peer-takes-exercises peer-not-for-handing no-peer-to-hand peer-not-listed report-not-to-hand
        inject-unknown drill-unknown post-not-below not-for-exercises
        addressee-unknown unit-unknown number-unknown not-opened""",
    "a code that the pack does not list; the sentence says which it lists, and each has a source of its own": """
        plan-unknown place-not-open flag-unknown harm-unknown level-unknown file-part-unknown level-not-in-pack
        level-not-mapped merge-level-unknown""",
    "the pack says nothing of it, so there is no clause to quote": """
        no-answer-kinds no-levels answer-kind-unknown nobody-judges measures-unapproved no-decision no-notices
        no-screening""",
    "the order of times, by which the record stays true": """
        before-discovery time-passed day-passed earlier-due written-before-known in-the-future before-what-it-answers
        before-reopening before-last-judgement due-passed""",
    "what is so already, or not so yet, on the record": """
        archive-altered archive-incomplete archive-not-ended archive-not-sealed archive-unproven
        archive-too-large export-unproven
        saved-queries-full subscription-ended subscriptions-full year-not-over
        edition-old evaluated lesson-ended lesson-none-open lesson-of-pack not-convened review-adopted
        already-accepted already-accountable already-answered no-answer-yet answer-judged follow-up-over
        nothing-unhelpful nobody-helps help-accepted-already help-completed-already handles-already already-assigned
        already-classified already-categorized already-drafted already-linked already-offered already-graded
        fact-revised fact-words-missing files-full file-public
        already-published already-received already-refused flag-set flag-not-set harm-judged doubt-judged
        limit-set-already extension-overtaken request-waits nothing-asked confirmed-already asker-told already-paused
        not-paused clock-not-running merged merged-target merge-target-ended nothing-proposed proposal-decided
        no-breach no-open-report leads-already asked-already report-back-waits no-open-notice already-concluded
        drill-goes-on drill-ended inject-sent training-withdrawn office-rehearses training-recorded
        inspection-ended nothing-to-remedy no-remedy-reported no-open-remark remarks-open remark-elsewhere
        praise-unheard post-heard post-not-heard other-referral no-finding-stands receipt-noted not-passed-on
        referral-decided
        handed-over-already handed-over-by-none handing-ended not-to-be-told-now message-differs
        handed-over-not-merged merged-not-given-back
        instant-missed office-not-heard office-heard finding-computed finding-decided finding-lapsed
        nothing-changed nothing-corrected only-prepared place-not-written nothing-to-check not-assigned already-solved
        already-screened nothing-screened
        screening-outdated already-upheld already-ordered already-unsolved not-published not-resolved not-submitted
        nothing-to-deliver channel-ended speaker-ended channel-there delivered-already
        conference-over promise-passed not-to-be-given not-scheduled no-alert
        gate-not-open only-drafts published-already still-open ended matter-ended withdrawn words-erased erased
        approvals-unsigned approvals-unproven
        key-shown-already lesson-settled words-erased-already already-under-pack rejected""",
    "a rule of the product itself, which holds in every office: README, and the records of decisions": """
        differs-from-approved posted-text-differs account-of-facts account-too-early
        facts-not-established cause-not-established differs-from-fact differs-from-statement free-number free-office
        handled-by-you finding-asked-by-you finding-proposed-by-you unit-speaks-itself
        remedy-by-you own-post referral-proposed-by-you findings-needed
        last-report linked-to-itself part-of-itself merge-into-itself not-its-report
        clarification-owed not-investigated outcome-unexplained plan-not-followed not-handled merge-into-screened
        exercise-stays peer-unknown message-unproven message-misaddressed not-handed-to-peer
        other-reports-stay
        own-request asked-by-you erasure-asked-by-you erase-the-report drill-office drill-and-real""",
    "who may do what in which unit: the table of rights, and the tree of units": """
        other-checker other-speaker speaker-changed not-fixed-to-speak not-its-post body-not-a-post
        no-right other-office value-set-above head-designates nothing-above offered-aside delegated-elsewhere
        not-its-incident no-longer-its-incident not-above follow-up-elsewhere officer-elsewhere body-as-post
        post-elsewhere
        delegation-ends-early body-with-roles duty-post-without-body member-unknown not-one-head post-without-unit
        superior-of-root several-roots no-unit-left unit-in-ring unit-needs-parent unit-parent-missing unit-parent-wrong
        unit-place-changed unit-below-exercises unit-changes-later unit-code-used unit-has-matters unit-has-units
        unit-there admin-needed head-needed unit-place-ended unit-placed-twice""",
    "the report itself names its addressee, also where no rule asked for it": "other-addressee",
    "the plan of duties": """
        duty-begun duty-overlaps duty-taken no-duty-now not-on-duty no-next-duty duty-too-far duty-too-long
        post-not-for-desk period-open period-not-open""",
    "the versions of packs, and not what one of them says": """
        lesson-of-another-pack pack-loaded pack-unusable pack-assigned pack-changed pack-not-effective pack-not-loaded
        pack-unknown""",
    "what another system sent, and records that wait for a person who operates the product": """
        id-taken source-taken record-fails-again record-on-own-topic record-settled""",
}
"""Why a kind of refusal names no rule -> the codes."""


def names_a_rule() -> dict[str, dict[str, bool]]:
    """Code -> each place that raises it, and whether it brings `rule` and `pack`."""
    found: dict[str, dict[str, bool]] = defaultdict(dict)
    for one in raised():
        found[one.code or one.kind.usual][one.place] = {"rule", "pack"} <= one.members
    for code, place, brings in _on_limits():
        found[code][place] = brings
    return found


def _on_limits() -> Iterator[tuple[str, str, bool]]:
    """The refusals on a limit, which one function makes. It always brings the pack."""
    path = ROOT / "services/escalation/rights.py"
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_refused":
            assert isinstance(node.args[0], ast.Constant), node.lineno
            brings = any(word.arg == "rule" for word in node.keywords)
            yield str(node.args[0].value), f"{path.relative_to(ROOT)}:{node.lineno}", brings


NAMING, CODES = names_a_rule(), [code for codes in UNRULED.values() for code in codes.split()]


@pytest.mark.parametrize("code", [code for code, kind in TYPES.items() if kind.status in JUDGED])
def test_a_refusal_names_its_rule_everywhere_or_says_here_why_it_has_none(code: str) -> None:
    without = [place for place, brings in NAMING[code].items() if not brings]
    if code in CODES:
        ruled = sorted(set(NAMING[code]) - set(without))
        assert not ruled, f"{code} names its rule at {', '.join(ruled)}; take it out of UNRULED"
    else:
        assert NAMING[code], f"{code}: only a model raises it; give its reason in UNRULED"
        assert not without, f"{code}: name `rule` and `pack` at {', '.join(without)}, or give a reason in UNRULED"


def test_each_code_has_one_reason_and_is_a_refusal_that_exists() -> None:
    assert sorted(set(CODES)) == sorted(CODES)
    assert [code for code in CODES if code not in TYPES or TYPES[code].status not in JUDGED] == []
