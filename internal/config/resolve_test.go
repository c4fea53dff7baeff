package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const basePool = "[www]\nuser = www-data\nlisten = /run/php/www.sock\npm = static\npm.max_children = 2\n"

// loadText loads a configuration of one pool with the given lines added to it.
func loadText(t *testing.T, lines string, opts Options) (*Pool, []Message, error) {
	t.Helper()
	cfg, messages, err := loadFile(t, basePool+lines, opts)
	if err != nil {
		return nil, messages, err
	}
	return cfg.Pools[0], messages, nil
}

func loadFile(t *testing.T, text string, opts Options) (*Config, []Message, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "test.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if opts.sys == nil {
		opts.sys = testSystem(0)
	}
	return Load(file, opts)
}

func TestUsersAndGroupsBecomeIDs(t *testing.T) {
	for _, test := range []struct {
		name, lines string
		opts        Options
		want        Identity
	}{
		{"user by name takes its group", "user = deploy\n", Options{}, Identity{true, 1000, 100, []int{100, 4}, "deploy", "/home/deploy"}},
		{"group by name", "user = deploy\ngroup = adm\n", Options{}, Identity{true, 1000, 4, []int{4, 4}, "deploy", "/home/deploy"}},
		{"user by number takes its group but no USER", "user = 1000\n", Options{}, Identity{true, 1000, 100, []int{100, 4}, "", ""}},
		{"numbers without accounts", "user = 4321\ngroup = 4322\n", Options{}, Identity{true, 4321, 4322, []int{4322}, "", ""}},
		{"USER and HOME of env win", "env[USER] = x\nenv[HOME] = /x\n", Options{}, Identity{true, 33, 33, []int{33}, "", ""}},
		{"root when allowed", "user = root\n", Options{AllowRoot: true}, Identity{true, 0, 0, []int{0}, "root", "/root"}},
		{"not as root", "group = adm\n", Options{sys: testSystem(1000)}, Identity{User: "deploy", Home: "/home/deploy"}},
		{"testing only", "", Options{TestOnly: true}, Identity{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, _, err := loadText(t, test.lines, test.opts)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, p.Identity); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestDirectivesOfRootAreIgnoredWithANotice(t *testing.T) {
	_, messages, err := loadText(t, "group = adm\nprocess.priority = 5\nchroot = /\n", Options{sys: testSystem(1000)})
	want := `NOTICE: [pool www] 'user' directive is ignored when FPM is not running as root
NOTICE: [pool www] 'group' directive is ignored when FPM is not running as root
NOTICE: [pool www] 'chroot' directive is ignored when FPM is not running as root
NOTICE: [pool www] 'process.priority' directive is ignored when FPM is not running as root
`
	if diff := cmp.Diff(want, logLines(messages, err)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestListenAddressesAreTakenApart(t *testing.T) {
	for listen, want := range map[string]struct {
		address Address
		text    string
	}{
		"9000":             {Address{Network: "tcp", Port: 9000}, "9000"},
		"127.0.0.1:9000":   {Address{Network: "tcp", Host: "127.0.0.1", Port: 9000}, "127.0.0.1:9000"},
		"[::]:9000":        {Address{Network: "tcp", Host: "::", Port: 9000}, "[::]:9000"},
		"[::1]:9000":       {Address{Network: "tcp", Host: "::1", Port: 9000}, "[::1]:9000"},
		"::1:9000":         {Address{Network: "tcp", Host: "::1", Port: 9000}, "[::1]:9000"},
		"localhost:65535":  {Address{Network: "tcp", Host: "localhost", Port: 65535}, "localhost:65535"},
		"/run/x.sock":      {Address{Network: "unix", Path: "/run/x.sock"}, "/run/x.sock"},
		"run/$pool.sock":   {Address{Network: "unix", Path: "/usr/run/www.sock"}, "/usr/run/www.sock"},
		"${SOCKET:-/s}/$$": {Address{Network: "unix", Path: "/s/$$"}, "/s/$$"},
	} {
		p, _, err := loadText(t, "listen = "+listen+"\n", Options{})
		if err != nil {
			t.Errorf("%s: %v", listen, err)
			continue
		}
		if diff := cmp.Diff(want.address, p.Address); diff != "" {
			t.Errorf("%s (-want +got)\n%s", listen, diff)
		}
		if got := p.Address.String(); got != want.text {
			t.Errorf("%s: String() = %q", listen, got)
		}
	}
}

func TestSocketPermissions(t *testing.T) {
	for _, test := range []struct {
		lines string
		want  SocketPermissions
	}{
		{"", SocketPermissions{UID: -1, GID: -1, Mode: 0o660}},
		{"listen.owner = deploy\n", SocketPermissions{UID: 1000, GID: 100, Mode: 0o660}},
		{"listen.owner = 7\nlisten.group = adm\nlisten.mode = 0600\n", SocketPermissions{UID: 7, GID: 4, Mode: 0o600}},
		{"listen.acl_users = deploy,33\nlisten.acl_groups = adm\n", SocketPermissions{UID: -1, GID: -1, Mode: 0o660, ACLUsers: []int{1000, 33}, ACLGroups: []int{4}}},
	} {
		p, _, err := loadText(t, test.lines, Options{})
		if err != nil {
			t.Errorf("%q: %v", test.lines, err)
			continue
		}
		if diff := cmp.Diff(test.want, p.Socket); diff != "" {
			t.Errorf("%q (-want +got)\n%s", test.lines, diff)
		}
	}
}

func TestAllowedClients(t *testing.T) {
	client := func(s string) netip.Addr { return netip.MustParseAddr(s) }
	for _, test := range []struct {
		name, lines, messages string
		allowed, refused      []string
	}{
		{"everybody", "listen = 9000\n", "", []string{"1.2.3.4", "::1"}, nil},
		{"a list", "listen = 9000\nlisten.allowed_clients = 127.0.0.1,::1\n", "",
			[]string{"127.0.0.1", "::ffff:127.0.0.1", "::1"}, []string{"127.0.0.2", "::2"}},
		{"a wrong address", "listen = 9000\nlisten.allowed_clients = x,127.0.0.1\n",
			"ERROR: Wrong IP address 'x' in listen.allowed_clients\n", []string{"127.0.0.1"}, []string{"1.2.3.4"}},
		{"wrong addresses only", "listen = 9000\nlisten.allowed_clients = 1.2.3\n",
			"ERROR: Wrong IP address '1.2.3' in listen.allowed_clients\nERROR: There are no allowed addresses\n", nil, []string{"1.2.3.4"}},
		{"no matter for a unix socket", "listen.allowed_clients = x\n", "", []string{"1.2.3.4"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, messages, err := loadText(t, test.lines, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.messages, logLines(messages, nil)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			for _, addr := range test.allowed {
				if !p.AllowedClients.Allows(client(addr)) {
					t.Errorf("%s is refused", addr)
				}
			}
			for _, addr := range test.refused {
				if p.AllowedClients.Allows(client(addr)) {
					t.Errorf("%s is allowed", addr)
				}
			}
		})
	}
}

// php-fpm applies the last element of an array first, so the first one stays.
func TestFirstOfSeveralArrayElementsCounts(t *testing.T) {
	t.Setenv("CONFIG_TEST_VARIABLE", "from outside")
	p, _, err := loadText(t, `env[A] = first
env[A] = second
env[B] = $CONFIG_TEST_VARIABLE
env[C] = $CONFIG_NOT_THERE
php_value[precision] = 5
php_flag[html_errors] = on
php_value[precision] = 6
php_admin_value[extension] = a.so
php_admin_value[extension] = b.so
php_admin_value[disable_functions] = exec
php_admin_value[disable_functions] = "system,passthru"
php_admin_flag[log_errors] = no
php_admin_value[error_log] = log/$pool.log
`, Options{Prefix: "/etc"})
	if err != nil {
		t.Fatal(err)
	}
	want := [][]KeyValue{
		{{"A", "first"}, {"B", "from outside"}, {"C", ""}},
		{{"precision", "5"}, {"html_errors", "1"}},
		{{"extension", "a.so"}, {"extension", "b.so"}, {"disable_functions", "exec,system,passthru"}, {"log_errors", "0"}, {"error_log", "/etc/log/www.log"}},
	}
	if diff := cmp.Diff(want, [][]KeyValue{p.Env, p.PHPValues, p.PHPAdminValues}); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestDefaults(t *testing.T) {
	cfg, messages, err := loadFile(t, basePool, Options{})
	if err != nil || len(messages) > 0 {
		t.Fatal(messages, err)
	}
	p := cfg.Pools[0]
	got := []any{p.QueueLimit, p.QueueTimeout, p.MaxRequestsJitter, p.RequestRetry, p.WatchDebounce, p.WorkerIsolation, p.Extensions,
		cfg.Global.LogLevel, cfg.Global.LogFormat, cfg.Global.ErrorLog, cfg.Global.ProcessPriority, p.ClearEnv}
	want := []any{1000, time.Minute, 10, RetryIdempotent, 200 * time.Millisecond, "none", []string{".php", ".phar"},
		LevelNotice, LogAuto, "/var/log/php-fpm.log", PriorityUnset, true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestOptionsOfTheCommandLine(t *testing.T) {
	no, prefix := false, t.TempDir()
	cfg, _, err := loadFile(t, "error_log = log/x.log\n"+basePool+"access.log = log/$pool.log\nphp_value[a] = ${FROM_D}\nphp_value[b] = MY_CONSTANT\n",
		Options{Prefix: prefix, PID: "run/x.pid", Daemonize: &no, Variables: map[string]string{"FROM_D": "d"}, Constants: map[string]string{"MY_CONSTANT": "7"}})
	if err != nil {
		t.Fatal(err)
	}
	p := cfg.Pools[0]
	want := []any{prefix + "/run/x.pid", prefix + "/log/x.log", false, prefix + "/log/www.log", `%R - %u %t "%m %r" %s`, []KeyValue{{"a", "d"}, {"b", "7"}}}
	got := []any{cfg.Global.PID, cfg.Global.ErrorLog, cfg.Global.Daemonize, p.AccessLog, p.AccessFormat, p.PHPValues}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	cfg, _, err = loadFile(t, "pid = /run/mine.pid\n"+basePool, Options{PID: "/run/theirs.pid"})
	if err != nil || cfg.Global.PID != "/run/mine.pid" {
		t.Errorf("the file's pid does not win: %v, %v", cfg, err)
	}
	_, messages, err := Load("/etc/passwd", Options{Prefix: "/nonexistent"})
	wantLines := "ERROR: the global prefix '/nonexistent' does not exist or is not a directory\nERROR: FPM initialization failed\n"
	if diff := cmp.Diff(wantLines, logLines(messages, err)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Of several words in braces before a token the last one counts, as in php-fpm and as the access log does.
func TestAccessFormatIsWhatTheLogTakes(t *testing.T) {
	const format = "%{%s}{%Y}t %{x}{X-Foo}o"
	p, _, err := loadText(t, "access.log = /dev/null\naccess.format = \""+format+"\"\n", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if p.AccessFormat != format {
		t.Errorf("got %s, want %s", p.AccessFormat, format)
	}
}

func TestPrefixInChroot(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/root", 0o755); err != nil {
		t.Fatal(err)
	}
	for chroot, want := range map[string]string{"$prefix": dir, "$prefix/root": dir + "//root", "root": dir + "/root"} {
		p, _, err := loadText(t, "prefix = "+dir+"\nchroot = "+chroot+"\n", Options{})
		if err != nil {
			t.Errorf("%s: %v", chroot, err)
			continue
		}
		if p.Chroot != want {
			t.Errorf("%s: got %s, want %s", chroot, p.Chroot, want)
		}
	}
}

func TestDirectivesWithoutEffectAreNamed(t *testing.T) {
	cfg, _, err := loadFile(t, "events.mechanism = poll\nerror_log = syslog\n"+basePool+"ping.path = /ping\nslowlog = /tmp/x\npm.max_requests = 5\n", Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := `WARNING: directive 'events.mechanism' has no effect: the Go runtime waits for events in its own way
WARNING: 'error_log = syslog' has no effect yet
WARNING: [pool www] directive 'ping.path' has no effect yet
WARNING: [pool www] directive 'slowlog' has no effect yet
`
	if diff := cmp.Diff(want, logLines(cfg.NotYet(), nil)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestReasonLeavesConsequencesOut(t *testing.T) {
	_, _, err := loadFile(t, basePool+"foo = 1\n", Options{})
	e := asError(err)
	if len(e.Lines) != 3 || len(e.Reason()) != 1 || !strings.HasSuffix(e.Reason()[0].Text, ":6] unknown entry 'foo'") {
		t.Errorf("lines %v, reason %v", e.Lines, e.Reason())
	}
}
