/* Callers of a socket API: each connects, sends a request, reads to the end, and begins again.
 *
 *   load SOCKET CALLERS REQUESTS < requests
 *
 * sends the requests on stdin in turn, and prints in microseconds, connect included: the time per request over
 * all of them, and the 50th, 99th and 100th percentile of one.
 * In C, because a caller in Python would cost more than what is measured. Linux only (epoll). */
#define _GNU_SOURCE /* memmem */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CALLERS_MAX 1024

typedef struct {
	int socket;
	uint64_t begun_ns;
	size_t received_bytes;
} Caller;

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static char requests[4 << 20];
static size_t requests_bytes;
static char *next = requests;
static int events;
static Caller callers[CALLERS_MAX];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* The next request's size; each ends with an empty line, and after the last comes the first. */
static size_t next_bytes(void)
{
	static const char end[] = "\r\n\r\n";
	if (next == requests + requests_bytes)
		next = requests;
	char *found = memmem(next, (size_t)(requests + requests_bytes - next), end, sizeof end - 1);
	if (found == NULL) {
		fprintf(stderr, "a request without an end\n");
		exit(2);
	}
	return (size_t)(found + sizeof end - 1 - next);
}

/* Connect, which blocks while the backlog is full, and send the whole request. */
static void begin(Caller *caller)
{
	struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = caller};
	size_t request_bytes = next_bytes();
	caller->begun_ns = now_ns();
	caller->received_bytes = 0;
	caller->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (caller->socket < 0 || connect(caller->socket, (struct sockaddr *)&address, sizeof address) != 0)
		fail("connect");
	if (send(caller->socket, next, request_bytes, MSG_NOSIGNAL) != (ssize_t)request_bytes)
		fail("send");
	next += request_bytes;
	if (epoll_ctl(events, EPOLL_CTL_ADD, caller->socket, &wanted) != 0)
		fail("epoll_ctl");
}

/* Read what has come; return whether that was the end. */
static int is_answered(Caller *caller)
{
	static char answer[65536];
	static const char good[] = "HTTP/1.1 200";
	ssize_t part = recv(caller->socket, answer, sizeof answer, MSG_DONTWAIT);
	if (part < 0 && errno == EAGAIN)
		return 0;
	if (part < 0)
		fail("recv");
	if (part > 0 && caller->received_bytes == 0 && strncmp(answer, good, sizeof good - 1) != 0) {
		fprintf(stderr, "not a 200: %.*s\n", (int)part, answer);
		exit(1);
	}
	caller->received_bytes += (size_t)part;
	if (part == 0 && caller->received_bytes == 0) {
		fprintf(stderr, "an end without an answer\n");
		exit(1);
	}
	return part == 0;
}

static int by_size(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
	return (a > b) - (a < b);
}

int main(int count, char **arguments)
{
	size_t together = count == 4 ? strtoul(arguments[2], NULL, 10) : 0;
	size_t wanted = count == 4 ? strtoul(arguments[3], NULL, 10) : 0, begun = 0, done = 0;
	if (together < 1 || together > CALLERS_MAX || wanted < together ||
	    strlen(arguments[1]) >= sizeof address.sun_path) {
		fprintf(stderr, "usage: load SOCKET CALLERS REQUESTS < requests\n");
		return 2;
	}
	strcpy(address.sun_path, arguments[1]);
	requests_bytes = fread(requests, 1, sizeof requests, stdin);
	events = epoll_create1(EPOLL_CLOEXEC);
	uint64_t *took_ns = calloc(wanted, sizeof *took_ns), start_ns = now_ns();
	if (events < 0 || took_ns == NULL)
		fail("start");
	while (begun < together)
		begin(&callers[begun++]);
	while (done < wanted) {
		struct epoll_event ready[64];
		int found = epoll_wait(events, ready, 64, 10000);
		if (found <= 0)
			fail("epoll_wait");
		for (int i = 0; i < found; i++) {
			Caller *caller = ready[i].data.ptr;
			if (!is_answered(caller))
				continue;
			took_ns[done++] = now_ns() - caller->begun_ns;
			close(caller->socket);
			if (begun < wanted) {
				begin(caller);
				begun++;
			}
		}
	}
	double all_us = (double)(now_ns() - start_ns) / 1e3;
	qsort(took_ns, wanted, sizeof *took_ns, by_size);
	printf("%.1f %.1f %.1f %.1f\n", all_us / (double)wanted, (double)took_ns[wanted / 2] / 1e3,
	       (double)took_ns[wanted * 99 / 100] / 1e3, (double)took_ns[wanted - 1] / 1e3);
	return 0;
}
