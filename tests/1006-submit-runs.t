#!/bin/sh
# smtp-submit: which other programs it starts, when, and with what.  Stand-ins lie beside a copy of it.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/submit.sh"

mkdir "$T/bin"
cp "$BUILD/bin/smtp-submit" "$T/bin/smtp-submit"
for p in smtp-deliver smtp-queue; do
	cat >"$T/bin/$p" <<'EOP'
#!/bin/sh
# Tells its arguments, whether 0 to 2 are open, and its session; exits as $RC says.
d=$(dirname "$0")/..
[ -n "${SLOW-}" ] && sleep 0.3
set -- "$(basename "$0")" "$@"
echo "$*" >"$d/ran.tmp"
ps -o sid= -p $$ | tr -d ' ' >"$d/sid"
out=$(readlink /proc/$$/fd/1)
echo "$out" >"$d/stdout"
ls "$RELAYKIT_QUEUE"/new >"$d/seen"
mv "$d/ran.tmp" "$d/ran"
exit "${RC-0}"
EOP
	chmod +x "$T/bin/$p"
done
submit=$T/bin/smtp-submit
id_of() {
	sed 's/.*\.\(................\),.*/\1/' "$T/seen"
}
# again OPTION...: a message, from nothing
again() {
	rm -f "$T/ran" "$T/seen"
	fresh
	echo hi | "$submit" "$@" b@x
}

again -odq
sleep 0.1
is "$? $(test -e "$T/ran"; echo $?)" '0 1' '-odq starts nothing'
again -odb
ok '-odb starts a run' until_true 40 test -e "$T/ran"
is "$(cat "$T/ran")" "smtp-deliver --queue $T/queue" 'in that queue'
is "$(cat "$T/stdout")" /dev/null 'on /dev/null'
ok 'in a session of its own' test "$(cat "$T/sid")" != "$(ps -o sid= -p $$ | tr -d ' ')"
again -odb -C "$T/conf" --queue "$T/queue"
until_true 40 test -e "$T/ran"
is "$(cat "$T/ran")" "smtp-deliver --queue $T/queue -C $T/conf" 'with the same configuration'
SLOW=1 again -odb
is "$(test -e "$T/ran"; echo $?)" 1 'nobody waits for it'
until_true 40 test -e "$T/ran"
again -odb -O holduntil=1999999999
sleep 0.1
is "$(test -e "$T/ran"; echo $?)" 1 'a message that is not due starts none'

# while a run is at work none is started
rm -f "$T/ran" "$T/seen"
mkdir "$T/queue/state"
python3 - "$T" <<'EOP' &
import fcntl, os, sys, time
f = open(sys.argv[1] + "/queue/state/run.lock", "w")
fcntl.lockf(f, fcntl.LOCK_EX)
open(sys.argv[1] + "/locked", "w").close()
while not os.path.exists(sys.argv[1] + "/enough"):
    time.sleep(0.01)
EOP
holder=$!
until_true 40 test -e "$T/locked"
echo hi | "$submit" -odb b@x
sleep 0.1
is "$? $(test -e "$T/ran"; echo $?)" '0 1' 'a run is at work: none is started'
: >"$T/enough"
wait "$holder"
echo hi | "$submit" -odb b@x
ok 'it is over: one is' until_true 40 test -e "$T/ran"

SLOW=1 again -odi
is "$? $(cat "$T/ran")" "0 smtp-deliver --id $(id_of)" '-odi waits for an attempt with this id'
RC=75 again -odi
is "$?" 0 'which may fail: the message is queued'
configure
sed -i 's/^delivery.*/delivery = background/' "$T/conf"
again
ok 'the configuration says background' until_true 40 test -e "$T/ran"
sed -i 's/^delivery.*/delivery = interactive/' "$T/conf"
again
is "$(cat "$T/ran")" "smtp-deliver --id $(id_of)" 'interactive'
configure
mv "$T/bin/smtp-deliver" "$T/bin/away"
PATH_WAS=$PATH
PATH=/usr/bin:/bin
fresh
echo hi >"$T/msg"
fails 'no smtp-deliver: told, but the message is queued' 0 \
    'smtp-submit: queued, but no run was started: smtp-deliver: No such file or directory' \
    sh -c "'$submit' -odb b@x <'$T/msg'"
is "$(entries)" 1 'it is'
PATH=$PATH_WAS
mv "$T/bin/away" "$T/bin/smtp-deliver"

# --- batches
batch='MAIL FROM:<a@x>\nRCPT TO:<b@x>\nDATA\n\nhi\n.\n'
rm -f "$T/ran"
printf "$batch$batch" | "$submit" -bS -odb >"$T/out"
ok 'a batch starts a run' until_true 40 test -e "$T/ran"
rm -f "$T/ran"
printf "$batch$batch" | "$submit" -bS -odi >"$T/out"
is "$(cat "$T/ran")" 'smtp-deliver' 'with -odi a batch ends with a run of all that is due'
rm -f "$T/ran"
printf 'MAIL FROM:<a@@x>\nDATA\n.\n' | "$submit" -bS -odb >"$T/out" 2>&1
sleep 0.1
is "$(test -e "$T/ran"; echo $?)" 1 'nothing queued, nothing started'

# --- other modes are other programs
# is_run WANT COMMAND...
is_run() {
	want=$1
	shift
	rm -f "$T/ran"
	"$@" </dev/null
	is "$? $(cat "$T/ran")" "0 $want" "$(basename "$1") ${2-} is $want"
}
is_run 'smtp-queue list --mailq' "$submit" -bp
is_run 'smtp-queue list --json' "$submit" -bp --json
ln -s smtp-submit "$T/bin/mailq"
is_run 'smtp-queue list --mailq' "$T/bin/mailq"
is_run 'smtp-deliver --now' "$submit" -q
is_run 'smtp-deliver' "$submit" -q30m
is_run 'smtp-deliver --id 361mxnchny6mb288 --now' "$submit" -qI361mxnchny6mb288
is_run 'smtp-deliver --site example.org --now' "$submit" -qRexample.org
is_run "smtp-deliver -C $T/conf --queue $T/queue --now" "$submit" -q -C "$T/conf" --queue "$T/queue"
RC=75 "$submit" -q
is "$?" 75 'and its exit code is theirs'
done_testing
