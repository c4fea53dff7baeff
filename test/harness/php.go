package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Pool is one pool of a FastCGI server, in php-fpm's terms.
type Pool struct {
	Name     string   // of the pool, the socket and the log files
	Children int      // pm = static; 0: the lines say it
	Lines    []string // more directives of the pool
	Global   []string // more directives of [global]
	Env      []string // environment of the server
	Worker   string   // our worker.script; "" is classic mode
	Ready    string   // a script that answers once the pool serves; "" does not wait
}

// Server is a running php-fpm or supervisor with one pool.
type Server struct {
	*Process
	Pool       Pool
	Socket     string
	ErrorLog   string // the error_log directive
	ConfigFile string
}

// FPMProgram is Debian's php-fpm, the yardstick.
const FPMProgram = "/usr/sbin/php-fpm8.2"

// StartFPM starts php-fpm with the machine's php.ini and waits for Pool.Ready.
func (s *Stage) StartFPM(pool Pool) (*Server, error) {
	return s.startPHP(pool, func(conf string) []string {
		return []string{FPMProgram, "-F", "-y", conf}
	}, func(p Pool) error {
		if p.Worker != "" {
			return fmt.Errorf("php-fpm has no worker mode")
		}
		return nil
	})
}

// StartSupervisor starts our supervisor with the same configuration and waits for Pool.Ready.
func (s *Stage) StartSupervisor(pool Pool) (*Server, error) {
	program, err := SupervisorProgram()
	if err != nil {
		return nil, err
	}
	// An admin socket of its own: several supervisors run at the same time.
	pool.Global = append([]string{"control = " + s.Path("run", pool.Name+".control")}, pool.Global...)
	return s.startPHP(pool, func(conf string) []string {
		return []string{program, "run", "-y", conf}
	}, nil)
}

func (s *Stage) startPHP(pool Pool, args func(conf string) []string, check func(Pool) error) (*Server, error) {
	if check != nil {
		if err := check(pool); err != nil {
			return nil, err
		}
	}
	srv := &Server{
		Pool:       pool,
		Socket:     s.Path("run", pool.Name+".sock"),
		ErrorLog:   s.Path("logs", pool.Name+".log"),
		ConfigFile: s.Path(pool.Name + ".conf"),
	}
	if err := srv.WriteConfig(s, pool); err != nil {
		return nil, fmt.Errorf("start %s: %w", pool.Name, err)
	}
	p, err := s.Start(Command{Name: pool.Name, Args: args(srv.ConfigFile), Env: pool.Env, Stop: syscall.SIGQUIT})
	if err != nil {
		return nil, err
	}
	srv.Process = p
	if pool.Ready == "" {
		return srv, nil
	}
	err = Wait(pool.Name+" to answer", func() (bool, error) {
		if p.Exited() {
			return false, fmt.Errorf("it ended with status %d: %s", exitStatus(p.state), s.Logs(20))
		}
		return Answers(srv.Socket, pool.Ready), nil
	})
	if err != nil {
		return nil, err
	}
	return srv, nil
}

// WriteConfig writes the configuration file of the server, for a start or a reload.
func (srv *Server) WriteConfig(s *Stage, pool Pool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "[global]\nerror_log = %s\ndaemonize = no\n", srv.ErrorLog)
	for _, l := range pool.Global {
		fmt.Fprintln(&b, l)
	}
	fmt.Fprintf(&b, "[%s]\nlisten = %s\n", pool.Name, srv.Socket)
	if os.Geteuid() == 0 {
		fmt.Fprintf(&b, "user = %[1]s\ngroup = %[2]s\nlisten.owner = %[1]s\nlisten.group = %[2]s\n", s.User, s.Group)
	}
	if pool.Children > 0 {
		fmt.Fprintf(&b, "pm = static\npm.max_children = %d\n", pool.Children)
	}
	if pool.Worker != "" {
		fmt.Fprintf(&b, "worker.script = %s\n", pool.Worker)
	}
	for _, l := range pool.Lines {
		fmt.Fprintln(&b, l)
	}
	return os.WriteFile(srv.ConfigFile, []byte(b.String()), 0o644)
}

// Workers returns the processes that serve the pool.
func (srv *Server) Workers() []int { return srv.titled("php-fpm: pool " + srv.Pool.Name) }

// Zygotes returns the processes the workers are forked from; php-fpm has none.
func (srv *Server) Zygotes() []int { return srv.titled("php-fpm: zygote " + srv.Pool.Name) }

func (srv *Server) titled(title string) []int {
	return slices.DeleteFunc(srv.PIDs(), func(pid int) bool { return CommandLine(pid) != title })
}

// Messages returns the server's log: error_log and what went to standard error.
func (srv *Server) Messages() string {
	content, err := os.ReadFile(srv.ErrorLog)
	if err != nil && !os.IsNotExist(err) {
		return err.Error()
	}
	return string(content) + srv.Log()
}

// Root is the directory of the repository, the nearest one above with a go.mod.
var Root = sync.OnceValues(func() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("find the repository: no go.mod above the working directory")
		}
		dir = up
	}
})

// SupervisorProgram is bin/supervisor, built when it is missing, or what SUPERVISOR_PROGRAM names.
var SupervisorProgram = sync.OnceValues(func() (string, error) {
	if p := os.Getenv("SUPERVISOR_PROGRAM"); p != "" {
		return p, nil
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	program := filepath.Join(root, "bin", "supervisor")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	cmd := exec.Command("make", "build")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the supervisor: %w\n%s", err, out)
	}
	return program, nil
})

// Must is for calls in tests that can't go on without.
func Must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
