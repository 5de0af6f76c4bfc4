"""Names of people who name themselves: behind "我叫", "姓名：", "联系人" and the like.

A name is a surname and one or two further characters. It ends where something else begins. Names without such a label
are not found.
"""

import re

from services.kernel.masking.rule import Family, Kind, Match, rule, where

_SURNAMES = (
    "王李张刘陈杨黄赵周吴徐孙朱马胡郭林何高梁郑罗宋谢唐韩曹许邓萧冯曾程蔡彭潘袁于董余苏叶吕魏蒋田杜丁沈姜范江傅钟卢汪戴崔任陆廖姚方金"
    "邱夏谭韦贾邹石熊孟秦阎薛侯雷白龙段郝孔邵史毛常万顾赖武康贺严尹钱施牛洪龚汤陶黎温莫易樊乔文安殷颜庄章鲁倪庞邢俞翟蓝聂齐向申葛柴伍覃"
    "骆关焦柳欧祝纪尚毕耿芦左季管符辛苗詹曲裴席涂全喻解晏代游阳屈瞿匡粟宁肖隆凌邬成岳舒卜冉蒲谌简盛甘童饶柯阮项单包戚岑闵霍虞阙娄卓卫穆"
    "路商祁艾翁桂沙缪荆费练窦房巫植佘皮"
)
_TWO = "欧阳|司马|上官|诸葛|夏侯|东方|皇甫|尉迟|公孙|慕容|司徒|令狐|端木|南宫"
_NO_GIVEN = (
    "是在有已于与及的了不从向到对把将被让叫为因就都也很最这那我你他她它们个名和或等又再还没会能可要想去来说请问给着过时日年月号电话级所以之其"
    "何此各每第几多少上下前后内外里住本现曾先居职聘校位法部镇县市区省路街村元权"
)
"""Given names do not contain these. "本人于去年" and "本人和家人" name nobody."""
_GIVEN = rf"[^\W\d_a-z{_NO_GIVEN}]"
_NAME = rf"((?:{_TWO}){_GIVEN}{{1,2}}|[{_SURNAMES}](?:先生|女士|小姐|同志|老师|师傅|{_GIVEN}{{1,2}}))"
_NO_NAME = re.compile(
    # These words begin with a surname's character.
    r"^(?:于[今昨去前当上近同次本该20]|周[末边一二三四五六]|高[度中考兴新层级速]|安[全置排装徽]|方[便式法案向]|金[额融钱]|平[时]|常[年住]|万[分般元]"
    r"|时常|应该|应聘|任[何教性务职]|何[时况处]|严[重格正]|温[馨和]|明[确年]|全[家程体部额职款天]|关[于注系]|成[年功绩立]|单[位独身亲方]|管[理家申]"
    r"|解[决释惑]|项目|包[括工车]|支[持付出]|向[往上]|文化|白[天领]|江[苏西南边花]|石材|马上|田地|林[地权]|段时|钟情|程[度序]|史上|牛奶"
    r"|房[屋产东子门款]|车[辆位祸主]|司机|路[过上人程]|商[量铺业议]|左[右边]|季[度节]|童年|盛夏|乔迁|申[请诉报办]|游[客泳行]|代[表理办交]|费[用心]|练习"
    r"|简[单历称介]|康[复乐]|武[汉警装]|银行|齐全|易地|殷切|庄[重严]|毕[竟业]|艾滋|卫[生健]|植物|席位|阳[光台]|尚[未且]|舒适|曲解|雷同|沙发|皮肤|欧洲"
    r"|宁[愿可乡]|郑重|符合|祝[愿福]|纪委|钱[款财]|许[多久]|谢[谢意]|夏[天季]|余[生额下]|曾经"
    # People write these where they will not say their name.
    r"|不详|匿名|保密|未知|暂无|没有|无名|同上|见附|本人|以上|如下|上述)"
    # A title names an office, not a person.
    r"|(?:主任|科长|局长|处长|所长|站长|队长|书记|镇长|乡长|县长|区长|市长|院长|校长|园长|经理|主席|部长|警官|法官|股长|组长)$"
)
_SENDERS = "投诉人|举报人|反映人|申请人|求助人|信访人|来信人|检举人|控告人|报案人|留言人|诉求人|建议人|上访人|呈报人"
_SAYS = r"(?:[\s:=(“\"「【-]|就?是|为|号){0,3}"
_ENDS = r"(?=[^\u4e00-\u9fff]|$|(?:联系)?(?:电话|手机|方式)|性别|身[份分]|男|女"
_LOOSE = (
    rf"{_ENDS}|(?:联系)?地址|今年|现年|现住|家住|住|户籍|出生|年龄|微信|系|是|于|在|来自|的|证件|民族|汉族|工作|单位)"
)
_CLOSE = rf"{_ENDS})"


def _is_name(match: Match) -> bool:
    return _NO_NAME.search(match[1]) is None


NAMES = Family(
    re.compile(
        rf"我叫|我名|名字|姓名|姓 名|联系人|本人(?=叫?{_SAYS}[{_SURNAMES}{_TWO}])|{_SENDERS}|户主 ?:|业主 ?:|署名"
        rf"|我是(?=[{_SURNAMES}{_TWO}].{{1,3}},身)"
    ),
    (
        rule(
            Kind.NAME,
            r"(?:我名?叫做?|(?:我|本人)的?名字(?:叫做?|是|为)|本人姓名|本人叫?|姓 ?名(?:是|为|叫)?|联系人(?:是|为)?)"
            rf"{_SAYS}{_NAME}{_LOOSE}",
            where(_is_name),
        ),
        rule(Kind.NAME, rf"我是{_NAME}(?=,身[份分])", where(_is_name)),
        rule(Kind.NAME, rf"(?:署名|(?<!被)(?:{_SENDERS})|[户业]主(?= ?:)){_SAYS}{_NAME}{_CLOSE}", where(_is_name)),
    ),
)
