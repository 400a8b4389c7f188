#!/bin/sh
# dkim-sign, dkim-keygen, dkim-verify, spf-check, sender-check, struck at every system call that changes
# something, or reads: what they leave is whole or not there, and trouble of our own is no verdict.
FAULT_POINTS=${FAULT_POINTS:-14}
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/faults/sweep.sh"
need_faultrun
. "$TOP/tests/faults/authentic.sh"

# ended [CODE]: as a program whose disk, or pipe, fails: later, or a person must look; CODE is a verdict that is right
ended() {
	case $rc in
	0 | "${1:-0}" | 73 | 75 | 78 | 137) ;;
	*) echo "exit $rc; " ;;
	esac
	[ "$rc" -eq 0 ] || killed || [ -s "$T/said" ] || echo 'failed without a word; '
}
changing_sweeps
errors=EIO with='-m -r'
asking_sweeps
done_testing
