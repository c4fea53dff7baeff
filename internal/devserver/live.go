package devserver

import (
	_ "embed"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// Paths of our own: no file can be at one that begins with a dot.
const (
	scriptPath = "/.supervisor/live.js"
	eventsPath = "/.supervisor/live"
)

//go:embed live.js
var liveScript []byte

// live tells browsers when what they show is out of date.
type live struct {
	epoch string // tells one run of the server from the next

	mu     sync.Mutex
	n      int
	change chan struct{} // closed with the next change, and then another one
	closed chan struct{} // closed by close
	once   sync.Once
}

func newLive() *live {
	return &live{
		epoch:  strconv.FormatInt(time.Now().UnixNano(), 36),
		change: make(chan struct{}),
		closed: make(chan struct{}),
	}
}

// next is called with each change.
func (l *live) next() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	close(l.change)
	l.change = make(chan struct{})
}

func (l *live) close() { l.once.Do(func() { close(l.closed) }) }

// token names the present state.
func (l *live) token() string {
	t, _ := l.now()
	return t
}

func (l *live) now() (token string, change <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("%s-%d", l.epoch, l.n), l.change
}

// serveEvents is a stream of server-sent events: one event "reload", as soon as the state is another than the one the
// page was made in (?g=TOKEN).
func (l *live) serveEvents(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	c := http.NewResponseController(w)
	if _, err := fmt.Fprint(w, "retry: 500\n\n"); err != nil {
		return
	}
	if c.Flush() != nil {
		return
	}
	seen := r.URL.Query().Get("g")
	for {
		token, change := l.now()
		if token != seen {
			fmt.Fprintf(w, "event: reload\ndata: %s\n\n", token)
			_ = c.Flush() // the browser has gone
			return
		}
		select {
		case <-change:
		case <-l.closed:
			return
		case <-r.Context().Done():
			return
		}
	}
}

func serveScript(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(liveScript) // the browser has gone
}

func scriptElement(token string) string {
	return "\n<script src=\"" + html.EscapeString(scriptPath+"?g="+url.QueryEscape(token)) + "\" async></script>\n"
}
