"""Closes listening sockets to other machines. TensorFlow's servers listen at all addresses of a machine.

A socket filter of Linux (SO_ATTACH_FILTER, which needs no rights) drops what was not sent to a loopback address.
Source: https://docs.kernel.org/networking/filter.html
"""

import contextlib
import ctypes
import os
import socket
import stat
import struct

SO_ATTACH_FILTER = 26
NETWORK_HEADER = 0xFFF00000  # SKF_NET_OFF
# Instructions of classic BPF.
LOAD_BYTE, LOAD_WORD, SHIFT_RIGHT, JUMP_IF_EQUAL, RETURN = 0x30, 0x20, 0x74, 0x15, 0x06
PROGRAM = (  # operation, instructions to skip if it is true, if it is false, operand
    (LOAD_BYTE, 0, 0, NETWORK_HEADER),
    (SHIFT_RIGHT, 0, 0, 4),  # the version of the protocol
    (JUMP_IF_EQUAL, 0, 2, 4),
    (LOAD_BYTE, 0, 0, NETWORK_HEADER + 16),  # of IPv4: the first byte of the destination
    (JUMP_IF_EQUAL, 8, 9, 127),
    (LOAD_WORD, 0, 0, NETWORK_HEADER + 24),  # of IPv6: the four words of the destination
    (JUMP_IF_EQUAL, 0, 7, 0),
    (LOAD_WORD, 0, 0, NETWORK_HEADER + 28),
    (JUMP_IF_EQUAL, 0, 5, 0),
    (LOAD_WORD, 0, 0, NETWORK_HEADER + 32),
    (JUMP_IF_EQUAL, 0, 3, 0),
    (LOAD_WORD, 0, 0, NETWORK_HEADER + 36),
    (JUMP_IF_EQUAL, 0, 1, 1),
    (RETURN, 0, 0, 0xFFFFFFFF),  # keep the packet
    (RETURN, 0, 0, 0),  # drop it
)


def close_to_others() -> None:
    """Let only programs on this machine reach the TCP ports at which this process listens; OSError where it cannot."""
    instructions = b"".join(struct.pack("HBBI", *instruction) for instruction in PROGRAM)
    buffer = ctypes.create_string_buffer(instructions)
    program = struct.pack("HP", len(PROGRAM), ctypes.addressof(buffer))
    for name in os.listdir("/proc/self/fd"):
        if _listens(int(name)):
            with socket.socket(fileno=os.dup(int(name))) as listening:
                listening.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


def _listens(file: int) -> bool:
    """Whether a file descriptor is a TCP socket that listens."""
    with contextlib.suppress(OSError):  # it is closed by now
        if stat.S_ISSOCK(os.fstat(file).st_mode):  # else socket.socket fails and leaves the duplicate open
            with socket.socket(fileno=os.dup(file)) as candidate:
                is_tcp = candidate.family in (socket.AF_INET, socket.AF_INET6) and candidate.type == socket.SOCK_STREAM
                return is_tcp and bool(candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    return False
