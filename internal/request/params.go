package request

import (
	"net"
	"net/http"
	"strconv"
	"strings"
)

// Params are the FastCGI params for an HTTP request, those of nginx's fastcgi_params and no others. The length of the
// body must be known (Spool sees to that): PHP reads no body without one.
func Params(r *http.Request, t Target) map[string]string {
	p := map[string]string{
		"GATEWAY_INTERFACE": "CGI/1.1",
		"SERVER_SOFTWARE":   "php-supervisor",
		"SERVER_PROTOCOL":   r.Proto,
		"REQUEST_METHOD":    r.Method,
		"REQUEST_SCHEME":    "http",
		"REQUEST_URI":       r.URL.RequestURI(),
		"QUERY_STRING":      r.URL.RawQuery,
		"DOCUMENT_URI":      t.Name + t.PathInfo,
		"DOCUMENT_ROOT":     t.Root,
		"SCRIPT_NAME":       t.Name,
		"SCRIPT_FILENAME":   t.Filename,
		"PATH_INFO":         t.PathInfo,
		"CONTENT_TYPE":      r.Header.Get("Content-Type"),
		"CONTENT_LENGTH":    "",
		"REDIRECT_STATUS":   "200", // php-cgi's force_redirect
	}
	if r.RequestURI != "" {
		p["REQUEST_URI"] = r.RequestURI
	}
	if r.ContentLength > 0 || r.Body != nil && r.Body != http.NoBody {
		p["CONTENT_LENGTH"] = strconv.FormatInt(r.ContentLength, 10)
	}
	if r.TLS != nil || r.URL.Scheme == "https" {
		p["HTTPS"], p["REQUEST_SCHEME"] = "on", "https"
	}
	p["REMOTE_ADDR"], p["REMOTE_PORT"] = hostPort(r.RemoteAddr)
	p["SERVER_NAME"], p["SERVER_PORT"] = hostPort(r.Host)
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		p["SERVER_ADDR"], p["SERVER_PORT"] = hostPort(a.String())
	}
	if p["SERVER_PORT"] == "" {
		p["SERVER_PORT"] = map[string]string{"http": "80", "https": "443"}[p["REQUEST_SCHEME"]]
	}
	if r.Host != "" {
		p["HTTP_HOST"] = r.Host
	}
	for name, values := range r.Header {
		if param, sep := headerParam(name); param != "" {
			p[param] = strings.Join(values, sep)
		}
	}
	return p
}

// headerParam is the param of a header field, and what several fields of the name are joined with. Those with an
// underscore are dropped, as nginx does: they would pass for the one with a hyphen. Proxy is dropped, because
// libraries take HTTP_PROXY for the environment variable (httpoxy).
func headerParam(name string) (param, sep string) {
	switch strings.ToLower(name) {
	case "content-type", "content-length", "proxy", "host", "transfer-encoding", "connection":
		return "", ""
	case "cookie":
		sep = "; "
	default:
		sep = ", "
	}
	if strings.Contains(name, "_") || !isToken(name) {
		return "", ""
	}
	return "HTTP_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")), sep
}

func hostPort(s string) (host, port string) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return strings.Trim(s, "[]"), ""
	}
	return host, port
}
