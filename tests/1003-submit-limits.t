#!/bin/sh
# smtp-submit: hostile input, both sides of limits, full disks; and memory that does not grow.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/submit.sh"
m=smtp-submit

# sized N: a message of N bytes of content when queued, our own header included
sized() {
	fresh
	printf 'Date: x\nFrom: a@x\nMessage-ID: <m@x>\nTo: b@x\n\n' | smtp-submit b@x
	python3 - "$1" "$(message | wc -c)" <<'EOP'
import sys
want, base = int(sys.argv[1]), int(sys.argv[2])
n = want - base
sys.stdout.write("Date: x\nFrom: a@x\nMessage-ID: <m@x>\nTo: b@x\n\n" + ("x" * 98 + "\n") * (n // 100) + ("x" * (n % 100 - 2) + "\n" if n % 100 else ""))
EOP
}

# --- bytes that are not for mail
printf 'Subject: x\n\na\000b\n' >"$T/nul"
printf 'Subject: x\000\n\nab\n' >"$T/nul.header"
printf 'Subject: x\n\na\rb\n' >"$T/cr"
printf 'Subject: x\rBcc: c@x\n\nab\n' >"$T/cr.header"
refused 'NUL' 65 "$m: NUL in the message" sh -c "smtp-submit b@x <'$T/nul'"
refused 'NUL in the header' 65 "$m: header section: NUL in the message" sh -c "smtp-submit b@x <'$T/nul.header'"
refused 'bare CR' 65 "$m: CR without LF in the message" sh -c "smtp-submit b@x <'$T/cr'"
refused 'bare CR in the header' 65 "$m: header section: CR without LF in the message" \
    sh -c "smtp-submit b@x <'$T/cr.header'"
configure 'bare_cr = repair'
fresh
ok 'bare CR, repaired' smtp-submit b@x <"$T/cr"
is "$(message | tail -1 | tr -d '\r\n')" 'a b' 'is a blank'
fresh
ok 'bare CR in the header, repaired' smtp-submit -t b@x <"$T/cr.header"
is "$(header | grep Subject)" 'Subject: x Bcc: c@x' 'forges no field'
is "$(envelope | grep -c rcpt)" 1 'and no recipient'
refused 'NUL is not repaired' 65 "$m: NUL in the message" sh -c "smtp-submit b@x <'$T/nul'"
configure

# --- sizes
configure 'max_message_bytes = 100000'
sized 100000 >"$T/fits"
sized 100001 >"$T/over"
fresh
ok 'a message of the limit' smtp-submit b@x <"$T/fits"
is "$(message | wc -c)" 100000 'is of that size'
refused 'a byte more' 65 "$m: message over 100000 bytes" sh -c "smtp-submit b@x <'$T/over'"
refused 'without end' 65 "$m: message over 100000 bytes" sh -c "yes | smtp-submit b@x"
configure 'max_header_bytes = 4096'
{ yes 'X-Y: 0123456789' | head -240 && echo && echo hi; } >"$T/fits"
{ yes 'X-Y: 0123456789' | head -241 && echo && echo hi; } >"$T/over"
fresh
ok 'a header below the limit' smtp-submit b@x <"$T/fits"
refused 'a header over it' 65 "$m: header section over 4096 bytes" sh -c "smtp-submit b@x <'$T/over'"
refused 'a header line without end' 65 "$m: header section: line over 4096 bytes" \
    sh -c "{ printf 'X: '; cat /dev/zero | tr '\\000' x; } | smtp-submit b@x"
refused 'a header without end' 65 "$m: header section over 4096 bytes" sh -c "yes 'X: y' | smtp-submit b@x"
configure

# --- recipients
seq -f 'r%g@x.example' 1 100000 >"$T/rcpts"
fresh
ok 'recipients on the command line' sh -c "head -2001 '$T/rcpts' | xargs sh -c 'echo hi | smtp-submit \"\$@\"' sh"
is "$(entries)" 3 '2,001 of them are three entries'
fresh
configure 'max_header_bytes = 8M'
{ printf 'Bcc: '; paste -sd, "$T/rcpts"; printf 'Subject: x\n\nhi\n'; } >"$T/msg"
ok '100,000 recipients' smtp-submit -t <"$T/msg"
is "$(entries)" 100 'are 100 entries'
is "$(cat "$RELAYKIT_QUEUE"/new/* | grep -ac '^rcpt=')" 100000 'each is there'
{ printf 'Cc: r0@x.example\n'; cat "$T/msg"; } >"$T/msg1"
refused 'one more' 65 "$m: Bcc: more than 100000 recipients" sh -c "smtp-submit -t <'$T/msg1'"
configure

# --- memory: 50 MiB take no more than 1 KiB does
# peak COMMAND...: its largest private memory in KiB; file pages are not counted
peak() {
	python3 - "$@" <<'EOP'
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
EOP
}
{ printf 'Subject: x\n\n'; yes 'a line of some fifty bytes, as they are in the body' | head -c 52428800; } >"$T/big"
fresh
small=$(peak sh -c "echo hi | smtp-submit b@x")
large=$(peak sh -c "smtp-submit b@x <'$T/big'")
ok "50 MiB ($large KiB) take little more than nothing ($small KiB)" test "$large" -lt $((small + 2048))
fresh
large=$(peak sh -c "cat '$T/big' | smtp-submit b@x")
ok "the same from a pipe ($large KiB)" test "$large" -lt $((small + 2048))
is "$(body | cksum)" "$({ sed 1,2d "$T/big"; echo; } | cksum)" 'and is whole'

# --- disks
if [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
	mkdir "$T/small"
	cat >"$T/full.sh" <<'EOP'
mount -t tmpfs -o size=1m none "$1/small" || exit 1
export RELAYKIT_QUEUE="$1/small/queue"
smtp-submit b@x <"$1/big" 2>"$1/err"
echo "$? $(find "$RELAYKIT_QUEUE/new" -type f | wc -l)" >"$1/rc"
printf 'MAIL FROM:<a@x>\nRCPT TO:<b@x>\nDATA\n\nsmall\n.\n' >"$1/batch"
{ printf 'MAIL FROM:<a@x>\nRCPT TO:<b@x>\nDATA\n'; head -c 3000000 "$1/big"; printf '\n.\n'; } >>"$1/batch"
printf 'MAIL FROM:<a@x>\nRCPT TO:<b@x>\nDATA\n\nsmall\n.\n' >>"$1/batch"
smtp-submit -bS <"$1/batch" >"$1/out" 2>"$1/err.batch"
echo "$? $(find "$RELAYKIT_QUEUE/new" -type f | wc -l)" >>"$1/rc"
mount -o remount,ro "$1/small"
echo hi | smtp-submit b@x 2>"$1/err.ro"
echo "$?" >>"$1/rc"
umount "$1/small"
EOP
	unshare -m sh "$T/full.sh" "$T"
	is "$(sed -n 1p "$T/rc")" '75 0' 'a full disk is "try again", and nothing is left'
	is "$(cat "$T/err")" "$m: new entry: write: No space left on device" 'and said'
	is "$(sed -n 2p "$T/rc")" '75 2' 'in a batch only that message'
	is "$(cut -c1-9 "$T/out" | tr '\n' ' ')" '250 2.0.0 451 4.3.0 250 2.0.0 ' 'is deferred'
	is "$(sed -n 3p "$T/rc")" 75 'a filesystem that turned read-only too'
	like "$(cat "$T/err.ro")" '^smtp-submit: create in new: Read-only file system' 'is said'
else
	result 0 'full disk # SKIP not root'
fi
# --- standard input is somebody's event loop's: O_NONBLOCK, and not there yet

# later COMMAND...: its input comes in two parts, a moment after it has begun
later() {
	timeout 40 python3 -c 'import os, subprocess, sys, time
r, w = os.pipe()
os.set_blocking(r, False)
p = subprocess.Popen(sys.argv[1:], stdin=r)
for part in b"Subject: x\n", b"\nhi\n":
    time.sleep(0.2)
    os.write(w, part)
os.close(w)
sys.exit(p.wait())' "$@"
}
fresh
ok 'it is waited for' later smtp-submit -odq -f a@x b@x
is "$(entries)" 1 'and queued'
ok 'by filters, too' later bounce-parse
done_testing
