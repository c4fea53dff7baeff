package control

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// ErrInUse is returned by Listen when somebody listens on the path.
var ErrInUse = errors.New("another supervisor listens there")

// maxPath is what fits into a socket's address, less the zero at its end.
const maxPath = len(unix.RawSockaddrUnix{}.Path) - 1

// Listener is the admin socket. It owns its file.
type Listener struct {
	*net.UnixListener
	path string
	file os.FileInfo
}

// Listen binds the socket. It is made under another name and then moved, so that at its own name it exists only with
// mode 0600 and with somebody listening. What a dead supervisor has left is replaced.
func Listen(path string) (*Listener, error) {
	temp := fmt.Sprintf("%s.%d", path, os.Getpid())
	if len(temp) > maxPath {
		return nil, fmt.Errorf("control socket %s: the path is longer than the %d bytes the system takes", path, maxPath)
	}
	if err := vacant(path); err != nil {
		return nil, fmt.Errorf("control socket %s: %w", path, err)
	}
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	ul, err := net.ListenUnix("unix", &net.UnixAddr{Name: temp, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("control socket %s: %w", path, bare(err))
	}
	ul.SetUnlinkOnClose(false) // it would unlink the name it was bound to
	l := &Listener{UnixListener: ul, path: path}
	err = os.Chmod(temp, 0o600)
	if err == nil {
		l.file, err = os.Lstat(temp)
	}
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		ul.Close()
		os.Remove(temp)
		return nil, fmt.Errorf("control socket %s: %w", path, bare(err))
	}
	return l, nil
}

// vacant says whether the path may be taken.
func vacant(path string) error {
	fi, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		if dir, err := os.Stat(filepath.Dir(path)); err == nil && !dir.IsDir() {
			return unix.ENOTDIR
		}
		return nil
	}
	if err != nil {
		return bare(err)
	}
	if fi.Mode().Type() != os.ModeSocket {
		return errors.New("it exists and is no socket")
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return ErrInUse
	}
	if errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrInUse, bare(err))
}

// Close stops listening and removes the file, unless another one has its name by now.
func (l *Listener) Close() error {
	if fi, err := os.Lstat(l.path); err == nil && os.SameFile(fi, l.file) {
		os.Remove(l.path)
	}
	return l.UnixListener.Close()
}

// Path is the socket's file.
func (l *Listener) Path() string { return l.path }

// bare is the system's own reason, without the names of calls and files around it.
func bare(err error) error {
	var no unix.Errno
	if errors.As(err, &no) {
		return no
	}
	return err
}
