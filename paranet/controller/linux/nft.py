"""nftables through its own library: one JSON transaction in, one JSON listing out (libnftables(3), libnftables-json(5))."""

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import Any

import orjson

from paranet.errors import DeviceError

_JSON = 1 << 4
Statement = dict[str, Any]


@cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libnftables.so.1")
    except OSError:
        raise DeviceError("this machine has no libnftables: install nftables") from None
    library.nft_ctx_new.restype = ctypes.c_void_p
    library.nft_ctx_new.argtypes = [ctypes.c_uint32]
    for name in ("nft_ctx_free", "nft_ctx_buffer_output", "nft_ctx_buffer_error"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    library.nft_ctx_output_set_flags.argtypes = [ctypes.c_void_p, ctypes.c_uint]
    library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
        getattr(library, name).restype = ctypes.c_char_p
    return library


def run(statements: Sequence[Statement]) -> list[Statement]:
    """Do all statements or none, in the calling thread's network namespace; return what they print. Raise DeviceError."""
    library = _library()
    context = library.nft_ctx_new(0)
    try:
        library.nft_ctx_output_set_flags(context, _JSON)
        library.nft_ctx_buffer_output(context)
        library.nft_ctx_buffer_error(context)
        failed = library.nft_run_cmd_from_buffer(context, orjson.dumps({"nftables": list(statements)}))
        printed = library.nft_ctx_get_output_buffer(context)
        if failed:
            said = library.nft_ctx_get_error_buffer(context).decode(errors="replace").strip()
            raise DeviceError(f"nftables refused: {said.splitlines()[0] if said else 'no reason given'}")
        found: list[Statement] = orjson.loads(printed)["nftables"] if printed.strip() else []
        return found
    finally:
        library.nft_ctx_free(context)
