"""Local snapshots of keys, channels and prices, pushed by auth."""

from services.relay.directory.grpc_directory import GrpcDirectory

__all__ = ["GrpcDirectory"]
