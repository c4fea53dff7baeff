package daemon

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"php-supervisor/internal/config"
)

// socket is a bound, listening socket. It owns the descriptor and, for a unix socket, the file.
type socket struct {
	file *os.File // blocking, so that the runtime does not poll it beside the server's own descriptor
	path string   // unix
	ino  uint64   // of path, so that somebody else's file is never removed
}

// bind opens a pool's listening socket. The errors are php-fpm's words.
func bind(p *config.Pool) (*socket, error) {
	if p.Address.Network == "unix" {
		return bindUnix(p)
	}
	host := p.Address.Host
	if host == "" {
		s, err := bindTCP("::", p)
		if err == nil {
			return s, nil
		}
		return bindTCP("0.0.0.0", p)
	}
	return bindTCP(host, p)
}

func bindError(p *config.Pool, err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return failure(exitConfig, "[pool %s] unable to bind listening socket for address '%s': %v (%d)", p.Name, p.Listen, errno, int(errno))
	}
	return failure(exitConfig, "[pool %s] unable to bind listening socket for address '%s': %v", p.Name, p.Listen, err)
}

func bindTCP(host string, p *config.Pool) (*socket, error) {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		ip, err := net.ResolveIPAddr("ip", host)
		if err != nil {
			return nil, bindError(p, err)
		}
		addr, _ = netip.AddrFromSlice(ip.IP)
		addr = addr.Unmap()
	}
	var sa unix.Sockaddr = &unix.SockaddrInet4{Port: p.Address.Port}
	family := unix.AF_INET
	if addr.Is4() {
		sa.(*unix.SockaddrInet4).Addr = addr.As4()
	} else {
		family, sa = unix.AF_INET6, &unix.SockaddrInet6{Port: p.Address.Port, Addr: addr.As16()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, bindError(p, err)
	}
	if err := errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.Bind(fd, sa),
	); err != nil {
		unix.Close(fd)
		return nil, bindError(p, err)
	}
	return listen(fd, p, "")
}

func bindUnix(p *config.Pool) (*socket, error) {
	path := p.Address.Path
	if err := clearPath(p); err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, bindError(p, err)
	}
	// The mode has to be right from the moment the file exists. The umask is the process's, but nothing else
	// creates files while sockets are bound: logs are open and pools not started, or running processes of their own.
	old := unix.Umask(0o777 &^ int(p.Socket.Mode.Perm()))
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	unix.Umask(old)
	if err != nil {
		unix.Close(fd)
		return nil, bindError(p, err)
	}
	undo := func(what string, err error) (*socket, error) {
		unix.Close(fd)
		os.Remove(path)
		return nil, failure(exitConfig, "[pool %s] failed to %s the socket '%s': %v", p.Name, what, path, err)
	}
	if p.Socket.UID >= 0 || p.Socket.GID >= 0 {
		if err := os.Lchown(path, p.Socket.UID, p.Socket.GID); err != nil {
			return undo("chown()", err)
		}
	}
	return listen(fd, p, path)
}

// clearPath removes the socket of a supervisor that is no more, and only that.
func clearPath(p *config.Pool) error {
	path := p.Address.Path
	if len(path) >= len(unix.RawSockaddrUnix{}.Path) {
		return failure(exitConfig, "[pool %s] the path of the socket '%s' is longer than the %d bytes the system takes", p.Name, path, len(unix.RawSockaddrUnix{}.Path)-1)
	}
	fi, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if _, err := os.Stat(filepath.Dir(path)); err != nil {
			return bindError(p, err)
		}
		return nil
	case err != nil:
		return bindError(p, err)
	case fi.Mode().Type() != os.ModeSocket:
		return failure(exitConfig, "[pool %s] '%s' exists and is no socket; remove it, or choose another path for listen", p.Name, path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return failure(exitConfig, "Another FPM instance seems to already listen on %s", path)
	}
	if errors.Is(err, unix.EAGAIN) { // its backlog is full
		return failure(exitConfig, "Another FPM instance seems to already listen on %s", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return bindError(p, err)
	}
	return nil
}

// backlog is what listen(2) takes.
func backlog(p *config.Pool) int {
	if p.ListenBacklog < 0 {
		return unix.SOMAXCONN
	}
	return p.ListenBacklog
}

// adapt brings a socket whose address stays to a reload's new settings.
func (s *socket) adapt(p *config.Pool) error {
	var errs []error
	if s.path != "" {
		errs = append(errs, s.permit(p.Socket))
	}
	errs = append(errs, s.control(func(fd int) error { return unix.Listen(fd, backlog(p)) }))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("apply the settings of socket '%s': %w", p.Listen, err)
	}
	return nil
}

// permit sets the owner and mode of the socket's file, and of no other: who may write to its directory could have put a link
// in its place.
func (s *socket) permit(to config.SocketPermissions) error {
	fd, err := unix.Open(s.path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil // removed by somebody, which is no reason to stop serving
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Ino != s.ino || s.ino == 0 {
		return err
	}
	return errors.Join(
		unix.Fchownat(fd, "", to.UID, to.GID, unix.AT_EMPTY_PATH), // -1 changes nothing
		os.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), to.Mode.Perm()))
}

func listen(fd int, p *config.Pool, path string) (*socket, error) {
	if err := unix.Listen(fd, backlog(p)); err != nil {
		unix.Close(fd)
		return nil, bindError(p, err)
	}
	s := &socket{file: os.NewFile(uintptr(fd), p.Listen), path: path}
	if path != "" {
		s.ino = inode(path)
	}
	return s, nil
}

func inode(path string) uint64 {
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil {
		return 0
	}
	return st.Ino
}

// dup returns another descriptor of the socket, for a server to own.
func (s *socket) dup() (*os.File, error) {
	var fd int
	err := s.control(func(old int) (err error) {
		fd, err = unix.FcntlInt(uintptr(old), unix.F_DUPFD_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listening socket: %w", err)
	}
	return os.NewFile(uintptr(fd), s.file.Name()), nil
}

// control calls f with the socket's descriptor, which stays open meanwhile.
func (s *socket) control(f func(fd int) error) error {
	rc, err := s.file.SyscallConn()
	if err != nil {
		return err
	}
	if controlErr := rc.Control(func(fd uintptr) { err = f(int(fd)) }); controlErr != nil {
		return controlErr
	}
	return err
}

// close ends the listening and removes the socket's file.
func (s *socket) close() {
	s.file.Close()
	if s.path != "" && s.ino != 0 && inode(s.path) == s.ino {
		os.Remove(s.path)
	}
}
