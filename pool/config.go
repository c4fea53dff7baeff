package pool

import (
	"io"
	"time"

	"github.com/hashicorp/go-hclog"

	"php-supervisor/fcgi"
	"php-supervisor/recycle"
)

// Config is all that makes a pool. A reload brings a new one; the name stays.
type Config struct {
	Name       string
	Command    Command
	Directives []Directive // handed to the zygote, docs/PROTOCOL.md has the keys
	Sizing     Sizing
	Recycle    recycle.Policy

	QueueLimit   int           // most requests that wait for a worker; 0 is none
	QueueTimeout time.Duration // longest wait; 0 is no limit
	// RequestTimeout is php-fpm's request_terminate_timeout; 0 is none.
	RequestTimeout time.Duration
	// DrainTimeout is php-fpm's process_control_timeout: how long a worker of an old generation
	// may go on with its request before it is terminated, and killed after the same time again; 0 is no limit.
	DrainTimeout time.Duration
	// BootTimeout is how long a zygote may take to preload, and a worker to boot its script; 0 is a minute.
	BootTimeout time.Duration
	// CatchOutput has workers' standard output and error delivered to Hooks.Output; else they go nowhere, as with php-fpm's catch_workers_output = no.
	CatchOutput bool
}

// Hooks is what a pool tells others. All may be called from several goroutines at once; nil ones are not called.
type Hooks struct {
	Log hclog.Logger
	// Output returns where to write what a process prints; it is closed when the process and all that inherited its output have gone.
	Output func(Source) io.WriteCloser
	// PHPLog takes a whole message of PHP's error log, valid during the call.
	PHPLog func(pool string, pid int, severity uint8, text []byte)
	// Access is called when a request has ended; r and res are valid during the call.
	Access func(pool string, pid int, r *fcgi.Request, res *fcgi.Result)
}

const (
	defaultBootTimeout = time.Minute
	spawnTimeout       = 5 * time.Second // to take a SPAWN message, and from there to HELLO

	// A boot that fails is tried again after minBackoff, doubled each time up to maxBackoff.
	minBackoff = 100 * time.Millisecond
	maxBackoff = 10 * time.Second
)

func backoff(failures int) time.Duration {
	if failures <= 0 {
		return 0
	}
	return min(minBackoff<<min(failures-1, 10), maxBackoff)
}
