"""Written requests: what the kernel refuses is told, and what it answers is given."""

from __future__ import annotations

import errno
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, TypeAlias

import pytest

from harness.lab import kernel, rtnetlink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyroute2 import IPBatch

    CarryOut: TypeAlias = Callable[[bytes], list[bytes]]

LOOPBACK = 1  # the index of every namespace's loopback interface


@pytest.fixture
def carry_out() -> Iterator[CarryOut]:
    """Carries requests out in an empty network namespace, where a process stands that nobody else needs."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, fresh, initializer=move_away) as there:
        yield lambda requests: there.submit(rtnetlink.carry_out, requests).result()


def move_away() -> None:
    kernel.own_user_namespace()  # so that anybody may
    kernel.new_network()


def test_all_is_carried_out_in_order(carry_out: CarryOut) -> None:
    """An address can be given to a link that the request before it has made, and a question sees both."""

    def write(ip: IPBatch) -> None:
        ip.link("set", index=LOOPBACK, state="up")
        ip.addr("add", index=LOOPBACK, address="10.9.9.9", prefixlen=24)
        ip.link("get", index=LOOPBACK)

    (link,) = carry_out(rtnetlink.written(write))

    assert rtnetlink.runs(link)


def test_a_link_that_is_down_does_not_run(carry_out: CarryOut) -> None:
    """So a lab whose link has no carrier is not taken for a silent one."""
    question = rtnetlink.written(lambda ip: ip.link("get", index=LOOPBACK))

    (link,) = carry_out(question)

    assert not rtnetlink.runs(link)


def test_what_the_kernel_refuses_is_told_by_its_number(carry_out: CarryOut) -> None:
    """The requests around it do not hide it."""

    def write(ip: IPBatch) -> None:
        ip.link("set", index=LOOPBACK, state="up")
        ip.addr("add", index=77, address="10.9.9.9", prefixlen=24)
        ip.link("set", index=LOOPBACK, state="up")

    requests = rtnetlink.written(write)
    with pytest.raises(OSError, match="rtnetlink") as refused:
        carry_out(requests)

    assert refused.value.errno == errno.ENODEV
