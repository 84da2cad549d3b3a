/* The `keyring` command, native: asks token-broker, and is done in about the time an empty program takes.
 *
 * Finds the socket, makes sure that the broker behind it may be trusted, asks, and judges the answer;
 * prints a whole, checked credential or hands the call to the next `keyring` on PATH. It never prints
 * anything else on stdout, never reads below the working directory, and keeps nothing.
 * `token_broker_client.py` is the same program in Python, in the same order, under the same names;
 * tests/contract/ holds both to one suite.
 *
 * No part of it allocates, and none uses stdio or a locale: every buffer is fixed and filled through
 * Text, which refuses what does not fit. What held a secret is wiped before the end, and there is no
 * core file of a look-up. tests/contract/test_native.py lists all that is taken from the C library,
 * and the system calls of a look-up.
 */

#define _GNU_SOURCE      /* struct ucred */
#define _DARWIN_C_SOURCE /* getpeereid, _NSGetExecutablePath */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __APPLE__
#include <mach-o/dyld.h>
#else
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

extern char **environ; /* macOS declares it nowhere */

#ifndef SYSTEM_SOCKET /* the tests have another */
#define SYSTEM_SOCKET "/run/token-broker/broker.sock"
#endif
#define UNMAPPED_UID 65534 /* every uid without a number in our user namespace (/proc/sys/fs/overflowuid) */
#ifndef SYSTEM_UID
#define SYSTEM_UID 0 /* whose the directory of the system socket is */
#endif

enum {
	DEFAULT_BUDGET_MS = 30 * 1000, /* no client has a time-out of its own */
	LONGEST_BUDGET_MS = 3600 * 1000,
	SERVICE_BYTES = 8192, /* a longer service is no feed: the broker refuses it too */
	USERNAME_BYTES = 1024,
	REQUEST_BYTES = 3 * (SERVICE_BYTES + USERNAME_BYTES) + 256, /* all of it percent-encoded */
	ANSWER_BYTES = 65536, /* the longest tokens seen are a few kB */
	OUTPUT_BYTES = 2 * (ANSWER_BYTES + USERNAME_BYTES), /* every character escaped */
	LINE_BYTES = 500, /* one line on stderr, whatever the broker says */
	PATH_BYTES = 4096,
	ENVIRONMENT_COUNT = 16384, /* variables that can be handed on; their addresses alone are 128 kB */
	NAP_MS = 10, /* between two looks at a socket that is not there yet */
	START_GRACE_MS = 1000, /* for another broker that is just starting, once ours has ended */
};

/* sun_path without its final zero: 107 on Linux, 103 on macOS */
#define SOCKET_PATH_BYTES (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)
#ifdef MSG_NOSIGNAL
#define NO_SIGNAL MSG_NOSIGNAL
#else
#define NO_SIGNAL 0 /* macOS has SO_NOSIGPIPE instead */
#endif
#define IDLE_EXIT "1h" /* of a broker that nobody but a look-up started */

#define NOT_RUNNING "the broker is not running; run: brokerctl setup"
#define NOT_SHARED ", whose broker is not running; on the machine that shares it, run: brokerctl start"
#define NOT_IN_TIME "the broker did not answer in time (TOKEN_BROKER_TIMEOUT); run: brokerctl status"
#define CLOSED_TWICE "the broker closed the connection twice without an answer; run: brokerctl status"
#define CUT_SHORT "the broker's answer was cut short; run: brokerctl status"
#define NOT_UNDERSTOOD "the broker's answer was not understood; run: brokerctl restart"
#define NOT_STARTED "brokerd was started and does not serve; run: brokerctl doctor"
#define UNANSWERABLE "the username cannot stand in an answer" /* said by the one 400 that is not NOT_OURS */
#define ADDABLE "; run: brokerctl add " /* in a 404 that is told: an address that names a kind of feed */
#define OTHER_NAME ", the URL says "    /* the same: another user's name */
#define NOT_PRINTABLE UNANSWERABLE ": it is not one line of printable ASCII without blanks at its ends"
#define TOO_LONG UNANSWERABLE ": it is longer than 1,024 bytes"
#define NOT_WRITTEN "the answer cannot be written to stdout"
#define SAME_USER "; run: docker run --user UID, or podman run --userns=keep-id"
#define HOST_USERS "; run: docker run --userns=host --user UID, or podman run --userns=keep-id" /* numbers as outside */
#define NOBODY_ELSE "only look-ups are answered here, and no other keyring is on PATH; run: pip install keyring"
#define HOW_TO_GET \
	"a look-up is `get SERVICE USERNAME` or `--mode creds get SERVICE`, and no other keyring is on PATH; " \
	"run: pip install keyring"

#ifdef __GLIBC__
#define LIBC "glibc"
#elif defined __APPLE__
#define LIBC "libSystem"
#else
#define LIBC "musl or another libc"
#endif
#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "GCC " __VERSION__
#endif

/* Kept out of line: its buffers would cost every look-up pages of stack. */
#define RARE __attribute__((cold, noinline))

/* For `strings`: how a program that is found somewhere was built. */
__attribute__((used)) static const char built_with[] = "keyring-shim, built with " COMPILER ", " LIBC;

/* Text: a fixed buffer that is filled from the left. What does not fit is refused and remembered. */

typedef struct {
	char *bytes;
	size_t size, used;
	bool overflowed;
} Text;

#define TEXT(array) empty_text(array, sizeof(array))

static Text empty_text(char *bytes, size_t size)
{
	return (Text){.bytes = bytes, .size = size, .used = 0, .overflowed = false};
}

/* Append `count` bytes. The text stays terminated by a zero that is not counted. */
static void put_bytes(Text *text, const char *bytes, size_t count)
{
	if (text->overflowed || count >= text->size - text->used) {
		text->overflowed = true;
		return;
	}
	memcpy(text->bytes + text->used, bytes, count);
	text->used += count;
	text->bytes[text->used] = '\0';
}

static void put(Text *text, const char *string)
{
	put_bytes(text, string, strlen(string));
}

/* Append `number` in `base` 8 or 10, with zeros before it up to `width` digits (at most 20). */
static void put_number(Text *text, uint64_t number, unsigned base, size_t width)
{
	char digits[24];
	size_t first = sizeof digits;
	do {
		digits[--first] = (char)('0' + number % base);
		number /= base;
	} while (number != 0 || sizeof digits - first < width);
	put_bytes(text, digits + first, sizeof digits - first);
}

/* Fill `path` with directory and name. False when it does not fit. */
static bool join(char path[PATH_BYTES], const char *directory, size_t count, const char *name)
{
	Text text = empty_text(path, PATH_BYTES);
	put_bytes(&text, directory, count);
	put(&text, "/");
	put(&text, name);
	return !text.overflowed;
}

/* Return how long the directory of an absolute path is, without the slashes that end it; `/` keeps its one. */
static size_t directory_bytes(const char *path)
{
	size_t count = (size_t)(strrchr(path, '/') - path);
	while (count > 1 && path[count - 1] == '/') /* lstat(2) would follow a link that a slash ends */
		count--;
	return count > 0 ? count : 1;
}

/* Read `count` digits, 1 to `most` of them (at most 19), into `value`. False for anything else. */
static bool read_number(const char *digits, size_t count, size_t most, uint64_t *value)
{
	uint64_t sum = 0;
	if (count == 0 || count > most)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (digits[i] < '0' || digits[i] > '9')
			return false;
		sum = sum * 10 + (uint64_t)(digits[i] - '0');
	}
	*value = sum;
	return true;
}

/* Return where the `count` bytes of `wanted` first stand in `bytes`, NULL when nowhere. */
static const char *find(const char *bytes, size_t size, const char *wanted, size_t count)
{
	const char *end = bytes + size, *first;
	while ((size_t)(end - bytes) >= count &&
	       (first = memchr(bytes, wanted[0], (size_t)(end - bytes) - count + 1)) != NULL) {
		if (memcmp(first, wanted, count) == 0)
			return first;
		bytes = first + 1;
	}
	return NULL;
}

/* Overwrite what the optimiser would leave, for it is never read again. */
static void wipe(char *bytes, size_t count)
{
	volatile char *each = bytes;
	while (count-- > 0)
		*each++ = 0;
}

/* What a step of a look-up comes to, the look-up itself included. FAILED and NOBODY fill `line`. */

typedef enum {
	GOOD,     /* the step succeeded; of a look-up: the answer is filled */
	NOT_OURS, /* no broker knows a feed for this service and username */
	SILENT,   /* no answer and nothing to say: a bare host that several credentials share */
	FAILED,   /* a credential that cannot be had */
	NOBODY,   /* no broker serves, and none was or could be started */
	CLOSED,   /* the connection ended before a byte of an answer: worth a second try */
} Outcome;

typedef struct {
	const char *username, *password; /* inside `wire`, terminated */
} Answer;

/* What goes over the wire, one after the other from the start: the request; the answer, a secret in it; behind the
 * answer what is printed. In a usual look-up that is one page of memory, and the first touch of a page costs
 * as much as several system calls. */
static struct {
	size_t count, touched; /* how many bytes were received, and how many are to be wiped */
	char bytes[ANSWER_BYTES + 1 + OUTPUT_BYTES];
} wire;
static char line[LINE_BYTES + 2 * PATH_BYTES];
static char unfed[LINE_BYTES + 1]; /* why no feed answers, for where there is nobody to pass on to */

/* Remember that `count` bytes from the start are to be wiped. */
static void touch(size_t count)
{
	if (count > wire.touched)
		wire.touched = count;
}

/* Return FAILED, with the strings up to NULL as the line. */
__attribute__((sentinel)) static Outcome failed(const char *part, ...)
{
	Text to = TEXT(line);
	va_list parts;
	va_start(parts, part);
	for (; part != NULL; part = va_arg(parts, const char *))
		put(&to, part);
	va_end(parts);
	return FAILED;
}

/* Return `value` in `base` 8 or 10 with at least `width` digits, in a buffer that the next call reuses. */
static const char *number(uint64_t value, unsigned base, size_t width)
{
	static char digits[24];
	Text to = TEXT(digits);
	put_number(&to, value, base, width);
	return digits;
}

static Outcome failed_with_error(const char *path, int error)
{
	return failed(path, " cannot be used (error ", number((uint64_t)error, 10, 1), "); run: brokerctl doctor", NULL);
}

/* The command line */

typedef struct {
	const char *service, *username; /* username: NULL when none was given */
	bool creds, json;
} Question;

/* Return the value of option `name` at *argument, moving on over a separate value; NULL for another option. */
static const char *option_value(const char *name, char ***argument)
{
	size_t count = strlen(name);
	const char *given = **argument;
	if (strncmp(given, name, count) != 0)
		return NULL;
	if (given[count] == '=')
		return given + count + 1;
	if (given[count] != '\0')
		return NULL;
	if ((*argument)[1] == NULL)
		return "";
	return *++*argument;
}

/* Return whether these arguments are a look-up of ours, and fill `question` if so.
 * Takes what uv, pip, pdm and pipx send: options before or after `get`, `--mode X` and `--mode=X`.
 * An empty username is none; without one a password cannot be asked for (keyring 25.7, cli.py). */
static bool parse_command(char **arguments, Question *question)
{
	const char *mode = "password", *format = "plain", *words[3] = {NULL, NULL, NULL};
	size_t count = 0;
	for (char **argument = arguments; *argument != NULL; argument++) {
		const char *value;
		if ((*argument)[0] != '-' || (*argument)[1] == '\0') {
			if (count == 3)
				return false;
			words[count++] = *argument;
		} else if ((value = option_value("--mode", &argument)) != NULL) {
			mode = value;
		} else if ((value = option_value("--output", &argument)) != NULL) {
			format = value;
		} else {
			return false;
		}
	}
	question->creds = strcmp(mode, "creds") == 0;
	question->json = strcmp(format, "json") == 0;
	if (!question->creds && strcmp(mode, "password") != 0)
		return false;
	if (!question->json && strcmp(format, "plain") != 0)
		return false;
	if (count < (question->creds ? 2 : 3) || strcmp(words[0], "get") != 0 || words[1][0] == '\0')
		return false;
	question->service = words[1];
	question->username = count == 3 && words[2][0] != '\0' ? words[2] : NULL;
	return true;
}

/* Return whether `text` is printable ASCII without blanks at its ends, as an answer must be. */
static bool printable(const char *text, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return false;
	return count == 0 || (text[0] != ' ' && text[count - 1] != ' ');
}

/* The budget */

static int64_t now_ms(void)
{
	struct timespec now;
#if defined SYS_clock_gettime && defined __LP64__
	/* musl reads the vDSO's tables for its first reading: that and two page faults cost more than our few calls.
	 * Where a long has 32 bits the call fills another structure. */
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
#else
	clock_gettime(CLOCK_MONOTONIC, &now);
#endif
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Return how long a look-up may take: TOKEN_BROKER_TIMEOUT in seconds, at least 1 ms and at most an hour. */
static int64_t budget_ms(void)
{
	const char *text = getenv("TOKEN_BROKER_TIMEOUT");
	int64_t ms = 0;
	int fraction = -1; /* digits after the point, once there is one */
	for (; text != NULL && *text != '\0'; text++) {
		if (*text == '.' && fraction < 0) {
			fraction = 0;
		} else if (*text >= '0' && *text <= '9' && ms <= LONGEST_BUDGET_MS) {
			if (fraction < 3)
				ms = ms * 10 + (*text - '0');
			if (fraction >= 0 && fraction < 3)
				fraction++;
		} else {
			return DEFAULT_BUDGET_MS;
		}
	}
	for (int missing = fraction < 0 ? 3 : 3 - fraction; missing > 0; missing--)
		ms *= 10;
	return ms >= 1 && ms <= LONGEST_BUDGET_MS ? ms : DEFAULT_BUDGET_MS;
}

static void nap(int64_t ms)
{
	struct timespec length = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	nanosleep(&length, NULL);
}

/* Who we are */

static uid_t our_uid(void)
{
#ifdef AT_EUID
	return (uid_t)getauxval(AT_EUID); /* the kernel told it at our start: no system call */
#else
	return geteuid();
#endif
}

/* Keep what we are about to hold out of core files, and from programs that would read our memory. */
static void hide(void)
{
#ifdef PR_SET_DUMPABLE
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

/* Where the socket is */

static bool is_our_directory(const char *path)
{
	struct stat found;
	return stat(path, &found) == 0 && S_ISDIR(found.st_mode) && found.st_uid == our_uid();
}

/* Return the variable's value if it is an absolute path, else NULL. */
static const char *absolute(const char *variable)
{
	const char *value = getenv(variable);
	return value != NULL && value[0] == '/' ? value : NULL;
}

/* Append machine-id(5), or the host's name where an image left that file empty. */
static void put_machine_id(Text *path)
{
	char text[34] = "";
	struct utsname host;
	int file = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
	ssize_t count = file < 0 ? 0 : read(file, text, 33);
	if (file >= 0)
		close(file);
	if (count >= 32 && (count == 32 || text[32] == '\n') && strspn(text, "0123456789abcdef") == 32) {
		put_bytes(path, text, 32);
	} else if (uname(&host) == 0) {
		for (char *slash; (slash = strchr(host.nodename, '/')) != NULL;)
			*slash = '_';
		put(path, host.nodename);
	}
}

static bool put_socket_directory(Text *path)
{
	const char *runtime = absolute("XDG_RUNTIME_DIR"), *home = absolute("HOME");
	if (runtime != NULL && is_our_directory(runtime)) { /* after `su` it is another user's */
		put(path, runtime);
		put(path, "/token-broker");
		return true;
	}
#ifdef __APPLE__
	if (home != NULL) {
		put(path, home);
		put(path, "/Library/Caches/token-broker");
		return true;
	}
#endif
	put(path, "/run/user/"); /* cron and ssh commands have it, but no variable */
	put_number(path, our_uid(), 10, 1);
	if (is_our_directory(path->bytes)) {
		put(path, "/token-broker");
		return true;
	}
	path->used = 0;
	if (home == NULL)
		return false;
	put(path, home);
	put(path, "/.cache/token-broker/"); /* homes are shared between hosts */
	put_machine_id(path);
	return true;
}

/* Return whether an absolute path names something in its directory: not that one, nor the one above. */
static bool names_a_file(const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	return name[0] != '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* Return whether `path` is the system's socket, also where it is written with `//`, `/./` or a link. */
static bool is_system_socket(const char *path)
{
	char clean[SOCKET_PATH_BYTES + 1], runtime[] = SYSTEM_SOCKET;
	Text to = TEXT(clean);
	const char *tail;
	struct stat here, there;
	for (size_t count; *path != '\0'; path += count) {
		path += strspn(path, "/");
		count = strcspn(path, "/");
		if (count == 0 || (count == 1 && path[0] == '.'))
			continue;
		put(&to, "/");
		put_bytes(&to, path, count);
	}
	*strrchr(runtime, '/') = '\0';
	*strrchr(runtime, '/') = '\0';
	tail = &SYSTEM_SOCKET[strlen(runtime)];
	if (to.used < strlen(tail) || strcmp(clean + to.used - strlen(tail), tail) != 0)
		return false;
	clean[to.used - strlen(tail)] = '\0';
	return stat(clean[0] == '\0' ? "/" : clean, &here) == 0 && stat(runtime, &there) == 0 &&
	       here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

/* Fill `path`, of SOCKET_PATH_BYTES, with the path of the user's socket, whether or not anything is there.
 * FAILED when it is longer than the system can bind, relative, no file's, or cannot be named. */
static Outcome socket_path(Text *path)
{
	const char *explicit_path = getenv("TOKEN_BROKER_SOCKET");
	if (explicit_path != NULL && explicit_path[0] != '\0') {
		if (explicit_path[0] != '/')
			return failed("TOKEN_BROKER_SOCKET is not an absolute path; run: unset TOKEN_BROKER_SOCKET",
				      NULL);
		if (!names_a_file(explicit_path))
			return failed("TOKEN_BROKER_SOCKET names no file; run: unset TOKEN_BROKER_SOCKET", NULL);
		put(path, explicit_path);
	} else if (put_socket_directory(path)) {
		put(path, "/broker.sock");
	} else {
		return failed("neither XDG_RUNTIME_DIR nor HOME is set; run: eval \"export HOME=~$(id -un)\"", NULL);
	}
	if (path->overflowed)
		return failed("the socket's path is longer than ", number(SOCKET_PATH_BYTES, 10, 1),
			      " bytes; run: export TOKEN_BROKER_SOCKET=/a/shorter/path", NULL);
	if (is_system_socket(path->bytes)) {
		path->used = 0;
		put(path, SYSTEM_SOCKET);
	}
	return GOOD;
}

/* Whom to trust */

typedef struct {
	bool anyone;  /* only root can have put the socket there */
	bool us;      /* it lies in a place of ours */
	bool other;   /* TOKEN_BROKER_TRUST_UID names `other_uid` */
	uid_t other_uid;
} Trust;

static bool is_system(const char *path)
{
	return strcmp(path, SYSTEM_SOCKET) == 0;
}

static bool trusted_uid(uid_t *uid)
{
	const char *text = getenv("TOKEN_BROKER_TRUST_UID");
	size_t count = text == NULL ? 0 : strlen(text);
	uint64_t value;
	if (!read_number(text, count, 10, &value) || value > UINT32_MAX)
		return false; /* a larger one would come out as another uid */
	*uid = (uid_t)value;
	return true;
}

static Outcome foreign(const char *path, const char *what, uid_t uid, const char *not_us)
{
	const char *digits = number(uid, 10, 1);
	if (uid == UNMAPPED_UID)
		return failed(path, what, digits, not_us, ": a user who has no number in this container", HOST_USERS, NULL);
	return failed(path, what, digits, not_us, "; run: export TOKEN_BROKER_TRUST_UID=", digits, " if you trust it",
		      NULL);
}

/* Append `bytes` with its control characters as a shell's `$'...'` writes them. */
static void put_escaped(Text *to, const char *bytes)
{
	for (; *bytes != '\0'; bytes++) {
		if ((unsigned char)*bytes >= ' ' && *bytes != 0x7f) {
			put_bytes(to, bytes, 1);
			continue;
		}
		put(to, "\\");
		put_number(to, (unsigned char)*bytes, 8, 3);
	}
}

/* Return `path` as one word of a shell's line, in a buffer that the next call reuses. */
RARE static const char *shell_word(const char *path)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-";
	static char word[4 * PATH_BYTES + 3]; /* every character a quote */
	Text to = TEXT(word);
	bool is_one_line = true;
	if (strspn(path, plain) == strlen(path))
		return path;
	for (const char *each = path; *each != '\0'; each++)
		is_one_line = is_one_line && (unsigned char)*each >= ' ' && *each != 0x7f;
	if (!is_one_line) { /* only this kind of quotes can name a control character */
		put(&to, "$'");
		for (char each[2] = ""; (each[0] = *path) != '\0'; path++) {
			put(&to, *path == '\'' || *path == '\\' ? "\\" : "");
			put_escaped(&to, each);
		}
		put(&to, "'");
		return word;
	}
	put(&to, "'");
	for (; *path != '\0'; path++)
		put_bytes(&to, *path == '\'' ? "'\\''" : path, *path == '\'' ? 4 : 1);
	put(&to, "'");
	return word;
}

static Outcome open_to_others(const char *path, mode_t mode, const char *repair)
{
	return failed(path, " is open to others (mode ", number(mode & 0777, 8, 4), "); run: chmod ", repair, " ",
		      shell_word(path), NULL);
}

/* Return whether `directory` is the one that we make for the socket ourselves: no hint changes another one. */
RARE static bool is_own_place(const char *directory)
{
	char own[SOCKET_PATH_BYTES + 1];
	Text to = TEXT(own);
	return put_socket_directory(&to) && !to.overflowed && strcmp(directory, own) == 0;
}

/* FAILED, with the line that puts the socket into a folder of its own below `directory`, which is ours. */
RARE static Outcome wants_own_folder(const char *directory, const char *path, const char *what, const char *mode,
				     const char *end)
{
	char own[SOCKET_PATH_BYTES + sizeof "/token-broker-4294967295/broker.sock"];
	Text to = TEXT(own);
	put(&to, strcmp(directory, "/") == 0 ? "" : directory);
	put(&to, "/token-broker-");
	put_number(&to, our_uid(), 10, 1);
	put(&to, "/broker.sock");
	return failed(path, what, mode, end, ": the socket wants a folder of its own; run: export TOKEN_BROKER_SOCKET=",
		      shell_word(own), NULL);
}

/* Return GOOD, FAILED with the repair in the line, or NOBODY with errno when there is nothing to look at. */
static Outcome check_system_directory(const char *path)
{
	struct stat found;
	if (lstat(path, &found) != 0)
		return NOBODY;
	if (!S_ISDIR(found.st_mode) || found.st_uid != SYSTEM_UID || (found.st_mode & 022) != 0)
		return failed(path, " can be written by others than root; run: sudo brokerctl doctor", NULL);
	return GOOD;
}

static Outcome check_directory(const char *path)
{
	struct stat found;
	if (lstat(path, &found) != 0)
		return NOBODY;
	if (!S_ISDIR(found.st_mode))
		return failed(path, " is not a directory; run: ls -ld ", shell_word(path), NULL);
	if (found.st_uid != our_uid() && found.st_uid != UNMAPPED_UID && access(path, X_OK) != 0)
		return failed(path, " belongs to uid ", number(found.st_uid, 10, 1), /* trust would not let us in */
			      ", not to you, and lets only its owner in", SAME_USER, NULL);
	if (found.st_uid != our_uid())
		return foreign(path, " belongs to uid ", found.st_uid, ", not to you");
	if ((found.st_mode & 077) != 0 && !is_own_place(path))
		return wants_own_folder(path, path, " is open to others (mode ", number(found.st_mode & 0777, 8, 4), ")");
	if ((found.st_mode & 077) != 0)
		return open_to_others(path, found.st_mode, "700");
	return GOOD;
}

static Outcome check_socket(const char *path, const char *directory)
{
	struct stat found;
	if (lstat(path, &found) != 0)
		return NOBODY;
	if (!S_ISSOCK(found.st_mode) && !is_own_place(directory))
		return wants_own_folder(directory, path, " is not a socket", "", "");
	if (S_ISDIR(found.st_mode)) /* Docker makes one where it is to mount a socket that is not there */
		return failed(path, " is a folder, not a socket; run: mv ", shell_word(path), " ", shell_word(path),
			      ".not-mine", NULL);
	if (!S_ISSOCK(found.st_mode))
		return failed(path, " is not a socket; run: rm ", shell_word(path), NULL);
	if (found.st_uid != our_uid())
		return foreign(path, " belongs to uid ", found.st_uid, ", not to you");
	if ((found.st_mode & 077) != 0)
		return open_to_others(path, found.st_mode, "600");
	return GOOD;
}

/* Say in `trust` who may listen at `path`. NOBODY with errno when there is no socket; FAILED, naming the repair,
 * when others could have put it there and TOKEN_BROKER_TRUST_UID does not say whom to trust instead. */
static Outcome check_trust(const char *path, Trust *trust)
{
	char directory[SOCKET_PATH_BYTES + 1];
	Text to = TEXT(directory);
	Outcome outcome;
	put_bytes(&to, path, directory_bytes(path));
	*trust = (Trust){.anyone = is_system(path)};
	trust->other = trusted_uid(&trust->other_uid);
	if (trust->anyone)
		return check_system_directory(directory);
	outcome = check_directory(directory);
	if (outcome == GOOD)
		outcome = check_socket(path, directory);
	trust->us = outcome == GOOD;
	return outcome == FAILED && trust->other ? GOOD : outcome;
}

/* GOOD if the process that called listen() at `path` has a trusted uid, else FAILED. */
static Outcome check_listener(int connection, const char *path, const Trust *trust)
{
	uid_t uid;
	if (trust->anyone)
		return GOOD;
#ifdef __APPLE__
	gid_t gid;
	if (getpeereid(connection, &uid, &gid) != 0)
		return failed_with_error(path, errno);
#else
	struct ucred listener;
	socklen_t count = sizeof listener;
	if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &listener, &count) != 0)
		return failed_with_error(path, errno);
	uid = listener.uid;
#endif
	if ((trust->us && uid == our_uid()) || (trust->other && uid == trust->other_uid))
		return GOOD;
	return foreign(path, " is served by uid ", uid, ", not by you");
}

/* The connection */

/* Let the kernel end the next wait to connect or send at `deadline`. False when that has passed. */
static bool limit(int connection, int64_t deadline)
{
	int64_t left = deadline - now_ms();
	struct timeval length = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};
	return left > 0 && setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &length, sizeof length) == 0;
}

/* Wait until `connection` has something to read, were it its end. False when `deadline` has passed.
 * A receive that waits is woken too when the broker takes the request, and goes to sleep again for nothing. */
static bool is_readable(int connection, int64_t deadline)
{
	struct pollfd wanted = {.fd = connection, .events = POLLIN};
	for (;;) {
		int64_t left = deadline - now_ms();
		int ready = left > 0 ? poll(&wanted, 1, (int)left) : 0;
		if (ready >= 0 || errno != EINTR)
			return ready > 0;
	}
}

/* Say that nobody serves `path`: in a container no set-up helps, and a share's folder is known by its copy of the
 * shim. */
RARE static Outcome nobody(const char *path)
{
	char directory[PATH_BYTES], program[PATH_BYTES];
	Text to = TEXT(directory);
	struct stat found;
	if (is_system(path) && line[0] != 0)
		return NOBODY; /* the line is about the user's own socket, which was tried first */
	put_bytes(&to, path, directory_bytes(path));
	if (join(program, directory, to.used, "bin/keyring") && lstat(program, &found) == 0 &&
	    S_ISREG(found.st_mode))
		failed(directory, " is a share", NOT_SHARED, NULL);
	else
		failed(NOT_RUNNING, NULL);
	return NOBODY;
}

/* Say what errno means for reaching `path`. The system broker's owner may not let us in: for us there is none. */
static Outcome unreachable(const char *path)
{
	if (errno == ENOENT || errno == ECONNREFUSED || (is_system(path) && (errno == EACCES || errno == EPERM)))
		return nobody(path);
	if (errno == EACCES || errno == EPERM)
		return failed(path, " lets only its owner in, and you are uid ", number(our_uid(), 10, 1), SAME_USER, NULL);
	return failed_with_error(path, errno);
}

/* Connect to the trusted broker at `path`. NOBODY, FAILED, or GOOD with the connection filled. */
static Outcome connect_once(const char *path, int64_t deadline, int *connection)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	Text to = TEXT(address.sun_path);
	Trust trust;
	Outcome outcome = check_trust(path, &trust);
	int error = EINTR;
	if (outcome == NOBODY)
		return unreachable(path);
	if (outcome != GOOD)
		return outcome;
	put(&to, path);
	*connection = socket(AF_UNIX, SOCK_STREAM, 0);
	if (*connection < 0)
		return failed_with_error(path, errno);
#ifdef __APPLE__
	setsockopt(*connection, SOL_SOCKET, SO_NOSIGPIPE, &(int){1}, sizeof(int));
#endif
	/* A blocking connect waits its turn at a full backlog, where a non-blocking one gets EAGAIN. */
	while (error == EINTR) {
		error = EAGAIN;
		if (limit(*connection, deadline))
			error = connect(*connection, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
	}
	if (error == 0)
		outcome = check_listener(*connection, path, &trust);
	else if (error == EAGAIN)
		outcome = failed(NOT_IN_TIME, NULL);
	else {
		errno = error;
		outcome = unreachable(path);
	}
	if (outcome != GOOD)
		close(*connection);
	return outcome;
}

RARE static Outcome start_broker(const char *path, int64_t deadline, int *connection);

/* As connect_once(), with the broker started before if need be and `start`. */
static Outcome open_broker(const char *path, int64_t deadline, bool start, int *connection)
{
	Outcome outcome = connect_once(path, deadline, connection);
	const char *autostart = getenv("TOKEN_BROKER_AUTOSTART");
	if (outcome != NOBODY || is_system(path) || !start || (autostart != NULL && strcmp(autostart, "0") == 0))
		return outcome;
	return start_broker(path, deadline, connection);
}

/* Starting the broker where no service manager does */

/* Fill `path` with this program's own path, links resolved. */
static bool own_path(char path[PATH_BYTES])
{
#ifdef __APPLE__
	char found[PATH_BYTES];
	uint32_t size = sizeof found;
	return _NSGetExecutablePath(found, &size) == 0 && realpath(found, path) != NULL;
#else
	ssize_t count = readlink("/proc/self/exe", path, PATH_BYTES - 1);
	if (count <= 0)
		return false;
	path[count] = '\0';
	return true;
#endif
}

static bool is_program(const char *path)
{
	struct stat found;
	return stat(path, &found) == 0 && S_ISREG(found.st_mode) && access(path, X_OK) == 0;
}

static bool brokerd_beside_us(char brokerd[PATH_BYTES])
{
	char ourselves[PATH_BYTES];
	return own_path(ourselves) && join(brokerd, ourselves, directory_bytes(ourselves), "brokerd") &&
	       is_program(brokerd);
}

/* Make `directory` and what is missing above it, each with mode 0700. False with errno when that cannot be. */
static bool make_directory(char *directory)
{
	struct stat found;
	char *slash = strrchr(directory, '/');
	bool made = true;
	if (stat(directory, &found) == 0 && S_ISDIR(found.st_mode))
		return true;
	if (slash != directory) {
		*slash = '\0';
		made = make_directory(directory);
		*slash = '/';
	}
	return made && (mkdir(directory, 0700) == 0 || errno == EEXIST); /* another look-up may be quicker */
}

/* Open start.lock in the socket's directory, which is made if it is missing. */
static Outcome open_lock(const char *socket, int *lock)
{
	char directory[SOCKET_PATH_BYTES + 1], file[sizeof directory + sizeof "/start.lock"];
	Text to = TEXT(directory), path = TEXT(file);
	Outcome outcome;
	put_bytes(&to, socket, directory_bytes(socket));
	if (!make_directory(directory))
		return failed_with_error(directory, errno);
	outcome = check_directory(directory);
	if (outcome == FAILED)
		return outcome;
	put(&path, directory);
	put(&path, "/start.lock");
	*lock = open(file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	return *lock < 0 ? failed_with_error(directory, errno) : GOOD;
}

/* Return whether we are the one who starts the broker. Where locks do not work, everybody is:
 * the broker's own lock still lets only one serve. */
static bool take(int lock)
{
	return flock(lock, LOCK_EX | LOCK_NB) == 0 || (errno != EWOULDBLOCK && errno != EINTR);
}

static void close_from(int first)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, first, ~0U, 0) == 0)
		return;
#endif
	long limit = sysconf(_SC_OPEN_MAX);
	for (int descriptor = first; descriptor < (limit < 65536 ? limit : 65536); descriptor++)
		close(descriptor);
}

/* Take TOKEN_BROKER_PASSED out of these variables. */
static void unmark(char **variables)
{
	char **kept = variables;
	for (; *variables != NULL; variables++)
		if (strncmp(*variables, "TOKEN_BROKER_PASSED=", strlen("TOKEN_BROKER_PASSED=")) != 0)
			*kept++ = *variables;
	*kept = NULL;
}

/* Turn this forked child's child into the broker, telling its process id, and why it failed, through `writer`. */
static _Noreturn void become_broker(char *brokerd, int writer)
{
	char *arguments[] = {brokerd, "--idle-exit", IDLE_EXIT, NULL};
	int32_t told;
	int null;
	setsid();
	if (fork() != 0)
		_exit(0);
	dup2(writer, 3); /* first, for `writer` may be one of 0, 1, 2 */
	fcntl(3, F_SETFD, FD_CLOEXEC);
	null = open("/dev/null", O_RDWR);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	close_from(4); /* our caller waits for the end of its pipes */
	told = getpid();
	if (write(3, &told, sizeof told) != sizeof told || chdir("/") != 0)
		_exit(127);
	unmark(environ);
	execv(brokerd, arguments);
	told = errno;
	if (write(3, &told, sizeof told) != sizeof told)
		_exit(126);
	_exit(127);
}

/* Start `brokerd` with no tie to us, our terminal or our caller's pipes. FAILED when it cannot be executed. */
static Outcome spawn(char *brokerd, pid_t *pid)
{
	int32_t told[2] = {0, 0};
	size_t count = 0;
	ssize_t part;
	int ends[2];
	pid_t child;
	if (pipe(ends) != 0)
		return failed_with_error(brokerd, errno);
	child = fork();
	if (child == 0)
		become_broker(brokerd, ends[1]);
	if (child < 0)
		told[1] = errno;
	close(ends[1]);
	/* Their end: the broker runs, or never will. */
	while (count < sizeof told && (part = read(ends[0], (char *)told + count, sizeof told - count)) != 0) {
		if (part > 0)
			count += (size_t)part;
		else if (errno != EINTR)
			break;
	}
	close(ends[0]);
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		continue;
	*pid = told[0];
	if (count == sizeof told[0])
		return GOOD;
	return failed(brokerd, " cannot be run (error ", number((uint64_t)told[1], 10, 1), "); run: brokerctl doctor",
		      NULL);
}

/* Start the brokerd beside us, unless another look-up is at it, and connect to it. */
static Outcome start_broker(const char *path, int64_t deadline, int *connection)
{
	char brokerd[PATH_BYTES];
	Outcome outcome;
	bool holding = false;
	pid_t started = 0;
	int lock = -1;
	if (!brokerd_beside_us(brokerd))
		return nobody(path);
	outcome = open_lock(path, &lock);
	if (outcome != GOOD)
		return outcome;
	for (;;) {
		holding = holding || take(lock);
		outcome = connect_once(path, deadline, connection); /* the lock's former holder may have succeeded */
		if (outcome != NOBODY)
			break;
		if (holding && started == 0) {
			outcome = spawn(brokerd, &started);
			if (outcome != GOOD)
				break;
		} else if (started != 0 && kill(started, 0) != 0 && deadline > now_ms() + START_GRACE_MS) {
			deadline = now_ms() + START_GRACE_MS; /* refused to be the second broker, or broken */
		}
		if (now_ms() + NAP_MS >= deadline) {
			outcome = failed(started != 0 ? NOT_STARTED : NOT_IN_TIME, NULL);
			break;
		}
		nap(NAP_MS);
	}
	close(lock);
	return outcome;
}

/* The question and its answer */

typedef struct {
	unsigned status;
	const char *body; /* inside `wire` */
	size_t body_bytes;
} Reply;

/* Append `text` with all but RFC 3986's unreserved characters encoded. */
static void put_percent_encoded(Text *to, const char *text)
{
	static const char hexadecimal[] = "0123456789ABCDEF";
	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;
		if ((byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') ||
		    strchr("-._~", byte) != NULL)
			put_bytes(to, text, 1);
		else
			put_bytes(to, (char[]){'%', hexadecimal[byte >> 4], hexadecimal[byte & 15]}, 3);
	}
}

/* Send the whole request. FAILED when the time is up. */
static Outcome send_request(int connection, const Question *question, int64_t deadline)
{
	Text text = empty_text(wire.bytes, REQUEST_BYTES);
	int64_t left = deadline - now_ms(), margin = left / 10 < 500 ? left / 10 : 500;
	int64_t wait = left > margin ? left - margin : 0; /* the broker's reason shall arrive before we give up */
	int at_once = MSG_DONTWAIT;
	put(&text, "GET /v1/credential?url=");
	put_percent_encoded(&text, question->service);
	if (question->username != NULL) {
		put(&text, "&username=");
		put_percent_encoded(&text, question->username);
	}
	put(&text, "&wait=");
	put_number(&text, (uint64_t)wait / 1000, 10, 1);
	put(&text, ".");
	put_number(&text, (uint64_t)wait % 1000, 10, 3);
	put(&text, " HTTP/1.1\r\nHost: broker\r\nAccept: text/plain\r\nConnection: close\r\n\r\n");
	touch(text.used);
	for (size_t sent = 0; sent < text.used;) {
		ssize_t part = send(connection, wire.bytes + sent, text.used - sent, NO_SIGNAL | at_once);
		if (part >= 0)
			sent += (size_t)part;
		else if (errno == EAGAIN && at_once != 0)
			at_once = 0; /* a new connection has room for nearly every request: this one is long */
		else if (errno == EAGAIN)
			return failed(NOT_IN_TIME, NULL);
		else if (errno != EINTR)
			break; /* it may have answered before it closed */
		if (at_once == 0 && !limit(connection, deadline))
			return failed(NOT_IN_TIME, NULL);
	}
	return GOOD;
}

/* Return whether `field` is the header `name`, given in small letters, and set `value` to its trimmed value. */
static bool is_header(const char *field, size_t count, const char *name, const char **value, size_t *value_bytes)
{
	size_t length = strlen(name);
	if (count <= length || field[length] != ':')
		return false;
	for (size_t i = 0; i < length; i++)
		if ((field[i] >= 'A' && field[i] <= 'Z' ? field[i] + ('a' - 'A') : field[i]) != name[i])
			return false;
	*value = field + length + 1;
	*value_bytes = count - length - 1;
	for (; *value_bytes > 0 && (**value == ' ' || **value == '\t'); ++*value)
		--*value_bytes;
	while (*value_bytes > 0 && ((*value)[*value_bytes - 1] == ' ' || (*value)[*value_bytes - 1] == '\t'))
		--*value_bytes;
	return true;
}

typedef enum { MORE, WHOLE, GARBAGE } Progress;

/* Say how the HTTP/1 answer in `wire` stands, and fill `reply` when it is whole.
 * Anything but a status line, one Content-Length and that many bytes is garbage. */
static Progress parse_answer(Reply *reply)
{
	static const char version[] = "HTTP/1.", gap[] = "\r\n\r\n";
	const char *bytes = wire.bytes, *end = find(bytes, wire.count, gap, 4), *field, *value;
	const Progress unfinished = wire.count < ANSWER_BYTES ? MORE : GARBAGE;
	size_t count, lengths = 0;
	uint64_t length = 0, status;
	if (memcmp(bytes, version, wire.count < 7 ? wire.count : 7) != 0)
		return GARBAGE;
	if (end == NULL)
		return unfinished;
	field = find(bytes, wire.count, gap, 2);
	if (bytes[8] != ' ' || !read_number(bytes + 9, 3, 3, &status) || (bytes[12] != ' ' && field != bytes + 12))
		return GARBAGE;
	while (field < end) {
		const char *next = find(field + 2, (size_t)(end - field), gap, 2);
		field += 2;
		if (is_header(field, (size_t)(next - field), "transfer-encoding", &value, &count))
			return GARBAGE;
		if (is_header(field, (size_t)(next - field), "content-length", &value, &count)) {
			if (!read_number(value, count, 7, &length))
				return GARBAGE;
			lengths++;
		}
		field = next;
	}
	reply->status = (unsigned)status;
	reply->body = end + 4;
	reply->body_bytes = (size_t)(bytes + wire.count - reply->body);
	if (lengths != 1 || reply->body_bytes > length)
		return GARBAGE;
	return reply->body_bytes == length ? WHOLE : unfinished;
}

/* Read until the whole answer is there. CLOSED when nothing came, FAILED when it is not an answer. */
static Outcome read_answer(int connection, int64_t deadline, Reply *reply)
{
	wire.count = 0;
	for (;;) {
		if (!is_readable(connection, deadline))
			return failed(NOT_IN_TIME, NULL);
		ssize_t part =
			recv(connection, wire.bytes + wire.count, ANSWER_BYTES - wire.count, MSG_DONTWAIT);
		if (part < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (part <= 0 && wire.count == 0)
			return failed(CLOSED_TWICE, NULL), CLOSED;
		if (part <= 0)
			return failed(CUT_SHORT, NULL);
		wire.count += (size_t)part;
		touch(wire.count);
		switch (parse_answer(reply)) {
		case WHOLE:
			return GOOD;
		case GARBAGE:
			return failed(NOT_UNDERSTOOD, NULL);
		case MORE:
			break;
		}
	}
}

/* One look-up at the broker at `path`: GOOD with the reply filled, NOBODY, CLOSED or FAILED. */
static Outcome exchange(const char *path, const Question *question, int64_t deadline, bool start, Reply *reply)
{
	int connection;
	Outcome outcome = open_broker(path, deadline, start, &connection);
	if (outcome != GOOD)
		return outcome;
	outcome = send_request(connection, question, deadline);
	if (outcome == GOOD)
		outcome = read_answer(connection, deadline, reply);
	close(connection);
	return outcome;
}

static Outcome judge_credential(const Reply *reply, const Question *question, Answer *answer)
{
	size_t count = reply->body_bytes;
	char *end = wire.bytes + wire.count, *split;
	if (question->username != NULL && !printable(question->username, strlen(question->username)))
		return failed(NOT_PRINTABLE, NULL); /* it would be repeated */
	if (count > 0 && reply->body[count - 1] == '\n') {
		count--;
		end--;
	}
	split = memchr(reply->body, '\n', count);
	if (split == NULL || split + 1 == end || !printable(reply->body, (size_t)(split - reply->body)) ||
	    !printable(split + 1, (size_t)(end - split - 1)))
		return failed(NOT_UNDERSTOOD, NULL);
	*split = '\0';
	*end = '\0';
	*answer = (Answer){.username = reply->body, .password = split + 1};
	return GOOD;
}

/* Put the body's first line into `line`, cut to LINE_BYTES, without control characters (C0, DEL, C1). */
static Outcome judge_failure(const Reply *reply)
{
	static const char prefix[] = "token-broker: ";
	Text text = TEXT(line);
	const char *end = memchr(reply->body, '\n', reply->body_bytes);
	size_t count = end != NULL ? (size_t)(end - reply->body) : reply->body_bytes, shown = 0;
	for (size_t i = 0; i < count; i++) {
		unsigned char byte = (unsigned char)reply->body[i];
		unsigned char next = i + 1 < count ? (unsigned char)reply->body[i + 1] : 0;
		if (byte == 0xc2 && next >= 0x80 && next <= 0x9f)
			i++;
		else if (byte >= 0x20 && byte != 0x7f)
			wire.bytes[shown++] = (char)byte; /* in place: it only gets shorter */
	}
	const char *first = wire.bytes;
	if (shown >= strlen(prefix) && memcmp(first, prefix, strlen(prefix)) == 0) {
		first += strlen(prefix);
		shown -= strlen(prefix);
	}
	if (shown > LINE_BYTES)
		for (shown = LINE_BYTES; shown > 0 && ((unsigned char)first[shown] & 0xc0) == 0x80;)
			shown--; /* not within a character of UTF-8 */
	put_bytes(&text, first, shown);
	if (shown > 0)
		return FAILED;
	return failed("the broker answered ", number(reply->status, 10, 3), " without a reason; run: brokerctl status",
		      NULL);
}

/* Return what the broker's status and body mean. */
static Outcome judge(const Reply *reply, const Question *question, Answer *answer)
{
	static const char unanswerable[] = UNANSWERABLE, addable[] = ADDABLE, other_name[] = OTHER_NAME;
	switch (reply->status) {
	case 200:
		return judge_credential(reply, question, answer);
	case 404:
		if (find(reply->body, reply->body_bytes, addable, strlen(addable)) != NULL ||
		    find(reply->body, reply->body_bytes, other_name, strlen(other_name)) != NULL) {
			(void)judge_failure(reply);
			memcpy(unfed, line, sizeof unfed - 1);
		}
		return NOT_OURS;
	case 400:
		if (find(reply->body, reply->body_bytes, unanswerable, strlen(unanswerable)) != NULL)
			return judge_failure(reply);
		return NOT_OURS;
	case 409:
		return SILENT;
	default:
		return judge_failure(reply);
	}
}

static Outcome ask_broker(const char *path, const Question *question, int64_t deadline, bool start, Answer *answer)
{
	Reply reply;
	Outcome outcome = exchange(path, question, deadline, start, &reply);
	if (outcome == CLOSED) /* a restart between connect and answer: its successor answers */
		outcome = exchange(path, question, deadline, start, &reply);
	if (outcome == GOOD)
		return judge(&reply, question, answer);
	return outcome == CLOSED ? FAILED : outcome;
}

static bool socket_beside_us(const char *program, Text *path);

/* Return what the broker of the folder that `program` was found in says, or the user's where there is none; then
 * the system's where that one knows no such feed. */
static Outcome ask(const char *program, const Question *question, Answer *answer)
{
	bool start = true;
	char socket[SOCKET_PATH_BYTES + 1];
	Text path = TEXT(socket);
	int64_t deadline = now_ms() + budget_ms();
	Outcome outcome;
	if (strlen(question->service) > SERVICE_BYTES)
		return NOT_OURS;
	if (question->username != NULL && strlen(question->username) > USERNAME_BYTES)
		return NOT_OURS;
	if (socket_beside_us(program, &path)) {
		start = false;
	} else {
		path = TEXT(socket);
		outcome = socket_path(&path);
		if (outcome != GOOD)
			return outcome;
	}
	outcome = ask_broker(socket, question, deadline, start, answer);
	if (!is_system(socket) && (outcome == NOT_OURS || outcome == NOBODY)) {
		Outcome systems = ask_broker(SYSTEM_SOCKET, question, deadline, false, answer);
		if (systems != NOBODY)
			return systems;
	}
	return outcome;
}

/* Printing */

static bool write_all(int descriptor, const char *bytes, size_t count)
{
	while (count > 0) {
		ssize_t part = write(descriptor, bytes, count);
		if (part < 0 && errno != EINTR)
			return false;
		if (part > 0) {
			bytes += part;
			count -= (size_t)part;
		}
	}
	return true;
}

/* Append printable ASCII as the JSON string that json.dumps makes of it. */
static void put_quoted(Text *to, const char *text)
{
	put(to, "\"");
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			put(to, "\\");
		put_bytes(to, text, 1);
	}
	put(to, "\"");
}

/* Append the answer as keyring 25.7 prints it. A requested username is echoed. */
static void put_answer(Text *to, const Answer *answer, const Question *question)
{
	const char *username = question->username != NULL ? question->username : answer->username;
	if (question->json) {
		put(to, "{");
		if (question->creds) {
			put(to, "\"username\": ");
			put_quoted(to, username);
			put(to, ", ");
		}
		put(to, "\"password\": ");
		put_quoted(to, answer->password);
		put(to, "}\n");
	} else {
		if (question->creds) {
			put(to, username);
			put(to, "\n");
		}
		put(to, answer->password);
		put(to, "\n");
	}
}

/* Write one line to stderr. A stderr that cannot be written to changes nothing. */
static void print_line(const char *words)
{
	static char bytes[4 * sizeof line + 32];
	Text text = TEXT(bytes);
	void (*before)(int) = signal(SIGPIPE, SIG_IGN); /* a pipe that nobody reads is one of those */
	put(&text, "token-broker: ");
	put_escaped(&text, words);
	put(&text, "\n");
	(void)write_all(2, bytes, text.used);
	signal(SIGPIPE, before); /* for who is passed on to */
}

/* Write the answer in one write. False when it cannot be written, which is told. */
static bool print_answer(const Answer *answer, const Question *question)
{
	Text text = empty_text(wire.bytes + wire.count + 1, OUTPUT_BYTES);
	bool written;
	put_answer(&text, answer, question);
	touch(wire.count + 1 + text.used);
	signal(SIGPIPE, SIG_IGN); /* a reader that is gone is told as any other failure is */
	written = !text.overflowed && write_all(1, text.bytes, text.used);
	if (!written)
		print_line(NOT_WRITTEN);
	return written;
}

/* Passing on */

static bool identity(const char *path, struct stat *found)
{
	return stat(path, found) == 0;
}

static bool own_identity(struct stat *found)
{
#ifdef __APPLE__
	char path[PATH_BYTES];
	return own_path(path) && identity(path, found);
#else
	return identity("/proc/self/exe", found); /* also when the file was replaced meanwhile */
#endif
}

static bool same(const struct stat *one, const struct stat *other)
{
	return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

/* Return the next entry of PATH that is absolute and set `count` to its length, NULL after the last. */
static const char *next_entry(const char **rest, size_t *count)
{
	while (*rest != NULL) {
		const char *entry = *rest, *colon = strchr(entry, ':');
		*count = colon != NULL ? (size_t)(colon - entry) : strlen(entry);
		*rest = colon != NULL ? colon + 1 : NULL;
		if (entry[0] == '/')
			return entry;
	}
	return NULL;
}

/* Return the part of PATH after the entry that we were found by; all of it when it was by another path. */
static const char *path_after_us(const char *program, const struct stat *ourselves)
{
	const char *path = getenv("PATH"), *rest = path, *entry;
	const char *slash = strrchr(program, '/');
	char file[PATH_BYTES];
	struct stat folder, found;
	size_t count;
	if (slash != NULL && (!join(file, program, (size_t)(slash - program), "") || !identity(file, &folder)))
		return path;
	while ((entry = next_entry(&rest, &count)) != NULL) {
		if (!join(file, entry, count, slash != NULL ? "" : program) || !identity(file, &found))
			continue;
		if (same(&found, slash != NULL ? &folder : ourselves))
			return rest;
	}
	return path;
}

/* Fill `path` with DIR/broker.sock where we were found as DIR/bin/keyring and it is there: tox and its like clean
 * the environment of TOKEN_BROKER_SOCKET but not of PATH. A name without a slash was found by PATH's first. */
static bool socket_beside_us(const char *program, Text *path)
{
	static const char tail[] = "/bin";
	const char *explicit_path = getenv("TOKEN_BROKER_SOCKET"), *rest = getenv("PATH"), *folder = program;
	const char *slash = program == NULL ? NULL : strrchr(program, '/');
	char file[PATH_BYTES];
	struct stat ourselves, found;
	size_t count = slash == NULL ? 0 : (size_t)(slash - program);
	if (program == NULL || (explicit_path != NULL && explicit_path[0] != '\0'))
		return false;
	if (strcmp(slash == NULL ? program : slash + 1, "keyring") != 0)
		return false;
	if (slash == NULL) {
		while ((folder = next_entry(&rest, &count)) != NULL)
			if (join(file, folder, count, program) && identity(file, &found))
				break;
		if (folder == NULL || !own_identity(&ourselves) || !same(&found, &ourselves))
			return false;
	}
	while (count > 1 && folder[count - 1] == '/')
		count--;
	if (folder[0] != '/' || count < sizeof tail || strncmp(folder + count - 4, tail, 4) != 0)
		return false;
	put_bytes(path, folder, count - 4);
	put(path, "/broker.sock");
	return !path->overflowed && lstat(path->bytes, &found) == 0 && S_ISSOCK(found.st_mode);
}

/* Become the `keyring` in `directory` if there is one that is not this program. */
static void try_to_become(const char *directory, size_t count, char **arguments, char **variables,
			  const struct stat *ourselves)
{
	char candidate[PATH_BYTES];
	struct stat found;
	if (!join(candidate, directory, count, "keyring") || !identity(candidate, &found) || same(&found, ourselves))
		return;
	char *program = arguments[0];
	arguments[0] = candidate;
	execve(candidate, arguments, variables);
	arguments[0] = program; /* not executable after all: the next one */
}

/* Return these variables and TOKEN_BROKER_PASSED=1; NULL when they are too many. */
static char **marked(char **variables)
{
	static char mark[] = "TOKEN_BROKER_PASSED=1";
	static char *all[ENVIRONMENT_COUNT + 2];
	size_t count = 0;
	for (; variables[count] != NULL; count++) {
		if (count == ENVIRONMENT_COUNT)
			return NULL;
		all[count] = variables[count];
	}
	all[count] = mark;
	return all;
}

/* Become the next `keyring` after us: on PATH after our entry, then the one `setup` replaced.
 * Return when there is none or we were passed on to already. */
RARE static void pass_on(char **arguments)
{
	char **variables = marked(environ);
	char replaced[PATH_BYTES];
	Text text = TEXT(replaced);
	struct stat ourselves = {0};
	const char *rest, *entry, *data = absolute("XDG_DATA_HOME"), *home = absolute("HOME");
	size_t count;
	if (getenv("TOKEN_BROKER_PASSED") != NULL || arguments[0] == NULL || variables == NULL)
		return;
	(void)own_identity(&ourselves); /* unknown without /proc: the variable alone ends a loop then */
	rest = path_after_us(arguments[0], &ourselves);
	while ((entry = next_entry(&rest, &count)) != NULL)
		try_to_become(entry, count, arguments, variables, &ourselves);
	if (data == NULL && home == NULL)
		return;
	put(&text, data != NULL ? data : home);
	put(&text, data != NULL ? "/token-broker/replaced" : "/.local/share/token-broker/replaced");
	if (!text.overflowed)
		try_to_become(replaced, text.used, arguments, variables, &ourselves);
}

/* Return why nothing was done where there is nobody to pass these arguments on to. */
static const char *nobody_else(char **arguments)
{
	for (; *arguments != NULL; arguments++)
		if (strcmp(*arguments, "get") == 0)
			return HOW_TO_GET;
	return NOBODY_ELSE;
}

/* Answer like `keyring`; return the exit code: 0 answered, 1 not. */
int main(int count, char **arguments)
{
	Question question;
	Answer answer;
	bool printed = false;
	if (count < 1 || !parse_command(arguments + 1, &question)) {
		pass_on(arguments);
		print_line(nobody_else(arguments));
		return 1;
	}
	hide();
	switch (ask(arguments[0], &question, &answer)) {
	case GOOD:
		printed = print_answer(&answer, &question);
		break;
	case FAILED:
	case CLOSED:
		print_line(line);
		break;
	case NOBODY:
		if (getenv("TOKEN_BROKER_PASSED") == NULL) /* said once, by the first of us */
			print_line(line);
		pass_on(arguments);
		break;
	case NOT_OURS:
		pass_on(arguments);
		if (question.username != NULL && strlen(question.username) > USERNAME_BYTES)
			print_line(TOO_LONG);
		else if (unfed[0] != 0)
			print_line(unfed);
		break;
	case SILENT:
		break;
	}
	wipe(wire.bytes, wire.touched);
	return printed ? 0 : 1;
}
