#!/bin/sh
# smtp-submit: setgid to the submitters' group, from other uids; what it links.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/submit.sh"

# Every library that starts with it costs a millisecond and is a door.
is "$(ldd "$BUILD/bin/smtp-submit" | grep -cE 'gnutls|ldns|libidn|jansson|crypto|libssl|nettle')" 0 \
    'neither TLS nor DNS nor a JSON parser is linked'
is "$(readelf -d "$BUILD/bin/smtp-submit" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' |
    grep -vE '^(libc|libasan|libubsan|libtsan|libm|libpthread|ld-linux.*)\.so' | tr '\n' ' ')" '' \
    'only libc'

if [ "$(id -u)" -ne 0 ] || ! unshare -m true 2>/dev/null; then
	result 0 'from other uids # SKIP not root, or no namespaces'
	done_testing
fi
chmod 755 "$T"
mkdir "$T/bin"
cp "$BUILD/bin/smtp-submit" "$T/bin/"
chmod 755 "$T/bin"
cat >"$T/bin/smtp-deliver" <<'EOP'
#!/bin/sh
{ id -u; id -g; id -G; tr '\0' ' ' <"/proc/$$/status" | sed -n 's/^Gid://p'; echo "$RELAYKIT_QUEUE|$HOME|$PATH"; } >"$(dirname "$0")/../ran"
EOP
chmod 755 "$T/bin/smtp-deliver"
owner=4201 group=4202 user=4203

# shared: a queue of $owner whose new/ the submitters' group may add to
shared() {
	fresh
	mkdir -m 755 "$RELAYKIT_QUEUE"
	mkdir -m 1730 "$RELAYKIT_QUEUE/new"
	mkdir -m 700 "$RELAYKIT_QUEUE/state"
	chown "$owner" "$RELAYKIT_QUEUE" "$RELAYKIT_QUEUE/state"
	chown "$owner:$group" "$RELAYKIT_QUEUE/new"
	chmod 1730 "$RELAYKIT_QUEUE/new"
}
run_as() {
	setpriv --reuid "$user" --regid "$user" --clear-groups "$@"
}
shared
chmod 755 "$T/bin/smtp-submit"
run_as "$T/bin/smtp-submit" -f a@x b@x </dev/null 2>"$T/err"
is "$?" 77 'without the group: no permission'
is "$(cat "$T/err")" "smtp-submit: queue $RELAYKIT_QUEUE: create in new: Permission denied" 'is said'
setpriv --reuid "$user" --regid "$user" --groups "$group" "$T/bin/smtp-submit" -f a@x b@x </dev/null
is "$? $(entries)" '0 1' 'a member of the group may'
is "$(stat -c '%a %u %g' "$(entry)")" "660 $user $group" 'its mode and its group let the deliverer take it'
chmod 710 "$RELAYKIT_QUEUE"
cp "$BUILD/bin/smtp-queue" "$T/bin/"
for p in 'smtp-queue list' 'smtp-submit -f a@x b@x'; do
	# shellcheck disable=SC2086 # words
	run_as "$T/bin/"$p </dev/null 2>"$T/err"
	is "$? $(cat "$T/err")" "77 ${p%% *}: queue $RELAYKIT_QUEUE: belongs to uid $owner, and this is uid $user" \
	    "${p%% *}: whose it is, where nobody else may look"
done
chmod 755 "$RELAYKIT_QUEUE"
like "$(envelope)" "^user=$user\$" 'the uid is told'

# setgid
if ldd "$BUILD/bin/smtp-submit" | grep -qE 'lib[atl]san'; then
	result 0 'setgid # SKIP the leak checker cannot look into a setgid process'
	done_testing
fi
# Under AT_SECURE only /etc/relaykit.conf and the default queue count, so both stand in a namespace.
chgrp "$group" "$T/bin/smtp-submit"
chmod 2755 "$T/bin/smtp-submit"
# run_setgid ARGUMENT...: where the temporary directory is mounted without set-id programs (Debian 13's), $T/bin is not
run_setgid() {
	unshare -m sh -c 'mount --bind "$1" "$1" && mount -o remount,bind,suid "$1" || exit 99
		shift && exec "$@"' sh "$T/bin" setpriv --reuid "$user" --regid "$user" --clear-groups \
	    "$T/bin/smtp-submit" "$@"
}
run_setgid -C "$T/conf" b@x </dev/null 2>"$T/err"
is "$? $(cat "$T/err")" "64 smtp-submit: -C: not while this program has its owner's rights" 'setgid: no -C'
run_setgid --config "$T/conf" b@x </dev/null 2>"$T/err"
is "$? $(cat "$T/err")" "64 smtp-submit: -C: not while this program has its owner's rights" 'nor --config'
run_setgid --queue "$T/queue" b@x </dev/null 2>"$T/err"
is "$? $(cat "$T/err")" "64 smtp-submit: --queue: not while this program has its owner's rights" 'nor --queue'
mkdir "$T/etc"
cat >"$T/ns.sh" <<'EOP'
# $1 the test's directory: /etc is a copy whose relaykit.conf names its queue; $2 uid
mount -t tmpfs none "$1/etc" || exit 1
cp /etc/passwd /etc/nsswitch.conf "$1/etc/" 2>/dev/null
cp /etc/ld.so.cache "$1/etc/" 2>/dev/null
printf 'queue = "%s"\nhostname = h.example\ndomain = etc.example\ndelivery = background\n' "$1/queue" >"$1/etc/relaykit.conf"
mount --bind "$1/etc" /etc
mount --bind "$1/bin" "$1/bin" && mount -o remount,bind,suid "$1/bin" || exit 1
rm -f "$1/ran"
echo hi | RELAYKIT_QUEUE=/nowhere RELAYKIT_CONFIG=/nowhere TZ=:/nowhere HOME=/nowhere \
    setpriv --reuid "$2" --regid "$2" --clear-groups "$1/bin/smtp-submit" -f a b@x
EOP
in_etc() {
	unshare -m sh "$T/ns.sh" "$T" "$1" 2>"$T/err"
}
shared
in_etc "$user"
is "$? $(entries) $(cat "$T/err")" '0 1 ' 'setgid: only /etc/relaykit.conf is read, whatever the environment says'
like "$(envelope)" '^sender=<a@etc\.example>$' 'and its domain used'
is "$(stat -c '%a %u %g' "$(entry)")" "660 $user $group" 'the entry belongs to the user and the group'
is "$(test -e "$T/ran"; echo $?)" 1 'a stranger starts no run'
# The queue's owner may start one, and it does not get the group.
shared
in_etc "$owner"
is "$? $(entries)" '0 1' 'the owner submits through the setgid program'
chmod 777 "$T"
shared
in_etc "$owner"
until_true 40 grep -q '|' "$T/ran"
is "$(sed -n 1,2p "$T/ran" | tr '\n' ' ')" "$owner $owner " 'a run is started as the owner, without the group'
like "$(sed -n 4p "$T/ran")" "^[[:space:]]*${owner}[[:space:]]+${owner}[[:space:]]+${owner}[[:space:]]+${owner}" 'saved and filesystem ids included'
like "$(sed -n 5p "$T/ran")" '^\|\|' 'with an empty environment'
# Others' entries cannot be listed, read or removed with the group's rights.
shared
in_etc "$user"
is "$(setpriv --reuid "$user" --regid "$user" --groups "$group" ls "$RELAYKIT_QUEUE/new" 2>&1 | grep -c 'Permission denied')" 1 \
    'the group cannot list new/'
setpriv --reuid 4204 --regid 4204 --groups "$group" rm -f "$(entry)" 2>/dev/null
is "$(entries)" 1 "nor remove another's entry"
done_testing
