"""Names and addresses: getaddrinfo() and its kin, and the forms of addresses (Python's socket module, inet(3))."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from harness.suite import covers, families, raises, requires

if TYPE_CHECKING:
    from harness.suite import Runtime


@covers(
    "python:gai/getaddrinfo-five-tuples", "python:gai/none-host-and-ai-passive", "python:gai/canonname-only-with-flag"
)
def test_getaddrinfo_says_where_to_connect_or_bind(runtime: Runtime) -> None:
    """Each answer is family, type, protocol, name and address; no host is this one, or every address to bind."""
    address = (runtime.host, 7) if runtime.family == "v4" else (runtime.host, 7, 0, 0)
    (found,) = runtime.getaddrinfo(runtime.host, 7, proto=socket.IPPROTO_TCP)
    assert found == (runtime.af, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)

    with requires("python:gai/none-host-and-ai-passive"):
        for flags, host in ((0, runtime.loopback), (socket.AI_PASSIVE, runtime.everywhere)):
            places = runtime.getaddrinfo(None, 7, runtime.af, socket.SOCK_STREAM, 0, flags)
            assert [place[4][:2] for place in places] == [(host, 7)]
    with requires("python:gai/canonname-only-with-flag"):
        (named,) = runtime.getaddrinfo("subject", 7, runtime.af, socket.SOCK_STREAM, 0, socket.AI_CANONNAME)
        assert (named[3], named[4][0]) == ("subject", runtime.host)


@families("v4")
@covers("python:exc/gaierror-codes-eai", "python:gai/ai-numerichost-forbids-dns", "python:exc/herror-from-host-lookups")
def test_lookups_that_fail(runtime: Runtime) -> None:
    """Gaierror carries an EAI code; with AI_NUMERICHOST a name is not looked up at all; hosts have herror."""
    with raises(socket.gaierror) as caught:
        runtime.getaddrinfo("127.0.0.1", "no-such-service", type=socket.SOCK_STREAM)
    assert caught[0].args[0] == socket.EAI_SERVICE
    with requires("python:gai/ai-numerichost-forbids-dns"):
        with raises(socket.gaierror) as caught:
            runtime.getaddrinfo("subject", 7, flags=socket.AI_NUMERICHOST)
        assert caught[0].args[0] == socket.EAI_NONAME
    with requires("python:exc/herror-from-host-lookups"):
        with raises(socket.herror, socket.gaierror):
            runtime.gethostbyaddr("10.9.0.77")


@families("v4")
@covers("python:name/getnameinfo-numeric-flags", "python:name/service-lookups", "python:name/ipv4-literal-unchanged")
def test_names_of_numbers_and_numbers_of_names(runtime: Runtime) -> None:
    """Numeric answers need no database; a service has its number and back; a dotted address stays as it is."""
    numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    assert runtime.getnameinfo(("127.0.0.1", 80), numeric) == ("127.0.0.1", "80")
    with requires("python:name/ipv4-literal-unchanged"):
        assert runtime.gethostbyname("1.2.3.4") == "1.2.3.4"
    with requires("python:name/service-lookups"):
        if runtime.os.access("/etc/services", os.R_OK):
            assert (runtime.getservbyname("echo", "tcp"), runtime.getservbyport(80, "tcp")) == (7, "http")
        with raises(OSError):
            runtime.getservbyname("no-such-service")


@families("v4")
@covers("python:name/gethostname-string", "python:name/getfqdn-fallback")
def test_the_name_of_this_host(runtime: Runtime) -> None:
    """gethostname() is what uname says and resolves here; getfqdn() gives back a name that it cannot complete."""
    name = runtime.gethostname()
    assert name == runtime.os.uname().nodename == "subject"
    assert runtime.gethostbyname(name) == runtime.host
    with requires("python:name/getfqdn-fallback"):
        assert runtime.getfqdn("no.such.name.invalid") == "no.such.name.invalid"


@families("v4")
@covers("python:if/interface-functions")
def test_interfaces_have_names_and_numbers(runtime: Runtime) -> None:
    """if_nameindex() lists them; the two lookups agree with it, and refuse what is not there."""
    listed = runtime.if_nameindex()
    assert (1, "lo") in listed
    for index, name in listed:
        assert (runtime.if_nametoindex(name), runtime.if_indextoname(index)) == (index, name)
    with raises(OSError):
        runtime.if_nametoindex("bogus0")
    with raises(OSError):
        runtime.if_indextoname(9999)


@families("v4")
@covers(
    "python:inet/inet-aton-accepts-short-forms",
    "python:inet/inet-pton-strict-per-family",
    "python:inet/packed-length-checked",
    "python:inet/16-bit-overflow",
    "python:fds/ancillary-size-helpers",
)
def test_the_forms_of_addresses_and_numbers(runtime: Runtime) -> None:
    """inet_aton() takes short forms, inet_pton() none; packed addresses have their length, numbers their range."""
    assert runtime.inet_aton("127.1") == bytes([127, 0, 0, 1])
    with raises(OSError):
        runtime.inet_aton("256.1.1.1")
    with requires("python:inet/inet-pton-strict-per-family"):
        assert runtime.inet_pton(socket.AF_INET6, "::1") == bytes(15) + b"\1"
        for family, text in ((socket.AF_INET, "127.1"), (socket.AF_INET, "::1"), (socket.AF_INET6, "1.2.3.4")):
            with raises(OSError):
                runtime.inet_pton(family, text)
    with requires("python:inet/packed-length-checked"):
        with raises(ValueError):
            runtime.inet_ntop(socket.AF_INET, b"123")
        with raises(OSError):
            runtime.inet_ntoa(b"123")
    with requires("python:inet/16-bit-overflow"):
        assert (runtime.htons(0x1234), runtime.ntohl(0x12345678)) in {(0x3412, 0x78563412), (0x1234, 0x12345678)}
        for call, number in ((runtime.htons, 70000), (runtime.htons, -1), (runtime.htonl, 1 << 32)):
            with raises(OverflowError):
                call(number)
    with requires("python:fds/ancillary-size-helpers"):
        assert runtime.CMSG_SPACE(4) >= runtime.CMSG_LEN(4) > runtime.CMSG_LEN(0)
        with raises(OverflowError):
            runtime.CMSG_LEN(-1)
