"""`regulars customers duplicates`: which ids are one person."""

from __future__ import annotations

from cli.customers.commands import customers
from cli.output import HomeOption, JsonOption, print_json, print_table, settings_for


@customers.command()
def duplicates(home: HomeOption = None, json: JsonOption = False) -> None:
    """List persons with several ids: those that share an e-mail address, a phone number or a device.

    A campaign writes to such a person once, and a refusal under one id holds for all of them.
    What is shared is named, never shown.

    Example: [bold]regulars customers duplicates --json[/bold]
    """
    from engine.customers.duplicates import find_duplicates  # noqa: PLC0415
    from engine.files.encryption import seal_of  # noqa: PLC0415
    from engine.history.tables import read_table  # noqa: PLC0415

    settings = settings_for(home)
    found = find_duplicates(read_table(settings, "customers"), seal_of(settings))
    if json:
        print_json({"persons": [{"customer_ids": one.customer_ids, "shared": one.shared} for one in found]})
        return
    print_table(
        f"{len(found):,} persons with several ids",
        ["ids", "they share"],
        [[", ".join(one.customer_ids), ", ".join(one.shared)] for one in found],
        whole=["ids"],
    )
