"""Meaning: what the steps of a flow say together. Pure."""
