package config

import "strings"

// Where relative paths start when no prefix is given, as built into Debian's
// php-fpm.
const (
	defaultPrefix   = "/usr"
	defaultStateDir = "/var"
)

// paths makes relative paths absolute as php-fpm does.
type paths struct {
	prefix string // of the command line, "" = none
}

// full returns path as it is when it is absolute, and below the pool's prefix,
// the global one or the fallback otherwise. pool may be nil.
func (r paths) full(path string, pool *Pool, fallback string) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	if pool != nil && pool.set.has("prefix") {
		path = pool.Prefix + "/" + path
		if strings.HasPrefix(path, "/") {
			return path
		}
	}
	prefix := r.prefix
	if prefix == "" {
		prefix = fallback
	}
	return prefix + "/" + path
}

// prefixOf is the prefix that a pool's paths start at.
func (r paths) prefixOf(pool *Pool) string {
	return strings.TrimSuffix(r.full("", pool, defaultPrefix), "/")
}

// expanded are the PHP settings whose relative paths start at the prefix.
var expanded = map[string]bool{
	"error_log": true, "extension_dir": true, "mime_magic.magicfile": true, "sendmail_path": true,
	"session.cookie_path": true, "session_pgsql.sem_file_name": true, "soap.wsdl_cache_dir": true,
	"uploadprogress.file.filename_template": true, "xdebug.output_dir": true,
	"xdebug.profiler_output_dir": true, "xdebug.trace_output_dir": true, "xmms.path": true,
	"axis2.client_home": true, "blenc.key_file": true, "coin_acceptor.device": true,
}
