package recycle

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPersonal(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy Policy
		low    Policy // the lowest limits that a worker may get; the highest are the policy's
	}{
		{name: "off stays off", policy: Policy{MaxRequestsJitter: 50, MaxLifetimeJitter: 50}, low: Policy{}},
		{name: "negative stays off", policy: Policy{MaxRequests: -7, MaxRequestsJitter: 50, MaxLifetime: -7, MaxLifetimeJitter: 50},
			low: Policy{MaxRequests: -7, MaxLifetime: -7}},
		{name: "ten percent", policy: Policy{MaxRequests: 500, MaxRequestsJitter: 10, MaxLifetime: 1000, MaxLifetimeJitter: 5},
			low: Policy{MaxRequests: 450, MaxLifetime: 950}},
		{name: "no jitter", policy: Policy{MaxRequests: 500, MaxLifetime: time.Hour}, low: Policy{MaxRequests: 500, MaxLifetime: time.Hour}},
		{name: "negative jitter is none", policy: Policy{MaxRequests: 500, MaxRequestsJitter: -10}, low: Policy{MaxRequests: 500}},
		{name: "all of it leaves one", policy: Policy{MaxRequests: 20, MaxRequestsJitter: 100, MaxLifetime: 20, MaxLifetimeJitter: 100},
			low: Policy{MaxRequests: 1, MaxLifetime: 1}},
		{name: "more than all of it is all of it", policy: Policy{MaxRequests: 20, MaxRequestsJitter: 1000}, low: Policy{MaxRequests: 1}},
		{name: "too small to spread", policy: Policy{MaxRequests: 9, MaxRequestsJitter: 10}, low: Policy{MaxRequests: 9}},
		{name: "one request stays one", policy: Policy{MaxRequests: 1, MaxRequestsJitter: 100}, low: Policy{MaxRequests: 1}},
		{name: "other limits are not touched", policy: Policy{MaxRequests: 100, MaxRequestsJitter: 10, MaxMemory: 1, MaxGrowth: 2, WarmupRequests: 3, MaxIdle: 4},
			low: Policy{MaxRequests: 90, MaxMemory: 1, MaxGrowth: 2, WarmupRequests: 3, MaxIdle: 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.policy.Personal(0)
			got.MaxRequests, got.MaxLifetime = math.MaxInt64, math.MaxInt64
			for seed := range uint64(5000) {
				own := c.policy.Personal(seed)
				if own.MaxRequests > c.policy.MaxRequests || own.MaxLifetime > c.policy.MaxLifetime {
					t.Fatalf("seed %d: limits were raised: %+v", seed, own)
				}
				got.MaxRequests = min(got.MaxRequests, own.MaxRequests)
				got.MaxLifetime = min(got.MaxLifetime, own.MaxLifetime)
			}
			if diff := cmp.Diff(c.low, got); diff != "" {
				t.Errorf("lowest limits (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPersonalOfGreatNumbers(t *testing.T) {
	p := Policy{MaxRequests: math.MaxInt64, MaxRequestsJitter: 100}
	var greatest, least int64 = 0, math.MaxInt64
	for seed := range uint64(1000) {
		own := p.Personal(seed).MaxRequests
		greatest, least = max(greatest, own), min(least, own)
	}
	if greatest < math.MaxInt64/100*99 || least < 1 || least > math.MaxInt64/100 {
		t.Errorf("limits from %d to %d, want nearly all of the range", least, greatest)
	}
}

// The workers of a pool are numbered one after the other; whichever the numbers, their limits are to be spread
// over the whole jitter, with no gap more than about twice an even share.
func TestPersonalSpreadsEvenly(t *testing.T) {
	p := Policy{
		MaxRequests: 100_000, MaxRequestsJitter: 10,
		MaxLifetime: 100_000, MaxLifetimeJitter: 10,
	}
	const workers, bins = 32, 8
	for _, first := range []uint64{0, 1, 1000, 1 << 40, math.MaxUint64 - 10} {
		var requests, lifetimes [bins]int
		both := map[[2]int]int{}
		for n := range uint64(workers) {
			own := p.Personal(first + n)
			r := int((p.MaxRequests - own.MaxRequests) * bins / 10_001)
			l := int((p.MaxLifetime - own.MaxLifetime) * bins / 10_001)
			requests[r]++
			lifetimes[l]++
			both[[2]int{r / 2, l / 2}]++
		}
		for i := range bins {
			if want := workers / bins; requests[i] < want-2 || requests[i] > want+2 || lifetimes[i] < want-2 || lifetimes[i] > want+2 {
				t.Errorf("first worker %d: requests %v, lifetimes %v, want about %d each", first, requests, lifetimes, want)
				break
			}
		}
		if len(both) < bins*bins/4-1 {
			t.Errorf("first worker %d: limits of requests and lifetime go together: %v", first, both)
		}
	}
}
