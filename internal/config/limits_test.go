package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLimitsOfFiles(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"line", basePool + ";" + strings.Repeat("x", maxLineLength) + "\n", "6] the line is too long: 65537 bytes, and at most 65536 are read"},
		{"file", strings.Repeat("\n", maxFileSize+1), "is too large: at most 8388608 bytes are read"},
		{"pool name", "[" + strings.Repeat("x", maxPoolName+1) + "]\n", "1] the name of the pool is too long: 256 bytes, and at most 255 are allowed"},
		{"variables", basePool + "php_value[x] = " + strings.Repeat("${LONG}", 9000) + "\n", "6] syntax error, the value is too long with its variables put in"},
		{"pool in value", "[" + strings.Repeat("x", maxPoolName) + "]\nuser = " + strings.Repeat("$pool", 9000) + "\n", "2] unable to parse value for entry 'user': the value is too long"},
		{"nested variables", basePool + "user = " + strings.Repeat("${X:-", 100) + strings.Repeat("}", 100) + "\n", "6] syntax error, variables are nested too deeply"},
		{"nested operators", basePool + "user = " + strings.Repeat("~", 100) + "1\n", "6] syntax error, the value is nested too deeply"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := loadFile(t, test.text, Options{Variables: map[string]string{"LONG": strings.Repeat("y", 128)}})
			if err == nil {
				t.Fatal("it was accepted")
			}
			if got := asError(err).Reason()[0].Text; !strings.HasSuffix(got, test.want) {
				t.Errorf("got %q, want %q at its end", got, test.want)
			}
		})
	}
}

func TestLimitOfPoolsAndOfAllValues(t *testing.T) {
	l := newLoader(Options{sys: testSystem(0)})
	l.cfg.Pools = make([]*Pool, maxPools)
	if err := l.section("one-more"); err == nil || !strings.HasSuffix(err.Error(), "there are more than 10000 pools") {
		t.Errorf("pools: %v", err)
	}
	l.total = maxTotal
	if err := l.entry("pid", "x"); err == nil || !strings.Contains(err.Error(), "too long together") {
		t.Errorf("values: %v", err)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	for path, want := range map[string]string{
		"/nonexistent.conf": "ERROR: failed to open configuration file '/nonexistent.conf': No such file or directory (2)\nERROR: failed to load configuration file '/nonexistent.conf'\n",
		"/etc":              "ERROR: failed to read configuration file '/etc': Is a directory (21)\nERROR: failed to load configuration file '/etc'\n",
	} {
		_, messages, err := Load(path, Options{sys: testSystem(0)})
		if diff := cmp.Diff(want+"ERROR: FPM initialization failed\n", logLines(messages, err)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", path, diff)
		}
	}
}

func TestGlobIsSortedAndLeavesHiddenFilesOut(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b/1.conf", "a/2.conf", "a/1.conf", "a/.h.conf", "a/x[1].conf", ".c/1.conf", "a/n.txt"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for pattern, want := range map[string]string{
		"*/[!x]*.conf":       "a/1.conf a/2.conf b/1.conf",
		"*/?.conf":           "a/1.conf a/2.conf b/1.conf",
		"a/.*":               "a/.h.conf",
		"a/1.conf":           "a/1.conf",
		"a/none.conf":        "",
		"none/*":             "",
		"a/n.txt/*":          "",
		`a/x\[1].conf`:       "a/x[1].conf",
		"a/x[1].conf":        "",
		"a/[":                "",
		"[ab]/1.conf":        "a/1.conf b/1.conf",
		"b/../a/2.c*":        "b/../a/2.conf",
		"{a,b}/1.conf":       "",
		"a//1.conf":          "a//1.conf",
		".[c]/1.conf":        ".c/1.conf",
		"[a-b]/[1-1].[c]onf": "a/1.conf b/1.conf",
	} {
		found, err := glob(dir + "/" + pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		got := strings.ReplaceAll(strings.Join(found, " "), dir+"/", "")
		if got != want {
			t.Errorf("%s: got %q, want %q", pattern, got, want)
		}
	}
}
