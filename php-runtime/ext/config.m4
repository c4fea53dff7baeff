PHP_ARG_ENABLE([supervisor],
  [whether to build the worker side of php-supervisor],
  [AS_HELP_STRING([--enable-supervisor],
    [Build the worker side of php-supervisor])],
  [yes])

PHP_ARG_ENABLE([supervisor-dev],
  [whether warnings of the supervisor extension are errors],
  [AS_HELP_STRING([--enable-supervisor-dev],
    [Compile the supervisor extension with all warnings, as errors])],
  [no],
  [no])

if test "$PHP_SUPERVISOR" != "no"; then
  dnl worker_mode.c's and the SAPI's callbacks run until after php_module_shutdown(): the
  dnl library must stay mapped when PHP closes it (-z nodelete).
  SUPERVISOR_CFLAGS="-fvisibility=hidden -DZEND_ENABLE_STATIC_TSRMLS_CACHE=1"
  if test "$PHP_SUPERVISOR_DEV" = "yes"; then
    SUPERVISOR_CFLAGS="$SUPERVISOR_CFLAGS -Wall -Wextra -Werror -Wno-unused-parameter"
  fi
  SUPERVISOR_SHARED_LIBADD="-Wl,-z,nodelete"
  PHP_SUBST([SUPERVISOR_SHARED_LIBADD])

  PHP_NEW_EXTENSION([supervisor],
    [supervisor.c control.c title.c zygote.c worker.c classic.c worker_mode.c context.c restore.c opcache.c \
      sapi.c request.c pathinfo.c ini.c user_ini.c cgi_fcgi.c wire.c wire_input.c params.c],
    [$ext_shared],, [$SUPERVISOR_CFLAGS])
fi
