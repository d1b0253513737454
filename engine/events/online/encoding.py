"""A kept event as bytes and back; Redis stores a customer's events compactly only while each is small.

A sorted set whose members have at most 64 bytes (`zset-max-listpack-value`) lies in one block; a longer member makes
Redis keep the whole set as a list and a table of pointers, five times as large.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson

from engine.events.event import Event
from engine.events.online.kept import PLACED, POSITION_FORMAT, with_hashed_order

# The first byte of a member. Numbers are never reused; `[` begins the JSON of earlier releases.
CODED_TYPES = (None, "order", "order_status", "view", "click", "cart", "rating", "not_interested", "impression")
TYPE_CODES = {kind: code for code, kind in enumerate(CODED_TYPES) if kind is not None}
AS_JSON, OLD_JSON = 0, ord("[")
CODED_STATUSES = ("cancelled", "rejected", "refunded")
UNIX_EPOCH, FIRST_INSTANT = datetime(1970, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
# Milliseconds since 2020 in five bytes: until 2054.
AT_BYTES = 5
MS = timedelta(milliseconds=1)
UUID_LETTERS, AS_UUID = 36, 1


class Tag:
    """The byte before each property of a member; numbers are never reused."""

    EVENT_ID = 1
    ORDER_ID = 2
    STATUS = 3
    ZONE = 4
    POSITION = 5
    VENDOR = 6
    ITEM = 7
    ITEMS = 8
    RATING = 9
    ON_ITS_WAY = 10


TEXT_TAGS = {"zone": Tag.ZONE, "vendor_id": Tag.VENDOR, "item_id": Tag.ITEM}


def encode(event: Event) -> bytes:
    """Return a kept event as bytes: the compact form, or JSON where an event does not fit it."""
    try:
        return _compact(event)
    except (TypeError, AttributeError, KeyError, ValueError, OverflowError, struct.error):
        fields = [event.seq, event.event_id, event.type, (event.at - UNIX_EPOCH) // MS, dict(event.properties)]
        return bytes([AS_JSON]) + orjson.dumps(fields)


def decode(customer_id: str, member: bytes) -> Event:
    """Return the event of a member that `encode` made, in this release or an earlier one.

    Raises ValueError for what only a later release understands.
    """
    if member[0] in (AS_JSON, OLD_JSON):
        seq, event_id, kind, at, found = orjson.loads(member[member[0] == AS_JSON :])
        # Members of earlier releases hold the instant as text, and order ids unhashed; they expire within 90 days.
        instant = datetime.fromisoformat(at) if isinstance(at, str) else UNIX_EPOCH + at * MS
        properties: Mapping[str, object] = found if member[0] == AS_JSON else with_hashed_order(found)
        return Event(event_id, kind, customer_id, instant, properties, seq)
    if member[0] >= len(CODED_TYPES):
        raise ValueError("a type of a later release")
    seq, place = _number(member, 1)
    at = FIRST_INSTANT + int.from_bytes(member[place : place + AT_BYTES], "big") * MS
    decoded: dict[str, object] = {}
    event_id = _read(member, place + AT_BYTES, decoded)
    return Event(event_id, str(CODED_TYPES[member[0]]), customer_id, at, decoded, seq)


def _compact(event: Event) -> bytes:
    """Return the compact form. Raises one of the errors `encode` catches for an event that does not fit it."""
    parts = [
        bytes([TYPE_CODES[event.type]]),
        _varint(event.seq),
        ((event.at - FIRST_INSTANT) // MS).to_bytes(AT_BYTES, "big"),
    ]
    if event.event_id:
        parts += [bytes([Tag.EVENT_ID]), _text(event.event_id)]
    given = dict(event.properties)
    for name, value in given.items():
        if name in TEXT_TAGS:
            parts += [bytes([TEXT_TAGS[name]]), _text(value)]
        elif name == "order_id":
            parts.append(bytes([Tag.ORDER_ID]) + bytes.fromhex(str(value)))
        elif name == "status":
            # `placed` has its own tag: earlier releases pass over a member with an unknown tag, and fail at an unknown
            # status.
            parts.append(bytes([Tag.ON_ITS_WAY] if value == PLACED else [Tag.STATUS, CODED_STATUSES.index(str(value))]))
        elif name == "latitude":
            parts.append(bytes([Tag.POSITION]) + POSITION_FORMAT.pack(value, given["longitude"]))
        elif name == "rating":
            parts.append(bytes([Tag.RATING, _small(value)]))
        elif name == "items":
            parts += [bytes([Tag.ITEMS]), _varint(len(value)), *(_text(line["item_id"]) for line in value)]  # type: ignore[arg-type, attr-defined]
        elif name != "longitude" or "latitude" not in given:
            raise ValueError(f"no place for {name}")
    return b"".join(parts)


def _read(member: bytes, place: int, found: dict[str, object]) -> str:
    """Add the properties from `place` on to `found`; return the event's id, empty where it has none."""
    event_id = ""
    while place < len(member):
        tag, place = member[place], place + 1
        if tag in TAG_READERS:
            name, read = TAG_READERS[tag]
            found[name], place = read(member, place)
        elif tag == Tag.POSITION:
            found["latitude"], found["longitude"] = POSITION_FORMAT.unpack_from(member, place)
            place += POSITION_FORMAT.size
        elif tag == Tag.ON_ITS_WAY:
            found["status"] = PLACED
        elif tag == Tag.EVENT_ID:
            event_id, place = _read_text(member, place)
        else:
            raise ValueError("a property of a later release")
    return event_id


def _varint(number: int) -> bytes:
    """Return a number (>= 0) in as few bytes as it needs, seven bits in each."""
    if number < 0:
        raise ValueError("below 0")
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)


def _number(member: bytes, place: int) -> tuple[int, int]:
    """Return the number at `place` and where it ends."""
    number, shift = 0, 0
    while True:
        byte = member[place]
        number |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return number, place


def _text(value: object) -> bytes:
    """Return a text with twice its length before it; a UUID, as many ids are, as 1 and its sixteen bytes."""
    if not isinstance(value, str):
        raise TypeError("not a text")
    if len(value) == UUID_LETTERS:
        with suppress(ValueError):
            number = UUID(value)
            if str(number) == value:
                return bytes([AS_UUID]) + number.bytes
    encoded = value.encode()
    return _varint(2 * len(encoded)) + encoded


def _read_text(member: bytes, place: int) -> tuple[str, int]:
    size, place = _number(member, place)
    if size == AS_UUID:
        return str(UUID(bytes=member[place : place + 16])), place + 16
    return member[place : place + size // 2].decode(), place + size // 2


def _read_order(member: bytes, place: int) -> tuple[str, int]:
    return member[place : place + 8].hex(), place + 8


def _read_status(member: bytes, place: int) -> tuple[str, int]:
    return CODED_STATUSES[member[place]], place + 1


def _read_lines(member: bytes, place: int) -> tuple[list[dict[str, object]], int]:
    count, place = _number(member, place)
    lines: list[dict[str, object]] = []
    for _ in range(count):
        item, place = _read_text(member, place)
        lines.append({"item_id": item})
    return lines, place


def _small(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("not a whole number")
    return value


TAG_READERS: Mapping[int, tuple[str, Callable[[bytes, int], tuple[object, int]]]] = {
    **{tag: (name, _read_text) for name, tag in TEXT_TAGS.items()},
    Tag.ORDER_ID: ("order_id", _read_order),
    Tag.STATUS: ("status", _read_status),
    Tag.ITEMS: ("items", _read_lines),
    Tag.RATING: ("rating", lambda member, place: (member[place], place + 1)),
}
