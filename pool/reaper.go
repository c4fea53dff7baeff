package pool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxUnclaimed bounds the deaths kept for a Claim that has not come yet.
const maxUnclaimed = 1024

// Exit is how a process ended.
type Exit struct {
	Pid    int
	Status syscall.WaitStatus
	Usage  syscall.Rusage
	At     time.Time
}

// String says it in php-fpm's words: "with code 1" or "on signal 9 (SIGKILL)".
func (e Exit) String() string {
	switch {
	case e.Status.Signaled():
		s := fmt.Sprintf("on signal %d (%s", int(e.Status.Signal()), unix.SignalName(e.Status.Signal()))
		if e.Status.CoreDump() {
			s += " - core dumped"
		}
		return s + ")"
	case e.Status.Exited():
		return fmt.Sprintf("with code %d", e.Status.ExitStatus())
	default:
		return fmt.Sprintf("with wait status %#x", uint32(e.Status))
	}
}

// Reaper is the one place of the program that waits for children. It makes
// the process a child subreaper, so that workers, whose parent has left by the time they
// run, are its children too, and it reaps strangers when the program is PID 1.
//
// While a Reaper lives nothing else may wait: os/exec would lose its children's status to it. Start
// and Run are the replacement.
type Reaper struct {
	mu        sync.Mutex // held from before a fork until its child is registered
	claims    map[int]func(Exit)
	unclaimed []Exit // deaths of processes nobody has claimed yet, oldest first
	signals   chan os.Signal
	done      chan struct{} // closed when the goroutine has left
}

// NewReaper starts to reap. There can be one at a time in a process.
func NewReaper() (*Reaper, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become child subreaper: %w", err)
	}
	rp := &Reaper{
		claims:  map[int]func(Exit){},
		signals: make(chan os.Signal, 1), // one place is enough: a wake-up reaps all
		done:    make(chan struct{}),
	}
	signal.Notify(rp.signals, syscall.SIGCHLD)
	go rp.run()
	return rp, nil
}

// Close stops reaping. Children that live go on, unwaited for.
func (rp *Reaper) Close() {
	signal.Stop(rp.signals)
	close(rp.signals)
	<-rp.done
}

func (rp *Reaper) run() {
	defer close(rp.done)
	for range rp.signals {
		for rp.reapOne() {
		}
	}
}

func (rp *Reaper) reapOne() bool {
	rp.mu.Lock()
	var e Exit
	pid, err := syscall.Wait4(-1, &e.Status, syscall.WNOHANG, &e.Usage)
	if err == syscall.EINTR {
		rp.mu.Unlock()
		return true
	}
	if err != nil || pid <= 0 {
		rp.mu.Unlock()
		return false
	}
	e.Pid, e.At = pid, time.Now()
	claim, ok := rp.claims[pid]
	if ok {
		delete(rp.claims, pid)
	} else {
		if len(rp.unclaimed) == maxUnclaimed {
			rp.unclaimed = append(rp.unclaimed[:0], rp.unclaimed[1:]...)
		}
		rp.unclaimed = append(rp.unclaimed, e)
	}
	rp.mu.Unlock()
	if ok {
		claim(e)
	}
	return true
}

// Claim has f called once with the death of pid, which was started after since, at once if it was reaped
// already. A death from before is that of another process with the same number. f runs on the reaper's
// goroutine and must not wait.
func (rp *Reaper) Claim(pid int, since time.Time, f func(Exit)) {
	rp.mu.Lock()
	for i := len(rp.unclaimed) - 1; i >= 0; i-- { // the newest first, in case the pid was used before
		if e := rp.unclaimed[i]; e.Pid == pid && !e.At.Before(since) {
			rp.unclaimed = append(rp.unclaimed[:i], rp.unclaimed[i+1:]...)
			rp.mu.Unlock()
			f(e)
			return
		}
	}
	rp.claims[pid] = f
	rp.mu.Unlock()
}

// Start forks and executes argv0; f is called with its death as by Claim.
func (rp *Reaper) Start(argv0 string, argv []string, attr *syscall.ProcAttr, f func(Exit)) (pid int, err error) {
	rp.mu.Lock()
	defer rp.mu.Unlock()
	pid, err = syscall.ForkExec(argv0, argv, attr)
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", argv0, err)
	}
	rp.claims[pid] = f
	return pid, nil
}

// ErrOutputTooLong is returned by Run for a program that prints more than it may.
var ErrOutputTooLong = errors.New("output too long")

const maxRunOutput = 4 << 20

// Run executes argv with env and returns what it wrote to standard output, at most 4 MiB, and its
// exit status (128 + signal for a killed one). The program is killed when ctx ends.
func (rp *Reaper) Run(ctx context.Context, argv, env []string) (stdout []byte, status int, err error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, 0, err
	}
	defer null.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return nil, 0, err
	}
	defer r.Close()
	exited := make(chan Exit, 1)
	pid, err := rp.Start(argv[0], argv, &syscall.ProcAttr{
		Env:   env,
		Files: []uintptr{null.Fd(), w.Fd(), null.Fd()},
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	}, func(e Exit) { exited <- e })
	w.Close()
	if err != nil {
		return nil, 0, err
	}
	stop := context.AfterFunc(ctx, func() {
		rp.kill(-pid, pid)
		_ = r.SetReadDeadline(time.Now())
	})
	stdout, err = io.ReadAll(io.LimitReader(r, maxRunOutput+1))
	if err == nil && len(stdout) > maxRunOutput {
		err = ErrOutputTooLong
		rp.kill(-pid, pid)
	}
	e := <-exited
	if !stop() {
		err = ctx.Err()
	}
	status = e.Status.ExitStatus()
	if e.Status.Signaled() {
		status = 128 + int(e.Status.Signal())
	}
	if err != nil {
		return stdout, status, fmt.Errorf("run %s: %w", argv[0], err)
	}
	return stdout, status, nil
}

// kill sends SIGKILL to target, unless child has been reaped, so that a recycled number is never hit.
func (rp *Reaper) kill(target, child int) {
	rp.signal(target, child, syscall.SIGKILL)
}

// signal sends sig to target (a pid, or a group as a negative number) while child is known to be unreaped.
func (rp *Reaper) signal(target, child int, sig syscall.Signal) bool {
	rp.mu.Lock()
	defer rp.mu.Unlock()
	if _, unreaped := rp.claims[child]; !unreaped {
		return false
	}
	return syscall.Kill(target, sig) == nil
}
