package logging

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// File is a log file that can be re-opened. It is written with O_APPEND, so several processes may share it, and created
// with mode 0600 as php-fpm does. Write reports a failure to the caller and, once for each row of failures, to Complain;
// it neither retries nor waits.
type File struct {
	// Complain is told that lines are being lost, and when that has ended. The default writes a line to standard error.
	// It is called with the file locked and must not write to it. To be set before the first Write.
	Complain func(msg string)

	path string

	mu   sync.Mutex
	f    io.WriteCloser // nil once closed
	lost int            // lines since the writing began to fail
	torn bool           // the last thing written was a part of a line
}

// ErrClosed is returned when a closed File is written or re-opened.
var ErrClosed = errors.New("log file is closed")

// OpenFile opens or creates the log file at path. Devices that stand for descriptors of this process (/dev/stderr,
// /proc/self/fd/2) work also when they are sockets or belong to another user.
func OpenFile(path string) (*File, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	return &File{path: path, f: f}, nil
}

// OpenStderr is standard error as a File: a reader that has gone costs lines, where Go would end the process by SIGPIPE.
func OpenStderr() (*File, error) {
	f, err := dup(2, "/dev/stderr")
	if err != nil {
		return nil, err
	}
	return &File{path: "", f: f}, nil
}

var descriptorPath = regexp.MustCompile(`^(?:/dev/std(in|out|err)|/(?:dev|proc/self)/fd/([0-9]{1,6}))$`)

func open(path string) (*os.File, error) {
	// O_NONBLOCK only for open(2) itself: a FIFO without a reader must be an error, not a hang.
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_APPEND|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NOCTTY|unix.O_NONBLOCK, 0o600)
	if err == nil {
		if err := unix.SetNonblock(fd, false); err != nil {
			unix.Close(fd)
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
		return os.NewFile(uintptr(fd), path), nil
	}
	if m := descriptorPath.FindStringSubmatch(path); m != nil && !errors.Is(err, unix.ENOENT) {
		n := map[string]int{"in": 0, "out": 1, "err": 2}[m[1]]
		if m[2] != "" {
			n, _ = strconv.Atoi(m[2])
		}
		return dup(n, path)
	}
	return nil, &os.PathError{Op: "open", Path: path, Err: err}
}

func dup(fd int, name string) (*os.File, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, &os.PathError{Op: "dup", Path: name, Err: err}
	}
	return os.NewFile(uintptr(n), name), nil
}

// Path is the path given to OpenFile, "" for standard error.
func (l *File) Path() string { return l.path }

// Write appends p, which should be whole lines.
func (l *File) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return 0, ErrClosed
	}
	if l.torn {
		// Do not glue this line to the torn one.
		if _, err := l.f.Write([]byte{'\n'}); err != nil {
			return 0, l.failed(p, 0, err)
		}
		l.torn = false
	}
	n, err := l.f.Write(p)
	if err != nil {
		return n, l.failed(p, n, err)
	}
	if l.lost > 0 {
		l.complain(fmt.Sprintf("%s can be written again, lines lost: %d", l.name(), l.lost))
		l.lost = 0
	}
	return n, nil
}

func (l *File) failed(p []byte, n int, err error) error {
	if n > 0 {
		l.torn = p[n-1] != '\n'
	}
	first := l.lost == 0
	l.lost += max(bytes.Count(p[n:], []byte{'\n'}), 1)
	if first {
		cause := err
		var pe *os.PathError
		if errors.As(err, &pe) {
			cause = pe.Err
		}
		l.complain(fmt.Sprintf("unable to write %s: %v; lines are lost until it can be written again", l.name(), cause))
	}
	return err
}

func (l *File) name() string {
	if l.path == "" {
		return "standard error"
	}
	return "log file '" + l.path + "'"
}

func (l *File) complain(msg string) {
	if l.Complain != nil {
		l.Complain(msg)
		return
	}
	fmt.Fprintln(os.Stderr, msg)
}

// Reopen opens the path anew and goes on there; what log rotation has moved away is closed. If the path cannot be opened
// the old file stays in use. Standard error stays as it is.
func (l *File) Reopen() error {
	if l.path == "" {
		return nil
	}
	f, err := open(l.path)
	if err != nil {
		return err
	}
	l.mu.Lock()
	old := l.f
	if old == nil {
		l.mu.Unlock()
		f.Close()
		return ErrClosed
	}
	l.f, l.torn = f, false
	l.mu.Unlock()
	return old.Close()
}

// Close ends the writing. Closing twice is no error.
func (l *File) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return nil
	}
	err := l.f.Close()
	l.f = nil
	return err
}

func (l *File) isTerminal() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, ok := l.f.(*os.File)
	return ok && fdIsTerminal(int(f.Fd()))
}

var _ io.WriteCloser = (*File)(nil)
