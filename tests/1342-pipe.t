#!/bin/sh
# The last step to a program: what it is given, what its end means, and that it cannot stay or do more.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/local.sh"
need perl

mkdir "$T/bin"
cat >"$T/bin/take" <<'E'
#!/bin/sh
# take DIR [WORDS]: keeps what it was given
dir=$1
printf '%s\n' "$@" >"$dir/args"
env | grep -vE '^(PATH|HOME|LANG|PWD|SHLVL|_|OLDPWD)=' | sort >"$dir/env"
cat >"$dir/letter"
ls -l /proc/self/fd | awk '{ print $9 }' | grep -c . >"$dir/fds"
E
cat >"$T/bin/exit" <<'E'
#!/bin/sh
# exit: as the recipient's extension says, "CODE" or "CODE-WORDS"
cat >/dev/null
case $EXTENSION in *-*) echo "${EXTENSION#*-}" | tr _ ' ' ;; esac
exit "${EXTENSION%%-*}"
E
chmod +x "$T/bin"/*

# --- what it is given
mkdir "$T/lf" "$T/crlf"
routes "route \"x.example\" { pipe = \"$T/bin/take $T/lf 'two words' \$HOME;*\" }" \
    "route \"y.example\" { pipe = \"$T/bin/take $T/crlf\" pipe_line_ends = crlf }" \
    "route \"z.example\" { pipe = \"$T/bin/exit\" }"
SECRET=no
export SECRET
letter '"Ann O+li.sts"@X.example' b@y.example
run_all 'two programs'
is "$(cat "$T/lf/args")" "$T/lf
two words
\$HOME;*" 'its arguments are words, and nothing to a shell'
is "$(cat "$T/lf/env")" "DOMAIN=x.example
EXTENSION=li.sts
QUEUE_ID=$ID
RECIPIENT=\"Ann O+li.sts\"@X.example
SENDER=s@d.example
USER=Ann O" 'its environment is the envelope and nothing of ours'
is "$(sed '/^Received/,/^\t.* 20[0-9][0-9] /d' "$T/lf/letter" | head -n 4)" 'Return-Path: <s@d.example>
Delivered-To: "Ann O+li.sts"@X.example
From: a@d.example
To: list:;' 'the message, with Return-Path and Delivered-To'
is "$(tr -cd '\r' <"$T/lf/letter" | wc -c)" 0 'with LF'
is "$(grep -c "$(printf '\r')\$" "$T/crlf/letter")" "$(wc -l <"$T/crlf/letter")" 'or CRLF'
is "$(cat "$T/lf/fds")" 4 'nothing else is open'
is "$(outcomes | tr -d "'")" 'delivered Ann O+li.sts@X.example 1 2.0.0 delivered
delivered b@y.example 1 2.0.0 delivered' 'both are delivered'

# --- whoever starts the run may wait for no children (Perl's $SIG{CHLD} = "IGNORE", many daemons)
fresh
routes "route \"x.example\" { pipe = \"$T/bin/exit\" pipe_time = 20s }"
letter u+0@x.example
timeout 60 perl -e '$SIG{CHLD} = "IGNORE"; exec @ARGV' smtp-deliver $sandbox >"$T/run.out" 2>&1
is "$? $(cat "$T/run.out") $(outcomes)" '0  delivered u+0@x.example 1 2.0.0 delivered' 'SIGCHLD was ignored: we hear of its end'
routes "route \"z.example\" { pipe = \"$T/bin/exit\" }"

# --- what its end means: sysexits(3), qmail-command(8)
fresh
letter $(for c in 0 1 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79 99 100 111 112 126 200 255; do echo "u+$c@z.example"; done)
run_all 'all codes'
is "$(outcomes | sed -E 's/^([a-z]*) u\+([0-9]*)@z.example 1 ([0-9.]*) .*/\2 \1 \3/' | sort -n)" '0 delivered 2.0.0
1 deferred 4.3.0
64 deferred 4.3.5
65 bounced 5.6.0
66 deferred 4.3.0
67 bounced 5.1.1
68 bounced 5.1.2
69 bounced 5.3.0
70 deferred 4.3.0
71 deferred 4.3.0
72 deferred 4.3.0
73 deferred 4.2.0
74 deferred 4.3.0
75 deferred 4.3.0
76 bounced 5.5.0
77 bounced 5.7.0
78 deferred 4.3.5
79 deferred 4.3.0
99 delivered 2.0.0
100 bounced 5.3.0
111 deferred 4.3.0
112 bounced 5.3.0
126 deferred 4.3.0
200 deferred 4.3.0
255 deferred 4.3.0' 'what each code means'
fresh
letter u+67-5.2.2_mailbox_full@z.example u+75-4.2.2_full@z.example u+77-4.7.0_no@z.example u+0-2.1.5_kept@z.example u+100-5.1.1@z.example
run_all 'words'
is "$(outcomes | sed 's/u+[^ ]* //')" 'delivered 1 2.1.5 kept
bounced 1 5.1.1 permanent failure (exit 100)
bounced 1 5.2.2 mailbox full
deferred 1 4.2.2 full
bounced 1 5.7.0 4.7.0 no' 'a status of its class in front of what it prints'

# --- what it prints
fresh
cat >"$T/bin/talk" <<'E'
#!/bin/sh
cat >/dev/null
case $USER in
err) echo 'on standard error' >&2 ;;
lines) printf 'one\r\n\n  two  \n\033[31mthree\n' ;;
much) yes 'many words' | head -c 1000000 ;;
binary) printf '\377\000\n' ;;
signal) kill -9 $$ ;;
deaf) ;;
esac
exit 67
E
chmod +x "$T/bin/talk"
routes 'site_connections = 1' "route \"x.example\" { pipe = \"$T/bin/talk\" }" 'route "n.example" { pipe = "/nonexistent/program" }'
letter err@x.example lines@x.example much@x.example binary@x.example signal@x.example
run_all 'words of all kinds'
is "$(outcomes | grep -v much)" 'bounced binary@x.example 1 5.1.1 \\xff?
bounced err@x.example 1 5.1.1 on standard error
bounced lines@x.example 1 5.1.1 one\ntwo\n?[31mthree
deferred signal@x.example 1 4.3.0 signal 9' 'lines of both outputs, without controls'
is "$(outcomes | grep -c 'much@x.example 1 5.1.1 many words.nmany')" 1 'as much as is kept'

# --- one that cannot be started: the site waits, and nobody else is tried
fresh
letter a@n.example
letter b@n.example
run_all 'no such program'
is "$(outcomes | sed 's/^\(deferred\) .@/\1 /')" 'deferred n.example 1 4.3.5 the program cannot be started (exit 127)' 'one has tried for all'
is "$(places)" 'cur 2' 'both wait'
like "$(smtp-queue why n.example)" 'pipe:n.example: 4.3.5 the program cannot be started' 'why names the route'
echo 'route "bad.example" { pipe = "/bin/cat '"'"'x" }' >>"$RELAYKIT_CONFIG"
fails 'a command that is none' 78 "smtp-deliver: route \"bad.example\": pipe: no closing quote: /bin/cat 'x" \
    smtp-deliver $sandbox --now

# --- it does not end: SIGTERM, and what it started with it
fresh
cat >"$T/bin/long" <<'E'
#!/bin/sh
# The children are of the same group.
trap 'echo "got TERM"; exit 0' TERM
case $USER in stubborn) trap '' TERM ;; sad) trap 'echo "got TERM"; exit 77' TERM ;; esac
sh -c 'trap "" TERM; echo $$ >'"$0"'.child; while :; do sleep 0.05; done' &
echo $$ >"$0.pid"
while :; do sleep 0.05; done
E
chmod +x "$T/bin/long"
routes "route \"x.example\" { pipe = \"$T/bin/long\" pipe_time = 1s }"
gone() { ! kill -0 "$(cat "$T/bin/long.pid")" 2>/dev/null && ! kill -0 "$(cat "$T/bin/long.child")" 2>/dev/null; }
letter sad@x.example
run_all 'too long'
like "$(outcomes)" '^deferred sad@x.example 1 4.3.0 it took too long.*got TERM$' 'it is told to end, and its message waits'
ok 'its children are gone with it' until_true 40 gone
fresh
letter kind@x.example
run_all 'too long, and done'
like "$(outcomes)" '^delivered kind@x.example 1 2.0.0 .*got TERM$' 'whatever was delivered after all is'

# --- it does not read, or reads late; large content
fresh
printf '#!/bin/sh\nexit 0\n' >"$T/bin/deaf"
printf '#!/bin/sh\nexec cat >"%s/sum"\n' "$T" >"$T/bin/sum"
chmod +x "$T/bin/deaf" "$T/bin/sum"
routes "route \"x.example\" { pipe = \"$T/bin/deaf\" }" "route \"y.example\" { pipe = \"$T/bin/sum\" }" \
    "route \"m.example\" { maildir = \"$mail/%u\" }"
a_maildir y
{ cat "$T/letter"; seq 300000; } | smtp-submit -odq -oi -f s@d.example deaf@x.example y@m.example
{ cat "$T/letter"; seq 300000; } | smtp-submit -odq -oi -f s@d.example y@y.example
run_all 'two megabytes'
is "$(outcomes | cut -c1-9 | sort | uniq -c | tr -s ' ')" ' 3 delivered' 'all are delivered'
plain() { sed '/^Received/,/^\t.* 20[0-9][0-9] /d; s/@m.example/@y.example/' "$1" | sha256sum; }
is "$(plain "$T/sum")" "$(plain "$mail"/y/new/*)" 'what is read is what there is'

# --- bounces find their way to bounce-parse
fresh
routes "route \"bounces.example\" { pipe = \"$BUILD/bin/bounce-parse --json\" }"
cat >"$T/dsn" <<'E'
From: MAILER-DAEMON@peer.example
To: b+1@bounces.example
Subject: failed
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=x

--x
Content-Type: text/plain

no
--x
Content-Type: message/delivery-status

Reporting-MTA: dns; peer.example

Final-Recipient: rfc822; ann@peer.example
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user

--x--
E
smtp-submit -odq -oi -f '' b+1@bounces.example <"$T/dsn"
run_all 'a bounce arrives'
like "$(outcomes)" '^delivered b\+1@bounces.example 1 2.0.0 .*ann@peer.example' 'bounce-parse has read it'
done_testing
