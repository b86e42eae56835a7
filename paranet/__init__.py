"""ParaNet's core: what a topology, an intent, a plan and a device row are. Knows nothing of actors or of the hub."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("paranet-hub")
except PackageNotFoundError:  # run from a tree that was never installed
    __version__ = "0+unknown"
