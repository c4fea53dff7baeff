package config

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzLoad reads arbitrary text as a configuration file. Whatever it is, loading
// ends with a configuration that can be dumped and is within its limits, or with
// an error that says something.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.conf", "testdata/bad/*.conf"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		if strings.Contains(string(text), "include") {
			t.Skip("it could read any file of this machine, and wait for it for ever")
		}
		file := filepath.Join(dir, "fuzz.conf")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, messages, err := Load(file, Options{sys: testSystem(0)})
		for _, m := range messages {
			if m.Level < LevelDebug || m.Level > LevelAlert || m.Text == "" {
				t.Errorf("message %+v", m)
			}
		}
		if err != nil {
			if cfg != nil || asError(err) != err || asError(err).Reason()[0].Text == "" {
				t.Fatalf("%v, %v", cfg, err)
			}
			return
		}
		if err := cfg.Dump(io.Discard); err != nil {
			t.Fatal(err)
		}
		for _, p := range cfg.Pools {
			switch {
			case p.PM == 0, p.MaxChildren < 1, p.QueueLimit < 0, p.MaxRequests < 0,
				p.PM == PMDynamic && (p.StartServers < p.MinSpareServers || p.StartServers > p.MaxSpareServers || p.MaxSpareServers > p.MaxChildren),
				p.Address.Network == "unix" && !strings.HasPrefix(p.Address.Path, "/"),
				p.Address.Network == "tcp" && (p.Address.Port < 1 || p.Address.Port > 65535),
				p.Identity.UID == 0 || p.Identity.GID == 0,
				p.RequestTerminateTimeout < 0, p.QueueTimeout < 0, p.WatchDebounce < 0:
				t.Fatalf("it was accepted: %+v", p)
			}
		}
		cfg.NotYet()
	})
}

// FuzzLine reads single lines; a line that is read must not depend on what stands
// after its end, and long values must not grow without bound.
func FuzzLine(f *testing.F) {
	for _, line := range []string{
		"a = b", "[www]", `a[b] = "c ${HOME:-x} \" d"`, "a = E_ALL & ~(E_NOTICE | 1)", "a = 'b' ; c", "a='", "a = $\\$x", "\xef\xbb\xbfa=b", "a\r=b\r",
	} {
		f.Add(line)
	}
	env := newLoader(Options{}).env
	f.Fuzz(func(t *testing.T, line string) {
		if len(line) > maxLineLength || strings.Contains(line, "\n") {
			t.Skip()
		}
		var r recorder
		_, err := parseLine(line, env, &r)
		if err != nil && err.Error() == "" {
			t.Fatal("an error without text")
		}
		for _, words := range append(r.values, r.sections...) {
			for _, w := range words {
				if len(w) > maxValue+maxLineLength {
					t.Fatalf("%d bytes of %d", len(w), len(line))
				}
			}
		}
	})
}
