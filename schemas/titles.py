"""What the fixed codes of the APIs and events are called: Chinese and English, as in docs/glossary.md.

Levels, clocks, units and further channels have their titles in packs and in the tree of units.
"""

from collections.abc import Mapping
from typing import Literal

Language = Literal["zh", "en"]

TITLES: Mapping[str, tuple[str, str]] = {
    # roles
    "duty_officer": ("值班员", "duty officer"),
    "verifier": ("核实员", "verifier"),
    "handler": ("承办人", "handler"),
    "approver": ("分管领导", "leader in charge"),
    "chief": ("主要领导", "principal leader"),
    "spokesperson": ("新闻发言人", "spokesperson"),
    "auditor": ("审计人员", "auditor"),
    "admin": ("管理员", "administrator"),
    "integration": ("外部系统", "integration"),
    # what can be asked
    "instruct": ("批示", "instruct"),
    "request-verification": ("要求核实", "request verification"),
    "establish-fact": ("核实", "establish a fact"),
    "classify": ("确定答复类型", "classify"),
    "grade": ("定级", "grade"),
    "assign": ("交办", "assign"),
    "accept": ("接办", "accept"),
    "return": ("退回", "return"),
    "transfer": ("移交", "transfer"),
    "record-handling": ("记录办理", "record the handling"),
    "resolve": ("办结", "resolve"),
    "follow-up": ("回访", "follow up"),
    "reopen": ("重启", "reopen"),
    "close": ("结案", "close"),
    "merge": ("合并", "merge"),
    "split": ("拆分", "split"),
    "draft": ("起草", "draft"),
    "revise": ("修改", "revise"),
    "submit": ("送审", "submit"),
    "approve": ("审核", "approve"),
    "reject": ("驳回", "reject"),
    "publish": ("发布", "publish"),
    "correct": ("更正", "correct"),
    "withdraw": ("撤回", "withdraw"),
    "report-upward": ("上报", "report upward"),
    "receipt": ("回执", "receipt"),
    "extend": ("延期", "extend"),
    "annul": ("撤销逾期认定", "annul"),
    "plan-duties": ("安排值班", "plan duties"),
    "report": ("提交反映", "report"),
    "reach": ("报告传播量", "report the reach"),
    "evidence": ("附上证据", "attach evidence"),
    "refuse": ("决定不予答复", "refuse a report"),
    "erase": ("删除", "erase"),
    "make-key": ("发放密钥", "make a key"),
    "list-keys": ("查看密钥", "list keys"),
    "revoke-key": ("注销密钥", "revoke a key"),
    "revoke-token": ("注销令牌", "revoke a token"),
    "read-matter": ("查阅事项", "read a matter"),
    "read-report": ("查阅反映", "read a report"),
    "read-event": ("查阅记录", "read an event"),
    "read-roster": ("查阅值班表", "read a roster"),
    # states
    "open": ("办理中", "open"),
    "resolved": ("已办结", "resolved"),
    "closed": ("已结案", "closed"),
    "dismissed": ("已决定不予答复", "ended without an answer"),
    "merged": ("已并入", "merged"),
    "drafted": ("是草稿", "drafted"),
    "submitted": ("已送审", "submitted"),
    "approved": ("已审定", "approved"),
    "published": ("已发布", "published"),
    "withdrawn": ("已撤回", "withdrawn"),
    "not graded": ("未定级", "not graded"),
    # tracks, kinds of answers and statements
    "problem": ("问题处理", "the real problem"),
    "answer": ("答复", "the answer"),
    "status": ("处置情况", "status"),
    "facts": ("事实说明", "facts"),
    "clarification": ("澄清", "clarification"),
    "adoption": ("采纳", "adoption"),
    # what a field takes
    "text": ("文字", "a text"),
    "integer": ("整数", "a whole number, without quotation marks"),
    "number": ("数字", "a number, without quotation marks"),
    "boolean": ("true 或 false", "true or false"),
    "list": ("列表", "a list"),
    "object": ("JSON 对象", "a JSON object"),
    "date": ("日期，如 2026-03-02", "a date, such as 2026-03-02"),
    "time": (
        "带时区的时间，1970 年以后，如 2026-03-02T09:00:00+08:00（在网址中 + 写作 %2B）",
        "a time with its offset and a year from 1970 on, such as 2026-03-02T09:00:00+08:00 (in a URL, %2B for +)",
    ),
    "code": (
        "代码：最多 100 个字母、数字或汉字，不含空格",
        "a code of at most 100 letters and digits, without spaces",
    ),
    "unit-code": ("单位代码，如 town-east", "the code of a unit, such as town-east"),
    "post": ("岗位，如 duty_officer@town-east", "a post, such as duty_officer@town-east"),
    "uuid": ("UUID 编号", "a UUID"),
    "digest": ("64 位十六进制摘要", "a digest of 64 hexadecimal digits"),
    "token": ("编号：最多 128 个字母和数字", "a reference of at most 128 letters and digits"),
    "media-type": ("媒体类型，如 image/jpeg", "a media type, such as image/jpeg"),
    "policy-ref": ("制度编号，如 county-default@1#…", "a pack as pack@version#digest"),
    "incident-id": ("事项编号，如 incident-…", "the id of an incident, such as incident-…"),
    "report-id": ("反映编号，如 report-…", "the id of a report, such as report-…"),
    "statement-id": ("稿件编号，如 statement-…", "the id of a statement, such as statement-…"),
    "stream-id": ("记录编号，如 incident-…", "the id of a stream, such as incident-…"),
    "fact-text": ("1 至 10,000 字的文字", "1 to 10,000 characters"),
    "fact-number": ("不超过 10^15 的数字", "a number up to 10^15"),
    "fact-time": (
        "带时区的时间，如 2026-03-02T09:00:00+08:00",
        "a time with its offset, such as 2026-03-02T09:00:00+08:00",
    ),
    "fact-code": (
        "代码：最多 100 个字母、数字或汉字，不含空格",
        "a code of at most 100 letters and digits without spaces",
    ),
    "fact-yes_no": ("true 或 false", "true or false"),
    # the ladder
    "reminder": ("催办", "reminder"),
    "supervision": ("督办", "supervision"),
    "circular": ("通报", "circular"),
}


def titled(code: str, language: Language) -> str:
    """The title of a fixed code; the code itself where it has none."""
    found = TITLES.get(code)
    return code if found is None else found[0 if language == "zh" else 1]
