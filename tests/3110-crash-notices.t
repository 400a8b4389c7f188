#!/bin/sh
# smtp-deliver, struck at every system call that changes something while senders are told: no notice is
# lost, and one that is made again has the Message-ID that it had.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/faults/sweep.sh"
need_faultrun
need smtp-submit smtp-queue smtp-deliver smtp-trap

# few N: as many points, unless others were asked for
asked=$FAULT_POINTS
few() {
	case $asked in 200) FAULT_POINTS=$1 ;; esac
}

# queued SENDER RCPT...: a message that waits
queued() {
	sender=$1
	shift
	printf 'Subject: lunch\n\nat noon\n' | smtp-submit --queue "$T/template" -odq -f "$sender" "$@"
}
queued s@example.org reject-550@one.example
queued s@example.org ok@one.example reject-550@one.example defer-451@one.example
queued t@example.org -N success ok2@one.example
trap_start --no-dsn
tenth=$((3600 - $(date +%s) % 3600 + 600)) # of an hour that does not end meanwhile

# configure LINE...: and how the victim is started
configure() {
	printf '%s\n' 'connections = 1' 'site_connections = 1' 'connection_idle = 50ms' 'timeout_final = 5s' \
	    'timeout_quit = 2s' "$@" >"$T/conf"
	run="smtp-deliver -C $T/conf --queue $T/q --relay 127.0.0.1:$PORT --now --no-sandbox"
	victim="env LD_PRELOAD=$BUILD/faults/clockshift CLOCKSHIFT=$tenth $run"
}

prepare() {
	rm -rf "$T/q" "$T/trap/new"/*
	cp -a "$T/template" "$T/q"
}

# notices: "MESSAGE-ID ABOUT" of each that came; a digest has several ABOUT
notices() {
	for f in "$T/trap/new"/*; do
		[ -e "$f" ] && grep -q '^X-Envelope-From: <>' "$f" || continue
		awk '{ sub(/\r$/, "") }
			/^Message-ID: / && !id { id = $2 }
			/^X-Relaykit-Message: / && !seen[$2]++ { about = about " " $2 }
			END { print id about }' "$f"
	done | sort
}

# next_run [SECONDS]: what is left undone is done
next_run() {
	LD_PRELOAD=$BUILD/faults/clockshift CLOCKSHIFT=$((tenth + ${1:-0})) $run >"$T/.out" 2>"$T/.err" ||
	    echo "the next run: exit $? $(cat "$T/.err"), "
}

# verify WANT [digest]: that many notices about all three, each about its messages alone; with a digest one less
# where the count was taken and no notice came of it: then that message is in the digest, too
verify_notices() {
	next_run
	next_run
	[ $# -eq 1 ] || next_run 3600
	got=$(notices)
	n=$(echo "$got" | uniq | wc -l)
	[ "$n" -eq "$1" ] || [ "$#.$how.$n" != "2..$n" -a "$n" -eq $(($1 - $# + 1)) ] || echo "notices: $(echo "$got" | tr '\n' ','), "
	[ "$(echo "$got" | uniq | cut -d ' ' -f 2- | tr ' ' '\n' | sort | uniq -d)" = '' ] || echo "told of twice: $got, "
	[ "$(echo "$got" | cut -d ' ' -f 2- | tr ' ' '\n' | sort -u | wc -l)" -eq 3 ] || echo "not told of: $got, "
	[ "$(echo "$got" | uniq -d | wc -l)" -le 1 ] || echo "several came twice: $got, "
	echo "$got" | uniq -c | grep -q '^ *[3-9]' && echo "one came thrice"
	[ "$(entries "$T/q" | cut -d ' ' -f 1 | sort | tr '\n' ,)" = 'cur,failed,' ] || echo "in the end: $(entries "$T/q" | tr '\n' ,)"
	smtp-queue --queue "$T/q" check >"$T/.check" 2>&1 || echo "check: $(cat "$T/.check")"
}

configure
prepare
$victim
is "$?$(rc=0 how='' verify_notices 3)" 0 'without a strike: three notices'
verify() { verify_notices 3; }
few 30
sweep 'notices'

configure 'notices { hourly = 1 }'
prepare
$victim
is "$?$(rc=0 how='' verify_notices 3 digest)" 0 'without a strike: two notices and a digest'
verify() { verify_notices 3 digest; }
few 12
sweep 'notices that are too many'

# The digest itself is made of what is kept.
prepare
$victim
rm -rf "$T/template"
mv "$T/q" "$T/template"
victim="env LD_PRELOAD=$BUILD/faults/clockshift CLOCKSHIFT=$((tenth + 3600)) $run"
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
