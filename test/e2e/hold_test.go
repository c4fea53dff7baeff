package e2e

import (
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"php-supervisor/test/harness"
)

// held are requests that stay inside their workers until they are released.
type held struct {
	t       *testing.T
	dir     string
	pids    []int // of the workers, in no order
	answers chan heldAnswer
	count   int
}

type heldAnswer struct {
	resp *response
	err  error
}

// hold starts n GET requests and returns when each sits in a worker of its own. Query is added to
// hold.php's.
func hold(t *testing.T, site *harness.Site, n int, query string) *held {
	t.Helper()
	return holdSteps(t, site, n, step{path: query})
}

// holdPost is hold for one POST, which must not be tried again.
func holdPost(t *testing.T, site *harness.Site) *held {
	t.Helper()
	return holdSteps(t, site, 1, step{method: "POST", body: "a=1"})
}

func holdSteps(t *testing.T, site *harness.Site, n int, s step) *held {
	t.Helper()
	h := &held{t: t, dir: scratch(t), answers: make(chan heldAnswer, n), count: n}
	t.Cleanup(func() { os.WriteFile(filepath.Join(h.dir, "gate"), nil, 0o666) })
	s.path = "/hold.php?dir=" + url.QueryEscape(h.dir) + s.path
	for range n {
		c := newClient(t, site)
		go func() {
			r, err := c.try(s)
			h.answers <- heldAnswer{r, err}
		}()
	}
	harness.MustWait(t, strconv.Itoa(n)+" requests in workers", func() bool {
		files, _ := filepath.Glob(filepath.Join(h.dir, "begun.*"))
		h.pids = nil
		for _, f := range files {
			if pid, err := strconv.Atoi(strings.TrimPrefix(filepath.Ext(f), ".")); err == nil {
				h.pids = append(h.pids, pid)
			}
		}
		return len(h.pids) == n
	})
	return h
}

// release opens the gate and returns the answers of all.
func (h *held) release() []heldAnswer {
	h.t.Helper()
	touch(h.t, filepath.Join(h.dir, "gate"))
	return h.wait()
}

// wait returns the answers of requests that end by themselves.
func (h *held) wait() []heldAnswer {
	var all []heldAnswer
	for range h.count {
		all = append(all, <-h.answers)
	}
	return all
}

// each asks n workers of a site for a script at the same time and returns its answers.
func each(t *testing.T, site *harness.Site, n int, script string) []string {
	t.Helper()
	var bodies []string
	for _, a := range hold(t, site, n, "&then="+script).release() {
		if a.err != nil || a.resp.Status != "200 OK" {
			t.Fatalf("%s: %+v, %v", script, a.resp, a.err)
		}
		bodies = append(bodies, a.resp.Body)
	}
	return bodies
}
