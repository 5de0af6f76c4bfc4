"""What the fields of commands are called in forms. A field that a new command brings gets its line here."""

from collections.abc import Mapping

from services.console.words import N_

FIELDS: Mapping[str, str] = {
    "accepted": N_("是否确认收到"),
    "address": N_("地址"),
    "answer_kind": N_("答复类型"),
    "at": N_("时间"),
    "category": N_("类别"),
    "cause": N_("起因"),
    "change": N_("建议怎样改规则"),
    "channel": N_("来源渠道"),
    "clicks": N_("点击数"),
    "clock": N_("哪项时限"),
    "clock_state": N_("时限的情况"),
    "comments": N_("评论数"),
    "decides": N_("决定什么"),
    "decision": N_("哪项决定"),
    "deputy": N_("副组长"),
    "discovered_at": N_("何时得知"),
    "duties": N_("班次"),
    "inject": N_("情景投放"),
    "delivered": N_("是否送到"),
    "drill": N_("是否演练单位"),
    "duty_post": N_("代收岗位"),
    "parent": N_("上级单位"),
    "renew_secret": N_("换一个密钥"),
    "roles": N_("身份"),
    "serves": N_("代行的职务"),
    "doubtful": N_("是否存疑"),
    "due": N_("截止时间"),
    "ends": N_("为何不再回访"),
    "evidence": N_("证据文件"),
    "external_id": N_("对方编号"),
    "events": N_("依据的记录"),
    "facts": N_("依据的事实"),
    "file": N_("文件"),
    "areas": N_("遮挡的范围"),
    "attachments": N_("更正后公开的附件"),
    "body": N_("移送哪个机关"),
    "remark": N_("第几项问题"),
    "remedy": N_("怎样整改"),
    "finding": N_("认定什么"),
    "flag": N_("标识"),
    "follows_up": N_("由谁回访"),
    "form": N_("上报方式"),
    "from": N_("委托人"),
    "granted": N_("是否同意"),
    "ground": N_("退回理由"),
    "happened_at": N_("实际办理时间"),
    "harm": N_("危害程度"),
    "head": N_("组长"),
    "gate": N_("哪项检查"),
    "helps": N_("是否有帮助"),
    "items": N_("逐项确认"),
    "impact": N_("影响"),
    "incident": N_("所属事项"),
    "incident_id": N_("所属事项"),
    "into": N_("并入哪一事项（编号）"),
    "introduction": N_("表单上的话"),
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
    "passed": N_("是否通过"),
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
    "said": N_("怎样答复移交方"),
    "sealed": N_("是否盖章"),
    "secret": N_("是否涉密"),
    "share": N_("分工"),
    "shares": N_("转发数"),
    "signed": N_("负责人是否签字"),
    "signed_by": N_("签字岗位"),
    "since": N_("开始时间"),
    "source": N_("来源"),
    "spokesperson": N_("发言人"),
    "speaks": N_("谁发布"),
    "approves": N_("谁另外审定"),
    "interviews": N_("谁接受采访"),
    "spoke": N_("谁发言"),
    "state": N_("状态"),
    "statement": N_("哪份说明"),
    "conference": N_("哪场发布会"),
    "medium": N_("媒体名称"),
    "how": N_("怎样提供"),
    "what": N_("提供什么"),
    "record": N_("问答记录"),
    "next_at": N_("下次发布"),
    "subject": N_("事由"),
    "substitute": N_("替班岗位"),
    "text": N_("内容"),
    "title": N_("标题"),
    "to": N_("对象"),
    "took_part": N_("参加岗位"),
    "track": N_("办理线"),
    "trend": N_("走势"),
    "truth": N_("问题真实性"),
    "type": N_("有哪类记录"),
    "types": N_("推送哪些"),
    "unit": N_("单位"),
    "units": N_("参加单位"),
    "until": N_("结束时间"),
    "upheld": N_("是否维持不答复"),
    "url": N_("网页地址"),
    "value": N_("值"),
    "waive": N_("不必引用事实的数字"),
    "figures": N_("文中的数字（一行一个）"),
    "windows": N_("作息时间"),
    "way": N_("方式"),
    "written_at": N_("何时写下"),
    "yes": N_("是否如此办理"),
    "position": N_("从哪个位置起"),
    "purpose": N_("用途"),
    "addressee": N_("提供给"),
    "package": N_("附可读的目录（压缩包）"),
    "reasons": N_("缺少部分的理由"),
    "edition": N_("第几版文本"),
    "english": N_("英文文本"),
    "experts": N_("专家"),
    "evaluation": N_("哪次评估"),
    "conclusion": N_("结论"),
    "judgement": N_("意见"),
    "lesson": N_("哪项整改"),
    "numbered": N_("对应的修改建议编号"),
    "first_month": N_("首月"),
    "last_month": N_("末月"),
    "praise": N_("表扬"),
    "shortcomings": N_("不足"),
    "year": N_("年度"),
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
    ("reports", "reply_ref"): N_("答复回到哪里"),
    ("channels", "code"): N_("渠道代码"),
    ("channels", "kind"): N_("怎么发布"),
    ("channels", "title"): N_("渠道名称"),
    ("channels", "address"): N_("渠道地址"),
    ("subscriptions", "address"): N_("推送到哪个地址"),
    ("change-channel", "title"): N_("渠道名称"),
    ("change-channel", "address"): N_("渠道地址"),
    ("change-channel", "renew_secret"): N_("换签名密钥"),
    ("confirm", "address"): N_("发在哪里"),
    ("confirm", "text"): N_("网页上的文字"),
    ("publish", "at"): N_("何时发布"),
    ("addresses", "post"): N_("岗位"),
    ("screen", "ground"): N_("不予答复的理由"),
    ("set-value", "place"): N_("制度中的位置"),
    ("set-value", "value"): N_("数值"),
    ("request-verification", "unit"): N_("由哪个单位核实"),
    ("request-verification", "text"): N_("要核实什么"),
    ("assign", "unit"): N_("承办单位"),
    ("statements", "unit"): N_("以哪个单位的名义发布"),
    ("statements", "form"): N_("文种"),
    ("revise", "form"): N_("文种"),
    ("place-unit", "unit"): N_("单位代码"),
    ("place-unit", "since"): N_("从何时起"),
    ("place-post", "post"): N_("岗位代码"),
    ("place-post", "title"): N_("岗位名称"),
    ("place-post", "head"): N_("是否主要负责岗位"),
    ("place-post", "since"): N_("从何时起"),
    ("end-post", "until"): N_("到何时止"),
    ("end-post", "post"): N_("岗位"),
    ("report-upward", "proposal"): N_("拟处理意见"),
    ("report-upward", "to"): N_("报给谁"),
    ("hand-over", "to"): N_("接班岗位"),
    ("inform-office", "to"): N_("通报给谁"),
    ("decide-extension", "notice"): N_("怎样告知反映人"),
    ("call-conference", "at"): N_("何时召开"),
    ("call-conference", "place"): N_("在哪里召开"),
    ("postpone-conference", "at"): N_("改到何时"),
    ("postpone-conference", "place"): N_("改到哪里"),
    ("hold-conference", "text"): N_("宣读的文字"),
    ("log-contact", "text"): N_("提供的文字"),
    ("state-view", "text"): N_("单位的意见"),
    ("saved-queries", "title"): N_("查询的名称"),
    ("saved-queries", "unit"): N_("责任单位"),
    ("saved-queries", "post"): N_("办过的岗位"),
    ("saved-queries", "period"): N_("何时立案"),
    ("saved-queries", "drill"): N_("是否演练"),
    ("change-query", "drill"): N_("是否演练"),
    ("trainings", "drill"): N_("演练编号"),
    ("trainings", "on"): N_("日期"),
    ("trainings", "minutes"): N_("分钟"),
    ("subscriptions", "drills"): N_("演练的也推送"),
    ("trainings", "posts"): N_("参加的岗位"),
    ("trainings", "given_by"): N_("由哪个单位讲授"),
    ("trainings", "title"): N_("内容"),
    ("end-drill", "cause"): N_("怎样结束"),
    ("change-query", "title"): N_("查询的名称"),
    ("change-query", "unit"): N_("责任单位"),
    ("change-query", "post"): N_("办过的岗位"),
    ("change-query", "period"): N_("何时立案"),
    ("edit-review", "text"): N_("总结全文"),
    ("convene-evaluation", "members"): N_("召集的岗位和机构"),
    ("convene-evaluation", "units"): N_("参加的部门"),
    ("convene-evaluation", "at"): N_("何时评估"),
    ("assign-lesson", "unit"): N_("责任单位"),
    ("assign-lesson", "post"): N_("责任岗位"),
    ("assign-lesson", "text"): N_("拟作的改变"),
    ("assign-lesson", "due"): N_("完成期限"),
    ("assign-lesson", "kind"): N_("改变什么"),
    ("follow-up-lesson", "text"): N_("进展"),
    ("finish-lesson", "text"): N_("现在有何不同"),
    ("consultation", "purpose"): N_("查阅的用途"),
    ("export", "purpose"): N_("提供的用途"),
}
"""Verb and field -> the title of a field that means something else there than under other verbs."""

HINTS: Mapping[str, str] = {
    "discovered_at": N_("写成 11-25 21:07 或 21:07。时限从这时起算"),
    "evidence": N_("一行一个编号"),
    "happened_at": N_("只在补录时填写：事情实际办理的时间"),
    "late_reason": N_("只在补录时填写"),
    "text": N_("电话、身份证号等个人信息会自动遮盖"),
    "value": N_("事实项后面的括号里写着怎样填：数字只写数字，如 4，不写单位；是或否写“是”或“否”；时间写成 11-25 21:07"),
    "into": N_("如 town-east-2026-00042"),
    "reason": N_("写进记录，以后可查"),
    "written_at": N_("纸上写的时间，写成 11-25 21:07 或 21:07"),
    "url": N_("反映所指的网页；没有就不填"),
}
"""Field -> what helps to fill it in. A field for a time without a line here says how times are written."""

HINTS_OF_VERB: Mapping[tuple[str, str], str] = {
    ("referrals", "findings"): N_("各列最近的 100 条，新的在前；更早的在“责任认定”里看"),
    ("make-remark", "finding"): N_("列最近的 100 条，新的在前；更早的在“责任认定”里看，问题里写明即可"),
    ("consultation", "purpose"): N_("写进记录，上级单位看得到"),
    ("export", "purpose"): N_("写进记录，以后可查"),
    ("export", "addressee"): N_("只写机关或社会公众，不写个人"),
    ("edit-review", "text"): N_("以 # 开头的行是标题，以 - 开头的行是条目。表和图由记录生成，不在这里改"),
    ("edit-review", "english"): N_("不填时，英文版印中文文本；改了中文而没有改英文的，英文也不保留"),
    ("convene-evaluation", "experts"): N_("只写职能或机构，不写个人姓名"),
    ("assign-lesson", "numbered"): N_("只在修改制度包时填写"),
    ("hold-conference", "text"): N_("须与核准的说明一致；不一致会指出是哪里"),
    ("hold-conference", "record"): N_("问了什么、答了什么；不写姓名。与事实或已发布的说明不一致会指出来"),
    ("log-contact", "text"): N_("须与核准的说明一致；不一致会指出是哪里"),
    ("log-contact", "medium"): N_("只写媒体的名称，不写个人姓名"),
    ("reports", "reply_ref"): N_("提问的地方，如 留言板第 42 楼；答复发布后会提醒贴回去"),
    ("channels", "code"): N_("小写字母开头，如 county_site；本单位内不重复"),
    ("channels", "kind"): N_("网络回调：自动推送，带签名。人工发布：没有接口的网站或账号，由人贴上去再确认"),
    ("channels", "address"): N_("网络回调写 https:// 开头的网址；人工发布写网站或账号，如 微信公众号：东镇发布"),
    ("forms", "introduction"): N_("写在表单上面，如何时受理、急事打哪个电话；不写个人的姓名和号码"),
    ("subscriptions", "address"): N_("接收方给的网址，须是加密的"),
    ("subscriptions", "types"): N_("一项也不选，就是全部能推送的"),
    ("subscriptions", "drills"): N_("演练的记录看上去和真的一样，只多一个标记；接收方认得出再选"),
    ("trainings", "on"): N_("登记演练时不填，以演练结束的日期为准"),
    ("trainings", "minutes"): N_("登记演练时不填，以演练的时长为准"),
    ("replay", "position"): N_("现在写着下一条要推送的位置。写更小的数，以前的就再送一遍，编号不变；停止了的会恢复"),
    ("change-channel", "renew_secret"): N_("原来的密钥立即作废；新的只显示一次"),
    ("confirm", "address"): N_("发布页的网址，或者账号和标题"),
    ("confirm", "text"): N_("从发布页上整段复制过来，不要从这里抄；与核准的文字逐字比对"),
    ("publish", "at"): N_("不填就是现在。写成 11-25 21:07 或 21:07；到时候自动发布，时限照样计算"),
    ("reports", "text"): N_("照原话写。电话、身份证号等个人信息会自动遮盖"),
    ("set-value", "value"): N_("时限写成 24小时、3天 或 5个工作日"),
    ("explain", "text"): N_("讲明情况用“解释”，它不算回复；答在反映人提问的地方用“回复”。个人信息会自动遮盖"),
    ("reply", "text"): N_("答在反映人提问的地方；只讲明情况的，用“解释”。个人信息会自动遮盖"),
    ("hold-meeting", "took_part"): N_("到会的岗位，本岗位到会也要选；记录里只写岗位，不写姓名"),
    ("decide", "took_part"): N_("和本岗位一起决定的其他岗位。选中的每个岗位都要各自确认，全部确认以后决定才算数"),
    ("check", "items"): N_("列出清单的检查，通过时逐项勾选；没有清单的不用选"),
    ("approve", "took_part"): N_("这一步由集体审定时，选一起审定的其他成员；本岗位不用选"),
}
"""Verb and field -> what helps to fill it in there."""

EMPTY: Mapping[tuple[str, str], str] = {
    ("subscriptions", "position"): N_("不填就从现在起；填 0 就是从头推送"),
    ("assign", "unit"): N_("不选就由最先收到反映的单位承办"),
    ("statements", "unit"): N_("不选就是事项的责任单位，通告是您所在的单位；由它的经办人送审"),
    ("statements", "form"): N_("不选时，事实说明是答复，处置情况是阶段答复"),
}
"""Verb and field -> what it means to leave it empty, where one may."""

NEEDED: frozenset[tuple[str, str]] = frozenset({("set-value", "value")})
"""Verb and field that a body may leave out, and a person at this form may not."""

CAUSES: Mapping[str, tuple[str, str]] = {
    "undecodable": (N_("读不出"), N_("内容不是本系统的记录。重新投递多半仍会失败；确认不是本系统发出的，可以弃置。")),
    "unwritten": (
        N_("写法不对"),
        N_("内容是一条记录，但不是本系统写的样子。发出方持有这条记录时会自动重发正确的；否则弃置。"),
    ),
    "unknown_type": (N_("不认识的类型"), N_("发出方的版本较新。升级这个服务后会自动投递，一般不必处理。")),
    "poison": (N_("处理时出错"), N_("程序处理这条记录时出错。升级到修复的版本后会自动投递；也可以现在重新投递。")),
    "held": (N_("等待决定"), N_("所属记录已停住。停住的原因解决后会自动投递；也可以现在重新投递。")),
    "fork": (N_("与已有记录冲突"), N_("同一位置已有另一条记录，这一条多半是伪造或重复的。查明来源后弃置。")),
    "ahead": (N_("本服务没有存过"), N_("本服务自己的主题上有它没有存过的记录。须在服务器上用命令行收回或弃置。")),
    "unproven": (N_("签名不成立"), N_("没有岗位为它作出有效签名，多半是伪造的。它没有生效；查明来源后弃置。")),
    "awaited": (
        N_("等待核验"),
        N_("签名用的密钥还没有到。到了以后会自动投递；一直不到的多半是伪造的，查明来源后弃置。"),
    ),
    "forged": (N_("已认定伪造"), N_("发出方已认定它是伪造的，弃置即可。")),
}
"""Why a record was set aside -> its title, and what to do."""

SECTIONS: Mapping[str, str] = {
    "flags": N_("题材标识"),
    "harm_scale": N_("危害程度"),
    "periods": N_("特殊时期"),
    "levels": N_("等级"),
    "ungraded": N_("未定级的事项"),
    "growth": N_("未平息的事项"),
    "level_maps": N_("与其他制度的等级对应"),
    "facts": N_("须查明的事实"),
    "verification": N_("核实"),
    "answers": N_("答复类型"),
    "clocks": N_("时限"),
    "workday": N_("作息时间"),
    "reports": N_("逐级上报"),
    "bulletin": N_("情况通报"),
    "decisions": N_("会商决定"),
    "notice": N_("整改通知"),
    "ladder": N_("催办督办"),
    "assigning": N_("交办与退回"),
    "emergency_plans": N_("应急预案"),
    "answering": N_("答复与不予答复"),
    "approval": N_("审核"),
    "publication": N_("公开发布"),
    "press": N_("发布会和媒体"),
    "gates": N_("审核前的检查"),
    "templates": N_("文稿模板"),
    "follow_up": N_("回访与再次反映"),
    "review": N_("总结评估"),
    "archive": N_("归档材料"),
    "roster": N_("值班"),
    "surge": N_("苗头预警"),
    "findings": N_("责任认定"),
    "outgoing": N_("对外通知"),
}
"""Section of a pack -> its title."""

MEMBERS: Mapping[str, str] = {
    "accounts_for": N_("计入"),
    "after": N_("何时"),
    "anchor": N_("从何时算起"),
    "answer_kinds": N_("适用的答复类型"),
    "approved_by": N_("由谁批准"),
    "at": N_("哪一级"),
    "at_least": N_("至少"),
    "at_most": N_("最多"),
    "before": N_("在此之前"),
    "beside": N_("同时报"),
    "charged": N_("由谁承担"),
    "compared_over": N_("与多长时间相比"),
    "conditions": N_("条件"),
    "ends": N_("终止的时限"),
    "every": N_("每隔"),
    "factor": N_("倍数"),
    "first_answer": N_("属首次答复"),
    "follows": N_("升为"),
    "form": N_("方式"),
    "kept": N_("保存年数"),
    "statement_form": N_("文种"),
    "from": N_("起算"),
    "hours": N_("时长"),
    "how": N_("怎样牵头"),
    "levels": N_("适用等级"),
    "limit": N_("期限"),
    "needs": N_("须同意人数"),
    "needs_established_facts": N_("须先查明事实"),
    "of": N_("适用于"),
    "office_does_zh": N_("单位怎样办"),
    "owes": N_("按哪一级办理"),
    "pack": N_("制度"),
    "per_case": N_("可按事项设定"),
    "proposed_reply": N_("须附拟答复"),
    "quorum": N_("到会人数"),
    "reviewed_by": N_("由谁复核"),
    "sealed": N_("须盖章"),
    "signed_by_head": N_("须负责人签字"),
    "spares_explained": N_("已说明原因的不计"),
    "steps": N_("步骤"),
    "tells": N_("告知"),
    "times": N_("次数"),
    "to": N_("到"),
    "value": N_("值"),
    "warn": N_("提前提醒"),
    "when": N_("条件"),
    "who": N_("由谁"),
    "windows": N_("时段"),
    "window": N_("多长时间内"),
    "with_proposal": N_("须附处理意见"),
    "written_report": N_("书面总结报告"),
    "by": N_("由谁报送"),
    "codes": N_("可选值"),
    "decides": N_("决定什么"),
    "key": N_("事实项"),
    "measure": N_("措施"),
    "ordered_by": N_("由谁责令"),
    "reasons": N_("理由"),
    "review": N_("复查期限"),
    "rule": N_("通知种类"),
    "text": N_("正文"),
    "title": N_("名称"),
    "title_en": N_("英文名称"),
    "together": N_("须共同决定"),
    "unless_ended": N_("未平息的期限"),
}
"""Part of a rule of a pack -> its title. Others are shown by their codes."""

VALUES: Mapping[str, str] = {
    "arrival": N_("随到随办"),
    "by_person": N_("由不同的人"),
    "chosen": N_("由值班员选定"),
    "city": N_("市"),
    "county": N_("县"),
    "decision": N_("由决定终止"),
    "first_receiver": N_("首个收到的单位"),
    "gap": N_("值班缺岗"),
    "level_known": N_("得知等级时"),
    "meeting_held": N_("已开会"),
    "new_statement": N_("另发说明"),
    "parent": N_("上一级"),
    "permanent": N_("永久"),
    "plan_started": N_("已启动预案"),
    "taken": N_("上级接手"),
    "team_named": N_("已成立专班"),
    "town": N_("乡镇"),
    "unit": N_("本单位"),
    "warn": N_("期限提醒"),
    "window_start": N_("从上班时起"),
}
"""Value of a rule of a pack that is no code of the API -> its title."""

SHAPES: Mapping[str, str] = {
    "stated": "✓",
    "combined": "✓",
    "reading": "◇",
    "derived": "◆",
    "lost": "○",
    "unset": "○",
}
"""How far a document supports a rule -> its shape, beside the words of `SOURCES`."""

SCOPES: Mapping[str, str] = {"true": N_("演练"), "false": N_("不含演练")}
"""Whether only exercises stand in a list, or none."""
CLOCK_STATES: Mapping[str, str] = {
    "running": N_("进行中"),
    "met": N_("按时完成"),
    "late": N_("逾期完成"),
    "breached": N_("已逾期"),
    "cancelled": N_("不再适用"),
}
"""State of a limit -> its title."""

DIFFERS: Mapping[str, str] = {
    "proposal": N_("建议等级不同"),
    "level_unmapped": N_("等级没有对应"),
    "approval": N_("审核不同"),
    "report": N_("上报不同"),
    "limit_added": N_("新增时限"),
    "limit_dropped": N_("不再有此时限"),
    "due_earlier": N_("期限提前"),
    "due_later": N_("期限推后"),
    "missed": N_("变为逾期"),
    "kept": N_("不再逾期"),
}
"""Difference of a dry run -> its title."""

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
    "to_handle": N_("待办理"),
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

WAITS_OF_LIST: Mapping[str, str] = {
    "to_verify": N_("核实"),
    "to_accept": N_("接办"),
    "to_handle": N_("办理"),
    "to_approve": N_("审核"),
    "to_explain": N_("情况说明"),
    "to_review": N_("复核"),
    "waiting_material": N_("协办"),
    "returned": N_("处理退回"),
    "to_follow_up": N_("回访或结案"),
    "to_correct": N_("整改"),
    "to_assign": N_("交办"),
    "unhelpful": N_("再次办理"),
}
"""List that waits for a post -> for what a matter on it waits from this post."""

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

GATES: Mapping[str, str] = {
    "facts": N_("依据的事实"),
    "verification": N_("核实"),
    "material": N_("签字盖章的材料"),
    "chain": N_("审核链"),
    "separation": N_("写审分离"),
    "one_text": N_("一个口径"),
}
"""Check before an approval -> its title. What people state has a sentence instead."""

GATE_STATES: Mapping[str, tuple[str, str, str]] = {
    "met": ("met", "✓", N_("已过")),
    "missing": ("over", "▲", N_("未过")),
}
"""State of a check -> its colour, its shape and its title."""

GATES_SAID: Mapping[tuple[str, str], tuple[str, str, str]] = {
    ("secrecy", "marked"): ("soon", "◆", N_("已标明：涉密")),
    ("secrecy", "clear"): ("met", "✓", N_("已标明：不涉密")),
    ("major_information", "marked"): ("soon", "◆", N_("已标明：属重大信息")),
    ("major_information", "clear"): ("met", "✓", N_("已标明：不属重大信息")),
    ("separation", "missing"): ("still", "○", N_("您起草或审核过，须由别人审核")),
}
"""Check and state -> the same for those that are no test: what somebody stated, and who is not meant to approve."""

CHECKS: Mapping[str, tuple[str, str, str]] = {
    "draft": ("still", "○", N_("送审后检查")),
    "open": ("run", "●", N_("等待检查")),
    "passed": ("met", "✓", N_("已通过")),
}
"""State of a gate of a submission -> its colour, its shape and its title."""

FINDINGS: Mapping[str, str] = {
    "marker-malformed": N_("标记写法不对"),
    "fact-not-bindable": N_("引用的事实还没有查明"),
    "fact-words-missing": N_("引用的文字还没有到，或者已经删除"),
    "differs-from-fact": N_("与查明的事实不符"),
    "differs-from-statement": N_("与已发布的稿子不符"),
    "cause-not-established": N_("写了原因，而原因还没有查明"),
    "free-number": N_("数字没有引用事实，也没有写明理由"),
    "free-office": N_("单位与本事项无关，也没有写明理由"),
}
"""What stands against a text -> what it is."""

LOOKED_FOR: Mapping[str, str] = {
    "incident.instruction_given": N_("批示"),
    "incident.regraded": N_("改级"),
    "incident.returned": N_("退回"),
    "incident.transferred": N_("移交责任"),
    "incident.passed_upward": N_("报请上级办理"),
    "incident.fact_revised": N_("更正事实"),
    "incident.reopened": N_("再次办理"),
    "clock.breached": N_("逾期"),
    "clock.reported_upward": N_("上报"),
    "clock.reminder_sent": N_("催办督办"),
    "statement.published": N_("公开说明"),
    "statement.corrected": N_("更正公开说明"),
    "statement.withdrawn": N_("撤回公开说明"),
    "finding.confirmed": N_("认定成立"),
}
"""Type of an event by which matters are looked for -> its title."""

FILE_PARTS: Mapping[str, str] = {
    "original_material": N_("原始材料"),
    "handling": N_("办理情况"),
    "assignment_and_reply_records": N_("交办回复记录"),
    "leader_instructions": N_("领导批示件"),
    "department_reply_letters": N_("责任部门回复函"),
    "other": N_("其他具有保存价值的材料"),
}
"""Part of the file of a matter -> its title. A pack may name others by their codes."""

FINDING_STATES: Mapping[str, tuple[str, str, str]] = {
    "stands": ("over", "▲", N_("依规则成立")),
    "proposed": ("soon", "◆", N_("等单位陈述意见")),
    "heard": ("run", "●", N_("等认定")),
    "upheld": ("over", "▲", N_("已认定成立")),
    "rejected": ("still", "✕", N_("不成立")),
    "lapsed": ("still", "○", N_("已失效")),
}
"""State of a finding against a unit -> its colour, its shape and its title."""

INSPECTION_STATES: Mapping[str, tuple[str, str, str]] = {
    "open": ("run", "●", N_("检查中")),
    "ended": ("still", "○", N_("已结束")),
}
REMARK_STATES: Mapping[str, tuple[str, str, str]] = {
    "due": ("soon", "◆", N_("待整改")),
    "reported": ("run", "●", N_("等核销")),
    "remedied": ("met", "✓", N_("已整改")),
    "withdrawn": ("still", "✕", N_("已撤回")),
}
REFERRAL_STATES: Mapping[str, tuple[str, str, str]] = {
    "proposed": ("soon", "◆", N_("已提请")),
    "heard": ("run", "●", N_("已陈述意见")),
    "passed_on": ("run", "●", N_("已移送")),
    "received": ("met", "✓", N_("对方已收文")),
    "praised": ("met", "✓", N_("已表扬")),
    "dropped": ("still", "✕", N_("已终止")),
}
"""States of an inspection, of its remarks, and of a referral -> colour, shape and title."""
DRILL_STATES: Mapping[str, tuple[str, str, str]] = {
    "running": ("run", "●", N_("演练中")),
    "ended": ("soon", "◆", N_("等评分")),
    "scored": ("met", "✓", N_("已评分")),
}
OUTCOMES: Mapping[str, tuple[str, str, str]] = {
    "met": ("met", "✓", N_("做到")),
    "late": ("soon", "◆", N_("迟办")),
    "missed": ("over", "▲", N_("未办")),
    "wrong": ("over", "✕", N_("办错")),
}
CRITERIA: Mapping[str, str] = {
    "limits": N_("规则的时限"),
    "approval": N_("审核程序"),
    "one_text": N_("一个口径"),
}
"""States and marks of a drill, and the criteria by which each one is judged."""
REVIEW_STATES: Mapping[str, tuple[str, str, str]] = {
    "drafted": ("run", "●", N_("系统起草，等单位修改")),
    "edited": ("soon", "◆", N_("等通过")),
    "adopted": ("met", "✓", N_("已通过")),
}
"""State of a review -> its colour, its shape and its title."""

LESSON_STATES: Mapping[str, tuple[str, str, str]] = {
    "open": ("run", "●", N_("进行中")),
    "done": ("met", "✓", N_("已完成")),
    "dropped": ("still", "✕", N_("不再整改")),
}
"""State of a lesson -> its colour, its shape and its title."""

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
    "press": N_("发布会和媒体"),
    "operation": N_("卷宗"),
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

DELIVERIES: Mapping[str, str] = {
    "due": N_("待送达"),
    "failed": N_("没有送到"),
    "done": N_("已送达"),
    "superseded": N_("已有更新的"),
}
"""What became of a release at a channel -> how it is said."""

REMEDIES: Mapping[str, str] = {
    "too_slow": N_("接收方十秒之内没有应答。请对方先应答，再慢慢处理。"),
    "unreachable": N_("请对方看服务是否开着、网络是否放行，并核对地址；地址变了的，退订后另订。"),
    "not_taken": N_("接收方应答了，但没有收下。请对方查自己的日志，签名的密钥换过的也要换上。"),
    "redirected": N_("接收方要求转到别的地址，推送不跟着转。请对方给出最终的地址，退订后另订。"),
    "private_address": N_("地址在内部网络。确要推送到那里的，请运维人员放行内部网络的地址。"),
    "unreadable": N_("地址或密钥读不出，多半是恢复过备份。请更换密钥；还不行，退订后另订。"),
    "gone": N_("接收方说不再接收。还要推送的，请对方恢复；不要的，退订。"),
}
"""Why a receiver has not taken a message -> what to do."""

ACTS: Mapping[str, str] = {
    "drafted": N_("起草"),
    "revised": N_("修改"),
    "submitted": N_("送审"),
    "checked": N_("检查通过"),
    "sent-back": N_("检查未通过，退回"),
    "approved": N_("同意"),
    "referred": N_("把握不准，转请审定"),
    "rejected": N_("驳回"),
    "scheduled": N_("定时发布"),
    "unscheduled": N_("取消定时发布"),
    "published": N_("发布"),
    "corrected": N_("更正"),
    "withdrawn": N_("撤回"),
}
"""What was done on a statement -> how it is said."""
