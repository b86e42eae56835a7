"""What the network would do with a packet, told from rows alone."""

from paranet.verifier.promises import Promises
from paranet.verifier.session import Verifier, introduced, verify

__all__ = ["Promises", "Verifier", "introduced", "verify"]
