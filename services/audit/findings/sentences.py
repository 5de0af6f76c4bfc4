"""One sentence that explains a finding, in Chinese or in English, made only of codes, numbers and times."""

from datetime import timedelta

from schemas.envelope import Event
from schemas.findings import FindingMade
from services.audit.findings.readings import NAMED
from services.audit.summaries import Names, filled

EXPLANATIONS: dict[str, str] = {
    "late_report": "{unit}未在 {due} 前完成“{clock}”[，{done_at}才完成]"
    "|{unit} did not report ({clock}) by {due}[, only on {done_at}]",
    "receipt_missed": "“{clock}”已按时报出，{unit}到 {due} 没有签收[，{done_at}才签收]"
    "|the report ({clock}) was sent in time, and {unit} gave no receipt by {due}[, only on {done_at}]",
    "late_reply": "{unit}未在 {due} 前完成“{clock}”[，{done_at}才完成]"
    "|{unit} did not answer ({clock}) by {due}[, only on {done_at}]",
    "corrected_late": "事实更正后，{unit}到 {due} 没有更正已发布的说明[，{done_at}才更正]"
    "|a fact was revised, and {unit} had not corrected its statement by {due}[, only on {done_at}]",
    "erased_in_limit": "时限“{clock}”（{due} 到期）尚未完成，{unit}于 {done_at} 删除了文字"
    "|{unit} deleted words on {done_at} while the limit {clock} (due {due}) ran",
    "duty_gap": "{unit}自 {since} 至 {due} 无人值班|nobody was on duty for {unit} from {since} until {due}",
    "answer_apart": "{unit}办理和答复相隔 {count} 小时才开始，超过 {beyond} 小时"
    "|{unit} began handling and answering {count} hours apart, more than {beyond}",
    "separation_attempt": "{unit}有人写了稿件又要审核，系统没有允许"
    "|somebody of {unit} tried to approve what the same person wrote, which was refused",
    "supervised": "{unit}的时限“{clock}”已于 {due} 到期，到督办时仍未完成"
    "|{unit} had not met the limit {clock}, due {due}, when it came under supervision",
    "came_back": "事项办结后又重启，已是第 {count} 轮；满 {beyond} 轮即为处置不力"
    "|the matter came back after it was resolved; this is round {count}, and {beyond} rounds count",
    "never_reported": "{unit}经本单位渠道收到反映，“{clock}”应于 {due} 前完成，始终没有上报"
    "|a report reached {unit} through its own channel and was never passed on ({clock}, due {due})",
    "changed_after_limit": "“{clock}”应于 {due} 前完成，{unit}在上报之前更改了已查明的事实"
    "|{unit} changed an established fact after the limit for {clock}, {due}, and before it reported",
    "known_before": "{unit}登记时，按其获知时间“{clock}”早已到期（{due}）"
    "|when {unit} wrote the matter down, the limit for {clock} had passed already ({due})",
    "grade_lowered": "“{clock}”将于 {due} 到期，{unit}于 {done_at} 降低等级，因而不再上报"
    "|{unit} lowered the grade on {done_at}, before {clock} was due on {due}, so that it was owed no more",
    "known_elsewhere": "其他单位先有记录，{unit}后来登记的获知时间却更早（“{clock}”应于 {due} 前完成）"
    "|another unit recorded it first, and {unit} says now that it knew before ({clock}, due {due})",
    "returned_late": "{unit}在退回期限之后退回事项|{unit} gave the matter back after the limit for it",
    "returned_again": "{unit}退回同一事项 {count} 次，满 {beyond} 次即为不予配合"
    "|{unit} gave the matter back {count} times; {beyond} count",
    "silent": "时限“{clock}”于 {due} 到期，{unit}到通报时既未完成也未说明"
    "|{unit} neither met the limit {clock}, due {due}, nor explained itself until the circular",
    "notice_unanswered": "{unit}到 {due} 没有报告整改情况|{unit} had not answered the notice by {due}",
    "same_text": "{unit}发布的说明与另一事项的说明有 {count}% 相同，满 {beyond}% 即为敷衍"
    "|the statement of {unit} is the same as one on another matter to {count} per cent; {beyond} count",
    "no_fact": "{unit}没有查明任何事实就作了答复|{unit} answered without any established fact",
    "reviewer": "督查员提请认定{unit}：{finding}|an auditor proposed to find about {unit}: {finding}",
}
"""The finding, or its sign where one kind has several -> `Chinese|English`."""
LATE = ("late_report", "receipt_missed", "late_reply", "corrected_late")
"""Those that say how late something was done."""
INCOMPLETE = "（判定逾期时有的记录尚未收到）", " (events were missing when the limit was judged)"


def explained(event: Event, names: Names) -> str:
    """The explanation of the finding that an event made."""
    made: FindingMade = event.data
    key = made.sign if made.sign in EXPLANATIONS else made.finding
    more = INCOMPLETE[0 if names.language == "zh" else 1] if made.incomplete else ""
    added = {}
    if key in LATE and made.due is not None and made.done_at is not None:
        added["done_at"] = _late(made.done_at - made.due, names)
    return filled(EXPLANATIONS[key], event, names, added) + more


def _late(late: timedelta, names: Names) -> str:
    """How late something was done: limits are minutes, so the two times alone may look the same."""
    seconds = int(late.total_seconds())
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    zh, en = next(
        (
            (f"{count} {chinese}", f"{count} {english}{'s' if count > 1 else ''}")
            for count, chinese, english in (
                (days, "天", "day"),
                (hours, "小时", "hour"),
                (minutes, "分钟", "minute"),
                (seconds, "秒", "second"),
            )
            if count >= (2 if chinese in ("天", "小时") else 1)
        ),
        ("不足 1 秒", "less than a second"),
    )
    return f"（迟 {zh}）" if names.language == "zh" else f" ({en} late)"


def reading(rule: str) -> tuple[str, str, str] | None:
    """Titles in Chinese and English and the reason of a reading of our own; None for a rule of a pack."""
    found = NAMED.get(rule)
    return found and (found[1], found[2], found[0].source.reason or "")
