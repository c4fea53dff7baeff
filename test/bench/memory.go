package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"php-supervisor/test/harness"
)

// memoryRow is what one server with all its processes weighs, in bytes of PSS. Each is measured when
// no other server runs, so that no page is shared with one.
type memoryRow struct {
	Name    string
	Workers int
	Total   int64
	Manager int64 // php-fpm's master; our supervisor
	Zygote  int64 // ours only
	Worker  int64 // one worker, on average
	Allowed int64 // php-fpm's with as many children, plus one supervisor; 0: says nothing
}

// memory weighs php-fpm and ours with eight workers, after each has served.
func (b *bench) memory() ([]memoryRow, error) {
	const workers = 8
	var rows []memoryRow
	var fpm int64 // what php-fpm weighs with the same application
	for _, c := range []struct {
		name  string
		root  string
		front string
		path  string
		pool  harness.Pool
		start func(harness.Pool) (*harness.Server, error)
	}{
		{"PSS: hello world, php-fpm", b.php, "", "/hello.php", b.pool("php-fpm-8", workers, ""), b.stage.StartFPM},
		{"PSS: hello world, ours", b.php, "", "/hello.php", b.pool("ours-8", workers, ""), b.start},
		{"PSS: Symfony, php-fpm", b.symfony.Root, "/index.php", "/", b.pool("php-fpm-symfony-8", workers, ""), b.stage.StartFPM},
		{"PSS: Symfony, ours, booted each time", b.symfony.Root, "/index.php", "/", b.pool("ours-symfony-8", workers, ""), b.start},
		{"PSS: Symfony, ours, worker mode", b.symfony.Root, "/index.php", "/", b.pool("ours-worker-8", workers, b.symfony.Worker), b.start},
	} {
		if !b.only.MatchString(c.name) {
			continue
		}
		if c.front != "" {
			c.pool.Ready = c.root + c.front
		}
		srv, err := c.start(c.pool)
		if err != nil {
			return nil, err
		}
		site := &harness.Site{Name: c.pool.Name, Root: c.root, Socket: srv.Socket, Front: c.front, FrontAll: c.front != ""}
		nginx, err := b.stage.StartNginx(site)
		if err != nil {
			return nil, err
		}
		// Every worker has to have served, or its memory says little.
		if _, err := wrkGet(site.URL(c.path), 2*workers, 2*time.Second); err != nil {
			return nil, err
		}
		r := memoryRow{Name: c.name, Workers: workers}
		all := srv.PIDs()
		r.Total = harness.Measure(all...).PSS
		list := srv.Workers()
		if len(list) != workers {
			return nil, fmt.Errorf("%s: %d workers, want %d", c.name, len(list), workers)
		}
		r.Worker = harness.Measure(list...).PSS / workers
		r.Zygote = harness.Measure(srv.Zygotes()...).PSS
		r.Manager = harness.Measure(srv.PID).PSS
		switch {
		case strings.HasSuffix(c.name, "php-fpm"):
			fpm = r.Total
		case c.pool.Worker == "" && fpm > 0: // a booted application has its price
			r.Allowed = fpm + r.Manager
		}
		rows = append(rows, r)
		fmt.Fprintf(os.Stderr, "%s: %.1f MiB\n", r.Name, mib(r.Total))
		if err := nginx.Stop(); err != nil {
			return nil, err
		}
		if err := srv.Stop(); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }
