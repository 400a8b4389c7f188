#!/bin/sh
# The examples start smtp-serve for real: inetd's line, the socket units, ipsvd's run script; each where
# the tool is here.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/serve.sh"
need python3

serve_conf 'serve { networks = "127.0.0.1" }'
RELAYKIT_CONFIG=$T/serve.conf RELAYKIT_QUEUE=$T/q
export RELAYKIT_CONFIG RELAYKIT_QUEUE
cat >"$T/client.py" <<'PY'
import smtplib, sys, time
for _ in range(200):
    try:
        s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]))
        break
    except OSError:
        time.sleep(0.05)
s.sendmail("a@x.example", "b@y.example", "Subject: s\r\n\r\nx")
print(s.quit()[0])
PY
port() {
	python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
# serves WHAT PORT
serves() {
	is "$(python3 "$T/client.py" "$2" 2>&1)" 221 "$1: a message"
	is "$(queued)" 1 "$1: is queued"
	empty_queue
}
example() {
	sed "s|@BINDIR@|$BUILD/bin|g" "$TOP/examples/$1"
}

if command -v systemd-socket-activate >/dev/null 2>&1; then
	exec_start=$(example relaykit-submission@.service | sed -n 's/^ExecStart=//p')
	p=$(port)
	# shellcheck disable=SC2086
	bg systemd-socket-activate --accept --inetd -E RELAYKIT_CONFIG -E RELAYKIT_QUEUE -l "127.0.0.1:$p" $exec_start 2>/dev/null
	serves 'a socket unit, Accept=yes' "$p"
	p=$(port)
	# shellcheck disable=SC2086
	bg systemd-socket-activate -E RELAYKIT_CONFIG -E RELAYKIT_QUEUE -l "127.0.0.1:$p" $exec_start 2>/dev/null
	serves 'a socket unit, Accept=no' "$p"
else
	result 0 'socket units # SKIP systemd-socket-activate is not here'
fi
if command -v systemd-analyze >/dev/null 2>&1; then
	mkdir "$T/units"
	for u in "$TOP"/examples/relaykit-submission*; do
		example "${u##*/}" >"$T/units/${u##*/}"
	done
	is "$(systemd-analyze verify --man=no "$T"/units/*.socket 2>&1 | grep -i submission)" '' 'systemd has nothing to say about the units'
fi
# What scripts/peers ipsvd openbsd-inetd unpacks.
tcpsvd=$(command -v tcpsvd || ls "$TOP"/build/peers/ipsvd/usr/bin/tcpsvd 2>/dev/null)
if [ -n "$tcpsvd" ]; then
	p=$(port)
	example relaykit-ipsvd.run | sed "s|exec tcpsvd|exec $tcpsvd|; s| 0 587 | 127.0.0.1 $p |" >"$T/run"
	bg sh "$T/run" >/dev/null
	serves 'ipsvd' "$p"
else
	result 0 'ipsvd # SKIP tcpsvd is not here'
fi
inetd=$(command -v inetd || ls "$TOP"/build/peers/openbsd-inetd/usr/sbin/inetd 2>/dev/null)
if [ -n "$inetd" ] && [ "$(id -u)" = 0 ]; then
	p=$(port)
	example relaykit.inetd | sed -n "s|^submission\t|127.0.0.1:$p\t|p" >"$T/inetd.conf"
	libs=$(cat "$TOP/build/peers/openbsd-inetd/libpath" 2>/dev/null)
	bg env ${libs:+"LD_LIBRARY_PATH=$libs"} "$inetd" -d "$T/inetd.conf" >/dev/null 2>&1
	serves 'inetd' "$p"
else
	result 0 'inetd # SKIP it is not here, or we are not root'
fi
done_testing
