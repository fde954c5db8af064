"""Floor of `decision_latency` and `waiting`, the stdio side: a bare MCPServer whose tool waits for one event stream."""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import anyio.abc
import httpx2
from mcp.server.mcpserver import Context, MCPServer

base = f"http://127.0.0.1:{sys.argv[1]}"
waiting: dict[str, anyio.Event] = {}
answers: dict[str, str] = {}


@asynccontextmanager
async def lifespan(_: MCPServer[httpx2.AsyncClient]) -> AsyncGenerator[httpx2.AsyncClient]:
    """One pooled client and one stream for the whole process."""
    limits = httpx2.Limits(max_connections=20, max_keepalive_connections=20, keepalive_expiry=60.0)
    async with (
        httpx2.AsyncClient(trust_env=False, limits=limits, timeout=httpx2.Timeout(60.0, read=None)) as client,
        anyio.create_task_group() as tasks,
    ):
        await tasks.start(follow, client)
        yield client
        tasks.cancel_scope.cancel()


async def follow(
    client: httpx2.AsyncClient, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    """Hand each answer to its waiter."""
    async with client.stream("GET", f"{base}/stream") as response:
        async for line in response.aiter_lines():
            if line == "ready":
                task_status.started()
                continue
            name, _, answer = line.partition(" ")
            if name in waiting:
                answers[name] = answer
                waiting[name].set()


server = MCPServer("floor", lifespan=lifespan, log_level="WARNING")


@server.tool()
async def ask(action: str, ctx: Context[httpx2.AsyncClient]) -> str:
    """Ask, wait, answer."""
    client = ctx.request_context.lifespan_context
    waiting[action] = anyio.Event()
    try:
        await client.post(f"{base}/requests", json={"id": action, "text": action})
        await waiting[action].wait()
        return answers.pop(action)
    finally:
        del waiting[action]


if __name__ == "__main__":
    server.run("stdio")
