"""Packets as values: octets and times in, values out; no socket, no clock, nothing outside the standard library.

Read in this order, which is also that of the imports: seqnum, frame, segment, network, reassembly, fragments, icmp,
decode, checksum; then step, pattern, match, listing, explain, expect, connections, flow.
"""
