"""A file of reports is tried, corrected and sent from a page without script."""

import re
from base64 import b64decode
from pathlib import Path

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
    (link,) = [link for link in tried.links if link.startswith("data:text/csv")]
    saved = tmp_path / "refused.csv"
    saved.write_bytes(b64decode(link.partition(";base64,")[2]))
    text = saved.read_text("utf-8-sig")
    assert "H-3" in text and "13900001111" not in text and "原来的行,退回原因" in text
    again = await desk.upload(page, "/imports", saved, mapping="hotline", dry_run="yes")
    assert "不保存的列 原来的行、退回原因" in again.said and "行 2 可以登记 0" in again.said, again.said
    admin = await town.at("admin@town-east")
    assert "还没有导入过文件" in (await admin.open("/imports")).said, "a trial leaves nothing"
    right = table(tmp_path / "right.csv", ROWS[0], ROWS[2].replace("昨天", "2026-03-02 08:02"))
    for received, repeated in ((2, 0), (0, 2)):
        done = await desk.upload(page, "/imports", right, mapping="hotline", dry_run=None)
        assert done.status == 200 and "导入完成" in done.said, done.said
        assert f"登记 {received} 先前已登记 {repeated}" in done.said, done.said
    listed = await admin.open("/imports")
    assert listed.said.count("✓ 完成") == 2 and "导入由值班员做" in listed.said


MAPPING = """mapping: own
title: 自己的
fields:
  channel: {constant: hotline}
  external_id: 工单编号
  subject: 诉求标题
  text: 诉求内容
  discovered_at: 受理时间
"""


async def test_a_file_larger_than_a_form_is_told_of_while_it_goes_over(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "SOON", 0.01)
    desk = await town.at("duty_officer@town-east")
    page = await desk.open("/imports")
    rows = (f"L-{at},路灯,第{at}处不亮,2026-03-02 08:00,{'1' * 30_000}" for at in range(110))
    file = table(tmp_path / "large.csv", *rows)
    for chosen in ({"mapping": "hotline"}, {"own": MAPPING}):
        done = await desk.upload(page, "/imports", file, **chosen, dry_run=None)
        before, _, after = done.said.partition("导入完成")
        told = [int(sent) for sent in re.findall(r"已处理 (\d+) KB，共 3\d+ KB", before)]
        assert max(told) > 1_000 and "登记 110" in after, (chosen, told, done.said[-500:])
        assert done.text.rstrip().endswith("</html>")
