/*
 * supervisor: makes a stock php-cli a FastCGI worker that is the FPM SAPI in name and
 * behaviour. See docs/ARCHITECTURE.md for the processes and docs/PROTOCOL.md for the bytes.
 *
 * Without a supervisor (no SUPERVISOR_CONTROL in the environment) the extension is inert:
 * it loads into any PHP, changes nothing, and Supervisor\handle_request() throws.
 *
 * Life of a process, by file:
 *   supervisor.c  get_module() reads CONFIG and renames the SAPI; MINIT and RINIT set the
 *                 callback that `php -a` calls
 *   control.c     the control socket's messages
 *   zygote.c      that callback: ends php-cli's own request, becomes FPM, forks workers
 *   worker.c      a worker: one request after the other until the supervisor hangs up
 *   classic.c     serves one script per request; worker_mode.c one script for all of them, with
 *                 context.c and restore.c around each request
 *   sapi.c        PHP's side of a request; request.c and pathinfo.c fill SG(request_info)
 *   ini.c         php-cli's forced settings undone, php_value, PHP_VALUE; user_ini.c .user.ini
 *   cgi_fcgi.c    the module "cgi-fcgi" as php-fpm registers it: functions and ini entries
 *   wire.c        the worker socket, with wire_input.c and params.c; knows nothing of PHP
 *
 * A process serves one request at a time on one thread, also under ZTS: state of the
 * process is plain static data, only ini settings live in module globals.
 */
#ifndef PHP_SUPERVISOR_H
#define PHP_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "php.h"
#include "wire.h"

#define PHP_SUPERVISOR_VERSION "0.1.0"

/* Exit statuses, those of sysexits.h that php-fpm uses too. */
#define SUP_EXIT_SOFTWARE 70
#define SUP_EXIT_CONFIG 78

extern zend_module_entry supervisor_module_entry;
#define phpext_supervisor_ptr &supervisor_module_entry

#if defined(ZTS) && defined(COMPILE_DL_SUPERVISOR)
ZEND_TSRMLS_CACHE_EXTERN()
#endif

/* The values of the ini entries of the module "cgi-fcgi"; valid only with a supervisor. */
ZEND_BEGIN_MODULE_GLOBALS(supervisor)
	bool rfc2616_headers;
	bool nph;
	bool fix_pathinfo;
	bool force_redirect;
	bool discard_path;
	bool fcgi_logging;
	char *redirect_status_env;
	char *error_header;
	char *fpm_config;
#if PHP_VERSION_ID >= 80500
	bool script_path_encoded;
#endif
ZEND_END_MODULE_GLOBALS(supervisor)

ZEND_EXTERN_MODULE_GLOBALS(supervisor)
#define SUPG(v) ZEND_MODULE_GLOBALS_ACCESSOR(supervisor, v)

/* Whether Apache's proxy URL in SCRIPT_FILENAME stays as encoded as it came. */
#if PHP_VERSION_ID >= 80500
# define SUP_SCRIPT_PATH_ENCODED SUPG(script_path_encoded)
#else
# define SUP_SCRIPT_PATH_ENCODED true
#endif

/* ---- control.c ---- */

typedef enum {
	SUP_MODE_CLASSIC,
	SUP_MODE_WORKER
} sup_mode;

typedef struct {
	const char *name;
	const char *value;
} sup_pair;

typedef struct {
	sup_pair *list;
	size_t count;
} sup_pairs;

/* What CONFIG says. Every string lives as long as the process. */
typedef struct {
	const char *pool;             /* "" when not given */
	const char *title;            /* process title of workers; "" leaves it alone */
	const char *chdir;            /* "" stays where the zygote was started */
	const char *worker_script;    /* absolute path; not empty in worker mode */
	sup_mode mode;
	bool clear_env;
	char **limit_extensions;      /* NULL-terminated; NULL allows every script */
	sup_pairs env;
	sup_pairs php_values;
	sup_pairs php_admin_values;
} sup_config;

/* Reads the CONFIG message that is already queued on fd. Whatever is wrong is said in one
 * line on stderr and ends the process with SUP_EXIT_CONFIG. */
void sup_control_read_config(int fd, sup_config *config);

typedef struct {
	uint32_t id;
	int socket, out, err; /* ours to close; CLOEXEC */
} sup_spawn;

/* Waits for the next SPAWN. False when the supervisor has hung up (or sent nonsense, said on stderr). */
bool sup_control_next_spawn(int fd, sup_spawn *spawn);
bool sup_control_send_ready(int fd);
bool sup_control_send_spawn_failed(int fd, uint32_t id, int error);

/* ---- title.c ---- */

/* Replaces what ps shows. Does nothing where the kernel or libc leave no room for it. */
void sup_set_process_title(const char *title);

/* ---- zygote.c ---- */

/* The process's part in the play. It only ever grows: NONE, ZYGOTE, WORKER. */
typedef enum {
	SUP_ROLE_NONE,    /* no supervisor: inert */
	SUP_ROLE_ZYGOTE,  /* from get_module() on */
	SUP_ROLE_WORKER   /* after the fork */
} sup_role;

typedef struct {
	sup_role role;
	bool zygote_running; /* sup_zygote_main() has begun; stays true in workers */
	int control;        /* the control socket; -1 in workers */
	sup_config config;
	sup_wire *wire;     /* not NULL exactly in workers */
	int exit_status;    /* with which the worker leaves */
	bool detached;      /* a copy of a worker that PHP code forked: it must not speak for the worker */
} sup_process;

extern sup_process sup;

/* php-cli's cli_shell_run: becomes the zygote. Never returns. */
int sup_zygote_main(void);

/* ---- worker.c ---- */

/* Serves requests on an open worker socket (HELLO sent) until the supervisor hangs up, then
 * leaves. Calls sup_classic_loop() or sup_worker_mode_loop(). Never returns. */
ZEND_COLD void sup_worker_main(void);

/* Waits for a request. True: its params are there and sup_request_info_init() has been
 * called; false: the worker has to leave (sup.exit_status and the log line are settled). */
bool sup_request_next(void);

/* What the current request did; reset by sup_request_next(). */
typedef struct {
	bool open;             /* between sup_request_next() and sup_request_finish() */
	bool stderr_begun;     /* a message went to STDERR: the next one is set apart by "; " */
	bool fatal;            /* ended by a fatal error */
	bool renew;            /* SUP_IDLE_RENEW */
	int body_fd;           /* REQUEST_BODY_FILE, -1 when not open */
	bool body_file_failed; /* it could not be opened and that was said */
	size_t peak;           /* bytes, noted by the deactivate callback; 0: not yet */
} sup_request_state;

extern sup_request_state sup_request;

/* Call before the engine cleans the request up (php_request_shutdown(), or what worker mode
 * does instead): notes whether a fatal error ended it and adds fastcgi.error_header. */
void sup_request_before_shutdown(void);

/* Ends the response (unless ended early) and then the request: drops what is left of the
 * body, calls sup_request_info_clear(), sends END_REQUEST and IDLE in one write. leaving: this
 * worker takes no more requests. False when the worker has to leave. */
bool sup_request_finish(bool leaving);

/* fastcgi_finish_request(): sends the response whole while the request goes on. False when it
 * has been ended before. Output from here on is dropped. */
bool sup_request_end_response(void);

/* True once somebody wants this worker gone (SIGQUIT): finish the request, then leave. */
bool sup_worker_leaving(void);

/* ---- classic.c ---- */

/* One php_request_startup() … php_request_shutdown() per request. Returns when the worker has to leave. */
void sup_classic_loop(void);

/* ---- worker_mode.c ---- */

/* Runs sup.config.worker_script, whose calls of Supervisor\handle_request() serve the
 * requests. Sends READY itself, when handle_request() is first called. Returns when the
 * worker has to leave. */
void sup_worker_mode_loop(void);

/* Supervisor\handle_request(callable $handler): bool */
ZEND_FUNCTION(handle_request);
/* Adds frankenphp_handle_request(), whose mere existence tells FrankenPHP's worker scripts and
 * libraries that they run in worker mode. In MINIT, only when that is the pool's mode. */
zend_result sup_worker_mode_register_functions(void);
/* Whether the script has yet to call handle_request(): errors go to stderr then. */
bool sup_worker_mode_booting(void);
/* What php_handle_aborted_connection() is in classic mode: the handler ends as with exit,
 * unless ignore_user_abort. */
void sup_worker_mode_client_gone(void);

/* ---- sapi.c ---- */

/* Puts php-fpm's callbacks into sapi_module. Only between two requests. */
void sup_sapi_install(void);

/* A message of the FPM layer (not of PHP's error log): to STDERR where fastcgi.logging allows
 * and to the supervisor's log with a syslog severity (0-7). */
void sup_log(int severity, const char *format, ...) ZEND_ATTRIBUTE_FORMAT(printf, 2, 3);

/* Fills array_ptr as php-fpm's getenv() and $_ENV see the environment: the process's, then the
 * FastCGI params over it. */
void sup_import_params(zval *array_ptr, bool filtered);

/* ---- request.c ---- */

/* Value of a FastCGI param of the current request or NULL; name is a literal. */
#define SUP_PARAM(name) sup_wire_param(sup.wire, "" name "", sizeof(name) - 1, NULL)
/* Sets (a NULL value removes) a param and gives its stored value. */
#define SUP_PARAM_SET(name, value) sup_param_set("" name "", sizeof(name) - 1, (value))
char *sup_param_set(const char *name, size_t name_len, const char *value);

/* Fills SG(request_info), SG(sapi_headers).http_response_code and SG(server_context) from the
 * params and applies PHP_VALUE and PHP_ADMIN_VALUE. Before php_request_startup() or, in worker
 * mode, before sapi_activate(). SG(request_info).path_translated stays NULL when there is no
 * script to run (404). */
void sup_request_info_init(void);
/* The counterpart: undoes PHP_VALUE and PHP_ADMIN_VALUE where the engine has not, and leaves no
 * pointer to the params behind. After php_request_shutdown() or sapi_deactivate(). */
void sup_request_info_clear(void);
/* Whether security.limit_extensions allows the script; says so in the log when not. */
bool sup_script_allowed(const char *path);

/* ---- pathinfo.c ---- */

/* What the web server said of the script, as far as cgi.fix_pathinfo cares. Pointers into the params. */
typedef struct {
	char *script;           /* the file to run: SCRIPT_FILENAME or PATH_TRANSLATED; NULL: none */
	char *script_filename;
	char *path_translated;
	char *path_info;
	char *script_name;
	bool by_apache_proxy;   /* SCRIPT_FILENAME came as proxy:fcgi:// or proxy:balancer:// */
} sup_script;

/* cgi.fix_pathinfo=1: finds the script among the leading parts of the path, corrects the params
 * (keeping ORIG_* copies), s->script and SG(request_info).request_uri. */
void sup_fix_pathinfo(sup_script *s);

/* ---- ini.c ---- */

/* Gives the ini files' values (or PHP's defaults) back to the settings php-cli forces.
 * In get_module(), when the core's ini entries are registered and nobody has used them. */
void sup_ini_undo_cli(void);
/* php_value[] and php_admin_value[] of the pool, for the life of the process. */
void sup_ini_apply_pool(const sup_config *config);
/* One request's PHP_VALUE or PHP_ADMIN_VALUE: lines of key=value. */
void sup_ini_begin_overrides(const char *php_value, const char *php_admin_value);
void sup_ini_end_overrides(void);

/* ---- user_ini.c ---- */

/* [PATH=…] and [HOST=…] sections of php.ini, and .user.ini from the document root down to the
 * script's directory; for the current request. */
void sup_user_ini_activate(void);
void sup_user_ini_shutdown(void);

/* ---- cgi_fcgi.c ---- */

extern zend_module_entry sup_cgi_fcgi_module_entry;

#endif
