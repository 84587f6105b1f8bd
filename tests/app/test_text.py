"""Tables of text, judged while they arrive."""

from __future__ import annotations

import gzip
import pickle
import zlib
from collections import deque

import pytest

from hpvade.app._request_error import RequestError
from hpvade.app._text import Gunzip, Table

TEXT = b"gene\ts1\ts2\n" + b"".join(b"GENE%d\t%d\t%d\n" % (i, i * 7919 % 1009, i % 13) for i in range(20_000))


def feed(content, *, size=1000, most_bytes=10**9):
    """Feed a table in pieces of some size."""
    table = Table("a.tsv", most_bytes=most_bytes)
    for i in range(0, len(content), size):
        table.feed(content[i : i + size])
    table.finish()


@pytest.mark.parametrize("size", [1, 1000, 10**6])
@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        gzip.compress(TEXT),
        gzip.compress(TEXT[:5000]) + gzip.compress(TEXT[5000:]) + b"\0" * 100,
        b"\xef\xbb\xbf" + TEXT,
        b"# a note\n#1.2\n" + TEXT,
        "gene,é\nx,1\n".encode("latin-1"),
        b'"s1" "s2"\n"a" 1 2\n',
    ],
    ids=["plain", "gzip", "two members", "byte-order mark", "notes", "latin-1", "as R writes"],
)
def test_tables(content, size):
    feed(content[:3000] if size == 1 and not content.startswith(b"\x1f") else content, size=size)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles(protocol):
    content = pickle.dumps({"a": print}, protocol)
    for packed in (content, gzip.compress(content)):
        with pytest.raises(
            RequestError, match="pickle, which can hide a program" if protocol > 1 else "is not a table"
        ):
            feed(packed)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("gene\ts1\n".encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04" + b"\0" * 100, "zip file or a workbook"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 100, "HDF5"),
        (TEXT + b"a\0b", "something else"),
        (TEXT + b"\x1b[2J", "something else"),
        (b"", "one column"),
        (b"hello\nworld\n", "one column"),
        (gzip.compress(TEXT)[:-20], "cut off"),
        (gzip.compress(TEXT)[:50] + b"x" * 50, "cannot be unpacked"),
        (gzip.compress(gzip.compress(TEXT)), "something else"),
    ],
)
def test_what_is_no_table(content, found):
    with pytest.raises(RequestError, match=found) as refused:
        feed(content)
    assert refused.value.status == 415
    assert "'a.tsv'" in str(refused.value)


def bomb(n_bytes):
    packer = zlib.compressobj(wbits=31)
    pieces = [packer.compress(b"1\t" * 500_000) for _ in range(n_bytes // 1_000_000)]
    return b"".join(pieces) + packer.flush()


class Watch:
    """What unpacked bytes go to."""

    total = largest = 0

    def feed(self, data):
        self.total += len(data)
        self.largest = max(self.largest, len(data))

    def finish(self):
        pass


@pytest.mark.parametrize("size", [1000, 10**7])
def test_a_bomb_is_never_unpacked_as_a_whole(size):
    content, watch = bomb(300_000_000), Watch()
    assert len(content) < 500_000
    gunzip = Gunzip("a.tsv.gz", watch, most_bytes=10**9)
    pieces = [content[i : i + size] for i in range(0, len(content), size)]
    with pytest.raises(RequestError, match=r"would unpack to 6\d MB or more") as refused:
        deque(map(gunzip.feed, pieces), maxlen=0)
    assert refused.value.status == 413
    assert watch.total < 70_000_000
    assert watch.largest <= 2**20


def test_more_than_may_be_at_all():
    with pytest.raises(RequestError, match="would unpack to"):
        feed(gzip.compress(TEXT), most_bytes=100_000)


def test_what_a_real_table_may_shrink_by():
    sparse = b"\t".join([b"gene"] + [b"sample_%d" % i for i in range(2000)]) + b"\n"
    row = b"".join(b"\t%d" % (3 if i % 20 == 0 else 0) for i in range(2000))
    content = sparse + b"".join(b"GENE%d" % i + row + b"\n" for i in range(20_000))
    packed = gzip.compress(content, 1)
    assert len(content) > 70_000_000
    assert len(content) / len(packed) > 50
    feed(packed, size=65_536)
