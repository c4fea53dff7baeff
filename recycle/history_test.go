package recycle

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// observe feeds memory figures in MiB of consecutive requests to a history, and returns after how many of them
// the baseline was known (zero: never).
func observe(p Policy, figures ...float64) (History, int) {
	var h History
	known := 0
	for i, m := range figures {
		h = h.Add(uint64(m*mib), int64(i+1), p)
		if known == 0 && h.Baseline() != 0 {
			known = i + 1
		}
	}
	return h, known
}

func constant(n int, m float64) []float64 {
	figures := make([]float64, n)
	for i := range figures {
		figures[i] = m
	}
	return figures
}

func rising(n int, from, step float64) []float64 {
	figures := make([]float64, n)
	for i := range figures {
		figures[i] = from + step*float64(i)
	}
	return figures
}

func join(parts ...[]float64) (all []float64) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func with(figures []float64, m float64, at ...int) []float64 {
	for _, i := range at {
		figures[i] = m
	}
	return figures
}

func TestHistory(t *testing.T) {
	type result struct {
		Baseline, Lasting, Private float64 // MiB
		Known                      int
	}
	for _, c := range []struct {
		name    string
		warmup  int64
		figures []float64
		want    result
	}{
		{name: "nothing", want: result{}},
		{name: "a constant worker", figures: constant(16, 40), want: result{40, 40, 40, 16}},
		{name: "one measurement short", figures: constant(15, 40), want: result{0, 40, 40, 0}},
		{name: "too few to last", figures: constant(3, 40), want: result{0, 0, 40, 0}},
		{name: "warm-up does not count", warmup: 25, figures: join(constant(25, 10), constant(16, 40)),
			want: result{40, 40, 40, 25 + 16}},
		{name: "a spike in each window", figures: with(constant(16, 40), 300, 0, 8, 9), want: result{40, 40, 40, 16}},
		{name: "spikes but for one measurement a window", figures: with(constant(16, 300), 40, 3, 11), want: result{40, 300, 300, 16}},
		{name: "a spike later changes nothing", figures: with(constant(30, 40), 300, 29), want: result{40, 40, 300, 16}},
		{name: "a small slope is settled", figures: rising(16, 40, 0.1), want: result{40, 41.2, 41.5, 16}},
		{name: "still filling caches: waits until it has settled",
			figures: join(constant(8, 20), constant(8, 30), constant(8, 38), constant(8, 40), constant(8, 40)),
			want:    result{38, 40, 40, 32}},
		{name: "leaks from the first request: taken as it is in the end", figures: rising(80, 10, 10),
			want: result{10 + 10*56, 10 + 10*76, 10 + 10*79, 64}},
		{name: "falls after a costly boot", figures: join(constant(8, 90), constant(8, 40)), want: result{40, 40, 40, 16}},
		{name: "a small worker: a megabyte is nothing", figures: join(constant(8, 2), constant(8, 3)), want: result{2, 3, 3, 16}},
		{name: "a small worker: more than a megabyte is", figures: join(constant(8, 2), constant(8, 3.5)), want: result{0, 3.5, 3.5, 0}},
		{name: "stays for life", figures: join(constant(16, 40), constant(100, 20), constant(100, 80)), want: result{40, 80, 80, 16}},
		{name: "unread memory is skipped", figures: with(constant(20, 40), 0, 0, 5, 11, 19), want: result{40, 40, 40, 19}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, known := observe(Policy{WarmupRequests: c.warmup}, c.figures...)
			var s Sample
			h.Fill(&s)
			got := result{float64(s.Baseline) / mib, float64(s.Lasting) / mib, float64(s.Private) / mib, known}
			near := cmp.Comparer(func(a, b float64) bool { return a-b < 0.001 && b-a < 0.001 })
			if diff := cmp.Diff(c.want, got, near); diff != "" {
				t.Errorf("history (-want +got):\n%s", diff)
			}
		})
	}
}

// The whole of it: what a pool would do with real looking figures.
func TestGrowthOverALife(t *testing.T) {
	policy := Policy{MaxGrowth: 16 * mib, WarmupRequests: 25}
	for _, c := range []struct {
		name    string
		figures []float64
		want    int // the request after which the worker is to be replaced; 0: never
	}{
		{name: "sound", figures: join(rising(25, 8, 0.5), constant(1000, 20)), want: 0},
		{name: "sound, a heavy page every fiftieth request",
			figures: with(join(rising(25, 8, 0.5), constant(200, 20)), 90, 49, 99, 149, 199), want: 0},
		{name: "sound, three heavy pages in a row", figures: with(join(rising(25, 8, 0.5), constant(200, 20)), 90, 100, 101, 102), want: 0},
		// Above 36 MiB from request 25+16+161 on, and so for the fourth time three later.
		{name: "leaks 100 KiB a request", figures: join(constant(41, 20), rising(300, 20, 0.1)), want: 41 + 162 + 3},
		{name: "keeps what one request took", figures: join(constant(100, 20), constant(100, 50)), want: 104},
	} {
		t.Run(c.name, func(t *testing.T) {
			var memory History
			got := 0
			for i, m := range c.figures {
				memory = memory.Add(uint64(m*mib), int64(i+1), policy)
				s := Sample{Requests: int64(i + 1)}
				memory.Fill(&s)
				if v, r := Judge(s, policy, start); v != Keep {
					if v != Replace || r != MaxGrowth {
						t.Fatalf("request %d: %v because of %v", i+1, v, r)
					}
					got = i + 1
					break
				}
			}
			if got != c.want {
				t.Errorf("replaced after request %d, want %d", got, c.want)
			}
		})
	}
}
