/* rulesc - writes what lib/rulesdata.c is made of: share/bounce.rules, read and made ready.
 *
 *     rulesc FILE > rules.inc
 *
 * Run by the Makefile on the machine that builds.  Nothing of what it writes depends on that machine. */
#include "buf.h"
#include "err.h"
#include "rules.h"

#include <stdio.h>
#include <stdlib.h>

#define NAME "bounce.rules"

static void
put_bytes(struct span s)
{
	putchar('"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < ' ' || c > '~' || c == '?') /* "??" begins a trigraph */
			printf("\\%03o", c);
		else
			putchar(c);
		if (c == '\n' || (i % 4096 == 4095 && i + 1 < s.n))
			printf("\"\n\"");
	}
	putchar('"');
}

static void
put_span(struct span s)
{
	printf("{");
	put_bytes(s);
	printf(", %zu}", s.n);
}

/* The text without its samples and comments; lines keep their numbers. */
static void
put_text(struct span text)
{
	struct cur c = cur_span(text);
	struct buf out = BUF_INIT;
	struct span line;

	while (cur_line(&c, &line)) {
		struct cur columns = cur_span(line);

		for (size_t i = 0; i < 4 && line.n > 0 && *line.p != '#'; i++) {
			struct span column = cur_until(&columns, '\t');

			if (i > 0)
				buf_ch(&out, '\t');
			buf_add(&out, column.p, column.n);
			cur_ch(&columns, '\t');
		}
		buf_ch(&out, '\n');
	}
	printf("const char rules_shipped[] =\n");
	put_bytes((struct span){out.s, out.len});
	printf(";\nconst size_t rules_shipped_len = %zu;\n", out.len);
	buf_free(&out);
}

static void
put_conds(const struct rule *rule, size_t i)
{
	if (rule->n_conds == 0)
		return;
	printf("static const struct rules_cond conds_%zu[] = {", i);
	for (unsigned k = 0; k < rule->n_conds; k++) {
		const struct rules_cond *c = &rule->conds[k];

		printf("{");
		put_span(c->w);
		printf(", %d, %d, %d, %d},\n", c->is, c->phase, c->negated, c->more);
	}
	printf("};\n");
}

static void
put_rule(const struct rule *rule, size_t i)
{
	const struct span spans[] = {rule->what, rule->site, rule->when, rule->pattern, {"", 0}, rule->code};

	printf("{");
	for (size_t k = 0; k < sizeof spans / sizeof *spans; k++) {
		put_span(spans[k]);
		printf(", ");
	}
	if (rule->n_conds > 0)
		printf("conds_%zu", i);
	else
		printf("NULL");
	printf(", %u, %d, %u, \"" NAME "\"},\n", rule->n_conds, rule->is, rule->line);
}

static void
put_shorts(const char *set, const char *name, const uint16_t *v, size_t n)
{
	printf("static const uint16_t %s_%s[] = {", set, name);
	for (size_t i = 0; i < n; i++)
		printf("%s%u,", i % 16 ? "" : "\n", v[i]);
	printf("0};\n"); /* never empty */
}

static void
put_longs(const char *set, const char *name, const uint64_t *v, size_t n)
{
	printf("static const uint64_t %s_%s[] = {", set, name);
	for (size_t i = 0; i < n; i++)
		printf("%s0x%llx,", i % 8 ? "" : "\n", (unsigned long long)v[i]);
	printf("};\n");
}

static void
put_sites(const char *set, const struct rules_set *s, size_t words)
{
	char name[32];

	for (size_t i = 0; i < s->n_sites; i++) {
		snprintf(name, sizeof name, "site_%zu", i);
		put_longs(set, name, s->site[i].rules, words);
	}
	printf("static const struct rules_site %s_site[] = {\n", set);
	for (size_t i = 0; i < s->n_sites; i++) {
		printf("{");
		put_span(s->site[i].name);
		printf(", %s_site_%zu},\n", set, i);
	}
	printf("{{NULL, 0}, NULL}};\n");
}

static void
put_set(const char *name, const struct rules_set *s, size_t rules)
{
	char part[] = "free_0", begin[] = "begin_a", ask[] = "ask_0";

	put_shorts(name, "v", s->v, s->n);
	put_shorts(name, "at", s->at, PATTERN_BUCKETS + 1);
	put_shorts(name, "owner", s->owner, s->n_owners);
	put_longs(name, "some", s->some, RULES_KEY_BITS / 64);
	put_longs(name, "names", s->names, rules / 64 + 1);
	put_longs(name, "literal", s->literal, rules / 64 + 1);
	put_longs(name, "address", s->address, rules / 64 + 1);
	put_longs(name, "any", s->any, rules / 64 + 1);
	for (size_t a = 0; a < RULES_ASKS; a++) {
		ask[4] = (char)('0' + a);
		put_longs(name, ask, s->ask[a], rules / 64 + 1);
	}
	for (size_t b = 0; b < RULES_BEGINS; b++) {
		begin[6] = (char)('a' + b);
		put_longs(name, begin, s->begin[b], rules / 64 + 1);
	}
	put_sites(name, s, rules / 64 + 1);
	for (size_t p = 0; p < PATTERN_PARTS; p++) {
		part[5] = (char)('0' + p);
		put_longs(name, part, s->free[p], rules / 64 + 1);
	}
	printf("static const struct rules_key %s_key[] = {\n", name);
	for (size_t k = 0; k < s->n_keys; k++)
		printf("{0x%x, %u, %u, %u, %u, %u},\n", s->key[k].gram, s->key[k].literal, s->key[k].owner,
		    s->key[k].owners, s->key[k].before, s->key[k].behind);
	printf("{0, 0, 0, 0, 0, 0}};\n");
}

static void
name_set(const char *name, const struct rules_set *s)
{
	const char *n = name;

	printf(".%s = {.v = %s_v, .n = %zu, .key = %s_key, .n_keys = %zu, .at = %s_at,\n", n, n, s->n, n, s->n_keys, n);
	printf(".owner = %s_owner, .n_owners = %zu, .some = %s_some, .names = %s_names,\n", n, s->n_owners, n, n);
	printf(".address = %s_address, .any = %s_any, .site = %s_site, .n_sites = %zu,\n", n, n, n, s->n_sites);
	printf(".literal = %s_literal, .free = {", n);
	for (size_t p = 0; p < PATTERN_PARTS; p++)
		printf("%s_free_%zu, ", n, p);
	printf("}, .ask = {");
	for (int a = 0; a < RULES_ASKS; a++)
		printf("%s_ask_%d, ", n, a);
	printf("}, .begin = {");
	for (int b = 0; b < RULES_BEGINS; b++)
		printf("%s_begin_%c, ", n, 'a' + b);
	printf("}, .literals =\n");
	put_span(s->literals);
	printf("},\n");
}

static void
put_rules(const struct rules *r)
{
	for (size_t i = 0; i < r->n; i++)
		put_conds(&r->v[i], i);
	printf("static const struct rule v[] = {\n");
	for (size_t i = 0; i < r->n; i++)
		put_rule(&r->v[i], i);
	printf("};\n");
	put_set("reasons", &r->reasons, r->n);
	put_set("lines", &r->lines, r->n);
	printf("static const struct rules_host hosts[] = {\n");
	for (size_t i = 0; i < r->n_hosts; i++) {
		printf("{");
		put_span(r->hosts[i].tail);
		printf(", ");
		put_span(r->hosts[i].site);
		printf(", %d},\n", r->hosts[i].last);
	}
	printf("{{NULL, 0}, {NULL, 0}, 0}};\n");
	printf("const struct rules rules_shipped_ready = {.v = v, .n = %zu,\n", r->n);
	name_set("reasons", &r->reasons);
	name_set("lines", &r->lines);
	printf(".hosts = hosts, .n_hosts = %zu, .fields = {", r->n_hosts);
	for (size_t i = 0; i < RULES_FIELD_BITS / 64; i++)
		printf("0x%llx, ", (unsigned long long)r->fields[i]);
	printf("}};\n");
}

int
main(int argc, char *argv[])
{
	struct rules r = {.n = 0};
	struct err e = ERR_INIT;
	struct buf text = BUF_INIT;
	FILE *f = argc == 2 ? fopen(argv[1], "r") : NULL;
	int c;

	if (!f) {
		fprintf(stderr, "usage: rulesc FILE > rules.inc\n");
		return EX_USAGE;
	}
	while ((c = getc(f)) != EOF)
		buf_ch(&text, (char)c);
	fclose(f);
	if (rules_add(&r, (struct span){text.s, text.len}, NAME, &e)) {
		fprintf(stderr, "rulesc: %s\n", err_text(&e));
		return e.code;
	}
	rules_ready(&r);
	put_text((struct span){text.s, text.len});
	put_rules(&r);
	rules_free(&r);
	buf_free(&text);
	err_free(&e);
	return fflush(stdout) || ferror(stdout) ? EX_IOERR : 0;
}
