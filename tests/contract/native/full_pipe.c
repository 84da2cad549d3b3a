/* A request that finds no room: sent to a connection whose buffer is small, to a peer that reads late or never.
 * `full_pipe late` and `full_pipe never` end with 0 when it came whole, or was given up in time.
 */

#define main keyring_main
#include "keyring_shim.c"
#undef main

#undef NDEBUG
#include <assert.h>

static void read_late(int connection)
{
	static char request[REQUEST_BYTES];
	size_t count = 0;
	ssize_t part;
	nap(50);
	while ((part = read(connection, request + count, sizeof request - count)) > 0)
		count += (size_t)part;
	_exit(find(request, count, "\r\n\r\n", 4) == request + count - 4 ? 0 : 1);
}

int main(int count, char **arguments)
{
	static char service[SERVICE_BYTES + 1];
	Question question = {.service = service};
	int ends[2], status;
	bool late = count == 2 && strcmp(arguments[1], "late") == 0;
	memset(service, '/', SERVICE_BYTES);
	assert(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &(int){1}, sizeof(int)); /* the kernel has a least size */
	if (late) {
		pid_t child = fork();
		if (child == 0) {
			close(ends[0]);
			read_late(ends[1]);
		}
		assert(send_request(ends[0], &question, now_ms() + 20000) == GOOD);
		close(ends[0]);
		assert(waitpid(child, &status, 0) == child && status == 0);
	} else {
		int64_t start = now_ms();
		assert(send_request(ends[0], &question, start + 100) == FAILED);
		assert(strcmp(line, NOT_IN_TIME) == 0 && now_ms() - start >= 100);
	}
	return 0;
}
