package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"php-supervisor/internal/config"
	"php-supervisor/internal/daemon"
	"php-supervisor/internal/devserver"
	"php-supervisor/internal/request"
	"php-supervisor/watch"
)

type devCmd struct {
	Listen           string   `default:"127.0.0.1:8000" placeholder:"ADDR" help:"Address to serve HTTP on (${default})."`
	Root             string   `type:"path" placeholder:"DIR" help:"Document root; the current directory if not given."`
	Worker           string   `placeholder:"SCRIPT" help:"Worker script (below the root), which boots the application once."`
	Workers          int      `placeholder:"N" help:"Number of workers; by need if not given."`
	Watch            []string `type:"path" placeholder:"DIR" help:"Where the code is; the root, or the directory above it with composer.json, if not given."`
	User             string   `placeholder:"NAME" help:"User the workers are (as root only)."`
	AllowToRunAsRoot bool     `short:"R" help:"Let workers run as root."`
	PHP              string   `placeholder:"FILE" help:"PHP's command line binary."`
	LogLevel         string   `placeholder:"LEVEL" enum:",debug,notice,warning,error,alert" default:"" help:"Least level to log: debug, notice, warning, error or alert."`
}

// development is a running `supervisor dev`.
type development struct {
	source source
	front  *devserver.Server
	http   *http.Server
	listen net.Listener
	trees  []string
	ctx    context.Context // ends with the first signal
	cancel context.CancelFunc
}

func (c *devCmd) Run(con console) error {
	limitProcessors()
	root, err := filepath.Abs(c.Root)
	if err != nil {
		return err
	}
	signals := catchSignals(devSignals())
	defer signals.release()
	// Only the two of us need to find the socket.
	dir, err := os.MkdirTemp("", "php-supervisor-dev-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "php.sock")

	d := &development{
		source: source{
			Listen: socket, Root: root, Worker: c.Worker, Workers: c.Workers, User: c.User,
			AllowToRunAsRoot: c.AllowToRunAsRoot, PHP: c.PHP, LogLevel: c.LogLevel,
		},
		trees: c.Watch,
	}
	if len(d.trees) == 0 {
		d.trees = []string{project(root)}
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	defer d.cancel()
	cfg, _, err := d.load()
	if err != nil {
		return err // rather than on a page: it is about the command line
	}
	if d.listen, err = net.Listen("tcp", c.Listen); err != nil {
		return &exit{statusConfig, err}
	}
	d.front = devserver.New(devserver.Options{
		Site:   request.Site{Root: root, Front: front(root, cfg.Pools[0].WorkerScript)},
		Client: request.Client{Network: "unix", Address: socket},
		Log:    newLog(cfg),
	})
	d.http = &http.Server{Handler: d.front, ReadHeaderTimeout: 10 * time.Second}
	fmt.Fprintf(con.err, "supervisor: serving %s at http://%s/\n", root, d.listen.Addr())

	var g group
	ended := make(chan struct{}) // closed when the group ends
	g.add(func() error { return d.obey(signals, ended) }, func() { close(ended) })
	g.add(d.serveHTTP, d.closeHTTP)
	g.add(d.servePHP, d.cancel)
	return g.run()
}

// devSignals all end it: what a terminal sends, and its going away.
func devSignals() map[os.Signal]action {
	return map[os.Signal]action{unix.SIGINT: stopFast, unix.SIGTERM: stopFast, unix.SIGQUIT: stopFast, unix.SIGHUP: stopFast}
}

func (d *development) obey(s *signals, ended <-chan struct{}) error {
	select {
	case <-s.raw:
	case <-ended:
	}
	return nil
}

func (d *development) serveHTTP() error {
	if err := d.http.Serve(d.listen); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (d *development) closeHTTP() {
	d.front.Close()
	d.http.Close()
}

// load is the pool's configuration: as `run` has it, with errors on the page, where they are looked for.
func (d *development) load() (*config.Config, []config.Message, error) {
	cfg, messages, err := d.source.load()
	if err == nil {
		for _, p := range cfg.Pools {
			p.PHPValues = append(p.PHPValues, config.KeyValue{Key: "display_errors", Value: "1"}, config.KeyValue{Key: "error_reporting", Value: "32767"})
		}
	}
	return cfg, messages, err
}

// servePHP keeps the pool at the newest code that boots.
func (d *development) servePHP() error {
	w, err := watch.New(watch.Config{Trees: d.trees})
	if err != nil {
		return fmt.Errorf("watch for changes: %w", err)
	}
	defer w.Close()
	for {
		done, err := d.servePHPOnce(w)
		if err != nil || done {
			return err
		}
	}
}

// servePHPOnce is the life of one daemon. It has ended because all ends (done), or because the code did not boot at all
// and has changed since.
func (d *development) servePHPOnce(w *watch.Watcher) (done bool, err error) {
	dm, err := daemon.New(d.ctx, daemon.Options{Load: d.load, CalledAs: os.Args[0]})
	if err != nil {
		if d.ctx.Err() != nil {
			return true, nil
		}
		return true, err
	}
	defer dm.Close()
	if err := dm.Start(d.ctx); err != nil {
		if d.ctx.Err() != nil {
			return true, nil
		}
		complainTo(dm.Log(), "", err)
		d.front.Broken(err.Error())
		select {
		case c := <-w.Changes():
			dm.Log().Info("starting again: " + c.String())
			return false, nil
		case <-d.ctx.Done():
			return true, nil
		}
	}
	defer func() {
		fast, cancel := context.WithCancel(context.Background())
		cancel()
		dm.Stop(fast)
	}()
	d.front.Switched()
	for {
		select {
		case c := <-w.Changes():
			dm.Log().Info("reloading: " + c.String())
			if err := dm.Reload(d.ctx); err != nil {
				if d.ctx.Err() != nil {
					return true, nil
				}
				complainTo(dm.Log(), "reload failed: ", err)
				d.front.Broken(err.Error())
				continue
			}
			d.front.Switched()
		case err := <-dm.Fatal():
			return true, err
		case <-d.ctx.Done():
			return true, nil
		}
	}
}

// project is where the code of a document root is: Composer's projects have it beside the root.
func project(root string) string {
	above := filepath.Dir(root)
	if _, err := os.Stat(filepath.Join(above, "composer.json")); err == nil {
		return above
	}
	return root
}

// front is the URL of the script that answers where nothing else does: the worker script, which is the application, unless it
// is outside of the root, or there is an index.php as well.
func front(root, worker string) string {
	if worker == "" {
		return ""
	}
	if _, err := os.Stat(filepath.Join(root, "index.php")); err == nil {
		return ""
	}
	rel, err := filepath.Rel(root, worker)
	if err != nil || !filepath.IsLocal(rel) {
		return ""
	}
	return "/" + filepath.ToSlash(rel)
}
