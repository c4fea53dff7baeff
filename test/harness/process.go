package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Process is a program in the foreground and everything it started.
type Process struct {
	Name    string
	PID     int    // also the number of its session
	LogFile string // its standard output and error, unless it was given another place

	stopSignal syscall.Signal
	done       chan struct{} // closed by the one goroutine that waits for the program
	state      *os.ProcessState
	gone       bool // Stop has seen to it that nothing is left
}

// Command is what Start runs.
type Command struct {
	Name  string // of the process in messages and of its log file
	Args  []string
	Env   []string // in addition to the environment
	Files []*os.File
	Stop  syscall.Signal // asks the program to leave; SIGTERM if zero
	Out   *os.File       // where its output goes instead of the log file
}

// Start starts a program in a session of its own. Its output goes to logs/NAME.out of the stage.
func (s *Stage) Start(c Command) (*Process, error) {
	logFile := s.Path("logs", c.Name+".out")
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	defer log.Close()
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.Dir = s.Dir
	cmd.Stdout, cmd.Stderr = log, log
	if c.Out != nil {
		cmd.Stdout, cmd.Stderr = c.Out, c.Out
	}
	cmd.ExtraFiles = c.Files
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	k, err := theKeeper()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	k.add(cmd.Process.Pid)
	p := &Process{Name: c.Name, PID: cmd.Process.Pid, LogFile: logFile, stopSignal: c.Stop, done: make(chan struct{})}
	if p.stopSignal == 0 {
		p.stopSignal = syscall.SIGTERM
	}
	go func() {
		_ = cmd.Wait() // the state says it all
		p.state = cmd.ProcessState
		close(p.done)
	}()
	s.mu.Lock()
	s.processes = append(s.processes, p)
	s.mu.Unlock()
	return p, nil
}

// Exited says whether the program has ended.
func (p *Process) Exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Signal sends a signal to the program itself.
func (p *Process) Signal(sig syscall.Signal) error {
	if p.Exited() {
		return fmt.Errorf("signal %s: it has ended", p.Name)
	}
	return syscall.Kill(p.PID, sig)
}

// WaitExit waits for the program's end and returns its exit status, or 128 plus the signal's number.
func (p *Process) WaitExit() (int, error) {
	limit := time.NewTimer(Patience)
	defer limit.Stop()
	select {
	case <-p.done:
		return exitStatus(p.state), nil
	case <-limit.C:
		return 0, fmt.Errorf("%s does not end", p.Name)
	}
}

func exitStatus(s *os.ProcessState) int {
	if ws, ok := s.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return s.ExitCode()
}

// Stop asks the program to leave, and makes sure that it and everything it started is gone. The
// error says what had to be forced. Further calls do nothing.
func (p *Process) Stop() error {
	if p.gone {
		return nil
	}
	p.gone = true
	var errs []error
	if !p.Exited() {
		if err := p.Signal(p.stopSignal); err != nil && !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, err)
		}
		status, err := p.WaitExit()
		if err != nil {
			errs = append(errs, err)
		} else if status != 0 {
			errs = append(errs, fmt.Errorf("%s ended with status %d when asked to leave", p.Name, status))
		}
	}
	if err := p.nothingLeft(); err != nil {
		errs = append(errs, err)
	}
	if k, err := theKeeper(); err == nil {
		k.remove(p.PID)
	}
	return errors.Join(errs...)
}

// Kill kills the program and everything it started, for a test's own violence.
func (p *Process) Kill() {
	for _, pid := range p.PIDs() {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended meanwhile
	}
	<-p.done
}

// nothingLeft waits for the session's last process, then kills what is left and says so.
func (p *Process) nothingLeft() error {
	var left []int
	err := Wait("the last process of "+p.Name, func() (bool, error) {
		left = p.PIDs()
		return len(left) == 0, nil
	})
	if err == nil {
		return nil
	}
	var names []string
	for _, pid := range left {
		names = append(names, fmt.Sprintf("%d (%s)", pid, CommandLine(pid)))
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	return fmt.Errorf("%s left processes behind: %s", p.Name, strings.Join(names, ", "))
}

// PIDs returns the processes of the program's session that live.
func (p *Process) PIDs() []int { return Session(p.PID) }

// Log returns what the program has written to its standard output and error.
func (p *Process) Log() string {
	content, err := os.ReadFile(p.LogFile)
	if err != nil {
		return err.Error()
	}
	return string(content)
}
