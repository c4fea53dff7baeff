package fcgi

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Listener is a listening socket, unix or tcp, accepted from without net.Conn.
type Listener struct {
	file *os.File
	raw  syscall.RawConn
	unix bool
	done atomic.Bool // to be looked at where acceptAll sleeps

	// Allow, if not nil, is asked for the address of each client of a tcp socket; the
	// connection of one that is refused is closed unread. To be set before Serve.
	Allow func(netip.Addr) bool
}

// NewListener takes ownership of a listening socket, also when it fails. The socket
// is made non-blocking, which all processes that share it will notice.
func NewListener(f *os.File) (*Listener, error) {
	defer f.Close()
	var fd int
	rc, err := f.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("listening socket: %w", err)
	}
	// A descriptor of our own: f may have been made blocking-only by its maker.
	err2 := rc.Control(func(old uintptr) { fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(err2, err); err != nil {
		return nil, fmt.Errorf("listening socket: %w", err)
	}
	l, err := newListener(fd)
	if err != nil {
		closeFD(fd)
		return nil, fmt.Errorf("listening socket: %w", err)
	}
	return l, nil
}

func newListener(fd int) (*Listener, error) {
	listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil {
		return nil, err
	}
	if listening == 0 {
		return nil, errors.New("does not listen")
	}
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return nil, err
	}
	switch domain {
	case unix.AF_UNIX:
	case unix.AF_INET, unix.AF_INET6:
		// Accepted connections inherit it, which saves a call for each.
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("address family %d is neither unix nor tcp", domain)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, err
	}
	l := &Listener{file: os.NewFile(uintptr(fd), "fcgi listener"), unix: domain == unix.AF_UNIX}
	l.raw, err = l.file.SyscallConn()
	return l, err
}

// Close stops accepting: Serve returns. The file of a unix socket stays.
func (l *Listener) Close() error {
	l.done.Store(true)
	return l.file.Close()
}

// wake makes acceptAll return.
func (l *Listener) wake() {
	l.done.Store(true)
	_ = l.file.SetReadDeadline(longAgo)
}

var longAgo = time.Unix(1, 0)

// DisallowedError is told to Server.Log for a client that Listener.Allow refused.
type DisallowedError struct{ Addr netip.Addr }

func (e *DisallowedError) Error() string {
	return fmt.Sprintf("Connection disallowed: IP address '%s' has been dropped.", e.Addr)
}

// acceptAll calls f for each connection, with the client's address if it is tcp, until the listener is
// woken or closed, or accepting fails for good. log is told of passing trouble (no descriptors left).
func (l *Listener) acceptAll(f func(fd int, peer netip.Addr), log func(error)) error {
	var fatal error
	var from unix.RawSockaddrAny
	err := l.raw.Read(func(fd uintptr) bool {
		var pause time.Duration
		for n := 1; ; n++ {
			var c int
			var errno syscall.Errno
			var peer netip.Addr
			if l.unix {
				c, errno = accept(int(fd))
			} else if c, errno = acceptFrom(int(fd), &from); errno == 0 {
				peer = ipOf(&from)
			}
			switch errno {
			case 0:
				pause = 0
				if l.Allow != nil && !l.unix && (!peer.IsValid() || !l.Allow(peer)) {
					log(&DisallowedError{peer})
					closeFD(c)
					continue
				}
				f(c, peer)
				if n%32 == 0 {
					runtime.Gosched() // those accepted get their turn in a flood, too
				}
			case syscall.EAGAIN:
				return false
			case syscall.EINTR, syscall.ECONNABORTED, syscall.EPROTO, syscall.EPERM,
				syscall.ENETDOWN, syscall.ENOPROTOOPT, syscall.EHOSTDOWN, syscall.EHOSTUNREACH,
				syscall.EOPNOTSUPP, syscall.ENETUNREACH, unix.ENONET:
				// accept(2): errors of that connection, not of the listener.
			case syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM:
				if pause == 0 {
					log(sockError("accept", errno))
				}
				pause = min(max(2*pause, 5*time.Millisecond), 100*time.Millisecond)
				time.Sleep(pause)
				if l.done.Load() {
					return true
				}
			default:
				fatal = sockError("accept", errno)
				return true
			}
		}
	})
	if fatal != nil {
		return fatal
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("accept: %w", err)
	}
	return nil
}
