#!/bin/sh
# smtp-deliver, struck at every system call that changes something while senders are told: no notice is
# lost, and one that is made again has the Message-ID that it had.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/faults/sweep.sh"
. "$TOP/tests/faults/told.sh"
need_faultrun
need smtp-submit smtp-queue smtp-deliver smtp-trap

# few N: as many points, unless others were asked for
asked=$FAULT_POINTS
few() {
	case $asked in 200) FAULT_POINTS=$1 ;; esac
}

q=$T/q
told_start

prepare() {
	rm -rf "$T/q" "$T/trap/new"/*
	cp -a "$T/template" "$T/q"
}

told_configure
prepare
$victim
is "$?$(rc=0 how='' told_verify 3)" 0 'without a strike: three notices'
verify() { told_verify 3; }
few 30
sweep 'notices'

told_configure 'notices { hourly = 1 }'
prepare
$victim
is "$?$(rc=0 how='' told_verify 3 digest)" 0 'without a strike: two notices and a digest'
verify() { told_verify 3 digest; }
few 12
sweep 'notices that are too many'

# Who comes next comes in another hour: the digest may be on its way before the message is looked at.
verify() {
	base=3600
	told_verify 3 digest
}
few 15
sweep 'too many, and the hour is over'
base=0

# The digest itself is made of what is kept.
verify() { told_verify 3 digest; }
prepare
$victim
rm -rf "$T/template"
mv "$T/q" "$T/template"
base=3600
told_configure 'notices { hourly = 1 }'
mkdir "$T/earlier"
cp "$T/trap/new"/* "$T/earlier"
prepare() {
	rm -rf "$T/q" "$T/trap/new"/*
	cp -a "$T/template" "$T/q"
	cp "$T/earlier"/* "$T/trap/new"
}
few 12
sweep 'digests'
done_testing
