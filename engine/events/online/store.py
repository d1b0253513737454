"""The online state: what each customer did lately, one look-up away. A cache of the inbox: flush it and it is rebuilt.

Redis keys (one hash tag a customer, so that Redis Cluster keeps a customer's keys together):

    regulars:recent:{<customer_id>}   ZSET  score = inbox place, member = the event, packed
                                      (engine/events/online/packing.py);
                                      newest 200, 90 days.
                                      Looks and taps have a score lower by 2^51 and are kept 20 deep, impressions
                                      one lower by 2^52 and 40 deep: seeing must not push out what she did
    regulars:through                  STRING  inbox place up to which everything has been folded; missing = rebuild

Only commands of Redis 6.2 are used, so that Redis, Valkey and old servers all serve.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from math import inf
from typing import Protocol

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection as Connection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from engine.errors import InputError, OnlineUnavailable
from engine.events.inbox import Event
from engine.events.online.packing import pack, slim, unpack

KEPT_EVENTS = 200
# By type: how far below its inbox place an event's score lies (exact in a double), and how many such are kept.
PASSIVE = {"impression": (2**52, 40), "view": (2**51, 20), "click": (2**51, 20)}
KEPT_DAYS = 90
THROUGH = "regulars:through"
ANSWER_WITHIN_S = 0.5
# How many of the passive events go depends on how many there are: a script, so that it is one round trip.
TRIM_PASSIVE = """
local function trim(low, high, kept)
  local n = redis.call('ZCOUNT', KEYS[1], low, high)
  if n > kept then
    local first = redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. low)
    redis.call('ZREMRANGEBYRANK', KEYS[1], first, first + n - kept - 1)
  end
end
trim('-4503599627370496', '(-2251799813685248', 40)
trim('-2251799813685248', '(0', 20)
return 1
"""
# Never moves back, and one round trip: a slower process must not undo what a faster one noted.
MOVE_THROUGH = """
local now = tonumber(redis.call('GET', KEYS[1]) or '-1')
if tonumber(ARGV[1]) > now then redis.call('SET', KEYS[1], ARGV[1]) end
return 1
"""


class OnlineStore(Protocol):
    """Recent events by customer. Folding an event twice is the same as once."""

    async def fold(self, events: Iterable[Event]) -> None:
        """Add stored events. Raises OnlineUnavailable."""
        ...

    async def recent(self, customer_id: str) -> list[Event]:
        """Return the customer's newest events, oldest first, at most 200. Raises OnlineUnavailable."""
        ...

    async def through(self) -> int | None:
        """Return the inbox place up to which all is folded; None: empty, rebuild it. Raises OnlineUnavailable."""
        ...

    async def move_through(self, seq: int) -> None:
        """Note that all events up to `seq` are folded; never moves back. Raises OnlineUnavailable."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class InProcess:
    """The online state of a single process, gone with it and rebuilt from the inbox at start."""

    def __init__(self) -> None:
        self._events: dict[str, dict[int, Event]] = defaultdict(dict)
        self._through: int | None = None

    async def fold(self, events: Iterable[Event]) -> None:
        """Add stored events."""
        for event in events:
            kept = slim(event)
            if kept is not None:
                _keep(self._events[event.customer_id], kept)

    async def recent(self, customer_id: str) -> list[Event]:
        """Return the customer's newest events, oldest first."""
        own = self._events.get(customer_id, {})
        return [own[seq] for seq in sorted(own)]

    async def through(self) -> int | None:
        """Return the inbox place up to which all is folded; None before the first rebuild."""
        return self._through

    async def move_through(self, seq: int) -> None:
        """Note that all events up to `seq` are folded."""
        self._through = max(seq, self._through or 0)

    async def close(self) -> None:
        """Nothing to let go of."""


def as_kept(events: Iterable[Event]) -> list[Event]:
    """Return what the online state would hold of one customer's stored events, oldest first."""
    own: dict[int, Event] = {}
    for event in events:
        kept = slim(event)
        if kept is not None:
            _keep(own, kept)
    return [own[seq] for seq in sorted(own)]


class InRedis:
    """The online state in Redis or Valkey, shared by every API process; one round trip a call.

    Questions asked in the same turn of the event loop share a round trip: under load that halves what one costs.
    """

    def __init__(self, url: str) -> None:
        """Raises InputError when `url` is not a Redis URL."""
        try:
            self._redis: Redis = Redis.from_url(
                url, socket_timeout=ANSWER_WITHIN_S, socket_connect_timeout=ANSWER_WITHIN_S, decode_responses=False
            )
            # A question has one timeout, for its whole answer; the client's own would be a task for each.
            self._asked: Redis = Redis.from_url(url, socket_connect_timeout=ANSWER_WITHIN_S, decode_responses=False)
            self._idle: list[Connection] = []
            self._waiting: list[tuple[str, asyncio.Future[list[bytes]]]] = []
            self._asking: set[asyncio.Task[None]] = set()
        except ValueError as error:
            raise InputError(
                f"not a Redis URL such as redis://localhost:6379/0 ({error})", where="REGULARS_REDIS_URL"
            ) from error

    async def fold(self, events: Iterable[Event]) -> None:
        """Add stored events in one pipeline."""
        members: dict[str, dict[bytes, float]] = defaultdict(dict)
        for event in events:
            kept = slim(event)
            if kept is not None:
                below, _ = PASSIVE.get(event.type, (0, 0))
                members[_key(event.customer_id)][pack(kept)] = float(event.seq - below)
        if not members:
            return
        async with self._redis.pipeline(transaction=False) as pipe:
            for key, own in members.items():
                pipe.zadd(key, own)
                if min(own.values()) < 0:
                    pipe.eval(TRIM_PASSIVE, 1, key)
                pipe.zremrangebyrank(key, 0, -KEPT_EVENTS - 1)
                pipe.expire(key, timedelta(days=KEPT_DAYS))
            try:
                await pipe.execute()
            except (RedisError, OSError) as error:
                raise _unavailable(error) from error

    async def recent(self, customer_id: str) -> list[Event]:
        """Return the customer's newest events, oldest first."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[bytes]] = loop.create_future()
        self._waiting.append((customer_id, answer))
        if len(self._waiting) == 1:
            loop.call_soon(self._ask)
        try:
            members = await answer
        except (RedisError, OSError) as error:
            raise _unavailable(error) from error
        if not members:
            return []
        # One that an earlier release kept and this one was told again counts once.
        by_seq: dict[int, Event] = {}
        for member in members:
            # While releases change there may be what only the later one understands.
            with suppress(ValueError):
                event = unpack(customer_id, member)
                by_seq[event.seq] = event
        found = list(by_seq.values())
        # What she only saw or looked at comes first in the set, whenever it was.
        return sorted(found, key=_seq) if found and found[0].type in PASSIVE else found

    def _ask(self) -> None:
        waiting, self._waiting = self._waiting, []
        task = asyncio.get_running_loop().create_task(self._fetch(waiting))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _fetch(self, waiting: list[tuple[str, asyncio.Future[list[bytes]]]]) -> None:
        found: Sequence[list[bytes] | BaseException]
        try:
            found = await self._members([customer_id for customer_id, _ in waiting])
        except BaseException as error:
            found = [error] * len(waiting)
            if not isinstance(error, Exception):
                raise
        finally:
            # Whoever stopped waiting (a closed connection) has a future that is done.
            for (_, answer), members in zip(waiting, found, strict=True):
                if answer.done():
                    continue
                if isinstance(members, BaseException):
                    answer.set_exception(members)
                else:
                    answer.set_result(members)

    async def _members(self, customers: list[str]) -> list[list[bytes] | BaseException]:
        """Return each customer's members, or why there are none. Raises RedisError or OSError where nobody answers.

        A pipeline of the client's takes four times as long as its connection does for this one command, and its pool
        half as long as the question: what has answered is kept for the next one.
        """
        asked = b"".join([_zrange(_key(customer_id).encode()) for customer_id in customers])
        pool = self._asked.connection_pool
        for last in (False, True):
            connection: Connection | None = None
            try:
                # A new connection greets first, and who accepts it may say nothing.
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    connection = self._idle.pop() if self._idle else await pool.get_connection()  # type: ignore[no-untyped-call]
                    await connection.send_packed_command([asked], check_health=False)
                    found = [await _answer_of(connection) for _ in customers]
            except BaseException as error:
                # Half an answer may be under way in this one, and those beside it are as old.
                await self._drop([*([connection] if connection else []), *self._idle])
                # A connection that Redis has closed meanwhile says so only now; a new one may do.
                closed = isinstance(error, (RedisConnectionError, OSError)) and not isinstance(error, TimeoutError)
                if last or not closed:
                    raise
            else:
                self._idle.append(connection)
                return found
        raise AssertionError("the second try returned or raised")

    async def _drop(self, connections: Sequence[Connection]) -> None:
        self._idle.clear()
        for connection in connections:
            await connection.disconnect(nowait=True)
            await self._asked.connection_pool.release(connection)

    async def through(self) -> int | None:
        """Return the inbox place up to which all is folded; None when Redis was flushed or is new."""
        try:
            value = await self._redis.get(THROUGH)
        except (RedisError, OSError) as error:
            raise _unavailable(error) from error
        return None if value is None else int(value)

    async def move_through(self, seq: int) -> None:
        """Note that all events up to `seq` are folded."""
        try:
            await self._redis.eval(MOVE_THROUGH, 1, THROUGH, str(seq))
        except (RedisError, OSError) as error:
            raise _unavailable(error) from error

    async def close(self) -> None:
        """Close the connections."""
        self._idle.clear()
        await self._asked.aclose()
        await self._redis.aclose()


def open_online(redis_url: str | None) -> OnlineStore:
    """Return the online store in force: Redis where a URL is set, else this process's memory."""
    return InRedis(redis_url) if redis_url else InProcess()


def forgiven(events: list[Event], now: datetime) -> list[Event]:
    """Return the events, oldest first, without those that called a dish not interesting over 90 days before `now`.

    A customer who comes back keeps her events alive; what she did not want to see then, she may want to see again.
    """
    since = now - timedelta(days=KEPT_DAYS)
    if not events or events[0].at >= since:
        return events
    return [event for event in events if event.type != "not_interested" or event.at >= since]


def _keep(own: dict[int, Event], kept: Event) -> None:
    own[kept.seq] = kept
    for seq in _too_many(own):
        del own[seq]


def _too_many(own: dict[int, Event]) -> list[int]:
    """Return the places to forget: beyond what is kept of each passive kind, then beyond 200, passive ones first."""
    gone: set[int] = set()
    if len(own) <= min(kept for _, kept in PASSIVE.values()):
        return []
    for below, kept in set(PASSIVE.values()):
        kind = sorted(seq for seq, event in own.items() if PASSIVE.get(event.type, (0, 0))[0] == below)
        gone.update(kind[:-kept])
    rest = sorted(own.keys() - gone, key=lambda seq: seq - PASSIVE.get(own[seq].type, (0, 0))[0])
    return [*gone, *rest[: max(len(rest) - KEPT_EVENTS, 0)]]


def _seq(event: Event) -> int:
    return event.seq


def _key(customer_id: str) -> str:
    return f"regulars:recent:{{{customer_id}}}"


def _zrange(key: bytes) -> bytes:
    """Return the command that asks for all members of `key`, as it goes over the wire."""
    return b"*4\r\n$6\r\nZRANGE\r\n$%d\r\n%b\r\n$1\r\n0\r\n$2\r\n-1\r\n" % (len(key), key)


async def _answer_of(connection: Connection) -> list[bytes] | BaseException:
    """Return the next answer; a refusal of one command is told, so that the answers behind it are read."""
    try:
        members: list[bytes] = await connection.read_response(disable_decoding=True, timeout=inf)
    except ResponseError as refusal:
        return refusal
    return members


def _unavailable(error: Exception) -> OnlineUnavailable:
    return OnlineUnavailable(
        f"Redis does not answer ({type(error).__name__}); check that it runs and the URL is right",
        where="REGULARS_REDIS_URL",
    )
