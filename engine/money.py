"""Money as people read it: the currency's own digits, its sign, and no idle zeros."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from engine.columns import minor_digits

# Signs familiar in English and Chinese; every other currency shows its code.
SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "CNY": "¥", "JPY": "¥", "INR": "₹", "KRW": "₩"}


def money_text(cents: int, currency: str) -> str:
    """Return minor units as text: `$3.20`, `$5` (a whole amount has no decimals), `¥500`, `OMR 1.250`."""
    digits = minor_digits(currency)
    whole, rest = divmod(abs(cents), 10**digits)
    text = f"{whole:,}" + (f".{rest:0{digits}d}" if rest else "")
    sign = SIGNS.get(currency, f"{currency} ")
    return f"{'-' if cents < 0 else ''}{sign}{text}"


def minor_units(amount: object, currency: str) -> int | None:
    """Return an amount in major units (5, 3.2, "3.20") as minor units; None where it is no such amount.

    An amount with more digits than the currency has is no amount: nobody can pay half a cent.
    """
    if isinstance(amount, bool) or not isinstance(amount, int | float | str):
        return None
    try:
        cents = Decimal(str(amount)).scaleb(minor_digits(currency))
        if not cents.is_finite() or cents != cents.to_integral_value() or abs(cents) > 10**15:
            return None
    except InvalidOperation:
        return None
    return int(cents)
