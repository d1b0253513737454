"""The floor serving is measured against: a bare FastAPI route with the same Redis round trip and as many bytes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from redis.asyncio import Redis

# What tells the route where its answer and Redis are.
BYTES, REDIS = "BENCHMARK_BYTES", "BENCHMARK_REDIS"


def bare() -> Any:
    """Return the floor: FastAPI, one ZRANGE, ready bytes."""
    app = FastAPI()
    redis: Redis = Redis.from_url(os.environ[REDIS])
    ready = Path(os.environ[BYTES]).read_bytes()

    @app.post("/v1/recommend/dishes")
    async def dishes(request: Request) -> Response:
        body = json.loads(await request.body())
        await redis.zrange(f"regulars:recent:{{{body['customer_id']}}}", 0, -1)
        return Response(ready, media_type="application/json")

    return app
