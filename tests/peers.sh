# peers.sh - starts other people's mail servers, unpacked by scripts/peers, for tests and scripts/bench:
#     . "$TOP/tests/peers.sh"
#
# They run as root below a directory of ours, on a loopback port of their own, and borrow system
# accounts that every Debian has, since the packages' own users do not exist here.

PEERS=$TOP/build/peers
# Postfix wants a user and a group that own nothing else of its own choosing.
POSTFIX_USER=news
POSTFIX_GROUP=uucp

# free_port: a port of 127.0.0.1 that nobody listens on, below those that the kernel gives to clients,
# so that nobody gets it before the server does
free_port() {
	perl -MIO::Socket::INET -e 'for (1 .. 1000) {
	    my $p = 10000 + int rand 20000;
	    IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1", LocalPort => $p) or next;
	    IO::Socket::INET->new(Proto => "udp", LocalAddr => "127.0.0.1", LocalPort => $p) or next;
	    print $p and exit }'
}

# over: what `openssl x509` is told for a certificate that has expired; from 3.4 on these are dates, and no
# longer a negative number of days
over() {
	if openssl x509 -help 2>&1 | grep -q -e -not_after; then
		echo -not_before 20200101000000Z -not_after 20200201000000Z
	else
		echo -days -1
	fi
}

# answers PORT: a server greets there
answers() {
	perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1",
	    PeerPort => shift) or exit 1; exit((<$s> // "") =~ /^220/ ? 0 : 1)' "$1" 2>/dev/null
}

# postfix_here: whether a Postfix can be started; REASON says why not
postfix_here() {
	REASON=
	[ -f "$PEERS/postfix/libpath" ] || REASON='no Postfix in build/peers: scripts/peers postfix'
	[ "$(id -u)" -eq 0 ] || REASON='Postfix needs root to change its users'
	[ -z "$REASON" ]
}

# in_postfix COMMAND...: one of its programs, with its libraries and $POSTFIX_DIR's configuration
in_postfix() {
	LD_LIBRARY_PATH=$(cat "$PEERS/postfix/libpath") MAIL_CONFIG=$POSTFIX_DIR/etc \
	    PATH=$PEERS/postfix/usr/sbin:$PATH "$@"
}

postfix_dirs() {
	mkdir -p "$1/etc" "$1/data" "$1/queue/pid"
	for state in active bounce corrupt defer deferred flush hold incoming private saved trace; do
		install -d -o $POSTFIX_USER -m 700 "$1/queue/$state"
	done
	install -d -o $POSTFIX_USER -g $POSTFIX_GROUP -m 730 "$1/queue/maildrop"
	install -d -o $POSTFIX_USER -g $POSTFIX_GROUP -m 710 "$1/queue/public"
	chown $POSTFIX_USER "$1/data"
	# What is above must let Postfix's user through; mktemp -d makes it 700.
	chmod 755 "$1" "$1/etc" "$1/queue"
}

postfix_main_cf() {
	cat <<-END
	compatibility_level = 3.6
	queue_directory = $POSTFIX_DIR/queue
	data_directory = $POSTFIX_DIR/data
	command_directory = $PEERS/postfix/usr/sbin
	daemon_directory = $PEERS/postfix/usr/lib/postfix/sbin
	shlib_directory = $PEERS/postfix/usr/lib/postfix
	import_environment = LD_LIBRARY_PATH=$(cat "$PEERS/postfix/libpath") MAIL_CONFIG
	export_environment = LD_LIBRARY_PATH MAIL_CONFIG
	mail_owner = $POSTFIX_USER
	setgid_group = $POSTFIX_GROUP
	maillog_file_prefixes = $POSTFIX_DIR
	maillog_file = $POSTFIX_DIR/log
	inet_interfaces = 127.0.0.1
	inet_protocols = ipv4
	myhostname = postfix.example
	mydestination =
	alias_maps =
	alias_database =
	mynetworks = 127.0.0.0/8
	smtputf8_enable = yes
	message_size_limit = 0
	END
}

postfix_master_cf() {
	cat <<-END
	127.0.0.1:$1 inet n - n - - smtpd
	pickup    unix n - n 60 1 pickup
	cleanup   unix n - n - 0 cleanup
	qmgr      unix n - n 300 1 qmgr
	tlsmgr    unix - - n 1000? 1 tlsmgr
	rewrite   unix - - n - - trivial-rewrite
	bounce    unix - - n - 0 bounce
	defer     unix - - n - 0 bounce
	trace     unix - - n - 0 bounce
	verify    unix - - n - 1 verify
	flush     unix n - n 1000? 0 flush
	proxymap  unix - - n - - proxymap
	proxywrite unix - - n - 1 proxymap
	smtp      unix - - n - - smtp
	relay     unix - - n - - smtp
	showq     unix n - n - - showq
	error     unix - - n - - error
	retry     unix - - n - - error
	discard   unix - - n - - discard
	local     unix - n n - - local
	virtual   unix - n n - - virtual
	lmtp      unix - - n - - lmtp
	anvil     unix - - n - 1 anvil
	scache    unix - - n - 1 scache
	postlog   unix-dgram n - n - 1 postlogd
	END
}

# postfix_start DIR [main.cf line...]: below the new DIR; POSTFIX_PORT and POSTFIX_PID are set.
# Where it does not answer within 20 s its log is shown and 1 returned.
postfix_start() {
	POSTFIX_DIR=$1
	POSTFIX_PORT=$(free_port)
	shift
	postfix_dirs "$POSTFIX_DIR"
	postfix_main_cf >"$POSTFIX_DIR/etc/main.cf"
	for line; do echo "$line"; done >>"$POSTFIX_DIR/etc/main.cf"
	postfix_master_cf "$POSTFIX_PORT" >"$POSTFIX_DIR/etc/master.cf"
	# A session of its own: master ends its children by their process group.
	LD_LIBRARY_PATH=$(cat "$PEERS/postfix/libpath") MAIL_CONFIG=$POSTFIX_DIR/etc setsid \
	    "$PEERS/postfix/usr/lib/postfix/sbin/master" -c "$POSTFIX_DIR/etc" -d \
	    >"$POSTFIX_DIR/out" 2>&1 </dev/null &
	POSTFIX_PID=$!
	for _ in $(seq 200); do
		answers "$POSTFIX_PORT" && return 0
		kill -0 $POSTFIX_PID 2>/dev/null || break
		sleep 0.1
	done
	sed 's/^/# /' "$POSTFIX_DIR/out" "$POSTFIX_DIR/log" >&2
	return 1
}

# postfix_stop: ends it and what it started
postfix_stop() {
	[ -n "${POSTFIX_PID-}" ] || return 0
	kill "$POSTFIX_PID" 2>/dev/null
	wait "$POSTFIX_PID" 2>/dev/null
	POSTFIX_PID=
}

# exim_here: whether an Exim can be started; REASON says why not
exim_here() {
	REASON=
	[ -f "$PEERS/exim4-daemon-light/libpath" ] || REASON='no Exim in build/peers: scripts/peers exim4-daemon-light'
	unshare -m true 2>/dev/null || REASON='Exim needs a mount namespace, to have its user in it'
	[ -z "$REASON" ]
}

exim_conf() {
	cat <<-END
	primary_hostname = exim.example
	exim_path = $PEERS/exim4-daemon-light/usr/sbin/exim4
	keep_environment = LD_LIBRARY_PATH
	spool_directory = $EXIM_DIR/spool
	log_file_path = $EXIM_DIR/log/%s
	local_interfaces = <; 127.0.0.1.$EXIM_PORT
	disable_ipv6 = true
	tls_advertise_hosts = *
	tls_certificate = $EXIM_DIR/cert.pem
	tls_privatekey = $EXIM_DIR/key.pem
	chunking_advertise_hosts = ${1:-*}
	pipelining_connect_advertise_hosts =
	smtp_enforce_sync = true
	queue_only = true
	acl_smtp_rcpt = rcpt
	acl_smtp_data = accept
	begin acl
	rcpt:
	  deny  local_parts = no
	        message = no such person
	  defer local_parts = later
	        message = come back tomorrow
	  accept
	begin routers
	${EXIM_RELAY:+relay:
	  driver = manualroute
	  transport = relay
	  route_list = * 127.0.0.1
	  self = send}
	all:
	  driver = accept
	  transport = maildir
	begin transports
	${EXIM_RELAY:+relay:
	  driver = smtp
	  port = $EXIM_RELAY
	  hosts_require_tls = *
	  hosts_require_auth = *
	  tls_verify_hosts =
	  tls_try_verify_hosts =}
	maildir:
	  driver = appendfile
	  directory = $EXIM_DIR/mail
	  maildir_format
	  user = mail
	  group = mail
	END
	printf '%s\n' "${EXIM_AUTH-}"
}

# exim_start DIR CERT KEY [HOSTS-THAT-MAY-CHUNK]: delivers into DIR/mail/new; EXIM_PORT and EXIM_PID are set.
# EXIM_AUTH is the end of its configuration: authenticators.  With EXIM_RELAY, a port, all goes there instead,
# by TLS and with a login.
# Its binary looks for the user Debian-exim, who exists in its own view of /etc/passwd only.
exim_start() {
	EXIM_DIR=$1
	EXIM_PORT=$(free_port)
	install -d -o mail -g mail -m 755 "$1" "$1/spool" "$1/log" "$1/mail"
	install -o mail -m 400 "$2" "$1/cert.pem"
	install -o mail -m 400 "$3" "$1/key.pem"
	exim_conf "${4-}" >"$1/conf"
	{ cat /etc/passwd; sed -n 's/^mail:[^:]*:\([0-9]*:[0-9]*\):.*/Debian-exim:x:\1::\/:\/bin\/false/p' /etc/passwd; } >"$1/passwd"
	{ cat /etc/group; sed -n 's/^mail:[^:]*:\([0-9]*\):.*/Debian-exim:x:\1:/p' /etc/group; } >"$1/group"
	LD_LIBRARY_PATH=$(cat "$PEERS/exim4-daemon-light/libpath") setsid unshare -m sh -c '
		mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/group" /etc/group &&
		exec "$2" -C "$1/conf" -bdf' sh "$1" "$PEERS/exim4-daemon-light/usr/sbin/exim4" \
	    >"$1/out" 2>&1 </dev/null &
	EXIM_PID=$!
	for _ in $(seq 200); do
		answers "$EXIM_PORT" && return 0
		kill -0 $EXIM_PID 2>/dev/null || break
		sleep 0.1
	done
	sed 's/^/# /' "$1/out" "$1"/log/* >&2
	return 1
}

# exim_flush: what it has taken goes to DIR/mail/new; a receiving process, which is not setuid here, may not
exim_flush() {
	LD_LIBRARY_PATH=$(cat "$PEERS/exim4-daemon-light/libpath") nsenter -t "$EXIM_PID" -m -r -w \
	    "$PEERS/exim4-daemon-light/usr/sbin/exim4" -C "$EXIM_DIR/conf" -q </dev/null
}

exim_stop() {
	[ -n "${EXIM_PID-}" ] || return 0
	kill "$EXIM_PID" 2>/dev/null
	wait "$EXIM_PID" 2>/dev/null
	EXIM_PID=
}

# certificate DIR: cert.pem and key.pem for any name, valid a day
certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=peer.example \
	    -keyout "$1/key.pem" -out "$1/cert.pem" 2>/dev/null
}

# nsd_conf ADDRESS ZONE...: NSD's configuration, with each zone as a file in $T/zones
nsd_conf() {
	cat <<-END
	server:
		ip-address: $1
		do-ip6: no
		server-count: 1
		username: ""
		zonesdir: "$T/zones"
		pidfile: "$T/nsd.pid"
		logfile: "$T/nsd.log"
		zonelistfile: "$T/zone.list"
		xfrdfile: "$T/xfrd"
		xfrdir: "$T"
		database: ""
	remote-control:
		control-enable: no
	END
	shift
	for zone; do
		printf 'zone:\n\tname: "%s"\n\tzonefile: "%s"\n' "$zone" "$zone"
	done
}
