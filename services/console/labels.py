"""What the fields of commands are called in forms. A field that a new command brings gets its line here."""

from collections.abc import Mapping

from services.console.words import N_

FIELDS: Mapping[str, str] = {
    "accepted": N_("是否确认收到"),
    "address": N_("地址"),
    "answer_kind": N_("答复类型"),
    "category": N_("类别"),
    "cause": N_("起因"),
    "change": N_("建议怎样改规则"),
    "channel": N_("来源渠道"),
    "clicks": N_("点击数"),
    "clock": N_("哪项时限"),
    "comments": N_("评论数"),
    "decides": N_("决定什么"),
    "decision": N_("哪项决定"),
    "deputy": N_("副组长"),
    "discovered_at": N_("何时得知"),
    "duties": N_("班次"),
    "drill": N_("是否演练单位"),
    "duty_post": N_("代收岗位"),
    "parent": N_("上级单位"),
    "roles": N_("身份"),
    "serves": N_("代行的职务"),
    "doubtful": N_("是否存疑"),
    "due": N_("截止时间"),
    "ends": N_("为何不再回访"),
    "evidence": N_("证据文件"),
    "external_id": N_("对方编号"),
    "facts": N_("依据的事实"),
    "flag": N_("标识"),
    "follows_up": N_("由谁回访"),
    "form": N_("上报方式"),
    "from": N_("委托人"),
    "granted": N_("是否同意"),
    "ground": N_("退回理由"),
    "happened_at": N_("实际办理时间"),
    "harm": N_("危害程度"),
    "head": N_("组长"),
    "helps": N_("是否有帮助"),
    "impact": N_("影响"),
    "incident": N_("所属事项"),
    "incident_id": N_("所属事项"),
    "into": N_("并入哪一事项（编号）"),
    "key": N_("事实项"),
    "kind": N_("种类"),
    "language": N_("语言"),
    "late_reason": N_("为何补录"),
    "lessons": N_("所依据的经验教训"),
    "level": N_("等级"),
    "limit": N_("期限"),
    "mainstream_sites": N_("主流网站数"),
    "major_information": N_("是否属重大信息"),
    "measured_at": N_("统计时间"),
    "meeting": N_("会议种类"),
    "members": N_("成员"),
    "minutes": N_("会议纪要"),
    "name": N_("名称"),
    "needs_reply": N_("是否须答复"),
    "note": N_("交接说明"),
    "notice": N_("哪份整改通知"),
    "outcome": N_("结论"),
    "pack": N_("适用制度"),
    "part": N_("哪一部分"),
    "parts": N_("案卷所含材料"),
    "period": N_("特殊时期"),
    "place": N_("地点"),
    "plan": N_("预案"),
    "post": N_("负责岗位"),
    "posts_of": N_("岗位照哪个单位设"),
    "proposal": N_("哪项提请"),
    "proposed_reply": N_("拟回复内容"),
    "reached": N_("是否应答"),
    "reason": N_("理由"),
    "release_group": N_("发布小组"),
    "reply_ref": N_("对方回复标识"),
    "report": N_("哪份报告"),
    "reports": N_("拆出的报告"),
    "request": N_("诉求"),
    "review": N_("复查时间"),
    "scope": N_("用途"),
    "sealed": N_("是否盖章"),
    "secret": N_("是否涉密"),
    "share": N_("分工"),
    "shares": N_("转发数"),
    "signed": N_("负责人是否签字"),
    "signed_by": N_("签字岗位"),
    "since": N_("开始时间"),
    "source": N_("来源"),
    "spokesperson": N_("发言人"),
    "subject": N_("事由"),
    "substitute": N_("替班岗位"),
    "text": N_("内容"),
    "title": N_("标题"),
    "to": N_("对象"),
    "took_part": N_("参加岗位"),
    "track": N_("办理线"),
    "trend": N_("走势"),
    "truth": N_("问题真实性"),
    "unit": N_("单位"),
    "units": N_("参加单位"),
    "until": N_("结束时间"),
    "upheld": N_("是否维持不答复"),
    "url": N_("网页地址"),
    "value": N_("值"),
    "windows": N_("作息时间"),
    "way": N_("方式"),
    "written_at": N_("何时写下"),
    "yes": N_("是否如此办理"),
}
"""Field of a request body -> its title in Chinese."""

KINDS: Mapping[str, str] = {
    "city": N_("市"),
    "county": N_("县"),
    "town": N_("乡镇、街道"),
    "department": N_("部门"),
}
"""Kind of unit -> its title. Units bear the same words as codes, so these are no titles of codes everywhere."""

OF_VERB: Mapping[tuple[str, str], str] = {
    ("addresses", "post"): N_("岗位"),
    ("screen", "ground"): N_("不予答复的理由"),
    ("set-value", "place"): N_("制度中的位置"),
    ("set-value", "value"): N_("数值（时限写成 24小时、3天 或 5个工作日）"),
    ("place-unit", "unit"): N_("单位代码"),
    ("place-unit", "since"): N_("从何时起"),
    ("place-post", "post"): N_("岗位代码"),
    ("place-post", "title"): N_("岗位名称"),
    ("place-post", "head"): N_("是否主要负责岗位"),
    ("place-post", "since"): N_("从何时起"),
    ("end-unit", "until"): N_("到何时止"),
    ("end-post", "until"): N_("到何时止"),
    ("end-post", "post"): N_("岗位"),
    ("report-upward", "proposal"): N_("拟处理意见"),
    ("report-upward", "to"): N_("报给谁"),
    ("inform-office", "to"): N_("通报给谁"),
    ("decide-extension", "notice"): N_("怎样告知反映人"),
}
"""Verb and field -> the title of a field that means something else there than under other verbs."""

HINTS: Mapping[str, str] = {
    "discovered_at": N_("写成 11-25 21:07 或 21:07。时限从这时起算"),
    "happened_at": N_("只在补录时填写：事情实际办理的时间"),
    "late_reason": N_("只在补录时填写"),
    "text": N_("照原话写。电话、身份证号等个人信息会自动遮盖"),
    "into": N_("如 town-east-2026-00042"),
    "reason": N_("写进记录，以后可查"),
    "due": N_("写成 11-25 21:07 或 21:07"),
    "written_at": N_("纸上写的时间，写成 11-25 21:07 或 21:07"),
    "url": N_("报告所指的网页；没有就不填"),
}
"""Field -> what helps to fill it in."""

ATTENTION: Mapping[str, str] = {
    "dead_letters": N_("搁置的消息：%(count)d"),
    "parked": N_("停住的记录：%(count)d"),
}
"""What waits for a person in a service -> how it is said."""

PARTS: Mapping[str, str] = {
    "ingest": N_("收报服务"),
    "triage": N_("办理服务"),
    "escalation": N_("时限服务"),
    "publish": N_("发布服务"),
    "audit": N_("审计服务"),
}
"""Service -> its name in sentences."""

LISTS: Mapping[str, str] = {
    "inbox": N_("待我处理"),
    "open": N_("全部未结"),
    "to_verify": N_("待核实"),
    "to_accept": N_("待接办"),
    "to_approve": N_("待审核"),
    "to_explain": N_("待说明"),
    "to_review": N_("待复核"),
    "waiting_material": N_("等待材料"),
    "returned": N_("被退回"),
    "deferred": N_("已挂账"),
    "to_follow_up": N_("待回访"),
    "to_correct": N_("待整改"),
    "to_assign": N_("待交办"),
    "unhelpful": N_("答复无用"),
    "gaps": N_("值班缺岗"),
}
"""List of a desk -> its title."""

WAITS: Mapping[str, str] = {
    "instruction": N_("批示"),
    "assignment": N_("交办"),
    "designation": N_("指定承办"),
    "acceptance": N_("接办"),
    "verification": N_("核实"),
    "approval": N_("审核"),
    "handling": N_("办理"),
    "review": N_("复核"),
    "follow_up": N_("回访"),
    "round": N_("再次办理"),
    "closing": N_("结案"),
}
"""What a matter waits for -> its title."""

NOTICES: Mapping[str, str] = {
    "new": N_("新事项"),
    "assigned": N_("交办"),
    "warn": N_("时限将到"),
    "due": N_("时限确定"),
    "breach": N_("逾期"),
    "rung": N_("催办督办"),
    "hop": N_("收到上报"),
    "informed": N_("收到通报"),
    "approval": N_("等待审定"),
    "gap": N_("值班缺岗"),
    "held": N_("无人值班时来件"),
    "surge": N_("集中反映"),
}
"""Kind of an outgoing notice -> its title."""

BECAME: Mapping[str, str] = {
    "delivered": N_("已送达"),
    "failing": N_("正在重试"),
    "expired": N_("没有送到"),
    "untried": N_("没有发出"),
}
"""What became of a notice -> its title."""

STATES: Mapping[str, str] = {
    "open": N_("未交办"),
    "assigned": N_("已交办"),
    "accepted": N_("办理中"),
    "resolved": N_("已办结"),
    "closed": N_("已结案"),
    "dismissed": N_("不予答复"),
    "merged": N_("已合并"),
}
"""State of a matter -> its title."""

REPLIES: Mapping[str, tuple[str, str]] = {
    "received": ("○", N_("待入事项")),
    "waiting": ("◆", N_("待答复")),
    "interim": ("●", N_("已答复，仍在办理")),
    "replied": ("✓", N_("已答复办结")),
    "not_owed": ("‖", N_("无需答复")),
    "refused": ("✕", N_("不予答复")),
}
"""State of a reply -> its shape and its title."""

PHASES: Mapping[str, str] = {
    "drafted": N_("起草中"),
    "submitted": N_("审核中"),
    "approved": N_("待发布"),
    "published": N_("已发布"),
    "withdrawn": N_("已撤回"),
}
"""Phase of a statement -> its title."""

RECORDS: Mapping[str, str] = {
    "report": N_("反映"),
    "incident": N_("办理"),
    "clock": N_("时限和上报"),
    "statement": N_("说明稿"),
}
"""Kind of an event in a timeline -> its title."""

SOURCES: Mapping[str, str] = {
    "stated": N_("文件明文"),
    "reading": N_("对文件的解读"),
    "combined": N_("综合几份文件"),
    "derived": N_("文件没有规定，本系统定的"),
    "lost": N_("原文缺失"),
    "unset": N_("文件没有写明数值"),
}
"""How far a document supports a rule -> how it is said."""

ACTS: Mapping[str, str] = {
    "drafted": N_("起草"),
    "revised": N_("修改"),
    "submitted": N_("送审"),
    "approved": N_("同意"),
    "referred": N_("把握不准，转请审定"),
    "rejected": N_("驳回"),
    "published": N_("发布"),
    "corrected": N_("更正"),
    "withdrawn": N_("撤回"),
}
"""What was done on a statement -> how it is said."""
