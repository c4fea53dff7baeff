// Package harness runs real programs for tests, the demonstration and the benchmarks: nginx,
// php-fpm, and our supervisor, each in the foreground, below one temporary directory (a Stage).
//
// Guarantees:
//   - Every program runs in a session of its own, so that everything it starts can be found again by
//     the session's number, and nothing else is ever signalled.
//   - Stage.Close stops all of them and reports every process and socket that stayed behind; what
//     stayed is then killed. When the calling process dies without Close (a panic, a test's time
//     limit, SIGKILL), a keeper process kills the sessions and removes the directory.
//   - nginx listens on ports the kernel chose for us, handed over as open sockets: no port can be
//     taken by somebody else in between.
//   - Nothing waits for time to pass: Wait looks for a condition until its deadline.
//
// It does not isolate programs from the machine: they read the machine's PHP configuration, which is
// what makes php-fpm comparable with us.
package harness

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"php-supervisor/test/apps"
)

// Stage is a temporary directory with the programs that run in it.
type Stage struct {
	Dir   string // readable by everybody
	User  string // who PHP runs as: www-data when we are root, else ourselves
	Group string
	Owner apps.Owner

	mu        sync.Mutex
	processes []*Process // in the order they were started; Close stops them in reverse
	closed    bool
}

const stagePrefix = "php-supervisor-"

// NewStage makes a directory below the system's temporary one. The caller calls Close.
func NewStage() (*Stage, error) {
	dir, err := os.MkdirTemp("", stagePrefix)
	if err != nil {
		return nil, fmt.Errorf("make stage: %w", err)
	}
	k, err := theKeeper()
	if err != nil {
		return nil, fmt.Errorf("make stage: %w", err)
	}
	k.add(dir)
	// The pool's user has to pass through.
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make stage: %w", err)
	}
	s := &Stage{Dir: dir}
	for _, d := range []string{"logs", "run"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			return nil, fmt.Errorf("make stage: %w", err)
		}
	}
	if err := s.chooseUser(); err != nil {
		return nil, fmt.Errorf("make stage: %w", err)
	}
	return s, nil
}

// ForTest makes a stage that ends with the test. What stays behind fails the test; the logs are shown
// when it failed.
func ForTest(t testing.TB) *Stage {
	t.Helper()
	s, err := NewStage()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		logs := ""
		if t.Failed() {
			logs = s.Logs(100)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if logs != "" {
			t.Log(logs)
		}
	})
	return s
}

func (s *Stage) chooseUser() error {
	if os.Geteuid() != 0 {
		u, err := user.Current()
		if err != nil {
			return err
		}
		s.User = u.Username
		s.Owner = apps.Owner{UID: os.Getuid(), GID: os.Getgid()}
		if g, err := user.LookupGroupId(u.Gid); err == nil {
			s.Group = g.Name
		}
		return nil
	}
	u, err := user.Lookup("www-data")
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	s.User, s.Group, s.Owner = "www-data", "www-data", apps.Owner{UID: uid, GID: gid}
	return nil
}

// Path joins names to the stage's directory.
func (s *Stage) Path(names ...string) string {
	return filepath.Join(append([]string{s.Dir}, names...)...)
}

// Writable makes a directory of the stage that the pool's user may write to.
func (s *Stage) Writable(names ...string) (string, error) {
	dir := s.Path(names...)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o777)
}

// Close stops everything, last started first, and removes the directory. The error names what did
// not stop by itself, ended badly, or left a socket behind. Further calls do nothing.
func (s *Stage) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	processes := s.processes
	s.mu.Unlock()

	var errs []error
	for i := len(processes) - 1; i >= 0; i-- {
		if err := processes[i].Stop(); err != nil {
			errs = append(errs, err)
		}
	}
	errs = append(errs, s.leftSockets())
	errs = append(errs, os.RemoveAll(s.Dir))
	if k, err := theKeeper(); err == nil {
		k.remove(s.Dir)
	}
	return errors.Join(errs...)
}

func (s *Stage) leftSockets() error {
	var left []string
	err := filepath.WalkDir(s.Path("run"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type()&fs.ModeSocket != 0 {
			left = append(left, path)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("look for sockets left behind: %w", err)
	}
	if len(left) > 0 {
		return fmt.Errorf("sockets left behind: %s", strings.Join(left, ", "))
	}
	return nil
}

// Logs returns the last lines of every log file of the stage.
func (s *Stage) Logs(lines int) string {
	files, _ := filepath.Glob(s.Path("logs", "*"))
	var b strings.Builder
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil || len(content) == 0 {
			continue
		}
		all := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
		if len(all) > lines {
			all = all[len(all)-lines:]
		}
		fmt.Fprintf(&b, "--- %s (last %d lines)\n%s\n", filepath.Base(f), len(all), strings.Join(all, "\n"))
	}
	return b.String()
}
