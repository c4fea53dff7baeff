package fcgi

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// client is a web server, as rude as a test wants it.
type client struct {
	net.Conn
	tb testing.TB
}

func dial(tb testing.TB, path string) *client {
	tb.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		tb.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	tb.Cleanup(func() { c.Close() })
	return &client{c, tb}
}

func (c *client) send(parts ...[]byte) {
	c.tb.Helper()
	if _, err := c.Write(bytes.Join(parts, nil)); err != nil {
		c.tb.Fatal(err)
	}
}

// answered is a response as the web server sees it.
type answered struct {
	Out, Err string
	App      uint32
	Protocol uint8
	Ended    bool // by END_REQUEST; the connection was closed otherwise
}

// answer reads up to the END_REQUEST of request id, or the end of the connection.
func (c *client) answer(id uint16) answered {
	c.tb.Helper()
	var a answered
	for {
		var h [headerLen]byte
		if _, err := io.ReadFull(c, h[:]); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				c.tb.Fatal("no answer")
			}
			return a
		}
		d := decodeHeader(h[:])
		b := make([]byte, d.content+d.padding)
		if _, err := io.ReadFull(c, b); err != nil {
			return a
		}
		b = b[:d.content]
		if h[0] != version || d.id != id {
			c.tb.Fatalf("unexpected record % x", h)
		}
		switch d.typ {
		case TypeStdout:
			a.Out += string(b)
		case TypeStderr:
			a.Err += string(b)
		case TypeEndRequest:
			a.App, a.Protocol, a.Ended = binary.BigEndian.Uint32(b), b[4], true
			return a
		default:
			c.tb.Fatalf("unexpected record % x", h)
		}
	}
}

// closed waits for the server to close the connection without saying more.
func (c *client) closed() {
	c.tb.Helper()
	var b [64]byte
	if n, err := c.Read(b[:]); n > 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		c.tb.Fatalf("connection not closed: %q, %v", b[:n], err)
	}
}

func params(pairs ...string) []byte {
	var b []byte
	for i := 0; i < len(pairs); i += 2 {
		b = AppendParam(b, pairs[i], pairs[i+1])
	}
	return b
}

// head is a request up to its empty PARAMS.
func head(id uint16, keep bool, pairs ...string) []byte {
	b := AppendBeginRequest(nil, id, RoleResponder, keep)
	b = AppendRecord(b, TypeParams, id, params(pairs...))
	return AppendRecord(b, TypeParams, id, nil)
}

func stdin(id uint16, body string) []byte {
	return AppendRecord(nil, TypeStdin, id, []byte(body))
}

// get is a whole request without a body.
func get(id uint16, keep bool) []byte {
	return append(head(id, keep, "REQUEST_METHOD", "GET", "SCRIPT_NAME", "/x.php", "REQUEST_URI", "/x.php"), stdin(id, "")...)
}

// post is a whole request that may not be tried again.
func post(id uint16, keep bool, body string) []byte {
	b := head(id, keep, "REQUEST_METHOD", "POST", "REQUEST_URI", "/post", "CONTENT_LENGTH", fmt.Sprint(len(body)))
	if body != "" {
		b = append(b, stdin(id, body)...)
	}
	return append(b, stdin(id, "")...)
}
