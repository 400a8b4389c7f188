#!/bin/sh
# Users that a command vouches for, tokens, and CRAM-MD5, at smtp-serve: by GNU SASL's client and curl.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/serve.sh"
need openssl gsasl

certificate mail.example
printf 'pencil\n' | smtp-passwd --users "$T/users" add --keys cram-md5 --from '*' ann
# A command of checkpassword's kind; what it saw is told in $T/saw.
cat >"$T/check" <<'S'
#!/bin/sh
{ tr '\0' '\n' <&3; echo "$PROTO $TCPREMOTEIP"; } >"$1.new"
mv "$1.new" "$1"
case $(sed -n 1p "$1")/$(sed -n 2p "$1") in
"bob/p w" | "ann/from the command") exit 0 ;;
trouble/*) exit 111 ;;
killed/*) kill -9 $$ ;;
*) exit 1 ;;
esac
S
cat >"$T/token" <<'S'
#!/bin/sh
case $(tr '\0' '\n' <&3 | sed -n 2p) in
good) echo bob@x.example ;;
twolines) printf 'bob\nbob\n' ;;
nobody) ;;
down) exit 2 ;;
*) exit 1 ;;
esac
S
chmod +x "$T/check" "$T/token"
serve_conf "serve { users = \"$T/users\" check = \"$T/check $T/saw\" token = \"$T/token\" command_time = 20s }
certificate \"1\" { cert = \"$T/mail.example.pem\" key = \"$T/mail.example.key\" }
limit \"address\" { connections_minute = 1000 }"
serve_start

# log_in MECHANISM USER PASSWORD [OPTION...]: the code of the reply to the last line
log_in() {
	m=$1 u=$2 p=$3
	shift 3
	gsasl --smtp --client --connect="127.0.0.1:$PORT" --mechanism="$m" --authentication-id="$u" \
	    --password="$p" --no-cb --x509-ca-file= "$@" </dev/null >"$T/gsasl" 2>&1
	sed -n 's/^\([245][0-9][0-9]\) [245]\.7.*/\1/p' "$T/gsasl" | tail -1
}

is "$(log_in CRAM-MD5 ann pencil)" 235 'CRAM-MD5 over TLS'
is "$(log_in CRAM-MD5 ann pencil --no-starttls)" 235 'CRAM-MD5 in clear'
is "$(log_in CRAM-MD5 ann pencils)" 535 'CRAM-MD5, a wrong password'
is "$(log_in CRAM-MD5 bob 'p w')" 535 'CRAM-MD5 of one whom only the command knows'

for m in PLAIN LOGIN; do
	is "$(log_in $m bob 'p w')" 235 "$m by a command"
	is "$(sed -n '1,2p;4p' "$T/saw" | tr '\n' ,)" 'bob,p w,SMTP 127.0.0.1,' "$m: the command sees name, password and address"
	like "$(sed -n 3p "$T/saw")" '^[0-9]{10}$' "$m: and a time stamp"
done
is "$(log_in PLAIN bob wrong)" 535 'the command says no'
is "$(log_in PLAIN ann 'from the command')" 535 'who is in the file is not asked of the command'
is "$(log_in PLAIN trouble x)" 454 'exit 111 is trouble, and no verdict'
is "$(log_in PLAIN killed x)" 454 'so is a signal'
like "$(cat "$T/serve.err")" 'smtp-serve: checking command: exit 111' 'and is told'
like "$(cat "$T/serve.err")" 'smtp-serve: checking command: signal 9' 'both are'
is "$(log_in PLAIN bob 'p w')" 235 'and later it goes on'
is "$(grep -c 'p w' "$T"/q/log/events-*.jsonl "$T/serve.err" | grep -vc ':0$')" 0 'no password in log or on standard error'
like "$(cat "$T"/q/log/events-*.jsonl)" '"type":"login".*"user":"bob".*"code":235' 'the event names the user'

# Tokens: curl knows RFC 7628, GNU SASL 2.2's client does not.
if command -v curl >/dev/null; then
	printf 'From: bob@x.example\r\nSubject: s\r\n\r\nx\r\n' >"$T/mail"
	# by_token TOKEN USER: 0, or curl's exit status: 67 is a login refused
	by_token() {
		curl -sS -k --ssl-reqd --url "smtp://127.0.0.1:$PORT" --oauth2-bearer "$1" --user "$2" \
		    --login-options AUTH=OAUTHBEARER --mail-from bob@x.example --mail-rcpt b@z.example -T "$T/mail" \
		    2>"$T/curl"
		echo $?
	}
	is "$(by_token good bob@x.example)" 0 'a token'
	is "$(queued)" 1 'its message is there'
	like "$(cat "$T"/q/new/* | tr -d '\r')" 'with ESMTPSA' 'with a login'
	like "$(cat "$T"/q/log/events-*.jsonl)" '"user":"bob@x.example".*"code":235' 'the event names whom the token is'
	is "$(by_token bad bob@x.example)" 67 'one that the command does not know'
	is "$(by_token good eve@x.example)" 67 "another user's"
	is "$(by_token twolines bob)" 67 'a command that prints two lines'
	is "$(by_token nobody bob)" 67 'and none'
	is "$(by_token down bob)" 67 'a command in trouble'
	like "$(cat "$T/serve.err")" 'it did not print a user.s name in a line' 'is told'
	is "$(queued)" 1 'nothing came of those'
else
	result 0 'tokens # SKIP no curl'
fi
is "$(pgrep -f "$T/check|$T/token" | wc -l)" 0 'no command is left'
ok 'ends' serve_stop
done_testing
