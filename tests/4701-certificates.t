#!/bin/sh
# cert.h beside OpenSSL: for each chain and each way to insist on it the two say the same.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"

need openssl timeout perl xargs
PATH=$BUILD/helpers:$PATH
cd "$T" || exit 1

# --- chains: root -> sub -> leaf, and odd ones
key() {
	openssl ecparam -name prime256v1 -genkey -noout -out "$1.key" 2>/dev/null
}
# cert NAME ISSUER EXTENSIONS [OPTION...]: ISSUER "" is itself
cert() {
	name=$1 issuer=$2 ext=$3
	shift 3
	key "$name"
	openssl req -new -key "$name.key" -subj "/CN=$name" -out "$name.csr" 2>/dev/null
	printf '%s\n' "$ext" >"$name.ext"
	if [ -n "$issuer" ]; then
		openssl x509 -req -in "$name.csr" -CA "$issuer.pem" -CAkey "$issuer.key" -set_serial "$serial" \
		    -extfile "$name.ext" -out "$name.pem" "$@" 2>/dev/null
	else
		openssl x509 -req -in "$name.csr" -signkey "$name.key" -set_serial "$serial" -extfile "$name.ext" \
		    -out "$name.pem" "$@" 2>/dev/null
	fi
	serial=$((serial + 1))
}
serial=1000
ca_ext='basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash'
leaf_ext='basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth
subjectAltName=DNS:'
cert root '' "$ca_ext" -days 300
cert other '' "$ca_ext" -days 300
cert sub root "$ca_ext" -days 200
cert leaf sub "${leaf_ext}mx.example" -days 100
cert wild sub "${leaf_ext}*.example.net,DNS:alt.example" -days 100
cert wrong sub "${leaf_ext}elsewhere.example" -days 100
cert expired sub "${leaf_ext}mx.example" $(over)
cert client sub "basicConstraints=critical,CA:FALSE
extendedKeyUsage=clientAuth
subjectAltName=DNS:mx.example" -days 100
cert self '' "${leaf_ext}mx.example" -days 100
cert selfold '' "${leaf_ext}mx.example" $(over)
cert mx.example sub 'basicConstraints=critical,CA:FALSE' -days 100
cert oldsub root "$ca_ext" $(over)
cert underold oldsub "${leaf_ext}mx.example" -days 100
for l in leaf wild wrong expired client mx.example; do cat $l.pem sub.pem root.pem >$l.chain; done
cat leaf.pem >lonely.chain
cp leaf.key lonely.key
cp leaf.pem lonely.pem
cat leaf.pem sub.pem >short.chain
cp leaf.key short.key
cp leaf.pem short.pem
cat leaf.pem root.pem sub.pem >jumbled.chain
cp leaf.key jumbled.key
cp leaf.pem jumbled.pem
cat leaf.pem other.pem >unrelated.chain
cp leaf.key unrelated.key
cp leaf.pem unrelated.pem
cat self.pem >self.chain
cat selfold.pem >selfold.chain
cat underold.pem oldsub.pem root.pem >underold.chain

# rr USAGE SELECTOR MATCHING CERT: a record about it
rr() {
	if [ "$2" = 0 ]; then
		openssl x509 -in "$4.pem" -outform DER >rr.der
	else
		openssl x509 -in "$4.pem" -noout -pubkey | openssl pkey -pubin -outform DER >rr.der
	fi
	case $3 in
	0) hex=$(od -An -v -tx1 rr.der | tr -d ' \n') ;;
	1) hex=$(sha256sum <rr.der | cut -d' ' -f1) ;;
	2) hex=$(sha512sum <rr.der | cut -d' ' -f1) ;;
	esac
	echo "$1 $2 $3 $hex"
}

# serve CHAIN: OpenSSL's server with it on PORT
serve() {
	[ -z "${server-}" ] || { kill "$server"; wait "$server" 2>/dev/null; }
	chain=$1
	PORT=$(free_port)
	sed '1,/END CERT/d' "$chain.chain" >rest.pem
	set --
	[ ! -s rest.pem ] || set -- -cert_chain rest.pem
	openssl s_server -accept "127.0.0.1:$PORT" -cert "$chain.pem" -key "$chain.key" "$@" \
	    -no_ticket -quiet >server.out 2>&1 &
	server=$!
	bg_pids="$bg_pids $server"
	until_true 40 sh -c "echo Q | timeout 2 openssl s_client -connect 127.0.0.1:$PORT >/dev/null 2>&1"
}
# theirs OPTION...: OpenSSL's word
theirs() {
	timeout 10 openssl s_client -connect "127.0.0.1:$PORT" -servername mx.example -verify_return_error "$@" \
	    </dev/null >client.out 2>&1 && grep -q 'Verify return code: 0' client.out && echo good && return
	echo bad
}
ours() {
	certcheck "$@" "$chain.chain" >our.out 2>&1
	case $? in 0) echo good ;; 1) echo bad ;; *) echo broken ;; esac
}
# dane WANT WHAT NAME RECORD...
dane() {
	want=$1 what=$2 name=$3
	shift 3
	set_ours="-n $name" them="-dane_tlsa_domain $name -dane_ee_no_namechecks"
	for r; do
		echo "$r" >>records
	done
	# shellcheck disable=SC2086 # options are words
	o=$(while read -r r; do printf '%s\0%s\0' -t "$r"; done <records | xargs -0 sh -c '
	    chain=$1 opt=$2; shift 2; certcheck $opt "$@" "$chain.chain" >our.out 2>&1
	    case $? in 0) echo good ;; 1) echo bad ;; *) echo broken ;; esac' sh "$chain" "$set_ours")
	# shellcheck disable=SC2086
	t=$(while read -r r; do printf '%s\0%s\0' -dane_tlsa_rrdata "$r"; done <records | xargs -0 sh -c '
	    port=$1 opt=$2; shift 2
	    timeout 10 openssl s_client -connect "127.0.0.1:$port" -verify_return_error $opt "$@" </dev/null >client.out 2>&1 &&
	        grep -q "Verify return code: 0" client.out && echo good && exit
	    echo bad' sh "$PORT" "$them")
	rm records
	is "$o $t" "$want $want" "$chain: $what" || sed 's/^/# /' our.out
}
# ca WANT WHAT NAME CAFILE
ca() {
	o=$(ours -c "$4" -n "$3")
	t=$(theirs -CAfile "$4" -verify_hostname "$3")
	is "$o $t" "$1 $1" "$chain: $2" || sed 's/^/# /' our.out
}

# --- a leaf under a sub under a root
serve leaf
for s in 0 1; do
	for m in 0 1 2; do
		dane good "3 $s $m about it" mx.example "$(rr 3 $s $m leaf)"
		dane bad "3 $s $m about another" mx.example "$(rr 3 $s $m self)"
		dane good "2 $s $m about the sub" mx.example "$(rr 2 $s $m sub)"
		dane good "2 $s $m about the root" mx.example "$(rr 2 $s $m root)"
		dane bad "2 $s $m about another CA" mx.example "$(rr 2 $s $m other)"
	done
done
dane bad 'DANE-EE about the sub' mx.example "$(rr 3 1 1 sub)"
dane bad 'DANE-TA about the leaf' mx.example "$(rr 2 1 1 leaf)"
dane good 'DANE-EE whatever the name' elsewhere.example "$(rr 3 1 1 leaf)"
dane bad 'DANE-TA, another name' elsewhere.example "$(rr 2 1 1 root)"
dane good 'one of two records' mx.example "$(rr 3 1 1 self)" "$(rr 3 1 1 leaf)"
dane bad 'a weak digest does not help where a strong one is wrong' mx.example "$(rr 3 1 2 self)" "$(rr 3 1 1 leaf)"
dane good 'but where the strong one is of another selector' mx.example "$(rr 3 0 2 self)" "$(rr 3 1 1 leaf)"
ca good 'root trusted' mx.example root.pem
ca bad 'another root' mx.example other.pem
ca bad 'another name' elsewhere.example root.pem

serve wild
dane good 'DANE-TA, a wildcard' mx.example.net "$(rr 2 0 1 root)"
dane good 'DANE-TA, the other name' alt.example "$(rr 2 0 1 root)"
ca good 'a wildcard' mx.example.net root.pem
ca bad 'not for two labels' a.mx.example.net root.pem
ca bad 'nor for none' example.net root.pem
ca good 'letter case does not matter' MX.Example.NET root.pem

serve wrong
dane good 'DANE-EE' mx.example "$(rr 3 1 1 wrong)"
dane bad 'DANE-TA' mx.example "$(rr 2 1 1 root)"
ca bad 'CA' mx.example root.pem

serve expired
dane good 'DANE-EE' mx.example "$(rr 3 1 1 expired)"
dane bad 'DANE-TA' mx.example "$(rr 2 1 1 root)"
ca bad 'CA' mx.example root.pem
like "$(cat our.out)" '^certificate-expired: the certificate expired on 20[0-9][0-9]-[01][0-9]-[0-3][0-9]$' 'and says since when'

serve client
dane bad 'not for servers, DANE-TA' mx.example "$(rr 2 1 1 root)"
ca bad 'not for servers, CA' mx.example root.pem

serve self
dane good 'self-signed, DANE-EE' mx.example "$(rr 3 1 1 self)"
ca bad 'self-signed, CA' mx.example root.pem
like "$(cat our.out)" '^certificate-not-trusted: the certificate is self-signed$' 'and says so'
serve selfold
dane good 'self-signed and expired, DANE-EE' mx.example "$(rr 3 0 1 selfold)"

serve mx.example
dane good 'a common name alone, DANE-TA' mx.example "$(rr 2 1 1 root)"
# RFC 8461 4.1 wants a DNS name among the subjectAltNames, where OpenSSL takes the common name
is "$(ours -c root.pem -n mx.example)" bad 'mx.example: a common name alone, CA'

serve lonely
dane bad 'the anchor is not sent' mx.example "$(rr 2 1 1 root)"
dane bad 'nor is the sub, which the DNS has whole' mx.example "$(rr 2 0 0 root)"
dane good 'the sub stands in the DNS whole' mx.example "$(rr 2 0 0 sub)"
ca bad 'without the sub' mx.example root.pem
serve short
dane good 'the root stands in the DNS whole' mx.example "$(rr 2 0 0 root)"
dane bad 'the root only by its digest' mx.example "$(rr 2 0 1 root)"
ca good 'the root is known' mx.example root.pem
serve jumbled
dane good 'in any order, DANE-TA' mx.example "$(rr 2 0 1 root)"
ca good 'in any order, CA' mx.example root.pem
serve unrelated
dane bad 'an anchor in the chain that did not sign' mx.example "$(rr 2 0 1 other)"
serve underold
dane bad 'an expired sub, DANE-TA' mx.example "$(rr 2 0 1 root)"
ca bad 'an expired sub, CA' mx.example root.pem

# --- unusable records are as if they were not there (RFC 7672 3.1.3)
chain=leaf
hex=$(rr 3 1 1 leaf | cut -d' ' -f4)
for r in "0 1 1 $hex" "1 1 1 $hex" "4 1 1 $hex" "3 2 1 $hex" "3 1 3 $hex" "3 1 1 ${hex%??}" "3 1 2 $hex" '3 1 0 '; do
	is "$(ours -t "$r" -n mx.example)" bad "unusable: $(echo "$r" | cut -c1-9)..."
done
: >none.chain
chain=none
is "$(ours -t "3 1 1 $hex" -n mx.example; cat our.out)" "bad
validation-failure: the server shows no certificate" 'no certificate'
done_testing
