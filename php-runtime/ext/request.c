#ifdef HAVE_CONFIG_H
# include "config.h"
#endif

#include <syslog.h>

#include "php_supervisor.h"
#include "SAPI.h"
#include "php_main.h"
#include "ext/standard/url.h"

/* The request as the web server describes it, read as php-fpm reads it (and its tests in
 * php-src, sapi/fpm/tests/fcgi-env-*.phpt, expect). */

char *sup_param_set(const char *name, size_t name_len, const char *value)
{
	char *stored = NULL;

	if (!sup_wire_set_param(sup.wire, name, name_len, value, value != NULL ? strlen(value) : 0, &stored)) {
		return NULL; /* more than the wire's limits: as if the web server had not sent it */
	}
	return stored;
}

/* Apache's mod_proxy_fcgi and mod_proxy_balancer send "proxy:fcgi://host:port/path?query"
 * as SCRIPT_FILENAME. Leaves the path, in place. */
static bool strip_proxy_url(char *script_filename, const char *prefix)
{
	size_t prefix_len = strlen(prefix);
	char *path, *query;
	bool stripped = false;

	if (strncasecmp(script_filename, prefix, prefix_len) != 0) {
		return false;
	}
	path = strchr(script_filename + prefix_len, '/');
	if (path != NULL) {
		memmove(script_filename, path, strlen(path) + 1);
		stripped = true;
	}
	query = strchr(script_filename, '?');
	if (query != NULL) {
		*query = '\0';
	}
	return stripped;
}

/* IIS puts the whole URL's path into PATH_INFO, the script's name included. */
static void correct_iis_path_info(sup_script *s)
{
	const char *software = SUP_PARAM("SERVER_SOFTWARE");
	size_t name_len;

	if (software == NULL || s->script_name == NULL || s->path_info == NULL
			|| strncmp(software, "Microsoft-IIS", sizeof("Microsoft-IIS") - 1) != 0) {
		return;
	}
	name_len = strlen(s->script_name);
	if (strncmp(s->path_info, s->script_name, name_len) == 0) {
		char *original = SUP_PARAM_SET("ORIG_PATH_INFO", s->path_info);
		s->path_info = original != NULL && original[name_len] != '\0'
			? SUP_PARAM_SET("PATH_INFO", original + name_len)
			: SUP_PARAM_SET("PATH_INFO", NULL);
	}
}

/* Whether no part of the path is "..". */
static bool is_safe_path(const char *path)
{
	for (const char *at = path; (at = strstr(at, "..")) != NULL; at++) {
		if ((at == path || IS_SLASH(at[-1])) && (at[2] == '\0' || IS_SLASH(at[2]))) {
			return false;
		}
	}
	return true;
}

static void find_script(sup_script *s)
{
	s->script_filename = SUP_PARAM("SCRIPT_FILENAME");
	s->path_translated = SUP_PARAM("PATH_TRANSLATED");
	s->script = s->script_filename != NULL ? s->script_filename : s->path_translated;
	if (s->script == NULL) {
		return;
	}
	s->path_info = SUP_PARAM("PATH_INFO");
	s->script_name = SUP_PARAM("SCRIPT_NAME");
	correct_iis_path_info(s);
	if (s->script_filename != NULL) {
		s->by_apache_proxy = strip_proxy_url(s->script_filename, "proxy:fcgi://")
			|| strip_proxy_url(s->script_filename, "proxy:balancer://");
		if (s->by_apache_proxy && !SUP_SCRIPT_PATH_ENCODED) {
			php_raw_url_decode(s->script_filename, strlen(s->script_filename));
		}
	}
	if (SUPG(fix_pathinfo)) {
		sup_fix_pathinfo(s);
	} else {
		SG(request_info).request_uri = s->path_info != NULL ? s->path_info : s->script_name;
		if (!SUPG(discard_path) && s->path_translated != NULL) {
			s->script = s->path_translated;
		}
	}
}

void sup_request_info_init(void)
{
	sup_script s = {0};

	SG(server_context) = sup.wire;
	SG(request_info).request_method = SUP_PARAM("REQUEST_METHOD");
	SG(request_info).proto_num = 1000;
	SG(request_info).path_translated = NULL;
	SG(request_info).query_string = NULL;
	SG(request_info).request_uri = NULL;
	SG(request_info).content_type = NULL;
	SG(request_info).content_length = 0;
	SG(sapi_headers).http_response_code = 200;

	find_script(&s);
	if (s.script_filename != NULL || s.path_translated != NULL) {
		const char *content_type = SUP_PARAM("CONTENT_TYPE");
		const char *content_length = SUP_PARAM("CONTENT_LENGTH");

		if (s.script != NULL && is_safe_path(s.script)) {
			SG(request_info).path_translated = estrdup(s.script);
		}
		SG(request_info).query_string = SUP_PARAM("QUERY_STRING");
		SG(request_info).content_type = content_type != NULL ? content_type : "";
		SG(request_info).content_length = content_length != NULL ? ZEND_ATOL(content_length) : 0;
		php_handle_auth_data(SUP_PARAM("HTTP_AUTHORIZATION"));
	}
	sup_ini_begin_overrides(SUP_PARAM("PHP_VALUE"), SUP_PARAM("PHP_ADMIN_VALUE"));
}

void sup_request_info_clear(void)
{
	sup_ini_end_overrides();
	if (SG(request_info).path_translated != NULL) {
		efree(SG(request_info).path_translated);
		SG(request_info).path_translated = NULL;
	}
	SG(server_context) = NULL;
	SG(request_info).request_method = NULL;
	SG(request_info).query_string = NULL;
	SG(request_info).request_uri = NULL;
	SG(request_info).content_type = NULL;
	SG(request_info).cookie_data = NULL;
	SG(request_info).content_length = 0;
	SG(request_info).content_type_dup = NULL;
}

bool sup_script_allowed(const char *path)
{
	size_t len = strlen(path);

	if (sup.config.limit_extensions == NULL) {
		return true;
	}
	for (char **extension = sup.config.limit_extensions; *extension != NULL; extension++) {
		size_t extension_len = strlen(*extension);
		if (len > extension_len && strcmp(path + len - extension_len, *extension) == 0) {
			return true;
		}
	}
	sup_log(LOG_NOTICE, "Access to the script '%s' has been denied (see security.limit_extensions)", path);
	return false;
}
