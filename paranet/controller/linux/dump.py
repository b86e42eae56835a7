"""Reads the kernel's routes with one question and a plain walk over the answer (netlink(7), rtnetlink(7)).

pyroute2 reads the same, twenty times as slowly, which shows where many routers are read before and after every step.
"""

import socket
import struct
import sys
from collections.abc import Iterator
from typing import Any

from paranet.errors import DeviceError

_HEADER = struct.Struct("=IHHII")
_ROUTE = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_HOP = struct.Struct("=HBBi")
_GETROUTE, _DONE, _ERROR = 26, 3, 2
_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_DST, _OIF, _GATEWAY, _PRIORITY, _MULTIPATH = 1, 4, 5, 6, 9


def routes(protocol: int) -> list[dict[str, Any]]:
    """Return the routes of a protocol number in the calling thread's network namespace, both IP versions. Raise DeviceError."""
    found: list[dict[str, Any]] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.bind((0, 0))
        for family in (socket.AF_INET, socket.AF_INET6):
            request = _ROUTE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)
            kernel.send(_HEADER.pack(_HEADER.size + len(request), _GETROUTE, _DUMP, family, 0) + request)
            found += (route for body in _messages(kernel) if (route := _route(body, protocol)) is not None)
    return found


def _messages(kernel: socket.socket) -> Iterator[bytes]:
    while True:
        data = kernel.recv(2**18)
        at = 0
        while at < len(data):
            length, kind, _, _, _ = _HEADER.unpack_from(data, at)
            if kind == _DONE:
                return
            if kind == _ERROR:
                raise DeviceError(f"the kernel would not list its routes (error {-struct.unpack_from('=i', data, at + _HEADER.size)[0]})")
            yield data[at + _HEADER.size : at + length]
            at += (length + 3) & ~3


def _route(body: bytes, protocol: int) -> dict[str, Any] | None:
    family, dst_len, _, _, _, by, _, kind, _ = _ROUTE.unpack_from(body)
    if by != protocol:
        return None
    found: dict[str, Any] = {"family": family, "dst_len": dst_len, "type": kind}
    for name, value in _attributes(body[_ROUTE.size :]):
        if name == _DST:
            found["dst"] = socket.inet_ntop(family, value)
        elif name == _GATEWAY:
            found["gateway"] = socket.inet_ntop(family, value)
        elif name == _OIF:
            found["oif"] = int.from_bytes(value, sys.byteorder)
        elif name == _PRIORITY:
            found["priority"] = int.from_bytes(value, sys.byteorder)
        elif name == _MULTIPATH:
            found["multipath"] = list(_hops(value, family))
    return found


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, name = _ATTRIBUTE.unpack_from(data, at)
        yield name, data[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3


def _hops(data: bytes, family: int) -> Iterator[dict[str, Any]]:
    at = 0
    while at + _HOP.size <= len(data):
        length, _, weight, interface = _HOP.unpack_from(data, at)
        hop: dict[str, Any] = {"oif": interface, "hops": weight}
        for name, value in _attributes(data[at + _HOP.size : at + length]):
            if name == _GATEWAY:
                hop["gateway"] = socket.inet_ntop(family, value)
        yield hop
        at += (length + 3) & ~3
