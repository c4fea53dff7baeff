package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"php-supervisor/test/harness"
)

// exchange is a request, or several with the same cookies, that every server must answer alike.
type exchange struct {
	name  string
	steps []step
	// want is in the last body, so that a test can't pass by two servers failing alike.
	want string
	same []replace
	// notInWorker says why worker mode need not answer as php-fpm does; "" says it must.
	notInWorker string
}

var (
	sessionID = replace{regexp.MustCompile(`PHPSESSID=[0-9a-z,-]+`), "PHPSESSID=ID"}
	// What differs between any two requests, and the port: each server has a site of its own.
	moment = replace{regexp.MustCompile(`"(REQUEST_TIME|REQUEST_TIME_FLOAT|REMOTE_PORT|SERVER_PORT)": "?[0-9.]+"?`), `"$1": 0`}
	// In worker mode the script that runs is the worker's.
	firstScript = replace{regexp.MustCompile(`"script": "[^"]*"`), `"script": ""`}
)

const perRequestSettings = "settings that PHP reads at the start of each request don't change what a booted application is"

func one(path string) []step { return []step{{path: path}} }

func headersCase(name, query, want string) exchange {
	return exchange{name: "header " + name, steps: one("/headers.php?case=" + query), want: want}
}

var exchanges = []exchange{
	{name: "hello", steps: one("/hello.php"), want: "Hello World!"},
	{name: "HEAD", steps: []step{{method: "HEAD", path: "/hello.php"}}},
	{name: "HEAD of a big response", steps: []step{{method: "HEAD", path: "/big.php?bytes=300000&length=1"}}},
	{name: "1 MiB response", steps: one("/big.php"), want: "0123456789abcdef"},
	{name: "response in pieces", steps: one("/big.php?bytes=3000001&chunk=70000"), want: "0123456789abcdef"},
	{name: "response with a length", steps: one("/big.php?bytes=65535&chunk=1000&length=1"), want: "0123456789abcdef"},
	{name: "empty response", steps: one("/big.php?bytes=0")},

	{name: "everything PHP knows of a GET", steps: []step{{path: "/server.php?a=1&b[]=2&b[]=3&c[x]=%ff&d", header: map[string]string{
		"Accept-Language": "de", "X-Own-Header": "v w", "Cookie": "one=1; two=a%20b; three[x]=y", "Proxy": "http://evil.test"}}},
		want: `"X-Own-Header": "v w"`, same: []replace{moment, firstScript}},
	{name: "PATH_INFO", steps: one("/server.php/some/path%20info/x.php?q=1"), want: `"PATH_INFO": "/some/path info/x.php"`, same: []replace{moment, firstScript}},
	{name: "form", steps: []step{{method: "POST", path: "/server.php?a=get", body: "a=post&b=%C3%A4&c[]=1&c[]=2&d.e=f",
		header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}}, want: `"a": "post"`, same: []replace{moment, firstScript}},
	{name: "form without content", steps: []step{{method: "POST", path: "/server.php",
		header: map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Content-Length": "0"}}}, want: `"post": []`, same: []replace{moment, firstScript}},
	{name: "PUT", steps: []step{{method: "PUT", path: "/server.php", body: "raw\x00body", header: map[string]string{"Content-Type": "text/plain"}}},
		want: `"REQUEST_METHOD": "PUT"`, same: []replace{moment, firstScript}},
	{name: "DELETE", steps: []step{{method: "DELETE", path: "/server.php"}}, want: `"REQUEST_METHOD": "DELETE"`, same: []replace{moment, firstScript}},
	{name: "unknown method", steps: []step{{method: "BREW", path: "/server.php"}}, want: `"REQUEST_METHOD": "BREW"`, same: []replace{moment, firstScript}},
	{name: "body in chunks", steps: []step{{method: "POST", path: "/server.php", reader: strings.NewReader(`{"chunked":true}`),
		header: map[string]string{"Content-Type": "application/json"}}}, want: "eyJjaHVua2VkIjp0cnVlfQ==", same: []replace{moment, firstScript}},
	{name: "long query", steps: one("/server.php?long=" + strings.Repeat("x", 7000)), want: strings.Repeat("x", 7000), same: []replace{moment, firstScript}},

	{name: "JSON", steps: []step{{method: "POST", path: "/json.php", body: `{"a":[1,2,{"b":null}],"ü":"ß"}`, header: map[string]string{"Content-Type": "application/json"}}}, want: `"count":6`},
	{name: "php://input read twice", steps: []step{{method: "POST", path: "/sink.php?twice", body: strings.Repeat("input ", 20000), header: map[string]string{"Content-Type": "text/plain"}}}, want: `"bytes":120000`},
	{name: "php://input of a form", steps: []step{{method: "POST", path: "/sink.php?post&twice", body: "a=1&b=2", header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}}, want: `"post":{"a":"1","b":"2"}`},
	{name: "php://input of multipart", steps: []step{multipartStep("/sink.php?post", part{field: "a", content: "1"})}, want: `"bytes":0`},
	{name: "body over post_max_size", steps: []step{{method: "POST", path: "/sink.php?post", body: "a=" + strings.Repeat("x", 9<<20), header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}}, want: `"post":[]`},
	{name: "body nobody reads", steps: []step{{method: "PUT", path: "/nobody.php", body: strings.Repeat("x", 3<<20)}, {path: "/hello.php"}}, want: "Hello World!"},

	{name: "upload", steps: []step{multipartStep("/upload.php",
		part{field: "title", content: "a title"},
		part{"file", "picture ä.png", "image/png", strings.Repeat("\x89PNG", 5000)},
		part{"many[]", "dir/one.txt", "text/plain", "one"},
		part{"many[]", "two.txt", "text/plain", ""})}, want: `"is_uploaded_file": true`},
	{name: "upload without a file", steps: []step{multipartStep("/upload.php", part{"file", "", "application/octet-stream", ""})}, want: `"error": 4`},
	{name: "upload over upload_max_filesize", steps: []step{multipartStep("/upload.php", part{"file", "big", "text/plain", strings.Repeat("x", 3<<20)})}, want: `"error": 1`},
	{name: "upload over post_max_size", steps: []step{multipartStep("/upload.php", part{"file", "big", "text/plain", strings.Repeat("x", 9<<20)})}, want: `"files": []`},

	{name: "session", steps: []step{{path: "/session.php"}, {path: "/session.php"}, {path: "/session.php?regenerate"}, {path: "/session.php"}}, want: "visit 4 active", same: []replace{sessionID}},
	{name: "session destroyed", steps: []step{{path: "/session.php"}, {path: "/session.php?destroy"}, {path: "/session.php"}}, want: "visit 1 active", same: []replace{sessionID}},
	{name: "cookies", steps: []step{{path: "/cookies.php"}, {path: "/cookies.php"}}, want: `"plain":"a b"`},
	{name: "filter_input", steps: []step{{method: "POST", path: "/filter.php?n=42&word=abc", body: "email=a%40example.test&n=7",
		header: map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Cookie": "c=1x2"}}}, want: `"get":42`},
	{name: "basic auth", steps: []step{{path: "/auth.php", header: map[string]string{"Authorization": "Basic dXNlcjpwYTpzcw=="}}}, want: `"password":"pa:ss"`},
	{name: "digest auth", steps: []step{{path: "/auth.php", header: map[string]string{"Authorization": `Digest username="u", realm="r"`}}}, want: `username=`},
	{name: "bearer auth", steps: []step{{path: "/auth.php", header: map[string]string{"Authorization": "Bearer token"}}}, want: `"user":null`},
	{name: "no auth after auth", steps: []step{{path: "/auth.php", header: map[string]string{"Authorization": "Basic dXNlcjpwYXNz"}}, {path: "/auth.php"}, {path: "/auth.php"}, {path: "/auth.php"}}, want: `"user":null`},

	headersCase("given several times", "multi", "done"),
	headersCase("Content-Type", "type", "done"),
	headersCase("Content-Type with a charset", "type-charset", "done"),
	headersCase("without Content-Type", "no-type", "done"),
	headersCase("status line", "statusline", "done"),
	headersCase("Status", "statusheader", "done"),
	headersCase("Location", "location", "done"),
	headersCase("Location with 201", "location-201", "done"),
	headersCase("304", "not-modified", ""),
	headersCase("204", "no-content", ""),
	headersCase("WWW-Authenticate", "authenticate", "done"),
	headersCase("Content-Length", "length", "12345"),
	headersCase("many", "many", "done"),
	headersCase("callback", "callback", "done"),
	headersCase("sent early", "late", `{"sent":true}`),
	headersCase("list", "list", "X-A: b"),
	headersCase("without X-Powered-By", "powered", "done"),
	headersCase("empty body", "empty", ""),
	headersCase("caching", "cache", "done"),
	{name: "header 404", steps: one("/headers.php?case=status&code=404"), want: "done"},
	{name: "header 500", steps: one("/headers.php?case=status&code=500"), want: "done"},
	{name: "header 299", steps: one("/headers.php?case=status&code=299"), want: "done"},

	{name: "exit", steps: []step{{path: "/exit.php"}, {path: "/hello.php"}}, want: "Hello World!"},
	{name: "exit's output", steps: one("/exit.php"), want: "before\nshutdown"},
	{name: "exit with a message", steps: one("/exit.php?message"), want: "before\nmessage\nshutdown"},
	{name: "exit with a status", steps: one("/exit.php?code=255"), want: "before\nshutdown"},
	{name: "lifecycle", steps: one("/lifecycle.php"), want: "SHUTDOWN NESTED",
		notInWorker: "an output buffer ends with its request before the destructors of what the application keeps run"},

	{name: "missing script", steps: one("/no-such-script.php"), want: "File not found.",
		notInWorker: "the worker's own script is asked, whatever the file"},
	{name: "extension denied", steps: one("/notes.txt"), want: "Access denied.",
		notInWorker: "the worker's own script is asked, whatever the file"},
	{name: "undefined function", steps: one("/fatal.php?case=undefined")},
	{name: "memory limit", steps: one("/fatal.php?case=memory")},
	{name: "parse error in eval", steps: one("/fatal.php?case=parse")},
	{name: "parse error", steps: one("/broken.php")},
	{name: "missing include", steps: one("/missing-include.php")},
	{name: "uncaught exception", steps: one("/fatal.php?case=exception")},
	{name: "uncaught exception after output", steps: one("/fatal.php?case=exception-after-output"), want: "some output"},
	{name: "user error", steps: one("/fatal.php?case=error")},
	{name: "warning", steps: one("/fatal.php?case=warning"), want: "still here"},
	{name: "exception handler", steps: one("/fatal.php?case=handler"), want: "handled it"},
	{name: "displayed error", steps: one("/fatal.php?case=displayed"), want: "shown",
		notInWorker: "the stack in the message has the worker's own frames at its end"},
	{name: "fatal, then well", steps: []step{{path: "/fatal.php?case=undefined"}, {path: "/hello.php"}, {path: "/hello.php"}, {path: "/hello.php"}, {path: "/hello.php"}}, want: "Hello World!"},
	{name: "max_execution_time", steps: one("/maxtime.php")},

	{name: "pool's settings", steps: one("/value.php?keys=precision,memory_limit,date.timezone,display_errors,output_buffering,implicit_flush,html_errors,max_execution_time,max_input_time,register_argc_argv&set=memory_limit=1G"),
		want: `"memory_limit":"96M"`},
	{name: "ini_set ends with its request", steps: []step{{path: "/value.php?keys=precision&set=precision=3"}, {path: "/value.php?keys=precision"}, {path: "/value.php?keys=precision"}, {path: "/value.php?keys=precision"}, {path: "/value.php?keys=precision"}}, want: `"precision":"11"`},
	{name: "pool's environment", steps: one("/value.php?keys=precision"), want: `"env":"given by the pool"`},
	{name: ".user.ini", steps: one("/userini/value.php?keys=precision,memory_limit"), want: `"prepended":"by .user.ini"`, notInWorker: perRequestSettings},
	{name: ".user.ini deeper", steps: one("/userini/deeper/value.php?keys=precision,memory_limit"), want: `"precision":"9","memory_limit":"96M","prepended":null`, notInWorker: perRequestSettings},
	{name: ".user.ini ends with its request", steps: []step{{path: "/userini/value.php?keys=precision"}, {path: "/value.php?keys=precision"}, {path: "/value.php?keys=precision"}, {path: "/value.php?keys=precision"}, {path: "/value.php?keys=precision"}}, want: `"prepended":null`, notInWorker: perRequestSettings},

	{name: "nothing of a request stays", steps: []step{{path: "/state.php?dirty"}, {path: "/state.php?dirty"}, {path: "/state.php?dirty"}, {path: "/state.php?dirty"}, {path: "/state.php"}}, want: `"global": false`,
		notInWorker: "worker mode keeps what the application sets; what the extension resets has tests of its own"},
	{name: "memory is given back", steps: []step{{path: "/hog.php?mb=64"}, {path: "/hog.php?mb=64"}, {path: "/hog.php?mb=64"}, {path: "/hog.php?mb=64"}}, want: "64 MiB", same: []replace{{regexp.MustCompile(`pid \d+`), "pid 0"}}},
	{name: "user", steps: one("/whoami.php"), want: `"uid":true`, same: []replace{{regexp.MustCompile(`"ppid":\d+`), `"ppid":0`}}},
}

func TestSameAsFPM(t *testing.T) {
	for _, e := range exchanges {
		t.Run(strings.ReplaceAll(e.name, " ", "-"), func(t *testing.T) {
			want := e.run(t, common.fpmSite)
			if last := want[len(want)-1]; !strings.Contains(last.Body, e.want) {
				t.Fatalf("php-fpm's answer has no %q in it:\n%s", e.want, abbreviate(last.Body))
			}
			if onlyFPM {
				return
			}
			t.Run("classic", func(t *testing.T) { e.compare(t, want, common.ourSite) })
			t.Run("worker", func(t *testing.T) {
				if e.notInWorker != "" {
					t.Skip(e.notInWorker)
				}
				e.compare(t, want, common.workSite)
			})
		})
	}
}

// run sends the requests and returns the normalised responses.
func (e exchange) run(t *testing.T, site *harness.Site) []*response {
	t.Helper()
	c := newClient(t, site)
	var all []*response
	for _, s := range e.steps {
		if r, ok := s.reader.(*strings.Reader); ok {
			if _, err := r.Seek(0, 0); err != nil {
				t.Fatal(err)
			}
		}
		r := c.do(t, s)
		for _, n := range e.same {
			n.apply(r)
		}
		all = append(all, r)
	}
	return all
}

func (e exchange) compare(t *testing.T, want []*response, site *harness.Site) {
	t.Helper()
	for i, got := range e.run(t, site) {
		if cmp.Equal(want[i], got) {
			continue
		}
		w, g := *want[i], *got
		if len(w.Body)+len(g.Body) > 1<<16 && w.Body != g.Body {
			w.Body, g.Body = abbreviate(w.Body), abbreviate(g.Body)
		}
		t.Errorf("request %d, php-fpm (-), ours (+):\n%s", i+1, cmp.Diff(&w, &g))
	}
}

func abbreviate(s string) string {
	if len(s) <= 2000 {
		return s
	}
	return fmt.Sprintf("%s … %s (%d bytes)", s[:1000], s[len(s)-1000:], len(s))
}
