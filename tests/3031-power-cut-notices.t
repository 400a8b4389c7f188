#!/bin/sh
# The power is cut at every operation of a file system that forgets what was not synced while senders are
# told: no notice is lost, none comes more often than twice, and the second is the first again.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/faults/sweep.sh"
. "$TOP/tests/faults/cuts.sh"
. "$TOP/tests/faults/told.sh"
need crashfs unshare smtp-submit smtp-queue smtp-deliver smtp-trap
private_mounts "$0"
# A cut costs four runs of the deliverer; two models share the points of one.
[ "$FAULT_POINTS" = all ] || FAULT_POINTS=$((FAULT_POINTS / 40 + 1))
power=1 how=
told_start

prepare() {
	rm -rf "$q" "$T/trap/new"/*
	cp -a "$T/template" "$q"
	[ ! -d "$T/earlier" ] || cp "$T/earlier"/* "$T/trap/new"
	find "$q" -type f -exec sync {} +
	find "$q" -depth -type d -exec sync {} +
	sync "$T/m"
}

cp -a "$T/template" "$T/mail"
for model in journal strict; do
	case $model in
	journal) crashfs_start "$T/m" ;;
	*) crashfs_start "$T/m" -s ;;
	esac
	told_configure
	verify() { told_verify 3; }
	cuts 'notices'
	told_configure 'notices { hourly = 1 }'
	verify() { told_verify 3 digest; }
	cuts 'notices that are too many'

	# The digest itself is made of what is kept.
	prepare
	$victim
	cp -a "$q" "$T/kept"
	rm -rf "$T/template" "$T/earlier"
	mv "$T/kept" "$T/template"
	mkdir "$T/earlier"
	cp "$T/trap/new"/* "$T/earlier"
	base=3600
	told_configure 'notices { hourly = 1 }'
	cuts 'digests'
	base=0
	rm -rf "$T/template" "$T/earlier"
	cp -a "$T/mail" "$T/template"
	crashfs_stop
done
done_testing
