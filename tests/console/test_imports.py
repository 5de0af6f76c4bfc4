"""A file of reports is tried, corrected and sent from a page without script."""

from pathlib import Path
from urllib.parse import unquote

import pytest

from services.console.operations import imports
from tests.console.conftest import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")
HEAD = "工单编号,诉求标题,诉求内容,受理时间,来电号码"
ROWS = (
    "H-1,路灯不亮,东街路灯不亮，电话13900001111,2026-03-02 08:00,13900001111",
    "H-2,井盖缺失,,2026-03-02 08:01,13900001111",
    "H-3,积水,桥下积水,昨天,13900001111",
)


def table(path: Path, *rows: str) -> Path:
    path.write_text("\n".join((HEAD, *rows)), "gb18030")
    return path


async def test_a_file_is_tried_corrected_and_taken_in_once(town: Town, tmp_path: Path) -> None:
    desk = await town.at("duty_officer@town-east")
    page = await desk.open("/imports")
    assert "12345 政务服务便民热线工单" in page.said and "导入过的文件" not in page.said
    assert (await desk.send(page, "/imports", unit="town-east", mapping="hotline")).status == 422
    wrong = await desk.upload(page, "/imports", table(tmp_path / "a.csv"), own="mapping: [")
    assert wrong.status == 422 and "mapping: [" in wrong.text
    file = table(tmp_path / "hotline.csv", *ROWS)
    tried = await desk.upload(page, "/imports", file, mapping="hotline", dry_run="yes")
    assert tried.status == 200 and "试完了，什么都没有登记" in tried.said, tried.said
    assert "来电号码" in tried.said.partition("不保存的列")[2]
    assert "13900001111" not in tried.text and "遮盖了 1 处个人信息" in tried.said
    assert "昨天" in tried.said.partition("退回的行")[2]
    (saved,) = [unquote(link) for link in tried.links if link.startswith("data:text/csv")]
    assert "H-3" in saved and "13900001111" not in saved
    admin = await town.at("admin@town-east")
    assert "还没有导入过文件" in (await admin.open("/imports")).said, "a trial leaves nothing"
    right = table(tmp_path / "right.csv", ROWS[0], ROWS[2].replace("昨天", "2026-03-02 08:02"))
    for received, repeated in ((2, 0), (0, 2)):
        done = await desk.upload(page, "/imports", right, mapping="hotline", dry_run=None)
        assert done.status == 200 and "导入完成" in done.said, done.said
        assert f"登记 {received} 先前已登记 {repeated}" in done.said, done.said
    listed = await admin.open("/imports")
    assert listed.said.count("✓ 完成") == 2 and "导入由值班员做" in listed.said


async def test_a_large_file_is_told_of_while_it_goes_over(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "SOON", 0.01)
    desk = await town.at("duty_officer@town-east")
    rows = (f"L-{at},路灯,第{at}处不亮,2026-03-02 08:00," for at in range(900))
    page = await desk.open("/imports")
    file = table(tmp_path / "large.csv", *rows)
    done = await desk.upload(page, "/imports", file, mapping="hotline", dry_run=None)
    assert "已处理" in done.said.partition("导入完成")[0] and "登记 900" in done.said
    assert done.text.rstrip().endswith("</html>")
