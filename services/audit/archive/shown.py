"""What the masked record of a matter shows. Everything else stands with its entry, without its content.

An event is proven by the digest of all its bytes, so it is shown whole or not at all: if each of its fields is listed
here. A type or a field that comes later is withheld until somebody decides that it is shown, and writes it here. Events
of reports, which are those of citizens, and of operation are never shown.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from schemas import catalogue
from schemas.envelope import Event

# `by` tells the persons at a post apart within one stream; no two streams share it, and it names nobody.
ENVELOPE = frozenset(
    {
        "specversion",
        "id",
        "source",
        "type",
        "subject",
        "time",
        "recordedtime",
        "dataschema",
        "partitionkey",
        "streamversion",
        "previousdigest",
        "correlationid",
        "causationid",
        "actor",
        "by",
        "unit",
        "policy",
        "basis",
        "drill",
        "data",
    }
)
WORDS = "&"
"""Stands behind a field that refers to words: their reference and digest are shown, which are not the words."""
_FIELDS: Mapping[str, str] = {
    "clock.annulment_asked.v1": "by clock reason&",
    "clock.approval_awaited.v1": "event of proposal record unit who",
    "clock.asker_told.v1": "clock way",
    "clock.breach_annulled.v1": "by cause clock reason&",
    "clock.breached.v1": "clock detected_at due incomplete next_at unit",
    "clock.cancelled.v1": "cause clock",
    "clock.decision_confirmed.v1": "by decision late_reason&",
    "clock.decision_proposed.v1": "by decides decision late_reason& reason& took_part unit yes",
    "clock.decision_recorded.v1": "decides decision late_reason& reason& took_part unit yes",
    "clock.deferral_refused.v1": "clock post reason&",
    "clock.deferral_requested.v1": "by clock plan& review",
    "clock.deferred.v1": "clock post reason& review",
    "clock.extended.v1": "clock due notice& original post previous reason&",
    "clock.extension_refused.v1": "clock post reason&",
    "clock.extension_requested.v1": "by clock due reason&",
    "clock.lead_accepted.v1": "late_reason& unit who",
    "clock.lead_asked.v1": "late_reason& of reason& unit who",
    "clock.lead_taken.v1": "late_reason& reason& unit who",
    "clock.limit_set.v1": "clock due previous reason&",
    "clock.met.v1": "clock happened_at late met_at",
    "clock.milestone_reached.v1": (
        "answer_kind category channel event facts.incident facts.key facts.version form happened_at hop incident "
        "known_at level levels.known_at levels.level milestone policy rank recorded_at statement to unit until"
    ),
    "clock.notice_delivered.v1": "attempt notice place post unit way",
    "clock.notice_failed.v1": "attempt error notice place post unit way",
    "clock.notice_given.v1": "due late_reason& notice text& to unit",
    "clock.notice_part_written.v1": "late_reason& notice part text& unit",
    "clock.office_informed.v1": "addressee late_reason& report text& to unit",
    "clock.paused.v1": "clock due reason text&",
    "clock.receipt_given.v1": "late_reason& report unit",
    "clock.receipt_refused.v1": "late_reason& reason& report unit",
    "clock.reminder_sent.v1": "clock due next_at rung told unit",
    "clock.reminder_spared.v1": "clock due next_at rung unit",
    "clock.reported_upward.v1": (
        "addressee edition form hop late_reason& level notice proposal& report review text& to unit unverified"
    ),
    "clock.resumed.v1": "clock",
    "clock.started.v1": "clock counts_work due due_is_late first_answer paused_at policy provisional since unit warns",
    "clock.warned.v1": "clock due unit",
    "finding.computed.v1": (
        "beyond clock count done_at due events.event events.position finding incident incomplete log_size record "
        "rule sign since unit"
    ),
    "finding.confirmed.v1": "by reason& unit",
    "finding.decision_asked.v1": "by confirms reason&",
    "finding.lapsed.v1": "cause event.event event.position",
    "finding.office_heard.v1": "answered by text& unit",
    "finding.proposed.v1": (
        "beyond by clock count done_at due events.event events.position finding hear_by incident incomplete "
        "log_size reason& record rule sign since unit"
    ),
    "finding.rejected.v1": "by reason& unit",
    "incident.absorbed.v1": (
        "designates discovered_at dispatches entered_late handled incident instructed refused reports returns round "
        "verified_by"
    ),
    "incident.accepted.v1": "late_reason& taken_from unit",
    "incident.answer_judged.v1": "answer helps report",
    "incident.assessed.v1": "cause& impact& late_reason& trend& truth&",
    "incident.assigned.v1": "designated_by due late_reason& reason& share& taken_from unit",
    "incident.categorized.v1": "category previous reason& taken_from",
    "incident.clarification_opened.v1": "cause unit",
    "incident.classified.v1": "answer_kind late_reason& taken_from",
    "incident.closed.v1": "evaluated_by late_reason& missing reason&",
    "incident.delay_explained.v1": "late_reason& text&",
    "incident.dismissed.v1": "report_count",
    "incident.doubt_judged.v1": "doubtful reason& taken_from",
    "incident.explained.v1": "late_reason& text& to",
    "incident.explanation_ordered.v1": "due late_reason& post proposed_reply text& unit",
    "incident.fact_established.v1": "at code evidence key kind late_reason& number source& words& yes",
    "incident.fact_revised.v1": "at code evidence key kind late_reason& number source& words& yes",
    "incident.flag_cleared.v1": "flag reason&",
    "incident.flag_set.v1": "flag late_reason& reason& taken_from",
    "incident.followed_up.v1": "ends late_reason& text&",
    "incident.graded.v1": "known_at late_reason& level proposed rank reason& rule taken_from",
    "incident.handling_recorded.v1": "closing statement text& track",
    "incident.harm_judged.v1": "harm late_reason& reason& taken_from",
    "incident.help_accepted.v1": "late_reason& unit",
    "incident.help_completed.v1": "late_reason& text& unit",
    "incident.help_requested.v1": "due text& unit",
    "incident.help_returned.v1": "late_reason& reason& unit",
    "incident.instruction_given.v1": "late_reason& post text&",
    "incident.left_unsolved.v1": "due late_reason& outcome text&",
    "incident.levels_known.v1": "levels.known_at levels.level",
    "incident.linked.v1": "kind reason& to",
    "incident.material_received.v1": "file late_reason& sealed signed signed_by unit",
    "incident.measure_approved.v1": "late_reason& measure& proposal",
    "incident.meeting_held.v1": "late_reason& meeting minutes& release_group spokesperson took_part units",
    "incident.merged.v1": "into reason&",
    "incident.offered.v1": "reason& to",
    "incident.opened.v1": (
        "category channel discovered_at entered_late handed.matter handed.of handed.sent match_key number place& "
        "place_key policy relates_to report split_from subject& text& unit"
    ),
    "incident.passed_upward.v1": "designates late_reason& reason& unit",
    "incident.plan_made.v1": "due late_reason& post text& unit",
    "incident.plan_started.v1": "late_reason& plan",
    "incident.policy_moved.v1": "known_at level policy previous rank reason&",
    "incident.proposal_approved.v1": "by last next post proposal reason& step took_part who",
    "incident.proposal_referred.v1": "by post proposal reason& step to who",
    "incident.proposal_rejected.v1": "by proposal reason& step",
    "incident.proposal_withdrawn.v1": "cause proposal",
    "incident.proposed.v1": (
        "by chain late_reason& major_information of proposal secret steps.code steps.needs steps.quorum steps.who "
        "text& to"
    ),
    "incident.reach_counted.v1": "clicks comments counted_at mainstream_sites report shares taken_from",
    "incident.regraded.v1": "known_at late_reason& level previous previous_rank proposed rank reason& rule taken_from",
    "incident.reopened.v1": "discovered_at late_reason& reason& report round",
    "incident.replied.v1": "late_reason& text&",
    "incident.report_attached.v1": "category discovered_at entered_late place_key report unit",
    "incident.report_detached.v1": "report to",
    "incident.report_refused.v1": "by post report",
    "incident.resolved.v1": "follows_up late_reason& reason&",
    "incident.returned.v1": "designates ground late late_reason& reason& returns unit",
    "incident.round_declined.v1": "reason& report",
    "incident.screened.v1": "by ground needs_reply post reason& report report_count",
    "incident.screening_reviewed.v1": "by reason& upheld",
    "incident.solved.v1": "late_reason& outcome text&",
    "incident.split.v1": "into match_keys reports",
    "incident.team_named.v1": "deputy head late_reason& members",
    "incident.handed_over.v1": "reason& reports.report reports.subject reports.text subject& to",
    "incident.peer_told.v1": "about matter said text& to",
    "incident.peer_heard.v1": "about message of said text&",
    "message.received.v1": "about event incident matter of proof report said sent text&",
    "delivery.taken.v1": (
        "incident key receipt.at receipt.by receipt.digest receipt.record receipt.sent receipt.to signature to"
    ),
    "delivery.refused.v1": "cause incident sent status to",
    "incident.transferred.v1": "late_reason& previous reason& unit",
    "incident.unit_explained.v1": "late_reason& proposed_reply& text& unit",
    "incident.verification_concluded.v1": "late_reason& outcome taken_from text& unit",
    "incident.verification_requested.v1": "due taken_from text& unit",
    "press.conference_called.v1": "at by conference place& reason& unit",
    "press.conference_cancelled.v1": "by conference reason& unit",
    "press.conference_held.v1": "by conference late_reason& record& spoke statement text& unit",
    "press.conference_postponed.v1": "at by conference place& reason& unit",
    "press.contact_logged.v1": "by how late_reason& medium& spoke statement text& unit what",
    "press.speakers_fixed.v1": "approves by interviews reason& speaks unit",
    "review.adopted.v1": "by edition log_size",
    "review.drafted.v1": "cause edition incident log_size of.event of.position round unit",
    "review.edited.v1": "by edition english& log_size text&",
    "review.evaluated.v1": "conclusion evaluation judgement& took_part",
    "review.evaluation_convened.v1": "at evaluation experts& members units",
    "review.lesson_assigned.v1": "due kind lesson numbered post text& unit",
    "review.lesson_done.v1": "lesson text&",
    "review.lesson_dropped.v1": "lesson reason&",
    "review.lesson_followed_up.v1": "lesson text&",
    "statement.approved.v1": (
        "by last major_information next post reason& secret signature.key signature.post signature.value step "
        "subject took_part who"
    ),
    "statement.checked.v1": "by gate items passed post reason& submission",
    "statement.corrected.v1": (
        "attachments.file attachments.media_type attachments.sha256 attachments.size attachments.title "
        "attachments.title_salt by channels reason signature.key signature.post signature.value text title "
        "used.incident used.key used.version waived&"
    ),
    "statement.delivered.v1": "address& attempt by channel release report via",
    "statement.delivery_failed.v1": "attempt channel error next_at release",
    "statement.delivery_retried.v1": "by channel release",
    "statement.drafted.v1": (
        "by draft& facts form incident kind major_information next_at number prepared secret title& unit waived&"
    ),
    "statement.file_attached.v1": "by file media_type pages persons sha256 size title&",
    "statement.file_covered.v1": "areas by file sha256 size stored",
    "statement.file_detached.v1": "by file",
    "statement.notice_drafted.v1": "by draft& major_information number secret title& unit",
    "statement.notice_published.v1": (
        "approvals.act approvals.at approvals.by approvals.post approvals.signature.key approvals.signature.post "
        "approvals.signature.value approvals.step approvals.to approvals.took_part approvals.version approvals.who "
        "attachments.file attachments.media_type attachments.sha256 attachments.size attachments.title "
        "attachments.title_salt by channels signature.key signature.post signature.value steps.code steps.needs "
        "steps.quorum steps.who submission.separated submission.text submission.text_salt submission.title "
        "submission.title_salt submission.version submission.writers text title unit"
    ),
    "statement.published.v1": (
        "approvals.act approvals.at approvals.by approvals.post approvals.signature.key approvals.signature.post "
        "approvals.signature.value approvals.step approvals.to approvals.took_part approvals.version approvals.who "
        "attachments.file attachments.media_type attachments.sha256 attachments.size attachments.title "
        "attachments.title_salt by channels facts form incident kind next_at signature.key signature.post "
        "signature.value steps.code steps.needs steps.quorum steps.who submission.separated submission.text "
        "submission.text_salt submission.title submission.title_salt submission.version submission.writers text "
        "title unit used.incident used.key used.version"
    ),
    "statement.referred.v1": "by post reason& signature.key signature.post signature.value step subject to who",
    "statement.rejected.v1": (
        "by major_information reason& secret signature.key signature.post signature.value step subject"
    ),
    "statement.revised.v1": "by draft& facts form major_information next_at secret title& waived&",
    "statement.scheduled.v1": "at by",
    "statement.submitted.v1": (
        "by chain gates.code gates.needs gates.quorum gates.who level steps.code steps.needs steps.quorum steps.who "
        "text& title& unit used.incident used.key used.version"
    ),
    "statement.unscheduled.v1": "by",
    "statement.withdrawn.v1": "by channels reason signature.key signature.post signature.value",
}


def _with_parents(fields: str) -> frozenset[str]:
    """The fields, and with a dot behind them those and their objects, which may be empty."""
    found = fields.split()
    names = [name.removesuffix(WORDS).split(".") for name in found]
    return frozenset([*found, *(".".join([*name[:end], ""]) for name in names for end in range(1, len(name) + 1))])


SHOWN = {f"{catalogue.PREFIX}{name}": _with_parents(fields) for name, fields in _FIELDS.items()}
"""Type -> the fields that are shown. A field of an object stands behind the object's name and a dot."""


def is_shown(event: Event) -> bool:
    """Whether the masked record shows the content of an event."""
    fields = SHOWN.get(event.type)
    return (
        fields is not None
        and event.attributes.keys() <= ENVELOPE
        and all(path in fields for path in _paths(event.attributes["data"], ""))
    )


def _paths(value: Any, name: str) -> Iterator[str]:
    """The names of all fields in every depth, with a dot behind those that hold nothing."""
    if (
        isinstance(value, dict)
        and value.keys() == {"ref", "digest"}
        and all(isinstance(v, str) for v in value.values())
    ):
        yield name + WORDS
    elif isinstance(value, dict) and value:
        for inner, of in value.items():
            yield from _paths(of, f"{name}.{inner}" if name else inner)
    elif isinstance(value, list) and value:
        for of in value:
            yield from _paths(of, name)
    elif name:
        yield f"{name}." if isinstance(value, dict | list) else name
