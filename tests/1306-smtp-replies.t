#!/bin/sh
# Replies as they are found in the world: what is meant is understood, and what is no reply is a deferral with the
# reason, and no hang.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rules.sh"
peer_start peer

# --- replies that are fine

for reply in '250' '250 ' '250 ok' '250-\r\n250' '200 fine' '251 forwarded' '250ok' '250 2.1.0' \
    '250 4.1.0 odd' '250 \xc3\xbc'; do
	for point in MAIL RCPT dot; do
		says "$point raw $reply\r\n"
		like "$(outcomes)" '^delivered u@x.example 1 2[05][01] ' "$point: $reply"
	done
done
says 'dot raw 250 2.0.0 with \x1b[31m control\x07 characters\r\n'
like "$(outcomes)" '^delivered u@x.example 1 250 2.0.0 with \\u001b\[31m' 'a control character is no reason to send it twice'
says 'dot 250-2.0.0 one|250-2.0.0 two|250 2.0.0 three'
is "$(outcomes)" 'delivered u@x.example 1 250 2.0.0 one\ntwo\nthree' 'lines are joined, their codes taken off'

# Which code, which status, which words.
while IFS=' ' read -r reply want; do
	says "RCPT $(printf %s "$reply" | tr _ ' ')"
	is "$(outcomes | sed 's/ *$//')" "$(printf '%s\n' "$want" | sed 's/ u / u@x.example 1 /')" "$reply"
done <<'E'
550_5.1.1_no bounced u 550 5.1.1 no
550_5.1.1 bounced u 550 5.1.1 
550 bounced u 550  
550_ bounced u 550  
550no bounced u 550  no
550_#5.1.1_no bounced u 550 5.1.1 no
550_5.1.1:_no bounced u 550 5.1.1 : no
550_5.1.1.2_no bounced u 550  5.1.1.2 no
550_4.1.1_no bounced u 550  4.1.1 no
550_5.1_no bounced u 550  5.1 no
550_5.1.1000_no bounced u 550  5.1.1000 no
450_4.999.999_x deferred u 450 4.999.999 x
599_x bounced u 599  x
450-4.2.0_a|450_4.2.0_b deferred u 450 4.2.0 a\nb
450-a|450_4.2.0_b deferred u 450 4.2.0 a\nb
452_4.5.3_too_many deferred u 452 4.5.3 too many
E

# --- replies that are none

# MAIL and what follows, so that every reply has been asked for
while IFS= read -r reply; do
	says "MAIL raw $reply"
	wait_for ' 4.4.2 MAIL: '
	is "$(connections)" 1 'the connection is given up'
done <<'E'
25x ok\r\n
25\r\n
999 ok\r\n
100 ok\r\n
600 ok\r\n
\r\n
 250 ok\r\n
-250 ok\r\n
+OK\r\n
250 ok\n
250 o\0k\r\n
250 o\rk\r\n
250-a\r\n251 b\r\n
250-a\r\n550 b\r\n
\0\0\0\0\r\n
HTTP/1.1 400 Bad Request\r\n\r\n
E

for point in connect EHLO MAIL RCPT DATA dot; do
	says 'offer PIPELINING' "$point flood 1048576 250 "
	wait_for ' 4.4.[12] .*line over 4096 bytes'
done
python3 -c 'print("offer PIPELINING\nMAIL " + "250-more|" * 20000 + "250 end")' >"$T/endless"
script <"$T/endless"
letter u@x.example
run_all 'a reply of 20,000 lines'
wait_for ' 4.4.2 MAIL: reply 250: over 65536 bytes'

done_testing
