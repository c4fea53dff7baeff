package recycle

import (
	"math/bits"
	"time"
)

// Fractions of the golden ratio and of the square root of two, scaled to 2^64. Multiples of either fill the unit
// interval more evenly than random numbers do, whatever the first, since both are hard to approximate by fractions.
// They are independent, so that workers with nearly the same limit of requests have different lifetimes.
const (
	requestsStep = 0x9E3779B97F4A7C15
	lifetimeStep = 0x6A09E667F3BCC909
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
