"""Before anything else: one ordinary client is served as the profile, or the file of the protocol, says.

A server that does not do that gets this one finding. What rests on it is not applicable then (docs/verdicts.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.suite import SERVICES, UDP_SERVICES, covers

if TYPE_CHECKING:
    from harness.suite import FirstExchange

PROFILES = (*SERVICES, "one-shot", *UDP_SERVICES)


@covers("house:any/basic-exchange")
def check_basic_exchange(first_exchange: FirstExchange) -> None:
    """The first client, which does nothing unusual, gets what the profile promises it."""
    first_exchange.expect_success()
