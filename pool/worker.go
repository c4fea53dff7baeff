package pool

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"php-supervisor/fcgi"
	"php-supervisor/recycle"
)

// Worker is one forked php-cli and the supervisor's end of its socket pair.
//
// Everything but the fields set before it is started is guarded by the pool's mutex. conn is used by the
// request's goroutine between Acquire and Finish, and by nobody else but for Abort and CloseWrite, which any may call.
type Worker struct {
	id   uint32 // number in its generation
	gen  *generation
	conn *fcgi.WorkerConn

	state  State
	pid    int           // 0 until HELLO
	why    string        // the reason of retirement, once it is wanted no more; "" while it is wanted
	inUse  bool          // between Acquire and Finish: conn is the engine's
	req    *fcgi.Request // the request in flight; valid while inUse
	since  time.Time     // when the request in flight was handed over, or the last one ended
	aborts bool          // its request was ended by the pool, which has logged why

	started  time.Time
	requests int64
	policy   recycle.Policy
	memory   recycle.History
	statm    *os.File // /proc/PID/statm; nil when memory does not matter or cannot be read
	peak     uint64   // bytes, of the last request

	said  *tail         // what it wrote to standard error while it booted
	dead  chan struct{} // closed by the reaper, once pid is known
	exit  Exit          // to be read when dead is closed
	died  State         // the state in which it was reaped
	pipes []*os.File    // its output; read, and closed, by goroutines of their own

	replaceFor *Worker // the worker that leaves when this one is ready; nil when none waits for it
	replacedBy *Worker // the worker that was forked to take this one's place
	wantsOut   string  // the reason why it should be replaced; "" when it should not
	end        escalation
}

// wanted says whether the pool still has use for the worker.
func (w *Worker) wanted() bool { return w.why == "" }

// farewell is why a worker has left, or is to leave: its last words, if it was in use to the end, the pool's reason, or none that
// is known. The pool's mutex is held.
func (w *Worker) farewell(last fcgi.Stats) string {
	switch {
	case last.Leaving && last.Fatal:
		return fatalError
	case last.Leaving:
		return scriptEnded
	case w.why != "":
		return w.why
	}
	return unexpected + w.died.String()
}

// sample is what recycling looks at.
func (w *Worker) sample() recycle.Sample {
	s := recycle.Sample{Requests: w.requests, Started: w.started}
	if !w.inUse {
		s.IdleSince = w.since
	}
	w.memory.Fill(&s)
	return s
}

// openMemory opens the file that privateMemory reads, so that a sample costs one system call.
func openMemory(pid int) (*os.File, error) {
	return os.Open("/proc/" + strconv.Itoa(pid) + "/statm")
}

// privateMemory returns the bytes of anonymous memory resident in a process (RssAnon): resident pages
// less those of files and shared memory, so that OPcache's pages count for nobody. See proc(5), statm.
func privateMemory(statm *os.File) (uint64, error) {
	var buf [128]byte
	n, err := statm.ReadAt(buf[:], 0)
	if n == 0 {
		return 0, err
	}
	return parseStatm(buf[:n])
}

var pageSize = uint64(os.Getpagesize())

func parseStatm(b []byte) (uint64, error) {
	var field [3]uint64 // size, resident, shared
	rest := b
	for i := range field {
		end := bytes.IndexByte(rest, ' ')
		if end < 0 {
			return 0, fmt.Errorf("statm has %q", string(b))
		}
		for _, c := range rest[:end] {
			if c < '0' || c > '9' || field[i] > 1<<48 {
				return 0, fmt.Errorf("statm has %q", string(b))
			}
			field[i] = field[i]*10 + uint64(c-'0')
		}
		rest = rest[end+1:]
	}
	if field[2] > field[1] {
		return 0, nil // the counters are not read at one moment
	}
	return (field[1] - field[2]) * pageSize, nil
}
