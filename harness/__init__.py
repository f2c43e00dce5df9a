"""sockspec: protocol conformance and network test harness for everything that speaks TCP or UDP through sockets."""

__version__ = "0.1.0"
