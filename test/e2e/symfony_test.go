package e2e

import (
	"bufio"
	"encoding/json"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"php-supervisor/test/apps"
	"php-supervisor/test/harness"
)

var symfonyExchanges = []exchange{
	{name: "page", steps: one("/?name=%3Cyou%3E"), want: "Hello &lt;you&gt;, this is call 1 of this request."},
	{name: "page again", steps: []step{{path: "/"}, {path: "/"}, {path: "/"}, {path: "/"}}, want: "this is call 1 of this request."},
	{name: "page with parameter", steps: one("/page/worker"), want: "<h1>worker</h1>"},
	{name: "HEAD", steps: []step{{method: "HEAD", path: "/"}}},
	{name: "not found", steps: one("/no/such/page"), want: "404 Not Found"},
	{name: "method not allowed", steps: one("/api/echo"), want: "405 Method Not Allowed"},
	{name: "JSON", steps: []step{{method: "POST", path: "/api/echo?q=1", body: `{"a":{"b":[1,2]},"ü":null}`, header: map[string]string{"Content-Type": "application/json"}}}, want: `"data":{"a":{"b":[1,2]}`},
	{name: "PUT JSON", steps: []step{{method: "PUT", path: "/api/echo", body: `{"put":true}`, header: map[string]string{"Content-Type": "application/json"}}}, want: `"method":"PUT"`},
	{name: "bad JSON", steps: []step{{method: "POST", path: "/api/echo", body: `{`, header: map[string]string{"Content-Type": "application/json"}}}, want: "An Error Occurred"},
	{name: "upload", steps: []step{multipartStep("/api/upload", part{field: "title", content: "T"}, part{"file", "a.bin", "application/octet-stream", strings.Repeat("upload", 30000)})}, want: `"name":"a.bin"`},
	{name: "upload without file", steps: []step{multipartStep("/api/upload", part{field: "title", content: "T"})}, want: `"error":"no file"`},
	{name: "session", steps: []step{{path: "/visits"}, {path: "/visits"}, {path: "/visits"}}, want: "visit 3", same: []replace{sessionID}},
	{name: "exception", steps: []step{{path: "/boom"}, {path: "/boom"}, {path: "/"}}, want: "Hello world"},
	{name: "exception page", steps: one("/boom"), want: "500 Internal Server Error"},
	{name: "stream", steps: one("/stream"), want: "first\nlast\n"},
	{name: "trailing slash", steps: one("/visits/"), want: "/visits"},
}

// The Symfony application answers alike under php-fpm and under us, booted for each request or once.
func TestSymfony(t *testing.T) {
	s := harness.ForTest(t)
	app := harness.Must[*apps.Symfony](t)(apps.LaySymfony(s.Path("symfony"), "php8.2", s.Owner))
	scratchDir := harness.Must[string](t)(s.Writable("tmp"))
	pool := harness.Pool{Children: 2, Ready: app.Root + "/index.php", Lines: []string{"php_admin_value[upload_tmp_dir] = " + scratchDir, "php_admin_value[sys_temp_dir] = " + scratchDir}}

	pool.Name = "yardstick"
	fpm := harness.Must[*harness.Server](t)(s.StartFPM(pool))
	site := func(srv *harness.Server) *harness.Site {
		return &harness.Site{Name: srv.Name, Root: app.Root, Socket: srv.Socket, Front: "/index.php"}
	}
	sites := []*harness.Site{site(fpm)}
	if !onlyFPM {
		pool.Name = "classic"
		sites = append(sites, site(harness.Must[*harness.Server](t)(s.StartSupervisor(pool))))
		pool.Name, pool.Worker = "worker", app.Worker
		sites = append(sites, site(harness.Must[*harness.Server](t)(s.StartSupervisor(pool))))
	}
	harness.Must[*harness.Nginx](t)(s.StartNginx(sites...))

	// Symfony's own clock stands in what it caches and in sessions.
	moments := []replace{{regexp.MustCompile(`(Sun|Mon|Tue|Wed|Thu|Fri|Sat), \d\d \w{3} \d{4} [0-9:]{8} GMT`), "DATE"}, {regexp.MustCompile(`127\.0\.0\.1:\d+`), "HOST"}}
	for _, e := range symfonyExchanges {
		e.same = append(e.same, moments...)
		t.Run(strings.ReplaceAll(e.name, " ", "-"), func(t *testing.T) {
			want := e.run(t, sites[0])
			if last := want[len(want)-1]; !strings.Contains(last.Body, e.want) {
				t.Fatalf("php-fpm's answer has no %q in it: %s\n%s", e.want, last.Status, abbreviate(last.Body))
			}
			for _, site := range sites[1:] {
				t.Run(site.Name, func(t *testing.T) { e.compare(t, want, site) })
			}
		})
	}

	for _, site := range sites {
		t.Run("streams/"+site.Name, func(t *testing.T) {
			gate := filepath.Join(scratch(t), "gate")
			resp, err := newClient(t, site).send(step{path: "/stream?gate=" + url.QueryEscape(gate)})
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body := bufio.NewReader(resp.Body)
			line, err := body.ReadString('\n')
			touch(t, gate)
			if line != "first\n" || err != nil {
				t.Fatalf("first line %q, %v", line, err)
			}
			if line, err = body.ReadString('\n'); line != "last\n" || err != nil {
				t.Errorf("last line %q, %v", line, err)
			}
		})
		t.Run("terminates-after-the-response/"+site.Name, func(t *testing.T) {
			dir := scratch(t)
			gate, file := filepath.Join(dir, "gate"), filepath.Join(dir, "file")
			defer touch(t, gate)
			if got := newClient(t, site).get(t, "/after?gate="+url.QueryEscape(gate)+"&file="+url.QueryEscape(file)); got != "sent\n" {
				t.Errorf("answer %q", got)
			}
			touch(t, gate)
			waitFile(t, file, "200\n")
		})
	}
	if onlyFPM {
		return
	}
	t.Run("boots-once", func(t *testing.T) {
		seen := map[int]int64{}
		c := newClient(t, sites[2])
		for range 20 {
			var info struct {
				PID    int
				Kernel int64
			}
			if err := json.Unmarshal([]byte(c.get(t, "/api/info")), &info); err != nil {
				t.Fatal(err)
			}
			if was, ok := seen[info.PID]; ok && was != info.Kernel || info.Kernel == 0 {
				t.Errorf("worker %d booted at %d, now at %d", info.PID, was, info.Kernel)
			}
			seen[info.PID] = info.Kernel
		}
	})
}
