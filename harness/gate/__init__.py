"""What runs say beside each other: a gate with known deviations, differences, shards, implementations compared.

All of it is a function of loaded records; the commands in `harness/cli/` read and write the files.
"""
