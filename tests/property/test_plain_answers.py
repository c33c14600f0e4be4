"""The reader of plain answers: whatever comes in, it is what aiohttp alone would have read."""

import asyncio

import pytest
from aiohttp.client_proto import ResponseHandler
from hypothesis import example, given, settings
from hypothesis import strategies as st
from yarl import URL

from provisioner.gateway.plain import PlainReader

URL_ASKED = URL("http://[::1]:8080/")
STATUS = st.just(b"HTTP/1.1 201 Created") | st.sampled_from(
    [
        *(b"HTTP/1.1 201 ", b"HTTP/1.1 201", b"HTTP/1.0 201 Created", b"HTTP/1.1 200 OK"),
        *(b"HTTP/1.1 204 None", b"HTTP/1.1 100 Continue", b"HTTP/1.1 201  \xe9"),
        b"HTTP/1.1  201 a",
    ]
)
NAME = st.sampled_from([b"content-length", b"Content-Length", b"connection", b"Connection"]) | (
    st.sampled_from([b"x-amzn-RequestId", b"x-amz-request-id", b"X-AMZN-REQUESTID", b"Date"])
    | st.sampled_from([b"Transfer-Encoding", b"Upgrade", b"Proxy-Connection", b"Keep-Alive"])
    | st.sampled_from([b"Content-Encoding", b"Trailer", b"x y", b"x:", b"", b" x", b"x_y", b"\xe9"])
)
VALUE = st.sampled_from(
    [
        *(b"keep-alive", b"close", b"Keep-Alive", b"upgrade", b"chunked", b"gzip", b"identity"),
        *(b"0", b"3", b"03", b"+3", b"3,3", b"3 3", b"-1", b"abc", b" padded ", b"", b"a\tb"),
        *(b"\xc3\xa9", b"a\x00b", b"a\rb", b"a\nb: c", b"a\r\n b", b"x" * 8_300, b"timeout=5"),
    ]
)
LINE = st.builds(lambda *parts: b"".join(parts), NAME, st.sampled_from([b": ", b":"]), VALUE)
FINE = st.sampled_from(
    [b"Date: now", b"x-amzn-RequestId: r-1", b"Connection: keep-alive", b"Content-Type: text/html"]
)
BODY = st.sampled_from([b"", b"{}", b"abc", b"3\r\nabc\r\n0\r\n\r\n", b"\r\n\r\n", b"a" * 9_000])


@st.composite
def answers(draw):
    """Bytes of an answer, mostly one with a true length, in up to four pieces."""
    body = draw(BODY)
    kinds = draw(st.sampled_from([FINE, FINE, FINE | LINE, LINE]))
    lines = [draw(STATUS), *draw(st.lists(kinds, max_size=5))]
    if draw(st.integers(0, 5)):
        lines.insert(draw(st.integers(1, len(lines))), b"Content-Length: %d" % len(body))
    data = b"\r\n".join([*lines, b"", body + draw(st.sampled_from([b""] * 4 + [b"more"]))])
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=3)))
    pieces = [data[begin:end] for begin, end in zip([0, *cuts], [*cuts, None], strict=True)]
    return [piece for piece in pieces if piece]


async def read(handler):
    """An answer as `PooledPost` reads it from aiohttp, or the kind of its error."""
    try:
        head, payload = await handler.read()
        content = await payload.read()
    except Exception as error:  # noqa: BLE001  # whatever it is, both have it
        return type(error)
    return head.code, head.raw_headers, as_text(head.headers), content, handler.should_close


def as_text(headers):
    """In any case: aiohttp has its own spelling of the names it knows."""
    return [(name.lower(), value) for name, value in headers.items()]


async def both(pieces):
    """What aiohttp alone reads of pieces, and what is read here."""
    loop = asyncio.get_running_loop()
    handler, theirs = ResponseHandler(loop), ResponseHandler(loop)
    theirs.set_response_params(read_until_eof=True, auto_decompress=False)
    reader = PlainReader(handler)
    answer = reader.answer(URL_ASKED)
    for piece in pieces:
        reader.data_received(piece)
        theirs.data_received(piece)
    if not answer.done() or (answer.result() is None and not handler.should_close):
        reader.connection_lost(None)
        theirs.connection_lost(None)
    plain = await answer
    if plain is None:
        return await read(theirs), await read(handler)
    assert plain.url == URL_ASKED
    content = await plain.read()
    ours = plain.status, plain.raw_headers, as_text(plain.headers), content, handler.should_close
    return await read(theirs), ours


@settings(max_examples=2_000)
@given(answers())
@example([b"HTTP/1.1 201 Created\r\nA: b\r\nContent-Length: 2\r\n\r\n{}"])
@example([b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n"])
@example([b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}"])
@example([b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} "])
@example([b"HTTP/1.1 201 Created\r\n" + b"a: b\r\n" * 200 + b"Content-Length: 2\r\n\r\n{}"])
def test_an_answer_is_what_aiohttp_alone_would_have_read(pieces):
    theirs, ours = asyncio.run(both(pieces))
    assert ours == theirs


@pytest.mark.parametrize("name", ["x-amzn-RequestId", "x-amzn-requestid"])
def test_a_plain_answer_needs_nothing_of_aiohttp(name):
    async def program():
        reader = PlainReader(None)
        answer = reader.answer(URL_ASKED)
        head = f"HTTP/1.1 201 Created\r\nDate: today\r\n{name}: r-1\r\nContent-Length: 4\r\n\r\n"
        for piece in (head.encode() + b"ab", b"cd"):
            reader.data_received(piece)
        return await answer

    plain = asyncio.run(program())
    assert (plain.request_id, plain.content) == ("r-1", b"abcd")


def test_what_nobody_awaits_is_aiohttps():
    async def program():
        handler = ResponseHandler(asyncio.get_running_loop())
        PlainReader(handler).data_received(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        return handler.should_close

    assert asyncio.run(program())
