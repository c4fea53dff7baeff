// Package deploy checks the samples in deploy/ with the programs they are for, where those are
// installed, and serves the Symfony application through each web server's sample.
package deploy

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"php-supervisor/test/apps"
	"php-supervisor/test/harness"
)

// sample reads a file of deploy/.
func sample(t *testing.T, name string) string {
	t.Helper()
	root := harness.Must[string](t)(harness.Root())
	return string(harness.Must[[]byte](t)(os.ReadFile(filepath.Join(root, "deploy", name))))
}

// program finds a program, also where only root looks, or skips the test.
func program(t *testing.T, name string) string {
	t.Helper()
	if p := os.Getenv("DEPLOY_" + strings.ToUpper(name)); p != "" {
		return p
	}
	if p, err := exec.LookPath(name); err == nil {
		return p
	}
	p := "/usr/sbin/" + name
	if _, err := os.Stat(p); err != nil {
		t.Skipf("not installed: %s", name)
	}
	return p
}

// block returns the text of a literal block ("name: |") of a YAML file, without its indentation.
func block(t *testing.T, yaml, name string) string {
	t.Helper()
	_, rest, ok := strings.Cut(yaml, "  "+name+": |\n")
	if !ok {
		t.Fatalf("no block %s", name)
	}
	var b strings.Builder
	for line := range strings.Lines(rest) {
		text, ok := strings.CutPrefix(line, "    ")
		if !ok && strings.TrimSpace(line) != "" {
			break
		}
		b.WriteString(text)
	}
	return b.String()
}

func TestPoolConfigurations(t *testing.T) {
	supervisor := harness.Must[string](t)(harness.SupervisorProgram())
	for name, conf := range map[string]string{
		"php-supervisor.conf":        sample(t, "php-supervisor.conf"),
		"docker/php-supervisor.conf": sample(t, "docker/php-supervisor.conf"),
		"kubernetes":                 block(t, sample(t, "kubernetes/php-supervisor.yaml"), "php-supervisor.conf"),
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "test.conf")
			if os.Geteuid() == 0 && !strings.Contains(conf, "\nuser") {
				conf += "\nuser = nobody\n" // not root in its pod, as it may be here
			}
			if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(supervisor, "check", "-y", file).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func TestSystemdUnit(t *testing.T) {
	analyze := program(t, "systemd-analyze")
	file := filepath.Join(t.TempDir(), "php-supervisor.service")
	unit := strings.ReplaceAll(sample(t, "systemd/php-supervisor.service"), "/usr/local/bin/supervisor", "/bin/true")
	if err := os.WriteFile(file, []byte(unit), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(analyze, "verify", file).CombinedOutput()
	if err != nil || strings.Contains(string(out), "php-supervisor.service:") {
		t.Errorf("%v\n%s", err, out)
	}
}

// served is the application behind the supervisor's sample configuration.
type served struct {
	*harness.Stage
	app  *apps.Symfony
	port int
}

// serve starts the supervisor with its sample, in a place of its own.
func serve(t *testing.T) *served {
	t.Helper()
	s := &served{Stage: harness.ForTest(t)}
	s.app = harness.Must[*apps.Symfony](t)(apps.LaySymfony(s.Path("app"), "php", s.Owner))
	conf := s.place(sample(t, "php-supervisor.conf"))
	if os.Geteuid() != 0 {
		for _, key := range []string{"user = ", "group = ", "listen.owner = ", "listen.group = "} {
			conf = strings.ReplaceAll(conf, "\n"+key, "\n;"+key)
		}
	}
	file := s.Path("test.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	harness.Must[*harness.Process](t)(s.Start(harness.Command{Name: "supervisor", Stop: syscall.SIGQUIT,
		Args: []string{harness.Must[string](t)(harness.SupervisorProgram()), "run", "-y", file}}))
	harness.MustWait(t, "the pool", func() bool { return harness.Answers(s.Path("run", "www.sock"), s.app.Root+"/index.php") })
	l := harness.Must[net.Listener](t)(net.Listen("tcp4", "127.0.0.1:0"))
	s.port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	return s
}

// place puts our paths where the samples' are.
func (s *served) place(text string) string {
	return strings.NewReplacer(
		"/srv/app", s.Path("app"),
		"/run/php-supervisor/", s.Path("run")+"/",
		"listen 80;", fmt.Sprintf("listen 127.0.0.1:%d;", s.port),
		"listen 8080;", fmt.Sprintf("listen 127.0.0.1:%d;", s.port),
		"<VirtualHost *:80>", fmt.Sprintf("<VirtualHost 127.0.0.1:%d>", s.port),
		"server php:9000;", fmt.Sprintf("server unix:%s;", s.Path("run", "www.sock")),
	).Replace(text)
}

// start starts the web server and asks for a page, a form with a session, and what must be refused.
func (s *served) start(t *testing.T, name string, stop syscall.Signal, files bool, args ...string) {
	t.Helper()
	p := harness.Must[*harness.Process](t)(s.Start(harness.Command{Name: name, Args: args, Stop: stop}))
	base := fmt.Sprintf("http://127.0.0.1:%d", s.port)
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	get := func(path string) (int, string) {
		req := harness.Must[*http.Request](t)(http.NewRequest(http.MethodGet, base+path, nil))
		resp, err := tr.RoundTrip(req)
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body)
	}
	harness.MustWait(t, name, func() bool {
		if p.Exited() {
			t.Fatalf("%s ended:\n%s", name, p.Log())
		}
		status, _ := get("/")
		return status != 0
	})
	for _, c := range []struct {
		path   string
		status int
		want   string
	}{
		{"/?name=you", 200, "Hello you"},
		{"/page/worker?x=1", 200, "<h1>worker</h1>"},
		{"/no/such/page", 404, ""},
		{"/boom", 500, ""},
		{"/visits", 200, "visit 1"},
	} {
		for range 3 { // also over a connection that was kept
			if status, body := get(c.path); status != c.status || !strings.Contains(body, c.want) {
				t.Errorf("%s: %d, want %d with %q\n%s", c.path, status, c.status, c.want, body)
			}
		}
	}
	if !files {
		return
	}
	if err := os.WriteFile(s.Path("app", "public", "plain.txt"), []byte("a file\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if status, body := get("/plain.txt"); status != 200 || body != "a file\n" {
		t.Errorf("/plain.txt: %d %q", status, body)
	}
}

func TestNginx(t *testing.T) {
	nginx := program(t, "nginx")
	for name, site := range map[string]string{
		"nginx":      sample(t, "nginx/php-supervisor.conf"),
		"docker":     sample(t, "docker/nginx.conf"),
		"kubernetes": block(t, sample(t, "kubernetes/php-supervisor.yaml"), "nginx.conf"),
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			conf := s.Path("nginx.conf")
			user := ""
			if os.Geteuid() == 0 {
				user = fmt.Sprintf("user %s %s;\n", s.User, s.Group)
			}
			for _, f := range []string{"fastcgi.conf", "fastcgi_params"} { // included by name
				if err := os.WriteFile(s.Path(f), harness.Must[[]byte](t)(os.ReadFile("/etc/nginx/"+f)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			text := fmt.Sprintf("%[2]spid %[1]s/nginx.pid;\nerror_log %[1]s/logs/nginx.log;\nevents {}\nhttp {\naccess_log off;\nclient_body_temp_path %[1]s/body;\nfastcgi_temp_path %[1]s/fastcgi;\nproxy_temp_path %[1]s/proxy;\nuwsgi_temp_path %[1]s/uwsgi;\nscgi_temp_path %[1]s/scgi;\n%[3]s}\n",
				s.Dir, user, s.place(site))
			if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			s.start(t, "nginx", syscall.SIGTERM, name != "kubernetes", nginx, "-p", s.Dir, "-c", conf, "-g", "daemon off;")
		})
	}
}

func TestApache(t *testing.T) {
	apache := program(t, "apache2")
	modules := filepath.Join(filepath.Dir(apache), "../lib/apache2/modules")
	s := serve(t)
	var b strings.Builder
	fmt.Fprintf(&b, "ServerRoot %[1]s\nPidFile %[1]s/apache.pid\nErrorLog %[1]s/logs/apache.log\nListen 127.0.0.1:%[2]d\nServerName localhost\n", s.Dir, s.port)
	for _, m := range []string{"mpm_event", "authz_core", "dir", "setenvif", "proxy", "proxy_fcgi", "mime"} {
		fmt.Fprintf(&b, "LoadModule %s_module %s/mod_%s.so\n", m, modules, m)
	}
	if os.Geteuid() == 0 {
		fmt.Fprintf(&b, "User %s\nGroup %s\n", s.User, s.Group)
	}
	b.WriteString("TypesConfig /etc/mime.types\n" + s.place(sample(t, "apache/php-supervisor.conf")))
	conf := s.Path("apache.conf")
	if err := os.WriteFile(conf, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	s.start(t, "apache2", syscall.SIGTERM, true, apache, "-f", conf, "-DFOREGROUND")
}

func TestCaddy(t *testing.T) {
	caddy := program(t, "caddy")
	s := serve(t)
	text := strings.Replace(s.place(sample(t, "caddy/Caddyfile")), "\nexample.com {", fmt.Sprintf("\n{\n\tadmin off\n}\nhttp://127.0.0.1:%d {", s.port), 1)
	conf := s.Path("Caddyfile")
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	s.start(t, "caddy", syscall.SIGTERM, true, caddy, "run", "--adapter", "caddyfile", "--config", conf)
}
