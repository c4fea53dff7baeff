#!/usr/bin/env python3
"""Writes the seed corpus of fuzz_wire: one file per shape of request worth starting from."""
import struct
import sys
import pathlib


def rec(kind, content=b"", rid=1, pad=0):
    return struct.pack(">BBHHBx", 1, kind, rid, len(content), pad) + content + bytes(pad)


def length(n):
    return bytes([n]) if n < 128 else struct.pack(">I", n | 1 << 31)


def pair(name, value):
    return length(len(name)) + length(len(value)) + name + value


def begin(rid=1, role=1):
    return rec(1, struct.pack(">HB5x", role, 1), rid)


ENV = b"".join([
    pair(b"REQUEST_METHOD", b"POST"), pair(b"SCRIPT_FILENAME", b"/srv/index.php"),
    pair(b"QUERY_STRING", b"a=1&b[]=2"), pair(b"CONTENT_LENGTH", b"5"), pair(b"HTTP_COOKIE", b"x" * 200),
])


def request(rid=1, body=b"hello"):
    return begin(rid) + rec(4, ENV, rid) + rec(4, b"", rid) + (rec(5, body, rid) if body else b"") + rec(5, b"", rid)


# What the worker does, see serve(): low three bits the action, the others a length.
READ, OUT, ERR, FLUSH, SET, END, DRAIN = 1, 2, 3, 4, 5, 6, 7
PLAIN = bytes([READ | 1 << 3, OUT | 2 << 3, 0, 0, 0, 0, 0, 0])
BUSY = bytes([READ | 1 << 3, OUT | 30 << 3, ERR | 1 << 3, FLUSH, SET | 2 << 3, END, OUT | 1 << 3, DRAIN])
LOOKS = bytes([FLUSH, READ | 1 << 3, FLUSH, OUT | 31 << 3, FLUSH, READ | 31 << 3, FLUSH, 0])

SEEDS = {
    "get": PLAIN + request(body=b""),
    "post": PLAIN + request(),
    "keep-alive": BUSY + request() + request(2) + request(),
    "padded": PLAIN + begin() + rec(4, ENV, pad=7) + rec(4, pad=255) + rec(5, b"abc", pad=5) + rec(5, pad=8),
    "params-split": PLAIN + begin() + rec(4, ENV[:3]) + rec(4, ENV[3:100]) + rec(4, ENV[100:]) + rec(4) + rec(5),
    "no-params": PLAIN + begin() + rec(4) + rec(5),
    "abort-params": BUSY + begin() + rec(2) + request(2),
    "abort-body": LOOKS + begin() + rec(4, ENV) + rec(4) + rec(5, b"half") + rec(2) + rec(5, b"late") + request(),
    "abort-behind-body": LOOKS + begin() + rec(4) + rec(5, b"z" * 3000) + rec(2),
    "abort-late": PLAIN + request() + rec(2) + request(3),
    "interleaved": PLAIN + begin() + rec(4, ENV) + begin(2),
    "large-body": LOOKS + request(body=b"b" * 9000),
    "cut": PLAIN + request()[:-12],
    "cut-params": PLAIN + begin() + rec(4, ENV)[:50],
    "overrun": PLAIN + begin() + rec(4, b"\x04\x7fNAME") + rec(4),
    "wide-lengths": PLAIN + begin() + rec(4, b"\x80\0\0\1\x80\0\0\1Ab") + rec(4) + rec(5),
    "filter-role": PLAIN + begin(role=3) + rec(4) + rec(8, b"data"),
    "twice": BUSY + begin() + rec(4, pair(b"FUZZ", b"1") + pair(b"FUZZ", b"2")) + rec(4) + rec(5),
    "garbage": PLAIN + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "empty": PLAIN,
}

if __name__ == "__main__":
    where = pathlib.Path(sys.argv[1])
    where.mkdir(parents=True, exist_ok=True)
    for name, data in SEEDS.items():
        (where / name).write_bytes(data)
