// Package devserver is the web server of `supervisor dev`: static files and FastCGI in front of one pool, and pages that
// reload themselves when the code behind them has changed.
//
// It guarantees:
//   - PHP sources, copies editors make of them, and names that begin with a dot are never sent as files, by whatever path or
//     link (request.Site has the rules);
//   - while the newest code does not boot, every page says so with PHP's own message, rather than showing what older code
//     makes of it;
//   - a response that the application did not end is not passed off as a whole one;
//   - Close ends all event streams; no goroutine is left behind.
//
// Pages reload by a script element, put behind the end of an HTML response that a browser navigates to: not into compressed
// responses, other types, or what scripts fetch. The script is a file of its own at /.supervisor/, so that a
// Content-Security-Policy with script-src 'self' and connect-src 'self' lets it run; under a stricter one the browser
// refuses it, the page works, and is reloaded by hand. Nothing else of a response is changed.
//
// It is for development, on a loopback address: there is no TLS, no limit on clients, no cache.
package devserver

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"

	"php-supervisor/internal/request"
)

// maxBody bounds a request body of unknown length, which has to be kept in a file until it is known, in bytes.
const maxBody = 1 << 30

// Options are the settings of New.
type Options struct {
	Site   request.Site
	Client request.Client // where the pool listens
	Log    hclog.Logger
}

// Server is the development server, an http.Handler. Until the first Switched or Broken, pages wait.
type Server struct {
	o    Options
	live *live

	known chan struct{} // closed with the first Switched or Broken
	once  sync.Once

	mu     sync.Mutex
	broken string // why the newest code does not boot; "" = it does
}

// New makes a server.
func New(o Options) *Server {
	return &Server{o: o, live: newLive(), known: make(chan struct{})}
}

// Switched says that a new generation serves.
func (s *Server) Switched() { s.set("") }

// Broken says that the newest code does not boot, and why.
func (s *Server) Broken(message string) { s.set(message) }

func (s *Server) set(broken string) {
	s.mu.Lock()
	s.broken = broken
	s.mu.Unlock()
	s.once.Do(func() { close(s.known) })
	s.live.next()
}

// Close ends the event streams, which would otherwise last as long as their browsers.
func (s *Server) Close() { s.live.close() }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case scriptPath:
		serveScript(w, r)
		return
	case eventsPath:
		s.live.serveEvents(w, r)
		return
	}
	t := s.o.Site.Resolve(r.URL.Path)
	switch t.Kind {
	case request.File:
		serveFile(w, r, t.Filename)
	case request.Directory:
		u := url.URL{Path: t.Name + "/", RawQuery: r.URL.RawQuery}
		http.Redirect(w, r, u.String(), http.StatusMovedPermanently)
	case request.Script:
		s.serveScript(w, r, t)
	default:
		http.NotFound(w, r)
	}
}

func serveFile(w http.ResponseWriter, r *http.Request, name string) {
	f, err := os.Open(name)
	if err != nil {
		http.Error(w, "cannot be read", http.StatusForbidden)
		return
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil || !fi.Mode().IsRegular() {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-cache") // kept, but asked for again: it is going to change
	http.ServeContent(w, r, fi.Name(), fi.ModTime(), f)
}

func (s *Server) serveScript(w http.ResponseWriter, r *http.Request, t request.Target) {
	select {
	case <-s.known:
	case <-r.Context().Done():
		return
	}
	token := s.live.token() // before the page is made: what changes from then on reloads it
	s.mu.Lock()
	broken := s.broken
	s.mu.Unlock()
	if broken != "" {
		errorPage(w, r, http.StatusInternalServerError, "The application does not boot", broken, token)
		return
	}
	if r.ContentLength < 0 {
		f, n, err := request.Spool(r.Body, maxBody)
		if err != nil {
			status := http.StatusBadRequest
			if errors.Is(err, request.ErrBodyTooLarge) {
				status = http.StatusRequestEntityTooLarge
			}
			http.Error(w, err.Error(), status)
			return
		}
		r.Body, r.ContentLength = f, n
	}
	out := &response{w: w, r: r, token: token}
	// What PHP says on FCGI_STDERR is in the supervisor's log already.
	_, err := s.o.Client.Do(r.Context(), request.Call{Params: request.Params(r, t), Body: r.Body}, out, nil)
	switch {
	case err == nil:
		out.finish()
	case errors.Is(err, context.Canceled) || r.Context().Err() != nil:
	case out.begun:
		s.o.Log.Error("response cut off", "url", r.URL.Path, "error", err)
		panic(http.ErrAbortHandler) // so that the browser knows
	default:
		s.o.Log.Error("no response", "url", r.URL.Path, "error", err)
		errorPage(w, r, http.StatusBadGateway, "No answer from PHP", err.Error(), token)
	}
}

// navigates says whether a browser is going to show the response as a page.
func navigates(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "document", "iframe", "frame":
		return true
	case "": // an old browser, or none
		return r.Header.Get("X-Requested-With") == "" && strings.Contains(r.Header.Get("Accept"), "text/html")
	}
	return false
}
