package pool

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// fakePHP is the program that stands in for php-cli, testdata/fakephp. It is built without the race detector, whose start-up would be
// most of the time of these tests.
var fakePHP string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "pool")
	if err != nil {
		panic(err)
	}
	fakePHP = filepath.Join(dir, "php")
	if out, err := exec.Command("go", "build", "-o", fakePHP, "./testdata/fakephp").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build testdata/fakephp: %v\n%s", err, out)
		os.Exit(1)
	}
	// The runtime opens its poller with the first pipe, for good: let that not look like a leak of the first test.
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(dir)
		os.Exit(code)
	}))
}

func record(typ byte, id uint16, content []byte) []byte {
	b := []byte{1, typ, byte(id >> 8), byte(id), byte(len(content) >> 8), byte(len(content)), 0, 0}
	return append(b, content...)
}

// get sends a GET request over a connection of its own and returns the body, the status and what went wrong.
func get(addr, uri string) (body string, status int, err error) {
	c, err := net.Dial("unix", addr)
	if err != nil {
		return "", 0, err
	}
	defer c.Close()
	var params []byte
	for _, kv := range [][2]string{{"REQUEST_METHOD", "GET"}, {"REQUEST_URI", uri}} {
		params = append(params, byte(len(kv[0])))
		params = binary.BigEndian.AppendUint32(params, uint32(len(kv[1]))|1<<31)
		params = append(append(params, kv[0]...), kv[1]...)
	}
	msg := record(1, 1, []byte{0, 1, 0, 0, 0, 0, 0, 0})
	msg = append(msg, record(4, 1, params)...)
	msg = append(msg, record(4, 1, nil)...)
	msg = append(msg, record(5, 1, nil)...)
	if _, err := c.Write(msg); err != nil {
		return "", 0, err
	}
	var out []byte
	for {
		var h [8]byte
		if _, err := io.ReadFull(c, h[:]); err != nil {
			return string(out), 0, err
		}
		content := make([]byte, int(binary.BigEndian.Uint16(h[4:]))+int(h[6]))
		if _, err := io.ReadFull(c, content); err != nil {
			return string(out), 0, err
		}
		switch h[1] {
		case 6:
			out = append(out, content[:len(content)-int(h[6])]...)
		case 3:
			head, body, ok := strings.Cut(string(out), "\r\n\r\n")
			if !ok {
				return string(out), 0, fmt.Errorf("no head in %q", out)
			}
			status = 200
			for line := range strings.SplitSeq(head, "\r\n") {
				if s, ok := strings.CutPrefix(line, "Status: "); ok {
					_, _ = fmt.Sscan(s, &status)
				}
			}
			return body, status, nil
		}
	}
}
