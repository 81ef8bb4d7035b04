import asyncio
from sys import argv

from aiokafka import AIOKafkaConsumer

from orca.events.v1.events_pb2 import Envelope


async def main() -> None:
    async with AIOKafkaConsumer("orca.requests.v1", bootstrap_servers=argv[1], group_id="chargeback") as records:
        async for record in records:
            event = Envelope.FromString(record.value)
            print(event.key_id, event.request.model, event.request.cost_nano_usd, flush=True)


asyncio.run(main())
