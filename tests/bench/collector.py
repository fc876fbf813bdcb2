"""An OTLP/gRPC collector that takes everything and keeps nothing: `python -m tests.bench.collector` prints its port."""

import asyncio

from extproc.http2 import GrpcConnection

_LARGEST = 64 * 1024 * 1024


async def main() -> None:
    loop = asyncio.get_running_loop()
    connections: set[GrpcConnection] = set()
    server = await loop.create_server(
        lambda: GrpcConnection(lambda _path, _block: _take, lambda: _LARGEST, connections), "127.0.0.1", 0
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def _take(_request: bytes) -> bytes:
    return b""


if __name__ == "__main__":
    asyncio.run(main())
