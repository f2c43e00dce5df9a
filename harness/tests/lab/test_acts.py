"""The log of the relay: each act in words, and written down so that it can be read again."""

from __future__ import annotations

import json

import pytest

from harness.lab import fates
from harness.lab.acts import Act, Log
from harness.lab.fates import Corrupt, Delay, Drop, Duplicate, Fate, Hold, Narrow, Reorder
from harness.lab.faults import Fault, Met
from harness.tests.wire.craft import FAR, NEAR, Talk, in_frame, ip
from harness.wire.pattern import got

PING = in_frame(ip(NEAR.host, FAR.host, 1, bytes([8, 0, 0xF7, 0xFF, 0, 0, 0, 0])))


def finished() -> Met:
    """The FIN of the subject behind a handshake."""
    talk = Talk().handshake().got("FIN ACK", seq=1, ack=1)
    return Met(False, 2, talk.frames[-1].octets, talk.flow().steps[-1])


def test_an_act_reads_as_a_line() -> None:
    log = Log()

    log.opened(finished(), Fault(got.FIN, Drop(), times=1))
    log.opened(Met(True, 3, PING), Fault(None, Delay(0.05)))

    assert [str(act) for act in log.acts()] == [
        "dropped: got FIN ACK  1:1(0)  ack 1  win 65536, by 'got FIN is dropped, 1 time at most'",
        "delayed by 0.05 s: sent ICMP type 8, by 'anything is delayed by 0.05 s'",
    ]


def test_an_act_tells_what_passed_up_to_now() -> None:
    log, met = Log(), finished()
    deed = log.opened(met, Fault(got.FIN, Hold()))

    before = log.acts()
    deed.passes(met.octets, sent=False)
    (after,) = log.acts()

    assert before[0].passed == ()
    assert [(passage.sent, passage.octets) for passage in after.passed] == [(False, met.octets)]
    assert after.passed[0].time_ns >= after.time_ns


def test_a_log_keeps_the_first_acts_and_counts_the_rest() -> None:
    log, met, fault = Log(longest=2), finished(), Fault(got, Drop())

    for _ in range(5):
        log.opened(met, fault)

    assert [act.number for act in log.acts()] == [1, 2]
    assert log.left_out == 3


def test_an_act_is_written_down_and_read_again() -> None:
    log, met = Log(), finished()
    log.opened(met, Fault(got.FIN, Corrupt(bit=3, mended=True))).passes(met.octets, sent=False)
    (act,) = log.acts()

    assert Act.from_record(json.loads(json.dumps(act.as_record()))) == act


@pytest.mark.parametrize(
    "fate", [Drop(), Duplicate(), Hold(), Delay(0.1), Reorder(), Corrupt(), Narrow(576, silent=True)], ids=str
)
def test_a_fate_is_written_down_and_read_again(fate: Fate) -> None:
    assert fates.from_record(json.loads(json.dumps(fates.as_record(fate)))) == fate
