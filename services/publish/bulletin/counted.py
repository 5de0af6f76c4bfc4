"""What the figures of the public accounts are called, and how each is computed."""

from services.publish.bulletin.words import N_

FIGURES = {
    "reports": (N_("收到反映"), N_("当月记录收到的反映件数，不论后来怎样处理。")),
    "opened": (N_("立案事项"), N_("当月立案的事项数；同一件事的多件反映是一个事项，从别的事项中分出的另算。")),
    "median": (
        N_("首次答复用时（中位数）"),
        N_(
            "当月首次得到答复的事项，从单位得知到首次答复的时间，由短到长排在正中的一个。首次公开发布、答复或解释，哪个在先算哪个。"
        ),
    ),
    "kept": (N_("按时首次答复"), N_("当月按时完成的首次答复时限数。")),
    "missed": (N_("首次答复超时"), N_("当月到期而没有完成的首次答复时限数；复核认定不成立的不算。")),
    "share": (N_("首次答复按时率"), N_("按时首次答复 ÷（按时首次答复＋首次答复超时）。")),
    "others_missed": (N_("其他时限超时"), N_("当月到期而没有完成的其他时限数，包括内部的报告、接办时限。")),
    "open": (N_("月末未办结"), N_("月末最后一刻已经立案、还没有办结、结案或并入其他事项的事项数。")),
    "publication": (N_("公开发布"), N_("当月公开发布的说明件数。")),
    "correction": (N_("更正次数"), N_("当月更正已发布说明的次数。")),
    "withdrawal": (N_("撤回次数"), N_("当月撤回已发布说明的次数。")),
}
"""Figure -> its title and its formula."""
CHARTS = ("opened", "median", "share", "open")
"""The figures with a chart."""
HOURS, DAYS = N_("%(count)s 小时"), N_("%(count)s 天")
HIDDEN = N_("不公布")
OTHER = N_("未归类")
