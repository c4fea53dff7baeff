#ifdef HAVE_CONFIG_H
# include "config.h"
#endif

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include "php_supervisor.h"
#include "SAPI.h"
#include "ext/standard/info.h"
#include "sapi/cli/cli.h"

#include "supervisor_arginfo.h"

#define SAPI_NAME "fpm-fcgi"
#define SAPI_PRETTY_NAME "FPM/FastCGI"

sup_process sup = {.role = SUP_ROLE_NONE, .control = -1};

/* The order at start: get_module(), MINIT of every module, post_startup(), opcache.preload as
 * a request of its own, php-cli's greeting, RINIT of php-cli's request, sup_zygote_main(). */

static zend_result (*next_post_startup)(void);

/* ---- php-cli's greeting ----
 * `php -a` says "Interactive shell" on stdout between its start and its first request. Nobody
 * should find that in a log: stdout leads nowhere whenever no request runs, until the zygote
 * takes over. Output of preloading and of startup errors still arrives. */

static int muted_stdout = -1;

static void mute_stdout(void)
{
	int null;

	if (muted_stdout != -1) {
		return;
	}
	muted_stdout = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (muted_stdout == -1) {
		return;
	}
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null != -1) {
		fflush(stdout);
		dup2(null, STDOUT_FILENO);
		close(null);
	}
}

static void unmute_stdout(void)
{
	if (muted_stdout != -1) {
		fflush(stdout);
		dup2(muted_stdout, STDOUT_FILENO);
		close(muted_stdout);
		muted_stdout = -1;
	}
}

static zend_result post_startup(void)
{
	if (next_post_startup != NULL && next_post_startup() != SUCCESS) {
		return FAILURE;
	}
	mute_stdout();
	return SUCCESS;
}

/* ---- module ---- */

static void take_over_shell(void)
{
	php_cli_get_shell_callbacks()->cli_shell_run = sup_zygote_main;
}

static PHP_MINIT_FUNCTION(supervisor)
{
	if (sup.role != SUP_ROLE_NONE) {
		take_over_shell();
		next_post_startup = zend_post_startup_cb;
		zend_post_startup_cb = post_startup;
		if (sup.config.mode == SUP_MODE_WORKER) {
			return sup_worker_mode_register_functions();
		}
	}
	return SUCCESS;
}

/* Only until sup_zygote_main() has begun: with its first line the role of these two is over. */
static PHP_RINIT_FUNCTION(supervisor)
{
#if defined(ZTS) && defined(COMPILE_DL_SUPERVISOR)
	ZEND_TSRMLS_CACHE_UPDATE();
#endif
	if (sup.role == SUP_ROLE_ZYGOTE) {
		unmute_stdout();
		take_over_shell(); /* readline may have set its own since MINIT */
	}
	return SUCCESS;
}

static PHP_RSHUTDOWN_FUNCTION(supervisor)
{
	if (sup.role == SUP_ROLE_ZYGOTE && !sup.zygote_running) {
		mute_stdout();
	}
	return SUCCESS;
}

static PHP_MINFO_FUNCTION(supervisor)
{
	php_info_print_table_start();
	php_info_print_table_row(2, "supervisor", sup.role == SUP_ROLE_NONE ? "inactive (no supervisor)" : "active");
	php_info_print_table_row(2, "version", PHP_SUPERVISOR_VERSION);
	if (sup.role != SUP_ROLE_NONE) {
		php_info_print_table_row(2, "pool", sup.config.pool);
		php_info_print_table_row(2, "mode", sup.config.mode == SUP_MODE_WORKER ? "worker" : "classic");
	}
	php_info_print_table_end();
}

zend_module_entry supervisor_module_entry = {
	STANDARD_MODULE_HEADER,
	"supervisor",
	ext_functions,
	PHP_MINIT(supervisor),
	NULL,
	PHP_RINIT(supervisor),
	PHP_RSHUTDOWN(supervisor),
	PHP_MINFO(supervisor),
	PHP_SUPERVISOR_VERSION,
	STANDARD_MODULE_PROPERTIES
};

/* ---- loading ---- */

/* The file descriptor in SUPERVISOR_CONTROL, or -1. */
static int control_from_environment(void)
{
	const char *value = getenv("SUPERVISOR_CONTROL");
	char *end;
	long fd;

	if (value == NULL || *value == '\0') {
		return -1;
	}
	fd = strtol(value, &end, 10);
	if (*end != '\0' || fd < 3 || fd > 65535 || fcntl((int) fd, F_GETFD) == -1) {
		fprintf(stderr, "supervisor: SUPERVISOR_CONTROL=%s is not an open descriptor above 2\n", value);
		exit(SUP_EXIT_CONFIG);
	}
	return (int) fd;
}

/* Loaded as /proc/self/fd/N: N has done its work. */
static void close_own_file(void)
{
	static const char prefix[] = "/proc/self/fd/";
	Dl_info info;

	if (dladdr((void *) close_own_file, &info) != 0 && info.dli_fname != NULL
			&& strncmp(info.dli_fname, prefix, sizeof(prefix) - 1) == 0) {
		int fd = atoi(info.dli_fname + sizeof(prefix) - 1);
		if (fd > 2 && fd != sup.control) {
			close(fd);
		}
	}
}

/* Everyone who asks for the SAPI's name sees FPM: extensions are loaded before any module's
 * GINIT and MINIT, so that pcre keeps its compiled expressions from request to request, FFI
 * is restricted, and OPcache, JIT and preloading need no opcache.enable_cli. */
static void become_fpm(void)
{
	zval *constant = zend_get_constant_str(ZEND_STRL("PHP_SAPI"));

	sapi_module.name = (char *) SAPI_NAME;
	sapi_module.pretty_name = (char *) SAPI_PRETTY_NAME;
	sapi_module.phpinfo_as_text = 0;
	sapi_module.additional_functions = NULL; /* dl() and cli_*_process_title() */
	if (constant != NULL) {
		ZVAL_STR(constant, zend_string_init_interned(ZEND_STRL(SAPI_NAME), 1));
	}
	sup_ini_undo_cli();
	zend_register_internal_module(&sup_cgi_fcgi_module_entry);
}

#ifdef COMPILE_DL_SUPERVISOR
# ifdef ZTS
ZEND_TSRMLS_CACHE_DEFINE()
# endif

ZEND_DLEXPORT zend_module_entry *get_module(void)
{
# ifdef ZTS
	ZEND_TSRMLS_CACHE_UPDATE();
# endif
	sup.control = control_from_environment();
	if (sup.control != -1) {
		fcntl(sup.control, F_SETFD, FD_CLOEXEC);
		sup_control_read_config(sup.control, &sup.config);
		unsetenv("SUPERVISOR_CONTROL");
		sup.role = SUP_ROLE_ZYGOTE;
		close_own_file();
		become_fpm();
	}
	return &supervisor_module_entry;
}
#endif
