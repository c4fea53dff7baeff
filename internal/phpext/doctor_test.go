package phpext

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// doctor runs Doctor with a PHP that answers with this JSON, and returns the lines about PHP.
func doctor(t *testing.T, settings string) (lines []string, status int) {
	t.Helper()
	old := binaryDirs
	t.Cleanup(func() { binaryDirs = old })
	binaryDirs = nil
	dir := t.TempDir()
	binary := program(t, dir, "php8.2")
	for _, d := range []string{"cli", "fpm/conf.d"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	status = Doctor(t.Context(), &out, DoctorOptions{
		Binary: binary,
		Getenv: func(string) string { return "" },
		Run: func(_ context.Context, argv, env []string) ([]byte, int, error) {
			if argv[1] == "-n" {
				// An API that nobody carries, so that the result does not depend on what is built.
				return []byte(strings.NewReplacer("20220829", "20990101", "/etc/php/8.2", dir).Replace(infoText)), 0, nil
			}
			return []byte("PHP Warning: noise\n\n" + settings + "\n"), 0, nil
		},
	})
	for line := range strings.Lines(strings.ReplaceAll(out.String(), dir, "DIR")) {
		if strings.Contains(line, "user ") {
			break
		}
		if !strings.Contains(line, "extension ") && !strings.Contains(line, "to build it") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines, status
}

func TestDoctor(t *testing.T) {
	const php = "ok    php           DIR/php8.2, PHP 8.2.36, Command Line Interface"
	const ini = "ok    ini files     DIR/fpm/php.ini and 2 more (php-fpm's directory)"
	settings := func(values, modules string) string {
		return `{"Loaded":"` + `/x/fpm/php.ini","Scanned":["a","b"],"Values":{` + values + `},"Modules":{"Core":"8.2.36"` + modules + `}}`
	}
	tests := []struct {
		name, settings string
		want           []string
	}{
		{"as Debian has it", settings(`"opcache.enable":"1","opcache.memory_consumption":"128","opcache.jit":"","opcache.jit_buffer_size":"0"`, `,"Zend OPcache":"8.2.36"`), []string{
			"ok    opcache       on, 128 MiB shared by the workers of a pool",
			"ok    jit           off (opcache.jit and opcache.jit_buffer_size turn it on)",
			"ok    preload       none (opcache.preload)",
			"ok    xdebug        not loaded"}},
		{"everything on", settings(`"opcache.enable":"On","opcache.memory_consumption":"256M","opcache.jit":"tracing","opcache.jit_buffer_size":"64M","opcache.preload":"/dev/null"`, `,"Zend OPcache":"8.2.36"`), []string{
			"ok    opcache       on, 256 MiB shared by the workers of a pool",
			"ok    jit           tracing, buffer of 65536 KiB shared by the workers of a pool",
			"ok    preload       /dev/null",
			"ok    xdebug        not loaded"}},
		{"no opcache", settings(``, ``), []string{
			"warn  opcache       not loaded: each request compiles its files, and preloading and JIT are out of reach",
			"-> apt-get install php8.2-opcache, or zend_extension=opcache in php.ini",
			"ok    xdebug        not loaded"}},
		{"development", settings(`"opcache.enable":"0","opcache.jit":"1255","opcache.jit_buffer_size":"1M","opcache.preload":"/nonexistent","xdebug.mode":"debug"`, `,"Zend OPcache":"8","xdebug":"3.4"`), []string{
			"warn  opcache       loaded but off", "-> opcache.enable=1 in php.ini",
			"warn  jit           configured, but Xdebug 3.4 turns it off", "-> do not load Xdebug here",
			"FAIL  preload       opcache.preload names '/nonexistent', which cannot be read", "-> mend or remove the setting",
			"warn  xdebug        3.4 loaded, mode debug: every request is slower", "-> leave it out on servers"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lines, status := doctor(t, tt.settings)
			want := append([]string{php, strings.Replace(ini, "DIR", "/x", 1)}, tt.want...)
			if diff := cmp.Diff(want, lines); diff != "" {
				t.Error(diff)
			}
			if status != 1 { // for want of the extension
				t.Errorf("status %d", status)
			}
		})
	}

	lines, _ := doctor(t, "Segmentation fault")
	want := []string{php, "FAIL  ini files     'DIR/php8.2' does not work with the ini files of php-fpm's directory (status 0)", "-> run it by hand to see why"}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
}

func TestSystemChecks(t *testing.T) {
	root := t.TempDir()
	limit := filepath.Join(root, "proc/sys/fs/inotify/max_user_watches")
	for _, dir := range []string{filepath.Dir(limit), filepath.Join(root, "proc/self/fd")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for content, want := range map[string]Verdict{"8192\n": Warn, "65536\n": OK, "x": Warn} {
		if err := os.WriteFile(limit, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if c := watchesCheck(root); c.Verdict != want {
			t.Errorf("%q: got %v", content, c)
		}
	}
	if c := procCheck(root); c.Verdict != OK {
		t.Errorf("got %v", c)
	}
	if c := procCheck(t.TempDir()); c.Verdict != Fail {
		t.Errorf("without /proc: got %v", c)
	}
	for _, c := range systemChecks("") {
		if c.What == "" || c.Found == "" || c.Verdict == Fail {
			t.Errorf("got %+v", c)
		}
	}
}

func TestSizes(t *testing.T) {
	for in, want := range map[string]int64{"0": 0, "128": 128, "1K": 1024, "64M": 64 << 20, "2g": 2 << 30, "": 0, "M": 0, " 8m ": 8 << 20} {
		if got := size(in); got != want {
			t.Errorf("%q: got %d, want %d", in, got, want)
		}
	}
	for in, want := range map[string]bool{"1": true, "On": true, "yes": true, "0": false, "": false, "Off": false, "no": false} {
		if got := on(in); got != want {
			t.Errorf("%q: got %v", in, got)
		}
	}
}
