package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"php-supervisor/internal/config"
	"php-supervisor/internal/control"
	"php-supervisor/pool"
)

// running says which supervisor is meant.
type running struct {
	Control string `type:"path" placeholder:"FILE" xor:"where" help:"Its admin socket."`
	Config  string `short:"y" type:"path" placeholder:"FILE" xor:"where" help:"Its configuration file, which says where its admin socket is."`
}

func (r *running) client() (control.Client, error) {
	path := r.Control
	if r.Config != "" {
		cfg, _, err := config.Load(r.Config, config.Options{AllowRoot: true, TestOnly: true})
		if err != nil {
			return control.Client{}, err
		}
		path = control.Path(cfg.Global.Control, cfg.Global.PID)
	} else if path == "" {
		path = control.Path("", "")
	}
	if path == "" {
		return control.Client{}, exitf(statusUsage, "say which supervisor is meant with --control or --config: XDG_RUNTIME_DIR is not set")
	}
	return control.Client{Path: path}, nil
}

// interruptible is a context that ends with Ctrl-C.
func interruptible() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
}

type reloadCmd struct{ running }

func (c *reloadCmd) Run() error {
	client, err := c.client()
	if err != nil {
		return err
	}
	ctx, cancel := interruptible()
	defer cancel()
	return client.Reload(ctx)
}

type stopCmd struct {
	running
	Fast bool `help:"Do not wait for requests."`
}

func (c *stopCmd) Run() error {
	client, err := c.client()
	if err != nil {
		return err
	}
	ctx, cancel := interruptible()
	defer cancel()
	return client.Stop(ctx, c.Fast)
}

type statusCmd struct {
	running
	JSON bool `name:"json" help:"All there is, as JSON."`
}

func (c *statusCmd) Run(con console) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s, err := client.Status(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		e := json.NewEncoder(con.out)
		e.SetIndent("", "  ")
		return e.Encode(s)
	}
	return writeStatus(con.out, s, time.Now())
}

// writeStatus writes a status for people.
func writeStatus(w io.Writer, s control.Status, now time.Time) error {
	config := s.Config
	if config == "" {
		config = "from flags"
	}
	fmt.Fprintf(w, "supervisor %s, pid %d, up %s, configuration %s\n", s.Version, s.PID, age(now.Sub(s.Started)), config)
	for _, p := range s.Pools {
		fmt.Fprintf(w, "\npool %s: %s, generation %d, zygote %d\n", p.Name, p.Manager, p.Generation, p.Zygote)
		fmt.Fprintf(w, "  workers   %d idle, %d active, %d starting, %d draining; most active %d; at pm.max_children %d times\n",
			p.Idle, p.Active, p.Starting, p.Draining, p.Counters.MaxActive, p.Counters.MaxChildrenReached)
		fmt.Fprintf(w, "  queue     %d, most %d, oldest waits %s\n", p.Queue, p.MaxQueue, age(p.OldestWait))
		fmt.Fprintf(w, "  requests  %d accepted, %d rejected, %d lost, %d timed out\n",
			p.Counters.Accepted, p.Counters.Rejected, p.Counters.Lost, p.Counters.TimedOut)
		if err := writeWorkers(w, p.Workers, now); err != nil {
			return err
		}
	}
	return nil
}

func writeWorkers(w io.Writer, workers []pool.WorkerStatus, now time.Time) error {
	if len(workers) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  PID\tSTATE\tFOR\tAGE\tREQUESTS\tPRIVATE\tPEAK\tREQUEST\t")
	for _, k := range workers {
		what := k.Request
		if k.Reason != "" {
			what = strings.TrimSpace(what + " (leaves: " + k.Reason + ")")
		}
		fmt.Fprintf(t, "  %d\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t\n",
			k.Pid, k.State, age(k.For), age(now.Sub(k.Started)), k.Requests, mebibytes(k.Private), mebibytes(k.Peak), printable(what))
	}
	return t.Flush()
}

// age is a duration in no more detail than somebody looking at it needs.
func age(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

func mebibytes(n uint64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1fM", float64(n)/(1<<20))
}

// printable keeps what comes from requests from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}
