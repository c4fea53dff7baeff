#ifdef HAVE_CONFIG_H
# include "config.h"
#endif

#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

#include "php_supervisor.h"
#include "SAPI.h"

/* Linux shows in ps what lies where argv and the environment were at exec. php-cli has moved
 * both away when it started (it has a cli_set_process_title() of its own, but not for modules),
 * so that the room is free; that is checked, not assumed. Under valgrind, for one, the kernel
 * speaks of valgrind's memory. */

extern char **environ;

typedef struct {
	char *start;
	size_t len;
} room;

/* Fields 48 to 51 of /proc/self/stat: arg_start, arg_end, env_start, env_end (proc(5)). */
static bool find_room(room *r)
{
	char line[4096];
	unsigned long arg_start, arg_end, env_start, env_end;
	const char *at;
	FILE *stat = fopen("/proc/self/stat", "re");
	size_t n;

	if (stat == NULL) {
		return false;
	}
	n = fread(line, 1, sizeof(line) - 1, stat);
	fclose(stat);
	line[n] = '\0';
	at = strrchr(line, ')'); /* the name of the program may contain anything */
	for (int field = 2; at != NULL && field < 48; field++) {
		at = strchr(at + 1, ' ');
	}
	if (at == NULL || sscanf(at, "%lu %lu %lu %lu", &arg_start, &arg_end, &env_start, &env_end) != 4
			|| arg_start == 0 || arg_end <= arg_start || env_start != arg_end || env_end < env_start
			|| getauxval(AT_EXECFN) != env_end) { /* execve() puts the program's path behind the environment */
		return false;
	}
	r->start = (char *) arg_start;
	r->len = env_end - arg_start;
	return true;
}

static bool inside(const room *r, const char *string)
{
	return string >= r->start && string < r->start + r->len;
}

static bool in_use(const room *r)
{
	if (sapi_module.executable_location != NULL && inside(r, sapi_module.executable_location)) {
		return true;
	}
	for (char **variable = environ; variable != NULL && *variable != NULL; variable++) {
		if (inside(r, *variable)) {
			return true;
		}
	}
	return false;
}

void sup_set_process_title(const char *title)
{
	static room r;
	static enum { UNKNOWN, USABLE, UNUSABLE } state = UNKNOWN;
	size_t len = strlen(title);

	if (len == 0) {
		return;
	}
	if (state == UNKNOWN) {
		state = find_room(&r) && r.len > 1 && !in_use(&r) ? USABLE : UNUSABLE;
	}
	if (state == USABLE) {
		len = len < r.len - 1 ? len : r.len - 1;
		memset(r.start, 0, r.len);
		memcpy(r.start, title, len);
	}
}
