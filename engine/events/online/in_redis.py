"""The online store in Redis or Valkey, shared by every process of a service.

Keys (one hash tag a customer, so that Redis Cluster keeps a customer's keys together):

    regulars:recent:{<customer_id>}   ZSET  score = inbox place, member = the event as `encoding.encode` returns it;
                                      the newest 200, for 90 days.
                                      Views and clicks have a score lower by 2^51 and the newest 20 are kept,
                                      impressions one lower by 2^52 and the newest 40: they never push out orders
    regulars:through                  STRING  inbox place up to which everything is folded; missing means: rebuild

Only commands of Redis 6.2 are used, so that Redis, Valkey and old servers all serve.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from math import inf

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection as Connection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from engine.errors import InputError, OnlineUnavailable
from engine.events.event import Event
from engine.events.online.encoding import decode, encode
from engine.events.online.kept import KEPT_DAYS, KEPT_EVENTS, PASSIVE, to_kept

WATERMARK_KEY = "regulars:through"
ANSWER_WITHIN_S = 0.5
# How many passive events are removed depends on how many there are; a script makes that one round trip.
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
# One round trip; the watermark never moves back, for processes fold at different speeds.
ADVANCE = """
local now = tonumber(redis.call('GET', KEYS[1]) or '-1')
if tonumber(ARGV[1]) > now then redis.call('SET', KEYS[1], ARGV[1]) end
return 1
"""


class RedisStore:
    """The online store in Redis; one round trip a call.

    Reads of the same turn of the event loop share a round trip, which halves their cost under load.
    """

    def __init__(self, url: str) -> None:
        """Raises InputError when `url` is not a Redis URL."""
        try:
            self._redis: Redis = Redis.from_url(
                url, socket_timeout=ANSWER_WITHIN_S, socket_connect_timeout=ANSWER_WITHIN_S, decode_responses=False
            )
            # A read has one timeout for its whole answer, not the client's own, which would start a task each.
            self._reader: Redis = Redis.from_url(url, socket_connect_timeout=ANSWER_WITHIN_S, decode_responses=False)
            self._idle: list[Connection] = []
            self._waiting: list[tuple[str, asyncio.Future[list[bytes]]]] = []
            self._fetching: set[asyncio.Task[None]] = set()
        except ValueError as error:
            raise InputError(
                f"not a Redis URL such as redis://localhost:6379/0 ({error})", where="REGULARS_REDIS_URL"
            ) from error

    async def fold(self, events: Iterable[Event]) -> None:
        """Add stored events in one pipeline."""
        members: dict[str, dict[bytes, float]] = defaultdict(dict)
        for event in events:
            kept = to_kept(event)
            if kept is not None:
                below, _ = PASSIVE.get(event.type, (0, 0))
                members[_key(event.customer_id)][encode(kept)] = float(event.seq - below)
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
            loop.call_soon(self._send_waiting)
        try:
            members = await answer
        except (RedisError, OSError) as error:
            raise _unavailable(error) from error
        if not members:
            return []
        # An event that an earlier release encoded another way is there twice after it is folded again.
        by_seq: dict[int, Event] = {}
        for member in members:
            # During an upgrade there may be members that only the later release can decode.
            with suppress(ValueError):
                event = decode(customer_id, member)
                by_seq[event.seq] = event
        found = list(by_seq.values())
        # Passive events come first in the set, whenever they happened.
        return sorted(found, key=_seq) if found and found[0].type in PASSIVE else found

    def _send_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        task = asyncio.get_running_loop().create_task(self._fetch(waiting))
        self._fetching.add(task)
        task.add_done_callback(self._fetching.discard)

    async def _fetch(self, waiting: list[tuple[str, asyncio.Future[list[bytes]]]]) -> None:
        found: Sequence[list[bytes] | BaseException]
        try:
            found = await self._members([customer_id for customer_id, _ in waiting])
        except BaseException as error:
            found = [error] * len(waiting)
            if not isinstance(error, Exception):
                raise
        finally:
            # The future of a caller that stopped waiting is done already.
            for (_, answer), members in zip(waiting, found, strict=True):
                if answer.done():
                    continue
                if isinstance(members, BaseException):
                    answer.set_exception(members)
                else:
                    answer.set_result(members)

    async def _members(self, customers: list[str]) -> list[list[bytes] | BaseException]:
        """Return each customer's members, or the error in their place. Raises RedisError or OSError without an answer.

        Commands go over a connection kept between calls: the client's pipeline takes four times as long for this one
        command, and its pool half as long as the round trip.
        """
        commands = b"".join([_zrange(_key(customer_id).encode()) for customer_id in customers])
        pool = self._reader.connection_pool
        for last in (False, True):
            connection: Connection | None = None
            try:
                # A new connection shakes hands first, and a server may accept it and send nothing.
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    connection = self._idle.pop() if self._idle else await pool.get_connection()  # type: ignore[no-untyped-call]
                    await connection.send_packed_command([commands], check_health=False)
                    found = [await _answer_of(connection) for _ in customers]
            except BaseException as error:
                # This connection may hold half an answer, and the idle ones may be broken too.
                await self._drop([*([connection] if connection else []), *self._idle])
                # Redis may have closed the connection since its last use; a new one is tried once.
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
            await self._reader.connection_pool.release(connection)

    async def watermark(self) -> int | None:
        """Return the inbox place up to which all is folded; None when Redis was flushed or is new."""
        try:
            value = await self._redis.get(WATERMARK_KEY)
        except (RedisError, OSError) as error:
            raise _unavailable(error) from error
        return None if value is None else int(value)

    async def advance(self, seq: int) -> None:
        """Note that all events up to `seq` are folded."""
        try:
            await self._redis.eval(ADVANCE, 1, WATERMARK_KEY, str(seq))
        except (RedisError, OSError) as error:
            raise _unavailable(error) from error

    async def close(self) -> None:
        """Close the connections."""
        self._idle.clear()
        await self._reader.aclose()
        await self._redis.aclose()


def _seq(event: Event) -> int:
    return event.seq


def _key(customer_id: str) -> str:
    return f"regulars:recent:{{{customer_id}}}"


def _zrange(key: bytes) -> bytes:
    """Return the command that reads all members of `key`, in the wire protocol."""
    return b"*4\r\n$6\r\nZRANGE\r\n$%d\r\n%b\r\n$1\r\n0\r\n$2\r\n-1\r\n" % (len(key), key)


async def _answer_of(connection: Connection) -> list[bytes] | BaseException:
    """Return the next answer; the error of one command is returned, so that the answers behind it are read."""
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
