#!/bin/sh
# A peer that drips, stalls, closes anywhere, writes endless lines, NULs, replies in the wrong order or
# before TLS: a deferral with its reason (or the failure it asked for), no hang, no crash, and no
# message twice in one run.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/faults/sweep.sh"
need python3 smtp-submit smtp-queue smtp-deliver

cat >"$T/conf" <<'END'
timeout_connect = 1s
timeout_greeting = 1s
timeout_helo = 1s
timeout_mail = 1s
timeout_rcpt = 1s
timeout_data = 1s
timeout_block = 1s
timeout_final = 1s
timeout_quit = 1s
timeout_tls = 1s
connection_idle = 50ms
notices { bounce = none }
END
letter 1 >"$T/letter1"
letter 2 300000 >"$T/letter2"
smtp-submit --queue "$T/template" -odq -f a@example.org b@one.example c@one.example <"$T/letter1"
smtp-submit --queue "$T/template" -odq -f a@example.org d@one.example <"$T/letter2"

# one MODE DIR: a run against such a peer; what is wrong in DIR/wrong
one() {
	mode=$1 d=$2
	mkdir "$d"
	cp -a "$T/template" "$d/q"
	"$faults/badpeer" --port-file "$d/port" --log "$d/got" "$mode" 2>"$d/peer" &
	peer=$!
	: >"$d/got"
	until_true 40 test -s "$d/port"
	start=$(date +%s)
	timeout 60 smtp-deliver -C "$T/conf" --queue "$d/q" --relay "127.0.0.1:$(cat "$d/port")" >"$d/out" 2>&1
	rc=$?
	took=$(($(date +%s) - start))
	kill "$peer"
	wait "$peer" 2>/dev/null
	look >"$d/wrong"
}

look() {
	case $rc in
	0 | 75) ;;
	124) echo "it hangs" ;;
	*) echo "exit $rc" ;;
	esac
	[ "$took" -le 20 ] || echo "it took $took s"
	[ ! -s "$d/peer" ] || echo "the peer itself failed: $(tail -1 "$d/peer")"
	# "-" is the lone dot after a 354 that no recipient stands behind, RFC 2920 3.1.
	sort "$d/got" | grep -v '^GOT -' | cut -d' ' -f1,2 | uniq -d | grep -q . && echo "sent twice in one run"
	[ -z "$(entries "$d/q" damaged)" ] || echo "an entry was set aside"
	for id in $(entries "$d/q" new hold | ids); do
		echo "$id was not tried"
	done
	# (Not each: once the site is closed, what was not tried moves on without a word of its own.)
	[ -z "$(entries "$d/q" cur)" ] || grep -q '"type":"deferred".*"content":"[^"]' "$d/q/log"/*.jsonl ||
		echo "deferred without a reason"
	grep '"type":"deferred"' "$d/q/log"/*.jsonl | grep -v '"content":"[^"]'
	printf '%s' "$(tr -d '\n' <"$d/out"; cat "$d/q/log"/*.jsonl | tr -d '\n')" |
		LC_ALL=C grep -q '[[:cntrl:]]' && echo "a control character of the peer came through"
	case $mode in
	# (A failed opportunistic handshake is followed by a connection in clear.)
	good | drip:* | tarpit:* | nopipe | helo | late:* | tlsrefuse | tlsgarbage | tlshang | inject)
		[ -z "$(entries "$d/q")" ] || echo "not delivered: $(tail -1 "$d/q/log"/*.jsonl)" ;;
	code:mail=550 | code:rcpt=550 | code:dot=550)
		[ "$(entries "$d/q" failed | wc -l)" -eq 2 ] || echo "not failed: $(entries "$d/q" | tr '\n' ',')" ;;
	deaf:* | cut:*) # the short one gets through
		[ "$(entries "$d/q" cur | wc -l)" -eq 1 ] || echo "not deferred: $(entries "$d/q" | tr '\n' ',')" ;;
	code:banner=550 | code:ehlo=550 | code:data=550 | mix | garbage | size:* | early | extra | order | codemix) ;;
	*)
		[ "$(entries "$d/q" cur | wc -l)" -eq 2 ] || echo "not deferred: $(entries "$d/q" | tr '\n' ',')" ;;
	esac
}

# Some at a time: most of them only wait.
n=0 running=
for mode in $("$faults/badpeer" --list); do
	n=$((n + 1))
	one "$mode" "$T/$n" &
	running="$running $!"
	[ $((n % 12)) -ne 0 ] || { wait $running; running=; }
done
# shellcheck disable=SC2086
wait $running
n=0
for mode in $("$faults/badpeer" --list); do
	n=$((n + 1))
	is "$(cat "$T/$n/wrong")" "" "$mode"
done
done_testing
