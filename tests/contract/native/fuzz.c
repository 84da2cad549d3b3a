/* A libFuzzer target: the whole native shim, with any arguments, variables and answers of its broker.
 *
 * An input is lines up to an empty one, then the broker's answer, byte for byte. A line `TOKEN_BROKER_TIMEOUT=...`
 * or `TOKEN_BROKER_TRUST_UID=...` sets a variable, every other one is an argument. Whatever comes in, the program
 * ends by itself with 0 or 1, writes a whole printable answer or none, says one printable line or nothing, and
 * has wiped what it received. `tests/contract/test_fuzz.py` builds and runs it.
 */

#include "inside.h"

#include <pthread.h>

static struct {
	const uint8_t *bytes;
	size_t count;
} reply;
static int listening;
static struct sockaddr_un address = {.sun_family = AF_UNIX};

/* The broker: read a whole request, then send the reply and close. */
static void *serve(void *unused)
{
	char request[REQUEST_BYTES];
	for (;;) {
		int connection = accept(listening, NULL, NULL);
		size_t count = 0;
		ssize_t part;
		ensure(connection >= 0, "accept");
		while ((part = recv(connection, request + count, sizeof request - count, 0)) > 0) {
			count += (size_t)part;
			if (count >= 4 && memcmp(request + count - 4, "\r\n\r\n", 4) == 0)
				break;
		}
		for (size_t sent = 0; sent < reply.count; sent += (size_t)part)
			if ((part = send(connection, reply.bytes + sent, reply.count - sent, MSG_NOSIGNAL)) < 0)
				break;
		close(connection);
	}
	return unused;
}

/* Wait until the broker, who serves one after the other, is done with all connections before ours. */
static void settle(void)
{
	char rest[4096];
	int connection = socket(AF_UNIX, SOCK_STREAM, 0);
	ensure(connect(connection, (struct sockaddr *)&address, sizeof address) == 0, "the broker is there");
	ensure(write(connection, "\r\n\r\n", 4) == 4, "the broker is there");
	while (read(connection, rest, sizeof rest) > 0)
		continue;
	close(connection);
}

/* Serve in a directory below $TMPDIR, and take all other variables away. */
int LLVMFuzzerInitialize(int *count, char ***arguments)
{
	static char directory[32], path[48];
	pthread_t thread;
	(void)count, (void)arguments;
	snprintf(directory, sizeof directory, "%s/f-XXXXXX", getenv("TMPDIR"));
	ensure(mkdtemp(directory) != NULL, "$TMPDIR is there, and short");
	snprintf(path, sizeof path, "%s/s", directory);
	memcpy(address.sun_path, path, sizeof path);
	listening = socket(AF_UNIX, SOCK_STREAM, 0);
	umask(077);
	ensure(bind(listening, (struct sockaddr *)&address, sizeof address) == 0 && listen(listening, 8) == 0,
	       "a socket can be bound");
	clearenv();
	*strrchr(directory, '/') = '\0';
	setenv("TMPDIR", directory, 1); /* for the processes in which `-merge=1` tries its inputs */
	setenv("TOKEN_BROKER_SOCKET", path, 1);
	setenv("TOKEN_BROKER_AUTOSTART", "0", 1);
	ensure(pthread_create(&thread, NULL, serve, NULL) == 0, "there are threads");
	return 0;
}

/* Split the lines before the first empty one into variables, which are set, and arguments. Return what follows. */
static char *take_lines(char *input, char **arguments, size_t most)
{
	size_t count = 0;
	while (*input != '\0' && *input != '\n') {
		char *line = input, *end = strchr(input, '\n'), *value = strchr(input, '=');
		input = end != NULL ? end + 1 : input + strlen(input);
		if (end != NULL)
			*end = '\0';
		if (strncmp(line, "TOKEN_BROKER_TIMEOUT=", 21) == 0 || strncmp(line, "TOKEN_BROKER_TRUST_UID=", 23) == 0) {
			*value = '\0';
			setenv(line, value + 1, 1);
		} else if (count < most) {
			arguments[count++] = strcmp(line, "\"\"") == 0 ? line + 2 : line; /* "" is an empty argument */
		}
	}
	return *input == '\n' ? input + 1 : input;
}

static bool is_text(const char *bytes, size_t count, bool ascii)
{
	for (size_t i = 0; i < count; i++) {
		unsigned char byte = (unsigned char)bytes[i];
		if (byte < 0x20 || byte == 0x7f || (ascii && byte > 0x7e))
			return false;
	}
	return true;
}

/* `get`, creds and plain have two lines, all else has one. */
static void check_answer(const Ended *ended)
{
	const char *end = ended->out + ended->counts[0] - 1, *first = memchr(ended->out, '\n', ended->counts[0]);
	ensure(ended->counts[0] > 1 && *end == '\n', "an answer ends with a newline");
	ensure(is_text(ended->out, (size_t)(first - ended->out), true), "an answer is printable ASCII");
	ensure(first == end || is_text(first + 1, (size_t)(end - first) - 1, true), "an answer is printable ASCII");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count)
{
	static Ended ended;
	static const char prefix[] = "token-broker: ", nothing[sizeof wire.bytes];
	char *input = malloc(count + 1), *arguments[66] = {"keyring"}; /* of its own size, for the address sanitizer */
	ensure(input != NULL, "there is memory");
	memcpy(input, data, count);
	input[count] = '\0';
	const char *rest = take_lines(input, arguments + 1, 64);
	reply.bytes = (const uint8_t *)rest;
	reply.count = count - (size_t)(rest - input);
	run(arguments, &ended);
	settle();
	ensure(ended.code == 0 || ended.code == 1, "the exit code is 0 or 1");
	if (ended.code == 0)
		check_answer(&ended);
	else
		ensure(ended.counts[0] == 0, "what is no answer prints nothing");
	if (ended.counts[1] > 0) {
		ensure(ended.counts[1] > strlen(prefix) + 1 && memcmp(ended.err, prefix, strlen(prefix)) == 0,
		       "a line says who speaks");
		ensure(ended.err[ended.counts[1] - 1] == '\n', "a line is ended");
		ensure(is_text(ended.err, ended.counts[1] - 1, false), "a line is one, and steers no terminal");
	}
	ensure(memcmp(wire.bytes, nothing, sizeof nothing) == 0, "what was received is wiped");
	unsetenv("TOKEN_BROKER_TIMEOUT");
	unsetenv("TOKEN_BROKER_TRUST_UID");
	free(input);
	return 0;
}
