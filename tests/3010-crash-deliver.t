#!/bin/sh
# smtp-deliver, struck at every system call that changes something while it delivers, defers and gives
# up: nobody loses a message, nobody gets it twice but where the process died between the
# peer's last word and the next system call, and the next run ends the job.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/faults/sweep.sh"
. "$TOP/tests/faults/delivery.sh"

prepare
$run
is "$? $(received)" "0 $want" 'without a strike: what can be delivered is'
is "$(how='' rc=0 verify_delivery 0)" '' 'and the rest deferred or failed'

# Where the journal cannot be written any more after the peer has taken a message for some of its
# recipients, nobody can know of it later. (A full disk is no such case: there is room set aside.)
verify() {
	case $rc:$(cat "$T/said") in
	137:* | *"-E at call "*": pwrite64"*) verify_delivery 1 ;;
	*) verify_delivery 0 ;;
	esac
}
victim=$run
sweep 'deliver'

# The network: what we do not know, we send again.
verify() { verify_delivery 1; }
errors="ECONNRESET ETIMEDOUT"
with="-L -o connect,sendto,sendmsg,recvfrom,recvmsg,shutdown"
sweep 'deliver, strikes at the network'
done_testing
