# told.sh - three messages of which their senders are to be told, and what must have come of it:
#     . "$TOP/tests/faults/told.sh"  after sweep.sh; the queue is $q
#
# One has failed, of one some recipients have failed and one waits, one was handed on to a server that tells
# nothing.  Two are of one sender.

# queued SENDER RCPT...: a message that waits
queued() {
	sender=$1
	shift
	printf 'Subject: lunch\n\nat noon\n' | smtp-submit --queue "$T/template" -odq -f "$sender" "$@"
}

# told_start: they wait in "$T/template", and a trap for them
told_start() {
	queued s@example.org reject-550@one.example
	queued s@example.org ok@one.example reject-550@one.example defer-451@one.example
	queued t@example.org -N success ok2@one.example
	trap_start --no-dsn
	tenth=$((3600 - $(date +%s) % 3600 + 600)) # of an hour that does not end meanwhile
}

base=0 # so much later the victim lives, and who comes after it

# told_at SECONDS: with this in front a program lives so much later
told_at() {
	echo "env LD_PRELOAD=$BUILD/faults/clockshift CLOCKSHIFT=$((tenth + base + $1))"
}

# told_configure LINE...: and how the victim is started
told_configure() {
	printf '%s\n' 'connections = 1' 'site_connections = 1' 'connection_idle = 50ms' 'timeout_final = 5s' \
	    'timeout_quit = 2s' "$@" >"$T/conf"
	run="smtp-deliver -C $T/conf --queue $q --relay 127.0.0.1:$PORT --now --no-sandbox"
	victim="$(told_at 0) $run"
}

# told_notices: "MESSAGE-ID ABOUT" of each that came; a digest has several ABOUT
told_notices() {
	for f in "$T/trap/new"/*; do
		[ -e "$f" ] && grep -q '^X-Envelope-From: <>' "$f" || continue
		awk '{ sub(/\r$/, "") }
			/^Message-ID: / && !id { id = $2 }
			/^X-Relaykit-Message: / && !seen[$2]++ { about = about " " $2 }
			END { print id about }' "$f"
	done | sort
}

# told_next [SECONDS]: what is left undone is done
told_next() {
	$(told_at "${1:-0}") $run >"$T/.out" 2>"$T/.err" || echo "the next run: exit $? $(cat "$T/.err"), "
}

# told_verify WANT [digest]: that many notices about all three, each about its messages alone; with a digest one
# less where the count was taken and no notice came of it: then that message is in the digest, too.  A cut
# of the power (power=1) takes what was finished in the last moment with it, and leaves half entries.
power=
told_verify() {
	told_next
	told_next
	[ $# -eq 1 ] || told_next 3600
	got=$(told_notices)
	n=$(echo "$got" | uniq | wc -l)
	[ "$n" -eq "$1" ] || [ "$#.$power$how.$n" != "2..$n" -a "$n" -eq $(($1 - $# + 1)) ] || echo "notices: $(echo "$got" | tr '\n' ','), "
	[ "$(echo "$got" | uniq | cut -d ' ' -f 2- | tr ' ' '\n' | sort | uniq -d)" = '' ] || echo "told of twice: $got, "
	[ "$(echo "$got" | cut -d ' ' -f 2- | tr ' ' '\n' | sort -u | wc -l)" -eq 3 ] || echo "not told of: $got, "
	[ -n "$power" ] || [ "$(echo "$got" | uniq -d | wc -l)" -le 1 ] || echo "several came twice: $got, "
	echo "$got" | uniq -c | grep -q '^ *[3-9]' && echo "one came thrice: $got, "
	[ "$(entries "$q" new cur hold failed ${power:-damaged} | cut -d ' ' -f 1 | sort | tr '\n' ,)" = 'cur,failed,' ] ||
		echo "in the end: $(entries "$q" | tr '\n' ,)"
	smtp-queue --queue "$q" check >"$T/.check" 2>&1 || echo "check: $(cat "$T/.check")"
}
