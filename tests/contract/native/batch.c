/* Runs one look-up after the other for tests/contract/test_agreement.py, which runs the Python shim the same way.
 *
 * A case on standard input: a byte for the count of arguments, then each as four bytes of length and the bytes.
 * An answer on standard output: a byte for the exit code, a byte that is 1 if a mark of the passwords is left in its
 * memory (data and bss), then standard output and error, each with its length in front. The machine's
 * own byte order throughout.
 */

#include "inside.h"

/* "s3cret", which is in every password of the test's broker, with one added to each byte: so that the mark is
 * nowhere in this program but where a look-up left it. */
static const char mark_plus_one[] = "t4dsfu";

extern char __data_start, _end; /* ld(1) */

static bool read_all(void *bytes, size_t count)
{
	char *to = bytes;
	while (count > 0) {
		ssize_t part = read(0, to, count);
		if (part <= 0)
			return false;
		to += part;
		count -= (size_t)part;
	}
	return true;
}

static bool is_marked(void)
{
	const size_t count = sizeof mark_plus_one - 1;
	const char *at = &__data_start;
	for (; (at = memchr(at, mark_plus_one[0] - 1, (size_t)(&_end - at))) != NULL && at + count <= &_end; at++) {
		size_t same = 0;
		while (same < count && at[same] + 1 == mark_plus_one[same])
			same++;
		if (same == count)
			return true;
	}
	return false;
}

static void tell(const void *bytes, size_t count)
{
	ensure(write_all(1, bytes, count), "somebody listens");
}

static void tell_text(const char *bytes, size_t count)
{
	uint32_t length = (uint32_t)count;
	tell(&length, sizeof length);
	tell(bytes, count);
}

int main(void)
{
	Ended *ended = malloc(sizeof *ended); /* not among what is searched for the mark */
	unsigned char count;
	ensure(ended != NULL, "there is memory");
	while (read_all(&count, 1)) {
		char *arguments[257] = {"keyring"};
		for (int i = 1; i <= count; i++) {
			uint32_t length;
			ensure(read_all(&length, sizeof length), "a case is whole");
			arguments[i] = calloc(1, (size_t)length + 1);
			ensure(arguments[i] != NULL && read_all(arguments[i], length), "a case is whole");
		}
		run(arguments, ended);
		tell((unsigned char[]){(unsigned char)ended->code, is_marked()}, 2);
		tell_text(ended->out, ended->counts[0]);
		tell_text(ended->err, ended->counts[1]);
		for (int i = 1; i <= count; i++)
			free(arguments[i]);
	}
	return 0;
}
