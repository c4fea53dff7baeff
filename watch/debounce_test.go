package watch

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDebouncer(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name    string
		touches []time.Duration // since the beginning
		want    []time.Duration
	}{
		{name: "nothing happens"},
		{name: "one touch", touches: []time.Duration{0}, want: []time.Duration{100 * ms}},
		{name: "a burst", touches: []time.Duration{0, 50 * ms, 140 * ms}, want: []time.Duration{240 * ms}},
		{name: "two bursts", touches: []time.Duration{0, 101 * ms}, want: []time.Duration{100 * ms, 201 * ms}},
		{name: "writes that do not stop", touches: every(49*ms, 23), want: []time.Duration{500 * ms, 1039 * ms, 1178 * ms}},
		{name: "the limit ends a burst, not the next", touches: []time.Duration{0, 90 * ms, 180 * ms, 270 * ms, 360 * ms, 450 * ms, 560 * ms},
			want: []time.Duration{500 * ms, 660 * ms}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDebouncer(100*ms, 500*ms)
				start := time.Now()
				touches := make(chan struct{})
				done := time.After(10 * time.Second)
				go func() {
					for _, at := range c.touches {
						time.Sleep(time.Until(start.Add(at)))
						touches <- struct{}{}
					}
				}()
				var got []time.Duration
				for {
					select {
					case <-touches:
						d.touch()
					case <-d.C():
						got = append(got, time.Since(start))
						d.settled()
					case <-done:
						if diff := cmp.Diff(c.want, got); diff != "" {
							t.Errorf("firings (-want +got):\n%s", diff)
						}
						return
					}
				}
			})
		})
	}
}

func every(d time.Duration, n int) (all []time.Duration) {
	for i := range n {
		all = append(all, time.Duration(i)*d)
	}
	return all
}

// When polling, what is found at the end of a burst prolongs it, but not beyond the limit.
func TestDebouncerProlonged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDebouncer(100*time.Millisecond, 350*time.Millisecond)
		start := time.Now()
		d.touch()
		var got []bool
		for !d.late() {
			<-d.C()
			got = append(got, d.late())
			d.touch()
		}
		if diff := cmp.Diff([]bool{false, false, false, true}, got); diff != "" {
			t.Errorf("late (-want +got):\n%s", diff)
		}
		if got, want := time.Since(start), 350*time.Millisecond; got != want {
			t.Errorf("late after %v, want %v", got, want)
		}
		d.settled()
		if d.late() {
			t.Error("late between bursts")
		}
	})
}

func TestDebouncerLimitBelowQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDebouncer(time.Second, time.Millisecond)
		start := time.Now()
		d.touch()
		<-d.C()
		if got := time.Since(start); got != time.Second {
			t.Errorf("fired after %v, want one second: a limit below the quiet time makes no sense", got)
		}
	})
}

// A burst that has been settled after its timer has fired must not fire again.
func TestDebouncerSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDebouncer(time.Second, time.Second)
		d.touch()
		time.Sleep(2 * time.Second)
		d.settled()
		select {
		case <-d.C():
			t.Error("fired after it had been settled")
		case <-time.After(time.Minute):
		}
	})
}
