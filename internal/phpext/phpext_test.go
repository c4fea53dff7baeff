package phpext

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const infoText = `phpinfo()
PHP Version => 8.2.36

System => Linux vm 6.18.44 #1 SMP x86_64
Server API => Command Line Interface
Virtual Directory Support => disabled
Configuration File (php.ini) Path => /etc/php/8.2/cli
Loaded Configuration File => (none)
PHP API => 20220829
PHP Extension => 20220829
Zend Extension => 420220829
Zend Extension Build => API420220829,NTS
Debug Build => no
Thread Safety => disabled
Core

PHP Version => 8.2.36

Directive => Local Value => Master Value
extension_dir => /usr/lib/php/20220829 => /usr/lib/php/20220829
`

const infoHTML = `<table>
<tr><td class="e">Server API </td><td class="v">CGI/FastCGI </td></tr>
</table>`

// program puts an executable file with this name into dir.
func program(t *testing.T, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func answers(out string, status int) Runner {
	return func(context.Context, []string, []string) ([]byte, int, error) { return []byte(out), status, nil }
}

func TestProbe(t *testing.T) {
	t.Setenv("PHPRC", "/somewhere")
	t.Setenv("SUPERVISOR_CONTROL", "3")
	binary := program(t, t.TempDir(), "php")
	var argv, env []string
	runs := 0
	php, err := Probe(t.Context(), func(ctx context.Context, a, e []string) ([]byte, int, error) {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("no deadline")
		}
		argv, env, runs = a, e, runs+1
		return []byte("PHP Warning:  something before\n" + infoText), 0, nil
	}, binary)
	if err != nil {
		t.Fatal(err)
	}
	want := &PHP{Binary: binary, Version: "8.2.36", API: 20220829, SAPI: "Command Line Interface",
		ExtensionDir: "/usr/lib/php/20220829", ConfigPath: "/etc/php/8.2/cli"}
	if diff := cmp.Diff(want, php); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{binary, "-n", "-i"}, argv); diff != "" || runs != 1 {
		t.Errorf("%d runs: %s", runs, diff)
	}
	if !slices.ContainsFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "PATH=") }) ||
		slices.ContainsFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "PHPRC=") || strings.HasPrefix(kv, "SUPERVISOR_") }) {
		t.Errorf("environment %q", env)
	}
}

func TestKey(t *testing.T) {
	tests := []struct {
		php  PHP
		want string
	}{
		{PHP{API: 20220829}, "20220829-nts"}, {PHP{API: 20240924, ZTS: true}, "20240924-zts"},
		{PHP{API: 20240924, Debug: true}, "20240924-nts-debug"}, {PHP{API: 1, ZTS: true, Debug: true}, "1-zts-debug"},
	}
	for _, tt := range tests {
		if got := tt.php.Key(); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
	if got := (&PHP{Version: "8.5.0-dev"}).Short(); got != "8.5" {
		t.Errorf("short: got %s", got)
	}
}

func TestProbeProblems(t *testing.T) {
	dir := t.TempDir()
	good := program(t, dir, "php")
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	cli := "set php.binary to the command line binary (php), which belongs to the same package set"
	tests := []struct {
		name, binary string
		run          Runner
		want         string
	}{
		{"missing", "/nonexistent/php", nil, "php binary '/nonexistent/php' does not exist; set php.binary or install php-cli"},
		{"directory", dir, nil, "php binary 'DIR' is a directory; set php.binary to the file"},
		{"not executable", plain, nil, "php binary 'DIR/plain' is not executable"},
		{"below a file", plain + "/php", nil, "php binary 'DIR/plain/php': not a directory"},
		{"cgi", good, answers(infoHTML, 0), "'DIR/php' is php-cgi, not php-cli; " + cli},
		{"fpm", good, answers(strings.Replace(infoText, "Command Line Interface", "FPM/FastCGI", 1), 0), "'DIR/php' is php-fpm, not php-cli; " + cli},
		{"another sapi", good, answers("Server API => embed\n", 0), "'DIR/php' is PHP's embed, not php-cli; " + cli},
		{"not PHP", good, answers("hello\n", 0), "'DIR/php' is not PHP; set php.binary to a php command line binary"},
		{"fails", good, answers("", 127), "'DIR/php -n -i' ended with status 127; it is not PHP or does not work"},
		{"cannot run", good, func(context.Context, []string, []string) ([]byte, int, error) { return nil, -1, unix.ENOEXEC },
			"cannot run 'DIR/php': exec format error"},
		{"incomplete", good, answers("PHP Version => 8.2.36\nServer API => Command Line Interface\n", 0),
			"'DIR/php -n -i' does not say version and API of this PHP"},
		{"too old", good, answers(strings.ReplaceAll(infoText, "8.2.36", "8.0.30"), 0), "'DIR/php' is PHP 8.0.30; PHP 8.1 or newer is needed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Probe(t.Context(), tt.run, tt.binary)
			var p *Problem
			if !errors.As(err, &p) {
				t.Fatalf("got %v", err)
			}
			if diff := cmp.Diff(tt.want, strings.ReplaceAll(err.Error(), dir, "DIR")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestProbeGivesUp(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	binary := program(t, t.TempDir(), "php")
	_, err := Probe(ctx, func(ctx context.Context, _, _ []string) ([]byte, int, error) {
		<-ctx.Done()
		return nil, -1, ctx.Err()
	}, binary)
	if err == nil || !strings.Contains(err.Error(), "did not end within") {
		t.Errorf("got %v", err)
	}
}

func TestExec(t *testing.T) {
	out, status, err := Exec(t.Context(), []string{"/bin/sh", "-c", "echo $X; exit 3"}, []string{"X=y"})
	if string(out) != "y\n" || status != 3 || err != nil {
		t.Errorf("got %q, %d, %v", out, status, err)
	}
	out, status, err = Exec(t.Context(), []string{"/bin/sh", "-c", fmt.Sprintf("head -c %d /dev/zero", 3*MaxOutput)}, nil)
	if len(out) != MaxOutput || status != 0 || err != nil {
		t.Errorf("got %d bytes, %d, %v", len(out), status, err)
	}
	if _, _, err = Exec(t.Context(), []string{"/nonexistent"}, nil); err == nil {
		t.Error("no error for a program that is not there")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err = Exec(ctx, []string{"/bin/sh", "-c", "sleep 60"}, nil); err == nil {
		t.Error("no error for a program that does not end")
	}
}

func library() fs.FS {
	return fstest.MapFS{
		"lib/README.md":                  {Data: []byte("x")},
		"lib/supervisor-20220829-nts.so": {Data: []byte("82")},
		"lib/supervisor-20240924-zts.so": {Data: []byte("84zts")},
	}
}

func TestFindExtension(t *testing.T) {
	ext, err := findIn(library(), &PHP{API: 20220829})
	if err != nil || ext.Key != "20220829-nts" || string(ext.data) != "82" {
		t.Errorf("got %v, %v", ext, err)
	}
	const remedy = "; to build it: install phpize and php-config of this PHP, then: make build PHP_CONFIG=/path/to/php-config"
	_, err = findIn(library(), &PHP{Binary: "/opt/php", Version: "8.4.27", API: 20240924})
	want := "no extension for '/opt/php' (PHP 8.4.27): 20240924-nts is needed, this program carries: 20220829-nts, 20240924-zts" + remedy
	if got := fmt.Sprint(err); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	_, err = findIn(fstest.MapFS{}, &PHP{Binary: "/opt/php", Version: "8.4.27", API: 20240924})
	if err == nil || !strings.Contains(err.Error(), "this program carries: none;") {
		t.Errorf("got %v", err)
	}
}

func TestOpenExtension(t *testing.T) {
	ext := &Extension{Key: "x", data: []byte(strings.Repeat("content", 1000))}
	for name, open := range map[string]func() (*os.File, error){"any": ext.Open, "memfd": ext.memfd, "file": ext.temp} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			f, err := open()
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			// By its path, as PHP does, and as any user.
			path := fmt.Sprintf("/proc/self/fd/%d", f.Fd())
			got, err := os.ReadFile(path)
			if err != nil || string(got) != string(ext.data) {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
			st, err := os.Stat(path)
			if err != nil || st.Mode().Perm() != 0o555 {
				t.Errorf("mode %v, %v", st.Mode(), err)
			}
			if _, err := f.WriteAt([]byte("x"), 0); err == nil {
				t.Error("the content can be changed")
			}
			if err := f.Truncate(0); err == nil {
				t.Error("the content can be cut")
			}
			if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("descriptor flags %x, %v", flags, err)
			}
			if left, _ := os.ReadDir(os.Getenv("TMPDIR")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestCandidates(t *testing.T) {
	old := binaryDirs
	t.Cleanup(func() { binaryDirs = old })
	a, b, usual := t.TempDir(), t.TempDir(), t.TempDir()
	binaryDirs = []string{usual}
	for _, name := range []string{"php", "php8.2"} {
		program(t, a, name)
	}
	program(t, b, "php8.4")
	program(t, usual, "php8.5")
	program(t, usual, "php8.2")
	if err := os.WriteFile(filepath.Join(a, "php8.3"), nil, 0o644); err != nil { // not executable
		t.Fatal(err)
	}
	tests := []struct {
		called, path string
		want         []string
	}{
		{"supervisor", a + ":" + b + ":relative:", []string{b + "/php8.4", a + "/php8.2", a + "/php", usual + "/php8.5", usual + "/php8.2"}},
		{"/usr/sbin/php-fpm", a, []string{a + "/php8.2", a + "/php", usual + "/php8.5", usual + "/php8.2"}},
		{"/usr/sbin/php-fpm8.2", a + ":" + b, []string{a + "/php8.2", usual + "/php8.2"}},
		{"php-fpm8.3", a + ":" + b, nil},
		{"supervisor", "", []string{usual + "/php8.5", usual + "/php8.2"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, Candidates(tt.called, tt.path)); diff != "" {
			t.Errorf("called as %s: %s", tt.called, diff)
		}
	}
}

func TestDiscover(t *testing.T) {
	old := binaryDirs
	t.Cleanup(func() { binaryDirs = old })
	binaryDirs = nil
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	program(t, dir, "php8.4")
	program(t, dir, "php8.2")
	if err := os.Symlink("php8.4", filepath.Join(dir, "php")); err != nil {
		t.Fatal(err)
	}
	var ran []string
	run := func(_ context.Context, argv, _ []string) ([]byte, int, error) {
		ran = append(ran, filepath.Base(argv[0]))
		if strings.HasSuffix(argv[0], "php8.2") {
			return []byte(infoText), 0, nil
		}
		return []byte(strings.NewReplacer("8.2", "8.4", "20220829", "20240924").Replace(infoText)), 0, nil
	}
	tests := []struct {
		name, configured, called string
		lib                      fs.FS
		php, ext, err            string
		ran                      []string
	}{
		{"the first that has an extension", "", "supervisor", library(), "php8.2", "20220829-nts", "", []string{"php8.4", "php8.2"}},
		{"the version called for", "", "php-fpm8.2", library(), "php8.2", "20220829-nts", "", []string{"php8.2"}},
		{"configured, without extension", dir + "/php", "supervisor", library(), "php", "", "no extension for", []string{"php"}},
		{"none has an extension: about the first", "", "supervisor", fstest.MapFS{}, "php8.4", "", "20240924-nts is needed", []string{"php8.4", "php8.2"}},
		{"not there", "", "php-fpm8.1", library(), "", "", "no php8.1 found, which php-fpm8.1 needs; install php8.1-cli or set php.binary", nil},
		{"configured, not there", "/nonexistent", "supervisor", library(), "", "", "does not exist", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ran = nil
			php, ext, err := discoverIn(t.Context(), tt.lib, run, tt.configured, tt.called)
			gotPHP, gotExt := "", ""
			if php != nil {
				gotPHP = filepath.Base(php.Binary)
			}
			if ext != nil {
				gotExt = ext.Key
			}
			if gotPHP != tt.php || gotExt != tt.ext || (tt.err == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %q, %q, %v", gotPHP, gotExt, err)
			}
			if diff := cmp.Diff(tt.ran, ran, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("ran: %s", diff)
			}
		})
	}
	t.Setenv("PATH", t.TempDir())
	if _, _, err := discoverIn(t.Context(), library(), run, "", "supervisor"); err == nil || !strings.HasPrefix(err.Error(), "no php found in PATH") {
		t.Errorf("nothing installed: got %v", err)
	}
}

func TestFindIni(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"deb/cli/conf.d", "deb/fpm/conf.d", "bare/cli", "bare/fpm", "docker", "own"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(root, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, config, dir string
		env               map[string]string
		want              []string
		why               string
	}{
		{"Debian", "deb/cli", "", nil, []string{"PHPRC=ROOT/deb/fpm", "PHP_INI_SCAN_DIR=ROOT/deb/fpm/conf.d"}, "php-fpm's directory"},
		{"Debian without php-fpm", "bare/cli", "", nil, nil, "compiled in"},
		{"one directory for all", "docker", "", nil, nil, "compiled in"},
		{"configured", "deb/cli", "own", nil, []string{"PHPRC=ROOT/own"}, "php.ini_dir"},
		{"configured, with conf.d", "docker", "deb/fpm", nil, []string{"PHPRC=ROOT/deb/fpm", "PHP_INI_SCAN_DIR=ROOT/deb/fpm/conf.d"}, "php.ini_dir"},
		{"the environment", "deb/cli", "", map[string]string{"PHPRC": "/x"}, []string{"PHPRC=/x"}, "the environment"},
		{"the environment's scan directory", "deb/cli", "", map[string]string{"PHP_INI_SCAN_DIR": ":/x"}, []string{"PHP_INI_SCAN_DIR=:/x"}, "the environment"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := tt.dir
			if dir != "" {
				dir = filepath.Join(root, dir)
			}
			ini, err := FindIni(&PHP{ConfigPath: filepath.Join(root, tt.config)}, dir, func(k string) string { return tt.env[k] })
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, kv := range ini.Env() {
				got = append(got, strings.ReplaceAll(kv, root, "ROOT"))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || ini.Why != tt.why {
				t.Errorf("%q: %s", ini.Why, diff)
			}
		})
	}
	for dir, want := range map[string]string{
		"/nonexistent": "php.ini_dir '/nonexistent': no such file or directory",
		file:           "php.ini_dir '" + file + "' is not a directory",
	} {
		if _, err := FindIni(&PHP{}, dir, os.Getenv); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// The php-cli of this machine is what the parser was written for.
func TestRealPHP(t *testing.T) {
	candidates := Candidates("supervisor", os.Getenv("PATH"))
	if len(candidates) == 0 {
		t.Skip("no PHP on this machine")
	}
	for _, binary := range candidates {
		php, err := Probe(t.Context(), Exec, binary)
		if err != nil {
			t.Fatal(err)
		}
		out, _, err := Exec(t.Context(), []string{binary, "-n", "-r",
			`echo PHP_VERSION, " ", PHP_EXTENSION_DIR, " ", (int) PHP_ZTS, " ", (int) PHP_DEBUG;`}, os.Environ())
		if err != nil {
			t.Fatal(err)
		}
		btoi := map[bool]int{true: 1}
		if got := fmt.Sprint(php.Version, " ", php.ExtensionDir, " ", btoi[php.ZTS], " ", btoi[php.Debug]); got != string(out) {
			t.Errorf("%s: got %s, PHP says %s", binary, got, out)
		}
		ini, err := FindIni(php, "", func(string) string { return "" })
		if err != nil {
			t.Fatal(err)
		}
		s, err := ReadSettings(t.Context(), Exec, php, ini)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := s.Module("core"); !ok || s.Values["memory_limit"] == "" {
			t.Errorf("%s: settings %+v", binary, s)
		}
		if ini.RC != "" && !strings.HasPrefix(s.Loaded, ini.RC) {
			t.Errorf("%s: php.ini is %s, not in %s", binary, s.Loaded, ini.RC)
		}
	}
}

func TestRealFPMIsRefused(t *testing.T) {
	names, _ := filepath.Glob("/usr/sbin/php-fpm8.*")
	if len(names) == 0 {
		t.Skip("no php-fpm on this machine")
	}
	if _, err := Probe(t.Context(), Exec, names[0]); err == nil || !strings.Contains(err.Error(), "is php-fpm, not php-cli") {
		t.Errorf("got %v", err)
	}
}

func TestEmbeddedLibraryIsReadable(t *testing.T) {
	for _, key := range Carried() {
		b, err := fs.ReadFile(embedded, "lib/supervisor-"+key+".so")
		if err != nil || !strings.HasPrefix(string(b), "\x7fELF") {
			t.Errorf("%s: %v", key, err)
		}
	}
	if _, err := fs.Stat(embedded, "lib/README.md"); err != nil {
		t.Error(err)
	}
}
