"""`python -m commerce360.local.doubles.eventhubs --hub orders:4`: Event Hubs over AMQP on loopback, until it is told to stop.

Its first line on standard output is the connection string that clients need.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from commerce360 import log
from commerce360.local.doubles.eventhubs.broker import Broker, Hub
from commerce360.local.doubles.eventhubs.cbs import Keys
from commerce360.local.doubles.eventhubs.connection import Connection
from commerce360.local.doubles.eventhubs.faults import Faults

POLICY = "RootManageSharedAccessKey"
MIB = 1024 * 1024


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser("python -m commerce360.local.doubles.eventhubs")
    made.add_argument("--host", default="127.0.0.1")
    made.add_argument("--port", type=int, default=5672, help="0: any that is free")
    made.add_argument(
        "--hub", action="append", required=True, metavar="NAME:PARTITIONS[:GROUP,...]", help="with consumer groups beside $Default"
    )
    made.add_argument("--key", default="local", help=f"of the policy {POLICY}; a key of this stand-in alone")
    made.add_argument("--max-message-bytes", type=int, default=MIB, help="of a publication; 262144 as on Basic")
    made.add_argument("--retain-mib", type=int, default=256, help="of events in memory, of all partitions together; the oldest go")
    faults = made.add_argument_group("faults, counted over all publications")
    faults.add_argument("--busy-every", type=int, default=0, help="refuse every n-th as throttled")
    faults.add_argument("--cut-every", type=int, default=0, help="end the connection at every n-th")
    faults.add_argument("--cut-when", choices=("before", "after"), default="before", help="it is stored")
    faults.add_argument("--detach-every", type=int, default=0, help="end the link at every n-th, which is not stored")
    faults.add_argument("--answer-after-s", type=float, default=0.0, help="how long each acknowledgement takes")
    return made


def broker(args: argparse.Namespace) -> Broker:
    named = [(name, int(count or 4), tuple(filter(None, groups.split(",")))) for name, count, groups in map(_parts, args.hub)]
    share = args.retain_mib * MIB // max(1, sum(count for _, count, _ in named))
    faults = Faults(args.busy_every, args.cut_every, args.cut_when, args.detach_every, args.answer_after_s)
    hubs = {name.lower(): Hub(name, count, share, groups) for name, count, groups in named}
    return Broker(hubs, Keys({POLICY: args.key}), faults, args.max_message_bytes)


def _parts(given: str) -> tuple[str, str, str]:
    name, count, groups = (*given.split(":"), "", "")[:3]
    return name, count, groups


async def serve(args: argparse.Namespace) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    made, everyone = broker(args), set[Connection]()
    server = await loop.create_server(lambda: Connection(made, everyone), args.host, args.port)
    port = server.sockets[0].getsockname()[1]
    address = f"Endpoint=sb://{args.host}:{port}/;SharedAccessKeyName={POLICY};SharedAccessKey={args.key};UseDevelopmentEmulator=true"
    sys.stdout.write(f"{address}\n")
    sys.stdout.flush()
    await stop.wait()
    server.close()
    for connection in list(everyone):
        connection.close("amqp:connection:forced", "The service is going down.")
    await asyncio.sleep(0)


if __name__ == "__main__":
    log.configure()
    asyncio.run(serve(parser().parse_args()))
