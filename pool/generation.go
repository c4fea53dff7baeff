package pool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"php-supervisor/fcgi"
)

// generation is a zygote with the workers it forked. The owner owns it; counts, replacing, and workers' states are
// guarded by the pool's mutex.
type generation struct {
	id     int
	cfg    Config
	config []byte // the CONFIG message

	zyg      *zygote // nil while none runs
	workers  map[*Worker]struct{}
	zygotes  map[*zygote]struct{} // all that have not been reaped
	lastID   uint32
	failures int       // of zygotes or workers to boot, in a row
	reported bool      // the first of them was logged
	failedAt time.Time // when the last of them was seen
	bootedAt time.Time // when a worker got ready first after that; zero: none has, or they are forgotten
	retryAt  time.Time // nothing is started before

	counts    [numStates]int
	replacing int       // workers that are to take another's place, which still serves
	renewing  time.Time // since when workers are being replaced for OPcache's sake (Pool.renew); zero: they are not

	reply chan<- error // while it is being built: takes one answer
}

// busy is how many workers have a request. The pool's mutex is held.
func (g *generation) busy() int { return g.counts[Busy] + g.counts[Finishing] }

// replaceAll has all workers replaced that serve. The pool's mutex is held.
func (g *generation) replaceAll(why string) {
	for w := range g.workers {
		if w.wantsOut == "" && (w.state == Idle || w.state == Busy || w.state == Finishing) {
			w.wantsOut = why
		}
	}
}

// gone says that no process of it is left. Owner only.
func (g *generation) gone() bool { return len(g.workers) == 0 && len(g.zygotes) == 0 }

// build starts the next generation. Owner only.
func (p *Pool) build(cfg Config, reply chan<- error) {
	if p.stopping {
		reply <- ErrStopped
		return
	}
	if p.next != nil {
		p.abandon(p.next, ErrSuperseded)
	}
	p.numGens++
	g := &generation{
		id: p.numGens, cfg: cfg, reply: reply,
		workers: map[*Worker]struct{}{}, zygotes: map[*zygote]struct{}{},
	}
	if cfg.BootTimeout <= 0 {
		g.cfg.BootTimeout = defaultBootTimeout
	}
	p.next = g
	var err error
	if g.config, err = encodeConfig(cfg.Directives); err == nil {
		err = p.startZygote(g)
	}
	if err != nil {
		p.abandon(g, err)
	}
}

// abandon gives up the generation being built. Owner only.
func (p *Pool) abandon(g *generation, why error) {
	p.next = nil
	g.reply <- why
	p.drainGeneration(g, leave, "its generation did not come up")
}

// withWords adds to err what PHP said.
func withWords(err error, said *tail) error {
	if words := said.String(); words != "" {
		return fmt.Errorf("%w; PHP said:\n%s", err, words)
	}
	return err
}

// startZygote starts g's zygote. Owner only.
func (p *Pool) startZygote(g *generation) error {
	var z *zygote
	started := make(chan struct{}) // z is set
	exited := func(e Exit) {
		go func() {
			<-started
			await(z.heard)
			for _, r := range z.pipes { // what it forked may hold them open
				_ = r.SetReadDeadline(e.At.Add(stopGrace))
			}
			p.post(func() { p.zygoteExited(g, z, e) })
		}()
	}
	z, stdout, stderr, err := startZygote(p.rp, g.cfg.Command, g.config, exited)
	if err != nil {
		return err
	}
	z.pipes = []*os.File{stdout, stderr}
	close(started)
	g.zyg = z
	g.zygotes[z] = struct{}{}
	p.log.Debug("zygote started", "pid", z.pid, "generation", g.id)
	src := Source{Pool: p.name, Pid: z.pid, Zygote: true}
	p.read(src, "stdout", stdout, nil, nil)
	p.read(src, "stderr", stderr, z.said, z.heard)
	p.readers.Go(func() { p.listen(g, z) })
	time.AfterFunc(g.cfg.BootTimeout, func() { p.post(func() { p.zygoteLate(g, z) }) })
	return nil
}

// zygoteLate ends a zygote that should be ready by now. Owner only.
func (p *Pool) zygoteLate(g *generation, z *zygote) {
	if _, alive := g.zygotes[z]; alive && g.zyg == z && z.ready.IsZero() {
		p.log.Error("zygote is not ready in time, and is killed", "pid", z.pid, "timeout", g.cfg.BootTimeout)
		p.rp.kill(z.pid, z.pid)
	}
}

// await waits for a pipe to have been read to its end, but not for ever: what a process has forked may hold it open.
func await(ch <-chan struct{}) {
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case <-ch:
	case <-t.C:
	}
}

// listen passes a zygote's messages on, until it has gone.
func (p *Pool) listen(g *generation, z *zygote) {
	for {
		m, err := z.ctl.receive()
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrClosed) && !errors.Is(err, syscall.ECONNRESET) {
				p.log.Warn("zygote sent what no zygote sends, and is killed", "pid", z.pid, "error", err)
				p.rp.kill(z.pid, z.pid)
			}
			return
		}
		if !p.post(func() { p.heard(g, z, m) }) {
			return
		}
	}
}

// heard handles a zygote's message. Owner only.
func (p *Pool) heard(g *generation, z *zygote, m zygoteMessage) {
	if g.zyg != z {
		return
	}
	switch m.kind {
	case msgReady:
		if !z.ready.IsZero() {
			return
		}
		z.ready = time.Now()
		p.log.Debug("zygote ready", "pid", z.pid, "php", m.php)
		if g == p.next {
			for range g.cfg.Sizing.initial() {
				if p.spawn(g, nil); g != p.next {
					return // it failed, and the generation was given up
				}
			}
			p.built(g)
		}
	case msgSpawnFailed:
		for w := range g.workers {
			if w.id == m.number && w.pid == 0 {
				_, _ = fmt.Fprintf(w.said, "fork: %v\n", m.errno)
				w.conn.Close() // its boot goroutine fails, and finds the reason
			}
		}
	}
}

// steady is how long a process must have been ready for its death not to count as a failure to boot.
const steady = time.Second

// zygoteExited handles a zygote's death. Its workers go on. Owner only.
func (p *Pool) zygoteExited(g *generation, z *zygote, e Exit) {
	z.ctl.close()
	delete(g.zygotes, z)
	if g.zyg != z {
		return // it was told to leave
	}
	g.zyg = nil
	err := withWords(fmt.Errorf("zygote %d exited %s", z.pid, e), z.said)
	switch g {
	case p.next:
		p.abandon(g, err)
	case p.cur:
		if !z.ready.IsZero() && e.At.Sub(z.ready) > steady {
			g.failures = 0
		}
		if g.failures == 0 {
			p.log.Warn(fmt.Sprintf("zygote %d exited %s; its workers go on, another is started", z.pid, e), "pid", z.pid)
			g.failures++
			return
		}
		p.delay(g, time.Now(), err, true)
	}
}

// delay puts off the next start of a process of g after one has failed. It says why once in a row of failures: the first
// time somebody listened to what the process said. Owner only.
func (p *Pool) delay(g *generation, began time.Time, err error, heard bool) {
	if !began.Before(g.failedAt) { // else it is of the same round as the one before
		g.failures++
	}
	wait, now := backoff(g.failures), time.Now()
	g.failedAt, g.bootedAt, g.retryAt = now, time.Time{}, now.Add(wait)
	if !g.reported && heard {
		g.reported = true
		p.log.Error("boot failed, trying again until it succeeds: "+err.Error(), "retry_in", wait)
	} else {
		p.log.Debug("boot failed again", "error", err, "failures", g.failures, "retry_in", wait)
	}
}

// forgetFailures ends a row of failures once workers get ready, and stay. Owner only.
func (g *generation) forgetFailures(now time.Time, sooner func(time.Time)) {
	if g.bootedAt.IsZero() {
		return
	}
	if end := g.bootedAt.Add(steady); now.Before(end) {
		sooner(end)
		return
	}
	g.failures, g.reported, g.bootedAt = 0, false, time.Time{}
}

// spawn has the zygote fork a worker, which takes replaceFor's place if that is not nil. Owner only.
func (p *Pool) spawn(g *generation, replaceFor *Worker) {
	g.lastID++
	w := &Worker{
		id: g.lastID, gen: g, started: time.Now(), policy: g.cfg.Recycle.Personal(uint64(g.lastID)),
		said: new(tail), dead: make(chan struct{}),
	}
	if err := p.fork(g, w); err != nil {
		p.failed(g, w.started, fmt.Errorf("spawn worker: %w", err), true)
		return
	}
	g.workers[w] = struct{}{}
	p.mu.Lock()
	g.counts[Starting]++
	p.counts.Spawned++
	// Its predecessor may have reached its limit since this was decided. Then w is no replacement, which would be
	// above the pool's size, but simply the next worker.
	if replaceFor != nil && (replaceFor.state == Idle || replaceFor.state == Busy || replaceFor.state == Finishing) {
		w.replaceFor, replaceFor.replacedBy = replaceFor, w
		g.replacing++
	}
	p.mu.Unlock()
	p.readers.Go(func() { p.boot(w) })
}

// fork makes a worker's socket pair and pipes and hands one end of each to the zygote.
func (p *Pool) fork(g *generation, w *Worker) (err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket pair: %w", err)
	}
	defer unix.Close(fds[1])
	if w.conn, err = fcgi.NewWorkerConn(fds[0]); err != nil {
		return err
	}
	w.conn.Tag = w
	ends := make([]int, 0, 2) // the worker's
	defer func() {
		for _, fd := range ends {
			unix.Close(fd)
		}
		if err != nil {
			w.conn.Close()
			closeAll(w.pipes)
		}
	}()
	for range 2 {
		var end int
		// What a worker prints while it boots may be why it does not come up.
		if g.cfg.CatchOutput || g.reply != nil || g.failures > 0 {
			var r *os.File
			if r, end, err = outputPipe(); err != nil {
				return err
			}
			w.pipes = append(w.pipes, r)
		} else if end, err = unix.Open(os.DevNull, unix.O_WRONLY|unix.O_CLOEXEC, 0); err != nil {
			return os.NewSyscallError("open "+os.DevNull, err)
		}
		ends = append(ends, end)
	}
	return g.zyg.ctl.spawn(w.id, fds[1], ends[0], ends[1], time.Now().Add(spawnTimeout))
}

// boot waits until a worker has booted. On a goroutine of its own.
func (p *Pool) boot(w *Worker) {
	pid, err := w.conn.Hello(time.Now().Add(spawnTimeout))
	heard := make(chan struct{})
	if len(w.pipes) > 0 {
		src := Source{Pool: p.name, Pid: pid}
		p.read(src, "stdout", w.pipes[0], nil, nil)
		p.read(src, "stderr", w.pipes[1], w.said, heard)
	} else {
		close(heard)
	}
	if err == nil {
		p.post(func() { p.hello(w, pid) })
		err = w.conn.WaitReady(time.Now().Add(w.gen.cfg.BootTimeout), func(severity uint8, text []byte) {
			_, _ = fmt.Fprintf(w.said, "%s\n", text)
			if p.hooks.PHPLog != nil {
				p.hooks.PHPLog(p.name, pid, severity, text)
			}
		})
	}
	if err == nil {
		w.said.close()
		p.post(func() { p.booted(w) })
		return
	}
	// Give the reason time to arrive: what it printed, and how it ended.
	if pid != 0 && !errors.Is(err, os.ErrDeadlineExceeded) {
		await(heard)
		await(w.dead)
	}
	p.post(func() { p.bootFailed(w, err) })
}

// read delivers what a process prints, to Hooks.Output and to said if that is not nil, on a goroutine that ends with the pipe; done is then closed.
func (p *Pool) read(src Source, stream string, r *os.File, said *tail, done chan<- struct{}) {
	src.Stream = stream
	p.readers.Go(func() {
		if done != nil {
			defer close(done)
		}
		var to []io.Writer
		if said != nil {
			to = append(to, said)
		}
		if p.hooks.Output != nil {
			if w := p.hooks.Output(src); w != nil {
				defer w.Close()
				to = append(to, w)
			}
		}
		copyOutput(r, to...)
	})
}

// hello takes down who a worker is. Owner only.
func (p *Pool) hello(w *Worker, pid int) {
	p.mu.Lock()
	w.pid = pid
	p.mu.Unlock()
	p.rp.Claim(pid, w.started, func(e Exit) {
		w.exit = e
		close(w.dead)
		go p.post(func() { p.exited(w, e) }) // the owner itself may be the caller
	})
	p.log.Info(fmt.Sprintf("child %d started", pid), "pid", pid)
}

// booted puts a worker to use. Owner only.
func (p *Pool) booted(w *Worker) {
	g, now := w.gen, time.Now()
	if g.failures > 0 && g.bootedAt.IsZero() {
		g.bootedAt = now // forgetFailures, unless it dies at once
	}
	if w.policy.MaxMemory > 0 || w.policy.MaxGrowth > 0 {
		w.statm, _ = openMemory(w.pid) // gone already, or hidden: then memory is no reason to leave
	}
	p.mu.Lock()
	if w.state != Starting {
		p.mu.Unlock()
		return // it died, or its generation was given up
	}
	p.must(w, Ready)
	w.since = now
	p.replaced(w, now)
	if g == p.cur {
		p.offer(w, now)
	}
	p.mu.Unlock()
	if g == p.next {
		p.built(g)
	}
}

// replaced lets the worker go whose place w has taken. mu is held.
func (p *Pool) replaced(w *Worker, now time.Time) {
	old := w.replaceFor
	if old == nil {
		return
	}
	w.replaceFor, old.replacedBy = nil, nil
	w.gen.replacing--
	switch old.state {
	case Idle:
		p.idle.remove(old)
		p.retire(old, old.wantsOut, now)
	case Busy, Finishing:
		old.why = old.wantsOut
	}
}

// bootFailed handles a worker that did not come up. Owner only.
func (p *Pool) bootFailed(w *Worker, err error) {
	g := w.gen
	w.conn.Close()
	p.mu.Lock()
	wanted := w.wanted()
	if w.state == Starting {
		p.must(w, Lost)
		w.why = didNotBoot
		w.end = escalate(destroy, time.Now())
	}
	p.unlink(w)
	select {
	case <-w.dead:
		err = fmt.Errorf("worker %d exited %s before it was ready", w.pid, w.exit)
	default:
		err = fmt.Errorf("worker did not get ready: %w", err)
	}
	if w.pid == 0 { // nobody will report its death
		p.must(w, Exited)
		delete(g.workers, w)
	}
	p.mu.Unlock()
	if w.pid == 0 && errors.Is(err, os.ErrDeadlineExceeded) && g.zyg != nil {
		p.log.Warn("zygote does not fork, and is killed", "pid", g.zyg.pid)
		p.rp.kill(g.zyg.pid, g.zyg.pid)
	}
	if wanted {
		p.failed(g, w.started, withWords(err, w.said), len(w.pipes) > 0)
	}
}

// failed handles that g could not have a worker. Owner only.
func (p *Pool) failed(g *generation, began time.Time, err error, heard bool) {
	switch g {
	case p.next:
		p.abandon(g, err)
	case p.cur:
		p.delay(g, began, err, heard)
	}
}

// unlink ends w's part in any replacement. mu is held.
func (p *Pool) unlink(w *Worker) {
	if w.replaceFor != nil {
		w.replaceFor.replacedBy = nil
		w.replaceFor = nil
		w.gen.replacing--
	}
	if w.replacedBy != nil {
		w.replacedBy.replaceFor = nil
		w.replacedBy = nil
		w.gen.replacing--
	}
}

// built switches to g if it is complete. Owner only.
func (p *Pool) built(g *generation) {
	now := time.Now()
	p.mu.Lock()
	if g != p.next || g.zyg == nil || g.zyg.ready.IsZero() || g.counts[Idle] < g.cfg.Sizing.initial() {
		p.mu.Unlock()
		return
	}
	old := p.cur
	p.cur, p.cfg, p.next = g, g.cfg, nil
	for _, w := range p.idle {
		p.retire(w, replacedGeneration, now)
	}
	p.idle = p.idle[:0]
	for w := range g.workers {
		if w.state == Idle {
			p.offer(w, now)
		}
	}
	if old != nil {
		p.counts.Reloads++
	}
	p.mu.Unlock()
	reply := g.reply
	g.reply = nil
	if old != nil {
		p.drainGeneration(old, drain(g.cfg.DrainTimeout), replacedGeneration)
		p.log.Info("switched to a new generation", "generation", g.id, "workers", g.cfg.Sizing.initial())
	}
	reply <- nil
}

// drainGeneration lets a generation go: its zygote and idle workers now, the others when they are done or when steps says. Owner only.
func (p *Pool) drainGeneration(g *generation, steps []step, why string) {
	now := time.Now()
	p.old = append(p.old, g)
	p.dismiss(g)
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := range g.workers {
		p.unlink(w)
		switch w.state {
		case Idle:
			p.idle.remove(w)
			p.retire(w, why, now)
		case Starting:
			p.retire(w, why, now)
			w.end = escalate(terminate, now)
		case Busy, Finishing:
			w.why = why
			w.end = escalate(steps, now)
		}
	}
}

// dismiss tells g's zygote to leave, and kills it if it does not. Owner only.
func (p *Pool) dismiss(g *generation) {
	z := g.zyg
	if z == nil {
		return
	}
	g.zyg = nil
	z.ctl.close()
	time.AfterFunc(stopGrace, func() { p.rp.kill(z.pid, z.pid) })
}

// exited handles a worker's death. Owner only.
func (p *Pool) exited(w *Worker, e Exit) {
	g := w.gen
	p.mu.Lock()
	was, inUse := w.state, w.inUse
	if was == Idle {
		p.idle.remove(w)
	}
	p.must(w, Exited)
	p.unlink(w)
	w.died = was
	wanted, why, requests := w.wanted(), w.farewell(fcgi.Stats{}), w.requests
	delete(g.workers, w)
	p.renewed(g)
	p.mu.Unlock()
	if w.statm != nil {
		w.statm.Close()
	}
	if !inUse {
		w.conn.Close()
	}
	for _, r := range w.pipes { // what it forked may hold them open
		_ = r.SetReadDeadline(e.At.Add(stopGrace))
	}
	if !inUse { // else Finish, which may bring its last words, says why it left
		p.bury(w, why, requests)
	}
	if g == p.next && was == Idle && wanted {
		p.abandon(g, fmt.Errorf("worker %d exited %s before the others were ready", w.pid, e))
		return
	}
	if g == p.cur && was == Idle && wanted && requests == 0 && e.At.Sub(w.started) < steady {
		p.delay(g, w.started, fmt.Errorf("worker %d exited %s when it had just got ready", w.pid, e), true)
	}
	if was == Starting && wanted {
		// Why it did not boot is found out by its boot's goroutine. Until then nothing is started in its place.
		g.retryAt = e.At.Add(backoff(g.failures + 1))
	}
}

// bury logs the end of a worker that has been reaped.
func (p *Pool) bury(w *Worker, why string, requests int64) {
	e := w.exit
	level := hclog.Info
	if clean := e.Status.Exited() && e.Status.ExitStatus() == 0; why != stoppingPool && (!clean || why == lostRequest || strings.HasPrefix(why, unexpected)) {
		level = hclog.Warn
	}
	p.log.Log(level, fmt.Sprintf("child %d exited %s after %.6f seconds from start", w.pid, e, e.At.Sub(w.started).Seconds()),
		"pid", w.pid, "requests", requests, "reason", why)
}
