#!/bin/sh
# SMTP smuggling through us, smtp-serve and smtp-deliver, to a Postfix and an Exim, by CHUNKING and by DATA: every
# sequence of up to two of CR and LF around a dot, repaired, is one message there, and none of evil's.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/serve.sh"
. "$(dirname "$0")/peers.sh"
need python3
postfix_here || exim_here || skip_all "$REASON"

POSTFIX_PID= EXIM_PID=
trap 'postfix_stop; exim_stop; cleanup' EXIT
chmod 755 "$T"
serve_conf 'serve { networks = "127.0.0.1" line_ends = repair messages = 0 errors = 1000 idle_commands = 100000 }'
serve_start
python3 "$TOP/tests/smuggle.py" "$PORT" "$T/q" data 2 >"$T/out" 2>&1
is "$(head -1 "$T/out")" '0 []' 'one message each, or none'
serve_stop

# What was repaired goes on: as many messages come out, each to whom it was for, with all of
# what was smuggled in it, as text.
n=$(queued)
cat >"$T/whole.py" <<'PY'
import os, sys
bad = 0
for f in os.listdir(sys.argv[1]):
    t = open(sys.argv[1] + "/" + f, "rb").read().replace(b"\r\n", b"\n")
    head, _, body = t.partition(b"\n\n")
    bad += b"evil" in head or not (body.startswith(b"body") and b"\nDATA\n" in body and
                                   body.rstrip(b"\n").endswith(b"\nevil"))
print(bad)
PY
# passed_on WHAT PORT DIR [COMMAND]: all of a copy of the queue is sent there, and lies in DIR
passed_on() {
	rm -rf "$T/copy"
	cp -a "$T/q" "$T/copy"
	printf 'hostname = "h.example"\nroute "*" { relay = "127.0.0.1:%s" }\nconnection_messages = 10000\n' "$2" >"$T/out.conf"
	ok "$1: delivered" smtp-deliver -C "$T/out.conf" --queue "$T/copy" --now
	is "$(find "$T/copy/new" "$T/copy/cur" -type f | wc -l)" 0 "$1: nothing is left"
	[ -z "${4-}" ] || ok "$1: goes to its mailbox" "$4"
	ok "$1: all are there" until_true 60 sh -c '[ "$(find "$0" -type f | wc -l)" -ge "$1" ]' "$3" "$n"
	is "$(find "$3" -type f | wc -l)" "$n" "$1: as many messages as were taken"
	is "$(cat "$3"/* | grep -aci '^[a-z-]*to: *<*evil')" 0 "$1: none to whom evil wanted"
	is "$(python3 "$T/whole.py" "$3")" 0 "$1: each is whole"
}
if postfix_here; then
	for without in '' chunking; do
		d=$T/postfix-$without
		install -d -o "$POSTFIX_USER" "$d" "$d/mail"
		postfix_start "$d" 'virtual_mailbox_domains = y.example' "virtual_mailbox_base = $d" \
		    'virtual_mailbox_maps = static:mail/' "virtual_uid_maps = static:$(id -u $POSTFIX_USER)" \
		    "virtual_gid_maps = static:$(getent group $POSTFIX_GROUP | cut -d: -f3)" 'virtual_minimum_uid = 1' \
		    'virtual_mailbox_limit = 0' "smtpd_discard_ehlo_keywords = $without" || exit 1
		passed_on "Postfix, ${without:+no }chunking" "$POSTFIX_PORT" "$d/mail/new"
		postfix_stop
	done
else
	result 0 "Postfix # SKIP $REASON"
fi
if exim_here && command -v openssl >/dev/null; then
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=peer.example \
	    -keyout "$T/key.pem" -out "$T/cert.pem" 2>/dev/null
	for chunking in '*' ':'; do
		exim_start "$T/exim" "$T/cert.pem" "$T/key.pem" "$chunking" || exit 1
		passed_on "Exim, chunking for $chunking" "$EXIM_PORT" "$T/exim/mail/new" exim_flush
		exim_stop
		rm -rf "$T/exim"
	done
else
	result 0 "Exim # SKIP ${REASON:-no openssl}"
fi
done_testing
