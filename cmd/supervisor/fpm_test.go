package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"php-supervisor/internal/config"
)

func TestParseFPM(t *testing.T) {
	yes, no := true, false
	tests := []struct {
		args []string
		want fpmOptions
		err  error
	}{
		{args: nil},
		{args: []string{"-F", "-O", "-y", "/a"}, want: fpmOptions{daemonize: &no, stderr: true, config: "/a"}},
		{args: []string{"-FOy/a"}, want: fpmOptions{daemonize: &no, stderr: true, config: "/a"}},
		{args: []string{"-y=/a"}, want: fpmOptions{config: "/a"}},
		{args: []string{"--fpm-config", "/a", "--nodaemonize"}, want: fpmOptions{daemonize: &no, config: "/a"}},
		{args: []string{"--fpm-config=/a=b"}, want: fpmOptions{config: "/a=b"}},
		{args: []string{"-dA=B", "-d", "C", "-d=D=E"}, want: fpmOptions{defines: []string{"A=B", "C", "D=E"}}},
		{args: []string{"-tt"}, want: fpmOptions{tests: 2}},
		{args: []string{"-t", "--test"}, want: fpmOptions{tests: 2}},
		{args: []string{"-n", "-v"}, want: fpmOptions{noIni: true, act: 'v'}},
		{args: []string{"-v", "--bogus"}, want: fpmOptions{act: 'v'}},
		{args: []string{"-?"}, want: fpmOptions{act: 'h'}},
		{args: []string{"--help"}, want: fpmOptions{act: 'h'}},
		{args: []string{"-m"}, want: fpmOptions{act: 'm'}},
		{args: []string{"-i", "more"}, want: fpmOptions{info: true}},
		{args: []string{"-F", "-D"}, want: fpmOptions{daemonize: &yes}},
		{args: []string{"-p", "/p", "-g/x.pid", "-R", "-e", "-c", "/c"}, want: fpmOptions{prefix: "/p", pid: "/x.pid", allowRoot: true, ini: "/c"}},
		{args: []string{"--"}},
		{args: []string{"--bogus"}, err: errFPMUsage},
		{args: []string{"--fpm"}, err: errFPMUsage},
		{args: []string{"-Z"}, err: errFPMUsage},
		{args: []string{"-FZ"}, err: errFPMUsage},
		{args: []string{"-y"}, err: errFPMUsage},
		{args: []string{"--pid"}, err: errFPMUsage},
		{args: []string{"--=x"}, err: errFPMUsage},
		{args: []string{"word"}, err: errFPMUsage},
		{args: []string{"-F", "--", "word"}, err: errFPMUsage},
		{args: []string{"-"}, err: errFPMUsage},
	}
	for _, tt := range tests {
		got, err := parseFPM(tt.args)
		if !errors.Is(err, tt.err) {
			t.Errorf("%q: got error %v, want %v", tt.args, err, tt.err)
			continue
		}
		if tt.err != nil {
			continue
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(fpmOptions{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.args, diff)
		}
	}
}

func TestDefaultFPMConfig(t *testing.T) {
	root := t.TempDir()
	make := func(files ...string) {
		for _, f := range files {
			f = filepath.Join(root, f)
			if err := os.MkdirAll(filepath.Dir(f), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(f, nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	check := func(argv0, want string) {
		t.Helper()
		if want != "" {
			want = filepath.Join(root, want)
		}
		if got := defaultFPMConfig(argv0, root); got != want {
			t.Errorf("%s: got %q, want %q", argv0, got, want)
		}
	}
	check("php-fpm", "")
	make("usr/local/etc/php-fpm.conf", "etc/php-fpm.conf")
	check("php-fpm", "usr/local/etc/php-fpm.conf")
	make("etc/php/8.2/fpm/php-fpm.conf", "etc/php/8.9/fpm/php-fpm.conf", "etc/php/8.10/fpm/php-fpm.conf")
	check("/usr/sbin/php-fpm8.2", "etc/php/8.2/fpm/php-fpm.conf")
	check("php-fpm", "etc/php/8.10/fpm/php-fpm.conf")
	check("php-fpm8.1", "usr/local/etc/php-fpm.conf")
}

func TestFPMVersionText(t *testing.T) {
	got := string(fpmVersionText([]byte("PHP 8.2.36 (cli) (built: Nov 18 2026 20:02:04) (NTS)\nCopyright (c) The PHP Group\nZend Engine v4\n")))
	if want := "PHP 8.2.36 (fpm-fcgi) (built: Nov 18 2026 20:02:04)\nCopyright (c) The PHP Group\nZend Engine v4\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFPMDefines(t *testing.T) {
	o := fpmOptions{defines: []string{"a=1", "b", `c="x y"`, "extension=foo", "d=4"}}
	p := &config.Pool{PHPValues: []config.KeyValue{{Key: "a", Value: "own"}}, PHPAdminValues: []config.KeyValue{{Key: "d", Value: "own"}}}
	applyDefines(p, o.defined())
	if diff := cmp.Diff([]config.KeyValue{{Key: "a", Value: "own"}, {Key: "b", Value: "1"}, {Key: "c", Value: "x y"}}, p.PHPValues); diff != "" {
		t.Errorf("php_value (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]config.KeyValue{{Key: "d", Value: "own"}, {Key: "extension", Value: "foo"}}, p.PHPAdminValues); diff != "" {
		t.Errorf("php_admin_value (-want +got):\n%s", diff)
	}
}
