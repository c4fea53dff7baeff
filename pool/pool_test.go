package pool

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"php-supervisor/fcgi"
	"php-supervisor/recycle"
)

// rig is a pool with a FastCGI server in front of it.
type rig struct {
	*testing.T
	rp   *Reaper
	pool *Pool
	addr string
	log  *lockedBuffer
	out  *lockedBuffer
	end  func(context.Context)
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) Close() error { return nil }

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// newRig makes a pool without workers. At the test's end it checks that no process and no descriptor is left.
func newRig(t *testing.T) *rig {
	t.Helper()
	before := descriptors(t)
	rp, err := NewReaper()
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{T: t, rp: rp, log: &lockedBuffer{}, out: &lockedBuffer{}, addr: filepath.Join(t.TempDir(), "sock")}
	r.pool = New("www", rp, Hooks{
		Log:    hclog.New(&hclog.LoggerOptions{Output: r.log, Level: hclog.Debug}),
		Output: func(Source) io.WriteCloser { return r.out },
	})
	srv := &fcgi.Server{Backend: r.pool, Retry: func() bool { return true }}
	l := listenUnix(t, r.addr)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	var once sync.Once
	r.end = func(ctx context.Context) {
		once.Do(func() {
			_ = srv.Shutdown(ctx)
			r.pool.Stop(ctx)
			<-served
			rp.Close()
		})
	}
	t.Cleanup(func() {
		r.end(ended())
		if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); !errors.Is(err, syscall.ECHILD) {
			t.Errorf("a child is left: %d, %v", pid, err)
		}
		r.eventually("as many descriptors as before", func() bool { return descriptors(t) <= before })
		if t.Failed() {
			t.Logf("log:\n%s", r.log)
		}
	})
	return r
}

func listenUnix(t *testing.T, path string) *fcgi.Listener {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 64)); err != nil {
		t.Fatal(err)
	}
	l, err := fcgi.NewListener(os.NewFile(uintptr(fd), path))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func descriptors(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// eventually waits for a condition. The deadline is only for a test that fails.
func (r *rig) eventually(what string, cond func() bool) {
	r.Helper()
	for end := time.Now().Add(20 * time.Second); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			r.Errorf("did not come true: %s; status %+v", what, r.pool.Status())
			return
		}
	}
}

func (r *rig) config(sizing Sizing, ds ...Directive) Config {
	r.Helper()
	ext, err := os.Open(os.DevNull) // the stand-in loads no extension
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { ext.Close() })
	return Config{
		Name:       "www",
		Command:    Command{Binary: fakePHP, Extension: ext, Env: os.Environ()},
		Directives: ds,
		Sizing:     sizing, QueueLimit: 100, CatchOutput: true,
	}
}

func static(n int) Sizing { return Sizing{Mode: Static, MaxChildren: n} }

func (r *rig) start(c Config) {
	r.Helper()
	if err := r.pool.Start(context.Background(), c); err != nil {
		r.Fatalf("Start: %v", err)
	}
}

// get makes a request that must be answered, and returns the status and the worker's pid.
func (r *rig) get(uri string) (status, pid int) {
	r.Helper()
	body, status, err := get(r.addr, uri)
	if err != nil {
		r.Errorf("GET %s: %v", uri, err)
	}
	first, _, _ := strings.Cut(body, " ")
	pid, _ = strconv.Atoi(first)
	return status, pid
}

// want makes a request that must be answered with status, and returns the worker's pid.
func (r *rig) want(status int, uri string) (pid int) {
	r.Helper()
	got, pid := r.get(uri)
	if got != status {
		r.Errorf("GET %s: status %d, want %d", uri, got, status)
	}
	return pid
}

// hold starts a request that lasts until release is called; release returns its status.
func (r *rig) hold(uri string) (release func() int) {
	r.Helper()
	f := filepath.Join(r.TempDir(), "hold")
	if err := os.WriteFile(f, nil, 0o600); err != nil {
		r.Fatal(err)
	}
	status := make(chan int, 1)
	before := r.pool.Status()
	go func() {
		_, s, _ := get(r.addr, uri+"?"+f)
		status <- s
	}()
	r.eventually("the request is at a worker, or waits for one", func() bool {
		s := r.pool.Status()
		return s.Active+s.Queue > before.Active+before.Queue
	})
	return func() int {
		os.Remove(f)
		return <-status
	}
}

func (r *rig) logged(text string) {
	r.Helper()
	r.eventually("the log has "+strconv.Quote(text), func() bool { return strings.Contains(r.log.String(), text) })
}

// failures is how many boots have failed in a row, and how many workers had been forked at that moment.
func (r *rig) failures() (failed, forked int) {
	done := make(chan struct{})
	r.pool.post(func() {
		r.pool.mu.Lock()
		defer r.pool.mu.Unlock()
		failed, forked = r.pool.cur.failures, int(r.pool.counts.Spawned)
		close(done)
	})
	<-done
	return failed, forked
}

func (r *rig) idle(n int) {
	r.Helper()
	r.eventually(strconv.Itoa(n)+" idle workers", func() bool { s := r.pool.Status(); return s.Idle == n && s.Starting == 0 })
}

func TestServes(t *testing.T) {
	r := newRig(t)
	r.start(r.config(static(2)))
	s := r.pool.Status()
	if s.Idle != 2 || len(s.Workers) != 2 || s.Zygote == 0 {
		t.Errorf("after Start: %+v", s)
	}
	first := r.want(200, "/")
	r.eventually("the worker is idle again", func() bool { return r.pool.Status().Idle == 2 })
	if second := r.want(200, "/"); second != first {
		t.Errorf("a second request went to worker %d; the last one used, %d, was idle", second, first)
	}
}

func TestWorkersAreOurChildren(t *testing.T) {
	r := newRig(t)
	r.start(r.config(static(1)))
	pid := r.want(200, "/")
	r.eventually("the worker's parent is this process", func() bool { // the intermediate process may take its time to leave
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(stat), ") ")
		return strings.Fields(after)[1] == strconv.Itoa(os.Getpid())
	})
}

func TestQueueIsFirstInFirstOut(t *testing.T) {
	r := newRig(t)
	r.start(r.config(static(1)))
	release := r.hold("/wait")
	order := make(chan int, 3)
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			if _, s, err := get(r.addr, "/"); s != 200 {
				t.Errorf("status %d, %v", s, err)
			}
			order <- i
		})
		r.eventually("the request waits", func() bool { return r.pool.Status().Queue == i+1 })
	}
	if got := release(); got != 200 {
		t.Errorf("status %d", got)
	}
	wg.Wait()
	if s := r.pool.Status(); s.MaxQueue != 3 || s.Counters.MaxChildrenReached == 0 {
		t.Errorf("the queue's figures: %+v", s)
	}
}

func TestQueueLimit(t *testing.T) {
	r := newRig(t)
	c := r.config(static(1))
	c.QueueLimit = 1
	r.start(c)
	one, two := r.hold("/wait"), r.hold("/wait")
	r.want(503, "/")
	for _, release := range []func() int{one, two} {
		if got := release(); got != 200 {
			t.Errorf("status %d, want 200", got)
		}
	}
	if got := r.pool.Status().Counters.Rejected; got != 1 {
		t.Errorf("%d rejected, want 1", got)
	}
	r.logged("1 requests were answered with 503: 1 found the listen queue full (pm.queue_limit)")
}

func TestQueueTimeout(t *testing.T) {
	r := newRig(t)
	c := r.config(static(1))
	c.QueueTimeout = 20 * time.Millisecond
	r.start(c)
	release := r.hold("/wait")
	r.want(503, "/")
	if got := release(); got != 200 {
		t.Errorf("status %d, want 200", got)
	}
	r.want(200, "/")
}

func TestRequestTimeout(t *testing.T) {
	r := newRig(t)
	c := r.config(static(1))
	c.RequestTimeout = 50 * time.Millisecond
	r.start(c)
	r.want(504, "/hang")
	r.want(200, "/")
	r.logged(`request "GET /hang" execution timed out`)
	r.logged("request_terminate_timeout")
}

// TestRequestTimeoutOfAnOldGeneration: a reload, or a stop, is no way around request_terminate_timeout.
func TestRequestTimeoutOfAnOldGeneration(t *testing.T) {
	for name, next := range map[string]func(r *rig, c Config){
		"reload": func(r *rig, c Config) { r.start(c) },
		"stop":   func(r *rig, _ Config) { go r.pool.Stop(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			c := r.config(static(1))
			c.RequestTimeout = 500 * time.Millisecond
			r.start(c)
			status := make(chan int, 1)
			go func() {
				_, s, _ := get(r.addr, "/hang")
				status <- s
			}()
			r.eventually("the request is at a worker", func() bool { return r.pool.Status().Active == 1 })
			next(r, c)
			if got := <-status; got != 504 {
				t.Errorf("status %d, want 504", got)
			}
			r.logged("execution timed out")
		})
	}
}

func TestDynamicFollowsTheQueue(t *testing.T) {
	r := newRig(t)
	r.start(r.config(Sizing{Mode: Dynamic, MaxChildren: 4, StartServers: 1, MinSpare: 1, MaxSpare: 2, MaxSpawnRate: 8}))
	var releases []func() int
	for range 4 {
		releases = append(releases, r.hold("/wait"))
	}
	r.eventually("all four are served at once", func() bool { return r.pool.Status().Active == 4 })
	for _, release := range releases {
		if got := release(); got != 200 {
			t.Errorf("status %d", got)
		}
	}
	r.eventually("surplus workers have left", func() bool { s := r.pool.Status(); return s.Idle == 2 && len(s.Workers) == 2 })
	r.logged("pm.max_spare_servers")
}

func TestOnDemandStartsWithNone(t *testing.T) {
	r := newRig(t)
	c := r.config(Sizing{Mode: OnDemand, MaxChildren: 2})
	c.Recycle = recycle.Policy{MaxIdle: 10 * time.Millisecond}
	r.start(c)
	if n := len(r.pool.Status().Workers); n != 0 {
		t.Errorf("%d workers before the first request", n)
	}
	r.want(200, "/")
	r.eventually("the idle worker has left", func() bool { return len(r.pool.Status().Workers) == 0 })
	r.want(200, "/")
}

func TestMaxRequestsIsNeverExceeded(t *testing.T) {
	r := newRig(t)
	c := r.config(static(2))
	c.Recycle = recycle.Policy{MaxRequests: 5}
	r.start(c)
	served := map[int]int{}
	for range 60 {
		served[r.want(200, "/")]++
	}
	for pid, n := range served {
		if n > 5 {
			t.Errorf("worker %d served %d requests, more than pm.max_requests = 5", pid, n)
		}
	}
	r.logged("max_requests")
	r.idle(2)
}

// TestRecyclingKeepsThePoolsSize guards against a replacement for a worker that has left in the meantime being
// counted as above the pool's size, for which another one was forked.
func TestRecyclingKeepsThePoolsSize(t *testing.T) {
	r := newRig(t)
	c := r.config(static(1))
	c.Recycle = recycle.Policy{MaxRequests: 2}
	r.start(c)
	for range 40 {
		r.want(200, "/")
	}
	r.eventually("one worker, and no other", func() bool {
		s := r.pool.Status()
		return len(s.Workers) == 1 && s.Idle == 1
	})
}

func TestReplacementIsReadyFirst(t *testing.T) {
	r := newRig(t)
	c := r.config(static(1))
	c.Recycle = recycle.Policy{MaxLifetime: time.Nanosecond}
	r.start(c)
	var first int
	r.eventually("a worker is idle", func() bool {
		for _, w := range r.pool.Status().Workers {
			if w.State == "idle" {
				first = w.Pid
			}
		}
		return first != 0
	})
	r.eventually("another worker has taken its place", func() bool {
		s := r.pool.Status()
		if s.Idle+s.Active < 1 {
			t.Errorf("the pool was empty: %+v", s)
		}
		for _, w := range s.Workers {
			if w.Pid == first && w.State != "retiring" {
				return false
			}
		}
		return len(s.Workers) > 0
	})
}

func TestCrash(t *testing.T) {
	r := newRig(t)
	r.start(r.config(static(2)))
	r.want(502, "/crash")
	r.logged("on signal 9 (SIGKILL)")
	for line := range strings.Lines(r.log.String()) {
		if strings.Contains(line, "SIGKILL") && !strings.Contains(line, "[WARN]") {
			t.Errorf("a crash is no warning: %s", line)
		}
	}
	r.logged(`lost its request "GET /crash"`)
	r.idle(2)
	r.want(200, "/")
}

func TestCrashIsTriedAgainOnAnotherWorker(t *testing.T) {
	r := newRig(t)
	r.start(r.config(static(2)))
	f := filepath.Join(t.TempDir(), "once")
	if err := os.WriteFile(f, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.want(200, "/crash-once?"+f)
	r.logged("tried again on another worker")
}

func TestIdleWorkerKilled(t *testing.T) {
	r := newRig(t)
	r.start(r.config(static(2)))
	before := r.pool.Status().Workers
	if err := syscall.Kill(before[0].Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r.logged("unexpected, while idle")
	r.idle(2)
	for range 8 {
		r.want(200, "/")
	}
}

func TestGarbageCostsTheWorkerItsLife(t *testing.T) {
	r := newRig(t)
	r.start(r.config(static(1)))
	pid := r.pool.Status().Workers[0].Pid
	r.want(502, "/garbage")
	r.want(200, "/")
	r.eventually("the worker is gone", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
}

func TestFatalErrorReplacesTheWorker(t *testing.T) {
	r := newRig(t)
	r.start(r.config(static(1)))
	first := r.want(200, "/fatal")
	r.idle(1)
	if second := r.want(200, "/"); second == first {
		t.Error("a worker served on after a fatal error")
	}
	r.logged("fatal error")
}

// TestOPcacheWaits: one worker that says so has all replaced, and then those that have booted meanwhile without OPcache; the
// pool never runs dry.
func TestOPcacheWaits(t *testing.T) {
	r := newRig(t)
	r.start(r.config(static(3)))
	old := map[int]bool{}
	for _, w := range r.pool.Status().Workers {
		old[w.Pid] = true
	}
	r.want(200, "/renew")
	r.eventually("all three have been replaced", func() bool {
		s := r.pool.Status()
		if s.Idle+s.Active < 3 && s.Draining == 0 {
			t.Errorf("the pool has shrunk: %+v", s)
		}
		for _, w := range s.Workers {
			if old[w.Pid] {
				return false
			}
		}
		return s.Idle == 3 && s.Starting == 0
	})
	r.logged("OPcache is to start anew")
	r.logged("it booted while OPcache could not be used")
	r.idle(3)
	if n := r.pool.Status().Counters.Spawned; n != 9 {
		t.Errorf("%d workers were forked, want three times three", n)
	}
}

func TestFinishingWorkerIsNotIdle(t *testing.T) {
	r := newRig(t)
	r.start(r.config(static(1)))
	f := filepath.Join(t.TempDir(), "hold")
	if err := os.WriteFile(f, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.want(200, "/finish?"+f) // the response has ended, the request has not
	if s := r.pool.Status(); s.Idle != 0 || s.Active != 1 {
		t.Errorf("status %+v, want one active worker", s)
	}
	os.Remove(f)
	r.idle(1)
}

func TestZygoteKilled(t *testing.T) {
	r := newRig(t)
	r.start(r.config(static(2)))
	zygote := r.pool.Status().Zygote
	if err := syscall.Kill(zygote, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r.eventually("another zygote runs", func() bool { z := r.pool.Status().Zygote; return z != 0 && z != zygote })
	r.want(502, "/crash")
	r.idle(2) // the new zygote forks
	r.logged("its workers go on")
}

func TestReloadUnderLoad(t *testing.T) {
	r := newRig(t)
	r.start(r.config(static(2), Directive{"generation", "1"}))
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, status, err := get(r.addr, "/"); status != 200 {
					t.Errorf("status %d, %v", status, err)
					return
				}
			}
		})
	}
	for range 5 {
		r.start(r.config(static(2), Directive{"generation", "2"}))
	}
	cancel()
	wg.Wait()
	if body, _, _ := get(r.addr, "/"); !strings.HasSuffix(body, " 2") {
		t.Errorf("served by %q, want generation 2", body)
	}
	r.eventually("old generations are gone", func() bool { return len(r.pool.Status().Workers) == 2 })
}

func TestReloadLetsRequestsFinish(t *testing.T) {
	r := newRig(t)
	r.start(r.config(static(1)))
	release := r.hold("/wait")
	r.start(r.config(static(1)))
	if s := r.pool.Status(); s.Draining != 1 || s.Idle != 1 {
		t.Errorf("after the switch: %+v", s)
	}
	r.want(200, "/")
	if got := release(); got != 200 {
		t.Errorf("status %d, want 200 from the old generation", got)
	}
}

func TestReloadDeadline(t *testing.T) {
	r := newRig(t)
	r.start(r.config(static(1)))
	release := r.hold("/hang")
	c := r.config(static(1))
	c.DrainTimeout = 20 * time.Millisecond
	r.start(c)
	if got := release(); got != 503 {
		t.Errorf("status %d, want 503 for what was cut off", got)
	}
	r.logged(`is terminated in its request "GET /hang`)
}

func TestBrokenReloadChangesNothing(t *testing.T) {
	for _, tt := range []struct{ name, key, value, want string }{
		{"the zygote dies", "zygote", "broken", "preload is broken"},
		{"a worker dies", "boot", "broken", "worker.php is broken"},
		{"a worker is never ready", "boot", "never ready", "did not get ready"},
		{"the zygote is never ready", "zygote", "hang", "on signal 9"},
		{"the zygote talks nonsense", "zygote", "garbage", "on signal 9"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.start(r.config(static(1)))
			before := r.want(200, "/")
			c := r.config(static(1), Directive{tt.key, tt.value})
			c.BootTimeout = 500 * time.Millisecond
			if tt.value == "broken" {
				c.BootTimeout = time.Minute
			}
			err := r.pool.Start(context.Background(), c)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Reload: %v; want an error with %q", err, tt.want)
			}
			if after := r.want(200, "/"); after != before {
				t.Errorf("served by %d, want the old worker %d", after, before)
			}
			r.eventually("nothing of the broken generation is left", func() bool { return len(r.pool.Status().Workers) == 1 })
		})
	}
}

func TestBootFailureIsNoStorm(t *testing.T) {
	r := newRig(t)
	err := r.pool.Start(context.Background(), r.config(static(2), Directive{"boot", "broken"}))
	if err == nil || !strings.Contains(err.Error(), "exited with code 3") {
		t.Errorf("Start: %v", err)
	}
	if n := r.pool.Status().Counters.Spawned; n > 2 {
		t.Errorf("%d workers were forked for a start with two", n)
	}
}

// TestBootFailureOfAReplacementStartsOneWorkerATime guards against a worker's death being answered with another start
// before its failure to boot has been counted; and against a reason that nobody listened to.
func TestBootFailureOfAReplacementStartsOneWorkerATime(t *testing.T) {
	r := newRig(t)
	broken := filepath.Join(t.TempDir(), "broken")
	c := r.config(static(1), Directive{"boot", "broken@" + broken})
	c.CatchOutput = false
	r.start(c)
	pid := r.want(200, "/")
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	failures, forked := 0, 0
	r.eventually("several failures to boot", func() bool {
		failures, forked = r.failures()
		return failures >= 3
	})
	// The first worker, and one for each failure; one more may be on its way.
	if forked > failures+2 {
		t.Errorf("%d workers were forked for %d failures", forked, failures)
	}
	r.logged("worker.php is broken")
	if n := strings.Count(r.log.String(), "boot failed, trying again"); n != 1 {
		t.Errorf("reported %d times", n)
	}
	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	r.idle(1)
	r.want(200, "/")
}

func TestLaterReloadWins(t *testing.T) {
	r := newRig(t)
	r.start(r.config(static(1)))
	slow := make(chan error, 1)
	go func() {
		slow <- r.pool.Start(context.Background(), r.config(static(1), Directive{"zygote", "hang"}))
	}()
	r.eventually("the slow reload is under way", func() bool {
		got := make(chan bool, 1)
		return r.pool.post(func() { got <- r.pool.next != nil }) && <-got
	})
	r.start(r.config(static(1)))
	if err := <-slow; !errors.Is(err, ErrSuperseded) {
		t.Errorf("the overtaken reload: %v, want %v", err, ErrSuperseded)
	}
}

func TestStopLetsRequestsFinish(t *testing.T) {
	r := newRig(t)
	r.start(r.config(static(2)))
	release := r.hold("/wait")
	stopped := make(chan struct{})
	go func() {
		r.end(context.Background())
		close(stopped)
	}()
	select {
	case <-stopped:
		t.Error("stopped in the middle of a request")
	case <-time.After(20 * time.Millisecond): // gives a wrong Stop time to return; a right one is only waited for
	}
	if got := release(); got != 200 {
		t.Errorf("status %d, want 200", got)
	}
	<-stopped
}

func TestStopKillsWhoDoesNotLeave(t *testing.T) {
	r := newRig(t)
	r.start(r.config(static(2), Directive{"leave", "never"}))
	r.hold("/hang")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	r.end(ctx) // returns only when all have been reaped
}

func TestOutputArrives(t *testing.T) {
	r := newRig(t)
	r.start(r.config(static(1)))
	r.want(200, "/print?hello-from-php")
	r.eventually("the output arrives", func() bool { return strings.Contains(r.out.String(), "hello-from-php\n") })
}

// TestZygoteDiesWhenItsWorkersAreToBeForked guards against a second fork being asked of a zygote that has been given up with
// its generation.
func TestZygoteDiesWhenItsWorkersAreToBeForked(t *testing.T) {
	r := newRig(t)
	r.start(r.config(static(1)))
	for i := range 10 {
		// The owner is kept busy while READY comes and the zygote dies, so that it finds both.
		go r.pool.post(func() { time.Sleep(time.Duration(i) * 5 * time.Millisecond) })
		if err := r.pool.Start(context.Background(), r.config(static(4), Directive{"zygote", "dies"})); err == nil {
			t.Error("a generation whose zygote died came up")
		}
	}
	r.want(200, "/")
}

// TestIdleWorkerOfTheNextGenerationKilled guards against a reload that waits for ever for a worker that has been there already.
func TestIdleWorkerOfTheNextGenerationKilled(t *testing.T) {
	r := newRig(t)
	r.start(r.config(static(1)))
	once := filepath.Join(t.TempDir(), "once")
	if err := os.WriteFile(once, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		failed <- r.pool.Start(context.Background(), r.config(static(2), Directive{"boot", "hang once@" + once}))
	}()
	victim := 0
	r.eventually("a worker is ready, and the other is not", func() bool {
		got := make(chan int, 1)
		r.pool.post(func() {
			r.pool.mu.Lock()
			defer r.pool.mu.Unlock()
			pid := 0
			if g := r.pool.next; g != nil {
				for w := range g.workers {
					if w.state == Idle {
						pid = w.pid
					}
				}
			}
			got <- pid
		})
		victim = <-got
		return victim != 0
	})
	if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "before the others were ready") {
		t.Errorf("Start: %v", err)
	}
	r.want(200, "/")
	r.start(r.config(static(2)))
}

// TestWorkersThatDieAtOnceAreNoStorm: READY is no proof that a worker has come to stay.
func TestWorkersThatDieAtOnceAreNoStorm(t *testing.T) {
	r := newRig(t)
	bad := filepath.Join(t.TempDir(), "bad")
	r.start(r.config(static(1), Directive{"boot", "die@" + bad}))
	if err := os.WriteFile(bad, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(r.want(200, "/"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r.eventually("failures in a row", func() bool { n, _ := r.failures(); return n >= 3 })
	r.logged("when it had just got ready")
	if err := os.Remove(bad); err != nil {
		t.Fatal(err)
	}
	r.want(200, "/")
	r.eventually("they are forgotten", func() bool { n, _ := r.failures(); return n == 0 })
}

// TestStopDoesNotWaitForWhatThePreloadStarted: it holds the zygote's output open.
func TestStopDoesNotWaitForWhatThePreloadStarted(t *testing.T) {
	r := newRig(t)
	r.start(r.config(static(1), Directive{"zygote", "leaves a child"}))
	child := 0
	r.eventually("the child's pid", func() bool {
		_, after, _ := strings.Cut(r.out.String(), "child ")
		pid, _, whole := strings.Cut(after, ".")
		child, _ = strconv.Atoi(pid)
		return whole
	})
	r.end(context.Background())
	if err := syscall.Kill(child, 0); err != nil {
		t.Errorf("stop has waited for the child: %v", err)
	}
	_ = syscall.Kill(child, syscall.SIGKILL)
	if _, err := syscall.Wait4(child, nil, 0, nil); err != nil {
		t.Error(err)
	}
}

// TestClaimKnowsAnEarlierDeath: pids come round again.
func TestClaimKnowsAnEarlierDeath(t *testing.T) {
	rp, err := NewReaper()
	if err != nil {
		t.Fatal(err)
	}
	defer rp.Close()
	const pid = 1 << 30 // nobody's
	started := time.Now()
	rp.unclaimed = []Exit{{Pid: pid, At: started.Add(-time.Second)}}
	rp.Claim(pid, started, func(Exit) { t.Error("the death of another process was taken for this one's") })
	rp.mu.Lock()
	delete(rp.claims, pid)
	rp.unclaimed = []Exit{{Pid: pid, At: started.Add(time.Second)}}
	rp.mu.Unlock()
	told := false
	rp.Claim(pid, started, func(Exit) { told = true })
	if !told {
		t.Error("its own death was not told")
	}
}
