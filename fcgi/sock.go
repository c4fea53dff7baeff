package fcgi

import (
	"fmt"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls of the hot path. None of them can block, so they go past the
// scheduler's bookkeeping for blocking calls; MSG_NOSIGNAL spares a broken
// connection the detour through the SIGPIPE handler.

func recv(fd int, p []byte) (int, syscall.Errno) { return recvFlags(fd, p, unix.MSG_DONTWAIT) }

// peek is recv that leaves the bytes where they are.
func peek(fd int, p []byte) (int, syscall.Errno) {
	return recvFlags(fd, p, unix.MSG_DONTWAIT|unix.MSG_PEEK)
}

func recvFlags(fd int, p []byte, flags uintptr) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags, 0, 0)
		if errno == 0 {
			return int(n), 0
		}
		if errno != syscall.EINTR {
			return 0, errno
		}
	}
}

// send sends what fits at once.
func send(fd int, p []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		if errno == 0 {
			return int(n), 0
		}
		if errno != syscall.EINTR {
			return 0, errno
		}
	}
}

// accept asks for no peer address: that of a unix socket says nothing.
func accept(fd int) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_ACCEPT4, uintptr(fd), 0, 0, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	return int(n), errno
}

// acceptFrom is accept that fills in the peer's address, which spares tcp a call for it.
func acceptFrom(fd int, peer *unix.RawSockaddrAny) (int, syscall.Errno) {
	peer.Addr.Family = unix.AF_UNSPEC
	size := uint32(unix.SizeofSockaddrAny)
	n, _, errno := syscall.RawSyscall6(syscall.SYS_ACCEPT4, uintptr(fd),
		uintptr(unsafe.Pointer(peer)), uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	return int(n), errno
}

// ipOf is the IP address in sa; the zero Addr when there is none.
func ipOf(sa *unix.RawSockaddrAny) netip.Addr {
	switch sa.Addr.Family {
	case unix.AF_INET:
		return netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(sa)).Addr)
	case unix.AF_INET6:
		return netip.AddrFrom16((*unix.RawSockaddrInet6)(unsafe.Pointer(sa)).Addr).Unmap()
	}
	return netip.Addr{}
}

func closeFD(fd int) { syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(fd), 0, 0) }

func shutdown(fd, how int) { _ = unix.Shutdown(fd, how) }

// hungUp says whether the peer can no longer read. Only a unix socket can tell: a
// half-closed TCP connection looks the same as a closed one.
func hungUp(fd int) bool {
	p := [1]unix.PollFd{{Fd: int32(fd)}}
	n, err := unix.Poll(p[:], 0)
	return err == nil && n == 1 && p[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
}

// sockError is an error of a socket call, with what was being done.
func sockError(what string, errno syscall.Errno) error { return fmt.Errorf("%s: %w", what, errno) }
