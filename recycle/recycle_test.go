package recycle

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const mib = 1 << 20

var start = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// answer is what Judge returns.
type answer struct {
	Verdict Verdict
	Reason  Reason
}

func judge(s Sample, p Policy, now time.Time) answer {
	v, r := Judge(s, p, now)
	return answer{v, r}
}

func TestJudge(t *testing.T) {
	keep := answer{Keep, None}
	everything := Policy{
		MaxRequests: 100, MaxMemory: 100 * mib, MaxGrowth: 10 * mib,
		MaxLifetime: time.Hour, MaxIdle: time.Minute,
	}
	for _, c := range []struct {
		name   string
		sample Sample
		policy Policy
		after  time.Duration // since start
		want   answer
	}{
		{name: "zero policy keeps a worker for ever", after: math.MaxInt64,
			sample: Sample{Requests: math.MaxInt64, Started: start, IdleSince: start, Private: math.MaxUint64, Baseline: 1},
			want:   keep},
		{name: "zero sample is kept", policy: everything, after: math.MaxInt64, want: keep},
		{name: "negative limits are off", after: time.Hour,
			sample: Sample{Requests: 5, Started: start, IdleSince: start},
			policy: Policy{MaxRequests: -1, MaxLifetime: -1, MaxIdle: -1}, want: keep},

		{name: "requests below the lead", sample: Sample{Requests: 474}, policy: Policy{MaxRequests: 500}, want: keep},
		{name: "requests at the lead", sample: Sample{Requests: 475}, policy: Policy{MaxRequests: 500}, want: answer{Replace, MaxRequests}},
		{name: "requests one below the limit", sample: Sample{Requests: 499}, policy: Policy{MaxRequests: 500}, want: answer{Replace, MaxRequests}},
		{name: "requests at the limit", sample: Sample{Requests: 500}, policy: Policy{MaxRequests: 500}, want: answer{Retire, MaxRequests}},
		{name: "requests beyond the limit", sample: Sample{Requests: 501}, policy: Policy{MaxRequests: 500}, want: answer{Retire, MaxRequests}},
		{name: "lead is capped, below", sample: Sample{Requests: 999_899}, policy: Policy{MaxRequests: 1_000_000}, want: keep},
		{name: "lead is capped, at", sample: Sample{Requests: 999_900}, policy: Policy{MaxRequests: 1_000_000}, want: answer{Replace, MaxRequests}},
		{name: "greatest limit, below", sample: Sample{Requests: math.MaxInt64 - 101}, policy: Policy{MaxRequests: math.MaxInt64}, want: keep},
		{name: "greatest limit, at", sample: Sample{Requests: math.MaxInt64}, policy: Policy{MaxRequests: math.MaxInt64}, want: answer{Retire, MaxRequests}},
		{name: "one request a worker: not replaced before it", sample: Sample{}, policy: Policy{MaxRequests: 1}, want: keep},
		{name: "one request a worker: retired after it", sample: Sample{Requests: 1}, policy: Policy{MaxRequests: 1}, want: answer{Retire, MaxRequests}},
		{name: "three requests: no early replacement", sample: Sample{Requests: 2}, policy: Policy{MaxRequests: 3}, want: keep},
		{name: "four requests: early replacement", sample: Sample{Requests: 3}, policy: Policy{MaxRequests: 4}, want: answer{Replace, MaxRequests}},
		{name: "negative requests count as none", sample: Sample{Requests: -5, Private: math.MaxUint64}, policy: everything, want: keep},

		{name: "memory at the limit", sample: Sample{Requests: 1, Private: 100}, policy: Policy{MaxMemory: 100}, want: keep},
		{name: "memory above the limit", sample: Sample{Requests: 1, Private: 101}, policy: Policy{MaxMemory: 100}, want: answer{Replace, MaxMemory}},
		{name: "memory at the hard limit", sample: Sample{Requests: 1, Private: 200}, policy: Policy{MaxMemory: 100}, want: answer{Replace, MaxMemory}},
		{name: "memory above the hard limit", sample: Sample{Requests: 1, Private: 201}, policy: Policy{MaxMemory: 100}, want: answer{Retire, MaxMemory}},
		{name: "memory, hard limit beyond the range", sample: Sample{Requests: 1, Private: math.MaxUint64}, policy: Policy{MaxMemory: math.MaxUint64/2 + 1}, want: answer{Replace, MaxMemory}},
		{name: "memory, hard limit just in the range", sample: Sample{Requests: 1, Private: math.MaxUint64}, policy: Policy{MaxMemory: math.MaxUint64 / 2}, want: answer{Retire, MaxMemory}},
		{name: "memory, greatest limit", sample: Sample{Requests: 1, Private: math.MaxUint64}, policy: Policy{MaxMemory: math.MaxUint64}, want: keep},
		{name: "memory of a worker that has served nothing", sample: Sample{Private: 1000}, policy: Policy{MaxMemory: 100}, want: keep},
		{name: "memory unknown", sample: Sample{Requests: 1}, policy: Policy{MaxMemory: 100}, want: keep},

		{name: "growth at the limit", sample: Sample{Requests: 99, Private: 110, Lasting: 110, Baseline: 100}, policy: Policy{MaxGrowth: 10}, want: keep},
		{name: "growth above the limit", sample: Sample{Requests: 99, Private: 111, Lasting: 111, Baseline: 100}, policy: Policy{MaxGrowth: 10}, want: answer{Replace, MaxGrowth}},
		{name: "growth that does not last", sample: Sample{Requests: 99, Private: 999, Lasting: 110, Baseline: 100}, policy: Policy{MaxGrowth: 10}, want: keep},
		{name: "growth that has just gone", sample: Sample{Requests: 99, Private: 105, Lasting: 120, Baseline: 100}, policy: Policy{MaxGrowth: 10}, want: keep},
		{name: "growth without the history", sample: Sample{Requests: 99, Private: 111, Baseline: 100}, policy: Policy{MaxGrowth: 10}, want: answer{Replace, MaxGrowth}},
		{name: "growth before the baseline is known", sample: Sample{Requests: 99, Private: 1000, Lasting: 1000}, policy: Policy{MaxGrowth: 10}, want: keep},
		{name: "shrinking", sample: Sample{Requests: 99, Private: 1, Lasting: 1, Baseline: 100}, policy: Policy{MaxGrowth: 10}, want: keep},
		{name: "growth, greatest numbers", sample: Sample{Requests: 99, Private: math.MaxUint64, Lasting: math.MaxUint64, Baseline: 1}, policy: Policy{MaxGrowth: math.MaxUint64}, want: keep},

		{name: "lifetime below", sample: Sample{Started: start}, policy: Policy{MaxLifetime: time.Hour}, after: time.Hour - 1, want: keep},
		{name: "lifetime at", sample: Sample{Started: start}, policy: Policy{MaxLifetime: time.Hour}, after: time.Hour, want: answer{Replace, MaxLifetime}},
		{name: "lifetime, clock set back", sample: Sample{Started: start}, policy: Policy{MaxLifetime: time.Nanosecond}, after: -time.Hour, want: keep},
		{name: "lifetime, clock set back by centuries", sample: Sample{Started: start}, policy: Policy{MaxLifetime: time.Nanosecond}, after: math.MinInt64, want: keep},
		{name: "lifetime, start unknown", policy: Policy{MaxLifetime: time.Nanosecond}, after: time.Hour, want: keep},
		{name: "lifetime, greatest limit", sample: Sample{Started: start}, policy: Policy{MaxLifetime: math.MaxInt64}, after: math.MaxInt64 - 1, want: keep},

		{name: "idle below", sample: Sample{IdleSince: start}, policy: Policy{MaxIdle: time.Minute}, after: time.Minute - 1, want: keep},
		{name: "idle at", sample: Sample{IdleSince: start}, policy: Policy{MaxIdle: time.Minute}, after: time.Minute, want: answer{Retire, MaxIdle}},
		{name: "idle, clock set back", sample: Sample{IdleSince: start}, policy: Policy{MaxIdle: time.Minute}, after: -time.Minute, want: keep},
		{name: "busy is not idle", sample: Sample{Started: start}, policy: Policy{MaxIdle: time.Minute}, after: time.Hour, want: keep},

		{name: "all rules at once: the first of the most urgent", after: 2 * time.Hour, policy: everything,
			sample: Sample{Requests: 100, Started: start, IdleSince: start, Private: 500 * mib, Lasting: 500 * mib, Baseline: mib},
			want:   answer{Retire, MaxRequests}},
		{name: "all milder rules at once: the first of them", after: 2 * time.Hour, policy: everything,
			sample: Sample{Requests: 99, Started: start, Private: 150 * mib, Lasting: 150 * mib, Baseline: mib},
			want:   answer{Replace, MaxRequests}},
		{name: "a more urgent rule wins over an earlier one", after: time.Minute, policy: everything,
			sample: Sample{Requests: 99, Started: start, IdleSince: start},
			want:   answer{Retire, MaxIdle}},
		{name: "memory before growth", policy: everything,
			sample: Sample{Requests: 9, Private: 150 * mib, Lasting: 150 * mib, Baseline: mib},
			want:   answer{Replace, MaxMemory}},
		{name: "growth before lifetime", after: time.Hour, policy: everything,
			sample: Sample{Requests: 9, Started: start, Private: 50 * mib, Lasting: 50 * mib, Baseline: mib},
			want:   answer{Replace, MaxGrowth}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := judge(c.sample, c.policy, start.Add(c.after))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("Judge (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDue(t *testing.T) {
	both := Policy{MaxLifetime: time.Hour, MaxIdle: time.Minute}
	for _, c := range []struct {
		name   string
		sample Sample
		policy Policy
		after  time.Duration
		want   time.Duration // since start; zero: never
	}{
		{name: "no limits", sample: Sample{Started: start, IdleSince: start}},
		{name: "busy", sample: Sample{Started: start}, policy: Policy{MaxIdle: time.Minute}},
		{name: "idle comes first", sample: Sample{Started: start, IdleSince: start}, policy: both, want: time.Minute},
		{name: "lifetime comes first", sample: Sample{Started: start, IdleSince: start.Add(time.Hour - time.Second)},
			policy: both, after: time.Hour - time.Second, want: time.Hour},
		{name: "after the lifetime only idleness is stricter", sample: Sample{Started: start, IdleSince: start.Add(time.Hour)},
			policy: both, after: time.Hour, want: time.Hour + time.Minute},
		{name: "nothing is stricter than retire", sample: Sample{Requests: 9, Started: start, IdleSince: start},
			policy: Policy{MaxRequests: 9, MaxIdle: time.Minute}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var want time.Time
			if c.want != 0 {
				want = start.Add(c.want)
			}
			got, ok := Due(c.sample, c.policy, start.Add(c.after))
			if !got.Equal(want) || ok != (c.want != 0) {
				t.Errorf("Due = %v, %v, want %v", got, ok, want)
			}
		})
	}
}

func TestReason(t *testing.T) {
	policy := Policy{
		MaxRequests: 500, MaxMemory: 128 * mib, MaxGrowth: 32 * mib,
		MaxLifetime: time.Hour, MaxIdle: 10 * time.Second,
	}
	sample := Sample{
		Requests: 480, Started: start, IdleSince: start.Add(time.Hour),
		Private: 131*mib + mib/2, Lasting: 100 * mib, Baseline: 60 * mib,
	}
	now := start.Add(time.Hour + 10*time.Second + 1234*time.Microsecond)
	type words struct{ String, Label, Detail string }
	want := map[Reason]words{
		None:        {"none", "none", ""},
		MaxRequests: {"max_requests reached", "max_requests", "480 of 500 requests"},
		MaxMemory:   {"max_memory exceeded", "max_memory", "131.5 MiB private memory, limit 128.0 MiB, after 480 requests"},
		MaxGrowth: {"max_memory_growth exceeded", "max_memory_growth",
			"100.0 MiB private memory, 40.0 MiB above the baseline of 60.0 MiB, limit 32.0 MiB, after 480 requests"},
		MaxLifetime: {"max_lifetime reached", "max_lifetime", "1h0m10s old, limit 1h0m0s"},
		MaxIdle:     {"process_idle_timeout reached", "process_idle_timeout", "idle for 10s, limit 10s"},
		Reason(99):  {"unknown reason", "unknown", ""},
	}
	got := map[Reason]words{}
	for r := range want {
		got[r] = words{r.String(), r.Label(), r.Detail(sample, policy, now)}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	if len(Reasons) != len(want)-2 {
		t.Errorf("Reasons has %d entries, want all %d", len(Reasons), len(want)-2)
	}
	if got, want := MaxLifetime.Detail(sample, policy, start.Add(-time.Hour)), "0s old, limit 1h0m0s"; got != want {
		t.Errorf("with the clock set back: %q, want %q", got, want)
	}
}

func TestVerdictString(t *testing.T) {
	var got []string
	for _, v := range []Verdict{Keep, Replace, Retire, 99} {
		got = append(got, v.String())
	}
	if diff := cmp.Diff([]string{"keep", "replace", "retire", "unknown verdict"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestSize(t *testing.T) {
	want := map[uint64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", mib - 1: "1.0 MiB", mib: "1.0 MiB",
		1 << 30: "1.0 GiB", math.MaxUint64: "16.0 EiB",
	}
	got := map[uint64]string{}
	for n := range want {
		got[n] = size(n)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Judge runs after each request.
func TestNoAllocations(t *testing.T) {
	policy := Policy{MaxRequests: 500, MaxMemory: 1, MaxGrowth: 1, MaxLifetime: 1, MaxIdle: 1}
	var memory History
	now := start
	if got := testing.AllocsPerRun(100, func() {
		memory = memory.Add(100, 1000, policy)
		s := Sample{Requests: 1, Started: start, IdleSince: start}
		memory.Fill(&s)
		Judge(s, policy, now)
		Due(s, policy, now)
	}); got != 0 {
		t.Errorf("%v allocations a request, want none", got)
	}
}
