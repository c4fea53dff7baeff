#ifdef HAVE_CONFIG_H
# include "config.h"
#endif

#include <sys/stat.h>

#include "php_supervisor.h"
#include "SAPI.h"
#include "ext/standard/url.h"

/* cgi.fix_pathinfo=1. For the request /info.php/test a web server that knows no better says
 * SCRIPT_FILENAME=/docroot/info.php/test, which is no file; the script is the longest leading
 * part that is one, and the rest is PATH_INFO. Whatever gets corrected is kept as ORIG_*.
 *
 * Pointers compared with each other (==, !=) tell values that nobody has changed from values that happen to
 * be the same. */

/* php-fpm gives PATH_INFO decoded with Apache's ProxyPass since 8.3.18 and 8.4.5. */
#if PHP_VERSION_ID >= 80405 || (PHP_VERSION_ID >= 80318 && PHP_VERSION_ID < 80400)
# define DECODES_PATH_INFO 1
#else
# define DECODES_PATH_INFO 0
#endif

static bool ends_with(const char *string, const char *end, size_t *start)
{
	size_t len = strlen(string);
	size_t end_len = strlen(end);

	*start = len - end_len;
	return len > end_len && strcmp(string + len - end_len, end) == 0;
}

/* Apache, with ProxyPass, leaves the path info within SCRIPT_NAME, decoded or not: cuts it off,
 * and sets PATH_INFO. */
static char *separate_path_info(const char *script_name, const char *path_info)
{
	char *decoded = NULL;
	char *stored;
	size_t cut;

	if (SUP_SCRIPT_PATH_ENCODED && strchr(path_info, '%') != NULL) {
		decoded = estrdup(path_info);
		php_raw_url_decode(decoded, strlen(decoded));
	}
	if (ends_with(script_name, path_info, &cut) || (decoded != NULL && ends_with(script_name, decoded, &cut))) {
		char *name = estrndup(script_name, cut);
		SUP_PARAM_SET("ORIG_SCRIPT_NAME", script_name);
		SG(request_info).request_uri = SUP_PARAM_SET("SCRIPT_NAME", name);
		efree(name);
	}
	stored = SUP_PARAM_SET("PATH_INFO", DECODES_PATH_INFO && decoded != NULL ? decoded : path_info);
	if (decoded != NULL) {
		efree(decoded);
	}
	return stored;
}

/* The path info that goes with file, the leading part of s->script; NULL when PATH_INFO is right as it is. */
static char *path_info_behind(const sup_script *s, size_t file_len)
{
	size_t info_len = strlen(s->script) - file_len;

	if (s->by_apache_proxy) {
		char *path_info = s->script + file_len;
		return info_len > 0 && (s->path_info == NULL || strcmp(s->path_info, path_info) != 0) ? path_info : NULL;
	}
	return s->path_info != NULL && strlen(s->path_info) > info_len
		? s->path_info + strlen(s->path_info) - info_len : NULL;
}

static void correct_path_info(sup_script *s, const sup_script *orig, char *path_info)
{
	if (orig->path_info != NULL) {
		/* What stands before the path info in PATH_INFO is the script's name. */
		char first = *path_info;

		SUP_PARAM_SET("ORIG_PATH_INFO", orig->path_info);
		*path_info = '\0';
		if (orig->script_name == NULL || strcmp(orig->script_name, s->path_info) != 0) {
			if (orig->script_name != NULL) {
				SUP_PARAM_SET("ORIG_SCRIPT_NAME", orig->script_name);
			}
			SG(request_info).request_uri = SUP_PARAM_SET("SCRIPT_NAME", s->path_info);
		} else {
			SG(request_info).request_uri = orig->script_name;
		}
		*path_info = first;
	} else if (s->by_apache_proxy && s->script_name != NULL) {
		s->path_info = separate_path_info(s->script_name, path_info);
		return;
	}
	s->path_info = SUP_PARAM_SET("PATH_INFO", path_info);
}

/* PATH_TRANSLATED: where PATH_INFO would be as a file below the document root. */
static void set_path_translated(const sup_script *s, const sup_script *orig, const char *document_root, const char *file)
{
	const char *path_info = s->path_info != NULL ? s->path_info : "";
	zend_string *path;
	size_t root_len;

	if (document_root != NULL) {
		root_len = strlen(document_root);
		if (root_len > 0 && document_root[root_len - 1] == '/') {
			root_len--;
		}
	} else if (s->script_name != NULL && strstr(file, s->script_name) != NULL) {
		document_root = file; /* without the script's name, which is at its end */
		root_len = strlen(file) - strlen(s->script_name);
	} else {
		return;
	}
	path = zend_string_concat2(document_root, root_len, path_info, strlen(path_info));
	if (orig->path_translated != NULL) {
		SUP_PARAM_SET("ORIG_PATH_TRANSLATED", orig->path_translated);
	}
	SUP_PARAM_SET("PATH_TRANSLATED", ZSTR_VAL(path));
	zend_string_release(path);
}

/* Cuts path at its last slashes until it names a file. */
static bool find_leading_file(char *path)
{
	struct stat st;
	char *slash;

	while ((slash = strrchr(path, '/')) != NULL || (slash = strrchr(path, '\\')) != NULL) {
		*slash = '\0';
		if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
			return true;
		}
	}
	return false;
}

static void search_script(sup_script *s, const sup_script *orig, const char *document_root)
{
	char *file = estrdup(s->script);

	if (find_leading_file(file)) {
		char *path_info = path_info_behind(s, strlen(file));

		if (path_info != NULL) {
			correct_path_info(s, orig, path_info);
		}
		if (orig->script_filename == NULL || strcmp(orig->script_filename, file) != 0) {
			if (orig->script_filename != NULL) {
				SUP_PARAM_SET("ORIG_SCRIPT_FILENAME", orig->script_filename);
			}
			s->script = SUP_PARAM_SET("SCRIPT_FILENAME", file);
		}
		set_path_translated(s, orig, document_root, file);
	} else {
		if (orig->script_filename != NULL) {
			SUP_PARAM_SET("ORIG_SCRIPT_FILENAME", orig->script_filename);
		}
		s->script = SUP_PARAM_SET("SCRIPT_FILENAME", NULL);
		SG(sapi_headers).http_response_code = 404;
	}
	if (SG(request_info).request_uri == NULL) {
		if (orig->script_name == NULL || strcmp(orig->script_name, s->script_name) != 0) {
			if (orig->script_name != NULL) {
				SUP_PARAM_SET("ORIG_SCRIPT_NAME", orig->script_name);
			}
			SG(request_info).request_uri = SUP_PARAM_SET("SCRIPT_NAME", s->script_name);
		} else {
			SG(request_info).request_uri = orig->script_name;
		}
	}
	efree(file);
}

/* The script is a file: only what had to be read from elsewhere needs correction. */
static void accept_script(sup_script *s, const sup_script *orig, const char *redirect_url)
{
	if (orig->script_filename == NULL
			|| (s->script != orig->script_filename && strcmp(s->script, orig->script_filename) != 0)) {
		if (orig->script_filename != NULL) {
			SUP_PARAM_SET("ORIG_SCRIPT_FILENAME", orig->script_filename);
		}
		s->script = SUP_PARAM_SET("SCRIPT_FILENAME", s->script);
	}
	if (!s->by_apache_proxy && redirect_url != NULL) {
		/* mod_fastcgi's PATH_INFO and PATH_TRANSLATED speak of the script, not of what follows it. */
		if (orig->path_info != NULL) {
			SUP_PARAM_SET("ORIG_PATH_INFO", orig->path_info);
			SUP_PARAM_SET("PATH_INFO", NULL);
		}
		if (orig->path_translated != NULL) {
			SUP_PARAM_SET("ORIG_PATH_TRANSLATED", orig->path_translated);
			SUP_PARAM_SET("PATH_TRANSLATED", NULL);
		}
	}
	if (s->script_name != orig->script_name) {
		if (orig->script_name != NULL) {
			SUP_PARAM_SET("ORIG_SCRIPT_NAME", orig->script_name);
		}
		SG(request_info).request_uri = SUP_PARAM_SET("SCRIPT_NAME", s->script_name);
	} else {
		SG(request_info).request_uri = s->script_name;
	}
}

void sup_fix_pathinfo(sup_script *s)
{
	const sup_script orig = *s;
	const char *document_root = SUP_PARAM("DOCUMENT_ROOT");
	char *redirect_url = SUP_PARAM("REDIRECT_URL");
	char *real_path = NULL;
	size_t len;

	if (document_root == NULL && PG(doc_root) != NULL) {
		document_root = SUP_PARAM_SET("DOCUMENT_ROOT", PG(doc_root));
	}
	if (!s->by_apache_proxy && s->path_translated != NULL && redirect_url != NULL
			&& s->path_translated != s->script && strcmp(s->path_translated, s->script) != 0) {
		/* Apache's Action directive: SCRIPT_FILENAME and SCRIPT_NAME name the PHP program. */
		s->script = s->path_translated;
		s->script_name = redirect_url;
	}
	len = strlen(s->script);
	if (len > 0 && (s->script[len - 1] == '/' || (real_path = tsrm_realpath(s->script, NULL)) == NULL)) {
		search_script(s, &orig, document_root);
	} else {
		accept_script(s, &orig, redirect_url);
	}
	if (real_path != NULL) {
		efree(real_path);
	}
}
