"""The guided set-up and the pages of units, without script."""

import re

import pytest
import pytest_asyncio

from services.console.access.staff import Offices
from services.console.offices.setup import lacking
from services.console.site import titles
from tests.console.browser import HOME, Browser
from tests.console.conftest import PASSWORD, Town

pytestmark = pytest.mark.asyncio(loop_scope="module")
WHY = {"reason": "首次启用"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def root(town: Town) -> Browser:
    """The first administrator, who made the first account with the code of the start."""
    browser = town.browser()
    typed = {"login": "root", "name": "王敏", "post": "admin@city", "password": PASSWORD, "again": PASSWORD}
    page = await browser.open("/first-run")
    made = await browser.send(page, "/first-run", **typed, code=await town.system.first_code() or "")
    assert made.path == f"{HOME}/setup/site" and "网站还没有名称" in made.said
    return browser


async def test_the_set_up_can_be_left_and_goes_on_where_something_is_missing(town: Town, root: Browser) -> None:
    name = await root.open("/units/site?to=setup/site")
    named = await root.send(name, name.path.removeprefix(HOME), name="临江县回应公告", **WHY)
    assert named.path.startswith(f"{HOME}/setup/site") and "这一步不缺什么" in named.said
    assert "临江县回应公告" in named.text.split("<header")[1].split("</header>")[0], "the frame bears the name"
    await town.system.settle()
    async with town.system.client("") as client:
        assert "临江县回应公告" in (await client.get("/bulletin/")).text, "so does the bulletin"
    again = await root.open("/setup")
    assert again.path == f"{HOME}/setup/units" and "示例市还是示例名称" in again.said
    for code, new in (("city", "临江市"), ("county", "临江县")):
        form = await root.open(f"/units/{code}/place-unit?to=setup/units")
        assert form.status == 200 and "示例" in form.text
        await root.send(form, form.path.removeprefix(HOME), name=new, **WHY)
    units = await root.open("/setup/units")
    assert "临江县" in units.said and "这一步不缺什么" in units.said
    assert (await root.open("/setup")).path == f"{HOME}/setup/people", "the posts are complete"


async def test_units_and_posts_are_added_and_ended_with_what_to_do_in_words(town: Town, root: Browser) -> None:
    form = await root.open("/units/new?parent=county")
    typed = {"unit": "county-health", "kind": "department", "name": "县卫生健康局", "posts_of": "county-water"}
    made = await root.send(form, form.path.removeprefix(HOME), **typed, **WHY)
    assert made.status == 200 and "县卫生健康局" in made.said
    page = await root.open("/units/county-health")
    assert "主要负责" in page.said and "首次启用" in page.said and "临江市 系统管理员" in page.said
    post = await root.open("/units/county-health/place-post")
    added = await root.send(post, "/units/county-health/place-post", post="press", title="新闻联络员",
                            roles=["spokesperson"], head="no", **WHY)  # fmt: skip
    assert "新闻联络员" in added.said
    changing = await root.open("/units/county-health/place-post?post=press@county-health")
    assert "新闻联络员" in changing.text
    own = changing.path.removeprefix(HOME)
    assert "联络处" in (await root.send(changing, own, title="联络处", **WHY)).said
    over = await root.open("/units/county-health/end-post?post=press@county-health")
    assert "联络处" in over.text.split("</h1>")[0], "a form says what it ends"
    assert (await root.send(over, over.path.removeprefix(HOME), **WHY)).status == 200
    assert "联络处" in (await root.open("/units/county-health")).said, "the history keeps it"
    await town.reported(await town.at("duty_officer@town-west"), "路灯不亮", place="西街")
    ending = await root.open("/units/town-west/end-unit")
    assert "西镇" in ending.text.split("</h1>")[0], "a form says what it ends"
    refused = await root.send(ending, ending.path.removeprefix(HOME), **WHY)
    assert refused.status == 409 and "请先移交给其他单位或结案" in refused.said
    above = await root.open("/units/county/end-unit")
    assert "请先撤销它们" in (await root.send(above, above.path.removeprefix(HOME), **WHY)).said
    gone = await root.open("/units/county-health/end-unit")
    left = await root.send(gone, gone.path.removeprefix(HOME), **WHY)
    assert left.path.startswith(f"{HOME}/units?done") and "已撤销的单位" in left.said
    assert "已撤销" in (await root.open("/units/county-health")).said


async def test_an_account_of_a_unit_that_ended_can_be_ended(town: Town, root: Browser) -> None:
    form = await root.open("/units/new?parent=county")
    typed = {"unit": "county-trade", "kind": "department", "name": "县商务局", "posts_of": "county-water"}
    await root.send(form, form.path.removeprefix(HOME), **typed, **WHY)
    login = await town.person("handler@county-trade")
    gone = await root.open("/units/county-trade/end-unit")
    await root.send(gone, gone.path.removeprefix(HOME), **WHY)
    site = town.system.console.site  # type: ignore[union-attr]
    (account,) = [one for one in await site.accounts.all() if one.login == login]
    page = await root.open("/accounts")
    ended = await root.send(page, f"/accounts/{account.id}/end")
    assert ended.status == 200
    (after,) = [one for one in await site.accounts.all() if one.login == login]
    assert after.ended


async def test_only_administrators_see_these_pages_and_only_below_their_unit(town: Town) -> None:
    officer, east = await town.at("duty_officer@town-east"), await town.at("admin@town-east")
    for path in ("/units", "/units/new", "/units/town-east", "/setup/site", "/units/site"):
        assert (await officer.open(path)).status == 403, path
    assert (await east.open("/units/town-east")).status == 200
    assert not [link for link in (await east.open("/units")).links if "/units/town-east/" in link], "the county decides"
    form = await east.open("/units/county/place-unit")
    refused = await east.send(form, form.path.removeprefix(HOME), name="另一个县", **WHY)
    assert refused.status == 403 and "无权" not in refused.said.split("没有办成")[0]
    assert (await east.open("/units/no-such-unit")).status == 404
    assert (await east.open("/setup/no-such-step")).status == 404


async def test_the_set_up_leads_an_administrator_to_nothing_that_is_refused(town: Town) -> None:
    """What a unit above decides stands there without a link."""
    east = await town.at("admin@town-east")
    links = set()
    for step in ("site", "units", "posts", "people", "pack", "ready"):
        links |= {link.removeprefix(HOME) for link in (await east.open(f"/setup/{step}")).links}
    forms = {link for link in links if re.match(r"/(units/|setup/pack/)", link)}
    assert "/units/new?to=setup/units" in forms
    assert not [link for link in forms if re.search(r"pack/(assign|load)|units/site|town-east/(place|end)-unit", link)]
    city = await town.at("admin@city")
    both = {link.removeprefix(HOME) for link in (await city.open("/setup/pack")).links}
    assert {"/setup/pack/assign", "/setup/pack/load"} <= both
    county = await town.at("admin@county")
    own = {link.removeprefix(HOME) for link in (await county.open("/setup/pack")).links}
    assert "/setup/pack/assign" in own and "/setup/pack/load" not in own
    assigning = (await county.open("/setup/pack/assign")).text
    assert 'value="town-east"' in assigning and 'value="county"' not in assigning, "the city decides for the county"


async def test_a_pack_is_chosen_and_the_check_names_what_is_missing(town: Town, root: Browser) -> None:
    people = await root.open("/setup/people")
    (link,) = {one for one in people.links if one.endswith("accounts?post=chief@county")}
    accounts = await root.open(link.removeprefix(HOME))
    posts = [value for name, value in accounts.form("/accounts").fields if name == "posts"]
    assert posts == ["chief@county"], "the post is chosen already"
    made = await root.send(accounts, "/accounts", login="county-head", name="张三", posts=["chief@county"])
    assert re.search(r"<code>\w{4}-", made.text) and f"{HOME}/setup/people" in made.links
    assert "临江县 主要负责人还没有人" not in (await root.open("/setup/people")).said
    form = await root.open("/setup/pack/assign")
    asked = await root.send(form, "/setup/pack/assign", unit="county", pack="matters-002-13@1")
    assert asked.path.startswith(f"{HOME}/setup/pack") and asked.status == 200, asked.said
    (link,) = {one for one in (await root.open("/setup/pack")).links if "setup/pack/value" in one}
    assert "书面总结报告·期限（review.written_report.limit）" in (await root.open("/setup/pack")).said
    value = await root.open(link.removeprefix(HOME).replace("&amp;", "&"))
    assert "书面总结报告·期限（review.written_report.limit）" in value.text
    unfit = await root.send(value, value.path.removeprefix(HOME), value="五天", **WHY)
    assert unfit.status == 422 and "时限写成 24小时、3天 或 5个工作日" in unfit.said.partition("</h2>")[0][:400]
    typed = await root.send(value, value.path.removeprefix(HOME), value="5个工作日", **WHY)
    assert typed.path.startswith(f"{HOME}/setup/pack?done") and "要由单位确定" not in typed.said, typed.said
    check = await root.open("/setup/ready")
    assert "临江市还没有排值班" in check.said and "都办好了" not in check.said


async def test_nothing_is_missing_when_all_is_there() -> None:
    post = {"head": True, "members": [], "roles": ["duty_officer", "handler", "approver", "spokesperson"]}
    unit = {"unit": "city", "name": "临江市", "parent": None, "drill": False, "policy": "p@1#x"}
    offices = Offices({"city": unit | {"posts": [post | {"post": "chief@city"}]}}, site_name="临江市回应")
    packs = [{"policy": "p@1#x", "pack": "p", "version": 1, "open": ["a.b"]}]
    known = [{"unit": "city", "pack": "p", "place": "a.b"}]
    assert lacking(offices, packs, {"chief@city"}, {}, "city", known) == []
    assert [one.step for one in lacking(offices, packs, {"chief@city"}, {}, "city")] == ["pack"]
    assert [one.step for one in lacking(offices, packs, set(), {}, "city", known)] == ["people"] * 4


async def test_each_post_that_the_pack_needs_and_nobody_holds_is_named() -> None:
    def posts(unit: str) -> list[dict[str, object]]:
        kinds = {"chief": ["principal_leader"], "approver": ["leader_in_charge"]}
        return [
            {"post": f"{code}@{unit}", "title": title, "roles": [code], "serves": kinds.get(code, []),
             "head": code == "chief", "members": []}
            for code, title in (("chief", "主要负责人"), ("approver", "分管领导"), ("handler", "经办人"),
                                ("duty_officer", "值班员"), ("spokesperson", "新闻发言人"))
        ]  # fmt: skip

    centre = {"post": "centre@city", "title": "新闻中心", "roles": ["spokesperson"], "head": False, "members": []}

    unit = {"drill": False, "policy": None}
    city = unit | {
        "unit": "city",
        "name": "临江市",
        "parent": None,
        "policy": "p@1#x",
        "posts": [centre, *posts("city")],
    }
    town = unit | {"unit": "town", "name": "东镇", "parent": "city", "posts": posts("town")}
    offices = Offices({"city": city, "town": town}, site_name="临江市回应")
    used, unused = ({"units": units, "clocks": [{"clock": "report", "title": title}]}
                    for units, title in ((["county"], "立即上报"), ([], "立刻上报")))  # fmt: skip
    assert titles(used, unused)["clocks"] == {"report": "立即上报"}, "a pack in use names a limit for all lists"
    assert offices.post("integration-a59c3fd2-1192-4a97-867b-50e9b0b424a7") == "外部系统 a59c3fd2"
    packs = [{"policy": "p@1#x", "pack": "p", "version": 1, "open": []}]
    steps = {"leader": {"who": ["leader_in_charge"]}, "either": {"who": ["principal_leader", "leader_in_charge"]}}
    rules = {f"approval.chains.usual.steps.{code}": {"value": step} for code, step in steps.items()}
    rules |= {"approval.chains.usual.steps.group": {"value": {"who": ["leading_group"]}}, "verification": {"value": {}}}

    def told(*held: str) -> set[tuple[str, str]]:
        found = lacking(offices, packs, set(held), {}, "city", rules={"p@1#x": rules})
        return {(one.unit, one.post) for one in found}

    no_post = {("city", "leading_group@city"), ("city", "verifier@city")}
    heads = ("chief@city", "chief@town")
    wanted = {("city", f"{one}@city") for one in ("approver", "handler", "duty_officer", "spokesperson")}
    assert told(*heads) == wanted | no_post, "once, at the highest unit that lacks it"
    above = [post for _, post in wanted]
    assert told(*heads, *above) == no_post, "who acts above does so for the town"
    assert ("town", "handler@town") not in told(*heads, "handler@city") and told() > wanted
    assert told(*heads, "duty_officer@city", "approver@town") == no_post | wanted - {("city", "duty_officer@city")}


async def test_what_a_unit_above_decides_has_no_link() -> None:
    unit = {"kind": "county", "drill": False, "policy": None, "posts": []}
    county = unit | {"unit": "county", "name": "示例县", "parent": "city"}
    offices = Offices({"city": unit | {"unit": "city", "name": "临江市", "parent": None}, "county": county})
    for may, leads in ((["place-unit", "place-post"], False), (["place-unit", "end-unit", "assign-pack"], True)):
        found = {one.told: one.to for one in lacking(offices, [], set(), {}, "county", (), {"county": may})}
        for told in ("%(unit)s还是示例名称", "%(unit)s没有适用的制度"):
            assert bool(found[told]) is leads, (may, told)
        assert found["%(unit)s没有主要负责岗位"].startswith("units/county/place-post")
