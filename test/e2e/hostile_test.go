package e2e

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"php-supervisor/test/harness"
)

// record makes a FastCGI record as it stands, sensible or not.
func record(version, kind byte, id uint16, content string, claim int) []byte {
	b := []byte{version, kind, 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint16(b[2:], id)
	if claim < 0 {
		claim = len(content)
	}
	binary.BigEndian.PutUint16(b[4:], uint16(claim))
	return append(b, content...)
}

const (
	beginRequest = 1
	abortRequest = 2
	params       = 4
	stdin        = 5
	responder    = "\x00\x01\x00\x00\x00\x00\x00\x00"
)

func pair(name, value string) string {
	var b bytes.Buffer
	for _, s := range []string{name, value} {
		if len(s) < 128 {
			b.WriteByte(byte(len(s)))
		} else {
			binary.Write(&b, binary.BigEndian, uint32(len(s))|1<<31)
		}
	}
	return b.String() + name + value
}

// Whatever is sent, the next request is served, no worker is lost, and no descriptor stays open.
func TestHostileFastCGI(t *testing.T) {
	s := start(t, harness.Pool{Children: 2})
	script := pair("SCRIPT_FILENAME", common.root+"/hello.php") + pair("REQUEST_METHOD", "POST") + pair("CONTENT_LENGTH", "1000000")
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	begin := record(1, beginRequest, 1, responder, -1)
	cases := map[string][]byte{
		"nothing":             nil,
		"garbage":             []byte(strings.Repeat("GET / HTTP/1.1\r\n\r\n", 500)),
		"half a header":       {1, 1, 0},
		"truncated content":   record(1, beginRequest, 1, "\x00\x01", 8),
		"wrong version":       record(2, beginRequest, 1, responder, -1),
		"unknown type":        record(1, 99, 0, "what?", -1),
		"private type":        record(1, 66, 0, strings.Repeat("x", 40), -1),
		"unknown role":        record(1, beginRequest, 1, "\x00\x09\x00\x00\x00\x00\x00\x00", -1),
		"short begin":         record(1, beginRequest, 1, "\x00", -1),
		"id zero":             join(record(1, beginRequest, 0, responder, -1), record(1, params, 0, "", -1)),
		"params before begin": record(1, params, 1, script, -1),
		"params past the end": join(begin, record(1, params, 1, "\xff\xff\xff\xff\xff\xff\xff\xff", -1), record(1, params, 1, "", -1)),
		"params half-sent":    join(begin, record(1, params, 1, script, -1)),
		"params without end":  join(begin, bytes.Repeat(record(1, params, 1, strings.Repeat(pair("A", strings.Repeat("x", 1000)), 60), -1), 100)),
		"interleaved ids": join(begin, record(1, params, 1, script, -1), record(1, beginRequest, 2, responder, -1), record(1, params, 2, script, -1),
			record(1, params, 1, "", -1), record(1, params, 2, "", -1)),
		"abort at once":        join(begin, record(1, abortRequest, 1, "", -1)),
		"abort of nobody":      record(1, abortRequest, 7, "", -1),
		"body never ends":      join(begin, record(1, params, 1, script, -1), record(1, params, 1, "", -1), record(1, stdin, 1, "abc", -1)),
		"abort within body":    join(begin, record(1, params, 1, script, -1), record(1, params, 1, "", -1), record(1, stdin, 1, "abc", -1), record(1, abortRequest, 1, "", -1)),
		"garbage after params": join(begin, record(1, params, 1, script, -1), record(1, params, 1, "", -1), bytes.Repeat([]byte{0xff}, 10000)),
		"two begins":           join(begin, begin, record(1, params, 1, script, -1), record(1, params, 1, "", -1)),
	}
	c := newClient(t, s.site)
	for range 4 {
		c.get(t, "/hello.php")
	}
	workers := s.Workers()
	before := harness.Descriptors(s.PID)
	for name, bytes := range cases {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			for _, polite := range []bool{true, false} {
				conn, err := net.Dial("unix", s.Socket)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = conn.Write(bytes) // it may hang up on us meanwhile
				if polite {
					// Say that nothing more comes and take whatever is answered.
					conn.(*net.UnixConn).CloseWrite()
					conn.SetReadDeadline(time.Now().Add(harness.Patience))
					_, _ = io.Copy(io.Discard, conn)
				}
				conn.Close()
				if got := c.get(t, "/hello.php"); got != "Hello World!\n" {
					t.Errorf("the next request got %q", got)
				}
			}
		})
	}
	// Half-sent requests that are held open take nothing from others.
	var open []net.Conn
	for range 30 {
		conn, err := net.Dial("unix", s.Socket)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, conn)
		_, _ = conn.Write(cases["params half-sent"])
	}
	for range 10 {
		c.get(t, "/hello.php")
	}
	for _, conn := range open {
		conn.Close()
	}
	harness.MustWait(t, "descriptors to be as before", func() bool { return harness.Descriptors(s.PID) <= before })
	for _, pid := range workers {
		if !harness.Alive(pid) {
			t.Errorf("worker %d was lost", pid)
		}
	}
}
