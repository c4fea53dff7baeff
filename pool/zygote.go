package pool

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Command says how to start a pool's zygote.
type Command struct {
	Binary     string              // the php-cli to execute
	Extension  *os.File            // supervisor.so; the zygote loads it through its descriptor 4. Stays the caller's.
	Args       []string            // further arguments, such as -d opcache.preload=…
	Env        []string            // the zygote's whole environment, but for SUPERVISOR_CONTROL
	Dir        string              // working directory; empty is the supervisor's
	Credential *syscall.Credential // user, group and supplementary groups; nil is the supervisor's
}

// Descriptors a zygote is started with, beside the standard three.
const (
	zygoteControlFD   = 3
	zygoteExtensionFD = 4
)

// Source names who wrote what an Output gets.
type Source struct {
	Pool   string
	Pid    int    // the worker's or the zygote's; 0 while a worker has not said hello
	Zygote bool   // written before any worker was forked
	Stream string // "stdout" or "stderr"
}

// zygote is a running php-cli that forks workers. Its owner is the pool's goroutine.
type zygote struct {
	pid   int
	ctl   *control
	ready time.Time     // when READY was seen; zero before
	said  *tail         // what it wrote to standard error
	pipes []*os.File    // its standard output and error
	heard chan struct{} // closed when its standard error has been read to its end
}

// startZygote forks and executes the zygote of a generation, and returns what it prints. exited is called on the reaper's goroutine.
func startZygote(rp *Reaper, cmd Command, config []byte, exited func(Exit)) (z *zygote, stdout, stderr *os.File, err error) {
	ctl, peer, err := newControl()
	if err != nil {
		return nil, nil, nil, err
	}
	defer unix.Close(peer)
	var opened []*os.File // closed here unless all goes well
	defer func() {
		if err != nil {
			ctl.close()
			closeAll(opened)
		}
	}()
	if err := ctl.send(config, nil, time.Now().Add(time.Second)); err != nil {
		return nil, nil, nil, fmt.Errorf("hand the configuration to the zygote: %w", err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDONLY, 0)
	if err != nil {
		return nil, nil, nil, err
	}
	defer null.Close()
	stdout, outW, err := outputPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	defer unix.Close(outW)
	opened = append(opened, stdout)
	stderr, errW, err := outputPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	defer unix.Close(errW)
	opened = append(opened, stderr)

	argv := append([]string{cmd.Binary, "-d", fmt.Sprintf("extension=/proc/self/fd/%d", zygoteExtensionFD)}, cmd.Args...)
	argv = append(argv, "-a")
	env := append(cmd.Env[:len(cmd.Env):len(cmd.Env)], fmt.Sprintf("SUPERVISOR_CONTROL=%d", zygoteControlFD))
	pid, err := rp.Start(cmd.Binary, argv, &syscall.ProcAttr{
		Dir:   cmd.Dir,
		Env:   env,
		Files: []uintptr{null.Fd(), uintptr(outW), uintptr(errW), uintptr(peer), cmd.Extension.Fd()},
		// A group of its own keeps a terminal's Ctrl-C away from workers: when they go is the supervisor's decision.
		Sys: &syscall.SysProcAttr{Setpgid: true, Credential: cmd.Credential},
	}, exited)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("zygote: %w", err)
	}
	return &zygote{pid: pid, ctl: ctl, said: new(tail), heard: make(chan struct{})}, stdout, stderr, nil
}

// outputPipe makes a pipe for a process to print into. Its end is a plain descriptor, which blocks: programs do not expect
// to be refused when they print.
func outputPipe() (r *os.File, w int, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, -1, os.NewSyscallError("pipe2", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		unix.Close(fds[0])
		unix.Close(fds[1])
		return nil, -1, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fds[0]), "output"), fds[1], nil
}

func closeAll(fs []*os.File) {
	for _, f := range fs {
		f.Close()
	}
}

// tail keeps the last bytes written to it, to say why something could not start.
type tail struct {
	mu     sync.Mutex
	buf    []byte
	closed bool
}

const maxTail = 4096 // bytes

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return len(p), nil
	}
	t.buf = append(t.buf, p...)
	if n := len(t.buf) - maxTail; n > 0 {
		t.buf = append(t.buf[:0], t.buf[n:]...)
	}
	return len(p), nil
}

// close forgets what was written, and what will be.
func (t *tail) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf, t.closed = nil, true
}

// String returns what was written last, without surrounding blank lines.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.buf))
}

// copyOutput reads a pipe until its last writer has gone and closes it.
func copyOutput(r *os.File, to ...io.Writer) {
	defer r.Close()
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		for _, w := range to {
			if n > 0 {
				_, _ = w.Write(buf[:n]) // a log that cannot be written is the log's to tell
			}
		}
		if err != nil {
			return
		}
	}
}
