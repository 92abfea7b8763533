from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungflag.service.priority import PRIORITIES, highest, of_message, of_outcome, of_request
from tests.service.rows import make_finding, make_rejection

STATED = st.sampled_from(["", *PRIORITIES])


def test_messages_and_requests_in_our_words() -> None:
    assert [of_message(code) for code in (0, 1, 2, 3, None)] == ["MEDIUM", "HIGH", "LOW", "", ""]
    words = {"STAT": "HIGH", "HIGH": "HIGH", "ROUTINE": "MEDIUM", "MEDIUM": "MEDIUM", "LOW": "LOW"}
    assert {word: of_request(f"{word.lower()} ") for word in words} == words
    assert of_request("WHENEVER") == of_request("") == ""


def test_nothing_stated_is_medium() -> None:
    assert highest() == highest("", "") == "MEDIUM"
    assert highest("", "LOW") == "LOW"


@given(message=STATED, request=STATED, flagged=st.booleans())
def test_an_outcome_never_lowers_what_came_in(message: str, request: str, flagged: bool) -> None:
    came_in = highest(message, request)
    for record in (make_finding(flagged=flagged), make_rejection()):
        after = highest(came_in, of_outcome(record))
        assert PRIORITIES.index(after) <= PRIORITIES.index(came_in)


@pytest.mark.parametrize("came_in", PRIORITIES)
def test_flagged_is_high_and_rejected_is_seen_to(came_in: str) -> None:
    assert highest(came_in, of_outcome(make_finding(flagged=True))) == "HIGH"
    assert highest(came_in, of_outcome(make_rejection())) != "LOW"
    assert highest(came_in, of_outcome(make_finding())) == came_in
