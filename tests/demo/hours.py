"""A city's vendors as the service sees them, so that its own rules judge the simulated orders."""

from __future__ import annotations

from demo.city import City
from engine.ids import IdMap
from engine.recommend.catalog.catalog import Vendor, build_catalog


def described(city: City) -> dict[str, Vendor]:
    """Return each vendor's hours and zones by id."""
    catalog = build_catalog(IdMap.of(city.items["item_id"].to_list()), city.items, city.vendors, timezone="UTC")
    return {name: vendor for name, vendor in zip(catalog.vendor_ids, catalog.vendors, strict=True) if vendor}
