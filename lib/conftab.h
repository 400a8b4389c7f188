/* conftab.h - tables of configuration keys, and a file read by them.
 *
 * A module that has something to configure declares a table: the keys of one section, each with its
 * type, default, range and place in a struct of the module's own.  conf.c lists the tables of all
 * modules; so every program knows every section, and a key that is none is EX_CONFIG with file:line
 * everywhere, whoever reads the file.
 *
 *     serve { recipients = 100 }               one: the struct is always there, with the defaults
 *     listen "submission" { port = 587 }       titled: one struct a section, in the file's order
 */
#ifndef CONFTAB_H
#define CONFTAB_H

#include "cur.h"
#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum conftab_type {
	CONFTAB_TEXT,        /* char *: NULL until set; ours */
	CONFTAB_WORDS,       /* an enum: the index of the word */
	CONFTAB_BOOL,        /* bool: yes no true false on off */
	CONFTAB_NUMBER,      /* uint64_t, like those below */
	CONFTAB_SIZE,        /* bytes: 1000, "64K" */
	CONFTAB_SECONDS,     /* 90, "15m", "4h", "5d" */
	CONFTAB_MILLISECONDS /* the same, and "500ms" */
};

struct conftab_key {
	const char *name;
	enum conftab_type type;
	const char *deflt;      /* as the file would have it; NULL: begin() or the system decides */
	size_t at;              /* offset of the field */
	uint64_t min, max;      /* of numbers; durations in seconds */
	const char *words;      /* of WORDS: in the order of the enum, a space between two */
	bool (*ok)(const char *text); /* of TEXT; NULL: anything */
	const char *is;         /* "a host name": what text that is not ok is not */
};

struct conftab_section {
	const char *name;       /* NULL: the file itself, outside of sections */
	const struct conftab_key *keys;
	size_t n_keys, size;    /* size of the struct */
	bool titled;            /* any number, each with a title; else one */
	size_t title_at;        /* char *: the title */
	bool (*title_ok)(const char *title);
	const char *title_is;   /* "neither a domain, nor ...": why a title is refused */
	/* Behind the defaults and the title, before the keys of the file; base is the struct of the
	 * file itself, complete.  May be NULL, like check, which is last. */
	void (*begin)(void *item, const void *base);
	int (*check)(const void *item, struct err *e);
};

struct conftab_list {
	const struct conftab_section *section;
	void *items; /* n of section->size */
	size_t n;
};
struct conftab { /* what a file said in sections */
	struct conftab_list *v;
	size_t n;
};

/* Text over the defaults: the keys outside of sections into base, the sections (a NULL behind the
 * last) into t.  EX_CONFIG.  conftab_free() and conftab_clear(file, base, 1) in any case. */
int conftab_parse(struct conftab *t, const struct conftab_section *file, void *base,
    const struct conftab_section *const *sections, const char *name, struct span text,
    struct err *e);
void conftab_free(struct conftab *t);

/* The structs of a section: one where it is not titled.  NULL and 0 where no file was parsed. */
void *conftab_items(const struct conftab *t, const struct conftab_section *s, size_t *n);
/* The same, which are now the caller's: conftab_clear() and free(). */
void *conftab_take(struct conftab *t, const struct conftab_section *s, size_t *n);
/* Frees the texts of n structs, not the structs. */
void conftab_clear(const struct conftab_section *s, void *items, size_t n);

/* A copy of text takes the place of what field, a char *, points to. */
void conftab_text(char **field, const char *text);

/* --- kinds of values that tables share */

bool conftab_some(const char *text); /* "a path": not empty */
bool conftab_host(const char *text); /* a domain name, or an address literal in brackets */
#define CONFTAB_HOST_MAX 255
/* The same at a cursor, without the length. */
bool conftab_cur_host(struct cur *c);

#define CONFTAB_TLS_WORDS "auto none may encrypt dane verify sts" /* enum conf_tls */

/* EX_USAGE */
int conftab_duration(const char *text, uint64_t *seconds, struct err *e);
int conftab_size(const char *text, uint64_t *bytes, struct err *e);

#endif
