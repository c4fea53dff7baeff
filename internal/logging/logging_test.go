package logging

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
)

var noon = time.Date(2026, time.November, 23, 18, 1, 3, 123456789, time.UTC)

func newTest(o Options) (*Logger, *bytes.Buffer) {
	var out bytes.Buffer
	o.Output = &out
	o.Now = func() time.Time { return noon }
	return New(o), &out
}

func TestFPMLines(t *testing.T) {
	const head = "[23-Nov-2026 18:01:03] "
	tests := []struct {
		name string
		log  func(l hclog.Logger)
		want string
	}{
		{"notice", func(l hclog.Logger) { l.Info("ready to handle connections") }, "NOTICE: ready to handle connections\n"},
		{"pool", func(l hclog.Logger) { ForPool(l, "www").Warn("busy") }, "WARNING: [pool www] busy\n"},
		{"alert", func(l hclog.Logger) { Alert(l, "x") }, "ALERT: x\n"},
		{"error field", func(l hclog.Logger) { l.Error("cannot bind", "error", errors.New("in use")) }, "ERROR: cannot bind: in use\n"},
		{"nil error", func(l hclog.Logger) { var err error; l.Error("odd", "error", err) }, "ERROR: odd\n"},
		{"other fields", func(l hclog.Logger) { l.Info("x", "n", 3, "s", "a b", "error", "e") }, "NOTICE: x: e (n=3 s=\"a b\")\n"},
		{"worded field", func(l hclog.Logger) { l.Info("x 3", "n", Worded(3)) }, "NOTICE: x 3\n"},
		{"identity fields", func(l hclog.Logger) { l.With("pid", 4, "slot", 1, "generation", 2).Info("x") }, "NOTICE: x\n"},
		{"odd arguments", func(l hclog.Logger) { l.Info("x", "lost") }, "NOTICE: x (EXTRA_VALUE_AT_END=lost)\n"},
		{"below the threshold", func(l hclog.Logger) { l.Debug("x"); l.Trace("x") }, ""},
		{"stderr", func(l hclog.Logger) { Said(ForPool(l, "www"), 312, Stderr, []byte("oh \"no\""), false) },
			"WARNING: [pool www] child 312 said into stderr: \"oh \"no\"\"\n"},
		{"stdout", func(l hclog.Logger) { Said(ForPool(l, "www"), 312, Stdout, []byte("x"), false) },
			"WARNING: [pool www] child 312 said into stdout: \"x\"\n"},
		{"empty line", func(l hclog.Logger) { Said(l, 312, Stdout, nil, false) }, ""},
		{"php message, line by line", func(l hclog.Logger) { PHPMessage(ForPool(l, "www"), 7, 3, []byte("hello\n\nthere")) },
			"WARNING: [pool www] child 7 said into stderr: \"NOTICE: PHP message: hello\"\n" +
				head + "WARNING: [pool www] child 7 said into stderr: \"there\"\n"},
		{"undecorated", func(l hclog.Logger) { SaidBare(ForPool(l, "www"), []byte(`{"a":1}`)) }, "{\"a\":1}\n"},
		{"started", func(l hclog.Logger) { ChildStarted(ForPool(l, "www"), 9) }, "NOTICE: [pool www] child 9 started\n"},
		{"exited", func(l hclog.Logger) {
			ChildExited(ForPool(l, "www"), Exit{PID: 9, After: 1230 * time.Millisecond, Reason: "max_requests"})
		}, "NOTICE: [pool www] child 9 exited with code 0 after 1.230000 seconds from start\n"},
		{"exited in error", func(l hclog.Logger) { ChildExited(l, Exit{PID: 9, Status: 255 << 8}) },
			"WARNING: child 9 exited with code 255 after 0.000000 seconds from start\n"},
		{"killed", func(l hclog.Logger) {
			ChildExited(l, Exit{PID: 9, Status: syscall.WaitStatus(syscall.SIGKILL), After: time.Second})
		},
			"WARNING: child 9 exited on signal 9 (SIGKILL) after 1.000000 seconds from start\n"},
		{"crashed", func(l hclog.Logger) { ChildExited(l, Exit{PID: 9, Status: syscall.WaitStatus(syscall.SIGSEGV) | 0x80}) },
			"WARNING: child 9 exited on signal 11 (SIGSEGV - core dumped) after 0.000000 seconds from start\n"},
		{"asked to leave", func(l hclog.Logger) { ChildExited(l, Exit{PID: 9, Status: syscall.WaitStatus(syscall.SIGQUIT)}) },
			"NOTICE: child 9 exited on signal 3 (SIGQUIT) after 0.000000 seconds from start\n"},
		{"not needed any more", func(l hclog.Logger) { ChildExited(l, Exit{PID: 9, Idle: true}) }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, out := newTest(Options{Format: FPM})
			tt.log(l)
			got := out.String()
			if !strings.HasPrefix(got, head) && tt.name != "undecorated" && got != "" {
				t.Errorf("line begins %q", got)
			}
			if diff := cmp.Diff(tt.want, strings.TrimPrefix(got, head)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFPMDebugSaysWhere(t *testing.T) {
	l, out := newTest(Options{Format: FPM, Level: hclog.Debug})
	ForPool(l, "www").Debug("x")
	ChildStarted(l, 9)
	want := regexp.MustCompile(`^\[23-Nov-2026 18:01:03\.123456\] DEBUG: pid \d+, TestFPMDebugSaysWhere\(\), line \d+: \[pool www\] x
\[23-Nov-2026 18:01:03\.123456\] NOTICE: pid \d+, TestFPMDebugSaysWhere\(\), line \d+: child 9 started
$`)
	if !want.Match(out.Bytes()) {
		t.Errorf("got %q", out)
	}
}

// The line and its newline are exactly log_limit bytes, as in php-fpm's log-bwd-*.phpt.
func TestFPMWrapsAtTheLimit(t *testing.T) {
	const limit = 100
	text := bytes.Repeat([]byte("abcdefghij"), 30)
	for _, n := range []int{1, 37, 38, 39, 76, 77, 300} {
		l, out := newTest(Options{Format: FPM, Limit: limit})
		Said(ForPool(l, "www"), 312, Stderr, text[:n], false)
		var said []byte
		lines := bytes.SplitAfter(out.Bytes(), []byte("\n"))
		lines = lines[:len(lines)-1]
		for i, line := range lines {
			if len(line) > limit || i < len(lines)-1 && len(line) != limit {
				t.Errorf("%d bytes: line %d is %d long", n, i, len(line))
			}
			_, quoted, _ := bytes.Cut(line, []byte(": \""))
			said = append(said, bytes.TrimSuffix(quoted, []byte("\"\n"))...)
		}
		if diff := cmp.Diff(string(text[:n]), string(said)); diff != "" {
			t.Error(diff)
		}

		out.Reset()
		SaidBare(l, text)
		for i, line := range strings.SplitAfter(strings.TrimSuffix(out.String(), "\n"), "\n") {
			if len(line) != limit && i < 3 {
				t.Errorf("undecorated line %d is %d long", i, len(line))
			}
		}
		if got := strings.ReplaceAll(out.String(), "\n", ""); got != string(text) {
			t.Errorf("undecorated: got %q", got)
		}
	}
}

func TestJSON(t *testing.T) {
	l, out := newTest(Options{Format: JSON})
	www := ForPool(l, "www").With("pid", 5)
	const said = "caf\xe9 <b> \x1b[31m\n  at x.php"
	Said(www, 312, Stderr, []byte(said), false)
	PHPMessage(www, 312, 3, []byte("PHP Fatal error:  oh\n#0 {main}"))
	ChildExited(www, Exit{PID: 312, Reason: "private memory"})
	Alert(www, "bad", "n", Worded(4), "error", errors.New("e\xff"), "d", 1500*time.Millisecond)
	www.Named("fcgi").Named("x").Info("named")

	want := []map[string]any{
		{"@level": "warn", "@message": `caf\xe9 <b> ` + "\x1b[31m\n  at x.php", "pool": "www", "pid": 312.0, "stream": "stderr"},
		{"@level": "error", "@message": "PHP Fatal error:  oh\n#0 {main}", "pool": "www", "pid": 312.0, "stream": "php"},
		{"@level": "info", "@message": "child 312 exited with code 0 after 0.000000 seconds from start", "pool": "www", "pid": 312.0, "reason": "private memory"},
		{"@level": "error", "severity": "alert", "@message": "bad", "pool": "www", "pid": 5.0, "n": 4.0, "error": `e\xff`, "d": 1.5},
		{"@level": "info", "@module": "fcgi.x", "@message": "named", "pool": "www", "pid": 5.0},
	}
	var got []map[string]any
	for line := range strings.Lines(out.String()) {
		m := map[string]any{}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if m["@timestamp"] != "2026-11-23T18:01:03.123456Z" {
			t.Errorf("time %v", m["@timestamp"])
		}
		delete(m, "@timestamp")
		got = append(got, m)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestText(t *testing.T) {
	l, out := newTest(Options{})
	www := ForPool(l, "www")
	Said(www, 312, Stderr, []byte("a\x1b]0;title\x07b\xff"), true)
	ChildExited(www, Exit{PID: 312, Reason: "lifetime"})
	const want = `2026-11-23T18:01:03.123Z [WARN]  a\x1b]0;title\x07b\xff: pool=www pid=312 stream=stderr continued=true
2026-11-23T18:01:03.123Z [INFO]  child 312 exited with code 0 after 0.000000 seconds from start: pool=www pid=312 reason=lifetime
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestLevels(t *testing.T) {
	tests := []struct {
		name  string
		level hclog.Level
		line  string
	}{
		{"debug", hclog.Debug, "DEBUG"}, {"notice", hclog.Info, "NOTICE"}, {"warning", hclog.Warn, "WARNING"},
		{"error", hclog.Error, "ERROR"}, {"alert", LevelAlert, "ALERT"},
	}
	for i, tt := range tests {
		level, err := ParseLevel(tt.name)
		if err != nil || level != tt.level || LevelName(level) != tt.line {
			t.Errorf("%s: got %v %s, %v", tt.name, level, LevelName(level), err)
		}
		l, out := newTest(Options{Format: FPM, Level: level})
		for _, other := range tests {
			l.Log(other.level, "x")
		}
		if got, want := strings.Count(out.String(), "\n"), len(tests)-i; got != want {
			t.Errorf("threshold %s: got %d lines, want %d", tt.name, got, want)
		}
		if got, want := l.IsWarn(), level <= hclog.Warn; got != want {
			t.Errorf("threshold %s: IsWarn is %v", tt.name, got)
		}
	}
	l, out := newTest(Options{Format: FPM, Level: hclog.Off})
	Alert(l, "x")
	if out.Len() > 0 {
		t.Errorf("off: got %q", out)
	}
	if _, err := ParseLevel("loud"); err == nil {
		t.Error("no error for an unknown level")
	}
	l.With("a", 1).SetLevel(hclog.Warn)
	if l.GetLevel() != hclog.Warn {
		t.Error("the level is not shared")
	}
}

func TestFormats(t *testing.T) {
	for _, f := range []Format{Auto, Text, JSON, FPM} {
		if got, err := ParseFormat(f.String()); got != f || err != nil {
			t.Errorf("%v: got %v, %v", f, got, err)
		}
	}
	if _, err := ParseFormat("xml"); err == nil {
		t.Error("no error for an unknown format")
	}
	for _, tt := range []struct {
		f      Format
		called string
		want   Format
	}{
		{Auto, "/usr/sbin/php-fpm8.2", FPM}, {Auto, "php-fpm", FPM}, {Auto, "/usr/bin/supervisor", Text}, {JSON, "php-fpm", JSON},
	} {
		if got := tt.f.Resolve(tt.called, &bytes.Buffer{}); got != tt.want {
			t.Errorf("%v for %s: got %v, want %v", tt.f, tt.called, got, tt.want)
		}
	}
	tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	if got := Auto.Resolve("php-fpm", tty); got != Text {
		t.Errorf("on a terminal: got %v", got)
	}
	t.Setenv("NO_COLOR", "")
	coloured := New(Options{Output: tty})
	var out bytes.Buffer
	coloured.SetOutput(&out)
	coloured.Info("x", "k", 1)
	if !strings.Contains(out.String(), "\x1b[") {
		t.Errorf("no colour on a terminal: %q", out.String())
	}
}

func TestWithReplacesAndKeepsOrder(t *testing.T) {
	l, out := newTest(Options{})
	a := l.With("z", 1, "a", 2)
	b := a.With("a", 3, "lost")
	a.Info("x")
	b.Info("y")
	const want = "2026-11-23T18:01:03.123Z [INFO]  x: z=1 a=2\n2026-11-23T18:01:03.123Z [INFO]  y: z=1 a=3 EXTRA_VALUE_AT_END=lost\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestStandardLogger(t *testing.T) {
	l, out := newTest(Options{Format: FPM})
	l.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Error}).Print("from the library")
	if got, want := out.String(), "[23-Nov-2026 18:01:03] ERROR: from the library\n"; got != want {
		t.Errorf("got %q", got)
	}
}

// Lines of different goroutines never mix, records and bare lines alike.
func TestConcurrentLinesStayWhole(t *testing.T) {
	for _, f := range []Format{Text, JSON, FPM} {
		l, out := newTest(Options{Format: f})
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				sub := ForPool(l, fmt.Sprint("p", g))
				for range 200 {
					sub.Info("begin-end")
					SaidBare(sub, []byte("begin-end"))
				}
			})
		}
		wg.Wait()
		if got := strings.Count(out.String(), "\n"); got != 1600 {
			t.Errorf("%v: %d lines", f, got)
		}
		for line := range strings.Lines(out.String()) {
			if strings.Count(line, "begin-end") != 1 {
				t.Fatalf("%v: %q", f, line)
			}
		}
	}
}

func TestForeignLoggers(t *testing.T) {
	var out bytes.Buffer
	l := hclog.New(&hclog.LoggerOptions{Output: &out, DisableTime: true})
	ChildExited(l, Exit{PID: 4, Reason: "idle"})
	SaidBare(l, []byte("bare"))
	const want = "[INFO]  child 4 exited with code 0 after 0.000000 seconds from start: pid=4 reason=idle\n[INFO]  bare\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}
