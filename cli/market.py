"""`regulars market`: what grows, falls and drops, and which vendors and dishes are rated low."""

from __future__ import annotations

from dataclasses import asdict

from cli.app import app
from cli.moment import AsOfOption, config_for, inbox_of, moment_for
from cli.output import HomeOption, JsonOption, print_json, print_table, settings_for

RATINGS_SHOWN, ROWS_SHOWN = 5, 10


@app.command()
def market(as_of: AsOfOption = None, home: HomeOption = None, json: JsonOption = False) -> None:
    """Show which dishes, cuisines, vendors and zones grow, fall or dropped, and which are rated low.

    Example: [bold]regulars market --as-of 2026-03-01[/bold]
    """
    from engine.customers.store import table_sources  # noqa: PLC0415
    from engine.market.low_rated import by_complaints, vendor_and_dish_ratings  # noqa: PLC0415
    from engine.market.trends import market_trends as look  # noqa: PLC0415

    settings = settings_for(home)
    with inbox_of(settings) as database:
        moment, data = moment_for(settings, as_of, database), table_sources(settings, database)
    found = look(data.orders, data.lines, data.items, data.vendors, moment)
    content = vendor_and_dish_ratings(
        data.orders, data.lines, data.items, data.feedback, moment, config_for(settings, None).satisfaction
    )
    if json:
        print_json({"as_of": moment.at.isoformat(), **asdict(found), "satisfaction": content.to_dicts()})
        return
    shown = [trend for trend in found.trends if trend.direction != "steady"]
    shown.sort(key=lambda trend: (trend.kind, -trend.change))
    print_table(
        f"Trends of the newest {found.weeks} weeks (all orders: {found.market_change:+.1%} a week)",
        ["kind", "name", "orders", "", "per week", "from", "to", "against the market"],
        [
            [t.kind, t.name, t.orders, t.direction, *(f"{x:+.1%}" for x in (t.change, t.low, t.high, t.against_market))]
            for t in shown
        ],
    )
    if found.drops:
        print_table(
            "Dropped against their own forecast in the newest week",
            ["kind", "name", "orders", "expected", "at least"],
            [[d.kind, d.name, d.orders, d.expected, d.least_expected] for d in found.drops],
        )
    worst = [row for row in content.iter_rows(named=True) if row["ratings"] >= RATINGS_SHOWN][:ROWS_SHOWN]
    if worst:
        names = ("kind", "name", "ratings", "average_rating", "low_share", "trend")
        print_table(f"Rated lowest, of {RATINGS_SHOWN} ratings or more", names, [[r[n] for n in names] for r in worst])
    complained = by_complaints(content).head(ROWS_SHOWN)
    if complained.height:
        title = "Complaints and survey answers, most complaints first"
        print_table(title, complained.columns, complained.rows())
