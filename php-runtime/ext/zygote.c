#ifdef HAVE_CONFIG_H
# include "config.h"
#endif

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "php_supervisor.h"
#include "SAPI.h"
#include "php_main.h"
#ifdef ZEND_MAX_EXECUTION_TIMERS
# include "zend_max_execution_timer.h"
#endif

extern char **environ;

/* ---- the zygote ---- */

/* The variables through which the supervisor speaks to the zygote are nobody else's business:
 * a php that a script starts reads the ini files it would read otherwise. */
static void set_environment(const sup_config *config)
{
	if (config->clear_env) {
		clearenv();
	} else {
		unsetenv("PHPRC");
		unsetenv("PHP_INI_SCAN_DIR");
	}
	for (size_t i = 0; i < config->env.count; i++) {
		setenv(config->env.list[i].name, config->env.list[i].value, 1);
	}
}

static void set_zygote_title(void)
{
	char title[256];

	snprintf(title, sizeof(title), "php-fpm: zygote %s", sup.config.pool);
	sup_set_process_title(title);
}

/* Ends php-cli's own request, which is all that is left of php-cli afterwards. */
static void end_cli(void)
{
	php_request_shutdown(NULL);
	SG(server_context) = NULL;
	SG(request_info).argc = 0;
	SG(request_info).argv = NULL;
	SG(request_info).path_translated = NULL;
	SG(options) &= ~SAPI_OPTION_NO_CHDIR; /* a script runs in its own directory */
	EG(exit_status) = 0;
	EG(flags) = EG_FLAGS_INITIAL; /* or messages would speak of a request shutdown */
	sup_sapi_install();
}

/* ---- forking ---- */

/* Signals as in a php-fpm child, but for SIGQUIT: see worker.c. The zygote's mask and handlers
 * are php-cli's, which are the defaults. */
ZEND_NORETURN static void become_worker(const sup_spawn *spawn)
{
	sup.role = SUP_ROLE_WORKER;
	close(sup.control);
	sup.control = -1;
	if (dup2(spawn->out, STDOUT_FILENO) == -1 || dup2(spawn->err, STDERR_FILENO) == -1) {
		_exit(SUP_EXIT_SOFTWARE);
	}
	close(spawn->out);
	close(spawn->err);

#ifdef ZEND_MAX_EXECUTION_TIMERS
	zend_max_execution_timer_init(); /* timers are not inherited */
#endif
	sup_set_process_title(sup.config.title);

	sup.wire = sup_wire_open(spawn->socket);
	if (sup.wire == NULL || !sup_wire_hello(sup.wire, (uint32_t) getpid())) {
		fputs("supervisor: worker is out of memory\n", stderr);
		_exit(SUP_EXIT_SOFTWARE);
	}
	sup_worker_main();
	_exit(SUP_EXIT_SOFTWARE); /* not reached */
}

/* Forks twice, so that the worker is the supervisor's child (it is the subreaper) and its exit
 * status reaches the supervisor even when this zygote has gone. Returns an errno or 0. */
static int fork_worker(const sup_spawn *spawn)
{
	pid_t between, pid;
	int status;

	fflush(NULL); /* or parent and child both write what is buffered */
	between = fork();
	if (between == -1) {
		return errno;
	}
	if (between == 0) {
		pid = fork();
		if (pid == 0) {
			become_worker(spawn);
		}
		_exit(pid == -1 ? errno & 0xff : 0);
	}
	while (waitpid(between, &status, 0) == -1) {
		if (errno != EINTR) {
			return errno;
		}
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
}

static void close_spawn(const sup_spawn *spawn)
{
	close(spawn->socket);
	close(spawn->out);
	close(spawn->err);
}

int sup_zygote_main(void)
{
	sup_spawn spawn;

	sup.zygote_running = true;
	end_cli();
	set_zygote_title();
	set_environment(&sup.config);
	if (*sup.config.chdir != '\0' && VCWD_CHDIR(sup.config.chdir) != 0) {
		fprintf(stderr, "supervisor: chdir to %s: %s\n", sup.config.chdir, strerror(errno));
		_exit(SUP_EXIT_CONFIG);
	}
	sup_ini_apply_pool(&sup.config);

	if (sup_control_send_ready(sup.control)) {
		while (sup_control_next_spawn(sup.control, &spawn)) {
			int error = fork_worker(&spawn);
			close_spawn(&spawn);
			if (error != 0 && !sup_control_send_spawn_failed(sup.control, spawn.id, error)) {
				break;
			}
		}
	}
	/* Without module shutdown: what modules tear down there the workers may still share. */
	fflush(NULL);
	_exit(0);
}
