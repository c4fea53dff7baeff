package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// row is one workload's medians.
type row struct {
	Name   string
	FPM    sample
	Ours   sample
	Ratio  spread // of the rate
	P99    spread // ratio of the 99th percentile
	CPU    spread // ratio of the CPU time
	Target float64
}

// spread is what the rounds' ratios, ours to php-fpm's in the same round, are like. Taken round by round
// they hold on a machine whose speed drifts; the ratio of two medians does not.
type spread struct{ Low, Median, High float64 } // quartiles

func spreadOf(fpm, ours []sample, figure func(sample) float64) spread {
	ratios := make([]float64, len(fpm))
	for i := range fpm {
		ratios[i] = figure(ours[i]) / figure(fpm[i])
	}
	slices.Sort(ratios)
	n := len(ratios)
	return spread{ratios[n/4], ratios[n/2], ratios[n-1-n/4]}
}

func newRow(w workload, fpm, ours []sample) row {
	return row{
		Name: w.name, FPM: median(fpm), Ours: median(ours), Target: w.target,
		Ratio: spreadOf(fpm, ours, func(s sample) float64 { return s.Rate }),
		P99:   spreadOf(fpm, ours, func(s sample) float64 { return float64(s.P99) }),
		CPU:   spreadOf(fpm, ours, func(s sample) float64 { return float64(s.CPU) }),
	}
}

func (r row) progress() string {
	return fmt.Sprintf("%-45s php-fpm %9.1f/s   ours %9.1f/s   %.2f", r.Name, r.FPM.Rate, r.Ours.Rate, r.Ratio.Median)
}

// report is the whole run.
type report struct {
	Machine    string
	Duration   string
	Rounds     int
	Clients    int
	Workers    int
	Throughput []row
	Memory     []memoryRow
}

// median takes the median of each figure by itself; errors are added up.
func median(samples []sample) sample {
	var m sample
	by := func(less func(a, b sample) bool) sample {
		s := slices.Clone(samples)
		slices.SortFunc(s, func(a, b sample) int {
			switch {
			case less(a, b):
				return -1
			case less(b, a):
				return 1
			}
			return 0
		})
		return s[len(s)/2]
	}
	m.Rate = by(func(a, b sample) bool { return a.Rate < b.Rate }).Rate
	m.P99 = by(func(a, b sample) bool { return a.P99 < b.P99 }).P99
	m.CPU = by(func(a, b sample) bool { return a.CPU < b.CPU }).CPU
	for _, s := range samples {
		m.Requests += s.Requests
		m.Errors += s.Errors
	}
	return m
}

func machine() string {
	model := "unknown processor"
	if content, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(content)) {
			if name, ok := strings.CutPrefix(line, "model name"); ok {
				model = strings.TrimSpace(strings.TrimLeft(name, " \t:"))
				break
			}
		}
	}
	return fmt.Sprintf("%d cores, %s", runtime.NumCPU(), model)
}

func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d interleaved rounds of %s, %d workers, %d clients unless said otherwise (%s). Ratios are medians of the rounds' ratios, with their quartiles;\n", r.Rounds, r.Duration, r.Workers, r.Clients, r.Machine)
	b.WriteString("the other figures are medians. CPU is that of nginx and the server, a request. PHP-FPM gets a connection a request, ours kept-alive ones, unless said otherwise.\n\n")
	if len(r.Throughput) > 0 {
		b.WriteString("| | requests/s: php-fpm | ours | ratio | wanted | p99: php-fpm | ours | ratio | CPU: php-fpm | ours | ratio | errors |\n")
		b.WriteString("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
		for _, t := range r.Throughput {
			wanted := ""
			if t.Target > 0 {
				wanted = fmt.Sprintf("%.1f", t.Target)
			}
			fmt.Fprintf(&b, "| %s | %s | %s | **%.2f** (%.2f–%.2f) | %s | %s | %s | %.2f | %s | %s | %.2f | %d, %d |\n", t.Name, rate(t.FPM.Rate), rate(t.Ours.Rate),
				t.Ratio.Median, t.Ratio.Low, t.Ratio.High, wanted, short(t.FPM.P99), short(t.Ours.P99), t.P99.Median,
				short(t.FPM.CPU), short(t.Ours.CPU), t.CPU.Median, t.FPM.Errors, t.Ours.Errors)
		}
		b.WriteString("\n")
	}
	if len(r.Memory) > 0 {
		b.WriteString("| PSS in MiB | workers | all | php-fpm's plus a supervisor | master or supervisor | zygote | a worker |\n|---|---:|---:|---:|---:|---:|---:|\n")
		for _, m := range r.Memory {
			some := func(n int64) string {
				if n == 0 {
					return ""
				}
				return fmt.Sprintf("%.1f", mib(n))
			}
			fmt.Fprintf(&b, "| %s | %d | **%.1f** | %s | %.1f | %s | %.1f |\n", strings.TrimPrefix(m.Name, "PSS: "), m.Workers, mib(m.Total),
				some(m.Allowed), mib(m.Manager), some(m.Zygote), mib(m.Worker))
		}
	}
	return b.String()
}

func rate(r float64) string {
	if r < 100 {
		return fmt.Sprintf("%.2f", r)
	}
	return fmt.Sprintf("%.0f", r)
}

// short prints three digits of a duration.
func short(d time.Duration) string {
	unit := time.Nanosecond
	for unit*1000 <= d {
		unit *= 10
	}
	return d.Round(unit).String()
}
