package harness

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// stat is what we need of /proc/PID/stat.
type stat struct {
	pid, ppid, session int
	state              byte
	cpu                time.Duration // user and system, of the process itself
	childCPU           time.Duration // of the children it has waited for
}

// ticks of /proc are hundredths of a second on every Linux that Go runs on (USER_HZ).
const tick = 10 * time.Millisecond

func readStat(pid int) (stat, bool) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, false
	}
	// The name stands in parentheses and may hold anything.
	end := bytes.LastIndexByte(content, ')')
	if end < 0 {
		return stat{}, false
	}
	f := strings.Fields(string(content[end+1:]))
	if len(f) < 15 {
		return stat{}, false
	}
	n := func(i int) int {
		v, _ := strconv.Atoi(f[i])
		return v
	}
	return stat{
		pid: pid, state: f[0][0], ppid: n(1), session: n(3),
		cpu:      time.Duration(n(11)+n(12)) * tick,
		childCPU: time.Duration(n(13)+n(14)) * tick,
	}, true
}

func all() []stat {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var stats []stat
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if s, ok := readStat(pid); ok {
			stats = append(stats, s)
		}
	}
	return stats
}

// Session returns the living processes of a session, zombies left out.
func Session(sid int) []int {
	var pids []int
	for _, s := range all() {
		if s.session == sid && s.state != 'Z' && s.state != 'X' {
			pids = append(pids, s.pid)
		}
	}
	return pids
}

// Alive says whether a process is there and no zombie.
func Alive(pid int) bool {
	s, ok := readStat(pid)
	return ok && s.state != 'Z' && s.state != 'X'
}

// Parent returns the parent's number, 0 when the process has gone.
func Parent(pid int) int {
	s, _ := readStat(pid)
	return s.ppid
}

// CommandLine returns the command line or the title a process has given itself.
func CommandLine(pid int) string {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	return strings.TrimRight(strings.ReplaceAll(string(content), "\x00", " "), " ")
}

// Descriptors counts the open file descriptors of a process.
func Descriptors(pid int) int {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return -1
	}
	return len(entries)
}

// Usage is what some processes cost.
type Usage struct {
	Processes int
	PSS       int64 // bytes: private pages, and of each shared page this process's share
	CPU       time.Duration
}

// Measure adds up what processes cost now. CPU time of a process that has ended meanwhile is missing,
// unless its parent is among those measured.
func Measure(pids ...int) Usage {
	u := Usage{Processes: len(pids)}
	for _, pid := range pids {
		u.PSS += PSS(pid)
		if s, ok := readStat(pid); ok {
			u.CPU += s.cpu + s.childCPU
		}
	}
	return u
}

// PSS is the proportional set size of a process in bytes.
func PSS(pid int) int64 {
	return kilobytes(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss:")
}

// Peak is the highest resident size a process has had, in bytes, since ResetPeak or its start.
func Peak(pid int) int64 {
	return kilobytes(fmt.Sprintf("/proc/%d/status", pid), "VmHWM:")
}

// ResetPeak makes Peak begin anew.
func ResetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

func kilobytes(file, field string) int64 {
	content, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(content)) {
		rest, ok := strings.CutPrefix(line, field)
		if !ok {
			continue
		}
		n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		return n << 10
	}
	return 0
}
