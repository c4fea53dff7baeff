package pool

import (
	"context"
	"fmt"
	"time"

	"php-supervisor/recycle"
)

const (
	surplusEvery = time.Second // between two surplus workers let go, as in php-fpm
	idleTick     = time.Second // how often idle workers' age is looked at, where a limit is set
)

// maintain brings what there is nearer to what is wanted, and sets the timer for when to look again. It runs
// after everything that happens to the pool, and changes nothing where nothing is to be done. It reports true when the owner
// is to leave. Owner only.
func (p *Pool) maintain() (leave bool) {
	now := time.Now()
	due := now.Add(time.Hour)
	sooner := func(t time.Time) {
		if t.Before(due) {
			due = t
		}
	}
	kept := p.old[:0]
	for _, g := range p.old {
		if !g.gone() {
			kept = append(kept, g)
		}
	}
	clear(p.old[len(kept):])
	p.old = kept
	for _, g := range p.old {
		p.escalateWorkers(g, now, sooner)
		p.checkRequests(g, now, sooner)
	}
	if p.next != nil {
		p.escalateWorkers(p.next, now, sooner)
	}
	if p.cur != nil && !p.stopping {
		p.escalateWorkers(p.cur, now, sooner)
		p.checkRequests(p.cur, now, sooner)
		p.checkQueue(now, sooner)
		p.checkIdle(now, sooner)
		p.reportRefused(now, sooner)
		p.cur.forgetFailures(now, sooner)
		p.fill(now, sooner)
	}
	if p.stopping && len(p.old) == 0 {
		return true
	}
	p.mu.Lock()
	p.due = due
	p.mu.Unlock()
	p.timer.Reset(time.Until(due))
	return false
}

// escalateWorkers takes the steps that are due towards workers that are to leave. Owner only.
func (p *Pool) escalateWorkers(g *generation, now time.Time, sooner func(time.Time)) {
	var cut []logLine // written once the lock is released
	p.mu.Lock()
	for w := range g.workers {
		for _, act := range w.end.take(now) {
			if act == actQuit {
				if !w.inUse { // else it is retired when its request has ended
					_ = w.conn.CloseWrite()
				}
				continue
			}
			if w.inUse && !w.aborts { // its time is over: it is not to be tried again elsewhere
				w.aborts = true
				w.conn.Abort(503)
				cut = append(cut, logLine{fmt.Sprintf("child %d is terminated in its request %q: %s", w.pid, requestLine(w.req), w.why), w.pid})
			}
			if w.pid != 0 {
				p.rp.signal(w.pid, w.pid, act.signal())
			}
		}
		if len(w.end.steps) > 0 {
			sooner(w.end.due)
		}
	}
	p.mu.Unlock()
	p.warn(cut)
}

// logLine is a warning about a worker that waits to be written.
type logLine struct {
	text string
	pid  int
}

func (p *Pool) warn(lines []logLine) {
	for _, l := range lines {
		p.log.Warn(l.text, "pid", l.pid)
	}
}

// checkRequests ends requests that run longer than they may, in a generation that drains, too. Owner only.
func (p *Pool) checkRequests(g *generation, now time.Time, sooner func(time.Time)) {
	limit := g.cfg.RequestTimeout
	if limit <= 0 {
		return
	}
	sooner(now.Add(min(max(limit/4, 20*time.Millisecond), time.Second)))
	var late []logLine
	p.mu.Lock()
	for w := range g.workers {
		if ran := now.Sub(w.since); w.inUse && !w.aborts && w.state == Busy && ran >= limit {
			w.aborts, w.why = true, "request_terminate_timeout"
			p.counts.TimedOut++
			late = append(late, logLine{fmt.Sprintf("child %d, request %q execution timed out (%.6f sec), terminating", w.pid, requestLine(w.req), ran.Seconds()), w.pid})
			w.conn.Abort(504) // Finish follows, and has the process terminated
		}
	}
	p.mu.Unlock()
	p.warn(late)
}

// checkQueue answers requests that have waited too long. Owner only.
func (p *Pool) checkQueue(now time.Time, sooner func(time.Time)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	limit := p.cfg.QueueTimeout
	if limit <= 0 {
		return
	}
	for q := p.queue.head; q != nil; q = p.queue.head {
		if end := q.since.Add(limit); now.Before(end) {
			sooner(end)
			return
		}
		p.queue.pop()
		p.refusedLate++
		q.reason = errQueueTime
		q.ch <- nil
	}
}

// refusedEvery is how often an overloaded pool says so.
const refusedEvery = 10 * time.Second

// reportRefused logs how many requests were answered with 503 since it last did. Owner only.
func (p *Pool) reportRefused(now time.Time, sooner func(time.Time)) {
	p.mu.Lock()
	full, late, next := p.refusedFull, p.refusedLate, p.refusedLogged.Add(refusedEvery)
	due := full+late > 0 && !now.Before(next)
	if due {
		p.refusedFull, p.refusedLate, p.refusedLogged = 0, 0, now
	}
	p.mu.Unlock()
	switch {
	case due:
		p.log.Warn(fmt.Sprintf("%d requests were answered with 503: %d found the listen queue full (pm.queue_limit), %d waited too long in it (pm.queue_timeout); pm.max_children is %d",
			full+late, full, late, p.cfg.Sizing.MaxChildren))
	case full+late > 0:
		sooner(next)
	}
}

// checkIdle lets idle workers go whose time has come: surplus ones, and those too old or idle for too long. Owner only.
func (p *Pool) checkIdle(now time.Time, sooner func(time.Time)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cfg.Sizing.surplus(p.load()) > 0 {
		if next := p.spare.Add(surplusEvery); now.Before(next) {
			sooner(next)
		} else {
			p.spare = now
			w := p.idle[0] // the one that has been idle longest
			p.idle.remove(w)
			p.retire(w, "more idle workers than pm.max_spare_servers", now)
			sooner(now.Add(surplusEvery))
		}
	}
	if p.cfg.Recycle.MaxIdle <= 0 && p.cfg.Recycle.MaxLifetime <= 0 {
		return
	}
	sooner(now.Add(idleTick))
	for _, w := range append(idleStack(nil), p.idle...) {
		sample := w.sample()
		switch verdict, reason := recycle.Judge(sample, w.policy, now); verdict {
		case recycle.Retire:
			p.idle.remove(w)
			p.retire(w, explain(reason, sample, w.policy, now), now)
		case recycle.Replace:
			if w.wantsOut == "" {
				w.wantsOut = explain(reason, sample, w.policy, now)
			}
		}
	}
}

// fill starts what is missing: a zygote, replacements, workers. Owner only.
func (p *Pool) fill(now time.Time, sooner func(time.Time)) {
	g := p.cur
	if now.Before(g.retryAt) {
		sooner(g.retryAt)
		return
	}
	if g.zyg == nil {
		if err := p.startZygote(g); err != nil {
			p.delay(g, now, err, true)
			sooner(g.retryAt)
		}
		return
	}
	if g.zyg.ready.IsZero() {
		return
	}
	p.mu.Lock()
	var replace []*Worker
	for w := range g.workers {
		// A part of the pool at most is replaced at once, so that boots do not take the processors from requests.
		if w.wantsOut != "" && w.wanted() && w.replacedBy == nil && g.replacing+len(replace) < max(1, p.cfg.Sizing.MaxChildren/4) {
			replace = append(replace, w)
		}
	}
	n := p.cfg.Sizing.spawn(p.load())
	p.mu.Unlock()
	for _, w := range replace {
		p.spawn(g, w)
	}
	for range n {
		p.spawn(g, nil)
	}
}

// Stop ends the pool and returns when all its processes have been reaped. Waiting requests are answered with 503. Workers may
// finish what they serve until ctx ends; then they are terminated, and killed if that does not help.
func (p *Pool) Stop(ctx context.Context) {
	p.post(p.beginStop)
	stop := context.AfterFunc(ctx, func() { p.post(p.forceStop) })
	defer stop()
	<-p.done
	p.readers.Wait()
}

func (p *Pool) beginStop() {
	if p.stopping {
		return
	}
	p.stopping = true
	if p.next != nil {
		p.abandon(p.next, ErrStopped)
	}
	cur := p.cur
	p.mu.Lock()
	p.closed = true
	for q := p.queue.pop(); q != nil; q = p.queue.pop() {
		q.reason = errStopping
		q.ch <- nil
	}
	p.mu.Unlock()
	if cur != nil {
		p.drainGeneration(cur, drain(0), stoppingPool)
	}
}

func (p *Pool) forceStop() {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, g := range p.old {
		for w := range g.workers {
			w.end = escalate(terminate, now)
			if w.why == "" {
				w.why = stoppingPool
			}
		}
	}
}
