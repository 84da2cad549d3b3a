"""The bare application: FastAPI with one route that returns a constant, served by uvicorn as brokerd is.

python bench/bare.py SOCKET
"""

import sys

import uvicorn
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

ANSWER = "ci\n" + "x" * 1032 + "\n"  # as long as a session token

app = FastAPI()


@app.get("/v1/credential", response_class=PlainTextResponse)
async def credential(url: str, username: str | None = None, wait: float = 30.0) -> str:
    """Answer everybody alike."""
    del url, username, wait
    return ANSWER


if __name__ == "__main__":
    uvicorn.run(
        app,
        uds=sys.argv[1],
        http="h11",
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
    )
