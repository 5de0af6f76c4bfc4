"""One sentence for each type of event, in Chinese or in English, made only of codes, numbers and times.

No typed word and no published text ever stands in a summary. Codes appear by their titles.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any, Protocol

from schemas import catalogue
from schemas.envelope import Event
from schemas.fields import parse_instant
from schemas.pack import PolicyPack
from schemas.titles import BETWEEN as BETWEEN_TITLES
from schemas.titles import Language, form_titled, titled
from services.audit.archive import parts
from services.kernel.core.units import Offices

NOTHING = "—"
OPTIONAL = re.compile(r"\[([^\]]*)\]")
APPROVALS = (
    "statement.approved",
    "incident.proposal_approved",
    "clock.extended",
    "clock.extension_refused",
    "clock.deferred",
    "clock.deferral_refused",
)
BETWEEN = frozenset(
    {
        *("incident.handed_over", "incident.peer_told", "incident.peer_heard"),
        *("message.received", "delivery.taken", "delivery.refused"),
    }
)
"""The types whose `to` and `of` name another deployment, which may have the code of a unit here."""
REVIEW = ".review"
REVIEWS = ("（复查）", " (review)")
MARKS = {"provisional": ("（暂定）", " (provisional)"), "late": ("（逾期）", " (late)")}
"""What is said only where it is so."""
YES_NO = {True: ("是", "yes"), False: ("否", "no")}
TEMPLATES: dict[str, str] = {
    "report.received": "{unit}经{channel}收到反映|{unit} received a report through {channel}",
    "report.reach_measured": "传播量：[点击 {clicks} ][评论 {comments} ][主流网站 {mainstream_sites} ][转发 {shares}]"
    "|reach:[ {clicks} clicks][ {comments} comments][ {mainstream_sites} mainstream sites][ {shares} shares]",
    "report.evidence_attached": "附上证据（{media_type}，{size} 字节）|evidence attached ({media_type}, {size} bytes)",
    "report.refused": "决定不予答复|it was decided not to answer",
    "report.helpfulness_given": "反映人评价答复有用：{helps}|the asker said whether the answer helped: {helps}",
    "report.erasure_asked": "申请删除内容（{cause}）|deleting the words was asked for ({cause})",
    "words.erasure_asked": "申请删除{stream}的文字（{cause}）|deleting words of {stream} was asked for ({cause})",
    "words.erased": "{stream}的文字已删除（{cause}）|words of {stream} were erased ({cause})",
    "report.erased": "内容已删除（{cause}）|the words were erased ({cause})",
    "outage.found": "{site}{trouble}：自 {since}，{symptom}[（HTTP {status}）][，{statement}]"
    "|{site} {trouble} since {since}: {symptom}[ (HTTP {status})][, {statement}]",
    "outage.confirmed": "另一探测点也见到{site}{trouble}：自 {since}[ 至 {until}]，{symptom}，共 {probes} 个探测点"
    "|another probe saw {site} {trouble} since {since}[ until {until}]: {symptom}; probes so far: {probes}",
    "outage.receded": "一个探测点见到{site}在 {until} 恢复，其他探测点仍见到{trouble}"
    "|a probe saw {site} restored at {until}, others still see it {trouble}",
    "outage.ended": "{site}恢复正常：{trouble}，自 {since} 至 {until}"
    "|{site} is as it should be again; {trouble} from {since} until {until}",
    "incident.opened": "{unit}立案，{discovered_at} 获知|opened for {unit}, known since {discovered_at}",
    "incident.report_attached": "并入同一事项的反映|a further report was attached",
    "incident.report_detached": "移出另一事项的反映|a report of another matter was detached",
    "incident.instruction_given": "领导批示[（{post}）]|a leader gave an instruction[ ({post})]",
    "incident.verification_requested": "要求{unit}核实[，{due} 前报结论]|{unit} was asked to verify[ by {due}]",
    "incident.verification_concluded": "{unit}核实结论：{outcome}|{unit} concluded the verification: {outcome}",
    "incident.clarification_opened": "须由{unit}准备澄清（{cause}）|{unit} is to prepare a clarification ({cause})",
    "incident.assessed": "研判：成因、真实性、走势和影响|assessed: cause, truth, trend and impact",
    "incident.help_requested": "请{unit}协办[，{due} 前完成]|{unit} was asked to help[ by {due}]",
    "incident.help_accepted": "{unit}签收协办任务|{unit} confirmed its share",
    "incident.help_returned": "{unit}退回协办任务|{unit} gave its share back",
    "incident.help_completed": "{unit}完成协办任务|{unit} has done its share",
    "incident.fact_established": "查明事实 {key}|fact {key} established",
    "incident.fact_revised": "更正事实 {key}|fact {key} revised",
    "incident.classified": "答复类型：{answer_kind}|classified: {answer_kind}",
    "incident.categorized": "归类：{category}[（原类别：{previous}）]|category {category}[ (before: {previous})]",
    "incident.graded": "定级：{level}|graded {level}",
    "incident.regraded": "改级：{previous} 改为 {level}|regraded from {previous} to {level}",
    "incident.levels_known": "可知等级：{levels}|levels known: {levels}",
    "incident.reach_counted": "传播量增至：[点击 {clicks} ][评论 {comments} ]"
    "[主流网站 {mainstream_sites} ][转发 {shares}]"
    "|reach grew:[ {clicks} clicks][ {comments} comments][ {mainstream_sites} mainstream sites][ {shares} shares]",
    "incident.flag_set": "设置标识 {flag}|flag {flag} set",
    "incident.flag_cleared": "取消标识 {flag}|flag {flag} cleared",
    "incident.harm_judged": "判定危害：{harm}|harm judged: {harm}",
    "incident.doubt_judged": "判定存疑：{doubtful}|doubt judged: {doubtful}",
    "incident.assigned": "交{unit}办理[，由{designated_by}指定][，{due} 前办结]"
    "|assigned to {unit}[, designated by {designated_by}][, due {due}]",
    "incident.accepted": "{unit}接办|{unit} accepted",
    "incident.returned": "{unit}第 {returns} 次退回{late}[（{ground}）][，由{designates}指定承办]"
    "|{unit} gave it back{late}, return no. {returns}[ ({ground})][; {designates} designates]",
    "incident.transferred": "由{previous}移交{unit}|transferred from {previous} to {unit}",
    "incident.handed_over": "移交 {to}，待其接收|handed over to {to}, which is to accept",
    "incident.peer_told": "告知 {to}：{said}|{to} was told: {said}",
    "incident.peer_heard": "{of} 告知：{said}|{of} said: {said}",
    "message.received": "收到 {of} 的消息（{said}），签名和证明成立|a message of {of} came ({said}), signed and proven",
    "delivery.taken": "{to} 收到消息，并签了回执|{to} took the message in and signed a receipt",
    "delivery.refused": "{to} 拒收消息（{cause}）|{to} refused the message ({cause})",
    "incident.team_named": "成立专班：组长 {head}[，副组长 {deputy}][，成员 {members}]"
    "|team named: head {head}[, deputy {deputy}][, members {members}]",
    "incident.plan_made": "制定办理方案：{unit}，{post}，{due} 前|plan made: {unit}, {post}, by {due}",
    "incident.passed_upward": "{unit}提请 {designates} 解决|{unit} passed the matter upward to {designates}",
    "incident.plan_started": "启动预案 {plan}|plan {plan} started",
    "incident.meeting_held": "{meeting}：{units}，参加 {took_part}"
    "[；发布小组：{release_group}][；发言人：{spokesperson}]"
    "|{meeting} of {units} with {took_part}[; release group: {release_group}][; spokesperson: {spokesperson}]",
    "incident.proposed": "提出第 {proposal} 号{of}，待审定|{of} no. {proposal} proposed for approval",
    "incident.proposal_approved": "第 {proposal} 号审批通过（{step}，{post}）|no. {proposal} approved ({step}, {post})",
    "incident.proposal_referred": "第 {proposal} 号转请{to}审定（{step}）|no. {proposal} referred to {to} ({step})",
    "incident.proposal_rejected": "第 {proposal} 号审批退回（{step}）|no. {proposal} rejected ({step})",
    "incident.proposal_withdrawn": "事项{cause}，第 {proposal} 号未经审定，撤回"
    "|no. {proposal} withdrawn: the matter is {cause}",
    "incident.measure_approved": "第 {proposal} 号措施经审定|measure no. {proposal} was approved",
    "incident.material_received": "收到{unit}材料（签字 {signed}[，{signed_by}]，盖章 {sealed}）"
    "|material of {unit} received (signed {signed}[, {signed_by}], sealed {sealed})",
    "incident.explained": "已解释（{to}）|explained ({to})",
    "incident.replied": "已回复|replied",
    "incident.solved": "问题已解决（{outcome}）|the problem is solved ({outcome})",
    "incident.left_unsolved": "问题未能解决：{outcome}[（计划日期：{due}）]"
    "|left unsolved: {outcome}[ (planned for {due})]",
    "incident.screened": "甄别：须答复 {needs_reply}[（理由：{ground}）]"
    "|screened: needs a reply {needs_reply}[ ({ground})]",
    "incident.screening_reviewed": "复核不予答复：同意 {upheld}|no reply reviewed, upheld: {upheld}",
    "incident.explanation_ordered": "责成{unit}说明情况（回复意见 {proposed_reply}[，限期 {due}][，{post}]）"
    "|{unit} was ordered to explain (proposed reply {proposed_reply}[, by {due}][, {post}])",
    "incident.unit_explained": "{unit}作出情况说明|{unit} explained the matter to the office",
    "incident.delay_explained": "说明延误|delay explained",
    "incident.policy_moved": "改用制度 {policy}（原为 {previous}）|moved to the pack {policy} from {previous}",
    "incident.handling_recorded": "记录办理（{track}）|handling recorded ({track})",
    "incident.resolved": "办结[（跟踪：{follows_up}）]|resolved[ (followed up by {follows_up})]",
    "incident.followed_up": "回访[（终结：{ends}）]|followed up[ (end: {ends})]",
    "incident.answer_judged": "反映人评价答复有用：{helps}|the asker said whether the answer helped: {helps}",
    "incident.round_declined": "答复被评无用，决定不再办理|it was decided to open no round of its own",
    "incident.reopened": "第 {round} 轮办理[，{discovered_at} 获知]|round {round}[, known since {discovered_at}]",
    "incident.closed": "结案[，结案人申报归档缺：{missing}][，结案人填报由{evaluated_by}评估]"
    "|closed[, stated as lacking in the file: {missing}][, stated as evaluated by {evaluated_by}]",
    "incident.report_refused": "一件反映决定不予答复|a report of the matter gets no answer",
    "incident.dismissed": "不予答复，终止办理|ended without an answer",
    "incident.merged": "并入 {into}|merged into {into}",
    "incident.linked": "与 {to} 判断为：{kind}|linked to {to}: {kind}",
    "incident.offered": "提请{to}判断是否同一事项|offered to {to}, which has something similar",
    "incident.absorbed": "并入了 {incident}|absorbed {incident}",
    "incident.split": "拆分至 {into}|split into {into}",
    "policy.pack_loaded": "载入规则 {pack}@{version}[（回应经验教训：{lessons}）]"
    "|pack {pack}@{version} loaded[ (answers lessons: {lessons})]",
    "policy.lesson_recorded": "{unit}记录第 {lesson} 号经验教训，建议修改 {pack}@{version}"
    "|{unit} recorded lesson {lesson}, a change of {pack}@{version}",
    "policy.lesson_declined": "第 {lesson} 号经验教训不修改规则|lesson {lesson} changes no pack",
    "policy.pack_assigned": "{unit}自 {since} 适用 {policy}|{unit} works by {policy} from {since}",
    "policy.value_set": "{unit}填写 {pack} 的 {place}，自 {since}|{unit} set {place} of {pack} from {since}",
    "policy.period_opened": "{unit}自 {since} 进入特殊时期 {period}|{unit}: special period {period} from {since}",
    "policy.period_closed": "{unit}特殊时期 {period} 至 {until} 结束|{unit}: special period {period} ends at {until}",
    "unit.placed": "{unit}隶属{parent}，自 {since}|{unit} stands under {parent} from {since}",
    "unit.post_placed": "{unit}设岗位 {title}（{code}），自 {since}|{unit} has the post {code} ({title}) from {since}",
    "unit.days_set": "{unit}设定 {since} 至 {until} 的工作日或作息时间|{unit}: own days from {since} to {until}",
    "unit.site_named": "网站命名为{name}|the pages were named {name}",
    "unit.token_revoked": "令牌 {token} 已注销|the token {token} was revoked",
    "unit.officer_named": "{unit}指定信息员 {post}|{unit} named {post} its information officer",
    "unit.access_changed": "登录账号{change}（岗位：{posts}）|an account of staff: {change} (posts: {posts})",
    "unit.delegation_given": "{unit}：{post} 委托 {to}，至 {until}|{unit}: {post} delegated to {to} until {until}",
    "unit.delegation_ended": "{unit}：{post} 对 {to} 的委托结束|{unit}: delegation of {post} to {to} ended",
    "clock.milestone_reached": "节点 {milestone}（{happened_at}）|milestone {milestone} at {happened_at}",
    "clock.started": "{unit}时限 {clock} 起算，{due} 到期{provisional}|"
    "clock {clock} of {unit} started, due {due}{provisional}",
    "clock.warned": "提醒{unit}：时限 {clock} 将于 {due} 到期|{unit} was warned: clock {clock} is due {due}",
    "clock.met": "时限 {clock} 完成{late}|clock {clock} met{late}",
    "clock.breached": "{unit}时限 {clock} 逾期，应于 {due}|clock {clock} of {unit} breached, was due {due}",
    "clock.annulment_asked": "申请撤销时限 {clock} 的逾期|it was asked to annul the breach of {clock}",
    "clock.breach_annulled": "撤销时限 {clock} 的逾期（{cause}）|breach of {clock} annulled ({cause})",
    "clock.limit_set": "个案时限 {clock} 定为 {due}|the limit {clock} of this matter was set to {due}",
    "clock.extension_requested": "申请将时限 {clock} 延至 {due}|an extension of {clock} to {due} was asked for",
    "clock.extension_refused": "不同意延长时限 {clock}（{post}）|the extension of {clock} was refused ({post})",
    "clock.extended": "时限 {clock} 由 {previous} 延至 {due}（{post}）|"
    "clock {clock} extended from {previous} to {due} ({post})",
    "clock.paused": "时限 {clock} 中止（{reason}）|clock {clock} paused ({reason})",
    "clock.resumed": "时限 {clock} 恢复|clock {clock} resumed",
    "clock.asker_told": "已告知提问人时限 {clock} 延期（{way}）|the asker was told of the extension of {clock} ({way})",
    "clock.deferral_requested": "申请将时限 {clock} 挂账，{review} 前复查|"
    "the deferral of clock {clock} with a review by {review} was asked for",
    "clock.deferral_refused": "不同意时限 {clock} 挂账（{post}）|the deferral of clock {clock} was refused ({post})",
    "clock.deferred": "时限 {clock} 挂账，{review} 前复查（{post}）|"
    "clock {clock} deferred, review by {review} ({post})",
    "clock.cancelled": "时限 {clock} 取消（{cause}）|clock {clock} cancelled ({cause})",
    "clock.reminder_sent": "就时限 {clock} 向{told}发出{rung}|{rung} about {clock} sent to {told}",
    "clock.reminder_spared": "就时限 {clock} 免于{rung}（{unit}已答复）|no {rung} about {clock}: {unit} had answered",
    "clock.reported_upward": "{unit}上报{to}的 {addressee}，未核实：{unverified}"
    "|{unit} reported to {addressee} of {to}, unverified: {unverified}",
    "clock.office_informed": "{unit}通报{to}的 {addressee}|{unit} informed {addressee} of {to}",
    "clock.receipt_given": "{unit}确认收到上报|{unit} confirmed the report",
    "clock.receipt_refused": "{unit}退回上报|{unit} refused the report",
    "clock.lead_asked": "{unit}请{of}牵头（{who}）|{unit} asked {of} to lead ({who})",
    "clock.lead_accepted": "{unit}同意牵头（{who}）|{unit} accepted the lead ({who})",
    "clock.lead_taken": "{unit}牵头（{who}）|{unit} took the lead ({who})",
    "clock.decision_proposed": "{unit}就是否{decides}共同研判，待各方确认：{yes}（参加：{took_part}）"
    "|{took_part} judge together whether to {decides} for {unit}, and must confirm it: {yes}",
    "clock.decision_confirmed": "确认共同研判的决定|a decision that is taken together was confirmed",
    "clock.decision_recorded": "{unit}就是否{decides}作出决定：{yes}（参加：{took_part}）"
    "|{unit} decided whether {decides}: {yes} (took part: {took_part})",
    "clock.notice_given": "{unit}向{to}下发整改通知，{due} 前报结果|{unit} gave {to} a notice, report back due {due}",
    "clock.notice_part_written": "{unit}填写整改情况（{part}）|{unit} wrote a part of its answer ({part})",
    "clock.notice_delivered": "通知经{way}送达 {post}（第 {attempt} 次）"
    "|notice delivered to {post} by {way}, try {attempt}",
    "clock.notice_failed": "通知第 {attempt} 次未能经{way}送达 {post}（{error}）"
    "|notice to {post} by {way} failed at try {attempt} ({error})",
    "clock.approval_awaited": "{of}等待{unit} {who}审定|{of} waits for the approval of {who} of {unit}",
    "post.address_set": "{post} 增设通知地址（{way}）|an address of {post} was set ({way})",
    "post.address_ended": "{post} 的一个通知地址（{way}）已删除|an address of {post} ({way}) was forgotten",
    "post.notice_delivered": "通知经{way}送达 {post}（第 {attempt} 次）"
    "|notice delivered to {post} by {way}, try {attempt}",
    "post.notice_failed": "通知第 {attempt} 次未能经{way}送达 {post}（{error}）"
    "|notice to {post} by {way} failed at try {attempt} ({error})",
    "roster.duty_planned": "{unit}值班：{post}，{since} 至 {until}|{unit}: {post} on duty from {since} until {until}",
    "roster.duty_cancelled": "{unit}取消 {post} 自 {since} 的班次"
    "|{unit}: the duty of {post} from {since} was cancelled",
    "roster.substitute_named": "{unit}指定 {substitute} 替 {post} 值 {since} 的班"
    "|{unit}: {substitute} may take up the duty of {post} from {since}",
    "roster.signed_on": "{unit}：{by} 到岗（{post}，{since} 的班）"
    "|{unit}: {by} signed on to the duty of {post} from {since}",
    "roster.duty_handed_over": "{unit}交班：{post} 至 {to}，未结事项 {open} 件"
    "|{unit}: duty passed from {post} to {to}, {open} open matters",
    "roster.duty_ended": "{unit}：{post} 的班次结束（到岗 {signed_on}，缺交班记录 {note_missing}）"
    "|{unit}: the duty of {post} ended (signed on: {signed_on}, note missing: {note_missing})",
    "roster.duty_gap_found": "{unit}值班空缺（{cause}），{since} 至 {until}[，已告知 {told}]"
    "|{unit}: gap on duty from {since} until {until} ({cause})[, told: {told}]",
    "roster.duty_gap_closed": "{unit} {since} 至 {until} 的值班空缺已补上"
    "|{unit}: the gap on duty from {since} until {until} is closed",
    "roster.report_held": "{unit}无人值班，来件留待下一班[，已告知 {told}]"
    "|{unit}: nobody on duty, a report is held for the next post[; told: {told}]",
    "roster.reachability_tested": "{unit}值班抽查 {post}（{way}）：接通 {reached}"
    "|{unit}: {post} called ({way}), reached: {reached}",
    "surge.noticed": "{unit}集中反映（{by}{incident}{category}）：自 {since} 收到 {reports} 件，平时 {usual} 件，"
    "来源 {source}，提醒 {told} 加派人手"
    "|surge at {unit} ({by} {incident}{category}): {reports} reports since {since}, usually {usual}; "
    "source {source}; {told} is advised to staff it",
    "statement.drafted": "{unit}起草说明（{kind}[，{form}]）|{unit} drafted a statement ({kind}[, {form}])",
    "statement.notice_drafted": "{unit}起草通告|{unit} drafted a notice",
    "statement.revised": "修改稿件[，改为{form}]|the draft was revised[, and is a {form} now]",
    "statement.file_attached": "附上文件（{media_type}，{size} 字节）|file attached ({media_type}, {size} bytes)",
    "statement.file_covered": "遮挡图片中的人（{areas} 处）|persons in a picture covered ({areas} places)",
    "statement.file_detached": "移除未公开的文件|a file that was never in public removed",
    "statement.submitted": "送审[：{chain}]|submitted for approval[: {chain}]",
    "statement.checked": "{gate}（{post}），通过：{passed}|{gate} ({post}), passed: {passed}",
    "statement.approved": "审批通过（{step}，{post}）|approved ({step}, {post})",
    "statement.referred": "把握不准，转请{to}审定（{step}）|referred to {to} ({step})",
    "statement.rejected": "审批退回（{step}）|rejected ({step})",
    "statement.scheduled": "定于 {at} 发布|to be published at {at}",
    "statement.unscheduled": "取消定时发布|not to be published by itself any more",
    "statement.published": "{unit}发布说明（{kind}[，{form}]）|{unit} published a statement ({kind}[, {form}])",
    "statement.notice_published": "{unit}发布通告|{unit} published a notice",
    "statement.delivered": "第 {release} 号发布已送达[渠道 {channel}][提问处（{via}）]"
    "|release {release} stands at[ channel {channel}][ the place of the question ({via})]",
    "statement.delivery_failed": "第 {release} 号发布第 {attempt} 次未能送达渠道 {channel}（{error}）"
    "|release {release} was not taken by channel {channel}, try {attempt} ({error})",
    "statement.delivery_retried": "重新发送到渠道 {channel}|to be sent again to channel {channel}",
    "channel.placed": "{unit}增加发布渠道 {code}（{kind}）|{unit} has a channel {code} ({kind})",
    "channel.changed": "更改发布渠道|the channel was changed",
    "channel.ended": "停用发布渠道（{cause}）|the channel ended ({cause})",
    "statement.corrected": "更正已发布的说明|the published statement was corrected",
    "press.speakers_fixed": "确定[发言 {speaks}][，审定 {approves}][，受访 {interviews}]"
    "|fixed:[ {speaks} speaks][; {approves} approves][; {interviews} is interviewed]",
    "press.conference_called": "定于 {at} 召开新闻发布会|a press conference was called for {at}",
    "press.conference_postponed": "新闻发布会改至 {at}|the press conference was put off to {at}",
    "press.conference_cancelled": "取消新闻发布会|the press conference was called off",
    "press.conference_held": "召开新闻发布会，{spoke} 发言|a press conference was held, {spoke} spoke",
    "press.contact_logged": "向媒体提供{what}（{how}，{spoke}）|a medium was given {what} ({how}, {spoke})",
    "statement.withdrawn": "撤回已发布的说明|the published statement was withdrawn",
    "finding.computed": "{unit}：{finding}[（{clock}）]|{unit}: {finding}[ ({clock})]",
    "finding.proposed": "提请认定{unit}{finding}，{hear_by} 前听取意见"
    "|it was proposed to find about {unit}: {finding}; it is heard until {hear_by}",
    "finding.office_heard": "{unit}陈述意见：{answered}|{unit} stated its view: {answered}",
    "finding.decision_asked": "督查员认为成立：{confirms}，待另一人同意"
    "|an auditor finds that it holds: {confirms}; another person must agree",
    "finding.confirmed": "{unit}认定成立|{unit} confirmed the finding",
    "finding.rejected": "{unit}认定不成立|{unit} rejected the finding",
    "finding.lapsed": "认定失效（{cause}）|the finding lapsed ({cause})",
    "inspection.opened": "对{unit}开始检查，查 {since} 至 {until}|an inspection of {unit} began, of {since} to {until}",
    "inspection.remark_made": "检查提出第 {remark} 项问题，{due} 前整改"
    "|remark {remark} was made, to be remedied by {due}",
    "inspection.remedy_reported": "报送第 {remark} 项问题的整改|the remedy of remark {remark} was reported",
    "inspection.remedy_accepted": "核销第 {remark} 项问题|remark {remark} is remedied",
    "inspection.remedy_returned": "退回第 {remark} 项问题的整改，{due} 前再报"
    "|the remedy of remark {remark} was sent back, due anew by {due}",
    "inspection.remark_withdrawn": "撤回第 {remark} 项问题|remark {remark} was withdrawn",
    "inspection.ended": "检查结束|the inspection ended",
    "drill.begun": "开始演练：{scenario}|a drill began: {scenario}",
    "drill.inject_sent": "投放情景：{inject}|an inject was sent: {inject}",
    "drill.ended": "演练结束（{cause}）|the drill ended ({cause})",
    "drill.scored": "演练评分|the drill was scored",
    "training.recorded": "登记 {on} 的培训：{kind}|a training of {on} was recorded: {kind}",
    "training.withdrawn": "撤回培训登记|the entry of a training was withdrawn",
    "referral.proposed": "对{unit}的一个岗位提请：{kind}|proposed on a post of {unit}: {kind}",
    "referral.post_heard": "岗位陈述意见|the post stated its view",
    "referral.passed_on": "移送{body}|passed on to {body}",
    "referral.receipt_noted": "对方已收文|the body has it",
    "referral.praised": "予以表扬|the work was praised",
    "referral.dropped": "不再移送，也不表扬|it was dropped",
    "review.drafted": "自动起草总结，第 {edition} 版（{cause}）|a review was drafted, edition {edition} ({cause})",
    "review.edited": "总结改写为第 {edition} 版|the review was written anew, edition {edition}",
    "review.adopted": "第 {edition} 版总结通过|edition {edition} of the review was adopted",
    "review.evaluation_convened": "召集{members}评估，{at} 进行[，{units}参加]"
    "|{members} were called to evaluate on {at}[, with {units}]",
    "review.evaluated": "评估结论：{conclusion}（{took_part}）|evaluated: {conclusion} ({took_part})",
    "review.lesson_assigned": "第 {lesson} 项整改交{post}，{due} 前完成[，对应第 {numbered} 号修改建议]"
    "|lesson {lesson} was assigned to {post}, due {due}[, proposal {numbered}]",
    "review.lesson_followed_up": "跟踪第 {lesson} 项整改|lesson {lesson} was followed up",
    "review.lesson_done": "第 {lesson} 项整改完成|lesson {lesson} is done",
    "review.lesson_dropped": "第 {lesson} 项不再整改|lesson {lesson} was dropped",
    "operation.key_made": "为{unit}的集成 {name} 发放密钥 {key}|key {key} made for the integration {name} of {unit}",
    "operation.key_revoked": "注销密钥 {key}|key {key} was revoked",
    "operation.import_begun": "开始为{unit}导入反映（{form}，对照表 {mapping}）"
    "|reports for {unit} began to be imported ({form}, mapping {mapping})",
    "operation.import_ended": "为{unit}导入 {rows} 行：受理 {received}，重复 {repeated}，退回 {refused}（{outcome}）"
    "|{rows} rows imported for {unit}: {received} received, {repeated} repeated, {refused} refused ({outcome})",
    "operation.form_opened": "{unit}启用网上表单|{unit} takes reports by its form",
    "operation.form_closed": "{unit}停用网上表单|{unit} takes no reports by its form any more",
    "operation.post_key_made": "岗位 {post} 启用签名密钥 {key}|{post} signs with the key {key}",
    "operation.post_key_revoked": "岗位签名密钥 {key} 作废|the key {key} of a post was revoked",
    "operation.statement_key_made": "公告栏启用签名密钥 {key}|the bulletin signs with the key {key}",
    "operation.statement_key_revoked": "公告栏注销签名密钥 {key}|the bulletin's key {key} was revoked",
    "operation.record_read": "查看 {record} 的来信原文|the words of {record} were read",
    "operation.similar_asked": "在{unit}查找疑似同一事项：{offered}"
    "|similar matters of {unit} were asked for: {offered}",
    "operation.suggested": "为 {incident} 建议类别 {category}、承办单位{unit}"
    "|suggested for {incident}: category {category}, unit {unit}",
    "operation.statistics_circulated": "{unit}通报 {year} 年度统计|{unit} circulated its table of {year}",
    "operation.analysis_commented": "对{unit} {first_month} 至 {last_month} 的分析写了意见"
    "|a comment on the analysis of {unit} from {first_month} to {last_month} was written",
    "operation.archive_sealed": "卷宗已封存[，缺{missing}][，保存至 {kept_until}]"
    "|the file was sealed[, without {missing}][, kept until {kept_until}]",
    "operation.archive_read": "查阅已封存的卷宗|the sealed file was consulted",
    "operation.timeline_exported": "办理记录已遮盖来信内容并导出，提供给{addressee}"
    "|the record, without what citizens wrote, was exported for {addressee}",
    "operation.query_saved": "{unit}存为常用查询|{unit} keeps a question to the list of matters",
    "operation.query_dropped": "{unit}删除常用查询|{unit} keeps a question to the list of matters no more",
    "operation.subscription_made": "{unit}订阅事件推送，自第 {position} 位起"
    "|{unit} subscribed to events from position {position} on",
    "operation.subscription_ended": "{unit}退订事件推送|{unit} ended a subscription",
    "operation.subscription_renewed": "{unit}更换订阅密钥|{unit} renewed the secret of a subscription",
    "operation.subscription_replayed": "{unit}要求自第 {position} 位起重新推送"
    "|{unit} has events sent again from position {position} on",
    "operation.subscription_disabled": "订阅因多日未能送达而停用，停在第 {position} 位"
    "|a subscription was disabled at position {position}, since nothing was taken",
    "operation.searched": "查找事项，给出 {found} 件|matters were searched, {found} were shown",
    "operation.access_refused": "无权操作 {act}，{count} 次|access refused: {act}, {count} times",
    "operation.separation_refused": "不允许一人兼任 {record} 的两个环节（{rule}）"
    "|nobody may take two parts in {record} ({rule})",
    "operation.redriven": "死信重新处理|a dead letter was redriven",
    "operation.discarded": "死信弃用|a dead letter was discarded",
    "operation.message_set_aside": "外部消息未能受理|a message of another system was set aside",
    "operation.mails_set_aside": "{unit}有 {count} 封来信未作反映受理（{cause}）"
    "|{count} mails to {unit} were set aside: {cause}",
    "operation.topic_lost": "外部消息主题缺失|a topic of another system lost messages",
    "operation.recovered": "自 {topic} 恢复 {events} 条|{events} events recovered from {topic}",
}
"""Name of the type -> Chinese and English; placeholders are fields of the data.

What stands in brackets is left out if one of its fields holds nothing.
"""


class Placed(Protocol):
    """Where and when a code was used: an event, or what stands in a list."""

    @property
    def unit(self) -> str | None:
        """The unit."""

    @property
    def policy(self) -> str | None:
        """The pack."""

    @property
    def time_text(self) -> str:
        """The instant."""


@dataclass(frozen=True, slots=True)
class Names:
    """The titles of codes in one language.

    Units and posts have the names of their time; packs, lists and titles give the others.
    """

    language: Language
    offices: Offices
    named: Mapping[str, Sequence[tuple[str, str]]]
    """Unit, or post@unit -> since when, and name; in order."""

    def of(self, field: str, code: str, event: Event) -> str:
        """The title of a code in a field of the event's data, or the code itself if it has none."""
        for source in SOURCES.get(field, ()):
            if title := source(self, code, event):
                return title
        return titled(code, self.language)

    def unit(self, code: str, event: Placed) -> str | None:
        """The unit's name at the time of the event."""
        return self._then(code, event)

    def post(self, code: str, event: Placed) -> str | None:
        """`东镇值班员`: the post's title at the time of the event, after its unit."""
        post, _, unit = code.partition("@")
        title = self._then(code, event)
        if title is None:
            return None
        name = self.unit(unit, event) or unit
        return f"{name}{title}" if self.language == "zh" else f"{titled(post, 'en')} of {name}"

    def _then(self, code: str, event: Placed) -> str | None:
        names = self.named.get(code, ())
        earlier = [name for since, name in names if since <= event.time_text]
        return earlier[-1] if earlier else names[0][1] if names else None

    def form(self, code: str, event: Event) -> str | None:
        """The title of a statement's form."""
        return form_titled(code, self.language) if event.kind == "statement" else None

    def level(self, code: str, event: Placed) -> str | None:
        """The level's title in the pack of the decision."""
        return self._in_packs(code, event, lambda pack: {one.code: one.title_zh for one in pack.levels})

    def clock(self, code: str, event: Placed) -> str | None:
        """The title of a limit. A second run of the same limit keeps its number."""
        run, sign, number = code.partition("#")
        name, review, _ = run.partition(REVIEW)
        title = self._in_packs(name, event, lambda pack: {name: timed.title_zh for name, timed in pack.timed.items()})
        what = REVIEWS[0 if self.language == "zh" else 1] if review else ""
        return title and title + what + sign + number

    def addressee(self, code: str, event: Event) -> str | None:
        """The title of a post or body to which a rule sends something, in the unit that the event names."""
        data = event.attributes["data"]
        units = [data.get(field) for field in ("to", "of", "unit")]
        titles = (self._then(f"{code}@{unit}", event) for unit in units) if self.language == "zh" else iter(())
        return next((title for title in titles if title), None)

    def harm(self, code: str, event: Event) -> str | None:
        """The title of a step of harm."""
        return self._in_packs(code, event, lambda pack: {str(step.value): step.title_zh for step in pack.harm_scale})

    def flag(self, code: str, event: Event) -> str | None:
        """The title of a flag."""
        return self._in_packs(code, event, lambda pack: {flag.code: flag.title_zh for flag in pack.flags})

    def period(self, code: str, event: Event) -> str | None:
        """The title of a special period."""
        return self._in_packs(code, event, lambda pack: {period.code: period.title_zh for period in pack.periods})

    def pause(self, code: str, event: Event) -> str | None:
        """The title of a reason for which a limit stands still."""
        return self._in_packs(
            code,
            event,
            lambda pack: {
                one.code: one.title_zh for clock in pack.clocks if clock.pause for one in clock.pause.reasons
            },
        )

    def ground(self, code: str, event: Event) -> str | None:
        """The title of a reason for a return."""

        def titles(pack: PolicyPack) -> dict[str, str]:
            rule = pack.assigning.returning if pack.assigning else None
            return {one.code: one.title_zh for one in (rule.reasons if rule else ())}

        return self._in_packs(code, event, titles)

    def no_reply(self, code: str, event: Event) -> str | None:
        """The title of a reason for no reply."""

        def titles(pack: PolicyPack) -> dict[str, str]:
            rule = pack.answering.screening
            return {one.code: one.title_zh for one in (rule.reasons if rule else ())}

        return self._in_packs(code, event, titles)

    def part(self, code: str, event: Event) -> str | None:
        """The title of a part of the answer to a notice."""
        return self._in_packs(
            code,
            event,
            lambda pack: {part.code: part.title_zh for part in (pack.notice.parts if pack.notice else ())},
        )

    def plan(self, code: str, event: Event) -> str | None:
        """The title of an emergency plan."""
        return self._in_packs(code, event, lambda pack: {plan.code: plan.title_zh for plan in pack.emergency_plans})

    def pack(self, code: str, event: Event) -> str | None:
        """`《县级机关默认规则》county-default@2`: the pack's title before its name, without the digest."""
        found = self.offices.packs.get(code)
        if found is None:
            return code.partition("#")[0] if "@" in code and "#" in code else None
        return f"《{found.model.title}》{found.name}" if self.language == "zh" else found.name

    def chain(self, code: str, event: Event) -> str | None:
        """The title of a chain of approvals."""
        return self._in_packs(
            code,
            event,
            lambda pack: {chain.code: chain.title_zh for chain in (pack.approval.chains if pack.approval else ())},
        )

    def step(self, code: str, event: Event) -> str | None:
        """The title of a step of approval; None if chains of the pack give one code several titles."""

        def titles(pack: PolicyPack) -> dict[str, str]:
            steps = [step for chain in (pack.approval.chains if pack.approval else ()) for step in chain.steps]
            found = {step.code: {one.title_zh for one in steps if one.code == step.code} for step in steps}
            return {name: next(iter(given)) if len(given) == 1 else "" for name, given in found.items()}

        return self._in_packs(code, event, titles)

    def filed(self, code: str, event: Event) -> str | None:
        """The title of a part of a matter's file."""
        found = self._in_packs(
            code,
            event,
            lambda pack: {part.code: part.title_zh for part in (pack.archive.parts if pack.archive else ())},
        )
        if found is None and code in parts.TITLES:
            return parts.TITLES[code] if self.language == "zh" else code.replace("_", " ")
        return found

    def listed(self, code: str, event: Placed) -> str | None:
        """The title of a channel, a category or a fact in the lists of the deployment."""
        lists = self.offices.lists
        for found in (lists.channels.get(code), lists.categories.get(code), lists.facts.get(code)):
            if found is not None:
                return found.title if self.language == "zh" else found.title_en
        return None

    def peer(self, code: str, event: Placed) -> str | None:
        """The title of another deployment, in events of what goes between deployments."""
        if not isinstance(event, Event) or event.type.removeprefix(catalogue.PREFIX).rpartition(".v")[0] not in BETWEEN:
            return None
        known = self.offices.lists.peers.get(code)
        if known is None:
            return code
        return known.title if self.language == "zh" else known.title_en

    def told_between(self, code: str, event: Placed) -> str | None:
        """What deployments tell each other."""
        found = BETWEEN_TITLES.get(code)
        return found and found[0 if self.language == "zh" else 1]

    def _in_packs(self, code: str, event: Placed, titles: Callable[[PolicyPack], Mapping[str, str]]) -> str | None:
        """The title in the pack of the decision, else in the one in force there, else in any other.

        An empty title stands for a code with several, so no other pack is asked.
        """
        packs, of = self.offices.packs, self.offices.assigned
        above = self.offices.above(event.unit) if event.unit else ()
        in_force = next((of[unit] for unit in (*above, *sorted(of)) if unit in of), "")
        for ref in dict.fromkeys((event.policy or "", in_force, *sorted(packs))):
            if ref in packs and (title := titles(packs[ref].model).get(code)) is not None:
                return title and (title if self.language == "zh" else code.replace("_", " "))
        return None


SOURCES: Mapping[str, tuple[Callable[[Names, str, Event], str | None], ...]] = {
    "unit": (Names.unit,),
    "units": (Names.unit,),
    "parent": (Names.unit,),
    "told": (Names.unit, Names.post),
    "previous": (Names.unit, Names.level, Names.pack, Names.listed),
    "policy": (Names.pack,),
    "addressee": (Names.addressee,),
    "who": (Names.addressee,),
    "harm": (Names.harm,),
    "flag": (Names.flag,),
    "reason": (Names.pause,),
    "period": (Names.period,),
    "ground": (Names.ground, Names.no_reply),
    "designates": (Names.unit,),
    "designated_by": (Names.unit,),
    "part": (Names.part,),
    "form": (Names.form,),
    "plan": (Names.plan,),
    "to": (Names.peer, Names.unit, Names.post),
    "of": (Names.peer,),
    "said": (Names.told_between,),
    "post": (Names.post,),
    "substitute": (Names.post,),
    "by": (Names.post,),
    "posts": (Names.post,),
    "head": (Names.post,),
    "deputy": (Names.post,),
    "members": (Names.post,),
    "took_part": (Names.post,),
    "release_group": (Names.post,),
    "spokesperson": (Names.post,),
    "level": (Names.level,),
    "clock": (Names.clock,),
    "step": (Names.step,),
    "missing": (Names.filed,),
    "follows_up": (Names.post,),
    "signed_by": (Names.post,),
    "evaluated_by": (Names.post,),
    "chain": (Names.chain,),
    "channel": (Names.listed,),
    "category": (Names.listed,),
    "key": (Names.listed,),
}
"""Field of the data -> where its codes have their titles."""


def summary(event: Event, names: Names) -> str:
    """The sentence for an event, in one language. A type without a sentence gives its name."""
    name = event.type.removeprefix(catalogue.PREFIX).rpartition(".v")[0]
    template = TEMPLATES.get(name)
    if template is None:
        return event.type
    added = {}
    if name in APPROVALS and event.attributes["data"]["post"] != event.actor:
        # Somebody agreed for a post, by a delegation or by a role.
        by = _text(event.actor, "post", event, names)
        added["post"] = f"，由{by}作出" if names.language == "zh" else f", given by {by}"
    return filled(template, event, names, added)


def filled(template: str, event: Event, names: Names, added: Mapping[str, str] | None = None) -> str:
    """The sentence of a template in one language, with the event's data; `added` follows the text of a field."""
    data = event.attributes["data"]
    chosen = template.split("|")[0 if names.language == "zh" else 1]
    shown = {field: _text(data.get(field), field, event, names) for field in fields(chosen)}
    chosen = OPTIONAL.sub(lambda found: "" if NOTHING in (shown[one] for one in fields(found[1])) else found[1], chosen)
    for field, text in (added or {}).items():
        shown[field] += text
    return chosen.format_map(shown)


def fields(template: str) -> set[str]:
    """The fields of the data that a template shows."""
    return {field for _, field, _, _ in Formatter().parse(template) if field}


def _moment(written: str, event: Event, names: Names) -> str:
    """An instant as people of the office write it. The year stands only where it is not the event's."""
    at, then = (parse_instant(one).astimezone(names.offices.zone) for one in (written, event.time_text))
    if names.language == "zh":
        return at.strftime("%m-%d %H:%M" if at.year == then.year else "%Y-%m-%d %H:%M")
    return at.strftime("%-d %b %H:%M" if at.year == then.year else "%-d %b %Y %H:%M")


def _text(value: Any, field: str, event: Event, names: Names) -> str:
    match value:
        case bool() | None if field in MARKS:
            return MARKS[field][0 if names.language == "zh" else 1] if value else ""
        case bool():
            return YES_NO[value][0 if names.language == "zh" else 1]
        case int() if field in SOURCES:
            return names.of(field, str(value), event)
        case int() | float():
            return f"{value:g}" if isinstance(value, float) else str(value)
        case str() if len(value) == 27 and value.endswith("Z"):
            return _moment(value, event, names)
        case str():
            return names.of(field, value[:100], event) or NOTHING
        case {"level": level, "known_at": at}:
            return f"{_text(level, 'level', event, names)} {_text(at, 'known_at', event, names)}"
        case [*items] if items:
            return ("、" if names.language == "zh" else ", ").join(_text(item, field, event, names) for item in items)
        case _:
            return NOTHING
