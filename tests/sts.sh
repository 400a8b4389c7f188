# sts.sh - certificates by certtool, and the web server of sts.py, for tests of MTA-STS and TLSRPT.

# ca NAME: an authority, NAME.pem and NAME.key
ca() {
	printf 'cn = "%s"\nca\ncert_signing_key\nexpiration_days = 90\n' "$1" >"$1.tmpl"
	certtool --generate-privkey --key-type ecdsa --curve secp256r1 --outfile "$1.key" 2>/dev/null &&
	    certtool --generate-self-signed --load-privkey "$1.key" --template "$1.tmpl" --outfile "$1.pem" 2>/dev/null
}

# cert FILE CA DNS-NAME [TEMPLATE-LINE...]: certificate, then its key, in FILE; the key alone in FILE.key
cert() {
	file=$1 by=$2 dns=$3
	shift 3
	{
		printf 'cn = "%s"\ndns_name = "%s"\ntls_www_server\nsigning_key\n' "$dns" "$dns"
		[ $# -gt 0 ] || set -- 'expiration_days = 30'
		printf '%s\n' "$@"
	} >"$file.tmpl"
	certtool --generate-privkey --key-type ecdsa --curve secp256r1 --outfile "$file.key" 2>/dev/null &&
	    certtool --generate-certificate --load-privkey "$file.key" --load-ca-certificate "$by.pem" \
	        --load-ca-privkey "$by.key" --template "$file.tmpl" --outfile "$file.crt" 2>/dev/null &&
	    cat "$file.crt" "$file.key" >"$file" && rm -f "$file.tmpl"
}

# policies_start: sts.py over $T/www; WEB is its port
policies_start() {
	rm -f "$T/web.port"
	bg python3 "$TOP/tests/sts.py" "$T/www" "$T/web.port" "$@"
	until_true 40 test -s "$T/web.port" || { echo 'Bail out! the web server did not start'; exit 1; }
	WEB=$(cat "$T/web.port")
}
# requests: how many there were
requests() { if [ -e "$T/www/log" ]; then wc -l <"$T/www/log"; else echo 0; fi; }

# state DOMAIN SECONDS: its remembered policy was fetched so much later (or, below 0, earlier), and sealed again
state() {
	python3 "$TOP/tests/stsstate.py" later "queue/state/sts/$1" "$2"
}
# remember QUEUE DOMAIN: a policy of it that lists the domain alone, fetched now, under an id that is no record's
remember() {
	mkdir -p "$1/state/sts"
	chmod 700 "$1" "$1/state" "$1/state/sts"
	python3 "$TOP/tests/stsstate.py" new "$1/state/sts/$2" "$2"
}
