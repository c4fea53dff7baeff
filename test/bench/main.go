// Command bench measures our supervisor beside Debian's php-fpm, in one interleaved run: both run at
// the same time under one nginx, with the same number of workers, the same php.ini and the same
// scripts, and are asked in turn, in alternating order. It prints medians and ratios.
//
// The figures of one run compare with each other and with nothing else.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"syscall"
	"time"

	"php-supervisor/test/apps"
	"php-supervisor/test/harness"
)

type options struct {
	duration time.Duration
	rounds   int
	clients  int
	workers  int
	only     *regexp.Regexp
	json     string
	markdown string
	onlyFPM  bool
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	var o options
	var only string
	flag.DurationVar(&o.duration, "duration", 2*time.Second, "of one round of one server, whole seconds")
	flag.IntVar(&o.rounds, "rounds", 9, "of which the median counts; many short ones, since a machine's speed drifts")
	flag.IntVar(&o.clients, "clients", 16, "connections of wrk")
	flag.IntVar(&o.workers, "workers", 4, "PHP processes of each server")
	flag.StringVar(&only, "only", "", "regular expression: measure only what it matches")
	flag.StringVar(&o.json, "json", "", "also write the results to this file as JSON")
	flag.StringVar(&o.markdown, "markdown", "", "also write the tables to this file")
	flag.BoolVar(&o.onlyFPM, "only-fpm", false, "measure php-fpm alone, on both sides")
	flag.Parse()
	if o.only, err = regexp.Compile(only); err != nil {
		return err
	}

	stage, err := harness.NewStage()
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := stage.Close(); err == nil {
			err = closeErr
		}
	}()
	// Ctrl-C ends the run by way of the deferred Close.
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-interrupted
		stage.Close()
		os.Exit(130)
	}()

	b := &bench{options: o, stage: stage}
	if err := b.lay(); err != nil {
		return err
	}
	r := &report{Machine: machine(), Duration: o.duration.String(), Rounds: o.rounds, Clients: o.clients, Workers: o.workers}
	if r.Throughput, err = b.throughput(); err != nil {
		return err
	}
	if r.Memory, err = b.memory(); err != nil {
		return err
	}
	fmt.Print(r.markdown())
	if o.markdown != "" {
		if err := os.WriteFile(o.markdown, []byte(r.markdown()), 0o644); err != nil {
			return err
		}
	}
	if o.json != "" {
		out, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		return os.WriteFile(o.json, append(out, '\n'), 0o644)
	}
	return nil
}

// bench is the run.
type bench struct {
	options
	stage   *harness.Stage
	php     string // document root of the plain scripts
	wiki    *apps.DokuWiki
	symfony *apps.Symfony
	lines   []string // directives of every pool
}

func (b *bench) lay() error {
	var err error
	if b.php, err = apps.LayPHP(b.stage.Path("php")); err != nil {
		return err
	}
	// One instance for both: they are asked in turn, and what they write is sessions.
	if b.wiki, err = apps.LayDokuWiki(b.stage.Path("wiki"), "bench", b.stage.Owner); err != nil {
		return err
	}
	if b.symfony, err = apps.LaySymfony(b.stage.Path("symfony"), "php8.2", b.stage.Owner); err != nil {
		return err
	}
	tmp, err := b.stage.Writable("tmp")
	if err != nil {
		return err
	}
	b.lines = []string{
		"php_value[session.save_path] = " + tmp,
		"php_admin_value[upload_tmp_dir] = " + tmp,
		"php_admin_value[sys_temp_dir] = " + tmp,
		"php_admin_value[post_max_size] = 256M",
		"php_admin_value[upload_max_filesize] = 256M",
	}
	return nil
}

func (b *bench) pool(name string, workers int, worker string) harness.Pool {
	return harness.Pool{Name: name, Children: workers, Lines: b.lines, Ready: b.php + "/ready.php", Worker: worker}
}

// start starts one of ours, or with -only-fpm another php-fpm in its place.
func (b *bench) start(p harness.Pool) (*harness.Server, error) {
	if !b.onlyFPM {
		return b.stage.StartSupervisor(p)
	}
	p.Worker = ""
	return b.stage.StartFPM(p)
}

// contender is one server under one nginx site.
type contender struct {
	site *harness.Site
	srv  *harness.Server
}

// workload is one row: the same work for php-fpm and for us.
type workload struct {
	name    string
	path    string
	load    loader // nil: wrk with GET
	clients int    // 0: the option's
	fpm     contender
	ours    contender
	target  float64 // the least ratio of requests a second that we want; 0: none
}

func (b *bench) throughput() ([]row, error) {
	fpm, err := b.stage.StartFPM(b.pool("php-fpm", b.workers, ""))
	if err != nil {
		return nil, err
	}
	// Connections that nginx keeps open occupy php-fpm's children for good: a php-fpm of its own.
	fpmForKept, err := b.stage.StartFPM(b.pool("php-fpm-kept", b.workers, ""))
	if err != nil {
		return nil, err
	}
	classic, err := b.start(b.pool("classic", b.workers, ""))
	if err != nil {
		return nil, err
	}
	worker, err := b.start(func() harness.Pool {
		p := b.pool("worker", b.workers, b.symfony.Worker)
		p.Ready = b.symfony.Root + "/index.php"
		return p
	}())
	if err != nil {
		return nil, err
	}
	var sites []*harness.Site
	on := func(srv *harness.Server, root, front string, keep int) contender {
		site := &harness.Site{Name: fmt.Sprintf("%s%d", srv.Name, len(sites)), Root: root, Socket: srv.Socket, KeepConn: keep, Front: front, FrontAll: front != ""}
		sites = append(sites, site)
		return contender{site: site, srv: srv}
	}
	// What nginx keeps open to us is not bound to workers. Each of php-fpm's children serves one
	// connection until it ends, so there must be no more of them.
	keep := 64
	if b.onlyFPM {
		keep = 0
	}
	fpmPlain, fpmKept := on(fpm, b.php, "", 0), on(fpmForKept, b.php, "", b.workers)
	kept, plain := on(classic, b.php, "", keep), on(classic, b.php, "", 0)
	fpmWiki, wiki := on(fpm, b.wiki.Root, "", 0), on(classic, b.wiki.Root, "", keep)
	fpmSymfony, symfony := on(fpm, b.symfony.Root, "/index.php", 0), on(classic, b.symfony.Root, "/index.php", keep)
	symfonyWorker := on(worker, b.symfony.Root, "/index.php", keep)
	nginx, err := b.stage.StartNginx(sites...)
	if err != nil {
		return nil, err
	}
	defer nginx.Stop()

	jsonPost, err := wrkPost(b.stage.Path("post.lua"), jsonBody(2048))
	if err != nil {
		return nil, err
	}
	workloads := []workload{
		{name: "hello world, kept alive", path: "/hello.php", fpm: fpmPlain, ours: kept, target: 1.2},
		{name: "hello world, a connection a request", path: "/hello.php", fpm: fpmPlain, ours: plain, target: 0.9},
		{name: fmt.Sprintf("hello world, both kept alive, %d clients", b.workers), path: "/hello.php", clients: b.workers, fpm: fpmKept, ours: kept},
		{name: "2 KiB JSON post", path: "/json.php", load: jsonPost, fpm: fpmPlain, ours: kept},
		{name: "1 MiB response", path: "/big.php", fpm: fpmPlain, ours: kept},
		{name: "100 MiB upload", path: "/upload.php", load: upload(100 << 20), clients: 2, fpm: fpmPlain, ours: kept},
		{name: "DokuWiki's front page", path: "/doku.php", fpm: fpmWiki, ours: wiki},
		{name: "Symfony, booted each time", path: "/", fpm: fpmSymfony, ours: symfony, target: 1.0},
		{name: "Symfony, worker mode", path: "/", fpm: fpmSymfony, ours: symfonyWorker, target: 2.3},
	}
	var rows []row
	for _, w := range workloads {
		if !b.only.MatchString(w.name) {
			continue
		}
		r, err := b.measure(w, nginx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", w.name, err, b.stage.Logs(10))
		}
		fmt.Fprintln(os.Stderr, r.progress())
		rows = append(rows, r)
	}
	for _, srv := range []*harness.Server{fpm, fpmForKept, classic, worker} {
		if err := srv.Stop(); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// measure runs the rounds of one workload, php-fpm first in one round and we in the next.
func (b *bench) measure(w workload, nginx *harness.Nginx) (row, error) {
	load, clients := w.load, w.clients
	if load == nil {
		load = wrkGet
	}
	if clients == 0 {
		clients = b.clients
	}
	one := func(c contender, d time.Duration) (sample, error) {
		pids := func() []int { return append(nginx.PIDs(), c.srv.PIDs()...) }
		before := harness.Measure(pids()...)
		s, err := load(c.site.URL(w.path), clients, d)
		if err != nil {
			return s, fmt.Errorf("%s: %w", c.site.Name, err)
		}
		s.CPU = (harness.Measure(pids()...).CPU - before.CPU) / time.Duration(max(1, s.Requests))
		return s, nil
	}
	var fpm, ours []sample
	for _, c := range []contender{w.fpm, w.ours} { // compile, warm up, grow the pools of buffers
		if _, err := one(c, time.Second); err != nil {
			return row{}, err
		}
	}
	for round := range b.rounds {
		turn := []func() error{
			func() error {
				s, err := one(w.fpm, b.duration)
				fpm = append(fpm, s)
				return err
			},
			func() error {
				s, err := one(w.ours, b.duration)
				ours = append(ours, s)
				return err
			},
		}
		if round%2 == 1 {
			slices.Reverse(turn)
		}
		for _, t := range turn {
			if err := t(); err != nil {
				return row{}, err
			}
		}
	}
	return newRow(w, fpm, ours), nil
}
