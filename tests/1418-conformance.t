#!/bin/sh
# What RFCs demand of a server, row by row: tests/data/conformance/submission says which.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/serve.sh"
need python3 openssl

certificate mail.example
printf 'pencil\n' | smtp-passwd --users "$T/users" add --keys yescrypt,scram-sha-256 --from ann@x.example ann
serve_conf "max_message_bytes = 100000
serve { networks = \"127.0.0.1\" users = \"$T/users\" recipients = 100 messages = 3 }
certificate \"1\" { cert = \"$T/mail.example.pem\" key = \"$T/mail.example.key\" }"
serve_start
python3 "$TOP/tests/conformance.py" "$TOP/tests/data/conformance/submission" "$PORT" "$T/q" >"$T/rows" 2>&1
rc=$?
while IFS= read -r line; do
	case $line in
	'ok '*) result 0 "${line#ok }" ;;
	'not ok '*) result 1 "${line#not ok }" ;;
	*) echo "# $line" ;;
	esac
done <"$T/rows"
is $rc 0 'the table was walked to its end'
# Each of them has a row.
for rfc in 5321 6409 3030 3461 4865 2852 6710 8689 6531 1870 2034 2920 3207 4954 6152 9422; do
	ok "RFC $rfc is in the table" grep -q "^ok RFC $rfc " "$T/rows"
done
ok 'ends' serve_stop
like "$(grep -v 'listening at' "$T/serve.err")" '^$' 'nothing on standard error'
done_testing
