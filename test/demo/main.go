// Command demo serves two real applications from this machine's packages behind nginx: DokuWiki in
// classic mode and a small Symfony application in worker mode, from one supervisor with two pools.
// Ctrl-C stops everything; nothing is left behind, and nothing outside a temporary directory is
// changed.
package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"php-supervisor/test/apps"
	"php-supervisor/test/harness"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)

	stage, err := harness.NewStage()
	if err != nil {
		return err
	}
	defer func() {
		fmt.Println("\nstopping")
		err = errors.Join(err, stage.Close())
	}()
	wiki, err := apps.LayDokuWiki(stage.Path("dokuwiki"), rand.Text()[:12], stage.Owner)
	if err != nil {
		return err
	}
	symfony, err := apps.LaySymfony(stage.Path("symfony"), "php", stage.Owner)
	if err != nil {
		return err
	}
	supervisor, conf, err := startSupervisor(stage, symfony)
	if err != nil {
		return err
	}
	sites := []*harness.Site{
		{Name: "dokuwiki", Root: wiki.Root, Socket: stage.Path("run", "dokuwiki.sock"), KeepConn: 16, Port: freePort(8080),
			Extra: []string{"location ~ ^/(data|conf|bin|inc|vendor)/ { deny all; }"}},
		{Name: "symfony", Root: symfony.Root, Socket: stage.Path("run", "symfony.sock"), KeepConn: 16, Port: freePort(8081), Front: "/index.php"},
	}
	if _, err := stage.StartNginx(sites...); err != nil {
		return err
	}
	for i, ready := range []string{wiki.Root + "/doku.php", symfony.Root + "/index.php"} {
		err := harness.Wait(sites[i].Name+" to answer", func() (bool, error) {
			if supervisor.Exited() {
				return false, errors.New("the supervisor has ended, see its messages above")
			}
			return harness.Answers(sites[i].Socket, ready), nil
		})
		if err != nil {
			return err
		}
	}
	fmt.Printf(`
  DokuWiki, classic mode       http://%s/        log in as %s, password %s
  Symfony 5.4, worker mode     http://%s/        /visits /api/info /boom /stream

  configuration                %s
  change a file and watch      %s
  kill a worker                kill -9 %s
  reload without a gap         kill -USR2 %d

Ctrl-C stops all of it.

`, sites[0].Addr, wiki.User, wiki.Password, sites[1].Addr, conf, stage.Path("symfony", "src", "Controller", "PageController.php"),
		workerOf(supervisor), supervisor.PID)
	<-stop
	return nil
}

// startSupervisor starts one supervisor with both pools; its messages go to the terminal.
func startSupervisor(stage *harness.Stage, symfony *apps.Symfony) (*harness.Process, string, error) {
	program, err := harness.SupervisorProgram()
	if err != nil {
		return nil, "", err
	}
	sessions, err := stage.Writable("sessions")
	if err != nil {
		return nil, "", err
	}
	user := ""
	if os.Geteuid() == 0 {
		user = fmt.Sprintf("user = %s\ngroup = %s\nlisten.owner = %[1]s\nlisten.group = %[2]s\n", stage.User, stage.Group)
	}
	conf := stage.Path("supervisor.conf")
	text := fmt.Sprintf(`[global]
error_log = /proc/self/fd/2
daemonize = no
control = %[1]s/run/control

[dokuwiki]
listen = %[1]s/run/dokuwiki.sock
%[2]spm = dynamic
pm.max_children = 6
pm.start_servers = 2
pm.min_spare_servers = 1
pm.max_spare_servers = 3
pm.max_requests = 1000
php_value[session.save_path] = %[3]s

[symfony]
listen = %[1]s/run/symfony.sock
%[2]spm = static
pm.max_children = 2
pm.max_memory_growth = 32M
; boots once, then serves requests
worker.script = %[4]s
; a change leads to new workers that have read the new files
watch[] = %[1]s/symfony
watch.ignore[] = var
`, stage.Dir, user, sessions, symfony.Worker)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return nil, "", err
	}
	p, err := stage.Start(harness.Command{Name: "supervisor", Args: []string{program, "run", "-y", conf}, Stop: syscall.SIGTERM, Out: os.Stderr})
	return p, conf, err
}

// freePort is the first port from the one given on that nobody listens on.
func freePort(port int) int {
	for ; ; port++ {
		if l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			return port
		}
	}
}

// workerOf is one of the workers, for a line to copy.
func workerOf(p *harness.Process) string {
	for _, pid := range p.PIDs() {
		if strings.HasPrefix(harness.CommandLine(pid), "php-fpm: pool") {
			return fmt.Sprint(pid)
		}
	}
	return "PID"
}
