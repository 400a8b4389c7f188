#!/bin/sh
# The fault tools find what they are made for: strikes at system calls, memory, clock, and a bad peer.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/faults/sweep.sh"
need_faultrun
need toyqueue

# --- faultrun: an honest writer survives every strike, counted over a whole process tree

mkdir -p "$T/q/tmp" "$T/q/new"
is "$(calls -n sh -c 'echo x >"$T/file"; rm "$T/file"')" 3 'calls of parent and child are one count'
n=$(calls -n toyqueue put "$T/q" d 3)
is "$n" 18 'open, write, fsync, rename, fsync, write: six calls a message'

strikes() {
	bad=0
	for i in $(seq "$n"); do
		rm -f "$T"/q/*/*
		# shellcheck disable=SC2086
		faultrun $1 "$i" $2 toyqueue put "$T/q" "$3" 3 >"$T/ack" 2>/dev/null
		toyqueue check "$T/q" <"$T/ack" >"$T/out" || bad=$((bad + 1))
	done
	echo "$bad"
}
for how in "-k" "-a" "-e EIO" "-E ENOSPC" "-w"; do
	# shellcheck disable=SC2086
	set -- $how
	is "$(strikes "$1" "${2:-}" d)" 0 "faultrun $how: the right order loses nothing"
done
n=$(calls -n toyqueue put "$T/q" b 3)
is "$(strikes -e EIO b)" 0 'an ignored fsync error looks well as long as the power stays'
rm -f "$T"/q/*/*
faultrun -k 4 toyqueue put "$T/q" d 3 >/dev/null 2>&1
is $? 137 'a killed command is told by its status'
is "$(ls "$T/q/new")" "" '-k 4: before the rename'
rm -f "$T"/q/*/*
faultrun -a 4 toyqueue put "$T/q" d 3 >/dev/null 2>&1
is "$(ls "$T/q/new" | wc -l)" 1 '-a 4: after it'
fails '-E: a disk stays full, and what frees space goes on working' 2 \
	"sh: 1: cannot create $T/a: No space left on device
sh: 1: cannot create $T/b: No space left on device" \
	faultrun -E 1 ENOSPC sh -c '(: >"$T/a"); rm "$T/ack"; : >"$T/b"'
ok '... so that rm removed its file' test ! -e "$T/ack" -a ! -e "$T/b"
is "$(faultrun -v -o unlinkat -e 1 EROFS rm -f "$T/.out" 2>&1 | head -1)" \
	'faultrun: -e at call 1: unlinkat' '-o: only these calls count'
is "$(calls -n sh -c ': >"$T/a"; umask 022; : >"$T/b"') $(calls -m -n sh -c ': >"$T/a"; umask 022; : >"$T/b"')" \
	'2 1' '-m: what comes before umask(2) does not count'

# --- mallocfail, clockshift

out=$(LD_PRELOAD=$BUILD/faults/mallocfail MALLOCFAIL_COUNT=1 toyqueue check "$T/q" </dev/null 2>&1)
n=$(echo "$out" | sed -n 's/.*allocations //p')
ok 'mallocfail counts' test "${n:-0}" -ge 2
LD_PRELOAD=$BUILD/faults/mallocfail MALLOCFAIL=1 toyqueue check "$T/q" </dev/null >"$T/out" 2>&1
ok 'mallocfail fails the first: no directory to read' test $? -ne 0
is "$(LD_PRELOAD=$BUILD/faults/clockshift CLOCKSHIFT=$((1900000000 - $(date +%s))) date -u +%Y-%m)" 2030-03 \
	'clockshift moves the wall clock'

# --- badpeer: a good one counts what it received

need python3

# A writer of vectors, into a file and into a pipe.
cat >"$T/vectors" <<'END'
import os, sys
def put(fd):
    try:
        return os.writev(fd, [b"abcd", b"ef"])
    except OSError as e:
        return os.strerror(e.errno)
f = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_TRUNC)
r, w = os.pipe()
os.write(1, ("%s, %s, %s" % (put(f), put(w), put(f))).encode())
END
is "$(faultrun -o writev,pwritev -w 1 python3 "$T/vectors" "$T/a"), $(cat "$T/a")" '2, 6, 6, ababcdef' \
	'-w: a vector is cut short within its first part'
calls=$(calls -n python3 "$T/vectors" "$T/a")
is "$(faultrun -E $((calls - 3)) EROFS python3 "$T/vectors" "$T/a")" \
	'Read-only file system, 6, Read-only file system' '-E: a pipe is not on the disk that is full'

cat >"$T/client" <<'END'
import smtplib, sys
s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), timeout=5)
s.sendmail("a@example.org", ["b@example.org", "c@example.org"], "Message-ID: <1@x>\r\n\r\n..dot\r\n")
s.quit()
END
peer() {
	badpeer_start "$1"
	answer=$(python3 "$T/client" "$PORT" 2>&1 | tail -1)
	badpeer_stop
}
peer good
is "$answer" "" 'badpeer good: takes a message'
like "$(cat "$T/got")" '^GOT <1@x> [0-9]+ b@example.org c@example.org$' 'and logs it with its recipients'
peer code:data=451
like "$answer" '451.*as ordered' 'badpeer code: the reply that was ordered'
peer close:dot
like "$answer" 'closed' 'badpeer close:dot: no reply'
is "$(wc -l <"$T/got")" 2 'but the message is counted'
done_testing
