/*
 * Worker mode between its files: worker_mode.c runs the application's script and calls its
 * handler, context.c is PHP's side of one request within the script's own, restore.c puts
 * back what a handler changed.
 */
#ifndef SUP_WORKER_MODE_H
#define SUP_WORKER_MODE_H

#include "php_supervisor.h"

/* Deals with an exception that nobody has caught, as the end of a php-fpm request does: exit
 * is no error; anything else goes to the exception handler or is logged as a fatal error, with
 * status 500 where that is still possible. Afterwards no exception is pending. */
void sup_settle_exception(void);

/* ---- context.c ---- */

/* The engine is always within exactly one of three contexts: the boot, a request, or the time
 * between two requests. In the first and the last nobody listens: output goes to the
 * supervisor's log, headers go nowhere, and the superglobals are those of the boot. */

/* Ends the context, whichever it is: output, session, upload files, body, headers. */
void sup_context_end(void);
/* Begins a request's, whose params are there (sup_request_next()). May bail out. */
void sup_context_begin_request(void);
void sup_context_begin_between(void);

/* ---- restore.c ---- */

/* Before a handler runs: notes what the application has set up so far. From here on shutdown
 * functions and putenv() are the request's own. */
void sup_restore_mark(void);
/* After its response: back to that. Destructors may run; no exception is pending afterwards. */
void sup_restore(void);
/* Runs and forgets the shutdown functions registered since the mark. */
void sup_restore_run_shutdown_functions(void);
/* Instead of sup_restore() when the script as a whole ends with the request: its own shutdown
 * functions come first again, then those of the request. */
void sup_restore_abandon(void);

/* ---- opcache.c ---- */

typedef enum {
	SUP_OPCACHE_FINE,
	SUP_OPCACHE_WAITS,  /* it is to start anew, and cannot while this worker lives */
	SUP_OPCACHE_MISSED, /* it has started anew since this worker booted without it */
} sup_opcache_state;

/* At the end of the boot. */
void sup_opcache_note_boot(void);
/* Between two requests; looks once a second at most. */
sup_opcache_state sup_opcache_look(void);

#endif
