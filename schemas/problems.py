"""All refusals of the HTTP APIs: `urn:huiying:problem:<code>`, status, and Chinese sentence.

The English title is the code in words. The English sentence stands in the code that raises the refusal. The Chinese
sentence stands here; its placeholders are members of the problem. A code never changes its meaning.
"""

from collections.abc import Mapping
from datetime import datetime
from string import Formatter
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from schemas.titles import titled

PREFIX = "urn:huiying:problem:"
CHINA = ZoneInfo("Asia/Shanghai")
"""Sentences for people show times of this zone."""
SHOWN = 20
"""A sentence names at most this many entries of a list; the member has all."""
WRITTEN = frozenset({"field", "flag", "given", "known"})
"""Members that a client writes or wrote, code by code; the codes of a pack's flags have their titles in the pack."""


class ProblemType(NamedTuple):
    """A kind of refusal."""

    status: int
    title_zh: str
    detail_zh: str
    """The sentence, with the problem's members in braces. An absent member is shown as 「（未注明）」."""


def _types(status: int, rows: Mapping[str, tuple[str, str]]) -> dict[str, ProblemType]:
    return {code: ProblemType(status, title, sentence) for code, (title, sentence) in rows.items()}


TYPES: Mapping[str, ProblemType] = {
    **_types(
        400,
        {
            "not-json": ("无法读取正文", "正文不是 UTF-8 编码的 JSON，第 {line} 行第 {column} 列有误。"),
        },
    ),
    **_types(
        401,
        {
            "sign-in-required": ("请先登录", "请发送 Authorization: Bearer 和工作人员令牌；提交反映时也可以用密钥。"),
            "token-expired": ("登录已过期", "令牌已过期，请重新登录。"),
            "token-invalid": ("令牌无效", "令牌在此无效，请重新登录。"),
            "token-early": ("令牌尚未生效", "令牌的时间在将来，请校准时钟后重新登录。"),
            "token-revoked": ("令牌已注销", "令牌已注销，请重新登录。"),
            "token-without-post": ("没有此岗位", "{unit}现在没有岗位 {post}，请以现有岗位重新登录。"),
            "key-unknown": ("密钥无效", "密钥不存在或已注销，请向本单位管理员申请新密钥。"),
        },
    ),
    **_types(
        403,
        {
            "no-right": ("无权操作", "「{act}」需要在{units}担任{roles}；您现在是 {post}，担任{held}。"),
            "not-the-approver": ("不由您审批", "时限 {clock} 的{request}由 {posts} 审批；您现在是 {post}。"),
            "value-set-above": ("上级已填写", "{above}已填写 {pack} 的 {place}，对{unit}同样有效；请由{above}更改。"),
            "other-checker": ("不由您检查", "“{gate}”由{who}检查；您现在是 {post}。"),
            "other-speaker": (
                "不由您发布",
                "这一事项由 {posts} 发言，各代表本单位和下级单位，其他岗位不发布；您现在是 {post}。",
            ),
            "other-decider": ("不由您决定", "此事由 {posts} 决定；您现在是 {post}。"),
            "other-addressee": (
                "不是报告对象",
                "这次上报发给{unit}的 {addressee}，只有 {posts} 可以回执；您现在是 {post}。",
            ),
            "other-office": ("属于其他单位", "这属于{unit}，您以 {post} 的身份无权查看。"),
        },
    ),
    **_types(
        404,
        {
            "not-found": ("未找到", "没有 {what}。"),
            "review-not-drafted": ("尚无总结", "{what} 还没有总结；事项办结或趋于平稳后自动起草。"),
            "receipt-unknown": ("没有此回执", "没有这个回执编号，请对照回执重新填写。"),
            "status-untold": (
                "没有可以公开的内容",
                "没有这个编号或收据号，或者这件事项还没有公开发布过内容；请与所得的核对。",
            ),
            "no-such-path": ("没有此地址", "没有地址 {path}；各接口见 {documents}。"),
            "path-unreadable": ("没有此地址", "没有此地址：其中有空字符或不是 UTF-8 的字节。"),
            "file-missing": ("文件缺失", "附件文件夹里没有 {file}，请从备份恢复。"),
        },
    ),
    **_types(408, {"too-slow": ("请求超时", "请求没有及时传完，请重新发送。")}),
    **_types(405, {"method-not-allowed": ("不支持此方法", "{path} 不接受 {method}；可用：{known}。")}),
    **_types(
        409,
        {
            "archive-incomplete": (
                "卷宗不全",
                "卷宗里有 {count} 段文字或文件在这里找不到，也没有删除记录；请从备份恢复。",
            ),
            "edition-old": ("不是最新文本", "最新文本是第 {edition} 版，请重新阅读后再通过。"),
            "evaluated": ("已有结论", "这次评估已经有了结论。"),
            "lesson-ended": ("已经了结", "这项整改已经了结：{state}。"),
            "lesson-none-open": ("没有进行中的整改", "这份总结没有进行中的整改事项。"),
            "lesson-of-pack": (
                "由制度包的新版本了结",
                "这项整改要修改制度包，由回应其修改建议的新版本了结，或者在不采纳该建议时了结。",
            ),
            "not-convened": ("尚未召集评估", "还没有召集人员评估这件事项，请先召集。"),
            "review-adopted": ("已经通过", "这份总结的最新文本已经通过。"),
            "archive-not-sealed": ("尚未封存", "这个事项的卷宗没有封存，或者封存的文件已不在；请先封存。"),
            "year-not-over": ("年度未结束", "{year} 年还没有结束，年度统计在结束后通报。"),
            "archive-unproven": (
                "卷宗无法核验",
                "这份卷宗封存后无法核验，因此没有封存：{error}。请告知管理员，用 huiying check 查找原因。",
            ),
            "archive-too-large": (
                "卷宗太大",
                "这件事项的内容一份卷宗放不下，因此没有封存：{error}。没有作任何记录，请告知管理员。",
            ),
            "export-unproven": (
                "记录无法核验",
                "这份记录无法核验，因此没有给出：{error}。没有作任何记录。请告知管理员，用 huiying check 查找原因。",
            ),
            "archive-altered": (
                "卷宗已被改动",
                "这份卷宗或它的文件封存以后在本机被改动，无法核验，因此没有给出：{error}。请从备份恢复被改动的文件；没有作任何记录。",
            ),
            "archive-not-ended": ("尚未办结", "这个事项还没有结束，结束之后才能封存卷宗。"),
            "saved-queries-full": ("常用查询已满", "{unit}已存有 {most} 个常用查询，请先删除不用的。"),
            "already-accepted": ("已经接办", "{unit}已经接办 {incident}；请记录办理情况，或者退回。"),
            "already-accountable": ("已经是责任单位", "{unit}已经是 {incident} 的责任单位，请指定其他单位。"),
            "already-answered": ("已经回执", "{post} 已经就这次上报给过回执。"),
            "already-approved": ("已经审核", "您审核过这份文本，或者对它把握不准；须由他人审核。"),
            "designated": (
                "已经指定承办",
                "{incident} 已由{by}指定{unit}承办，不得退回或改交；请{by}另行指定。",
            ),
            "to-be-designated": ("须由上级指定", "{incident} 已退回 {returns} 次或退回逾期，由{by}指定承办单位。"),
            "not-to-be-designated": (
                "尚不须指定",
                "{incident} 仍由{unit}交办；多次退回、逾期退回或无人接办后才指定。",
            ),
            "no-answer-yet": ("尚无答复", "该反映尚无答复，答复后再评价。"),
            "answer-judged": ("已经评价", "您已评价过最近一次答复，每次答复只评价一次。"),
            "follow-up-over": ("跟踪已结束", "{incident} 的跟踪已经结束；情况反复的，请重启。"),
            "nothing-unhelpful": ("无须决定", "没有反映人认为 {incident} 的答复无用而待决定。"),
            "team-needed": ("须先成立专班", "{incident} 办理前须先成立工作专班，请先确定组长、副组长和成员。"),
            "nobody-helps": ("没有协办单位", "{incident} 没有协办单位，请先请求协办。"),
            "head-designates": ("由主要负责人指定", "{unit}没有上级单位，由 {posts} 指定承办单位。"),
            "instruction-needed": ("须先批示", "{incident} 交办前须有{who}的批示，请先请示。"),
            "help-accepted-already": ("已经签收", "{unit}已于 {at} 签收协办任务。"),
            "help-completed-already": ("已经完成", "{unit}已于 {at} 完成协办任务。"),
            "handles-already": ("由该单位承办", "{incident} 就由{unit}承办，请向其他单位请求协办。"),
            "already-assigned": ("已经交办", "{incident} 已经交{unit}办理，请指定其他单位。"),
            "already-classified": ("答复类型相同", "{incident} 的答复类型已经是{answer_kind}，请选择其他类型。"),
            "already-categorized": ("类别相同", "{incident} 的类别已经是{category}，请选择其他类别。"),
            "already-drafted": ("已经起草", "这份稿件已经起草，请修改它。"),
            "already-linked": ("判断相同", "{incident} 与 {to} 已经判断为「{kind}」，请选择其他判断。"),
            "nothing-above": ("没有上级", "{unit}没有上级，{incident} 无处提请。"),
            "offered-aside": ("不是上级", "{to}不是{unit}的上级；上级有：{known}。"),
            "already-offered": ("已经提请", "{incident} 已经提请{to}，由其判断。"),
            "lesson-of-another-pack": (
                "不是这一规则的教训",
                "第 {lesson} 号经验教训针对 {about}，不针对 {pack}，请由 {about} 的新版本回应。",
            ),
            "lesson-settled": ("已经处理", "第 {lesson} 号经验教训已由 {by} 处理；仍须修改的，请另行记录。"),
            "pack-loaded": ("规则已经载入", "{pack} 已经载入，不能再回应经验教训；请为修改后的规则编新版本号。"),
            "linked-to-itself": ("同一事项编号", "{incident} 就是本事项，请填写另一件事项。"),
            "part-of-itself": ("部分与整体颠倒", "{to} 已经（经由其他事项）是 {incident} 的一部分，不能反过来。"),
            "key-shown-already": (
                "密钥已经发放",
                "这次申请已经发放过密钥 {key}，密钥只显示一次；没有人收到的，请注销它，再另行发放。",
            ),
            "already-graded": ("级别相同", "{incident} 的级别已经是{level}，请选择其他级别。"),
            "already-published": ("已经发布过", "稿件{phase}，不能再次发布；请更正已公开的内容，或另行起草。"),
            "already-received": ("已经受理", "这件反映已经受理。"),
            "already-refused": ("已经决定不予答复", "这件反映已经决定不予答复。"),
            "erase-the-report": ("请整件删除", "反映须整件删除，请使用该反映自己的删除地址。"),
            "erasure-asked-by-you": ("须由另一人确认", "删除由您申请，须由上级单位的另一人确认。"),
            "words-erased-already": ("已经删除", "这些文字已经删除。"),
            "asked-by-you": ("须由另一人确认", "您已经申请撤销时限 {clock} 的逾期，须由另一名审计人员确认。"),
            "answer-kind-not-allowed": (
                "该级别不能用此答复类型",
                "{pack} 不允许{level}级别采用{answer_kind}，请选择其他类型。",
            ),
            "no-answer-kinds": ("没有答复类型", "{pack} 没有规定答复类型，无需选择。"),
            "no-levels": ("没有级别", "{pack} 没有规定级别，无需定级。"),
            "flag-set": ("标识已设置", "{incident} 已有标识 {flag}，请选择其他标识。"),
            "flag-not-set": ("没有此标识", "{incident} 没有标识 {flag}，无需取消。"),
            "harm-judged": ("危害程度相同", "{incident} 的危害程度已经判定为 {harm}，请选择其他程度。"),
            "doubt-judged": ("存疑判定相同", "{incident} 已经作出同样的存疑判定，无需更改。"),
            "answer-kind-unknown": ("没有此答复类型", "{pack} 没有{answer_kind}这一答复类型的规定，请选择其他类型。"),
            "chain-outdated": (
                "审核环节已变",
                "送审时按{submitted}级别，现在是{level}，或者决定由谁审核的其他情况有变；请按现行环节重新送审。",
            ),
            "limit-not-per-case": ("不可定个案时限", "{pack}没有规定 {clock} 由人按个案定时限。"),
            "limit-set-already": ("已定个案时限", "本事项的 {clock} 已定于 {due}；只有经他人批准延期才能推后。"),
            "extension-overtaken": (
                "期限已更晚",
                "{clock} 现在的到期时间 {due} 已晚于所申请的时间，请不予同意，由单位重新申请。",
            ),
            "extension-used-up": ("延期次数已满", "{pack}最多允许将 {clock} 延长 {times} 次。"),
            "duty-begun": (
                "班次已开始",
                "{post} 自 {since} 起的班次已经开始或已有人到岗，不能再改；新的班次从现在以后排起。",
            ),
            "duty-overlaps": (
                "同一岗位班次重叠",
                "{post} 自 {since} 至 {until} 已有班次；请改排其他岗位，或先更正、取消其中一班。",
            ),
            "duty-taken": ("班次已有人到岗", "{post} 自 {since} 起的班次已有人到岗或已结束，无需替班。"),
            "no-duty-now": ("现在没有班次", "{unit}现在没有等待 {post} 到岗的班次；可在开始前一小时至结束前到岗。"),
            "not-on-duty": ("不在岗", "{post} 不在{unit}值班，无法交班。"),
            "no-next-duty": ("没有下一班", "{unit}没有排好的下一班；请先排班，或写明接班岗位。"),
            "period-open": (
                "特殊时期已在进行",
                "{unit}的特殊时期 {period} 届时仍在进行；请先结束，或另定较晚的开始时间。",
            ),
            "period-not-open": ("没有此特殊时期", "{unit}没有进行中或将开始的特殊时期 {period}。"),
            "request-waits": ("已经申请", "{clock} 的{request}已有人申请，尚未审批。"),
            "nothing-asked": ("没有申请", "没有人申请 {clock} 的{request}。"),
            "confirmed-already": ("已经确认", "{post} 已经确认这项决定。"),
            "decision-outdated": (
                "须重新提出",
                "提出之后，按事件现在的单位、级别或规则包，应由其他岗位决定，请重新提出。",
            ),
            "confirmed-by-you": ("须由他人确认", "您已以其他岗位参加这项决定，须由他人确认。"),
            "own-request": ("申请人不能审批", "{clock} 的{request}是您申请的，须由他人审批。"),
            "asker-told": ("无需告知", "时限 {clock} 无需告知提问人：已经告知，或者没有延期。"),
            "pause-not-allowed": ("不可中止计时", "{pack}不允许中止 {clock}。"),
            "already-paused": ("已经中止", "{clock} 已经中止计时。"),
            "not-paused": ("没有中止", "{clock} 没有中止计时。"),
            "deferral-not-allowed": ("不可挂账", "{pack}不允许将 {clock} 挂账。"),
            "clock-not-extendable": ("时限不可延期", "{pack}不允许延长时限 {clock}。"),
            "clock-not-running": ("时限已停", "时限 {clock} 已不再计时。"),
            "clock-passed": ("时限已过", "时限 {clock} 应于 {due} 到期；须在到期之前决定。"),
            "delegated-elsewhere": ("不能委托给该岗位", "{post} 只能委托给{unit}或其上级的其他岗位，不能委托给 {to}。"),
            "drafted-by-you": ("起草人不能审核", "您参与了这份文本的起草，须由他人审核。"),
            "drill-office": ("演练须与真实办理分开", "{unit}与{of}不都是演练单位，不能一起办理；请选择同类单位。"),
            "drill-and-real": ("演练与真实事项须分开", "演练不能与真实事项合并或关联。"),
            "erased": ("已按要求删除", "这件反映已按要求删除，不能再添加内容。"),
            "facts-needed": ("须有已核实的事实", "事实说明至少要引用一项已核实的事实；没有时请发处置情况。"),
            "facts-not-established": ("事实尚未核实", "尚未核实：{missing}；请核实员先核实。"),
            "last-report": ("不能全部移出", "{incident} 有 {reports} 件反映，须保留一件；请少移，或者并入其他事项。"),
            "level-not-in-pack": ("没有此级别", "现行制度没有级别 {level}，请先按现行制度定级。"),
            "id-taken": (
                "编号已经用过",
                "{source} 的编号 {external_id} 已用于内容不同的 {report_id}；请换一个编号，或在该件上补充。",
            ),
            "merged": ("事项已并入", "这一事项已并入 {into}，请到那里{act}。"),
            "merged-target": ("目标事项已并入", "{incident} 本身已并入 {into}，请选择该事项。"),
            "already-under-pack": ("已经适用", "{incident} 已经适用制度 {pack}，请指定其他制度。"),
            "level-not-mapped": (
                "级别没有对应",
                "{pack} 没有说明 {previous} 的{level}相当于哪一级；请在 level 中按新制度写明级别。",
            ),
            "merge-level-unknown": (
                "目标事项未定级",
                "本事项定级为{level}，{pack} 没有此级别；请先给 {incident} 定级，再合并。",
            ),
            "merge-into-itself": ("不能并入自身", "{incident} 不能并入自身，请指定另一事项。"),
            "merge-target-ended": ("目标事项已{phase}", "{incident}{phase}，请先重启，再合并。"),
            "judged-here": ("由此处审定", "把握不准的送 {to} 审定，而您正是以此身份审定；请审核或者驳回。"),
            "no-chain": ("没有审核规定", "该事项适用的制度没有规定这份文本由谁审核。"),
            "nobody-judges": ("没有转请审定的规定", "该事项适用的制度没有规定把握不准时送给谁；请审核或者驳回。"),
            "measures-unapproved": ("措施不须审定", "{incident} 适用的制度没有规定措施须经审定；请采取措施并记录。"),
            "nothing-proposed": ("没有待审定的", "{incident} 没有待您审定的措施或解释。"),
            "proposal-decided": ("已经审定", "第 {given} 号{phase}；仍需要的请重新提出。"),
            "proposal-outdated": ("审定环节已变", "第 {given} 号现在须经其他环节审定；请驳回并重新提出。"),
            "proposed-by-you": ("提出人不能审定", "这是您提出的，须由他人审定。"),
            "not-a-member": ("不是成员", "{posts} 没有参与环节 {step} 的审定；成员有：{known}。"),
            "quorum-missing": (
                "参与人数不足",
                "{body}须有 {quorum} 名未起草、也未审核过的成员本人参与审定，现为 {counted} 名；请写明全部参与者。",
            ),
            "no-breach": ("没有逾期", "时限 {clock} 没有成立的逾期，无可撤销。"),
            "no-open-report": ("没有待回执的上报", "没有上报在等待回执；请写明是哪一次（report）。"),
            "gate-not-open": ("无须检查", "{gate} 现在没有要检查的：已经通过，或者这份稿子不需要。"),
            "nothing-to-check": ("无须检查", "这份稿子现在没有要检查的：都已通过，或者不需要。"),
            "gate-not-passed": ("检查未通过", "“{gate}”还没有通过，须先由{who}检查。"),
            "check-incomplete": (
                "检查不完整",
                "“{gate}”须逐项确认才算通过，还没有确认的是：{missing}。请确认，或者退回。",
            ),
            "material-missing": (
                "材料未到",
                "{unit}的回复材料还没有收到，须由其负责人签字并盖章；收到后请登记。处置情况不受此限。",
            ),
            "written-by-you": ("您起草过", "您起草过这份稿子，须由别人检查。"),
            "not-its-incident": ("不承办该事项", "{unit}不承办 {incident}；关于它的稿件可由{known}发布。"),
            "no-longer-its-incident": (
                "已不承办该事项",
                "稿件属于{unit}，而它已不再承办 {incident}；请由{known}另行起草。",
            ),
            "not-above": ("不是上级", "{to}不是{unit}的上级，也不参与此事项；请报给{known}之一。"),
            "addressee-missing": (
                "没有此报告对象",
                "{unit}的岗位名录里没有 {to}，无人能回执；请在 units.yaml 中补上。",
            ),
            "nobody-agrees": (
                "没有人可以审核",
                "步骤 {step} 由 {who} 审核，而{units}的岗位名录里没有谁可以这样做；请在 units.yaml 中补上岗位或成员。",
            ),
            "nobody-decides": (
                "没有人可以审批",
                "时限 {clock} 的{request}由 {to} 决定，而{units}的岗位名录里没有它；请在 units.yaml 中补上。",
            ),
            "no-such-lead": ("不适用此牵头方式", "按制度，此事项在现有级别不适用这种牵头方式（{how}）。"),
            "leads-already": ("已经牵头", "{unit}已经牵头。"),
            "asked-already": ("已经请示", "已经请{unit}牵头，须由其同意。"),
            "not-asked": ("尚未请示", "还没有人请{unit}牵头。"),
            "no-decision": ("无须此决定", "此事项的制度在现有级别不要求作此决定。"),
            "not-deciding": ("不参与此决定", "{posts} 不参与此决定；由 {known} 决定。"),
            "not-together": ("须集体研判", "此事须至少 {needed} 人集体研判；请在 took_part 中写明参加的岗位。"),
            "no-notices": ("没有整改通知规定", "此事项的制度没有关于整改通知的规定；请改用批示。"),
            "report-back-waits": ("报告等待回执", "上次整改情况报告尚待回执；被退回后请重新报告。"),
            "no-open-notice": ("没有待办的整改通知", "没有整改通知在等待答复；结果已获回执的通知已办结。"),
            "parts-missing": ("整改情况不全", "上报整改结果缺少 {missing}；请先填写各部分。"),
            "proposal-needed": ("须附处理意见", "报给{unit}的 {to} 须附拟办意见；请填写 proposal。"),
            "plan-needed": ("须附应对方案", "报给{unit}的 {to} 须附应对方案；请写在 text 中。"),
            "verification-open": (
                "尚在核实",
                "已要求{units}核实，尚无结论；请先作出核实结论，或者先发布处置情况。",
            ),
            "not-verified": (
                "尚未核实",
                "还没有核实；请核实员先查明事实或作出核实结论。处置情况不必等待。",
            ),
            "established-above": (
                "须由上级查明",
                "按现有级别由{unit}查明事实，须由其先作出核实结论。处置情况不必等待。",
            ),
            "already-concluded": ("已有此结论", "{incident} 的核实已有此结论；如须重新核实，请先提出要求。"),
            "clarification-owed": (
                "尚未澄清",
                "{incident} 所反映的情况与事实不符，尚未澄清；请先答复澄清。",
            ),
            "instant-missed": (
                "已错过定时",
                "到了定好的时间没能发布，已经过去一个多小时，不再自动发布。请立即发布、另定时间，或者取消定时。",
            ),
            "office-not-heard": ("尚未听取意见", "尚未听取{unit}的意见；请等其陈述，或等到 {until} 期限届满。"),
            "office-heard": ("已陈述意见", "{unit}已经陈述过意见。"),
            "handled-by-you": ("您办理过此事项", "您办理过此事项或代表过该单位，须由其他督查员认定。"),
            "finding-asked-by-you": ("须由另一人同意", "您已作出同样的认定，须由另一人同意。"),
            "finding-computed": ("依规则成立", "此项依规则成立，无须认定。"),
            "finding-decided": ("已作认定", "此项已有结论：{state}。"),
            "unit-speaks-itself": ("由单位自己陈述", "须由{unit}自己陈述意见，其他单位不能代为陈述。"),
            "finding-proposed-by-you": ("由您提请", "此项由您提请，须由另一名督查员认定。"),
            "finding-lapsed": ("已失效", "记录已不再显示此项，认定失效。"),
            "inspection-ended": ("检查已结束", "此次检查已经结束。"),
            "nothing-to-remedy": ("没有待整改的问题", "现在没有待整改的问题。"),
            "no-remedy-reported": ("尚未报送整改", "被检查单位尚未报送待核的整改情况。"),
            "no-open-remark": ("没有未了结的问题", "各项问题均已整改或者撤回。"),
            "remarks-open": ("尚有问题未整改", "还有 {count} 项问题没有整改；请先核销或者撤回。"),
            "remark-elsewhere": ("问题不在此步", "第 {remark} 项问题现为：{state}，不能这样办。"),
            "remedy-by-you": ("整改由您报送", "此项整改由您报送，须由另一人核销。"),
            "own-post": ("涉及您本人岗位", "此事涉及您自己的岗位，须由他人办理。"),
            "praise-unheard": ("表扬不须陈述", "表扬不须听取陈述。"),
            "post-heard": ("已陈述意见", "该岗位已经陈述过意见。"),
            "post-not-heard": ("尚未听取意见", "尚未听取 {post} 的意见；请等其陈述，或等到 {until} 期限届满。"),
            "referral-proposed-by-you": ("由您提请", "此事由您提请，须由另一人决定。"),
            "other-referral": ("类别不符", "此项的类别不能这样办。"),
            "no-finding-stands": ("依据已失效", "所依据的认定均已不成立，请终止。"),
            "receipt-noted": ("已记收文", "收文情况已经登记。"),
            "not-passed-on": ("尚未移送", "此项尚未移送。"),
            "referral-decided": ("已有决定", "此项已有决定：{state}。"),
            "nothing-changed": (
                "没有改动",
                "文字和依据都与现在的稿子一样，没有另存，已有的审核照旧有效。要改请改动后再提交。",
            ),
            "files-full": ("文件已满", "一份稿件最多 {limit} 个文件；请先移除，或者合并成一个文档。"),
            "not-a-picture": ("不是图片", "只有图片可以遮挡，这是文档。"),
            "file-public": ("文件已公开", "这个文件已经公开过，只能保持原样；请更正稿件，不再附它。"),
            "persons-uncovered": ("画面中的人未遮挡", "图片“{what}”中有人可以辨认，请先遮挡。"),
            "nothing-corrected": (
                "没有更正",
                "文字和依据都与已公开的一样，没有更正什么。请改动后再更正，或者撤回。",
            ),
            "only-prepared": ("尚未撰写", "这份草稿由规则预先建立，还没有人撰写；请先修改。"),
            "place-not-written": ("还有待填写", "稿子里还有没写的地方（写着“{place}…”）；请写好再送审。"),
            "not-approved": ("尚未审核通过", "稿件{phase}；各环节都审核通过后才能发布。"),
            "not-assigned": ("尚未交办", "{incident} 尚未交办给任何单位；请值班员先交办，再{act}。"),
            "not-graded": ("尚未定级", "事项尚未定级，无法确定由谁审核；请先定级。"),
            "already-solved": ("已经解决", "{incident} 的问题已经解决；如又出现，请在办结后重启事项。"),
            "material-unsigned": ("负责人未签字", "{unit}的材料须由其负责人签字；请在 signed_by 写明：{posts}。"),
            "material-unsealed": ("未盖公章", "{unit}的材料须加盖公章；请退回补盖。"),
            "no-screening": ("没有甄别规定", "{incident} 的制度没有不予答复的理由，因此须答复。"),
            "review-first": ("须先复核", "{incident} 的反映均已决定不予答复，须先由其他岗位复核。"),
            "already-screened": ("已经甄别", "{incident} 已经这样甄别；请另作决定，或由其他岗位复核。"),
            "nothing-screened": ("无须复核", "没有人决定 {incident} 不予答复，无须复核。"),
            "screening-outdated": ("反映有变动", "甄别之后 {incident} 的反映有变动；请重新甄别。"),
            "screened-by-you": ("须由他人复核", "您或您的岗位已经决定或复核过，须由其他岗位的其他人复核。"),
            "already-upheld": ("已经同意", "{incident} 不予答复的决定已经复核同意，现在只能推翻。"),
            "merge-into-screened": (
                "并入的事项不予答复",
                "{incident} 已甄别为不予答复；请先决定须答复，或者反过来合并。",
            ),
            "explanation-owed": ("尚待说明", "{incident} 还缺 {missing}；请先补齐。"),
            "already-ordered": ("已经责成", "已在 {at} 责成{unit}说明 {incident}。"),
            "explanation-not-ordered": ("尚未责成说明", "{incident} 须先由 {who} 责成说明。"),
            "not-investigated": (
                "尚未调查",
                "{incident} 须先查明情况，才能定为「{outcome}」；请查明事实或作出核实结论。",
            ),
            "already-unsolved": ("已有此结果", "{incident} 已定为「{outcome}」；请另作决定，或者作出解释。"),
            "outcome-unexplained": ("尚未解释结果", "{incident} 的结果是「{outcome}」，须先作出解释，才能办结。"),
            "plan-not-followed": ("计划尚未跟踪到底", "{incident} 列入计划（{due}）；请回访到终结，再结案。"),
            "not-handled": ("办理记录不全", "{incident} 还不能办结：{missing}还没有完成；请先解决问题并答复。"),
            "not-its-report": ("不属于该事项", "{reports} 不属于 {incident}，请指定属于该事项的反映。"),
            "not-opened": ("尚未收到立案", "时限服务尚未收到该事项的立案，请稍后再试。"),
            "nothing-to-deliver": ("尚未发布", "稿件还没有发布，没有可送到渠道的内容。"),
            "channel-ended": ("渠道已停用", "这个渠道已经停用，要用请重新设置。"),
            "speaker-ended": ("单位已撤销", "{unit}已经撤销，不能再发通告；请由现在承担其工作的单位另拟。"),
            "channel-there": ("渠道已有", "{unit}已有渠道 {given}；请更改它，或者换一个代码。"),
            "channel-without-secret": ("没有签名密钥", "只有自动推送的渠道才有签名密钥。"),
            "channel-of-other-kind": (
                "渠道种类不符",
                "这个渠道的种类是{kind}：自动推送的无需确认，人工发布的不能重送。",
            ),
            "delivered-already": ("已经送达", "那里已经是现在公开的文字，无需再送。"),
            "posted-text-differs": (
                "与核准的文字不符",
                "网页上的文字与核准的不符：{marked}。[−]是少了的，[+]是多出的；请在网页上改正后再确认。",
            ),
            "not-scheduled": ("没有定时", "这份稿件没有定时发布，无需取消。"),
            "not-published": ("尚未发布", "稿件{phase}，没有公开发布的内容可{act}。"),
            "not-resolved": ("尚未办结", "{incident} 尚未办结；请先办结，再结案。"),
            "not-submitted": ("尚未送审", "稿件{phase}；只有已送审的才能{act}。"),
            "invisible-character": (
                "含有看不见的字符",
                "{field} 第 {at} 个字符是看不见的字符（{character}），请去掉。",
            ),
            "personal-number": (
                "含有个人信息",
                "{field} 第 {at} 个字符起是个人信息（{kind}）；公开内容不得含个人信息，请去掉。",
            ),
            "marker-malformed": (
                "标记写法不对",
                "{field} 第 {at} 个字符起的“{figure}”不是标记；请写成 fact: 加事实的代码，两边各两个花括号。",
            ),
            "fact-not-bindable": ("事实尚未查明", "{field} 第 {at} 个字符起引用的 {fact} 尚未查明；已查明：{known}。"),
            "fact-words-missing": (
                "事实的文字不在",
                "{field} 第 {at} 个字符起引用的 {fact} 文字尚未到达或者已经删除；请稍后再试，或者直接写明。",
            ),
            "differs-from-fact": (
                "与查明的事实不符",
                "{field} 第 {at} 个字符起的“{figure}”与查明的“{title}”（{says}）不符；请引用该事实，或者先更正它。",
            ),
            "differs-from-approved": (
                "与核准的文字不一致",
                "{field}第 {at} 个字：写的是“{given}”，说明 {statement} 写的是“{approved}”；请提供核准的文字。",
            ),
            "speaks-by-pack": ("不是规则包指定的发言人", "规则包规定由{known}发言，{posts} 不是。"),
            "not-its-post": (
                "不是承办单位的岗位",
                "{field}：{post} 不属于承办这一事项的单位，也不属于它们的上级；请写{known}或其上级的岗位。",
            ),
            "body-not-a-post": ("这是几个岗位组成的机构", "{field}：{post} 由几个岗位组成；请写具体做这件事的岗位。"),
            "not-fixed-to-speak": ("不是指定的岗位", "这一事项由 {posts} 发言或接受采访，没有指定 {post}。"),
            "conference-over": ("发布会{phase}", "这场新闻发布会{phase}；需要时请另行召开。"),
            "no-conference-at-level": (
                "这一等级不召开发布会",
                "规则包规定{known}等级召开新闻发布会，这一事项的等级是{level}。",
            ),
            "speaker-changed": ("发言的岗位已变", "定时的是 {post}，现在这一事项由 {posts} 发言；请由该岗位发布。"),
            "closing-account-owed": (
                "尚未发布结案说明",
                "规则包要求 {incident} 结案前公开发布一份结案说明，讲清事件经过和处置结果；请先发布。",
            ),
            "account-of-facts": ("须依据查明的事实", "结案说明讲事件经过和处置结果，类别请选“事实说明”。"),
            "account-too-early": ("事项尚未办结", "结案说明在 {incident} 办结以后发布；现在可以发布进展情况。"),
            "next-needed": ("须写明下次发布的时间", "进展情况要写明下一次何时发布，请在“下次发布”里填写时间。"),
            "promise-passed": ("承诺的时间已过", "稿件承诺在 {at} 前发布下一次，这个时间已过；请改成以后的时间。"),
            "not-to-be-given": ("还不能提供", "说明 {statement} {phase}；只能提供已核准或已发布的说明。"),
            "differs-from-statement": (
                "与已发布的稿件不符",
                "{field} 第 {at} 个字符起的“{figure}”与稿件 {statement}（{says}）不符；请查明并引用，或更正该稿。",
            ),
            "cause-not-established": (
                "原因尚未查明",
                "{field} 第 {at} 个字符起的“{figure}”写了原因，而原因尚未查明；请先查明原因，或者不写原因。",
            ),
            "no-alert": (
                "不是演练预警",
                "这份说明稿不是已发布的演练预警；真实预警见公告栏。",
            ),
            "free-office": (
                "单位与本事项无关",
                "{field} 第 {at} 个字符起的“{figure}”与本事项无关，也没有事实写到它；请先查明，或者写明理由予以豁免。",
            ),
            "free-number": (
                "数字没有依据",
                "{field} 第 {at} 个字符起的“{figure}”没有引用事实；请引用事实，或者写明理由予以豁免。",
            ),
            "fact-revised": (
                "事实已经更正",
                "“{title}”送审时是{before}，现在是{now}；请重新送审。",
            ),
            "text-too-long-resolved": (
                "引用事实后过长",
                "{field} 引用事实后有 {size} 个字符，最多 {limit} 个；请缩短。",
            ),
            "only-drafts": ("不是草稿", "稿件{phase}；只有草稿才能送审。"),
            "pack-assigned": ("已经适用", "{unit}已经适用制度 {pack}，请指定其他制度。"),
            "pack-changed": ("同一版本内容不同", "{pack} 以前载入的内容不同；改动后的制度请用新的版本号。"),
            "pack-not-effective": ("制度尚未生效", "{pack} 自 {effective_from} 起生效；在此之前不得据以办理。"),
            "pack-not-loaded": ("制度未载入", "制度 {pack} 没有载入，请先载入；已载入：{known}。"),
            "pack-unknown": ("没有此制度", "{path}：制度文件夹里没有 {pack}，而{unit}适用它。"),
            "published-already": ("已经发布", "稿件已经发布；请更正，使原文仍然可见。"),
            "record-fails-again": ("仍然失败", "记录 {record} 与之前一样失败：{error}"),
            "record-on-own-topic": (
                "只能用命令行弃置",
                "记录 {record} 在 {service} 自己的主题上；请用命令行弃置，使各服务都知道它是伪造的。",
            ),
            "record-settled": ("已经处理", "记录 {record} 已经处理过。"),
            "rejected": ("不允许", "制度或记录不允许这样做。"),
            "still-open": ("尚未办结", "{incident} 还在办理；办结之后才能{act}。"),
            "take-another-person": ("须由他人操作", "您参与过这份稿件的起草、审核或更正，须由他人{act}。"),
            "body-with-roles": ("集体不单设身份", "{post} 是集体；身份和负责人属于其成员，集体本身没有。"),
            "duty-post-without-body": ("值班岗位只属于集体", "{post} 有值班岗位而没有成员；只有集体才有值班岗位。"),
            "member-unknown": (
                "没有此成员岗位",
                "{post} 的成员 {member} 在 {at} 不是岗位；请先从 {post} 的成员中去掉它。",
            ),
            "not-one-head": ("负责人须为一人", "{unit}在 {at} 有 {heads} 个负责岗位，须恰好一个。"),
            "post-without-unit": ("岗位没有单位", "{post} 属于{unit}，而它在 {at} 不是单位。"),
            "several-roots": (
                "只能有一个最高单位",
                "{units} 在 {at} 都没有上级；一个部署只有一个最高单位，请分别部署。",
            ),
            "no-unit-left": ("没有单位存续", "{at} 起不再有任何单位；至少留一个单位。"),
            "unit-in-ring": ("单位隶属成环", "单位互相隶属成环：{units}。"),
            "unit-needs-parent": ("缺少上级单位", "{unit}须有上级单位：{known}之一。"),
            "unit-parent-missing": ("上级单位不存在", "{unit}隶属于 {parent}，而它在 {at} 不是单位。"),
            "unit-parent-wrong": ("上级单位不对", "{unit}不能隶属于 {parent}。"),
            "unit-place-changed": (
                "隶属关系已有记录",
                "{unit}自 {since} 的隶属关系已有另一记录；请以更晚的日期另写一条。",
            ),
            "unit-below-exercises": (
                "上级单位是演练单位",
                "{unit}不能隶属于 {parent}：它是演练单位；请选择真实的上级单位。",
            ),
            "unit-changes-later": (
                "已安排后续调整",
                "{unit}自 {since} 另有调整；请等它生效后再撤销。",
            ),
            "unit-code-used": ("代码已用过", "{unit}曾是一个单位的代码；新单位请另用代码，以免混淆。"),
            "unit-has-matters": (
                "还有未结事项",
                "{unit}还有未结事项（如 {known}）；请先移交给其他单位或结案，要它核实、协助或整改的请先办完。",
            ),
            "unit-has-units": ("还有下级单位", "{units} 隶属于{unit}；请先撤销它们，或改为隶属于其他单位。"),
            "unit-there": ("单位已存在", "{unit}已经存在；它的岗位请逐个调整，是否演练单位不能改。"),
            "admin-needed": (
                "须有管理员",
                "{unit}自 {at} 起将没有管理员，无人再能设置；请先给{unit}的另一个岗位管理员身份。",
            ),
            "head-needed": ("须有负责岗位", "{post} 是{unit}的负责岗位；请先把另一个岗位设为负责岗位。"),
            "unit-place-ended": ("隶属关系已结束", "{unit}自 {since} 的隶属关系已经结束，请另写一条。"),
            "unit-placed-twice": ("隶属关系重复", "{unit}自 {since} 有两条隶属关系，请只留一条。"),
            "ended": ("事项已{phase}", "{incident} {phase}；请先重启，再{act}。"),
            "matter-ended": ("事项已{phase}", "这一事项{phase}；请先重启，再{act}。"),
            "withdrawn": ("已经撤回", "稿件已经撤回；请另发一份。"),
            "approvals-unsigned": ("审核没有签名", "这份稿件在岗位有签名密钥之前通过审核，无从核验；请重新送审。"),
            "approvals-unproven": ("审核签名不成立", "现有的审核签名不能证明这份稿件，请重新送审。"),
            "words-erased": ("草稿文字已删除", "草稿的文字已按要求删除；请重写并重新送审。"),
        },
    ),
    **_types(
        412,
        {"stale": ("记录已变更", "{record} 现在是第 {version} 版，您看到的是第 {seen} 版；请重新阅读后再决定。")},
    ),
    **_types(
        413,
        {
            "document-too-large": (
                "文档过大",
                "文档的页数过多，或者处理它需要的时间、内存过多（上限 {limit} 页），请拆分或者简化后发送。",
            ),
            "picture-too-large": (
                "图片过大",
                "图片的像素过多，或者处理它需要的时间、内存过多（上限 {limit} 像素），请发送较小的图片。",
            ),
            "too-large": ("内容过大", "内容超过 {limit} 字节的上限。"),
        },
    ),
    **_types(
        415,
        {
            "unsupported-media-type": ("不支持的格式", "请用 {known} 格式发送，不能用 {kind}。"),
            "content-differs": ("内容与格式不符", "文件的内容不是 {kind} 的格式。"),
            "picture-heic": ("不支持的图片格式", "文件是 HEIC 或 AVIF 图片，请转换成 JPEG 再发送。"),
            "unsupported-coding": (
                "不支持的编码",
                "请发送未压缩的正文，或者使用 Content-Encoding: gzip，不能用 {kind}。",
            ),
            "not-plain-text": ("不是纯文本", "文件不是 UTF-8、UTF-16 或 GB18030 编码的纯文本。"),
        },
    ),
    **_types(
        422,
        {
            "malformed": ("请求有误", "请求的内容或格式有误。"),
            "author-not-taken": ("不接收作者信息", "不接收 {field}：系统不保存书写人或反映人的身份。"),
            "clock-unknown": ("没有此时限", "该事项没有时限 {clock}；现有：{known}。"),
            "code-looks-personal": ("代码像个人信息", "{field} 应填写列表中的代码，所填内容像是个人号码或地址。"),
            "cursor-invalid": ("翻页标记无效", "请原样使用上一页 next 给出的 cursor。"),
            "due-passed": ("期限已过", "{field}：期限已经过去，请填写今后的日期。"),
            "evaluation-unknown": ("没有这次评估", "{field}：这份总结的评估有：{known}。"),
            "lesson-number-needed": (
                "请对应修改建议",
                "{field}：修改制度包的，须填写这件事项的修改建议编号；其他整改不填。",
            ),
            "post-elsewhere": ("不是该单位岗位", "{field}：{post} 不是{unit}的岗位，请填写责任单位自己的岗位。"),
            "archive-part-not-missing": ("没有缺这一部分", "卷宗没有缺“{given}”这一部分；缺的是{known}。"),
            "archive-reason-needed": ("请说明缺件原因", "记录里没有{known}，请逐一说明原因。"),
            "cursor-of-other-size": ("翻页标记不符", "cursor 属于 log_size {log_size}，不是 {asked}。"),
            "before-discovery": ("早于获知时间", "{field}：{incident} 在 {at} 才获知，此前不会有办理。"),
            "late-reason-needed": ("补录要写明原因", "补录请同时填写 happened_at 和 late_reason。"),
            "body-as-post": ("集体不能委托", "{field}：{post} 是集体，由成员共同审定；请填写其中一个岗位。"),
            "delegation-ends-early": ("委托结束早于开始", "委托须在 {since} 之后结束；请改 until。"),
            "notice-needed": ("要告知提问人", "同意延期须告知提问人；请填写 notice。"),
            "pause-reason-unknown": ("没有此中止理由", "{clock} 只能因以下理由中止：{known}。"),
            "evidence-unknown": ("没有此证据", "{incident} 的反映没有文件 {file}；请先把它附在反映上。"),
            "time-passed": ("时间已过", "{field}：{at} 已过，请填写以后的时间。"),
            "time-too-late": ("超过上限", "{field}：{pack}最晚允许 {latest}。"),
            "lead-needed": ("须写明主办单位", "请写明主办单位；按该事项的制度，由值班员选定。"),
            "period-too-long": ("期间太长", "{months} 个月太长，一次最多看 {most} 个月。"),
            "ends-before-it-begins": ("起止时间颠倒", "{ends} 早于开始时间 {begins}，请互换。"),
            "plan-unknown": ("预案不存在", "此事适用的规则没有应急预案 {given}；现有：{known}。"),
            "joint-of-one": ("只有一个单位", "联席会议须有两个以上单位，请填写与会单位。"),
            "in-team-already": ("已在专班中", "{post} 已在专班中，请填写其他岗位。"),
            "return-ground-missing": ("缺少退回理由", "请从该事项制度的退回理由中选择：{known}。"),
            "return-ground-unknown": ("没有此退回理由", "该事项的制度没有退回理由 {given}；现有：{known}。"),
            "recurrence-unknown": ("不属该事项", "{report} 不属于 {incident} 或其后续事项。"),
            "not-unhelpful": ("无此评价", "{report} 没有待决定的评价；待决定的有：{known}。"),
            "helper-unknown": ("须写明协办单位", "请写明协办单位之一：{known}。"),
            "proposal-unknown": ("没有此提议", "该事项没有第 {given} 号措施或解释；现有：{known}。"),
            "day-passed": ("日期已过", "{field}：只能从 {today} 起设定。"),
            "days-end-early": ("日期颠倒", "until 早于 since；请写最后一天。"),
            "days-too-many": ("天数过多", "一次最多设定一年；请把 until 提前。"),
            "days-say-nothing": ("没有设定内容", "请填写 days 或 windows。"),
            "windows-out-of-order": ("时段次序不对", "请按先后填写时段，不要重叠。"),
            "earlier-due": ("期限只能推后", "时限只能改到更晚的时间。"),
            "event-too-large": ("记录过大", "这条记录有 {size} 字节，最多 {limit} 字节。"),
            "field-missing": ("缺少字段", "缺少 {field}。"),
            "field-together": ("字段须同时填写", "source 和 external_id 须同时填写；缺少 {field}。"),
            "facts-unfit": ("案情不能使用", "{field} 不能使用：{error}"),
            "place-or-report": ("写一处", "channel 与 report 须写且只写一项。"),
            "channel-unchanged": ("没有改动", "请写明改什么：名称、地址，或者换密钥。"),
            "facts-or-matter": ("写一种案情", "facts 与 matter 须写且只写一项。"),
            "pack-unusable": ("制度不能使用", "这份制度不能使用，没有载入；每处错误及其行列见 faults。"),
            "field-unknown": ("没有此字段", "没有字段 {field}，请去掉。"),
            "blank": ("内容为空", "{field} 是空的，请填写内容。"),
            "control-character": ("含有控制字符", "{field} 含有不能发布的控制字符（{character}），请去掉。"),
            "digits-lost": ("数字位数过多", "数字 {number} 会丢失位数，最多写 15 位。"),
            "duty-too-far": ("排班过早", "最多提前 {days} 天排班；请检查年份。"),
            "duty-too-long": ("班次过长", "一个班次最多 {days} 天；请分班次排。"),
            "post-not-for-desk": ("岗位不能值班", "{post} 不能在{unit}到岗；请选择本单位或上级单位的值班岗位。"),
            "duty-ends-early": ("值班结束早于开始", "值班须在开始之后结束；请把 until 改到 since 之后。"),
            "field-twice": ("字段重复", "同一对象里 {field} 出现了两次。"),
            "figure-needed": ("缺少数字", "请至少填写{known}之一。"),
            "gzip-damaged": ("压缩内容损坏", "gzip 正文中断或损坏，请重新发送完整的正文。"),
            "form-unreadable": ("表单无法读取", "表单无法读取；请按接口说明重新发送。"),
            "header-malformed": ("请求头有误", "{field} 应写作 {known}。"),
            "idempotency-key-reused": ("幂等键已用过", "该幂等键已用于内容不同的请求；新请求请用新键。"),
            "incident-not-seen": (
                "尚未收到该事项",
                "发布服务尚未收到该事项；如是新事项，请发送 Huiying-After 和其版本。",
            ),
            "check-item-unknown": ("没有这一项", "“{gate}”的清单里没有这一项；有的是：{known}。"),
            "check-reason-needed": ("缺少理由", "检查不通过就退回起草人，请写明要改什么。"),
            "incident-needed": ("缺少事项", "请写明稿件所属的事项；只有通告（notice）可以不涉及具体事项。"),
            "notice-without-facts": (
                "通告不依据事实",
                "不涉及具体事项的通告属于处置情况，不写依据的事实，也不用豁免数字；要说明事实，请写明所属事项。",
            ),
            "notice-stays": (
                "通告不能改作别的",
                "不涉及具体事项的通告不能改成其他文种，也不写依据的事实；请就该事项另行起草。",
            ),
            "written-before-known": (
                "写下早于得知",
                "{field}：写下的时间 {written} 早于得知的时间 {discovered}，请改正其中一个。",
            ),
            "in-the-future": ("时间在将来", "{field} 在将来：{at} 晚于 {now}。"),
            "incident-unknown": ("没有此事项", "没有事项 {into}。"),
            "level-not-needed": ("不必写级别", "{incident} 不改用制度，级别不变；请去掉 {field}。"),
            "place-not-open": ("没有此项", "{pack} 没有未定的 {place}；未定的有：{known}。"),
            "one-value": ("写一种数值", "limit 与 value 须写且只写一项。"),
            "value-unfit": ("数值不合", "{place} 不能用这个数值。"),
            "period-unknown": ("没有此特殊时期", "{pack} 没有特殊时期 {period}；可选：{known}。"),
            "duty-unknown": ("没有此班次", "{post} 没有自 {since} 起的班次，请查看值班表。"),
            "follow-up-elsewhere": (
                "该岗位无权查看此事项",
                "{post} 所在单位未参与此事项；请指定以下单位的岗位：{known}。",
            ),
            "officer-elsewhere": ("不是本单位岗位", "{post} 不是{unit}自己的岗位；信息员须为本单位岗位之一。"),
            "notice-limit-needed": ("须写明限期", "规则没有规定整改报告的限期，请填写 due。"),
            "lesson-unknown": ("没有此经验教训", "没有第 {lesson} 号经验教训，请查看经验教训列表。"),
            "pack-not-known": ("没有此制度", "没有载入 {pack}；已载入：{known}。"),
            "before-what-it-answers": ("早于所答复之事", "所答复之事发生在 {at}，{field} 请填写不早于此的时间。"),
            "before-reopening": (
                "早于重新办理",
                "{incident} 已于 {at} 重新办理，此前所做的不算其后的答复，请记为办理情况。",
            ),
            "before-last-judgement": ("早于已有判定", "{at} 已有判定，请填写其后的时间。"),
            "flag-unknown": ("没有此标识", "{pack} 没有标识 {flag}；现有：{known}。"),
            "harm-unknown": ("没有此程度", "{pack} 没有危害程度 {harm}；现有：{known}。"),
            "level-unknown": ("没有此级别", "{pack} 没有级别 {level}；现有：{known}。"),
            "log-size-unknown": ("没有这么多记录", "记录总数是 {given}，不是 {asked}。"),
            "list-too-long": ("条目过多", "{field} 最多 {maximum} 条。"),
            "word-too-short": ("词太短", "{field} 中的“{given}”太短，每个词至少两个字。"),
            "reading-needs-purpose": ("缺少用途", "贵单位不办理此事项，查看来信原文须在 {field} 中写明用途。"),
            "purpose-needed": ("缺少用途", "按文字查找须在 {field} 中写明用途。"),
            "list-too-short": ("条目过少", "{field} 至少 {minimum} 条。"),
            "number-too-large": ("数字过大", "{field} 最大为 {maximum}。"),
            "number-too-small": ("数字过小", "{field} 最小为 {minimum}。"),
            "not-in-list": ("不在列表中", "{field} 应为其中之一：{known}。"),
            "parameter-twice": ("参数重复", "参数 {field} 出现了两次，请只写一次。"),
            "parameter-unknown": ("没有此参数", "没有参数 {field}；可用的有：{known}。"),
            "reason-needed": ("须说明理由", "退回上报须说明理由；请填写 reason。"),
            "text-too-long": ("文字过长", "{field} 超过 {maximum} 字。"),
            "text-too-short": ("文字过短", "{field} 少于 {minimum} 字。"),
            "degrees-malformed": ("经纬度不对", "{field} 应为 -{most} 到 {most} 的度数。"),
            "span-too-long": ("起止时间不对", "end_date 应晚于 start_date，相距最多 {days} 天。"),
            "time-out-of-range": ("时间超出范围", "{field} 超出公元 1 年至 9999 年（UTC）。"),
            "wrong-form": ("格式不对", "{field} 应填写{wanted}。"),
            "more-than-one-line": ("标题不止一行", "标题只能是一行，其余内容请写进正文。"),
            "nested-too-deep": ("嵌套过深", "JSON 嵌套超过 {limit} 层。"),
            "no-web-address": ("不是网址", "{field} 应为一个以 http:// 或 https:// 开头的网址。"),
            "null-character": ("含有空字符", "{field} 含有空字符（U+0000），请去掉。"),
            "not-utf-8": ("不是 UTF-8", "{field} 不是 UTF-8 编码，第 {at} 字节有误；请用 UTF-8 发送。"),
            "document-damaged": ("文档损坏", "PDF 不完整或者已经损坏，请重新发送完整的文档。"),
            "document-locked": ("文档有密码", "文档有打开密码，请去掉密码后发送。"),
            "document-signed": ("文档有数字签名", "文档有数字签名，重写后签名会失效；请打印成 PDF 后发送。"),
            "document-form": ("文档是可填写的表单", "文档里有可填写的栏目，请打印成 PDF 后发送。"),
            "document-personal-number": (
                "文档含有个人信息",
                "第 {page} 页有个人信息（{kind}）；公开内容不得含个人信息，请从文档中删去，用色块盖住的也算。",
            ),
            "document-personal-outline": (
                "文档含有个人信息",
                "文档的目录（书签）、图片的替代文字或者链接地址里有个人信息（{kind}）；公开内容不得含个人信息，请删去。",
            ),
            "document-unread": (
                "文档的文字读不出",
                "第 {page} 页的字体没有说明每个字是什么，机器查不了个人信息，读屏软件也读不出；请换字体重新导出 PDF。",
            ),
            "form-needed": ("须以表单发送", "请以表单（multipart/form-data）发送，含 file、title，图片另含 persons。"),
            "persons-unsaid": (
                "未说明有没有人",
                "请说明画面：无人可辨认填 none；有人可辨认填 to_cover，随后遮挡。",
            ),
            "persons-of-pictures": ("只对图片说明", "persons 只对图片填写，请去掉。"),
            "area-outside": ("超出图片", "遮挡的范围超出图片，请到图片边缘为止。"),
            "statement-file-unknown": ("没有此文件", "稿件没有文件 {given}；现有：{known}。"),
            "picture-damaged": ("图片损坏", "{kind} 图片不完整或者已经损坏，请重新发送完整的图片。"),
            "file-empty": ("文件是空的", "文件是空的，请重新发送完整的文件。"),
            "remark-unknown": ("没有此问题", "没有此项问题；共有 {count} 项。"),
            "superior-of-root": ("上级只对最上级单位填写", "superior 只在检查最上级单位时填写，且必须填写。"),
            "finding-of-other": ("不是此单位的认定", "该认定不属于{unit}。"),
            "findings-needed": ("须有成立的认定", "findings：请写出至少一项对{unit}成立的认定。"),
            "post-unknown": ("没有此岗位", "没有岗位 {post}；该单位现有：{known}。"),
            "report-unknown": ("没有此次上报", "该事项没有上报 {report}。"),
            "decision-unknown": ("没有此决定", "此事项没有待确认的决定 {decision}。"),
            "events-unknown": ("没有此事件", "{field}：该事项的记录中没有事件 {given}；请使用其记录中的编号。"),
            "words-unknown": ("没有此文字", "{stream} 的记录中没有文字 {given}；请使用其事件中的引用。"),
            "source-taken": ("来源代码属于其他系统", "来源代码 {source} 属于另一接入系统，请使用自己的代码。"),
            "not-listed": ("不在名录中", "{field}：名录中没有 {given}；现有：{known}。"),
            "fact-of-another-kind": ("事实类型不符", "{key} 的类型是 {kind}，不是 {given}。"),
            "fact-code-unknown": ("没有此取值", "{key} 只能取：{known}。"),
            "conference-unknown": ("没有这场发布会", "此事项没有新闻发布会 {conference}。"),
            "statement-unknown": ("没有这份说明", "这一事项没有说明 {given}。"),
            "notice-unknown": ("没有此整改通知", "此事项没有整改通知 {notice}。"),
            "part-unknown": ("没有此部分", "整改情况没有 {part} 这一部分；可选：{known}。"),
            "ground-not-needed": ("无须理由", "须答复的事项不写不予答复的理由，请去掉 {field}。"),
            "no-reply-ground-unknown": ("没有此理由", "{field}：请写明不予答复的理由：{known}。"),
            "signed-elsewhere": ("签字岗位不对", "{field}：请写明{unit}签字的岗位，并注明已签字；{post} 不是。"),
            "plan-date": ("计划日期有误", "{field}：列入计划的须填写日期，其他结果不填；您选的是「{outcome}」。"),
            "file-part-unknown": ("没有此归档材料", "归档材料没有 {part} 这一项；可选：{known}。"),
            "addressee-unknown": ("没有此报告对象", "{to} 不是报告对象；可选：{known}。"),
            "own-office": ("通报对象是本单位", "{unit}已知悉此事，请写明其他单位。"),
            "no-question-of-it": (
                "不是它答复的反映",
                "反映 {report} 不由这份稿件答复：它属于别的事项，没有留下回复的去处，或者这份稿件不是答复。",
            ),
            "channel-not-of-it": ("不是它的渠道", "这份稿件不送往渠道 {channel}；请在它的送达清单里选。"),
            "webhook-address": (
                "地址不能用",
                "自动推送的地址须是 https:// 开头、带主机名，不带用户名、密码和 # 的网址。",
            ),
            "webhook-private": (
                "内部网络地址",
                "{host} 是内部网络的地址。要推送到单位内网，请运维人员设置 HUIYING_CHANNELS_PRIVATE=true 后重启。",
            ),
            "unit-unknown": ("没有此单位", "没有代码为 {unit} 的单位；现有：{known}。"),
            "number-unknown": ("没有此编号", "{field}：没有编号 {number}，请重新查找。"),
            "address-unknown-way": ("没有此通知方式", "地址须以下列之一开头：{known}，后接 ://。"),
            "address-unusable": ("地址无法使用", "请写一个完整的地址，只含一个收件人。"),
        },
    ),
    **_types(
        428,
        {
            "version-required": (
                "须注明版本",
                '请发送 If-Match，写明您看到的 {record} 的版本，例如 If-Match: "{version}"。',
            )
        },
    ),
    **_types(
        429,
        {
            "too-many": ("请求过多", "登录失败过多，请 {seconds} 秒后以有效的密钥或令牌再试。"),
            "status-too-many": ("查询过多", "查不到的次数过多，请 {seconds} 秒后再试。"),
        },
    ),
    **_types(500, {"internal": ("服务出错", "服务在此处有缺陷，已记入日志，编号 {defect}；请求内容没有保存。")}),
    **_types(
        503,
        {
            "unavailable": ("暂时不可用", "服务暂时不可用；请求内容没有保存，请稍后再试。"),
            "printing-not-installed": (
                "本机不能排印",
                "本机缺少中文字体或 Pango，不能生成 PDF 和 DOCX；请系统管理员安装后再试，网页版照常可用。",
            ),
            "not-signed-yet": ("尚待签名", "最新的事件还没有签入记录，请过几秒钟再试。"),
            "evidence-changed": ("文件刚有变动", "封存时一个文件正在变动，没有作任何记录；请重试。"),
            "words-not-here-yet": ("文字尚未到齐", "这个事项还有 {count} 段文字没有到审计，请过几秒钟再试。"),
            "audit-rebuilding": ("正在重新读取", "审计正在重新读取已有的记录：{given} 条中已有 {size} 条。"),
            "changed-by-many": ("同时修改过多", "记录正被多人同时修改，请重试。"),
            "clock-skewed": ("时钟不准", "本机时钟与数据库相差 {seconds} 秒，请校准。"),
            "log-behind": ("事件日志积压", "有 {waiting} 条事件等待写入日志，超过 {limit} 条；日志恢复后请重试。"),
            "no-pack": ("没有现行制度", "{unit}还没有现行制度。"),
            "no-statement-key": ("还没有签名密钥", "公告栏还没有签名密钥；服务核对完记录后会生成，请稍后再试。"),
            "not-there-yet": ("尚未收到", "{service} 还没有收到 {record} 的第 {version} 版，请稍后再试。"),
            "pack-not-here": (
                "制度尚未收到",
                "{unit}适用的制度 {pack} 尚未从 triage 收到，或本版本不能读取；请稍后再试，仍不行请查看日志。",
            ),
            "superseded": ("另一进程主持", "现由本服务的另一进程主持，请求内容没有保存，请重试。"),
            "stream-held": (
                "等待处置",
                "{stream} 的主题上有本服务没有写过的记录，在值班运维判定之前不作新的决定；请求内容没有保存。",
            ),
            "recovering": ("正在核对", "{service} 正在核对记录与事件日志，或由另一进程主持；请稍后再试。"),
            "store-busy": ("存储繁忙", "存储正忙于耗时的工作，请求内容没有保存；请稍后再试。"),
            "store-not-ready": ("存储未就绪", "存储缺少表、列或权限，请求内容没有保存；详情见日志。"),
            "store-full": ("存储已满", "存储空间已满，请求内容没有保存；请腾出空间后再试。"),
            "store-unreachable": ("存储无法访问", "存储无法访问，请稍后再试。"),
            "topics-lost": ("事件日志缺失", "{service} 的事件日志有缺失，须由运维人员处理；请稍后再试。"),
            "units-missing": ("尚未收到单位", "尚未收到单位名录，请稍后再试。"),
        },
    ),
}
"""Code -> its type. Every problem names one of these codes."""


def members_of(code: str) -> list[str]:
    """The members in the sentence of a problem, each once."""
    return list(dict.fromkeys(name for _, name, _, _ in Formatter().parse(TYPES[code].detail_zh) if name))


class _Members(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return "（未注明）"


def chinese(code: str, members: Mapping[str, Any]) -> tuple[str, str]:
    """The title and the sentence of a problem in Chinese, with the problem's members as their Chinese titles.

    What a request writes is shown as it is written: a field's name, what was given there, and what it takes.
    """
    kind = TYPES[code]
    shown = _Members({name: _shown(value, name in WRITTEN) for name, value in members.items()})
    return kind.title_zh.format_map(shown), kind.detail_zh.format_map(shown)


def _shown(value: Any, written: bool) -> str:
    if isinstance(value, list | tuple):
        more = f"等 {len(value)} 项" if len(value) > SHOWN else ""
        return "、".join(_shown(one, written) for one in value[:SHOWN]) + more or "（无）"
    if isinstance(value, datetime):
        return value.astimezone(CHINA).strftime("%Y-%m-%d %H:%M")
    return str(value) if written else titled(str(value), "zh")
