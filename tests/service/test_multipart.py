from __future__ import annotations

from email.parser import BytesParser
from email.policy import HTTP
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lungflag.errors import RefusedError
from lungflag.service.multipart import LONGEST_HEADERS, MultipartReader, Part, media_type

BOUNDARY = "b0undary"

boundaries = st.from_regex(
    r"[0-9A-Za-z'()+_,\-./:=? ]{0,100}[0-9A-Za-z'()+_,\-./:=?]", fullmatch=True
)
# Octets that look much like delimiters, line breaks and headers.
octets = st.lists(
    st.sampled_from(
        [b"\r", b"\n", b"\r\n", b"-", b"--", b"--b0", BOUNDARY.encode(), b": ", b"x", b" "]
    )
    | st.binary(max_size=40),
    max_size=12,
).map(b"".join)


def body(parts: list[tuple[bytes, bytes]], boundary: str = BOUNDARY) -> bytes:
    delimiter = b"--" + boundary.encode()
    lines = [delimiter + b"\r\n" + head + b"\r\n" + content + b"\r\n" for head, content in parts]
    return b"".join(lines) + delimiter + b"--\r\n"


def read(
    data: bytes, boundary: str = BOUNDARY, *, cuts: list[int] | None = None, largest: int = 10**6
) -> list[Part]:
    reader = MultipartReader(boundary, largest=largest)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts or []), len(data)]
    parts = [part for start, stop in pairwise(edges) for part in reader.feed(data[start:stop])]
    reader.close()
    return parts


@given(
    boundary=boundaries,
    contents=st.lists(octets, max_size=4),
    cuts=st.lists(st.integers(0, 2000), max_size=20),
    around=st.tuples(octets, octets),
)
def test_parts_come_back_as_they_were_sent_however_the_body_is_cut(
    boundary: str, contents: list[bytes], cuts: list[int], around: tuple[bytes, bytes]
) -> None:
    delimiter = b"--" + boundary.encode()
    assume(not any(delimiter in data for data in (*contents, *around)))
    sent = body([(b"Content-Type: application/dicom\r\n", one) for one in contents], boundary)
    before, after = around
    got = read(before + b"\r\n" + sent + after, boundary, cuts=cuts)
    assert [part.content for part in got] == contents
    assert all(part.headers == {"content-type": "application/dicom"} for part in got)


@given(data=octets.map(lambda data: data * 3), cuts=st.lists(st.integers(0, 2000), max_size=20))
def test_whatever_comes_is_split_the_same_way_whole_and_in_pieces(
    data: bytes, cuts: list[int]
) -> None:
    def outcome(cuts: list[int]) -> list[bytes] | str:
        try:
            return [part.content for part in read(data, cuts=cuts)]
        except RefusedError as error:
            return error.code

    assert outcome(cuts) == outcome([])


@given(
    contents=st.lists(
        st.from_regex(rb"[a-z-]{0,20}(\r\n[a-z-]{1,20}){0,3}", fullmatch=True),
        min_size=1,
        max_size=4,
    )
)
def test_it_agrees_with_the_standard_library_on_lines_of_text(contents: list[bytes]) -> None:
    sent = body([(b"Content-Type: application/octet-stream\r\n", one) for one in contents])
    head = f"Content-Type: multipart/related; boundary={BOUNDARY}\r\n\r\n".encode()
    reference = BytesParser(policy=HTTP).parsebytes(head + sent)
    expected = [part.get_payload(decode=True) for part in reference.iter_parts()]
    assert [part.content for part in read(sent)] == expected


def test_a_part_may_have_no_headers_or_no_content_at_all() -> None:
    sent = b"--b\r\n\r\ncontent\r\n--b\r\nA: 1\r\n\r\n--b\r\nA: 2\r\n\r\n\r\n--b--"
    got = read(sent, "b")
    assert [(dict(part.headers), part.content) for part in got] == [
        ({}, b"content"),
        ({"a": "1"}, b""),
        ({"a": "2"}, b""),
    ]


def test_white_space_after_a_boundary_is_passed_over() -> None:
    assert [part.content for part in read(b"--b \t\r\nA: 1\r\n\r\nx\r\n--b-- ", "b")] == [b"x"]


def test_a_line_that_only_begins_like_the_delimiter_is_content() -> None:
    content = b"1\r\n--bc\r\n2\r\n--b-\r\n3\n--b\r\n4"
    assert [part.content for part in read(body([(b"", content)], "b"), "b")] == [content]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", "before its last delimiter"),
        (b"--b\r\nA: 1\r\n\r\nx\r\n--b", "before its last delimiter"),
        (b"--b\r\nA: 1\r\n\r\nx", "before its last delimiter"),
        (b"--b\r\nno header\r\n\r\nx\r\n--b--", "cannot be read"),
        (b"--b\r\nA : 1\r\n\r\nx\r\n--b--", "cannot be read"),
        (b"--b\r\nA: 1\r\n folded\r\n\r\nx\r\n--b--", "cannot be read"),
        (b"--b\r\nA: " + b"1" * LONGEST_HEADERS, "too long"),
    ],
)
def test_a_malformed_body_is_refused(sent: bytes, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason) as caught:
        read(sent, "b")
    assert caught.value.code == "malformed"


@pytest.mark.parametrize("boundary", ["", "a" * 201, "ends in space ", "ä", "a\r\nb", '"'])
def test_a_boundary_that_cannot_be_is_refused(boundary: str) -> None:
    with pytest.raises(RefusedError, match="boundary"):
        MultipartReader(boundary, largest=1)


@given(piece=st.integers(1, 500))
def test_a_part_that_is_too_large_is_refused_before_it_is_complete(piece: int) -> None:
    reader = MultipartReader("b", largest=1000)
    list(reader.feed(b"--b\r\n\r\n"))
    fed = 0

    def stream() -> None:
        nonlocal fed
        while fed < 3000:
            list(reader.feed(b"x" * piece))
            fed += piece

    with pytest.raises(RefusedError, match="larger") as caught:
        stream()
    assert caught.value.code == "too-large"
    assert fed < 1000 + 2 * piece + 100  # what may still be a delimiter's beginning waits


def test_parts_of_the_largest_size_pass() -> None:
    assert len(read(body([(b"", b"x" * 1000)]), largest=1000)[0].content) == 1000
    with pytest.raises(RefusedError):
        read(body([(b"", b"x" * 1001)]), largest=1000)


@pytest.mark.parametrize(
    ("value", "kind", "parameters"),
    [
        (
            'multipart/related; type="application/dicom"; boundary="a b"',
            "multipart/related",
            {"type": "application/dicom", "boundary": "a b"},
        ),
        ("Application/DICOM; Transfer-Syntax=1.2", "application/dicom", {"transfer-syntax": "1.2"}),
        ("multipart/related; boundary*=utf-8''%61bc", "multipart/related", {"boundary": "abc"}),
        ("", "text/plain", {}),
        ("nonsense", "text/plain", {}),
    ],
)
def test_media_types(value: str, kind: str, parameters: dict[str, str]) -> None:
    assert media_type(value) == (kind, parameters)


@given(value=st.text(st.characters(codec="latin-1"), max_size=60))
def test_no_content_type_makes_it_fail(value: str) -> None:
    kind, parameters = media_type(value)
    assert kind.count("/") == 1
    assert all(isinstance(text, str) for text in parameters.values())
