/* fuzz.h - one shape for every fuzz target: LLVMFuzzerTestOneInput, and with REPLAY a main that
 * runs it over the files of tests/data/fuzz/NAME (each argument: a file or a directory). */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#ifdef REPLAY
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int replay_count;

static void
replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	char *p;
	long n;

	if (!f || fseek(f, 0, SEEK_END) != 0 || (n = ftell(f)) < 0 || fseek(f, 0, SEEK_SET) != 0) {
		perror(path);
		exit(1);
	}
	p = malloc((size_t)n + 1);
	if (!p || fread(p, 1, (size_t)n, f) != (size_t)n) {
		perror(path);
		exit(1);
	}
	fclose(f);
	LLVMFuzzerTestOneInput((const uint8_t *)p, (size_t)n);
	free(p);
	replay_count++;
}

int
main(int argc, char *argv[])
{
	for (int i = 1; i < argc; i++) {
		DIR *d = opendir(argv[i]);
		const struct dirent *e;
		char path[4096];

		if (!d) {
			replay_file(argv[i]);
			continue;
		}
		while ((e = readdir(d)))
			if (e->d_name[0] != '.') {
				snprintf(path, sizeof path, "%s/%s", argv[i], e->d_name);
				replay_file(path);
			}
		closedir(d);
	}
	printf("%d inputs\n", replay_count);
	return replay_count > 0 ? 0 : 1;
}
#endif
#endif
