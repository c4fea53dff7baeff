#ifdef HAVE_CONFIG_H
# include "config.h"
#endif

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "php_supervisor.h"
#include "SAPI.h"
#include "php_main.h"
#include "php_output.h"
#include "ext/standard/head.h"

sup_request_state sup_request = {.body_fd = -1};

static uint32_t requests_served;

/* ---- SIGQUIT: leave when the current request is done, as a php-fpm child does ---- */

static volatile sig_atomic_t quit_asked;
static volatile sig_atomic_t waiting; /* for a request: nothing is lost by leaving now */

static void on_quit(int signo)
{
	quit_asked = 1;
	if (waiting) {
		shutdown(sup_wire_fd(sup.wire), SHUT_RD); /* ends the read() that waits, also one that is about to begin */
	}
}

static void catch_quit(void)
{
	struct sigaction action = {.sa_handler = on_quit, .sa_flags = SA_RESTART};

#ifdef ZEND_SIGNALS
	/* The zygote's own request has installed PHP's deferring handlers, which stay for the other
	 * signals. Not reinstalling them on each request saves seven system calls and leaves SIGQUIT,
	 * whose handler needs no deferring, to us. */
	SIGG(reset) = 0;
	SIGG(check) = 0;
#endif
	sigemptyset(&action.sa_mask);
	sigaction(SIGQUIT, &action, NULL);
}

bool sup_worker_leaving(void)
{
	return quit_asked;
}

/* ---- pcntl_fork() ---- */

/* Runs in every child that this process forks, also for proc_open(). The child's output goes
 * nowhere, and its copy of the socket must not keep the supervisor from seeing the worker's end. */
static void detach(void)
{
	sup.detached = true;
	dup3(STDIN_FILENO, sup_wire_fd(sup.wire), O_CLOEXEC); /* /dev/null */
}

/* ---- one request ---- */

bool sup_request_next(void)
{
	sup_wire_status status;

	waiting = 1;
	status = quit_asked ? SUP_WIRE_EOF : sup_wire_next_request(sup.wire);
	waiting = 0;
	if (status == SUP_WIRE_BROKEN) {
		fprintf(stderr, "supervisor: worker: %s\n", sup_wire_error(sup.wire));
		sup.exit_status = SUP_EXIT_SOFTWARE;
	}
	if (status != SUP_WIRE_OK) {
		return false;
	}
	sup_request = (sup_request_state) {.open = true, .body_fd = -1};
	sup_request_info_init();
	return true;
}

bool sup_request_end_response(void)
{
	if (!sup_request.open || sup.detached || sup_wire_response_ended(sup.wire)) {
		return false;
	}
	php_output_end_all();
	php_header();
	sup_wire_end_response(sup.wire, 0);
	sup_wire_flush(sup.wire);
	return true;
}

#define FATAL_ERRORS (E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR | E_RECOVERABLE_ERROR)

void sup_request_before_shutdown(void)
{
	if (EG(exit_status) == 255) {
		if (PG(last_error_message) != NULL && (PG(last_error_type) & FATAL_ERRORS)) {
			sup_request.fatal = true;
		}
		if (SUPG(error_header) != NULL && *SUPG(error_header) != '\0' && !SG(headers_sent)) {
			sapi_header_line line = {0};
			line.line = SUPG(error_header);
			line.line_len = strlen(SUPG(error_header));
			sapi_header_op(SAPI_HEADER_REPLACE, &line);
		}
	}
	if (sup_request.body_fd != -1) {
		close(sup_request.body_fd);
		sup_request.body_fd = -1;
		sup_request.body_file_failed = true; /* not to be opened again */
	}
	if (SG(request_info).path_translated != NULL) {
		efree(SG(request_info).path_translated);
		SG(request_info).path_translated = NULL;
	}
}

static uint64_t microseconds(struct timeval t)
{
	return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_usec;
}

/* CPU time since the last call: a worker that waits uses none. */
static void measure_cpu(uint64_t *user, uint64_t *system)
{
	static uint64_t user_before, system_before;
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	*user = microseconds(usage.ru_utime) - user_before;
	*system = microseconds(usage.ru_stime) - system_before;
	user_before += *user;
	system_before += *system;
}

bool sup_request_finish(bool leaving)
{
	sup_idle_stats stats = {0};
	bool written;

	if (sup.detached) {
		fflush(NULL);
		_exit(EG(exit_status));
	}
	leaving = leaving || quit_asked;
	sup_request_info_clear();
	sup_request.open = false;
	stats.memory = zend_memory_usage(true);
	stats.peak = sup_request.peak > stats.memory ? sup_request.peak : stats.memory;
	measure_cpu(&stats.user_us, &stats.system_us);
	stats.flags = (leaving ? SUP_IDLE_LEAVING : 0) | (sup_request.fatal ? SUP_IDLE_FATAL : 0)
		| (sup_request.renew ? SUP_IDLE_RENEW : 0);
	stats.requests = ++requests_served;
	written = sup_wire_idle(sup.wire, &stats); /* END_REQUEST too, unless it has gone before */
	return written && !leaving;
}

/* ---- a worker's life ---- */

/* A worker that is given a request does not take the processor from the supervisor, which may have
 * more to hand out, nor from the web server (docs/decisions/0010). A policy that somebody has
 * chosen stays. */
static void yield_to_the_dispatcher(void)
{
	struct sched_param param = {0};

	if (sched_getscheduler(0) == SCHED_OTHER) {
		sched_setscheduler(0, SCHED_BATCH, &param);
	}
}

ZEND_NORETURN static void leave(void)
{
	/* As a php-fpm child leaves. This library stays mapped (config.m4), though PHP closes it. */
	SG(server_context) = NULL;
	php_module_shutdown();
#ifdef ZTS
	tsrm_shutdown();
#endif
	sup_wire_close(sup.wire);
	exit(sup.exit_status);
}

void sup_worker_main(void)
{
	uint64_t user, system;

	yield_to_the_dispatcher();
	catch_quit();
	pthread_atfork(NULL, NULL, detach);
	measure_cpu(&user, &system); /* the fork's own share is no request's */
	if (sup.config.mode == SUP_MODE_WORKER) {
		sup_worker_mode_loop();
	} else if (sup_wire_ready(sup.wire)) {
		sup_classic_loop();
	}
	leave();
}
