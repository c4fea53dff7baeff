package request

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Head is the head of a CGI response (RFC 3875, section 6), in the order and spelling of the application.
type Head struct {
	Status int    // 200 unless the application named another; 302 if it only named a Location
	Reason string // as the application gave it, or the usual one
	Fields []Field
}

// Field is one header field.
type Field struct{ Name, Value string }

// Get is the first value of a field, whatever its spelling.
func (h Head) Get(name string) string {
	for _, f := range h.Fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

func parseHead(b []byte) (Head, error) {
	var h Head
	location := false
	for line := range bytes.Lines(b) {
		line = bytes.TrimRight(line, "\r\n")
		name, value, ok := strings.Cut(string(line), ":")
		if !ok || !isToken(name) {
			return h, fmt.Errorf("%w: %.100q", ErrBadHead, line)
		}
		value = strings.Trim(value, " \t")
		if strings.EqualFold(name, "Status") {
			code, reason, _ := strings.Cut(value, " ")
			n, err := strconv.Atoi(code)
			if err != nil || n < 100 || n > 999 {
				return h, fmt.Errorf("%w: status %.100q", ErrBadHead, value)
			}
			h.Status, h.Reason = n, reason
			continue
		}
		location = location || strings.EqualFold(name, "Location")
		h.Fields = append(h.Fields, Field{name, value})
	}
	if h.Status == 0 {
		h.Status = http.StatusOK
		if location {
			h.Status = http.StatusFound
		}
	}
	if h.Reason == "" {
		h.Reason = http.StatusText(h.Status)
	}
	return h, nil
}

// isToken says whether s can be a header's name (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// headEnd finds the empty line: the length of the head without it, and where the body begins; or -1.
func headEnd(b []byte) (head, body int) {
	for i := 0; ; {
		n := bytes.IndexByte(b[i:], '\n')
		if n < 0 {
			return -1, -1
		}
		if line := b[i : i+n]; len(line) == 0 || len(line) == 1 && line[0] == '\r' {
			return i, i + n + 1
		}
		i += n + 1
	}
}

// intake is what gofast takes for the client of the web server. Once something has gone wrong it only swallows.
type intake struct {
	to     Receiver
	giveUp context.CancelCauseFunc

	buf      []byte // the head, until it is whole
	headDone bool
	err      error
}

// Header is for the decoy's fields.
func (in *intake) Header() http.Header { return make(http.Header) }

// WriteHeader is for the decoy's status, and for gofast's own complaints.
func (in *intake) WriteHeader(int) {}

func (in *intake) begun() bool { return in.headDone || len(in.buf) > 0 }

func (in *intake) Write(p []byte) (int, error) {
	if in.err == nil {
		if err := in.take(p); err != nil {
			in.err = err
			in.giveUp(err)
		}
	}
	return len(p), nil
}

// ReadFrom spares gofast's copying in pieces of 1 KiB.
func (in *intake) ReadFrom(r io.Reader) (int64, error) {
	buf := make([]byte, 32<<10)
	var sum int64
	for {
		n, err := r.Read(buf)
		if n > 0 {
			_, _ = in.Write(buf[:n]) // never fails
			sum += int64(n)
		}
		if err == io.EOF {
			return sum, nil
		}
		if err != nil {
			return sum, err
		}
	}
}

func (in *intake) take(p []byte) error {
	if !in.headDone {
		in.buf = append(in.buf, p...)
		head, body := headEnd(in.buf)
		if head < 0 {
			if len(in.buf) > MaxHead {
				return fmt.Errorf("%w: more than %d bytes", ErrBadHead, MaxHead)
			}
			return nil
		}
		if head > MaxHead {
			return fmt.Errorf("%w: more than %d bytes", ErrBadHead, MaxHead)
		}
		h, err := parseHead(in.buf[:head])
		if err != nil {
			return err
		}
		in.headDone = true
		if err := in.to.Head(h); err != nil {
			return err
		}
		p, in.buf = in.buf[body:], nil
	}
	if len(p) == 0 {
		return nil
	}
	_, err := in.to.Write(p)
	return err
}
