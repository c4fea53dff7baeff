package daemon

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"php-supervisor/internal/config"
)

func unixPool(path string) *config.Pool {
	return &config.Pool{
		Name: "www", Listen: path, ListenBacklog: 16,
		Address: config.Address{Network: "unix", Path: path},
		Socket:  config.SocketPermissions{UID: -1, GID: -1, Mode: 0o660},
	}
}

func tcpPool(host string, port int) *config.Pool {
	return &config.Pool{
		Name: "www", Listen: net.JoinHostPort(host, strconv.Itoa(port)), ListenBacklog: -1,
		Address: config.Address{Network: "tcp", Host: host, Port: port},
	}
}

// refused checks a bind that must fail: its message, and that the program would end with status 78.
func refused(t *testing.T, p *config.Pool, want string) {
	t.Helper()
	s, err := bind(p)
	if err == nil {
		s.close()
		t.Fatalf("bound %s; want an error with %q", p.Listen, want)
	}
	var status interface{ ExitStatus() int }
	if !strings.Contains(err.Error(), want) || !errors.As(err, &status) || status.ExitStatus() != 78 {
		t.Errorf("error %q, want one with %q and status 78", err, want)
	}
}

func TestUnixSocketLife(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fpm.sock")
	s, err := bind(unixPool(path))
	if err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := fi.Mode().Perm(); got != 0o660 {
		t.Errorf("mode %o, want 660", got)
	}
	refused(t, unixPool(path), "Another FPM instance seems to already listen on "+path)
	s.close()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket's file after close: %v", err)
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fpm.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	s, err := bind(unixPool(path))
	if err != nil {
		t.Fatal(err)
	}
	s.close()
}

func TestSomebodyElsesSocketIsLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fpm.sock")
	s, err := bind(unixPool(path))
	if err != nil {
		t.Fatal(err)
	}
	// Kept under another name, so that the file system does not give its number away again.
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	other, err := bind(unixPool(path))
	if err != nil {
		t.Fatal(err)
	}
	defer other.close()
	s.close()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the successor's socket is gone: %v", err)
	}
}

func TestRefusedPaths(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, unixPool(file), "exists and is no socket")
	if b, _ := os.ReadFile(file); string(b) != "precious" {
		t.Error("a file that is no socket was touched")
	}
	refused(t, unixPool(filepath.Join(dir, "missing", "fpm.sock")), "no such file or directory (2)")
	refused(t, unixPool("/proc/fpm.sock"), "unable to bind listening socket for address '/proc/fpm.sock'")
	refused(t, unixPool(filepath.Join(dir, strings.Repeat("x", 120))), "is longer than the 107 bytes")
}

func TestTCPAddressInUse(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		s, err := bind(tcpPool(host, 0))
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		l, err := net.FileListener(s.file)
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		refused(t, tcpPool(host, port), "address already in use (98)")
		s.close()
	}
	refused(t, tcpPool("no-such-host.invalid", 9000), "unable to bind listening socket for address")
}
