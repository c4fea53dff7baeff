// Package pool keeps the PHP workers of one pool: it starts zygotes, has workers forked, gives requests to them, retires and replaces them.
//
// It guarantees:
//   - a worker serves one request at a time, and none after it was retired;
//   - each worker that Acquire returned is given back by one Finish, or the pool is not done;
//   - every process it started is waited for by the Reaper before Stop returns;
//   - a generation that does not come up changes nothing: the one before it goes on.
//
// One goroutine, the owner, starts and ends processes; others ask it by posting to it. Which worker serves which request
// is decided under one short lock (Acquire, Finish), so that a request does not wait for the owner.
// Workers and zygotes run foreign code: what they say is checked, and a pid is only signalled while it is known to be an unreaped child.
package pool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"php-supervisor/fcgi"
	"php-supervisor/recycle"
)

// Pool is one pool. It implements fcgi.Backend.
type Pool struct {
	name  string
	rp    *Reaper
	hooks Hooks
	log   hclog.Logger

	posted chan func()   // run by the owner in turn; never closed
	kick   chan struct{} // one place: the owner has something to look at; never closed
	done   chan struct{} // closed by the owner when it leaves

	mu     sync.Mutex // guards all below, generations' counts and workers
	cfg    Config     // of the current generation
	cur    *generation
	idle   idleStack // idle workers of the current generation
	queue  queue
	closed bool      // Stop was called: nothing is queued any more
	due    time.Time // when the owner looks next
	counts Counters

	refusedFull, refusedLate int64 // requests answered with 503 that have not been reported yet
	refusedLogged            time.Time

	// The owner's own.
	next     *generation   // being built; nil when none is
	old      []*generation // draining
	numGens  int
	stopping bool
	timer    *time.Timer
	spare    time.Time // when a surplus worker was let go last

	readers sync.WaitGroup // goroutines that listen to processes
}

// Counters are what a pool has counted since it was made.
type Counters struct {
	Accepted           int64 // requests that asked for a worker
	Rejected           int64 // of those, answered with 503: queue full, or waited too long
	Lost               int64 // workers lost while they served a request
	TimedOut           int64 // requests ended by request_terminate_timeout
	Spawned            int64 // workers forked
	Retired            int64 // workers recycled
	MaxActive          int   // most requests served at once
	MaxChildrenReached int64 // times a request had to wait with the pool at its full size
	Reloads            int64 // generations switched to, the first one apart
}

// New makes a pool without processes. Start brings it up.
func New(name string, rp *Reaper, hooks Hooks) *Pool {
	p := &Pool{
		name: name, rp: rp, hooks: hooks, log: hooks.Log,
		posted: make(chan func(), 64),
		kick:   make(chan struct{}, 1),
		done:   make(chan struct{}),
		timer:  time.NewTimer(time.Hour),
	}
	if p.log == nil {
		p.log = hclog.NewNullLogger()
	}
	go p.own()
	return p
}

// own is the owner's goroutine.
func (p *Pool) own() {
	defer close(p.done)
	defer p.timer.Stop()
	for {
		select {
		case f := <-p.posted:
			f()
		case <-p.kick:
		case <-p.timer.C:
		}
		if p.maintain() {
			return
		}
	}
}

// post has f run by the owner. It reports false, and f does not run, when the owner has left.
func (p *Pool) post(f func()) bool {
	select {
	case p.posted <- f:
		return true
	case <-p.done:
		return false
	}
}

func (p *Pool) wake() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

var (
	// ErrSuperseded is returned by a Reload that a later one overtook.
	ErrSuperseded = errors.New("superseded by a later reload")
	// ErrStopped is returned by a Reload of a pool that stops.
	ErrStopped = errors.New("the pool is stopping")
)

// Start brings the pool up, or brings it to a new configuration: it builds a generation beside the current one, waits until
// its workers are ready, switches to it, and drains the old one. An error changes nothing and says why, with what
// PHP printed. A Start or Reload under way when another comes is given up.
func (p *Pool) Start(ctx context.Context, cfg Config) error {
	reply := make(chan error, 1) // one answer, by the owner
	if !p.post(func() { p.build(cfg, reply) }) {
		return ErrStopped
	}
	select {
	case err := <-reply:
		return err
	case <-ctx.Done():
		p.post(func() {
			if p.next != nil && p.next.reply == reply {
				p.abandon(p.next, ctx.Err())
			}
		})
		select {
		case err := <-reply:
			return err
		case <-p.done:
			return ErrStopped
		}
	case <-p.done:
		return ErrStopped
	}
}

// worthLooking is the wait for a worker from which a web server may have given up meanwhile.
const worthLooking = 5 * time.Millisecond

// Acquire implements fcgi.Backend.
func (p *Pool) Acquire(r *fcgi.Request) (*fcgi.WorkerConn, error) {
	now := time.Now()
	p.mu.Lock()
	p.counts.Accepted++
	if p.closed || p.cur == nil {
		p.counts.Rejected++
		p.mu.Unlock()
		return nil, errStopping
	}
	if w := p.idle.pop(); w != nil {
		p.assign(w, r, now)
		short := p.cfg.Sizing.spawn(p.load()) > 0
		p.mu.Unlock()
		if short {
			p.wake()
		}
		return w.conn, nil
	}
	if p.queue.len >= p.cfg.QueueLimit {
		p.counts.Rejected++
		p.refusedFull++
		owner := p.refusedFull == 1 // who is to report it
		p.mu.Unlock()
		if owner {
			p.wake()
		}
		return nil, errQueueFull
	}
	q := p.queue.push(now)
	// The owner is woken only when there is something for it to do: a worker to fork, or the timer to set
	// earlier. A pool at its full size queues without it.
	l := p.load()
	owner := p.cfg.Sizing.spawn(l) > 0 || p.cfg.QueueTimeout > 0 && p.due.After(now.Add(p.cfg.QueueTimeout))
	if l.idle+l.busy+l.starting-l.replacing >= p.cfg.Sizing.MaxChildren {
		p.counts.MaxChildrenReached++
	}
	p.mu.Unlock()
	if owner {
		p.wake()
	}
	w := <-q.ch

	p.mu.Lock()
	reason := q.reason
	p.queue.recycle(q)
	if w == nil {
		p.counts.Rejected++
		p.mu.Unlock()
		return nil, reason
	}
	w.req = r
	// Where nobody reads the answer any more the next in the queue gets the worker. Looking costs a system call.
	if got := time.Now(); got.Sub(now) > worthLooking && r.Gone() {
		dead, why, requests := w.state == Dead, w.farewell(fcgi.Stats{}), w.requests
		owner := p.giveBack(w, got)
		p.mu.Unlock()
		if dead {
			p.bury(w, why, requests)
		}
		if owner {
			p.wake()
		}
		return nil, fcgi.ErrClientGone
	}
	p.mu.Unlock()
	return w.conn, nil
}

var (
	errStopping  = &fcgi.StatusError{Status: 503, Reason: "the pool is stopping", RetryAfter: time.Second}
	errQueueFull = &fcgi.StatusError{Status: 503, Reason: "the listen queue is full (pm.queue_limit)", RetryAfter: time.Second}
	errQueueTime = &fcgi.StatusError{Status: 503, Reason: "no worker became free in time (pm.queue_timeout)", RetryAfter: time.Second}
)

// assign hands w, idle, to a request. mu is held.
func (p *Pool) assign(w *Worker, r *fcgi.Request, now time.Time) {
	p.must(w, Assign)
	w.inUse, w.req, w.since = true, r, now
	if n := p.cur.busy(); n > p.counts.MaxActive {
		p.counts.MaxActive = n
	}
}

// offer gives an idle worker of the current generation to the oldest waiting request, or to the stack. mu is held.
func (p *Pool) offer(w *Worker, now time.Time) {
	if q := p.queue.pop(); q != nil {
		p.assign(w, nil, now) // the waiter's goroutine fills in its request
		q.ch <- w
		return
	}
	p.idle.push(w)
}

// giveBack undoes assign for a worker that has not been used. mu is held. It reports whether the owner has to look.
func (p *Pool) giveBack(w *Worker, now time.Time) (owner bool) {
	w.inUse, w.req, w.since = false, nil, now
	if w.state == Dead {
		w.conn.Close()
		return true
	}
	p.must(w, Done)
	if !w.wanted() || w.gen != p.cur {
		return p.retire(w, w.why, now)
	}
	p.offer(w, now)
	return false
}

// Responded implements fcgi.Backend.
func (p *Pool) Responded(c *fcgi.WorkerConn) {
	w := c.Tag.(*Worker)
	p.mu.Lock()
	if w.state == Busy {
		p.must(w, Responded)
	}
	p.mu.Unlock()
}

// WorkerLog implements fcgi.Backend.
func (p *Pool) WorkerLog(c *fcgi.WorkerConn, severity uint8, text []byte) {
	if p.hooks.PHPLog != nil {
		p.hooks.PHPLog(p.name, c.Tag.(*Worker).pid, severity, text)
	}
}

// Finish implements fcgi.Backend.
func (p *Pool) Finish(c *fcgi.WorkerConn, r *fcgi.Request, res *fcgi.Result) {
	w := c.Tag.(*Worker)
	if p.hooks.Access != nil && !res.Retrying {
		p.hooks.Access(p.name, w.pid, r, res)
	}
	if res.Lost {
		p.lost(w, r, res)
		return
	}
	var private uint64
	if w.statm != nil { // only this goroutine and nobody else uses it while the worker is in use
		private, _ = privateMemory(w.statm)
	}
	now := res.Ended
	p.mu.Lock()
	w.inUse, w.req, w.since = false, nil, now
	w.requests++
	if w.state == Dead { // reaped while its last words were read
		why, requests := w.farewell(res.Stats), w.requests
		p.mu.Unlock()
		p.bury(w, why, requests)
		c.Close()
		p.wake()
		return
	}
	p.must(w, Done)
	w.peak = res.Stats.Peak
	w.memory = w.memory.Add(private, w.requests, w.policy)
	sample := w.sample()
	owner := false
	switch verdict, reason := recycle.Judge(sample, w.policy, now); {
	case res.Stats.Leaving:
		owner = p.retire(w, w.farewell(res.Stats), now)
	case !w.wanted() || w.gen != p.cur:
		owner = p.retire(w, w.why, now)
	case verdict == recycle.Retire:
		owner = p.retire(w, explain(reason, sample, w.policy, now), now)
	default:
		if verdict == recycle.Replace && w.wantsOut == "" {
			w.wantsOut, owner = explain(reason, sample, w.policy, now), true
		}
		if res.Stats.Renew {
			owner = p.renew(w, now) || owner
		}
		p.offer(w, now)
		owner = owner || p.cfg.Sizing.surplus(p.load()) > 0 && p.due.After(now.Add(surplusEvery))
	}
	p.mu.Unlock()
	if owner {
		p.wake()
	}
}

// renew begins to replace all workers, because w has said that OPcache waits for it: in worker mode each worker keeps OPcache from
// starting anew. Those that boot meanwhile do without OPcache, and are in nobody's way. mu is held. It reports whether the owner has to look.
func (p *Pool) renew(w *Worker, now time.Time) (owner bool) {
	const why = "OPcache is to start anew"
	g := w.gen
	if !g.renewing.IsZero() {
		if w.wantsOut == "" { // it was starting then
			w.wantsOut, owner = why, true
		}
		return owner
	}
	g.renewing = now
	g.replaceAll(why)
	return true
}

// renewed ends what renew has begun, once the last worker that was in OPcache's way has gone: OPcache starts anew with the next
// worker that boots, and those that have booted without it are replaced in their turn. mu is held.
func (p *Pool) renewed(g *generation) {
	if g.renewing.IsZero() {
		return
	}
	for w := range g.workers {
		if !w.started.After(g.renewing) {
			return
		}
	}
	g.renewing = time.Time{}
	g.replaceAll("it booted while OPcache could not be used")
}

// lost takes a worker out of the pool whose request was cut short.
func (p *Pool) lost(w *Worker, r *fcgi.Request, res *fcgi.Result) {
	answer := fmt.Sprintf("answered %d", res.Status)
	if res.Retrying {
		answer = "tried again on another worker"
	}
	p.mu.Lock()
	pid, aborted := w.pid, w.aborts
	p.counts.Lost++
	w.inUse, w.req, w.since = false, nil, res.Ended
	dead := w.state == Dead
	p.must(w, Lost)
	p.unlink(w)
	why, requests := w.farewell(fcgi.Stats{}), w.requests
	if !dead {
		if aborted {
			w.end = escalate(terminate, res.Ended)
		} else {
			w.why = lostRequest
			w.end = escalate(destroy, res.Ended)
		}
	}
	p.mu.Unlock()
	w.conn.Close()
	if dead {
		p.bury(w, why, requests)
	}
	if !aborted { // else it was said before
		p.log.Warn(fmt.Sprintf("child %d lost its request %q, %s: %v", pid, requestLine(r), answer, res.Err), "pid", pid)
	}
	p.wake()
}

// explain is a reason of retirement with its numbers.
func explain(r recycle.Reason, s recycle.Sample, p recycle.Policy, now time.Time) string {
	return r.String() + ": " + r.Detail(s, p, now)
}

// requestLine names a request in a log line.
func requestLine(r *fcgi.Request) string {
	if r == nil {
		return "?"
	}
	method, _ := r.Param("REQUEST_METHOD")
	uri, ok := r.Param("REQUEST_URI")
	if !ok {
		uri, _ = r.Param("SCRIPT_NAME")
	}
	const most = 512
	if len(uri) > most {
		return string(method) + " " + string(uri[:most]) + "…"
	}
	return string(method) + " " + string(uri)
}

// must moves w by an event that the caller knows to be legal in its state. mu is held. A mistake of ours is better loud
// than a worker in an unknown state that serves on.
func (p *Pool) must(w *Worker, e Event) {
	to, err := next(w.state, e)
	if err != nil {
		panic(fmt.Sprintf("pool %s, worker %d: %v", p.name, w.pid, err))
	}
	w.gen.counts[w.state]--
	w.gen.counts[to]++
	w.state = to
}

// Reasons of retirement that are not recycle's.
const (
	replacedGeneration = "its generation has been replaced"
	stoppingPool       = "the pool is stopping"
	lostRequest        = "lost"
	didNotBoot         = "did not boot"
	unexpected         = "unexpected, while " // and its state
	fatalError         = "fatal error"
	scriptEnded        = "its script has ended"
)

// retire lets an idle or starting worker go. mu is held. It reports true: the owner has to look.
func (p *Pool) retire(w *Worker, why string, now time.Time) bool {
	if why == "" { // its generation is being replaced, which the owner has not got round to marking
		why = replacedGeneration
	}
	p.must(w, Retire)
	p.unlink(w)
	w.why = why
	w.end = escalate(leave, now)
	p.counts.Retired++
	_ = w.conn.CloseWrite() // the first step of leave, taken here so that a worker does not idle until the owner looks
	return true
}

// load is what the current generation has. mu is held.
func (p *Pool) load() load {
	g := p.cur
	return load{
		idle: g.counts[Idle], busy: g.busy(), starting: g.counts[Starting],
		waiting: p.queue.len, replacing: g.replacing,
	}
}
