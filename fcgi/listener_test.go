package fcgi

import (
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNoDescriptorsLeft: a connection that cannot be accepted waits; it is accepted when there is a descriptor.
func TestNoDescriptorsLeft(t *testing.T) {
	p := newPool(t, 1, serveHello)
	var trouble atomic.Int32
	_, path := serve(t, p, func(s *Server) {
		s.Log = func(err error) {
			if strings.Contains(err.Error(), "too many open files") {
				trouble.Add(1)
			}
		}
	})
	normal(t, path)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	// The next descriptor is the client's; there is none behind it.
	probe, err := syscall.Dup(0)
	if err != nil {
		t.Fatal(err)
	}
	syscall.Close(probe)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: uint64(probe) + 1, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	restore := func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old) }
	defer restore()
	c := dial(t, path)
	c.send(get(1, true))
	eventually(t, "the trouble is told", func() bool { return trouble.Load() > 0 })
	restore()
	if diff := cmp.Diff(answered{Out: hello, Ended: true}, c.answer(1)); diff != "" {
		t.Error(diff)
	}
	if n := trouble.Load(); n != 1 {
		t.Errorf("told %d times, want once", n)
	}
}
