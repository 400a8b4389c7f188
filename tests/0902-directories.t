#!/bin/sh
# A directory where a file is read is no trouble of the machine that might pass: each utility says so and exits 66.
. "$(dirname "$0")/lib.sh"
mkdir "$T/dir" "$T/q"
RELAYKIT_QUEUE=$T/q
RELAYKIT_CONFIG=$T/conf
export RELAYKIT_QUEUE RELAYKIT_CONFIG
printf 'hostname = h.example\n' >"$T/conf"
dkim-keygen -d x.example -s s -o "$T/key.pem" >/dev/null
cd "$T" || exit 1

# named WHAT... dir ...: as an argument; given WHAT...: as standard input
named() {
	fails "$*" 66 "$1: ${said-}dir: it is a directory" sh -c '"$@" </dev/null' "$1" "$@"
}
given() {
	fails "$* <dir" 66 "$1: ${said-}it is a directory" sh -c '"$@" <dir' "$1" "$@"
}
named bounce-parse --rules dir
named bounce-parse --reclassify dir
named suppress import dir
for u in dkim-verify 'spf-check --ip 192.0.2.1 a@x.example' 'sender-check x.example' 'mta-sts x.example' \
    'tls-report x.example' 'dkim-keygen --check -d x.example -s s -k key.pem'; do
	# shellcheck disable=SC2086 # words
	named $u --keys dir
	# shellcheck disable=SC2086
	named $u --overlay dir
done
named sender-check --message dir --overlay /dev/null x.example
said='key ' named dkim-sign -s s -k dir
said='key ' named dkim-keygen --record -d x.example -s s -k dir
given bounce-parse
given bounce-parse --reclassify
given mx-lookup
given dkim-sign --batch mbox -s s -k key.pem
for u in 'dkim-sign -s s -k key.pem' 'dkim-verify --overlay /dev/null' 'smtp-submit -odq -bS' 'smtp-queue hold -' \
    'suppress import' 'suppress add'; do
	# shellcheck disable=SC2086
	said='stdin: ' given $u
done
said='header section: stdin: ' given smtp-submit -odq ann@example.org
touch users
given smtp-passwd --users users add ann
fails 'smtp-passwd --users dir' 66 'smtp-passwd: dir: it is a directory' smtp-passwd --users dir list
# What is missing may be; a directory in its place is not missing.
mkdir -p home/relaykit.conf
fails 'a configuration that is none' 78 "smtp-queue: $T/home/relaykit.conf: it is a directory" \
    env -u RELAYKIT_CONFIG XDG_CONFIG_HOME="$T/home" smtp-queue list
# Nor is no name at all the name of a queue.
for u in 'smtp-submit -odq -f ann@example.org bob@example.org' 'smtp-queue count' 'smtp-queue hold --all' smtp-deliver \
    'suppress list' 'bounce-parse --apply'; do
	# shellcheck disable=SC2086
	set -- $u
	u=$1
	shift
	fails "$u, a queue without a name" 64 "$u: queue: \"\" is not a path" "$u" --queue '' "$@" </dev/null
done
done_testing
