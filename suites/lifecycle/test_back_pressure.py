"""A client that sends and does not read: its server stops reading from it, or ends it, but does not store it all.

What send() does not take the server has to keep. One that reads on meanwhile, because its library takes every write()
(Node.js without a look at what write() returns, asyncio without drain()), keeps as much as the client likes to send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.suite import MiB, Mismatch, control, covers, exact, families, octets

if TYPE_CHECKING:
    from harness.suite import Probe, Session, Subject

PROFILES = ("echo",)

MUCH = 256 * MiB  # octets: a server that writes them to a file has taken them as well, and its memory stays as it was
PIECE = 4 * MiB  # octets that are sent between two looks at its memory
BUSY = 0.02  # seconds of its processor time, after which there is room again if there ever will be
SURE = 3  # times that nothing was taken, and the server was at rest
HOARD = 64 * MiB  # octets of memory: what no runtime takes for one client that does not read


@exact
@families("v4")  # who reads on does so on either family
@covers("house:any/back-pressure")
def check_stores_no_flood_that_its_client_does_not_read(subject: Subject, probe: Probe, session: Session) -> None:
    """A client sends up to 256 MiB and reads nothing: the server takes no more of it than it has room for."""
    with control():
        session.serve()
    client, piece = probe.connect(subject), octets(PIECE)
    before = subject.footprint()["memory"]
    sent = grown = refused = 0

    while sent < MUCH and grown <= HOARD and refused < SURE:
        try:
            taken = client.fill(piece)
        except Mismatch:
            return  # it has ended a client that reads nothing
        sent += taken
        grown = subject.footprint()["memory"] - before if taken else grown
        refused = 0 if taken else refused + 1
        probe.at_rest(subject, seconds=2.0, work=BUSY)  # until it has taken what is on its way, or takes no more

    if grown > HOARD:
        raise Mismatch(
            f"a client that reads nothing costs the server no more than {HOARD // MiB} MiB of memory",
            f"its memory grew by {grown // MiB} MiB while it took {sent // MiB} MiB",
        )
