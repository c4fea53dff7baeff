// Package recycle says when a worker has served long enough.
//
// Guarantees:
//   - [Judge], [Due], [Policy.Personal], [Reason.Detail] and [History] are pure: no clock, no input or output, no
//     log, no allocation but for Detail's text. The same arguments give the same answer, on any goroutine.
//   - Zero switches a rule off; so does a negative value. A policy that is all zero keeps every worker for ever.
//   - A worker that has been judged [Retire] for its requests has served at most MaxRequests of them, provided
//     that it is judged after each request and the verdict is obeyed before the next one.
//   - More requests never make a verdict milder.
//   - A policy cannot ask for a worker to be replaced before it has served anything, except by its age: rules
//     that look at requests and memory need at least one request. (A worker that is over its limit when it comes
//     up would be replaced by its like, for ever.)
//   - A clock that is set back never retires anybody: negative ages count as nought.
//
// It does not read memory, count requests, start or stop workers, or limit how many leave at once: that is the
// pool's business.
//
// A worker's use of the package, from the pool's side:
//
//	own := policy.Personal(uint64(id))                       // once, when the worker is created
//	memory = memory.Add(private, requests, own)              // after each request whose memory was read
//	sample := recycle.Sample{Requests: requests, Started: started, IdleSince: now}
//	memory.Fill(&sample)
//	verdict, reason := recycle.Judge(sample, own, now)
//	log("worker leaves", "reason", reason, "detail", reason.Detail(sample, own, now))
package recycle

import "time"

// Verdict is what is to become of a worker. Higher is more urgent.
type Verdict uint8

const (
	// Keep: go on.
	Keep Verdict = iota
	// Replace: start a replacement and go on serving until it is ready.
	Replace
	// Retire: serve nothing more.
	Retire
)

func (v Verdict) String() string {
	switch v {
	case Keep:
		return "keep"
	case Replace:
		return "replace"
	case Retire:
		return "retire"
	}
	return "unknown verdict"
}

// Defaults of settings, for the table of settings to refer to.
const (
	// DefaultMaxRequestsJitter is in percent.
	DefaultMaxRequestsJitter = 10
	// DefaultMaxLifetimeJitter is in percent.
	DefaultMaxLifetimeJitter = 10
	// DefaultWarmupRequests is enough for the usual framework to have built its services and seen its commoner
	// routes. What takes longer is waited for: see [History].
	DefaultWarmupRequests = 25
)

// HardMemoryFactor times MaxMemory is where a worker stops at once instead of serving until its replacement is
// ready. At that size the next request endangers the machine, which costs more than the moment without a worker.
const HardMemoryFactor = 2

// Early replacement because of requests: the replacement is asked for when a twentieth of the requests is still to
// come, at most maxLead of them. Starting a worker takes milliseconds (a fork) to a second (a framework's boot), and
// a worker serves some hundred requests in that time at most.
const (
	leadFraction = 20
	maxLead      = 100
	// Below this many requests there is no early replacement: it would throw away a third of them and more.
	minRequestsForLead = 4
)

// Policy is the limits of a pool or, from [Policy.Personal], of one worker.
type Policy struct {
	// MaxRequests is how many requests a worker serves at most. (pm.max_requests)
	MaxRequests int64
	// MaxRequestsJitter is by how many percent of MaxRequests a worker's own limit may be lower, 0 to 100.
	MaxRequestsJitter int

	// MaxMemory is how much private memory a worker may have after a request, in bytes. (pm.max_memory)
	MaxMemory uint64
	// MaxGrowth is by how much its private memory may have grown over its baseline, in bytes.
	// (pm.max_memory_growth)
	MaxGrowth uint64
	// WarmupRequests is how many requests to serve before memory counts towards the baseline.
	WarmupRequests int64

	// MaxLifetime is how long a worker may live. (pm.max_lifetime)
	MaxLifetime time.Duration
	// MaxLifetimeJitter is by how many percent of MaxLifetime a worker's own limit may be lower, 0 to 100.
	MaxLifetimeJitter int

	// MaxIdle is how long a worker may wait for its next request. (pm.process_idle_timeout)
	MaxIdle time.Duration
}

// Sample is what is known of a worker at one moment, best taken right after a request.
type Sample struct {
	// Requests is how many requests it has served, the one just ended included.
	Requests int64
	// Started is when it was created; zero if unknown, which switches the rule off.
	Started time.Time
	// IdleSince is when it last became free; zero while it is busy.
	IdleSince time.Time

	// Private is its private memory in bytes (RssAnon, better with VmSwap added so that swapping does not look
	// like shrinking); zero if unknown.
	Private uint64
	// Lasting is the least of its latest measurements; zero if unknown, Private then stands in for it.
	Lasting uint64
	// Baseline is its warmed-up private memory; zero until that is known, which switches the rule off.
	Baseline uint64
}

// Judge says what is to become of the worker that sample describes, and why. The most urgent rule wins; among
// equally urgent ones the first of: requests, memory, growth, lifetime, idleness. The reason is [None] exactly when
// the verdict is [Keep].
//
//	requests    ≥ MaxRequests                        Retire
//	requests    ≥ MaxRequests less a few             Replace
//	private     > MaxMemory × HardMemoryFactor       Retire
//	private     > MaxMemory                          Replace
//	lasting     > baseline + MaxGrowth               Replace
//	age         ≥ MaxLifetime                        Replace
//	idle        ≥ MaxIdle                            Retire; nobody waits for such a worker, so nothing is
//	                                                 started for it. How many are to stay is for the pool to say.
func Judge(s Sample, p Policy, now time.Time) (Verdict, Reason) {
	verdict, reason := Keep, None
	rule := func(v Verdict, r Reason) {
		if v > verdict {
			verdict, reason = v, r
		}
	}
	rule(p.requests(s.Requests), MaxRequests)
	if s.Requests > 0 {
		rule(p.memory(s.Private), MaxMemory)
		rule(p.growth(s), MaxGrowth)
	}
	if reached(s.Started, p.MaxLifetime, now) {
		rule(Replace, MaxLifetime)
	}
	if reached(s.IdleSince, p.MaxIdle, now) {
		rule(Retire, MaxIdle)
	}
	return verdict, reason
}

// Due is the earliest time at which Judge would become stricter with the same sample and policy, so that a pool can set
// a timer for it instead of asking again and again. It reports false if the passing of time alone changes nothing.
func Due(s Sample, p Policy, now time.Time) (time.Time, bool) {
	var due time.Time
	verdict, _ := Judge(s, p, now)
	for _, at := range []struct {
		from  time.Time
		limit time.Duration
		then  Verdict
	}{
		{s.Started, p.MaxLifetime, Replace},
		{s.IdleSince, p.MaxIdle, Retire},
	} {
		if at.from.IsZero() || at.limit <= 0 || at.then <= verdict {
			continue
		}
		if t := at.from.Add(at.limit); due.IsZero() || t.Before(due) {
			due = t
		}
	}
	return due, !due.IsZero()
}

func (p Policy) requests(served int64) Verdict {
	switch {
	case p.MaxRequests <= 0:
		return Keep
	case served >= p.MaxRequests:
		return Retire
	case served >= p.MaxRequests-p.lead():
		return Replace
	}
	return Keep
}

// lead is how many requests before its last one a worker asks for its replacement.
func (p Policy) lead() int64 {
	if p.MaxRequests < minRequestsForLead {
		return 0
	}
	return min(max(p.MaxRequests/leadFraction, 1), maxLead)
}

func (p Policy) memory(private uint64) Verdict {
	switch {
	case p.MaxMemory == 0 || private <= p.MaxMemory:
		return Keep
	case private/HardMemoryFactor >= p.MaxMemory && private > p.MaxMemory*HardMemoryFactor:
		// The first half keeps the product in the second from overflowing.
		return Retire
	}
	return Replace
}

func (p Policy) growth(s Sample) Verdict {
	if p.MaxGrowth == 0 || s.grown() <= p.MaxGrowth {
		return Keep
	}
	return Replace
}

// grown is by how many bytes the worker is above its baseline, lastingly.
func (s Sample) grown() uint64 {
	level := s.Lasting
	if level == 0 || s.Private != 0 && s.Private < level {
		level = s.Private
	}
	if s.Baseline == 0 || level <= s.Baseline {
		return 0
	}
	return level - s.Baseline
}

// reached is whether limit has passed since from.
func reached(from time.Time, limit time.Duration, now time.Time) bool {
	return limit > 0 && !from.IsZero() && now.Sub(from) >= limit
}
