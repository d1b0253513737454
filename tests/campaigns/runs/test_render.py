"""A message is in its customer's language and reads well whatever is not known of them."""

from __future__ import annotations

import orjson
import polars as pl
from sqlalchemy import Engine, select

from campaigns.definition.campaign import parse
from campaigns.rows import MessageRow
from engine.columns import ORDERS
from engine.database.session import transaction
from engine.files.encryption import seal_of
from engine.history.opening import open_history
from engine.history.tables import upsert_table
from engine.settings import Settings
from tests.campaigns.runs.steps import launched, planned
from tests.campaigns.town import WINBACK, winback


def test_messages_are_in_the_customers_language_and_read_well_without_a_name(database: Engine, town: Settings) -> None:
    planned(database, town, winback())
    launched(database, town, winback())
    seal = seal_of(town)
    with transaction(database) as session:
        texts = {
            row.customer_id: orjson.loads(seal.unseal(row.body))["body" if row.language == "zh" else "title"]
            for row in session.scalars(select(MessageRow))
        }
    for customer_id, text in texts.items():
        i = int(customer_id[1:])
        name = f"Name {i}" if i % 4 else None
        assert text.startswith((name or "您好") if i % 3 == 1 else f"Hi {name or 'there'}")


def test_a_message_may_name_the_customers_favourite_dish_in_their_language(database: Engine, town: Settings) -> None:
    items = pl.DataFrame({"item_id": ["soup"], "name": ["Hot soup"], "name_zh": ["热汤"]})
    upsert_table(town, "items", items)
    history = open_history(town)
    first = history.orders().sort("order_id").select("order_id", "customer_id", "ordered_at", "status").collect()
    ordered = first.with_columns(
        pl.lit("soup").alias("item_id"), pl.lit(0, pl.Int32).alias("line_no"), pl.lit(1.0, pl.Float32).alias("quantity")
    )
    history.append(pl.DataFrame(schema=ORDERS), ordered)
    favourite = "{% if favourite.name %}{{ favourite.name }}!{% else %}Hello!{% endif %}"
    text = WINBACK.replace("{{ offer.amount }} off", favourite).replace("立减", favourite)
    plan = planned(database, town, parse(text, currency="USD"))
    for message in plan.messages:
        assert ("热汤!" if message.language == "zh" else "Hot soup!") in message.body
