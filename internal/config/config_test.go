package config

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write the .want files anew")

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := filepath.Abs("testdata")
	if err != nil {
		panic(err)
	}
	os.Setenv("CONFIG_TESTDATA", dir) // the fixtures include files below it
	goleak.VerifyTestMain(m)
}

// testSystem is a machine with known users, seen by root unless euid says otherwise.
func testSystem(euid int) *system {
	accounts := []account{
		{"root", "/root", 0, 0},
		{"www-data", "/var/www", 33, 33},
		{"deploy", "/home/deploy", 1000, 100},
	}
	groups := map[string]int{"root": 0, "www-data": 33, "users": 100, "adm": 4}
	find := func(ok func(account) bool) (account, bool) {
		for _, a := range accounts {
			if ok(a) {
				return a, true
			}
		}
		return account{}, false
	}
	return &system{
		euid:   euid,
		getenv: os.LookupEnv,
		user:   func(name string) (account, bool) { return find(func(a account) bool { return a.name == name }) },
		userID: func(uid int) (account, bool) { return find(func(a account) bool { return a.uid == uid }) },
		group:  func(name string) (int, bool) { gid, ok := groups[name]; return gid, ok },
		groups: func(name string, gid int) []int {
			if name == "deploy" {
				return []int{gid, 4}
			}
			return []int{gid}
		},
	}
}

// logLines are the lines a log would get, without their dates.
func logLines(messages []Message, err error) string {
	var b strings.Builder
	if err != nil {
		messages = append(messages[:len(messages):len(messages)], asError(err).Lines...)
	}
	for _, m := range messages {
		fmt.Fprintf(&b, "%s: %s\n", m.Level, m.Text)
	}
	return b.String()
}

func fixtures(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("no fixtures %s: %v", pattern, err)
	}
	return names
}

func compareGolden(t *testing.T, file, got string) {
	t.Helper()
	got = strings.ReplaceAll(got, os.Getenv("CONFIG_TESTDATA"), "testdata")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestBadConfigurationsAreRefusedWithTheirMessage(t *testing.T) {
	for _, file := range fixtures(t, "testdata/bad/*.conf") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			cfg, messages, err := Load(file, Options{sys: testSystem(0)})
			if err == nil || cfg != nil {
				t.Fatalf("it was accepted")
			}
			var e *Error
			if e = asError(err); e != err {
				t.Fatalf("the error is a %T", err)
			}
			if e.ExitStatus() != 78 || len(e.Reason()) == 0 {
				t.Errorf("status %d, reason %v", e.ExitStatus(), e.Reason())
			}
			compareGolden(t, strings.TrimSuffix(file, ".conf")+".want", logLines(messages, err))
		})
	}
}

func TestGoodConfigurationsAreDumpedAsPhpFpmDoes(t *testing.T) {
	for _, file := range fixtures(t, "testdata/good/*.conf") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			cfg, messages, err := Load(file, Options{sys: testSystem(0)})
			if err != nil {
				t.Fatal(err)
			}
			var dump strings.Builder
			if err := cfg.Dump(&dump); err != nil {
				t.Fatal(err)
			}
			compareGolden(t, strings.TrimSuffix(file, ".conf")+".want", logLines(messages, nil)+dump.String())
		})
	}
}
