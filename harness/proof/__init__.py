"""The proof that the suites can fail: what the mutants show of the tests. Values in, values and text out."""
