"""Ready maps: each over a small invented file of the columns its source documents.

What a map says in clauses that this version does not know yet is left out, and what hangs on it is not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine.errors import MissingFile
from engine.files.yaml import read_yaml
from engine.history.opening import open_history
from engine.imports.intake import ImportSummary, import_files
from engine.imports.mapping import CLAUSES, ImportMap, names_of, parse_map
from engine.imports.ready_maps import find_map, ready_map_names
from engine.settings import Settings

NOW = datetime(2026, 4, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Example:
    """Files in the shape a system exports them, and what their orders are: id, customer, instant, cents, status."""

    files: dict[str, bytes]
    orders: list[tuple[str, str, datetime, int | None, str]]
    lines: list[tuple[str, str, int | None]] = field(default_factory=list)
    currency: str = "USD"


def at(day: int, hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, second, tzinfo=UTC)


SHOPIFY = """\
Name,Email,Financial Status,Paid at,Fulfillment Status,Currency,Subtotal,Shipping,Taxes,Total,Discount Code,\
Discount Amount,Created at,Lineitem quantity,Lineitem name,Lineitem price,Billing Name,Notes,Payment Method,\
Refunded Amount,Vendor,Id,Source,Lineitem discount,Phone
#1001,ann@example.com,paid,2026-03-01 12:31:02 -0500,fulfilled,USD,40.00,5.00,3.55,43.55,SPRING5,\
5.00,2026-03-01 12:30:45 -0500,2,Pad thai,15.00,Ann Lee,"Ring twice,
then knock",Shopify Payments,0.00,Thai Corner,540,web,0.00,'+15555550101
#1001,ann@example.com,,,,,,,,,,,2026-03-01 12:30:45 -0500,1,Iced tea,10.00,,,,,Thai Corner,,,0.00,
#1002,bob@example.com,refunded,,unfulfilled,USD,30.00,0.00,2.66,32.66,,0.00,2026-03-02 17:59:30 -0500,\
1,Curry,30.00,Bob Roe,,Shopify Payments,32.66,Thai Corner,541,web,0.00,
"""
WOOCOMMERCE = """\
order_id,order_number,order_date,status,shipping_total,discount_total,order_total,order_currency,payment_method,\
customer_id,customer_email,customer_note
71,71,2026-03-01 12:30:00,completed,5.00,2.00,28.00,USD,stripe,3,ann@example.com,"at the door, please"
72,72,2026-03-02 18:05:00,on-hold,0.00,0.00,12.50,USD,cod,0,bob@example.com,
"""
SQUARE = """\
Date,Time,Time Zone,Category,Item,Qty,Price Point Name,SKU,Modifiers Applied,Gross Sales,Discounts,Net Sales,Tax,\
Transaction ID,Payment ID,Device Name,Notes,Event Type,Location,Dining Option,Customer ID,Customer Name
03/01/26,12:30:45,Eastern Time (US & Canada),Noodles,Pad Thai,2.0,Large,PT-L,,$30.00,-$3.00,$27.00,$2.40,\
tx1,p1,Till 1,,Payment,Main St,Delivery,SQ7,Ann Lee
03/02/26,18:05:10,Eastern Time (US & Canada),Catering,Banquet,1.0,,BQ,,"$1,250.00",$0.00,"$1,250.00",$0.00,\
tx2,p2,Till 1,,Payment,Main St,Pickup,SQ9,Bob Roe
"""
TOAST_LINES = """\
Location,Order Id,Order #,Sent Date,Order Date,Check Id,Server,Table,Dining Area,Service,Dining Option,\
Item Selection Id,Item Id,Master Id,SKU,PLU,Menu Item,Menu Subgroup(s),Menu Group,Menu,Sales Category,Gross Price,\
Discount,Net Price,Qty,Tax,Void?,Deferred,Tax Exempt
Main,900,1,3/14/26 12:31 PM,3/14/26 12:30 PM,901,Kim,4,Patio,Lunch,Dine In,1,10,20,,,Pad thai,,Noodles,Lunch,Food,\
30.00,3.00,27.00,2.0,2.40,false,false,false
Main,900,1,3/14/26 12:31 PM,3/14/26 12:30 PM,901,Kim,4,Patio,Lunch,Dine In,2,11,21,,,Iced tea,,Drinks,Lunch,Drinks,\
4.00,0.00,4.00,1.0,0.36,true,false,false
"""
TOAST_CHECKS = """\
Location Code,Opened Date,Opened Time,Item Description,Server,Tax,Tender,Check Id,Check #,Total,Customer Family,\
Table Size,Discount,Reason of Discount,Link,Customer Id,Customer,Customer Phone,Customer Email
,03/14/26,12:30 PM,"Pad thai, Iced tea",Kim,2.40,Visa,901,1,29.40,,2,3.00,,,c-77,Ann Lee,,ann@example.com
"""
ALIPAY = """\
------------------------------------------------------------------------------------
导出信息：
姓名：某店
支付宝账户：shop@example.com
起始时间：[2026-03-01 00:00:00]    终止时间：[2026-03-31 23:59:59]
共2笔记录
收入：1笔 28.50元
------------------------支付宝（中国）网络技术有限公司  电子客户回单------------------------
交易时间,交易分类,交易对方,对方账号,商品说明,收/支,金额,收/付款方式,交易状态,交易订单号,商家订单号,备注,
2026-03-01 12:30:45,餐饮美食,王芳,138******01,麻婆豆腐套餐,收入,28.50,余额,交易成功,2026030122001\t,M1\t,,
2026-03-01 13:00:00,商业服务,某供应商,s***@example.com,包装盒,支出,100.00,余额,交易成功,2026030122002\t,M2\t,,
"""
WECHAT = """\
微信支付账单明细,,,,,,,,,,
微信昵称：[某店],,,,,,,,,,
起始时间：[2026-03-01 00:00:00] 终止时间：[2026-03-31 23:59:59],,,,,,,,,,
导出类型：[全部],,,,,,,,,,
共2笔记录,,,,,,,,,,
,,,,,,,,,,
----------------------微信支付账单明细列表--------------------,,,,,,,,,,
交易时间,交易类型,交易对方,商品,收/支,金额(元),支付方式,当前状态,交易单号,商户单号,备注
2026-03-01 12:30:45,二维码收款,王芳,"麻婆豆腐套餐",收入,¥28.50,/,已收钱,"1000001\t","M1\t","/"
2026-03-01 13:00:00,商户消费,某供应商,"包装盒",支出,¥100.00,零钱,支付成功,"1000002\t","M2\t","/"
"""
WECHAT_MERCHANT = """\
交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,\
代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注
`2026-03-01 12:30:45,`wx1,`190,`0,`,`4200001,`M1,`oUser1,`JSAPI,`SUCCESS,`OTHERS,`CNY,`28.50,`0.00,`0,`0,`0.00,`0.00,`,\
`,`麻婆豆腐套餐,`,`0.17,`0.60%,`28.50,`0.00,`
`2026-03-02 18:05:00,`wx1,`190,`0,`,`4200002,`M2,`oUser2,`JSAPI,`SUCCESS,`OTHERS,`CNY,`12.00,`0.00,`0,`0,`0.00,`0.00,`,\
`,`宫保鸡丁,`,`0.07,`0.60%,`12.00,`0.00,`
总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额
`2,`40.50,`0.00,`0.00,`0.24,`40.50,`0.00
"""
EXAMPLES = {
    "shopify": Example(
        {"orders_export_1.csv": SHOPIFY.encode()},
        [
            ("#1001", "ann@example.com", at(1, 17, 30, 45), 4355, "delivered"),
            ("#1002", "bob@example.com", at(2, 22, 59, 30), 0, "refunded"),
        ],
        [("#1001", "Iced tea", 1000), ("#1001", "Pad thai", 3000), ("#1002", "Curry", 3000)],
    ),
    "woocommerce": Example(
        {"orders.csv": WOOCOMMERCE.encode()},
        [
            ("71", "ann@example.com", at(1, 12, 30), 2800, "delivered"),
            ("72", "bob@example.com", at(2, 18, 5), 1250, "placed"),
        ],
    ),
    "square": Example(
        {"items-2026-03.csv": SQUARE.encode()},
        [("tx1", "SQ7", at(1, 17, 30, 45), 2700, "delivered"), ("tx2", "SQ9", at(2, 23, 5, 10), 125_000, "delivered")],
        [("tx1", "Pad Thai", 3000), ("tx2", "Banquet", 125_000)],
    ),
    "toast": Example(
        {"ItemSelectionDetails.csv": TOAST_LINES.encode(), "CheckDetails.csv": TOAST_CHECKS.encode()},
        [("901", "c-77", at(14, 12, 30), 2700, "delivered")],
        [("901", "Pad thai", 3000)],
    ),
    "alipay": Example(
        {"支付宝交易明细.csv": ALIPAY.encode("gb18030")},
        [("2026030122001", "138******01", at(1, 4, 30, 45), 2850, "delivered")],
        currency="CNY",
    ),
    "wechat_pay": Example(
        {"微信支付账单.csv": b"\xef\xbb\xbf" + WECHAT.encode()},
        [("1000001", "王芳", at(1, 4, 30, 45), 2850, "delivered")],
        currency="CNY",
    ),
    "wechat_pay_merchant": Example(
        {"1900000000All2026-03-01.csv": b"\xef\xbb\xbf" + WECHAT_MERCHANT.encode()},
        [
            ("4200001", "oUser1", at(1, 4, 30, 45), 2850, "delivered"),
            ("4200002", "oUser2", at(2, 10, 5), 1200, "delivered"),
        ],
        currency="CNY",
    ),
}


def known_part(name: str) -> tuple[ImportMap, bool]:
    """Return the map of that name without what this version has no word for yet, and whether that was nothing."""
    document: Any = read_yaml(find_map(name), words=True)
    kept = {clause: value for clause, value in document.items() if clause in CLAUSES}
    columns = {ours: their for ours, their in kept["columns"].items() if ours in names_of("orders")}
    whole = len(kept) == len(document) and len(columns) == len(kept["columns"])
    if "ordered_time" not in names_of("orders"):
        whole = whole and not any(isinstance(their, list) for their in columns.values())
        columns = {ours: their[0] if isinstance(their, list) else their for ours, their in columns.items()}
    return parse_map({**kept, "columns": columns}, "orders", where=name), whole


def load(settings: Settings, folder: Path, name: str, mapping: ImportMap) -> ImportSummary:
    for file, content in EXAMPLES[name].files.items():
        (folder / file).write_bytes(content)
    return import_files(settings, "orders", [folder / file for file in EXAMPLES[name].files], mapping, now=NOW)


def test_each_ready_map_has_an_example_and_is_found_by_its_name(tmp_path: Path) -> None:
    assert set(ready_map_names()) == set(EXAMPLES)
    own = tmp_path / "own.yaml"
    own.write_text("columns: {}\n")
    assert find_map(str(own)) == own
    with pytest.raises(MissingFile, match="did you mean 'shopify'"):
        find_map("shopfy")
    with pytest.raises(MissingFile, match="check the path"):
        find_map("none.yaml")


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_ready_map_finds_all_its_columns_in_the_files_shape(settings: Settings, tmp_path: Path, name: str) -> None:
    mapping, whole = known_part(name)
    try:
        summary = load(settings, tmp_path, name, mapping)
    except Exception:
        if whole:
            raise
        pytest.skip("the cells need clauses that this version does not know yet")
    assert not [warning for warning in summary.warnings if "no file has the column" in warning]
    assert "malformed_row" not in summary.reasons


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_ready_map_reads_its_orders(settings: Settings, tmp_path: Path, name: str) -> None:
    mapping, whole = known_part(name)
    if not whole:
        pytest.skip("the map has clauses that this version does not know yet")
    summary = load(settings, tmp_path, name, mapping)
    assert summary.quarantined == 0
    history, example = open_history(settings), EXAMPLES[name]
    orders = history.orders().collect().sort("order_id")
    assert orders.select("order_id", "customer_id", "ordered_at", "order_cents", "status").rows() == example.orders
    assert orders["currency"].unique().to_list() == [example.currency]
    if example.lines:
        lines = history.lines().collect().sort("order_id", "item_id")
        assert lines.select("order_id", "item_id", "line_cents").rows() == example.lines


def test_bills_of_payment_providers_are_their_table_alone(settings: Settings, tmp_path: Path) -> None:
    mapping, _ = known_part("wechat_pay_merchant")
    summary = load(settings, tmp_path, "wechat_pay_merchant", mapping)
    (part,) = summary.files
    assert (part.read, part.accepted, part.lines_below) == (2, 2, 2)
    orders = open_history(settings).orders().collect().sort("order_id")
    assert orders["order_id"].to_list() == ["4200001", "4200002"]
    assert orders["order_cents"].to_list() == [2850, 1200]
    assert isinstance(orders.select(pl.col("ordered_at").min()).item(), datetime)
