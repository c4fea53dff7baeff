package logging

import (
	"sync"
	"time"
)

// Buffer gathers lines in front of a File and writes them together: when it is full, or Delay after the first line. Only
// whole writes are gathered, so a line is never in two files when the file is re-opened between them.
type Buffer struct {
	file  *File
	delay time.Duration

	mu    sync.Mutex
	buf   []byte
	timer *time.Timer // runs while buf is not empty
}

// NewBuffer makes a buffer of size bytes in front of f. The buffer becomes the owner of f.
func NewBuffer(f *File, size int, delay time.Duration) *Buffer {
	return &Buffer{file: f, delay: delay, buf: make([]byte, 0, size)}
}

// Write keeps a copy of p, or writes it through if it is longer than the buffer. A failure shows at the write to the file.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var err error
	if len(b.buf)+len(p) > cap(b.buf) {
		err = b.flush()
	}
	if len(p) > cap(b.buf) {
		return b.file.Write(p)
	}
	if len(b.buf) == 0 {
		if b.timer == nil {
			b.timer = time.AfterFunc(b.delay, func() { _ = b.Flush() })
		} else {
			b.timer.Reset(b.delay)
		}
	}
	b.buf = append(b.buf, p...)
	return len(p), err
}

// Flush writes what has been gathered.
func (b *Buffer) Flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.flush()
}

func (b *Buffer) flush() error {
	if len(b.buf) == 0 {
		return nil
	}
	b.timer.Stop()
	_, err := b.file.Write(b.buf)
	b.buf = b.buf[:0] // also when it failed: the file has counted the lines
	return err
}

// Reopen writes what has been gathered to the old file and re-opens it.
func (b *Buffer) Reopen() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	_ = b.flush() // the file has said why
	return b.file.Reopen()
}

// Close writes what has been gathered and closes the file.
func (b *Buffer) Close() error {
	err := b.Flush()
	return firstError(err, b.file.Close())
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
