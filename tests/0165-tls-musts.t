#!/bin/sh
# What RFC 8461 (MTA-STS), RFC 7672 (DANE for SMTP) and RFC 8460 (TLSRPT) say a sender MUST do, in short, each
# with the test that shows it; this file sees to it that none of them gets lost.
. "$(dirname "$0")/lib.sh"

# RFC SECTION | what a sender must do | file | a part of the test's name, or of its row
while IFS='|' read -r where what file test; do
	where=$(echo "$where" | sed 's/ *$//')
	what=$(echo "$what" | sed 's/^ *//; s/ *$//')
	file=$(echo "$file" | tr -d ' ')
	test=$(echo "$test" | sed 's/^ *//; s/ *$//')
	case $where in '' | '#'*) continue ;; esac
	ok "$where: $what" grep -qF -e "$test" "$TOP/tests/$file"
done <<'END'
8461 2     | no policy overrides a DANE validation that fails | 4030-sts.t | 8461 2: what DANE refuses no policy lets pass
8461 3.1   | the record begins with its version; the order of other fields does not count | 0160-sts.c | the version not first
8461 3.1   | fields nobody knows, in any order | 0160-sts.c | fields nobody knows, in any order
8461 3.1   | several records are none | 1530-mta-sts.t | 3.1: two records
8461 3.1   | a record that is syntactically invalid is none | 1530-mta-sts.t | 3.1: an id that is none
8461 3.1   | strings of a record are joined without blanks | 1530-mta-sts.t | 3.1: strings are joined
8461 3.2   | an mx has a line of its own | 0160-sts.c | two in one line
8461 3.2   | an mx is A-labels | 0160-sts.c | a U-label
8461 3.2   | unknown fields are passed over | 0160-sts.c | fields nobody knows
8461 3.2   | of a field that is there twice the first counts | 0160-sts.c | of two modes the first
8461 3.2   | lines end in LF or CRLF | 0160-sts.c | RFC 8461 3.2's example
8461 3.2   | max_age is at most 31557600 | 0160-sts.c | an age of a second too much
8461 3.3   | the policy host's certificate is for its name | 1530-mta-sts.t | 3.3: a certificate for another name
8461 3.3   | ... by a CA that is trusted | 1530-mta-sts.t | 3.3: a certificate by an unknown CA
8461 3.3   | ... and has not expired | 1530-mta-sts.t | 3.3: an expired certificate
8461 3.3   | redirects are not followed | 1530-mta-sts.t | 3.3: a redirect is not followed
8461 3.3   | any status but 200 is a failure | 1530-mta-sts.t | 3.3: any but 200
8461 3.3   | HTTP caching is not used | 1530-mta-sts.t | --refresh
8461 3.3   | a record, no policy, none remembered: delivery goes on | 4030-sts.t | 3.3: no policy to be had, and none remembered
8461 3.3   | a remembered policy that is valid is applied where no other can be had | 4030-sts.t | 3.3: without the web server too
8461 3.3   | a failed fetch is not repeated for five minutes under the same id | 1530-mta-sts.t | 3.3: the same id is not tried again at once
8461 3.3   | policies are refreshed before they end | 4030-sts.t | 3.3: a day old: refreshed behind a delivery
8461 3.4   | a relay is its own policy domain | 4030-sts.t | 3.4: a relay is held to its own policy
8461 3.4   | no policy is taken from the parent zone | 4030-sts.t | 3.4: no policy of the parent zone
8461 4.1   | a wildcard stands for one label | 0160-sts.c | a.b.example.com
8461 4.1   | a host that the policy does not name is not used | 4030-sts.t | 4.1, 5: a host that is not listed
8461 4.2   | the host's certificate has its name | 4030-sts.t | 4.2: a certificate for another name
8461 4.2   | ... by a CA that is trusted | 4030-sts.t | 4.2: a CA that is not trusted
8461 4.2   | ... and has not expired | 4030-sts.t | 4.2, 5: an expired certificate
8461 5     | enforce: no delivery without STARTTLS | 4030-sts.t | 5: no STARTTLS: not in clear
8461 5     | testing: delivered, and told of | 4030-sts.t | 5: testing: delivered all the same
8461 5     | none: as without a policy | 4030-sts.t | 5: none: as without
8461 5     | a failure is transient | 4030-sts.t | deferred, not in clear
8461 5.1   | the next candidate is tried | 4030-sts.t | 5.1: the next host of the MX set
8461 5.1   | a new policy is looked for before a message fails for good | 1530-mta-sts.t | 3.1: another id: fetched anew
8461 5.1   | a remembered policy counts for max_age, and no longer | 1530-mta-sts.t | 5.1: remembered for max_age seconds
8461 7.1   | SNI is the MX host's name | 4030-sts.t | 7.1: SNI
8461 7.2   | TLS 1.2 or newer | 4030-sts.t | 7.2: TLS 1.1
7672 2.1.2 | records that are not secure are none | 4020-dane.t | records of a zone that is not signed are none
7672 2.1.3 | a bogus or failed answer: the host is not used | 4020-dane.t | bogus records: not at all
7672 2.2   | secure records: never clear text | 4020-dane.t | no STARTTLS: not in clear
7672 2.2   | ... nor after a handshake that fails | 4020-dane.t | a failed handshake: not in clear
7672 2.2   | records of which none can be used demand TLS | 4020-dane.t | unusable records: any certificate
7672 2.2   | ... and still not clear text | 4020-dane.t | but not in clear
7672 2.2.1 | an MX set that is not secure names hosts without DANE | 4020-dane.t | nor are those of a host that an unsigned MX names
7672 2.2.2 | a configured relay has DANE by its own name | 4020-dane.t | those of a configured relay count
7672 2.2.1 | the next MX host is tried | 4020-dane.t | the next host of the MX set
7672 2.2.1 | a domain without MX is its own host | 4020-dane.t | an implicit MX
7672 3.1.1 | DANE-EE: names and dates do not count | 4020-dane.t | DANE-EE, whatever the name in the certificate
7672 3.1.2 | DANE-TA: dates count | 4020-dane.t | DANE-TA, expired
7672 3.1.3 | PKIX-TA and PKIX-EE are unusable | 4020-dane.t | odd.example	10 mx-odd.example
7672 3.2.2 | DANE-TA: the name counts | 4020-dane.t | DANE-TA, another name
7672 3.2   | one matching record is enough | 4020-dane.t | one of two records
7672 2.1   | without a validating resolver that is trusted there is no DANE | 4020-dane.t | its AD bit is not believed
8460 3     | several records are none | 1540-tls-report.t | 3: two records, or none: nobody asks
8460 4     | policies is an array | tlsrpt.py | 4: policies is no array
8460 4.4   | names and types of the report | 1540-tls-report.t | RFC 8460 4.4: its shape
8460 5.3   | multipart/report with its parts and header fields | 1540-tls-report.t | 5.3: the message
8460 5.3.1 | reports by mail: failures of MTA-STS and DANE do not count | 4030-sts.t | stream tls-report: MTA-STS and DANE do not count
8460 5.4   | POSTed with its media type | 1540-tls-report.t | 5.4: posted, gzip
8460 5.5   | a report that could not be sent is tried again | 1540-tls-report.t | is tried again by the next run
END
done_testing
