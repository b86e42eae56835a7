"""What the network would do with a packet, told from rows alone."""

from paranet.verifier.ip import verify

__all__ = ["verify"]
