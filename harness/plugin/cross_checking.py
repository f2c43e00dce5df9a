"""Whether a verdict rests on our decoder alone: scapy reads the frames that a finding cites, and all on request.

Where the two do not agree, it is we who are at fault, so the verdict is *error*, and what the test concluded from such
frames is shown beside both readings and reported of no requirement.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from harness.verdict import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.capture.recording import Capture
    from harness.capture.second_opinion import Difference
    from harness.plugin.options import Settings

CITED_MOST: Final = 12  # frames of one test whose findings cite more: the first ones, and those with a comment before
SHOWN_MOST: Final = 8  # packets of one test whose two readings are written down
EXPECTED: Final = "our decoder and scapy read each frame alike"

_NUMBER: Final = re.compile(r"#(\d{1,9})\b")


def cited(findings: Iterable[Finding], comments: Mapping[int, str] | None) -> list[int]:
    """The numbers of the frames that findings cite: those with a comment, then those that their text shows as #9."""
    shown = (int(number) for finding in findings for number in _NUMBER.findall(finding.text))
    return list(dict.fromkeys([*(comments or {}), *shown]))[:CITED_MOST]


def differences(
    capture: Capture, findings: Sequence[Finding], comments: Mapping[int, str] | None, settings: Settings
) -> tuple[Difference, ...]:
    """What scapy reads otherwise, among the frames that this run is to have read twice."""
    numbers = cited(findings, comments)
    every = settings.cross_check or settings.cross_check_sample
    if not numbers and not every:
        return ()
    from harness.capture import second_opinion

    if not every:
        packets = second_opinion.those_of(numbers, capture.packets, capture.frames)
    else:
        packets = second_opinion.everything(capture.packets, capture.frames)
        if settings.cross_check_sample:
            chosen = second_opinion.sample(packets, settings.cross_check_sample)
            own = second_opinion.those_of(numbers, capture.packets, capture.frames)
            packets = [*{packet.frames: packet for packet in (*own, *chosen)}.values()]
    return second_opinion.differences(packets, capture.frames)


def error(found: Sequence[Difference], instead_of: Sequence[Finding]) -> Finding:
    """The finding that takes the place of those that rest on the capture."""
    parts = [f"{EXPECTED}\n{found[0].summary}", *map(str, found[:SHOWN_MOST])]
    if len(found) > SHOWN_MOST:
        parts.append(f"… and {len(found) - SHOWN_MOST} more packets")
    parts += [f"what the test concluded, which counts for nothing:\n{one.text or one}" for one in instead_of]
    return Finding(Verdict.ERROR, "", EXPECTED, found[0].summary, "\n\n".join(parts))


def comments(found: Sequence[Difference]) -> dict[int, str]:
    """What to write beside the frames in the capture."""
    return {
        number: f"our decoder and scapy differ in {', '.join(difference.fields)}"
        for difference in found
        for number in difference.frames
    }
