package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFlagsMakeAPoolOfTheCurrentDirectory(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{"app.php", "src/x.php"} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cfg, messages, err := FromFlags(Flags{}, Options{sys: testSystem(1000)})
	if err != nil || len(messages) > 0 || len(cfg.Pools) != 1 {
		t.Fatal(cfg, messages, err)
	}
	p := cfg.Pools[0]
	want := []any{"www", dir, "127.0.0.1:9000", PMDynamic, false, "", false, true, "deploy"}
	got := []any{p.Name, p.Chdir, p.Address.String(), p.PM, cfg.Global.Daemonize, cfg.Global.ErrorLog, p.ClearEnv, p.CatchWorkersOutput, p.Identity.User}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	cfg, messages, err = FromFlags(Flags{Listen: "x.sock", Root: "src", Worker: "../app.php", Workers: 3, Watch: []string{"."}, User: "deploy", Control: "c.sock"},
		Options{sys: testSystem(0)})
	if err != nil || len(messages) > 0 {
		t.Fatal(messages, err)
	}
	p = cfg.Pools[0]
	want = []any{dir + "/x.sock", dir + "/src", dir + "/app.php", PMStatic, 3, []string{dir + "/src"}, 1000, dir + "/c.sock"}
	got = []any{p.Address.Path, p.Chdir, p.WorkerScript, p.PM, p.MaxChildren, p.Watch, p.Identity.UID, cfg.Global.Control}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestListenFlagTakesPortsAndPaths(t *testing.T) {
	for listen, want := range map[string]string{"": "127.0.0.1:9000", ":9001": "9001", "9002": "9002", "[::1]:1": "[::1]:1", "/a": "/a", "a/b": "/here/a/b"} {
		if got := listenFlag("/here", listen); got != want {
			t.Errorf("%q: got %q, want %q", listen, got, want)
		}
	}
}

func TestFlagsThatCannotBe(t *testing.T) {
	for _, test := range []struct {
		flags Flags
		euid  int
		want  string
	}{
		{Flags{}, 0, "ERROR: started as root: say who the workers are with --user NAME, or --allow-to-run-as-root\n"},
		{Flags{Workers: -1}, 1000, "ERROR: --workers -1 must be a positive number\n"},
		{Flags{Root: "/nonexistent"}, 1000, "ERROR: --root '/nonexistent' does not exist or is not a directory\n"},
		{Flags{Worker: "/nonexistent/w.php"}, 1000, "ERROR: [pool www] worker.script '/nonexistent/w.php' does not exist\n"},
		{Flags{Listen: "127.0.0.1:0"}, 1000, "ERROR: invalid port value '0'\n"},
		{Flags{Watch: []string{"/nonexistent"}}, 1000, "ERROR: [pool www] watch[] '/nonexistent' does not exist or is not a directory\n"},
		{Flags{User: "nobody-there"}, 0, "ERROR: [pool www] cannot get uid for user 'nobody-there'\n"},
		{Flags{PHP: "/nonexistent/php"}, 1000, "ERROR: [pool www] php.binary '/nonexistent/php' does not exist: install php-cli or name the one to use\n"},
	} {
		_, messages, err := FromFlags(test.flags, Options{sys: testSystem(test.euid)})
		if err == nil {
			t.Errorf("%+v was accepted", test.flags)
			continue
		}
		if diff := cmp.Diff(test.want, logLines(messages, &Error{Lines: asError(err).Reason()})); diff != "" {
			t.Errorf("%+v (-want +got)\n%s", test.flags, diff)
		}
	}
}
