package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseWrk(t *testing.T) {
	got, err := parseWrk(`Running 5s test @ http://127.0.0.1:8080/
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.21ms  310.00us   8.10ms   88.10%
  Latency Distribution
     50%    1.15ms
     99%    2.40ms
  65100 requests in 5.10s, 12.30MB read
  Socket errors: connect 0, read 3, write 0, timeout 1
  Non-2xx or 3xx responses: 7
Requests/sec:  12764.71
Transfer/sec:      2.41MB
`)
	want := sample{Requests: 65100, Rate: 12764.71, P99: 2400 * time.Microsecond, Errors: 11}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	if _, err := parseWrk("unable to connect"); err == nil {
		t.Error("a report without figures was taken for one")
	}
}

func TestMedianTakesEachFigureByItself(t *testing.T) {
	got := median([]sample{
		{Requests: 10, Rate: 1, P99: 30, CPU: 5, Errors: 1},
		{Requests: 20, Rate: 3, P99: 10, CPU: 9},
		{Requests: 30, Rate: 2, P99: 20, CPU: 7, Errors: 2},
	})
	want := sample{Requests: 60, Rate: 2, P99: 20, CPU: 7, Errors: 3}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 107456 * time.Nanosecond: "107µs", 1234567 * time.Nanosecond: "1.23ms", 2 * time.Second: "2s",
	} {
		if got := short(d); got != want {
			t.Errorf("short(%d) = %s, want %s", d, got, want)
		}
	}
}
