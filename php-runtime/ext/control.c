#ifdef HAVE_CONFIG_H
# include "config.h"
#endif

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "php_supervisor.h"

/* The control socket: SOCK_SEQPACKET, one message per send(). See docs/PROTOCOL.md. */

#define MAX_CONFIG 200000
#define SPAWN_FDS 3

/* ---- CONFIG ---- */

ZEND_COLD ZEND_NORETURN static void bad_config(const char *format, ...) ZEND_ATTRIBUTE_FORMAT(printf, 1, 2);

static void bad_config(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("supervisor: CONFIG message: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(SUP_EXIT_CONFIG);
}

static void *must_alloc(void *memory)
{
	if (memory == NULL) {
		bad_config("out of memory");
	}
	return memory;
}

static void add_pair(sup_pairs *pairs, const char *name, const char *value)
{
	pairs->list = must_alloc(realloc(pairs->list, (pairs->count + 1) * sizeof(*pairs->list)));
	pairs->list[pairs->count].name = name;
	pairs->list[pairs->count].value = value;
	pairs->count++;
}

static bool is_one(const char *key, const char *value)
{
	if (strcmp(value, "1") != 0 && strcmp(value, "0") != 0) {
		bad_config("%s is \"%s\" instead of 1 or 0", key, value);
	}
	return *value == '1';
}

/* Space separated; "" allows everything. */
static char **split_extensions(const char *value)
{
	char *copy = must_alloc(strdup(value));
	char **list = NULL;
	char *rest = NULL;
	size_t count = 0;

	for (char *word = strtok_r(copy, " \t", &rest); word != NULL; word = strtok_r(NULL, " \t", &rest)) {
		list = must_alloc(realloc(list, (count + 2) * sizeof(*list)));
		list[count++] = word;
		list[count] = NULL;
	}
	if (list == NULL) {
		free(copy);
	}
	return list;
}

/* "prefix[name]": gives name as a string of its own, or NULL when key is something else. */
static const char *name_in_brackets(const char *key, const char *prefix)
{
	size_t prefix_len = strlen(prefix);
	size_t len = strlen(key);
	char *name;

	if (strncmp(key, prefix, prefix_len) != 0 || key[prefix_len] != '[') {
		return NULL;
	}
	if (len < prefix_len + 3 || key[len - 1] != ']') {
		bad_config("malformed key \"%s\"", key);
	}
	name = must_alloc(strdup(key + prefix_len + 1));
	name[strlen(name) - 1] = '\0';
	return name;
}

static void take_pair(sup_config *config, const char *key, const char *value)
{
	const char *name;

	if (strcmp(key, "pool") == 0) {
		config->pool = value;
	} else if (strcmp(key, "title") == 0) {
		config->title = value;
	} else if (strcmp(key, "chdir") == 0) {
		config->chdir = value;
	} else if (strcmp(key, "mode") == 0) {
		if (strcmp(value, "classic") != 0 && strcmp(value, "worker") != 0) {
			bad_config("mode is \"%s\" instead of classic or worker", value);
		}
		config->mode = *value == 'w' ? SUP_MODE_WORKER : SUP_MODE_CLASSIC;
	} else if (strcmp(key, "worker.script") == 0) {
		config->worker_script = value;
	} else if (strcmp(key, "security.limit_extensions") == 0) {
		config->limit_extensions = split_extensions(value);
	} else if (strcmp(key, "clear_env") == 0) {
		config->clear_env = is_one(key, value);
	} else if ((name = name_in_brackets(key, "env")) != NULL) {
		if (strchr(name, '=') != NULL) {
			bad_config("malformed key \"%s\"", key);
		}
		add_pair(&config->env, name, value);
	} else if ((name = name_in_brackets(key, "php_value")) != NULL) {
		add_pair(&config->php_values, name, value);
	} else if ((name = name_in_brackets(key, "php_admin_value")) != NULL) {
		add_pair(&config->php_admin_values, name, value);
	}
	/* Anything else is from a newer supervisor. */
}

void sup_control_read_config(int fd, sup_config *config)
{
	char *message = must_alloc(malloc(MAX_CONFIG + 1));
	sup_pairs seen = {0};
	ssize_t n;

	memset(config, 0, sizeof(*config));
	config->pool = config->title = config->chdir = config->worker_script = "";
	config->clear_env = true;

	do {
		n = recv(fd, message, MAX_CONFIG + 1, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		bad_config("%s", strerror(errno));
	}
	if (n == 0 || message[0] != 'C') {
		bad_config("the first message is something else");
	}
	if (n > MAX_CONFIG) {
		bad_config("longer than %d bytes", MAX_CONFIG);
	}
	if (n > 1 && message[n - 1] != '\0') {
		bad_config("ends within a value");
	}

	/* The strings stay where they are: message is never freed. */
	for (char *at = message + 1, *end = message + n; at < end;) {
		const char *key = at;
		const char *value;

		at += strlen(at) + 1;
		if (*key == '\0') {
			bad_config("empty key");
		}
		if (at >= end) {
			bad_config("key \"%s\" has no value", key);
		}
		value = at;
		at += strlen(at) + 1;
		for (size_t i = 0; i < seen.count; i++) {
			if (strcmp(seen.list[i].name, key) == 0) {
				bad_config("key \"%s\" is there twice", key);
			}
		}
		add_pair(&seen, key, value);
		take_pair(config, key, value);
	}
	free(seen.list);

	if (config->mode == SUP_MODE_WORKER && config->worker_script[0] != '/') {
		bad_config("worker.script is \"%s\" instead of an absolute path", config->worker_script);
	}
}

/* ---- SPAWN and the answers ---- */

static uint32_t get32(const unsigned char *at)
{
	return (uint32_t) at[0] << 24 | (uint32_t) at[1] << 16 | (uint32_t) at[2] << 8 | at[3];
}

static void put32(unsigned char *at, uint32_t value)
{
	at[0] = (unsigned char) (value >> 24);
	at[1] = (unsigned char) (value >> 16);
	at[2] = (unsigned char) (value >> 8);
	at[3] = (unsigned char) value;
}

/* Copies up to max descriptors out of message and closes any more. Returns how many there were. */
static size_t take_fds(struct msghdr *message, int *fds, size_t max)
{
	size_t count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
			continue;
		}
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (count < max) {
				fds[count] = fd;
			} else {
				close(fd);
			}
			count++;
		}
	}
	return count;
}

bool sup_control_next_spawn(int fd, sup_spawn *spawn)
{
	unsigned char data[16];
	int fds[SPAWN_FDS];
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(8 * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = data, .iov_len = sizeof(data)};
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	size_t count;
	ssize_t n;

	do {
		n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n <= 0) {
		return false; /* the supervisor has gone or is done with this zygote */
	}
	count = take_fds(&message, fds, SPAWN_FDS);
	if (n != 8 || memcmp(data, "S\0\0\0", 4) != 0 || count != SPAWN_FDS || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		for (size_t i = 0; i < count && i < SPAWN_FDS; i++) {
			close(fds[i]);
		}
		fprintf(stderr, "supervisor: unknown message of %zd bytes and %zu descriptors on the control socket\n", n, count);
		return false;
	}
	spawn->id = get32(data + 4);
	spawn->socket = fds[0];
	spawn->out = fds[1];
	spawn->err = fds[2];
	return true;
}

static bool send_message(int fd, const void *data, size_t n)
{
	ssize_t sent;

	do {
		sent = send(fd, data, n, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent == (ssize_t) n;
}

bool sup_control_send_ready(int fd)
{
	unsigned char data[8 + sizeof(PHP_VERSION)] = "R\0\0";

	put32(data + 4, (uint32_t) getpid());
	memcpy(data + 8, PHP_VERSION, sizeof(PHP_VERSION) - 1);
	return send_message(fd, data, 8 + sizeof(PHP_VERSION) - 1);
}

bool sup_control_send_spawn_failed(int fd, uint32_t id, int error)
{
	unsigned char data[12] = "F\0\0";

	put32(data + 4, id);
	put32(data + 8, (uint32_t) error);
	return send_message(fd, data, sizeof(data));
}
