package recycle

import (
	"math/bits"
	"time"
)

// The two fractions of the R2 sequence, scaled to 2^64: the powers of the plastic number's inverse. Multiples of them
// fill the unit square more evenly than random points do, so that a pool of workers with consecutive seeds is spread
// over the whole jitter, and those with nearly the same limit of requests have different lifetimes.
const (
	requestsStep = 0xC13FA9A902A6328F
	lifetimeStep = 0x91E10DA5C79E7B1D
)

// Personal is the policy of one worker: limits lowered within their jitter, never raised, never below one request
// or one nanosecond, and a limit that is off stays off. Workers with consecutive seeds, such as their numbers, are spread
// evenly over the jitter, so that they do not leave all at once. The jitter of the result is zero: the personal policy
// of a personal policy is itself.
func (p Policy) Personal(seed uint64) Policy {
	p.MaxRequests = lowered(p.MaxRequests, p.MaxRequestsJitter, seed*requestsStep)
	p.MaxLifetime = time.Duration(lowered(int64(p.MaxLifetime), p.MaxLifetimeJitter, seed*lifetimeStep))
	p.MaxRequestsJitter, p.MaxLifetimeJitter = 0, 0
	return p
}

// lowered takes off up to percent of limit: fraction of it in 2^64ths.
func lowered(limit int64, percent int, fraction uint64) int64 {
	if limit <= 0 || percent <= 0 {
		return limit
	}
	part := int64(min(percent, 100))
	span := limit/100*part + limit%100*part/100 // limit*part would overflow
	less, _ := bits.Mul64(fraction, uint64(span)+1)
	return max(limit-int64(less), 1)
}
