package logging

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func openTest(t *testing.T, path string) (*File, *[]string) {
	t.Helper()
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	var said []string
	f.Complain = func(msg string) { said = append(said, msg) }
	return f, &said
}

// Every line is in one of the files, whole, while the file is rotated under the writers.
func TestReopenLosesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	f, said := openTest(t, path)
	const writers, lines = 4, 500
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range lines {
				if _, err := fmt.Fprintf(f, "%d-%d\n", w, i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 20 {
		if err := os.Rename(path, fmt.Sprint(path, ".", i)); err != nil {
			t.Fatal(err)
		}
		if err := f.Reopen(); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()

	seen := make(map[string]int)
	names, _ := filepath.Glob(path + "*")
	for _, name := range names {
		for line := range strings.Lines(read(t, name)) {
			seen[line]++
		}
	}
	for w := range writers {
		for i := range lines {
			if line := fmt.Sprintf("%d-%d\n", w, i); seen[line] != 1 {
				t.Fatalf("line %q is there %d times", line, seen[line])
			}
		}
	}
	if len(seen) != writers*lines || len(names) != 21 || len(*said) > 0 {
		t.Errorf("%d lines in %d files; said %q", len(seen), len(names), *said)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
}

func TestFailedReopenKeepsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "log")
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, _ := openTest(t, path)
	moved := filepath.Dir(path) + "-moved"
	if err := os.Rename(filepath.Dir(path), moved); err != nil {
		t.Fatal(err)
	}
	if err := f.Reopen(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	fmt.Fprintln(f, "still here")
	if got := read(t, filepath.Join(moved, "log")); got != "still here\n" {
		t.Errorf("got %q", got)
	}
}

// A full disk costs lines, is said once, and its end is said.
func TestFullDisk(t *testing.T) {
	f, said := openTest(t, "/dev/full")
	for range 3 {
		if _, err := f.Write([]byte("two\nlines\n")); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("got %v", err)
		}
	}
	path := filepath.Join(t.TempDir(), "log")
	f.path = path // as if there were space again
	if err := f.Reopen(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(f, "back")
	fmt.Fprintln(f, "again")
	if got := read(t, path); got != "back\nagain\n" {
		t.Errorf("got %q", got)
	}
	want := []string{
		"unable to write log file '/dev/full': no space left on device; lines are lost until it can be written again",
		"log file '" + path + "' can be written again, lines lost: 6",
	}
	if diff := cmp.Diff(want, *said); diff != "" {
		t.Error(diff)
	}
}

// tearing writes the first few bytes of a line before it fails.
type tearing struct {
	bytes.Buffer
	room int
}

func (w *tearing) Write(p []byte) (int, error) {
	n := min(len(p), w.room)
	w.room -= n
	w.Buffer.Write(p[:n])
	if n < len(p) {
		return n, unix.ENOSPC
	}
	return n, nil
}

func (w *tearing) Close() error { return nil }

func TestTornLineStaysAlone(t *testing.T) {
	w := &tearing{room: 7}
	f := &File{path: "log", f: w, Complain: func(string) {}}
	fmt.Fprintln(f, "one")
	fmt.Fprintln(f, "two-torn")
	fmt.Fprintln(f, "lost")
	w.room = 100
	fmt.Fprintln(f, "three")
	if got, want := w.String(), "one\ntwo\nthree\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A reader that has gone is an error, not SIGPIPE; and it does not stop the logger.
func TestBrokenPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	said := 0
	f := &File{f: w, Complain: func(string) { said++ }}
	defer f.Close()
	l := New(Options{Output: f})
	l.Info("x")
	l.Info("y")
	if _, err := f.Write([]byte("z\n")); !errors.Is(err, unix.EPIPE) || said != 1 {
		t.Errorf("got %v, said %d times", err, said)
	}
}

func TestClosedFile(t *testing.T) {
	f, _ := openTest(t, filepath.Join(t.TempDir(), "log"))
	for range 2 {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := f.Write([]byte("x\n")); !errors.Is(err, ErrClosed) {
		t.Errorf("write: %v", err)
	}
	if err := f.Reopen(); !errors.Is(err, ErrClosed) {
		t.Errorf("reopen: %v", err)
	}
}

func TestOpenSpecialFiles(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(fifo); !errors.Is(err, unix.ENXIO) {
		t.Errorf("a FIFO nobody reads: %v", err)
	}

	// Standard error of a service is often a socket, which cannot be opened by name.
	pair, err := syscall.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(pair[0])
	defer syscall.Close(pair[1])
	for _, path := range []string{fmt.Sprint("/proc/self/fd/", pair[0]), fmt.Sprint("/dev/fd/", pair[0])} {
		f, _ := openTest(t, path)
		fmt.Fprintln(f, "x")
		var b [8]byte
		if n, err := syscall.Read(pair[1], b[:]); err != nil || string(b[:n]) != "x\n" {
			t.Errorf("%s: got %q, %v", path, b[:n], err)
		}
		if err := f.Reopen(); err != nil {
			t.Errorf("%s: reopen: %v", path, err)
		}
	}
	if _, err := OpenFile("/proc/self/fd/987654"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such descriptor: %v", err)
	}
	f, err := OpenStderr()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Reopen(); err != nil || f.Path() != "" {
		t.Errorf("standard error: %v", err)
	}
}

func TestBufferGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "log")
		f, _ := openTest(t, path)
		b := NewBuffer(f, 16, time.Second)
		steps := []struct {
			what string
			do   func()
			want string
		}{
			{"gathers", func() { fmt.Fprintln(b, "one") }, ""},
			{"writes after the delay", func() { time.Sleep(time.Second); synctest.Wait() }, "one\n"},
			{"gathers again", func() { fmt.Fprintln(b, "two"); fmt.Fprintln(b, "three") }, "one\n"},
			{"writes when full", func() { fmt.Fprintln(b, "seven-8-9") }, "one\ntwo\nthree\n"},
			{"a long line goes through, in order", func() { fmt.Fprintln(b, "longer than the buffer") },
				"one\ntwo\nthree\nseven-8-9\nlonger than the buffer\n"},
			{"nothing to write", func() { time.Sleep(time.Minute); b.Flush() },
				"one\ntwo\nthree\nseven-8-9\nlonger than the buffer\n"},
		}
		for _, s := range steps {
			s.do()
			if diff := cmp.Diff(s.want, read(t, path)); diff != "" {
				t.Errorf("%s: %s", s.what, diff)
			}
		}

		fmt.Fprintln(b, "old")
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		if err := b.Reopen(); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(b, "new")
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(read(t, path+".1"), "old\n") || read(t, path) != "new\n" {
			t.Errorf("got %q and %q", read(t, path+".1"), read(t, path))
		}
	})
}
