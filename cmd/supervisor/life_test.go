package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"php-supervisor/internal/control"
	"php-supervisor/internal/phpext"
	"php-supervisor/pool"
)

func TestStopper(t *testing.T) {
	const g, f = stopGracefully, stopFast
	tests := []struct {
		wishes []action
		news   []bool
		hurry  bool
	}{
		{[]action{g}, []bool{true}, false},
		{[]action{g, g}, []bool{true, false}, false},
		{[]action{f}, []bool{true}, true},
		{[]action{g, f, f}, []bool{true, true, false}, true},
		{[]action{f, g}, []bool{true, false}, true},
	}
	for _, tt := range tests {
		s := newStopper()
		limit, cancel := s.deadline(0)
		var news []bool
		for _, w := range tt.wishes {
			news = append(news, s.stop(w))
		}
		if diff := cmp.Diff(tt.news, news); diff != "" {
			t.Errorf("%v: news (-want +got):\n%s", tt.wishes, diff)
		}
		if got := limit.Err() != nil; got != tt.hurry {
			t.Errorf("%v: in a hurry %v, want %v", tt.wishes, got, tt.hurry)
		}
		select {
		case <-s.requested:
		default:
			t.Errorf("%v: not requested", tt.wishes)
		}
		cancel()
		s.fast()
	}
}

func TestStopperDeadline(t *testing.T) {
	s := newStopper()
	limit, cancel := s.deadline(time.Hour)
	defer cancel()
	if _, ok := limit.Deadline(); !ok || limit.Err() != nil {
		t.Error("process_control_timeout is no deadline")
	}
	s.stop(stopFast)
	if limit.Err() == nil {
		t.Error("a fast stop waits")
	}
}

func TestReloaderJoinsWhoWaits(t *testing.T) {
	begun, proceed := make(chan struct{}), make(chan struct{})
	var times atomic.Int32
	broken := errors.New("broken")
	r := newReloader(func(context.Context) error {
		n := times.Add(1)
		begun <- struct{}{}
		<-proceed
		if n == 2 {
			return broken
		}
		return nil
	})
	ended := make(chan error, 1)
	go func() { ended <- r.execute() }()
	first := r.ask()
	<-begun
	var later []<-chan error // during the first: none of them is served by it, all by the second
	for range 25 {
		later = append(later, r.ask())
	}
	proceed <- struct{}{}
	if err := <-first; err != nil {
		t.Errorf("first: %v", err)
	}
	<-begun
	proceed <- struct{}{}
	for _, c := range later {
		if err := <-c; !errors.Is(err, broken) {
			t.Errorf("later: %v", err)
		}
	}
	r.interrupt()
	<-ended
	if n := times.Load(); n != 2 {
		t.Errorf("%d reloads", n)
	}
	if err := r.reload(t.Context()); !errors.Is(err, errStopping) {
		t.Errorf("afterwards: %v", err)
	}
}

func TestReloadOutlivesWhoAsked(t *testing.T) {
	begun, proceed := make(chan struct{}), make(chan struct{})
	r := newReloader(func(ctx context.Context) error {
		close(begun)
		<-proceed
		return ctx.Err()
	})
	ended := make(chan error, 1)
	go func() { ended <- r.execute() }()
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() { gone <- r.reload(ctx) }()
	<-begun
	result := r.ask() // of the next one, which comes only if this one ends
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	r.do = func(context.Context) error { return nil } // read after proceed
	close(proceed)
	if err := <-result; err != nil {
		t.Errorf("got %v", err)
	}
	r.interrupt()
	<-ended
}

func TestSignalsDuring(t *testing.T) {
	s := catchSignals(signalActions())
	defer s.release()
	s.during(func(interrupted <-chan struct{}) {
		s.raw <- unix.SIGUSR2
		s.raw <- unix.SIGUSR2
		s.raw <- unix.SIGTERM
		<-interrupted
	})
	got := map[os.Signal]int{}
	for len(s.raw) > 0 {
		got[<-s.raw]++
	}
	if diff := cmp.Diff(map[os.Signal]int{unix.SIGUSR2: 1, unix.SIGTERM: 1}, got); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}

func TestLimitProcessors(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	for _, tt := range []struct {
		env       string
		have, got int
	}{{"", 1, 1}, {"", 2, 1}, {"", 4, 1}, {"", 8, 2}, {"", 32, 8}, {"6", 6, 6}} {
		t.Setenv("GOMAXPROCS", tt.env)
		runtime.GOMAXPROCS(tt.have)
		limitProcessors()
		if got := runtime.GOMAXPROCS(0); got != tt.got {
			t.Errorf("GOMAXPROCS=%q, %d cores: got %d, want %d", tt.env, tt.have, got, tt.got)
		}
	}
}

func TestExitStatus(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("x"), statusSoftware},
		{exitf(statusUsage, "x"), statusUsage},
		{fmt.Errorf("a: %w", exitf(statusConfig, "x")), statusConfig},
		{&phpext.Problem{Text: "x"}, statusConfig},
		{&exit{status: 1}, 1},
	} {
		if got := exitStatus(tt.err); got != tt.want {
			t.Errorf("%v: got %d, want %d", tt.err, got, tt.want)
		}
	}
}

func TestComplain(t *testing.T) {
	var b strings.Builder
	complain(&b, errors.New("one\ntwo"))
	complain(&b, &exit{status: 1})
	if want := "supervisor: one\nsupervisor: two\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestDialed(t *testing.T) {
	for addr, want := range map[string]string{
		"":               "tcp 127.0.0.1:9000",
		"9001":           "tcp 127.0.0.1:9001",
		":9001":          "tcp 127.0.0.1:9001",
		"[::1]:9001":     "tcp [::1]:9001",
		"host:9001":      "tcp host:9001",
		"/run/x.sock":    "unix /run/x.sock",
		"./x.sock":       "unix ./x.sock",
		"no-port-at-all": "error",
	} {
		c, err := dialed(addr)
		got := c.Network + " " + c.Address
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", addr, got, want)
		}
	}
}

func TestWriteStatus(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	s := control.Status{Version: "1.0", PID: 7, Started: now.Add(-90 * time.Second), Config: "/etc/x.conf", Pools: []pool.Status{{
		Name: "www", Manager: "static", Generation: 3, Zygote: 8, Idle: 1, Active: 1, Queue: 2, MaxQueue: 5, OldestWait: 1500 * time.Millisecond,
		Counters: pool.Counters{Accepted: 100, Rejected: 1, Lost: 2, TimedOut: 3, MaxActive: 2, MaxChildrenReached: 4},
		Workers: []pool.WorkerStatus{
			{Pid: 10, State: "idle", Started: now.Add(-80 * time.Second), Requests: 50, For: 20 * time.Millisecond, Private: 12 << 20, Peak: 2 << 20},
			{Pid: 11, State: "busy", Started: now.Add(-80 * time.Second), Requests: 49, For: time.Second, Request: "GET /\x1b[2J", Reason: "too old"},
		},
	}}}
	var b strings.Builder
	if err := writeStatus(&b, s, now); err != nil {
		t.Fatal(err)
	}
	want := `supervisor 1.0, pid 7, up 1m30s, configuration /etc/x.conf

pool www: static, generation 3, zygote 8
  workers   1 idle, 1 active, 0 starting, 0 draining; most active 2; at pm.max_children 4 times
  queue     2, most 5, oldest waits 1.5s
  requests  100 accepted, 1 rejected, 2 lost, 3 timed out
  PID  STATE  FOR   AGE    REQUESTS  PRIVATE  PEAK  REQUEST
  10   idle   20ms  1m20s  50        12.0M    2.0M
  11   busy   1s    1m20s  49        -        -     GET /?[2J (leaves: too old)
`
	var got []string
	for line := range strings.Lines(b.String()) {
		got = append(got, strings.TrimRight(line, " \n"))
	}
	if diff := cmp.Diff(want, strings.Join(got, "\n")+"\n"); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
