package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"php-supervisor/internal/phpext"
)

// patience bounds the waiting for a condition.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	command := func() { os.Exit(run(os.Args)) }
	testscript.Main(leakChecked{m}, map[string]func(){"supervisor": command, "php-fpm": command, "php-fpm8.2": command, "fetch": fetch, "manager": manager})
}

// fetch is a browser of few words: fetch URL. It fails unless there is an answer, and shows its status and body.
func fetch() {
	r, err := http.NewRequest("GET", os.Args[1], nil)
	if err != nil {
		log.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Dest", "document")
	resp, err := (&http.Client{Timeout: patience}).Do(r)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.Status)
	if _, err := io.Copy(os.Stdout, resp.Body); err != nil {
		log.Fatal(err)
	}
}

// manager is systemd for NOTIFY_SOCKET: manager SOCKET FILE writes what it is told to the file.
func manager() {
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: os.Args[1], Net: "unixgram"})
	if err != nil {
		log.Fatal(err)
	}
	f, err := os.Create(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	for b := make([]byte, 4096); ; {
		n, err := c.Read(b)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Fprintf(f, "%s\n", b[:n])
	}
}

// leakChecked fails a run that leaves goroutines behind.
type leakChecked struct{ m *testing.M }

func (l leakChecked) Run() int {
	status := l.m.Run()
	if err := goleak.Find(); err != nil && status == 0 {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	return status
}

// canServe says why real PHP cannot be served here, or nil.
var canServe = sync.OnceValue(func() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, _, err := phpext.Discover(ctx, phpext.Exec, "", "")
	return err
})

func TestScripts(t *testing.T) {
	if err := canServe(); err != nil {
		t.Logf("the scripts that serve are left out: %v", err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setup,
		Condition: func(name string) (bool, error) {
			switch name {
			case "serves": // PHP and the extension for it are there
				return canServe() == nil, nil
			case "root":
				return os.Getuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %s", name)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":      exits,
			"eventually": eventually,
			"signal":     sendSignal,
		},
	})
}

// setup lets the workers, who are somebody else when we are root, into the script's directory.
func setup(env *testscript.Env) error {
	name := "www-data"
	if os.Getuid() != 0 {
		u, err := user.Current()
		if err != nil {
			return err
		}
		name = u.Username
	}
	env.Setenv("WORKER", name)
	env.Setenv("XDG_RUNTIME_DIR", "")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	env.Setenv("HTTP", l.Addr().String()) // free a moment ago
	l.Close()
	for dir := env.WorkDir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// exits runs a command and checks its exit status: exits STATUS PROGRAM [ARG...].
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		ee, ok := err.(*exec.ExitError)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = ee.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// eventually runs a command until it succeeds (or fails, with !), and until its output matches, if so wanted:
// eventually [-stdout=PATTERN] PROGRAM [ARG...].
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	pattern := regexp.MustCompile("")
	if len(args) > 0 && strings.HasPrefix(args[0], "-stdout=") {
		pattern = regexp.MustCompile("(?m)" + strings.TrimPrefix(args[0], "-stdout="))
		args = args[1:]
	}
	if len(args) == 0 {
		ts.Fatalf("usage: eventually [-stdout=PATTERN] PROGRAM [ARG...]")
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		if err := ts.Exec(args[0], args[1:]...); (err == nil) != neg && pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("did not come true: %s", strings.Join(args, " "))
		}
	}
}

// sendSignal sends a signal to the process whose pid is in a file: signal NAME FILE [TIMES].
func sendSignal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: signal NAME FILE [TIMES]")
	}
	pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(args[1])))
	ts.Check(err)
	sig := unix.SignalNum("SIG" + args[0])
	if sig == 0 {
		ts.Fatalf("unknown signal %s", args[0])
	}
	times := 1
	if len(args) == 3 {
		times, err = strconv.Atoi(args[2])
		ts.Check(err)
	}
	for range times {
		ts.Check(unix.Kill(pid, sig))
	}
}
