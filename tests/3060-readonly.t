#!/bin/sh
# A queue that turns read-only, full or over its quota, an unlink that fails after the 250: what has
# been sent was sent once, not once a run; what cannot be noted is not sent.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/faults/sweep.sh"
need_faultrun
need smtp-submit smtp-queue smtp-deliver smtp-trap
can_mount && private_mounts "$0"

mkdir "$T/letters"
for i in 1 2 3; do letter $i >"$T/letters/$i"; done
trap_start
cat >"$T/conf" <<'END'
connections = 1
connection_idle = 50ms
END

deliver() {
	queue=$1
	shift
	# shellcheck disable=SC2068
	timeout 60 $@ smtp-deliver -C "$T/conf" --queue "$queue" --relay "127.0.0.1:$PORT" --now --no-sandbox \
		>"$T/.out" 2>"$T/said"
}
# fill DIR: three messages wait in a queue that has been at work before (its state files are written)
fill() {
	rm -rf "$1" "$T/trap/new"/*
	mkdir -m 700 "$1"
	deliver "$1"
	for i in 1 2 3; do
		smtp-submit --queue "$1" -odq -f a@example.org "b$i@one.example" <"$T/letters/$i" || return
	done
}
received() { ls "$T/trap/new" | wc -l; }
waiting() { entries "$1" new cur hold | wc -l; }

# --- system calls that fail, in three runs one after the other; then all is well again

# runs CALLS ERROR SENT WHAT: SENT is what is received while it fails; "some": anything, but not twice
runs() {
	fill "$T/q"
	codes=
	for i in 1 2 3; do
		deliver "$T/q" faultrun -o "$1" -E 1 "$2"
		codes="$codes$? "
	done
	case $codes in
	*12[4-7]* | *1[3-9]?*) false ;;
	*75*) true ;;
	*) [ "$3" = some ] ;;
	esac
	result $? "$4: three runs" || echo "# exits $codes"
	case $3 in
	some) ok 'none was sent twice' test "$(received)" -le 3 ;;
	*) is "$(received)" "$3" 'sent once what could be noted' ;;
	esac
	deliver "$T/q"
	is "$? $(received) $(waiting "$T/q")" "0 3 0" 'then all is well again: sent once, none left'
}
runs unlinkat EIO 3 'unlink fails'
runs unlinkat,unlink,rename,renameat,renameat2 EROFS some 'unlink and rename fail'
runs unlinkat,unlink,rename,renameat,renameat2,linkat,mkdirat,openat,fsync,fdatasync,ftruncate,pwrite64,pwritev,writev \
	EROFS 0 'nothing can be written'
runs pwrite64,pwritev,writev ENOSPC 0 'the journal cannot be written: full'
runs pwrite64,pwritev,writev EDQUOT 0 'the journal cannot be written: quota'
runs fsync,fdatasync,syncfs EIO some 'sync fails'
runs ftruncate EIO some 'truncate fails'

# One entry that nobody can open is not the end of all others.
fill "$T/q"
set -- "$T/q/new"/*
name=${1##*/}
ln -s nowhere "$T/q/new/${name%%.*}.0${name#*.?}"
deliver "$T/q"
is "$(received) $(waiting "$T/q")" '3 0' 'a symbolic link among the entries does not stop them'
ok 'it is gone, and the log says so' grep -q '"type":"damaged".*removed' "$T/q/log"/*.jsonl

# A quota is its owner's: where a submitter is over his, his message waits and the others go.
over_quota() {
	fill "$T/q"
	set -- "$1" "$2" "$3" "$4" "$T/q/new"/*
	chown "$2" "$5"
	deliver "$T/q" faultrun -o pwrite64 -e 1 "$1"
	is "$? $(received) $(cd "$T/q" && find new -type f | wc -l)" "75 $3 $4" "$1 for uid $2: exit, sent, still where they were"
	like "$(cat "$T/said")" '^smtp-deliver: journal [^ ]*: write: ' 'and it says what could not be written'
}
# A user namespace of one user's own has no other uids.
: >"$T/his"
if chown 4301 "$T/his" 2>/dev/null; then
	for chunking in '' --no-chunking; do
		[ -z "$chunking" ] || { kill $trap_pid; trap_start $chunking; }
		over_quota EDQUOT 4301 2 0
		name=$(cd "$T/q/cur" && echo */*)
		wait=${name#*/}
		wait=$((${wait%%.*} - $(date +%s)))
		ok "it waits as after a first attempt: $wait seconds" test "$wait" -ge 220 -a "$wait" -le 376
		is "$(grep -c '"do"' "$T/q/cur/$name")" 0 'and none is counted'
		deliver "$T/q"
		is "$? $(received) $(waiting "$T/q")" '0 3 0' 'with room again it is sent'
	done
	over_quota EDQUOT 0 0 3
	over_quota ENOSPC 4301 0 3
	over_quota EIO 4301 0 3
else
	result 0 'a submitter over his quota # SKIP not root'
fi

# Whatever fails from any one call on that writes to the queue: never twice.
prepare() { fill "$T/q"; }
verify() {
	deliver "$T/q" faultrun $how 1 $error
	deliver "$T/q" || echo "the next run: exit $? $(cat "$T/said")"
	[ "$(received)" -eq 3 ] || echo "$(received) of 3 were received"
	[ "$(waiting "$T/q")" -eq 0 ] || echo "$(waiting "$T/q") still wait"
}
points() {
	n=$(faultrun -n $victim 2>&1 >/dev/null | sed -n 's/^faultrun: calls //p')
	for i in $(seq "$n"); do
		printf '%s\n' "-E $i EROFS" "-E $i EDQUOT"
	done
}
victim="smtp-deliver -C $T/conf --queue $T/q --relay 127.0.0.1:$PORT --now --no-sandbox"
sweep 'a disk that fails from some call on, for two runs'

# --- a limit of the shell or of systemd: no file may be larger

# limited BLOCKS COMMAND...: of 512 bytes; the signal is as usual, which would end a program that lets it
limited() (
	ulimit -f "$1"
	shift
	"$@" 2>&1
)
again() {
	for i in 1 2 3; do
		smtp-submit --queue "$T/q" -odq -f a@example.org "b$i@one.example" <"$T/letters/$i" || return
	done
}
fill "$T/q"
said=$(limited 0 smtp-submit --queue "$T/q" -odq x@example.org <"$T/letters/1")
is "$? $said" '75 smtp-submit: new entry: write: File too large' 'none may be that large: nothing is taken'
is "$(waiting "$T/q")" 3 'and nothing of it stays'
deliver "$T/q"
again
log=$(cat "$T/q/log"/*.jsonl | wc -c)
said=$(limited $((log / 512 + 1)) smtp-deliver -C "$T/conf" --queue "$T/q" --relay "127.0.0.1:$PORT" \
	--now --no-sandbox)
is "$? $(received) $(waiting "$T/q")" '75 6 0' 'the log may not grow: all are sent, once'
like "$said" '^smtp-deliver: [1-9] event lines could not be written: log: append: (File too large|No space left on device)$' 'and it says so'

# --- the real thing

mkdir "$T/small"
if [ -n "${PRIVATE_MOUNTS:-}" ] && mount -t tmpfs -o size=256k none "$T/small" 2>"$T/.err"; then
	q=$T/small/q
	fill "$q"
	mount -t tmpfs -o remount,ro,size=256k none "$T/small"
	deliver "$q"
	is "$? $(received) $(waiting "$q")" '75 0 3' 'read-only: nothing is sent, temporary failure'
	smtp-submit --queue "$q" -odq x@example.org <"$T/letters/1" 2>"$T/.err"
	is "$?" 75 'and nothing is taken'
	mount -t tmpfs -o remount,rw,size=256k none "$T/small"
	dd if=/dev/zero of="$T/small/ballast" bs=4k 2>/dev/null
	smtp-submit --queue "$q" -odq x@example.org <"$T/letters/1" 2>"$T/.err"
	is "$?" 75 'full: nothing is taken'
	like "$(cat "$T/.err")" 'No space left' 'and it says so'
	is "$(waiting "$q")" 3 'and nothing of it stays'
	# (A page of an entry that is there already has room for a note.)
	deliver "$q"
	is "$? $(($(received) + $(waiting "$q")))" '75 3' 'full: what is sent is noted'
	deliver "$q"
	ok 'and is not sent again' test $(($(received) + $(waiting "$q"))) -eq 3
	rm "$T/small/ballast"
	deliver "$q"
	is "$? $(received) $(waiting "$q")" '0 3 0' 'with room again all are sent once'
else
	result 0 'real file systems # SKIP no mounts here'
fi
done_testing
