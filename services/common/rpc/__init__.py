"""gRPC for everybody: one error mapping, two transports (in-process loopback and `grpc.aio`)."""

from services.common.rpc.client import call, channel_to, trace_metadata, translate
from services.common.rpc.loopback import LoopbackChannel, LoopbackServer
from services.common.rpc.server import GrpcServer, RpcServer

__all__ = [
    "GrpcServer",
    "LoopbackChannel",
    "LoopbackServer",
    "RpcServer",
    "call",
    "channel_to",
    "trace_metadata",
    "translate",
]
