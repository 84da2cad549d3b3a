/* The floor: a server that answers every caller the same bytes and does nothing else.
 *
 *   constant SOCKET < answer
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int main(int count, char **arguments)
{
	static char answer[65536], request[16384];
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t answer_bytes = fread(answer, 1, sizeof answer, stdin);
	int listening = socket(AF_UNIX, SOCK_STREAM, 0);
	if (count != 2 || strlen(arguments[1]) >= sizeof address.sun_path)
		return 2;
	strcpy(address.sun_path, arguments[1]);
	umask(0177);
	if (bind(listening, (struct sockaddr *)&address, sizeof address) != 0 || listen(listening, 4096) != 0) {
		perror("listen");
		return 1;
	}
	for (;;) {
		int caller = accept(listening, NULL, NULL);
		if (caller < 0)
			continue;
		if (recv(caller, request, sizeof request, 0) > 0)
			send(caller, answer, answer_bytes, MSG_NOSIGNAL);
		close(caller);
	}
}
