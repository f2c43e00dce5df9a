"""The lab: private network namespaces joined by a link, and the process that owns them.

`process` runs inside and holds everything that needs a namespace; `handle` is what a test holds. Sockets are made
inside and handed over: a socket keeps its namespace for life, so the test process itself never moves and needs no
privilege.
"""
