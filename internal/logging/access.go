package logging

import (
	"bytes"
	"io"
	"sync"
	"time"
)

// AccessLog writes a line for each request to a file, directly or through a Buffer.
type AccessLog struct {
	format   *AccessFormat
	head     bool // format.NeedsHead, which is asked for each request
	suppress map[string]struct{}
	out      accessOutput
	lines    sync.Pool // *[]byte
}

type accessOutput interface {
	io.WriteCloser
	Reopen() error
}

// AccessOptions are a pool's settings for its access log.
type AccessOptions struct {
	Path          string        // access.log
	Format        string        // access.format; empty means DefaultAccessFormat
	SuppressPaths []string      // access.suppress_path[]
	BufferSize    int           // bytes gathered before a write; 0 writes each line at once, as php-fpm does
	BufferDelay   time.Duration // the longest a line waits in the buffer; 0 means one second
}

// OpenAccessLog compiles the format and opens the file.
func OpenAccessLog(o AccessOptions) (*AccessLog, error) {
	if o.Format == "" {
		o.Format = DefaultAccessFormat
	}
	format, err := CompileAccessFormat(o.Format)
	if err != nil {
		return nil, err
	}
	f, err := OpenFile(o.Path)
	if err != nil {
		return nil, err
	}
	a := &AccessLog{format: format, head: format.NeedsHead(), out: f, suppress: make(map[string]struct{}, len(o.SuppressPaths))}
	for _, p := range o.SuppressPaths {
		a.suppress[p] = struct{}{}
	}
	if o.BufferSize > 0 {
		if o.BufferDelay == 0 {
			o.BufferDelay = time.Second
		}
		a.out = NewBuffer(f, o.BufferSize, o.BufferDelay)
	}
	a.lines.New = func() any { b := make([]byte, 0, 512); return &b }
	return a, nil
}

// NeedsHead says whether Entry.Headers is read. Safe for concurrent use.
func (a *AccessLog) NeedsHead() bool { return a.head }

// Log writes the line for e, unless the path is suppressed. Safe for concurrent use; does not allocate once warm.
func (a *AccessLog) Log(e *Entry) {
	if a.suppressed(e) {
		return
	}
	line := a.lines.Get().(*[]byte)
	b := a.format.Append((*line)[:0], e)
	if len(b) > 0 { // a format may come to nothing, then php-fpm writes no line either
		b = append(b, '\n')
		_, _ = a.out.Write(b) // the file has said what is wrong with it
	}
	if cap(b) <= 64<<10 {
		*line = b
		a.lines.Put(line)
	}
}

// suppressed: only requests that can tell nothing are left out (access.suppress_path).
func (a *AccessLog) suppressed(e *Entry) bool {
	if len(a.suppress) == 0 || len(e.Query) > 0 || e.ContentLength > 0 || e.Status < 200 || e.Status > 299 {
		return false
	}
	if !bytes.Equal(e.Method, []byte("GET")) && !bytes.Equal(e.Method, []byte("HEAD")) {
		return false
	}
	_, found := a.suppress[string(e.URI)]
	return found
}

// Reopen goes on in a new file at the same path (USR1).
func (a *AccessLog) Reopen() error { return a.out.Reopen() }

// Close writes what is left and closes the file.
func (a *AccessLog) Close() error { return a.out.Close() }
