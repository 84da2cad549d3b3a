/* The native shim as a function: its whole program, run again and again in one process, and what it wrote. */

#define main keyring_main
#include "keyring_shim.c"
#undef main

#include <stdio.h>
#include <sys/mman.h>

#define WRITTEN_BYTES (OUTPUT_BYTES + 1) /* nothing that a shim writes is longer */

typedef struct {
	int code;
	size_t counts[2];
	char out[WRITTEN_BYTES], err[WRITTEN_BYTES];
} Ended;

static void ensure(bool held, const char *claim)
{
	if (held)
		return;
	dprintf(2, "not so: %s\n", claim);
	abort();
}

static int memory_file(void)
{
	int file = memfd_create("written", 0);
	ensure(file >= 0, "there are files in memory");
	return file;
}

static size_t take_written(int file, char *bytes)
{
	ssize_t count = pread(file, bytes, WRITTEN_BYTES, 0);
	ensure(count >= 0 && ftruncate(file, 0) == 0 && lseek(file, 0, SEEK_SET) == 0, "a memory file can be read");
	return (size_t)count;
}

/* Run the program with these arguments: its name first, NULL at the end. */
static void run(char **arguments, Ended *ended)
{
	static int ours[2], files[2];
	int count = 0;
	if (files[0] == 0) {
		for (int i = 0; i < 2; i++) {
			ours[i] = dup(i + 1);
			files[i] = memory_file();
		}
	}
	while (arguments[count] != NULL)
		count++;
	for (int i = 0; i < 2; i++)
		dup2(files[i], i + 1);
	ended->code = keyring_main(count, arguments);
	for (int i = 0; i < 2; i++)
		dup2(ours[i], i + 1);
	ended->counts[0] = take_written(files[0], ended->out);
	ended->counts[1] = take_written(files[1], ended->err);
}
