"""What the documents demand: the catalogue, its checks, and how it meets the tests."""
