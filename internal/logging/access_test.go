package logging

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type mapLookup map[string]string

func (m mapLookup) Param(name string) ([]byte, bool)  { v, ok := m[name]; return []byte(v), ok }
func (m mapLookup) Header(name string) ([]byte, bool) { return m.Param(name) }

// entry is a request as php-fpm 8.2 saw it; the expectations of the tests are what it wrote then.
func entry() *Entry {
	return &Entry{
		Pool: "www", PID: 32712, ParentPID: 32710,
		Method: []byte("GET"), URI: []byte("/i.php"), Script: []byte("/srv/i.php"), Query: []byte("a=1"), Peer: netip.MustParseAddr("127.0.0.1"),
		Status: 200, Accepted: noon, Ended: noon.Add(2796 * time.Microsecond), Duration: 2796 * time.Microsecond,
		CPUUser: 1398 * time.Microsecond, CPUSystem: 699 * time.Microsecond, Memory: 2097152,
		Params:  mapLookup{"REQUEST_URI": "/i.php?a=1", "EMPTY": ""},
		Headers: mapLookup{"X-Foo": "a b"},
	}
}

func format(t testing.TB, s string, e *Entry) string {
	t.Helper()
	f, err := CompileAccessFormat(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return string(f.Append(nil, e))
}

func TestAccessFormat(t *testing.T) {
	const stamp = "23/Nov/2026:18:01:03 +0000"
	tests := []struct{ format, want string }{
		{DefaultAccessFormat, `127.0.0.1 -  ` + stamp + ` "GET /i.php" 200`},
		{`%R - %u %t "%m %r%Q%q" %s %f %{milli}d %{kilo}M %C%%`,
			`127.0.0.1 -  ` + stamp + ` "GET /i.php?a=1" 200 /srv/i.php 2.796 2048 75.00%`},
		{"[%t] {%T}", "[" + stamp + "] {" + stamp + "}"},
		{"%%", "%"}, {"100%", "100"}, {"", ""}, {"plain", "plain"},
		{"%C|%{total}C|%{user}C|%{SYSTEM}C", "75.00|75.00|50.00|25.00"},
		{"%d|%{seconds}d", "0.003|0.003"},
		{"%{milliseconds}d|%{milli}d|%{miliseconds}d|%{mili}d", "2.796|2.796|2.796|2.796"},
		{"%{microseconds}d|%{micro}d", "2796|2796"},
		{"%{HTTP_X}e|%{REQUEST_URI}e|%{EMPTY}e", "-|/i.php?a=1|"},
		{"%f|%l|%m|%n", "/srv/i.php|0|GET|www"},
		{"%M|%{bytes}M|%{kilobytes}M|%{mega}M|%{Megabytes}M", "2097152|2097152|2048|2|2"},
		{"%{X-Foo}o|%{x-foo}o", "a b|-"},
		{"%p|%P|%q|%Q|%r|%R|%s|%u", "32712|32710|a=1|?|/i.php|127.0.0.1|200|"},
		{"%{%Y %j}T", "2026 327"}, {"%{}t", stamp}, {"%{%s}{%Y}t", "2026"},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, format(t, tt.format, entry())); diff != "" {
			t.Errorf("%s: %s", tt.format, diff)
		}
	}

	empty := &Entry{Accepted: noon, Ended: noon, ContentLength: -1}
	const all = "%C %d %{X}e %f %l %m %M %n %{X}o %p %P %q %Q %r %R %s %u."
	if diff := cmp.Diff("0.00 0.000 - - 0 - 0 - - 0 0    - 0 .", format(t, all, empty)); diff != "" {
		t.Errorf("empty: %s", diff)
	}
}

func TestPeer(t *testing.T) {
	tests := map[string]string{"192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::1", "::ffff:192.0.2.1": "192.0.2.1"}
	for peer, want := range tests {
		if got := format(t, "%R", &Entry{Peer: netip.MustParseAddr(peer)}); got != want {
			t.Errorf("%s: got %s, want %s", peer, got, want)
		}
	}
	if got := format(t, "%R", &Entry{}); got != "-" {
		t.Errorf("unix socket: got %s, want -", got)
	}
}

func TestOnlyResponseHeadersNeedTheHead(t *testing.T) {
	for s, want := range map[string]bool{everything: false, "%{X}e %%{X}o": false, "%{X}o": true, "%s %{a}{b}o": true} {
		a := openAccess(t, AccessOptions{Path: "/dev/null", Format: s})
		if got := a.NeedsHead(); got != want {
			t.Errorf("%s: got %v, want %v", s, got, want)
		}
	}
}

// php-fpm writes what it got, so that a request for /i%0a… forges a line of the log.
func TestAccessFormatEscapesControlCharacters(t *testing.T) {
	e := entry()
	e.URI = []byte("/i\n127.0.0.1\x00\x7f\t\"\\é")
	e.User = []byte("\r")
	e.Params = mapLookup{"X": "\x1b"}
	const want = `/i\x0a127.0.0.1\x00\x7f\x09"\é \x0d \x1b`
	if diff := cmp.Diff(want, format(t, "%r %u %{X}e", e)); diff != "" {
		t.Error(diff)
	}
}

func TestAccessFormatErrors(t *testing.T) {
	tests := []struct{ format, want string }{
		{"%z", "Invalid token in the access.format (%z)"},
		{"%{idle}C", "only 'total', 'user' or 'system' are allowed as a modifier for %C ('idle')"},
		{"%{hours}d", "only 'seconds', 'milli', 'milliseconds', 'micro' or 'microseconds' are allowed as a modifier for %d ('hours')"},
		{"%{giga}M", "only 'bytes', 'kilo', 'kilobytes', 'mega' or 'megabytes' are allowed as a modifier for %M ('giga')"},
		{"%e", "the name of the environment variable must be set between embraces for %e"},
		{"%o", "the name of the header must be set between embraces for %o"},
		{"%{x", "missing closing embrace in the access.format"},
		{"%{x}", "missing closing embrace in the access.format"},
		{"%{x}f", "embrace is not allowed for modifier %f"},
		{"%{x}%", "embrace is not allowed for modifier %%"},
	}
	for _, tt := range tests {
		_, err := CompileAccessFormat(tt.format)
		if got := fmt.Sprint(err); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.format, got, tt.want)
		}
	}
}

func TestStrftimeIsLikeDate(t *testing.T) {
	const conversions = "aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%"
	berlin := time.FixedZone("CET", 3600)
	for _, at := range []time.Time{
		noon, noon.In(berlin), time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2024, 12, 30, 12, 59, 59, 0, time.UTC),
		time.Date(2027, 1, 3, 13, 5, 9, 0, time.UTC), time.Date(2028, 2, 29, 23, 0, 1, 0, berlin), time.Date(2000, 12, 31, 11, 0, 0, 0, time.UTC),
	} {
		var spec strings.Builder
		for _, c := range conversions {
			fmt.Fprintf(&spec, "%%%c|", c)
		}
		spec.WriteString("%Ey|%Od|text")
		date := exec.Command("date", "-d", fmt.Sprint("@", at.Unix()), "+"+spec.String())
		date.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC0")
		if at.Location() == berlin {
			date.Env = append(date.Env, "TZ=CET-1")
		}
		want, err := date.Output()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.TrimSuffix(string(want), "\n"), string(appendStrftime(nil, spec.String(), at))); diff != "" {
			t.Errorf("%v: %s", at, diff)
		}
	}
	if got := string(appendStrftime(nil, "%Q %", noon)); got != "%Q %" {
		t.Errorf("unknown conversions: got %q", got)
	}
}

func openAccess(t testing.TB, o AccessOptions) *AccessLog {
	t.Helper()
	a, err := OpenAccessLog(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func TestSuppressedPaths(t *testing.T) {
	tests := []struct {
		name   string
		change func(e *Entry)
		logged bool
	}{
		{"exact path", func(e *Entry) {}, false},
		{"head", func(e *Entry) { e.Method = []byte("HEAD") }, false},
		{"any success", func(e *Entry) { e.Status = 204 }, false},
		{"other path", func(e *Entry) { e.URI = []byte("/ping/") }, true},
		{"query", func(e *Entry) { e.Query = []byte("x") }, true},
		{"post", func(e *Entry) { e.Method = []byte("POST") }, true},
		{"body", func(e *Entry) { e.ContentLength = 1 }, true},
		{"redirect", func(e *Entry) { e.Status = 301 }, true},
		{"failure", func(e *Entry) { e.Status = 500 }, true},
		{"continue", func(e *Entry) { e.Status = 100 }, true},
	}
	for _, tt := range tests {
		path := filepath.Join(t.TempDir(), "log")
		a := openAccess(t, AccessOptions{Path: path, Format: "%r", SuppressPaths: []string{"/ping", "/other"}})
		e := entry()
		e.URI, e.Query = []byte("/ping"), nil
		tt.change(e)
		a.Log(e)
		if got := read(t, path) != ""; got != tt.logged {
			t.Errorf("%s: logged is %v", tt.name, got)
		}
	}
}

func TestAccessLogReopens(t *testing.T) {
	for _, size := range []int{0, 4096} {
		path := filepath.Join(t.TempDir(), "log")
		a := openAccess(t, AccessOptions{Path: path, BufferSize: size})
		a.Log(entry())
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		if err := a.Reopen(); err != nil {
			t.Fatal(err)
		}
		a.Log(entry())
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		const want = "127.0.0.1 -  23/Nov/2026:18:01:03 +0000 \"GET /i.php\" 200\n"
		if got := []string{read(t, path+".1"), read(t, path)}; !cmp.Equal(got, []string{want, want}) {
			t.Errorf("buffer of %d: got %q", size, got)
		}
	}
	if _, err := OpenAccessLog(AccessOptions{Path: "/dev/null", Format: "%z"}); err == nil {
		t.Error("no error for a bad format")
	}
	empty := openAccess(t, AccessOptions{Path: filepath.Join(t.TempDir(), "log"), Format: "%q"})
	e := entry()
	e.Query = nil
	empty.Log(e)
}

const everything = `%R - %u %t "%m %r%Q%q" %s %f %l %d %{milli}d %C %M %n %p %P %T %{%F %H:%M:%S}t`

func TestAccessLogDoesNotAllocate(t *testing.T) {
	a := openAccess(t, AccessOptions{Path: "/dev/null", Format: everything, SuppressPaths: []string{"/ping"}, BufferSize: 1 << 16})
	e := entry()
	e.Query = nil
	// The race detector makes sync.Pool forget now and then.
	if n := testing.AllocsPerRun(1000, func() { a.Log(e) }); n > 0 && !raceEnabled {
		t.Errorf("got %v allocations a line", n)
	}
}

func BenchmarkAccessLog(b *testing.B) {
	for name, size := range map[string]int{"direct": 0, "buffered": 1 << 16} {
		b.Run(name, func(b *testing.B) {
			a := openAccess(b, AccessOptions{Path: "/dev/null", Format: everything, BufferSize: size})
			e := entry()
			b.ReportAllocs()
			for b.Loop() {
				a.Log(e)
			}
		})
	}
}

func FuzzAccessFormat(f *testing.F) {
	f.Add(everything)
	f.Add("%{%{}e}%%%{a}{b}o%")
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := CompileAccessFormat(s); err == nil {
			c.Append(nil, entry())
		}
	})
}
