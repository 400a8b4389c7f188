#!/bin/sh
# smtp-serve --listen: another queue takes the place of the one that was there, while it listens.
[ -n "${PRIVATE-}" ] || ! unshare -m true 2>/dev/null || exec env PRIVATE=1 unshare -m "$0"
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/serve.sh"
need python3

cat >"$T/send.py" <<'PY'
import os, smtplib, sys
# A message; with a second argument: the queue is moved there between the greeting and the message.
s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]))
s.ehlo("me")
if len(sys.argv) > 2:
    os.rename(os.environ["T"] + "/q", sys.argv[2])
    os.mkdir(os.environ["T"] + "/q")
try:
    s.sendmail("a@x.example", "b@y.example", "Subject: s\r\n\r\nx")
    print(250)
except smtplib.SMTPResponseException as e:
    print(e.smtp_code)
except smtplib.SMTPServerDisconnected:
    print("gone")
PY
export T
send() { python3 "$T/send.py" "$PORT" "$@" 2>&1; }
there() { find "$1/new" -type f 2>/dev/null | wc -l; }

serve_conf 'serve { networks = "127.0.0.1" }
limit "address" { messages_day = 100 }'
mkdir "$T/q"
serve_start
is "$(send) $(there "$T/q")" '250 1' 'a message'
mv "$T/q" "$T/old"
mkdir "$T/q"
is "$(send) $(there "$T/q") $(there "$T/old")" '250 1 1' 'into another directory in the place of the first'
is "$(send) $(there "$T/q")" '250 2' 'and one more'
is "$(send "$T/older") $(there "$T/older") $(there "$T/q")" '250 3 0' \
    'who was let in before it was moved is in what was the queue then'
rm -r "$T/q"
is "$(send) $(there "$T/q")" '250 1' 'where there is none it is made'
is "$(send) $(there "$T/q")" '250 2' 'and is the queue from then on'
rm -r "$T/q"
mv "$T/old" "$T/q"
is "$(send) $(there "$T/q")" '250 2' 'the first one is back'
if [ -n "${PRIVATE-}" ] && [ "$(id -u)" = 0 ]; then
	mount -t tmpfs none "$T/q"
	is "$(send) $(there "$T/q")" '250 1' 'a filesystem is mounted over it'
	umount "$T/q"
	is "$(send) $(there "$T/q")" '250 3' 'and taken away'
	mount --bind "$T/q" "$T/q" && mount -o remount,bind,ro "$T/q"
	send >"$T/answer"
	is "$(grep -c 250 "$T/answer") $(there "$T/q")" '0 3' 'read-only: nothing is promised'
	umount "$T/q"
	is "$(send) $(there "$T/q")" '250 4' 'and written to again'
else
	result 0 'mounts # SKIP not root, or no namespaces'
fi
ok 'ended' serve_stop

done_testing
