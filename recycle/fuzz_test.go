package recycle

import (
	"encoding/binary"
	"math"
	"testing"
	"time"
)

// FuzzJudge holds the guarantees of the package comment for arbitrary numbers.
func FuzzJudge(f *testing.F) {
	f.Add(int64(500), 10, uint64(100), uint64(10), int64(1000), 10, int64(100), uint64(7),
		int64(499), uint64(90), uint64(80), uint64(70), int64(50), int64(60))
	f.Add(int64(math.MaxInt64), 100, uint64(math.MaxUint64), uint64(math.MaxUint64), int64(math.MaxInt64), 100, int64(math.MaxInt64), uint64(math.MaxUint64),
		int64(math.MaxInt64), uint64(math.MaxUint64), uint64(math.MaxUint64), uint64(1), int64(math.MaxInt64), int64(math.MinInt64))
	f.Add(int64(1), 100, uint64(1), uint64(1), int64(1), 100, int64(1), uint64(0),
		int64(0), uint64(9), uint64(9), uint64(1), int64(-1), int64(0))
	f.Fuzz(func(t *testing.T, maxRequests int64, requestsJitter int, maxMemory, maxGrowth uint64, maxLifetime int64, lifetimeJitter int, maxIdle int64, seed uint64,
		requests int64, private, lasting, baseline uint64, age, idle int64) {
		pool := Policy{
			MaxRequests: maxRequests, MaxRequestsJitter: requestsJitter, MaxMemory: maxMemory, MaxGrowth: maxGrowth,
			MaxLifetime: time.Duration(maxLifetime), MaxLifetimeJitter: lifetimeJitter, MaxIdle: time.Duration(maxIdle),
		}
		p := pool.Personal(seed)
		switch {
		case p.MaxRequests > pool.MaxRequests || p.MaxLifetime > pool.MaxLifetime:
			t.Fatalf("personal limits are above the pool's: %+v, %+v", p, pool)
		case (p.MaxRequests > 0) != (pool.MaxRequests > 0) || (p.MaxLifetime > 0) != (pool.MaxLifetime > 0):
			t.Fatalf("jitter switched a rule on or off: %+v, %+v", p, pool)
		case p.Personal(seed+1) != p:
			t.Fatal("jitter applied twice")
		}

		now := start
		ago := func(d int64) time.Time { return now.Add(-time.Duration(max(d, -math.MaxInt64))) }
		s := Sample{
			Requests: requests, Private: private, Lasting: lasting, Baseline: baseline,
			Started: ago(age), IdleSince: ago(idle),
		}
		v, r := Judge(s, p, now)
		if (v == Keep) != (r == None) {
			t.Fatalf("%v because of %v", v, r)
		}
		if maxRequests > 0 && requests >= maxRequests && v != Retire {
			t.Fatalf("%v after %d of %d requests", v, requests, maxRequests)
		}
		if requests <= 0 && v != Keep && r != MaxLifetime && r != MaxIdle {
			t.Fatalf("%v because of %v, having served nothing", v, r)
		}
		if age <= 0 && r == MaxLifetime || idle <= 0 && r == MaxIdle {
			t.Fatalf("%v because of %v with the clock set back", v, r)
		}
		_, _ = v.String(), r.String()
		if (r.Detail(s, p, now) == "") != (r == None) {
			t.Fatalf("reason %v has detail %q", r, r.Detail(s, p, now))
		}

		if due, ok := Due(s, p, now); ok {
			if got, _ := Judge(s, p, due); got <= v {
				t.Fatalf("at %v, when it is due, the verdict is still %v", due, got)
			}
			if just := due.Add(-1); just.After(now) {
				if got, _ := Judge(s, p, just); got != v {
					t.Fatalf("before %v, when it is due, the verdict is already %v", due, got)
				}
			}
		}

		more := s
		if requests < math.MaxInt64 {
			more.Requests++
		}
		if got, _ := Judge(more, p, now); got < v {
			t.Fatalf("one more request made %v of %v", got, v)
		}
		later := now.Add(time.Hour)
		if got, _ := Judge(s, p, later); got < v {
			t.Fatalf("an hour later %v has become %v", v, got)
		}
		switch got, _ := Judge(s, Policy{}, now); got {
		case Keep:
		default:
			t.Fatalf("%v without any limit", got)
		}
	})
}

// FuzzHistory holds that a baseline is one of the measurements, is never given up, and that lasting is never above any of the
// latest measurements.
func FuzzHistory(f *testing.F) {
	f.Add(int64(3), []byte{1, 0, 2, 0, 3, 0, 4, 0})
	f.Add(int64(0), make([]byte, 200))
	f.Fuzz(func(t *testing.T, warmup int64, figures []byte) {
		p := Policy{WarmupRequests: warmup}
		var h History
		var seen []uint64
		known := map[uint64]bool{0: true}
		for n := int64(1); len(figures) >= 2; n++ {
			private := uint64(binary.LittleEndian.Uint16(figures)) << 12
			figures = figures[2:]
			before := h.Baseline()
			h = h.Add(private, n, p)
			if private != 0 {
				seen = append(seen, private)
				known[private] = true
			}
			switch b := h.Baseline(); {
			case before != 0 && b != before:
				t.Fatalf("baseline went from %d to %d", before, b)
			case !known[b]:
				t.Fatalf("baseline %d was never measured", b)
			case b != 0 && n <= warmup:
				t.Fatalf("baseline after %d requests of %d to warm up", n, warmup)
			case b == 0 && warmup <= 0 && len(seen) >= baselineWindow*maxBaselineWindows:
				t.Fatalf("no baseline after %d measurements", len(seen))
			}
			if len(seen) > 0 && h.Private() != seen[len(seen)-1] {
				t.Fatalf("latest measurement is %d, want %d", h.Private(), seen[len(seen)-1])
			}
			if h.Lasting() == 0 != (len(seen) < lastingSamples) {
				t.Fatalf("lasting is %d after %d measurements", h.Lasting(), len(seen))
			}
			for i := max(0, len(seen)-lastingSamples); i < len(seen); i++ {
				if h.Lasting() > seen[i] {
					t.Fatalf("lasting %d is above %d", h.Lasting(), seen[i])
				}
			}
		}
	})
}
