"""The pytest plugin: the only part of the harness, with its tests, that imports pytest.

`options` what a run is told · `collecting` what collecting the tests leaves · `selection` which tests judge whom ·
`asking` who is put to a test in a run of our own · `fixtures` what a test gets · `verdicts` what it answers, in the
worker · `deviations` what the kernel is known to miss · `ledger` the record of the run, in the controller · `preflight`
the subject's first start · `basic` what a subject is not asked that fails its basic exchange · `sparing` what a mutant
need not be asked again · `sharding` the part of the tests that this machine judges · `repeating` every test several
times · `soaking` a test that goes on for as long as one wants · `ordering` what begins first · `exploring` tests that
look for sequences that break the subject · `interruption` what ends a run early.
"""

pytest_plugins = [
    "harness.plugin.options",
    "harness.plugin.preflight",
    "harness.plugin.collecting",
    "harness.plugin.selection",
    "harness.plugin.fixtures",
    "harness.plugin.verdicts",
    "harness.plugin.basic",
    "harness.plugin.sparing",
    "harness.plugin.sharding",
    "harness.plugin.repeating",
    "harness.plugin.soaking",
    "harness.plugin.ordering",
    "harness.plugin.exploring",
    "harness.plugin.weather",
    "harness.plugin.ledger",
    "harness.plugin.interruption",
]
