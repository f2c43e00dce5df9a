#!/bin/sh
# Judge a server in two shards, join them, and let the gate decide: for any CI that can run a shell.
#
#   SERVE='./myserver {host} {port}' PROFILE=echo sh docs/ci/plain.sh
#
# RUNS is where the folders go, BASELINE the file with the known deviations. Exit code: that of the gate.
set -u

SERVE=${SERVE:?"say how your server is started: SERVE='./myserver {host} {port}'"}
PROFILE=${PROFILE:?"say what it speaks: PROFILE=echo"}
RUNS=${RUNS:-runs}
BASELINE=${BASELINE:-known.toml}

mkdir -p "$RUNS"
for shard in 1 2; do
    # Its exit code is not asked for: what is wrong is in the record, and the gate judges it.
    sockspec check --serve "$SERVE" --profile "$PROFILE" --shard "$shard/2" --report "$RUNS/shard-$shard"
done

sockspec merge "$RUNS/shard-1" "$RUNS/shard-2" --report "$RUNS/whole" \
    --junit "$RUNS/junit.xml" --tap "$RUNS/run.tap" --markdown "$RUNS/summary.md"

[ -e "$BASELINE" ] || : >"$BASELINE" # nothing is known yet
sockspec gate "$RUNS/whole" --baseline "$BASELINE"
