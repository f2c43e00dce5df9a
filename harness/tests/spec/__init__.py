"""Tests of the catalogue, its checks and its matrix."""
