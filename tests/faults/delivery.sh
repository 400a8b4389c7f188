# delivery.sh - five messages that wait, a trap that takes, defers and refuses, and what must have become
# of them in the end:  . "$TOP/tests/faults/delivery.sh"  after sweep.sh

need_faultrun
need smtp-submit smtp-queue smtp-deliver smtp-trap
mkdir "$T/letters"
queue_letter() {
	letter "$1" >"$T/letters/$1"
	n=$1
	shift
	smtp-submit --queue "$T/template" -odq -v -f a@example.org "$@" <"$T/letters/$n" |
		sed "s/^/$n /;s/\t.*//;q" >>"$T/ids"
}
queue_letter 1 ok1@one.example
queue_letter 2 ok2@one.example ok3@two.example
queue_letter 3 defer-451@one.example
queue_letter 4 reject-550@one.example
queue_letter 5 ok5@one.example reject-550@one.example defer-451@one.example
is "$(entries "$T/template" new | wc -l)" 5 'five messages wait'
trap_start
cat >"$T/conf" <<'END'
connections = 1
site_connections = 1
connection_idle = 50ms
timeout_final = 5s
timeout_quit = 2s
notices { bounce = none }
END
run="smtp-deliver -C $T/conf --queue $T/q --relay 127.0.0.1:$PORT --now --no-sandbox"

prepare() {
	rm -rf "$T/q" "$T/trap/new"/*
	cp -a "$T/template" "$T/q"
}

# received: "LETTER RECIPIENT" of all that the trap has
received() {
	[ -z "$(ls "$T/trap/new")" ] || letters_in "$T/trap/new"/* |
		awk '{ for (i = 2; i <= NF; i++) print $1, $i }' | sort
}
want='1 ok1@one.example
2 ok2@one.example
2 ok3@two.example
5 ok5@one.example'

# places: "PLACE LETTER" of all that is in the queue
places() {
	entries "$T/q" | while read -r place id; do
		sed -n "s/^\(.*\) $id$/$place \1/p" "$T/ids"
	done | sort | tr '\n' ','
}

# verify_delivery TWICE: how many letters may have been sent twice at such a point
verify_delivery() {
	$run >"$T/.out" 2>"$T/.err" || echo "the next run: exit $? $(cat "$T/.err")"
	got=$(received)
	[ "$(echo "$got" | uniq)" = "$want" ] || echo "received: $(echo "$got" | tr '\n' ',')"
	twice=$(echo "$got" | uniq -d | cut -d' ' -f1 | uniq | wc -l)
	[ "$twice" -le "$1" ] || echo "$twice letters came twice: $(echo "$got" | uniq -c | tr '\n' ',')"
	echo "$got" | uniq -c | grep -q '^ *[3-9]' && echo "one came thrice"
	[ "$(places)" = "cur 3,cur 5,failed 4," ] || echo "in the end: $(places)"
	smtp-queue --queue "$T/q" check >"$T/.check" 2>&1 || echo "check: $(cat "$T/.check")"
}
