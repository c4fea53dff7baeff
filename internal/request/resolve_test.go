package request

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func tree(t *testing.T, files ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, f := range files {
		f = filepath.Join(root, f)
		if err := os.MkdirAll(filepath.Dir(f), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestResolve(t *testing.T) {
	root := tree(t, "index.php", "a.css", "sub/index.php", "sub/b.php", "doc/index.html", "empty/x.txt", ".env", ".git/config",
		".well-known/security.txt", "c.php.bak", "d.PHP", "e.inc", "f.php~", "g.phtml", "dir.php/inner.txt", "jquery.min.js", "h.php7", ".hidden.php")
	for link, to := range map[string]string{"source.txt": "index.php", "env.txt": ".env", "good.txt": "a.css", "dangling.txt": "nowhere"} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		url        string
		kind       Kind
		name, info string
	}{
		{"/", Script, "/index.php", ""},
		{"", Script, "/index.php", ""},
		{"/index.php", Script, "/index.php", ""},
		{"/index.php/a/b", Script, "/index.php", "/a/b"},
		{"/index.php/a/", Script, "/index.php", "/a/"},
		{"/sub", Directory, "/sub", ""},
		{"/sub/", Script, "/sub/index.php", ""},
		{"/sub/b.php/x.php", Script, "/sub/b.php", "/x.php"},
		{"/doc/", File, "/doc/index.html", ""},
		{"/a.css", File, "/a.css", ""},
		{"/jquery.min.js", File, "/jquery.min.js", ""},
		{"/good.txt", File, "/good.txt", ""},
		{"/a.css/", Script, "/index.php", ""},
		{"/no/such/page", Script, "/index.php", ""},
		{"/none.php", Script, "/index.php", ""},
		{"/empty/", Script, "/index.php", ""},
		{"/dir.php/inner.txt", File, "/dir.php/inner.txt", ""},
		{"/.well-known/security.txt", File, "/.well-known/security.txt", ""},
		{"/.env", Missing, "/.env", ""},
		{"/.git/config", Missing, "/.git/config", ""},
		{"/.hidden.php", Missing, "/.hidden.php", ""},
		{"/c.php.bak", Missing, "/c.php.bak", ""},
		{"/d.PHP", Missing, "/d.PHP", ""},
		{"/e.inc", Missing, "/e.inc", ""},
		{"/f.php~", Missing, "/f.php~", ""},
		{"/g.phtml", Missing, "/g.phtml", ""},
		{"/h.php7", Missing, "/h.php7", ""},
		{"/source.txt", Missing, "/source.txt", ""},
		{"/env.txt", Missing, "/env.txt", ""},
		{"/dangling.txt", Script, "/index.php", ""},
		{"/../../etc/passwd", Script, "/index.php", ""},
		{"/sub/../a.css", File, "/a.css", ""},
		{"/a.css\x00.txt", Missing, "", ""},
	}
	for _, tt := range tests {
		got := Site{Root: root}.Resolve(tt.url)
		want := Target{Kind: tt.kind, Root: root, Name: tt.name, PathInfo: tt.info}
		if tt.name != "" {
			want.Filename = filepath.Join(root, tt.name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.url, diff)
		}
	}
}

func TestResolveFront(t *testing.T) {
	root := tree(t, "app.php")
	if got := (Site{Root: root}).Resolve("/x"); got.Kind != Missing {
		t.Errorf("without a front controller: got %v", got.Kind)
	}
	got := Site{Root: root, Front: "/app.php"}.Resolve("/x")
	if got.Kind != Script || got.Name != "/app.php" {
		t.Errorf("got %+v", got)
	}
}

func TestParams(t *testing.T) {
	r, err := http.NewRequest("GET", "http://example.org:8080/sub/b.php/x?q=1&r", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.RemoteAddr = "[::1]:4711"
	r.Header = http.Header{
		"Accept":       {"a", "b"},
		"Cookie":       {"a=1", "b=2"},
		"Proxy":        {"http://evil"},
		"X_Under":      {"no"},
		"X-Under":      {"yes"},
		"Content-Type": {"text/x"},
	}
	want := map[string]string{
		"GATEWAY_INTERFACE": "CGI/1.1", "SERVER_SOFTWARE": "php-supervisor", "SERVER_PROTOCOL": "HTTP/1.1",
		"REQUEST_METHOD": "GET", "REQUEST_SCHEME": "http", "REQUEST_URI": "/sub/b.php/x?q=1&r", "QUERY_STRING": "q=1&r",
		"DOCUMENT_URI": "/sub/b.php/x", "DOCUMENT_ROOT": "/www", "SCRIPT_NAME": "/sub/b.php", "SCRIPT_FILENAME": "/www/sub/b.php",
		"PATH_INFO": "/x", "CONTENT_TYPE": "text/x", "CONTENT_LENGTH": "", "REDIRECT_STATUS": "200",
		"REMOTE_ADDR": "::1", "REMOTE_PORT": "4711", "SERVER_NAME": "example.org", "SERVER_PORT": "8080",
		"HTTP_HOST": "example.org:8080", "HTTP_ACCEPT": "a, b", "HTTP_COOKIE": "a=1; b=2", "HTTP_X_UNDER": "yes",
	}
	got := Params(r, Target{Kind: Script, Root: "/www", Name: "/sub/b.php", Filename: "/www/sub/b.php", PathInfo: "/x"})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
