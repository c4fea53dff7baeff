package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// pidFile is a file with our pid in it, and a lock on it for as long as we live: whether the one that is there already
// is stale is a question to the lock, not to the number in it, which may be another program's by now.
type pidFile struct {
	path string
	file *os.File // holds the lock; its inode is the one at path unless somebody has put another file there
}

// writePIDFile makes the file. It never writes into a file that exists, nor through a link: a new one is made beside it and
// takes its place.
func writePIDFile(path string) (*pidFile, error) {
	p, err := takePIDFileAt(fmt.Sprintf("%s.%d", path, os.Getpid()), path)
	if err != nil {
		var no unix.Errno
		if errors.As(err, &no) {
			return nil, exitf(statusConfig, "Unable to create the PID file (%s).: %w (%d)", path, no, int(no))
		}
		return nil, exitf(statusConfig, "Unable to create the PID file (%s).: %w", path, err)
	}
	return p, nil
}

// takePIDFileAt makes the file under the name temp, which is ours, and moves it to path.
func takePIDFileAt(temp, path string) (*pidFile, error) {
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_RDWR|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, err
	}
	// Gone, unless it has been moved to path.
	defer os.Remove(temp)
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		_, err = fmt.Fprintf(f, "%d", os.Getpid()) // php-fpm ends it with no newline
	}
	if err == nil {
		err = replace(temp, path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &pidFile{path, f}, nil
}

// replace puts temp at path, unless a supervisor that lives has its file there.
func replace(temp, path string) error {
	for {
		err := os.Link(temp, path)
		if !errors.Is(err, os.ErrExist) {
			return err // it was free, or cannot be written
		}
		old, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue // removed in between
		case errors.Is(err, unix.ELOOP):
			return errors.New("it is a symbolic link")
		case err != nil:
			return err
		}
		defer old.Close()
		// Who wants to replace the old file holds its lock while doing so, hence nobody else does at the same time.
		if err := unix.Flock(int(old.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			return fmt.Errorf("a supervisor with pid %s is running", readPID(old))
		}
		if !sameFile(old, path) {
			continue // replaced between open and lock
		}
		return os.Rename(temp, path)
	}
}

func readPID(f *os.File) string {
	b, err := io.ReadAll(io.LimitReader(f, 20))
	if err != nil {
		return "unknown"
	}
	if n, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
		return strconv.Itoa(n)
	}
	return "unknown"
}

func sameFile(f *os.File, path string) bool {
	a, errA := f.Stat()
	b, errB := os.Lstat(path)
	return errA == nil && errB == nil && os.SameFile(a, b)
}

// remove removes the file if it is still ours. A nil pidFile is none.
func (p *pidFile) remove() {
	if p == nil {
		return
	}
	if sameFile(p.file, p.path) {
		os.Remove(p.path)
	}
	p.file.Close()
}
