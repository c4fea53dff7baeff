package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func pidIn(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPIDFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.pid")
	p, err := writePIDFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := pidIn(t, path), strconv.Itoa(os.Getpid()); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := writePIDFile(path); err == nil || !strings.Contains(err.Error(), "a supervisor with pid "+strconv.Itoa(os.Getpid())+" is running") {
		t.Errorf("second: got %v", err)
	}
	p.remove()
	if names, err := os.ReadDir(filepath.Dir(path)); err != nil || len(names) > 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

func TestPIDFileReplacesStale(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stale.pid")
	if err := os.WriteFile(path, []byte("1\n"), 0o644); err != nil { // a process that lives, but has no lock on it
		t.Fatal(err)
	}
	p, err := writePIDFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := pidIn(t, path), strconv.Itoa(os.Getpid()); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	p.remove()
}

func TestPIDFileIsNoLink(t *testing.T) {
	dir := t.TempDir()
	precious, link := filepath.Join(dir, "precious"), filepath.Join(dir, "link.pid")
	if err := os.WriteFile(precious, []byte("gold"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("precious", link); err != nil {
		t.Fatal(err)
	}
	if _, err := writePIDFile(link); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("got %v", err)
	}
	if got := pidIn(t, precious); got != "gold" {
		t.Errorf("wrote through the link: %q", got)
	}
}

func TestPIDFileLeavesForeign(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.pid")
	p, err := writePIDFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("4711"), 0o644); err != nil {
		t.Fatal(err)
	}
	p.remove()
	if got := pidIn(t, path); got != "4711" {
		t.Errorf("got %q", got)
	}
}

func TestPIDFileErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no", "x.pid")
	_, err := writePIDFile(path)
	if want := "Unable to create the PID file (" + path + ").: no such file or directory (2)"; err == nil || err.Error() != want || exitStatus(err) != statusConfig {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := writePIDFile(t.TempDir()); err == nil {
		t.Error("replaced a directory")
	}
}

func TestPIDFileHasOneOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.pid")
	if err := os.WriteFile(path, []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var owners []*pidFile
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			// Other processes would have other pids, and so other temporary names.
			temp := path + "." + strconv.Itoa(i)
			p, err := takePIDFileAt(temp, path)
			if err == nil {
				mu.Lock()
				owners = append(owners, p)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(owners) != 1 {
		t.Fatalf("%d owners", len(owners))
	}
	if !sameFile(owners[0].file, path) {
		t.Error("the file is not the owner's")
	}
	owners[0].remove()
}
