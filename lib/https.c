#include "https.h"

#include "io.h"
#include "prog.h"

#include <curl/curl.h>
#include <pthread.h>

struct call {
	const struct https_wish *w;
	struct https_answer *a;
	CURL *h;
	struct curl_slist *resolve, *connect, *headers;
	char error[CURL_ERROR_SIZE];
	bool too_much;
};

static size_t
take(char *p, size_t size, size_t n, void *arg)
{
	struct call *c = arg;

	n *= size;
	if (n > c->w->max - c->a->body.len) {
		c->too_much = true;
		return 0;
	}
	buf_add(&c->a->body, p, n);
	return n;
}

/* "HOST:PORT:ADDR,ADDR": libcurl asks nobody. */
static void
name_addrs(struct call *c)
{
	struct buf b = BUF_INIT;

	buf_fmt(&b, "%s:%u:", c->w->host, c->w->port);
	for (size_t i = 0; i < c->w->n_addrs; i++) {
		bool six = !net_addr_v4(&c->w->addrs[i]);

		buf_str(&b, i ? "," : "");
		buf_str(&b, six ? "[" : "");
		net_addr_text(&c->w->addrs[i], &b);
		buf_str(&b, six ? "]" : "");
	}
	c->resolve = curl_slist_append(NULL, b.s);
	curl_easy_setopt(c->h, CURLOPT_RESOLVE, c->resolve);
	buf_free(&b);
}

static void
set_body(struct call *c)
{
	struct buf b = BUF_INIT;

	buf_fmt(&b, "Content-Type: %s", c->w->type);
	c->headers = curl_slist_append(NULL, b.s);
	c->headers = curl_slist_append(c->headers, "Expect:"); /* no wait for a 100 that few servers say */
	curl_easy_setopt(c->h, CURLOPT_HTTPHEADER, c->headers);
	curl_easy_setopt(c->h, CURLOPT_POST, 1L);
	curl_easy_setopt(c->h, CURLOPT_POSTFIELDS, c->w->body.p);
	curl_easy_setopt(c->h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->w->body.n);
	buf_free(&b);
}

/* False where this libcurl cannot do what security asks for. */
static bool
set_bounds(struct call *c)
{
	int64_t left = c->w->deadline_ms - io_now_ms();

	if (left < 1)
		left = 1;
	return curl_easy_setopt(c->h, CURLOPT_URL, c->w->url) == CURLE_OK &&
#if LIBCURL_VERSION_NUM >= 0x075500
	    curl_easy_setopt(c->h, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
#else
	    curl_easy_setopt(c->h, CURLOPT_PROTOCOLS, (long)CURLPROTO_HTTPS) == CURLE_OK &&
#endif
	    curl_easy_setopt(c->h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
	    curl_easy_setopt(c->h, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
	    curl_easy_setopt(c->h, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
	    curl_easy_setopt(c->h, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	    curl_easy_setopt(c->h, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	    curl_easy_setopt(c->h, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
	    curl_easy_setopt(c->h, CURLOPT_PROXY, "") == CURLE_OK &&
	    curl_easy_setopt(c->h, CURLOPT_TIMEOUT_MS, (long)left) == CURLE_OK &&
	    curl_easy_setopt(c->h, CURLOPT_CONNECTTIMEOUT_MS,
	        (long)(left < HTTPS_CONNECT_MS ? left : HTTPS_CONNECT_MS)) == CURLE_OK &&
	    (!c->w->ca_file || curl_easy_setopt(c->h, CURLOPT_CAINFO, c->w->ca_file) == CURLE_OK);
}

static void
set_rest(struct call *c)
{
	curl_easy_setopt(c->h, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(c->h, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(c->h, CURLOPT_ERRORBUFFER, c->error);
	curl_easy_setopt(c->h, CURLOPT_USERAGENT, "relaykit/" PROG_VERSION);
	if (c->w->connect_to) {
		c->connect = curl_slist_append(NULL, c->w->connect_to);
		curl_easy_setopt(c->h, CURLOPT_CONNECT_TO, c->connect);
	} else {
		name_addrs(c);
	}
	if (c->w->type)
		set_body(c);
}

static int
perform(struct call *c, struct err *e)
{
	CURLcode rc = curl_easy_perform(c->h);
	const char *type = NULL;

	if (c->too_much)
		return err_set(e, EX_DATAERR, "it has more than %zu bytes", c->w->max);
	c->a->untrusted = rc == CURLE_PEER_FAILED_VERIFICATION || rc == CURLE_SSL_ISSUER_ERROR;
	if (rc != CURLE_OK)
		return err_set(e, rc == CURLE_SSL_CACERT_BADFILE ? EX_CONFIG : EX_TEMPFAIL, "%s",
		    c->error[0] ? c->error : curl_easy_strerror(rc));
	curl_easy_getinfo(c->h, CURLINFO_RESPONSE_CODE, &c->a->status);
	curl_easy_getinfo(c->h, CURLINFO_CONTENT_TYPE, &type);
	buf_str(&c->a->type, type ? type : "");
	return 0;
}

static void
begin(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

int
https_do(const struct https_wish *w, struct https_answer *a, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct call c = {.w = w, .a = a};
	int rc;

	*a = (struct https_answer)HTTPS_ANSWER_INIT;
	pthread_once(&once, begin);
	c.h = curl_easy_init();
	if (!c.h || !set_bounds(&c)) {
		rc = err_set(e, EX_UNAVAILABLE, "libcurl cannot do HTTPS as it is wanted");
	} else {
		set_rest(&c);
		rc = perform(&c, e);
	}
	curl_slist_free_all(c.resolve);
	curl_slist_free_all(c.connect);
	curl_slist_free_all(c.headers);
	if (c.h)
		curl_easy_cleanup(c.h);
	return rc;
}

void
https_free(struct https_answer *a)
{
	buf_free(&a->type);
	buf_free(&a->body);
	*a = (struct https_answer)HTTPS_ANSWER_INIT;
}

size_t
https_addrs(const struct asker *dns, const char *host, struct net_addr v[HTTPS_ADDRS_MAX])
{
	static const enum answers_type types[] = {ANSWERS_AAAA, ANSWERS_A};
	size_t n = 0;

	for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
		struct answers a = ANSWERS_INIT;

		answers_ask(dns, span_of(host), types[t], &a);
		for (size_t i = 0; i < a.n && n < HTTPS_ADDRS_MAX; i++)
			if (!net_addr_loopback(&a.v[i].addr))
				v[n++] = a.v[i].addr;
		answers_free(&a);
	}
	return n;
}

bool
https_type_is(const struct https_answer *a, const char *type)
{
	struct cur c = cur_of(a->type.s, a->type.len);

	return span_ieq(span_trim(cur_until(&c, ';')), span_of(type));
}
