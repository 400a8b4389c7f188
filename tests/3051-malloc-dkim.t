#!/bin/sh
# Memory runs out, at every allocation of dkim-sign, dkim-keygen, dkim-verify, spf-check and sender-check:
# what they leave is whole or not there, and want of memory is no verdict.
FAULT_POINTS=${FAULT_POINTS:-25}
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/faults/sweep.sh"
. "$TOP/tests/faults/malloc.sh"
. "$TOP/tests/faults/authentic.sh"
changing_sweeps
asking_sweeps
done_testing
