package pool

import (
	"sort"
	"time"
)

// Status is a pool at one moment.
type Status struct {
	Name       string         `json:"pool"`
	Manager    string         `json:"process_manager"`
	Generation int            `json:"generation"`
	Zygote     int            `json:"zygote_pid"` // 0 while none runs
	Idle       int            `json:"idle"`
	Active     int            `json:"active"`
	Starting   int            `json:"starting"`
	Draining   int            `json:"draining"` // workers of older generations, and retired ones
	Queue      int            `json:"listen_queue"`
	MaxQueue   int            `json:"max_listen_queue"`
	OldestWait time.Duration  `json:"oldest_wait_ns"`
	Counters   Counters       `json:"counters"`
	Workers    []WorkerStatus `json:"workers"`
}

// WorkerStatus is a worker at one moment.
type WorkerStatus struct {
	Pid        int           `json:"pid"`
	Generation int           `json:"generation"`
	State      string        `json:"state"`
	Started    time.Time     `json:"started"`
	Requests   int64         `json:"requests"`
	For        time.Duration `json:"for_ns"` // how long it has been idle, or at its request
	Request    string        `json:"request,omitempty"`
	Private    uint64        `json:"private_bytes,omitempty"`
	Baseline   uint64        `json:"baseline_bytes,omitempty"`
	Peak       uint64        `json:"peak_bytes"`
	Reason     string        `json:"reason,omitempty"` // why it is to leave
}

// Status asks the owner for a snapshot. It does not wait for requests.
func (p *Pool) Status() Status {
	reply := make(chan Status, 1)
	if p.post(func() { reply <- p.status() }) {
		select {
		case s := <-reply:
			return s
		case <-p.done:
		}
	}
	return Status{Name: p.name}
}

// status makes the snapshot. Owner only.
func (p *Pool) status() Status {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Status{
		Name: p.name, Manager: p.cfg.Sizing.Mode.String(),
		Queue: p.queue.len, MaxQueue: p.queue.max, Counters: p.counts,
	}
	if q := p.queue.head; q != nil {
		s.OldestWait = now.Sub(q.since)
	}
	gens := p.old
	if p.cur != nil && !p.stopping {
		s.Generation = p.cur.id
		if p.cur.zyg != nil {
			s.Zygote = p.cur.zyg.pid
		}
		gens = append(gens[:len(gens):len(gens)], p.cur)
	}
	for _, g := range gens {
		for w := range g.workers {
			switch {
			case w.state == Retiring || g != p.cur:
				s.Draining++
			case w.state == Idle:
				s.Idle++
			case w.state == Starting:
				s.Starting++
			default:
				s.Active++
			}
			ws := WorkerStatus{
				Pid: w.pid, Generation: g.id, State: w.state.String(), Started: w.started, Requests: w.requests,
				Private: w.memory.Private(), Baseline: w.memory.Baseline(), Peak: w.peak, Reason: w.why,
			}
			if ws.Reason == "" {
				ws.Reason = w.wantsOut
			}
			if !w.since.IsZero() {
				ws.For = now.Sub(w.since)
			}
			if w.req != nil {
				ws.Request = requestLine(w.req)
			}
			s.Workers = append(s.Workers, ws)
		}
	}
	sort.Slice(s.Workers, func(i, j int) bool { return s.Workers[i].Pid < s.Workers[j].Pid })
	return s
}
