#!/bin/sh
# A run's own affairs: its clock, its log, its second look.
. "$(dirname "$0")/lib.sh"

export RELAYKIT_QUEUE="$T/queue" RELAYKIT_CONFIG="$T/conf"
trap_start
cat >"$T/conf" <<END
keep_failed = 1h
route "*" { relay = "127.0.0.1:$PORT" }
END
submit() {
	printf 'Subject: x\n\nx\n' | smtp-submit -odq -f a@example.org "$@"
}

# --- failed/ is kept for a time, by a clock that may be believed

submit reject-550@example.org
smtp-deliver
now=$(date +%s)
old=$T/queue/failed/$(date -u -d "@$((now - 86400))" +%Y%m%d%H)
mkdir "$old"
mv "$T"/queue/failed/*/*,* "$old/"
echo "latest=$((now - 90 * 86400)) candidate=0 last=0" >"$T/queue/state/clock"
fails 'a clock far ahead is told' 0 \
    'smtp-deliver: the clock is far ahead of when it was last seen: nothing is expired' smtp-deliver
is "$(find "$old" -type f | wc -l)" 1 'and throws nothing away'
echo "latest=$now candidate=0 last=0" >"$T/queue/state/clock"
ok 'a clock that is right' smtp-deliver
is "$(find "$T/queue/failed" -type f | wc -l)" 0 'throws away what is over its time'

done_testing
